"""A buyer's wallet that renews: connect, see, test, pause or agree anew, remove."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, Response, endpoint
from billing.api.requests import ConnectWallet, SetWallet
from billing.identity.call_limits import limited
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ)
wallets = wire.wallets


def show(request: Request) -> Mapping[str, Any]:
    return wallets.show(request.own_user(None), request.now)


def connect(request: Request) -> Mapping[str, Any]:
    asked = request.parse(ConnectWallet)
    return wallets.connect(
        request.own_user(None),
        asked.connection,
        asked.plan_id,
        asked.most_sat,
        request.now,
        accept_unlimited=asked.accept_unlimited,
    )


def test(request: Request) -> Mapping[str, Any]:
    return wallets.test(request.own_user(None), request.path["group"], request.now)


def change(request: Request) -> Mapping[str, Any]:
    asked = request.parse(SetWallet)
    return wallets.set(
        request.own_user(None),
        request.path["group"],
        request.now,
        paused=asked.paused,
        most_sat=asked.most_sat,
        price_cents=asked.price_cents,
    )


def remove(request: Request) -> Response:
    wallets.remove(request.own_user(None), request.path["group"], request.now)
    return Response(None, 204)


handler = endpoint(
    limited(
        {
            "GET /billing/wallet": show,
            "POST /billing/wallet": connect,
            "POST /billing/wallet/{group}/test": test,
            "PUT /billing/wallet/{group}": change,
            "DELETE /billing/wallet/{group}": remove,
        },
        wire.limits,
    ),
    Log(),
)
