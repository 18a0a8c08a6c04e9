"""/admin/vouchers: make a batch, list it, show its codes, revoke it."""

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from billing.admin.vouchers import AdminVouchers, rows
from billing.api.admin_requests import MakeVouchers, RevokeVouchers
from billing.api.http import Request, Response, csv_file, endpoint, wants_csv
from billing.log import Log
from billing.reporting.csv_tables import to_csv
from billing.wiring import Wiring

wire = Wiring(os.environ)
vouchers = AdminVouchers(
    wire.voucher_store,
    wire.plans,
    wire.audit,
    wire.following,
    partial(wire.settings.secrets, "VOUCHER_SECRET"),
    wire.settings.portal_url,
)


def make(request: Request) -> Response:
    return Response(vouchers.make(request.parse(MakeVouchers), request.user_id, request.now), 201)


def codes(request: Request) -> Response:
    query = request.only("format")
    batch = vouchers.codes(request.path["batch_id"], request.user_id, request.now)
    if wants_csv(query, request.headers):
        return csv_file(to_csv(rows(batch)), f"{request.path['batch_id']}.csv")
    return Response(batch)


def revoke(request: Request) -> Mapping[str, Any]:
    return vouchers.revoke(request.path["batch_id"], request.parse(RevokeVouchers), request.user_id, request.now)


handler = endpoint(
    {
        "GET /admin/vouchers": lambda request: vouchers.list(),
        "POST /admin/vouchers": make,
        "GET /admin/vouchers/{batch_id}": lambda request: vouchers.show(request.path["batch_id"], request.now),
        "POST /admin/vouchers/{batch_id}/codes": codes,
        "POST /admin/vouchers/{batch_id}/revoke": revoke,
    },
    Log(),
)
