"""Decides who may call the API; answers are cached by API Gateway."""

import os
import time
from typing import Any

from billing import deadline
from billing.aws import Aws
from billing.identity.authorizer import Authorizer
from billing.identity.callers import callers
from billing.settings import Settings
from billing.store.accounts import AccountStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
authorizer: Authorizer | None = None


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    global authorizer
    deadline.begin(context)
    if authorizer is None:
        authorizer = Authorizer(callers(settings), accounts)
    return authorizer.answer(event, int(time.time()))
