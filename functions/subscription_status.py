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
    account = accounts.load(request.queried_user(), whole=True)  # a page shows what is over, too
    return subscription_status(account, plans.catalogue(), request.now, max(settings.reminder_days))


def quote(request: Request) -> dict[str, Any]:
    user_id = request.queried_user()
    # Never older than the price list beside it: a plan without a quote could not be bought.
    catalogue = plans.catalogue(fresh=True)
    offers = accounts.evaluate(user_id, lambda account: quotes(account, catalogue, settings.providers, request.now))
    return {"quotes": offers}


handler = endpoint({"GET /billing/subscription-status": show, "GET /billing/quotes": quote}, Log())
