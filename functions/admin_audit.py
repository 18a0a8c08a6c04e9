"""GET /admin/audit: what admins did, with the state before and after."""

import json
import os

from billing.api.http import Request, Response, csv_file, endpoint, seconds, wants_csv
from billing.log import Log
from billing.reporting.csv_tables import to_csv
from billing.rules.times import rfc3339
from billing.wiring import Wiring

audit = Wiring(os.environ).audit
_FILTERS = ("subject", "actor", "action")
_EXPORTED = 5_000


def show(request: Request) -> Response:
    """The newest hundred of the month in which `at` lies; with `subject` those about one user, plan or flag, with
    `actor` and `action` those by one person and of one kind. As CSV the whole month."""
    query = request.only("at", *_FILTERS, "format")
    as_csv = wants_csv(query, request.headers)
    chosen = {name: query[name] for name in _FILTERS if query.get(name)}
    stored = audit.month(seconds(query, "at", request.now), **chosen, limit=_EXPORTED if as_csv else 100)
    names = ("actor", "action", "subject", "before", "after")
    entries = [{"at": rfc3339(e["at"]), "reason": e.get("reason"), **{name: e[name] for name in names}} for e in stored]
    if not as_csv:
        return Response({"entries": entries})
    rows = [{**entry, **{name: json.dumps(entry[name]) for name in ("before", "after")}} for entry in entries]
    return csv_file(to_csv(rows), "audit.csv")


handler = endpoint({"GET /admin/audit": show}, Log())
