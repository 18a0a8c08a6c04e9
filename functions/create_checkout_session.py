"""POST /billing/create-checkout-session: one hosted payment page for one plan."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.api.requests import CreateCheckoutSession
from billing.identity.call_limits import limited
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ)
checkouts = wire.checkouts


def create(request: Request) -> Mapping[str, Any]:
    wish = request.parse(CreateCheckoutSession)
    user_id = request.own_user(wish.user_id)
    return checkouts.create(
        user_id,
        wish.plan_id,
        wish.provider,
        request.now,
        accept_overlap=wish.accept_overlap,
        quote_id=wish.quote_id,
    )


handler = endpoint(limited({"POST /billing/create-checkout-session": create}, wire.limits), Log())
