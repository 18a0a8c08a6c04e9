"""POST /billing/portal-session: a link to the provider's own pages."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.selling.portal import portal_link
from billing.wiring import Wiring

wire = Wiring(os.environ)
accounts, client = wire.accounts, wire.client
return_url = f"{wire.settings.portal_url}/account"


def open_portal(request: Request) -> Mapping[str, Any]:
    return {"url": portal_link(accounts, client, return_url, request.own_user())}


handler = endpoint(limited({"POST /billing/portal-session": open_portal}, wire.limits), Log())
