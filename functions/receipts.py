"""GET /billing/receipts: every payment of the caller, by card and in bitcoin."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, endpoint
from billing.aws import Aws
from billing.log import Log
from billing.providers import Clients
from billing.selling.receipts import Receipts
from billing.settings import Settings
from billing.store.accounts import AccountStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
receipts = Receipts(AccountStore(aws, settings.accounts_table), Clients(settings), settings.portal_url)


def show(request: Request) -> Mapping[str, Any]:
    return receipts.list(request.own_user(None))


handler = endpoint({"GET /billing/receipts": show}, Log())
