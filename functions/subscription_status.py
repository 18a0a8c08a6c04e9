"""GET /billing/subscription-status and /billing/quotes: what a buyer has, and what each plan would cost them."""

import os
from typing import Any

from billing.api.http import Request, endpoint
from billing.api.status import quotes, subscription_status
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


def quote(request: Request) -> dict[str, Any]:
    user_id = request.own_user(request.only("user_id").get("user_id"))
    account = accounts.load(user_id)
    return {"quotes": quotes(account, plans.catalogue(), settings.providers, request.now)}


handler = endpoint({"GET /billing/subscription-status": show, "GET /billing/quotes": quote}, Log())
