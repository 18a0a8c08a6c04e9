"""/admin/users/{user_id}/subscriptions and /days: cancel, resume, change or read again a subscription; give days."""

import os
from collections.abc import Mapping
from typing import Any

from billing.admin.subscriptions import SubscriptionDesk
from billing.api.admin_requests import CancelForUser, GiveDays, PreviewChangeForUser, ResumeForUser
from billing.api.http import Request, endpoint
from billing.api.requests import ChangeSubscription
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ)
desk = SubscriptionDesk(wire.accounts, wire.plans, wire.subscriptions, wire.applier, wire.audit)
Answer = Mapping[str, Any]


def cancel(request: Request) -> Answer:
    return desk.cancel(*_which(request), request.user_id, request.now, request.parse(CancelForUser))


def resume(request: Request) -> Answer:
    return desk.resume(*_which(request), request.user_id, request.now, request.parse(ResumeForUser))


def preview_change(request: Request) -> Answer:
    return desk.preview_change(*_which(request), request.now, request.parse(PreviewChangeForUser).plan_id)


def change(request: Request) -> Answer:
    return desk.change(*_which(request), request.user_id, request.now, request.parse(ChangeSubscription))


def give_days(request: Request) -> Answer:
    return desk.give_days(request.path["user_id"], request.user_id, request.now, request.parse(GiveDays))


def _which(request: Request) -> tuple[str, str]:
    return request.path["user_id"], request.path["subscription_id"]


_ONE = "/admin/users/{user_id}/subscriptions/{subscription_id}"
handler = endpoint(
    {
        f"POST {_ONE}/cancel": cancel,
        f"POST {_ONE}/resume": resume,
        f"POST {_ONE}/preview-change": preview_change,
        f"POST {_ONE}/change": change,
        f"POST {_ONE}/reread": lambda r: desk.reread(*_which(r), r.now),
        "POST /admin/users/{user_id}/days": give_days,
    },
    Log(),
)
