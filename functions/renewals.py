"""The next prepaid term in one call, and whether to be reminded of its end."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.api.requests import RenewTerm, SetReminders
from billing.aws import Aws
from billing.log import Log
from billing.providers import Clients
from billing.selling.checkout import Checkouts
from billing.selling.renewals import Renewals
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.identities import IdentityStore
from billing.store.plans import PlanStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
moved = IdentityStore(aws, settings.accounts_table).moved
plans = PlanStore(aws, settings.plans_table)
checkouts = Checkouts(accounts, plans, Clients(settings), settings.providers, settings.portal_url, moved)
renewals = Renewals(accounts, plans, checkouts)


def open_invoice(request: Request) -> Mapping[str, Any]:
    wish = request.parse(RenewTerm)
    return renewals.open_invoice(request.own_user(None), request.path["group"], wish.provider, request.now)


def set_reminders(request: Request) -> Mapping[str, Any]:
    wanted = request.parse(SetReminders).wanted
    return renewals.set_reminders(request.own_user(None), request.path["group"], wanted=wanted, now=request.now)


handler = endpoint(
    {
        "POST /billing/renewals/{group}/invoice": open_invoice,
        "POST /billing/renewals/{group}/reminders": set_reminders,
    },
    Log(),
)
