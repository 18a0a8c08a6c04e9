"""POST /billing/portal-session: a link to the provider's own pages."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.log import Log
from billing.wiring import Wiring

receipts = Wiring(os.environ).receipts


def open_portal(request: Request) -> Mapping[str, Any]:
    return receipts.portal(request.own_user(None))


handler = endpoint({"POST /billing/portal-session": open_portal}, Log())
