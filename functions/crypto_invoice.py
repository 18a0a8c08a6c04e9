"""A bitcoin invoice as a page shows it: amount, address, payment URI, time left, state."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.aws import Aws
from billing.log import Log
from billing.providers import Clients
from billing.selling.invoices import of_checkout, show
from billing.settings import Settings
from billing.store.accounts import AccountStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
client = Clients(settings)


def of_a_checkout(request: Request) -> Mapping[str, Any]:
    user_id = request.own_user(None)
    provider, invoice_id = of_checkout(accounts, user_id, request.path["checkout_id"])
    return show(accounts, client, user_id, provider, invoice_id, request.now)


def by_id(request: Request) -> Mapping[str, Any]:
    provider, invoice_id = request.path["provider"], request.path["purchase_id"]
    return show(accounts, client, request.own_user(None), provider, invoice_id, request.now)


handler = endpoint(
    {
        "GET /billing/checkout-sessions/{checkout_id}/invoice": of_a_checkout,
        "GET /billing/invoices/{provider}/{purchase_id}": by_id,
    },
    Log(),
)
