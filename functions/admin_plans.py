"""/admin/plans: list, create, preview, put a new version on sale, archive."""

import os
from collections.abc import Mapping
from typing import Any

from billing.admin.plans import AdminPlans
from billing.api.http import Request, Response, endpoint
from billing.api.requests import CreatePlan, UpdatePlan
from billing.catalogue.effect import plan_effect
from billing.catalogue.prices import PlanPrices
from billing.log import Log
from billing.rules.history import By
from billing.wiring import Wiring

wire = Wiring(os.environ)
audit, metrics, store = wire.audit, wire.metrics, wire.plans
prices = PlanPrices(store, wire.client, wire.settings.providers)
plans = AdminPlans(store, wire.settings.providers, prices)


def show(_: Request) -> Mapping[str, Any]:
    return plans.list()


def create(request: Request) -> Response:
    return Response(_noted(request, "create_plan", plans.create(request.parse(CreatePlan))), 201)


def preview(request: Request) -> Mapping[str, Any]:
    return plan_effect(store, metrics, request.path["plan_id"], request.parse(UpdatePlan))


def update(request: Request) -> Mapping[str, Any]:
    return _noted(request, "update_plan", plans.update(request.path["plan_id"], request.parse(UpdatePlan)))


def archive(request: Request) -> Mapping[str, Any]:
    return _noted(request, "archive_plan", plans.archive(request.path["plan_id"]))


def _noted(request: Request, action: str, plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """Versions are never changed, so the one before it is the state before."""
    audit.note(By(actor=request.user_id, action=action, subject=plan["plan_id"]), request.now, after=plan)
    return plan


handler = endpoint(
    {
        "GET /admin/plans": show,
        "POST /admin/plans": create,
        "POST /admin/plans/{plan_id}/preview": preview,
        "PATCH /admin/plans/{plan_id}": update,
        "POST /admin/plans/{plan_id}/archive": archive,
    },
    Log(),
)
