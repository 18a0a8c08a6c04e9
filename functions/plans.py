"""GET /billing/plans: the public catalogue."""

import os
from typing import Any

from billing.api.http import Request, Response, endpoint
from billing.api.status import quotes
from billing.api.views import plan_list
from billing.aws import Aws
from billing.log import Log
from billing.rules.records import Account
from billing.settings import Settings
from billing.store.plans import PlanStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
plans = PlanStore(aws, settings.plans_table)


def show(request: Request) -> Response:
    catalogue = plans.catalogue()
    body: dict[str, Any] = plan_list(catalogue, settings.providers, settings.lightning)
    body["quotes"] = quotes(Account(""), catalogue, settings.providers, request.now)
    return Response(body, headers={"cache-control": "public, max-age=60"})


handler = endpoint({"GET /billing/plans": show}, Log())
