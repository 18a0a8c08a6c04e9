"""GET /billing/receipts: every payment of the caller, by card and in bitcoin."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.log import Log
from billing.wiring import Wiring

receipts = Wiring(os.environ).receipts


def show(request: Request) -> Mapping[str, Any]:
    return receipts.list(request.own_user(None))


handler = endpoint({"GET /billing/receipts": show}, Log())
