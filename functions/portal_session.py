"""POST /billing/portal-session: a link to the provider's own pages."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ)
receipts = wire.receipts


def open_portal(request: Request) -> Mapping[str, Any]:
    return receipts.portal(request.own_user(None))


handler = endpoint(limited({"POST /billing/portal-session": open_portal}, wire.limits), Log())
