"""GET /billing/receipts: every payment of the caller, by card and in bitcoin, as a list and each as a document."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ)
receipts = wire.receipts


def list_all(request: Request) -> Mapping[str, Any]:
    return receipts.list(request.own_user())


def show(request: Request) -> Mapping[str, Any]:
    return receipts.show(request.own_user(), request.path["provider"], request.path["payment_id"])


handler = endpoint(
    limited(
        {"GET /billing/receipts": list_all, "GET /billing/receipts/{provider}/{payment_id}": show},
        wire.limits,
    ),
    Log(),
)
