"""The end of a subscription, at the period's end or now, and the way back."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.api.requests import CancelSubscription
from billing.aws import Aws
from billing.intake.applier import Applier
from billing.log import Log
from billing.providers import Clients
from billing.selling.subscriptions import Subscriptions
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore
from billing.store.previews import PreviewStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
plans = PlanStore(aws, settings.plans_table)
client = Clients(settings)
previews = PreviewStore(aws, settings.accounts_table)
subscriptions = Subscriptions(accounts, plans, previews, Applier(accounts, plans, client), client)


def cancel(request: Request) -> Mapping[str, Any]:
    wish = request.parse(CancelSubscription)
    return subscriptions.cancel(
        request.own_user(None),
        at_period_end=wish.at_period_end,
        reason=wish.reason,
        comment=wish.comment,
        now=request.now,
    )


def resume(request: Request) -> Mapping[str, Any]:
    return subscriptions.resume(request.own_user(None), request.now)


handler = endpoint({"POST /billing/subscription/cancel": cancel, "POST /billing/subscription/resume": resume}, Log())
