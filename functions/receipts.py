"""GET /billing/receipts: every payment of the caller, by card and in bitcoin."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ)
receipts = wire.receipts


def show(request: Request) -> Mapping[str, Any]:
    return receipts.list(request.own_user(None))


handler = endpoint(limited({"GET /billing/receipts": show}, wire.limits), Log())
