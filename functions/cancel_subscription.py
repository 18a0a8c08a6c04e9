"""POST /billing/subscription/cancel and /resume: cancel now or at the period's end, and take that back."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.buyer_requests import CancelSubscription, ResumeSubscription
from billing.api.http import Request, endpoint
from billing.identity.call_limits import limited
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ)
subscriptions, notes = wire.subscriptions, wire.notes


def cancel(request: Request) -> Mapping[str, Any]:
    """The comment is kept only where a subscription is really canceled."""
    body = request.parse(CancelSubscription)
    canceled: list[str] = []
    status = subscriptions.cancel(
        request.own_user(),
        at_period_end=body.at_period_end,
        reason=body.reason,
        comment=body.comment,
        now=request.now,
        subscription_id=body.subscription_id,
        acting=lambda subscription, _: canceled.append(subscription.subscription_id),
    )
    if body.comment:
        for subscription_id in canceled:
            notes.add_comment(request.user_id, subscription_id, body.comment, request.now, request.now)
    return status


def resume(request: Request) -> Mapping[str, Any]:
    body = request.parse(ResumeSubscription)
    return subscriptions.resume(request.own_user(), request.now, subscription_id=body.subscription_id)


handler = endpoint(
    limited({"POST /billing/subscription/cancel": cancel, "POST /billing/subscription/resume": resume}, wire.limits),
    Log(),
)
