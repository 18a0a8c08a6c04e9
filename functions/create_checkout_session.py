"""POST /billing/create-checkout-session: one hosted payment page for one plan."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.buyer_requests import CreateCheckoutSession
from billing.api.http import Request, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ)
checkouts = wire.checkouts


def create(request: Request) -> Mapping[str, Any]:
    body = request.parse(CreateCheckoutSession)
    user_id = request.own_user(body.user_id)
    return checkouts.create(
        user_id,
        body.plan_id,
        body.provider,
        request.now,
        accept_overlap=body.accept_overlap,
        quote_id=body.quote_id,
        gift=body.gift,
    )


handler = endpoint(limited({"POST /billing/create-checkout-session": create}, wire.limits), Log())
