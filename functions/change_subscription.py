"""Change of plan: preview what it costs, and make the change that was previewed."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.buyer_requests import PreviewChange
from billing.api.http import Request, endpoint
from billing.api.requests import ChangeSubscription
from billing.identity.call_limits import limited
from billing.log import Log
from billing.wiring import Wiring

wire = Wiring(os.environ)
subscriptions = wire.subscriptions


def preview(request: Request) -> Mapping[str, Any]:
    body = request.parse(PreviewChange)
    return subscriptions.preview(request.own_user(), body.plan_id, request.now, subscription_id=body.subscription_id)


def change(request: Request) -> Mapping[str, Any]:
    return subscriptions.change(request.own_user(), request.parse(ChangeSubscription).preview_id, request.now)


handler = endpoint(
    limited(
        {"POST /billing/subscription/preview-change": preview, "POST /billing/subscription/change": change}, wire.limits
    ),
    Log(),
)
