"""/billing/wallet: a wallet that pays renewals: connect, show, test, pause or change what was agreed, remove."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.buyer_requests import ConnectWallet, SayOfConnection, SetWallet
from billing.api.http import Request, Response, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.rules.records import Said
from billing.wiring import Wiring

wire = Wiring(os.environ)
wallets = wire.wallets


def show(request: Request) -> Mapping[str, Any]:
    return wallets.show(request.own_user(), request.now)


def said(by_buyer: SayOfConnection | None) -> Said | None:
    return Said(**by_buyer.model_dump()) if by_buyer is not None else None


def connect(request: Request) -> Mapping[str, Any]:
    body = request.parse(ConnectWallet)
    return wallets.connect(
        request.own_user(),
        body.connection,
        body.plan_id,
        body.most_sat,
        request.now,
        accept_unlimited=body.accept_unlimited,
        said=said(body.said),
    )


def test(request: Request) -> Mapping[str, Any]:
    return wallets.test(request.own_user(), request.path["group"], request.now)


def change(request: Request) -> Mapping[str, Any]:
    body = request.parse(SetWallet)
    return wallets.set(
        request.own_user(),
        request.path["group"],
        request.now,
        paused=body.paused,
        most_sat=body.most_sat,
        price_cents=body.price_cents,
        said=said(body.said),
    )


def remove(request: Request) -> Response:
    wallets.remove(request.own_user(), request.path["group"], request.now)
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
