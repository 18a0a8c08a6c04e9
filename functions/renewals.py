"""Renew prepaid time in one call, and choose whether to be reminded of its end."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.buyer_requests import RenewTerm, SetReminders
from billing.api.http import Request, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.selling.renewals import Renewals
from billing.wiring import Wiring

wire = Wiring(os.environ)
renewals = Renewals(wire.accounts, wire.plans, wire.checkouts)


def open_invoice(request: Request) -> Mapping[str, Any]:
    body = request.parse(RenewTerm)
    return renewals.open_invoice(request.own_user(), request.path["group"], body.provider, request.now)


def set_reminders(request: Request) -> Mapping[str, Any]:
    wanted = request.parse(SetReminders).wanted
    return renewals.set_reminders(request.own_user(), request.path["group"], wanted=wanted, now=request.now)


handler = endpoint(
    limited(
        {
            "POST /billing/renewals/{group}/invoice": open_invoice,
            "POST /billing/renewals/{group}/reminders": set_reminders,
        },
        wire.limits,
    ),
    Log(),
)
