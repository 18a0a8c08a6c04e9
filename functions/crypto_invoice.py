"""A bitcoin invoice as a page shows it: amount, address, payment URI, time left, state."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.selling.invoices import of_checkout, show
from billing.wiring import Wiring

wire = Wiring(os.environ)
accounts, client = wire.accounts, wire.client


def of_a_checkout(request: Request) -> Mapping[str, Any]:
    user_id = request.own_user()
    provider, invoice_id = of_checkout(accounts, user_id, request.path["checkout_id"])
    return show(accounts, client, user_id, provider, invoice_id, request.now)


def by_id(request: Request) -> Mapping[str, Any]:
    provider, invoice_id = request.path["provider"], request.path["purchase_id"]
    return show(accounts, client, request.own_user(), provider, invoice_id, request.now)


handler = endpoint(
    limited(
        {
            "GET /billing/checkout-sessions/{checkout_id}/invoice": of_a_checkout,
            "GET /billing/invoices/{provider}/{purchase_id}": by_id,
        },
        wire.limits,
    ),
    Log(),
)
