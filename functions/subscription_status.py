"""GET /billing/subscription-status: plan, status, next billing date, what to do next."""

import os
from typing import Any

from billing.api.http import Request, endpoint
from billing.api.views import subscription_status
from billing.aws import Aws
from billing.log import Log
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
plans = PlanStore(aws, settings.plans_table)


def show(request: Request) -> dict[str, Any]:
    user_id = request.own_user(request.only("user_id").get("user_id"))
    return subscription_status(accounts.load(user_id), plans.catalogue(), request.now)


handler = endpoint({"GET /billing/subscription-status": show}, Log())
