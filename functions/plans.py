"""GET /billing/plans: the public catalogue."""

import os
from typing import Any

from billing.api.http import Request, Response, endpoint
from billing.api.views import plan_list
from billing.aws import Aws
from billing.log import Log
from billing.settings import Settings
from billing.store.plans import PlanStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
plans = PlanStore(aws, settings.plans_table)


def show(_: Request) -> Response:
    body: dict[str, Any] = plan_list(plans.catalogue(), settings.providers)
    return Response(body, headers={"cache-control": "public, max-age=60"})


handler = endpoint({"GET /billing/plans": show}, Log())
