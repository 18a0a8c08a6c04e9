"""GET /admin/audit: what admins did, with the state before and after."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint, seconds
from billing.log import Log
from billing.rules.times import rfc3339
from billing.wiring import Wiring

audit = Wiring(os.environ).audit


def show(request: Request) -> Mapping[str, Any]:
    """The newest hundred of the month in which `at` lies; with `subject` those about one user, plan or flag."""
    query = request.only("at", "subject")
    found = audit.month(seconds(query, "at", request.now), query.get("subject") or None)
    names = ("actor", "action", "subject", "before", "after")
    return {
        "entries": [
            {"at": rfc3339(e["at"]), "reason": e.get("reason"), **{name: e[name] for name in names}} for e in found
        ]
    }


handler = endpoint({"GET /admin/audit": show}, Log())
