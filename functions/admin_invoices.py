"""Bitcoin invoices that need a person: list them, accept, give back, read again."""

import os
from collections.abc import Mapping
from typing import Any

from billing.admin.invoices import InvoiceDesk
from billing.api.admin_requests import RefundInvoice
from billing.api.http import Request, chosen, endpoint
from billing.log import Log
from billing.wiring import Wiring

# From each partition of the index.
LIMIT = 100

wire = Wiring(os.environ)
desk = InvoiceDesk(wire.accounts, wire.plans, wire.due, wire.applier, wire.client, wire.refunds)


def list_open(request: Request) -> Mapping[str, Any]:
    flagged = chosen(request.only("flagged"), "flagged", "false", "true")
    return desk.open(LIMIT, flagged=flagged == "true", offered=wire.settings.providers)


def accept(request: Request) -> Mapping[str, Any]:
    return desk.accept(*_named(request), request.user_id, request.now)


def refund(request: Request) -> Mapping[str, Any]:
    body = request.parse(RefundInvoice)
    provider, purchase_id = _named(request)
    return desk.refund(
        provider,
        purchase_id,
        body.amount_cents,
        body.idempotency_key,
        request.user_id,
        request.now,
        surplus=body.surplus,
        accepted=body.accepted,
    )


def reread(request: Request) -> Mapping[str, Any]:
    return desk.reread(*_named(request), request.now)


def _named(request: Request) -> tuple[str, str]:
    return request.path["provider"], request.path["purchase_id"]


handler = endpoint(
    {
        "GET /admin/invoices": list_open,
        "POST /admin/invoices/{provider}/{purchase_id}/accept": accept,
        "POST /admin/invoices/{provider}/{purchase_id}/refund": refund,
        "POST /admin/invoices/{provider}/{purchase_id}/reread": reread,
    },
    Log(),
)
