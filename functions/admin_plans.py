"""/admin/plans: list, create, put a new version on sale, archive."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger

from billing.admin_plans import AdminPlans
from billing.api.requests import CreatePlan, UpdatePlan
from billing.aws import Aws
from billing.http import Request, Response, endpoint
from billing.plan_prices import PlanPrices
from billing.providers import Clients
from billing.settings import Settings
from billing.store.plans import PlanStore

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
store = PlanStore(aws, settings.plans_table)
plans = AdminPlans(store, settings.providers, PlanPrices(store, Clients(settings), settings.providers))


def show(_: Request) -> Mapping[str, Any]:
    return plans.list()


def create(request: Request) -> Response:
    return Response(plans.create(request.parse(CreatePlan)), 201)


def update(request: Request) -> Mapping[str, Any]:
    return plans.update(request.path["plan_id"], request.parse(UpdatePlan))


def archive(request: Request) -> Mapping[str, Any]:
    return plans.archive(request.path["plan_id"])


handler = endpoint(
    {
        "GET /admin/plans": show,
        "POST /admin/plans": create,
        "PATCH /admin/plans/{plan_id}": update,
        "POST /admin/plans/{plan_id}/archive": archive,
    },
    Logger(),
)
