"""POST /billing/checkout-sessions/{checkout_id}/confirm: the return from the payment page does not wait."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.aws import Aws
from billing.intake.applier import Applier
from billing.log import Log
from billing.providers import Clients
from billing.selling.checkout import confirm
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
client = Clients(settings)
applier = Applier(accounts, PlanStore(aws, settings.plans_table), client)


def confirm_checkout(request: Request) -> Mapping[str, Any]:
    user_id = request.own_user(request.only("user_id").get("user_id"))
    return confirm(accounts, applier, client, user_id, request.path["checkout_id"], request.now)


handler = endpoint({"POST /billing/checkout-sessions/{checkout_id}/confirm": confirm_checkout}, Log())
