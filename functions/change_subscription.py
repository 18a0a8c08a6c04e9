"""What a change of plan costs, and the change as it was shown."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.api.requests import ChangeSubscription, PreviewChange
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


def preview(request: Request) -> Mapping[str, Any]:
    return subscriptions.preview(request.own_user(None), request.parse(PreviewChange).plan_id, request.now)


def change(request: Request) -> Mapping[str, Any]:
    return subscriptions.change(request.own_user(None), request.parse(ChangeSubscription).preview_id, request.now)


handler = endpoint(
    {"POST /billing/subscription/preview-change": preview, "POST /billing/subscription/change": change}, Log()
)
