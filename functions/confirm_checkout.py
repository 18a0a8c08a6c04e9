"""POST /billing/checkout-sessions/{checkout_id}/confirm: access on return, without waiting for a webhook."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.selling.checkout import confirm
from billing.wiring import Wiring

wire = Wiring(os.environ)
accounts, client, applier = wire.accounts, wire.client, wire.applier


def confirm_checkout(request: Request) -> Mapping[str, Any]:
    user_id = request.queried_user()
    return confirm(accounts, applier, client, user_id, request.path["checkout_id"], request.now)


handler = endpoint(
    limited({"POST /billing/checkout-sessions/{checkout_id}/confirm": confirm_checkout}, wire.limits), Log()
)
