"""/admin/users: list, find, explain, note, grant, refund, export, erase."""

import os
from collections.abc import Mapping
from typing import Any

from billing.admin.customers import FILTERS, Customers
from billing.admin.notes import Notes
from billing.admin.personal_data import PersonalData
from billing.admin.users import AdminUsers
from billing.api.admin_requests import GrantFeatures, RefundPayment, WriteNote
from billing.api.http import Request, Response, csv_file, endpoint, seconds, wants_csv
from billing.log import Log
from billing.providers import pages
from billing.reporting.csv_tables import to_csv
from billing.wiring import Wiring

wire = Wiring(os.environ)
users = AdminUsers(
    *(wire.accounts, wire.plans, wire.counters, wire.events, wire.audit, wire.refunds, wire.notes),
    pages(wire.settings),
)
personal_data = PersonalData(wire.accounts, wire.erasure, wire.audit)
notes = Notes(wire.accounts, wire.notes, wire.audit)

customers = Customers(wire.customers, users)


def find(request: Request) -> Response:
    """Search by id, whole or in part; without one the filtered list. As JSON or as CSV."""
    query = request.only(*FILTERS, "q", "cursor", "limit", "format")
    page = customers.find(query, request.now)
    if wants_csv(query, request.headers):
        return csv_file(to_csv(customers.rows(page)), "customers.csv")
    return Response(page)


def explain(request: Request) -> Mapping[str, Any]:
    query = request.only("feature", "at")
    at = seconds(query, "at", request.now)
    return users.explain(request.path["user_id"], query.get("feature", ""), at, request.now)


def refund(request: Request) -> Mapping[str, Any]:
    """An admin may refund all of a payment, support only up to a limit."""
    most = None if request.role == "admin" else int(wire.settings.required("SUPPORT_REFUND_CENTS"))
    return users.refund(*_done(request), request.parse(RefundPayment), most)


def export(request: Request) -> Mapping[str, Any]:
    return personal_data.export(*_done(request), request.only("cursor").get("cursor", ""))


def remove_note(request: Request) -> Response:
    notes.remove(*_done(request), request.path["note_id"])
    return Response(None, 204)


def _done(request: Request) -> tuple[str, str, int]:
    """To whom, by whom, and when."""
    return request.path["user_id"], request.user_id, request.now


handler = endpoint(
    {
        "GET /admin/users": find,
        "GET /admin/users/{user_id}": lambda r: users.show(r.path["user_id"], r.now),
        "GET /admin/users/{user_id}/explain": explain,
        "POST /admin/users/{user_id}/grants": lambda r: Response(users.grant(*_done(r), r.parse(GrantFeatures)), 201),
        "POST /admin/users/{user_id}/grants/{grant_id}/revoke": lambda r: users.revoke(*_done(r), r.path["grant_id"]),
        "POST /admin/users/{user_id}/refunds": refund,
        "POST /admin/users/{user_id}/notes": lambda r: Response(notes.add(*_done(r), r.parse(WriteNote).text), 201),
        "DELETE /admin/users/{user_id}/notes/{note_id}": remove_note,
        "GET /admin/users/{user_id}/export": export,
        "DELETE /admin/users/{user_id}": lambda r: personal_data.erase(*_done(r)),
    },
    Log(),
)
