"""POST /billing/create-checkout-session: one hosted payment page for one plan."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.api.requests import CreateCheckoutSession
from billing.log import Log
from billing.store.limits import Limits
from billing.wiring import Wiring

# Each call may open a page at a provider; nobody buys more often than this in good faith.
CALLS_PER_HOUR = 30

wire = Wiring(os.environ)
checkouts = wire.checkouts
limits = Limits(wire.aws, wire.settings.accounts_table)


def create(request: Request) -> Mapping[str, Any]:
    wish = request.parse(CreateCheckoutSession)
    user_id = request.own_user(wish.user_id)
    limits.count("checkout", user_id, CALLS_PER_HOUR, 3600, request.now)
    return checkouts.create(
        user_id,
        wish.plan_id,
        wish.provider,
        request.now,
        accept_overlap=wish.accept_overlap,
        quote_id=wish.quote_id,
    )


handler = endpoint({"POST /billing/create-checkout-session": create}, Log())
