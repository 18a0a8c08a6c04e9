"""/admin/plans: list, create, preview, put a new version on sale, archive; /admin/offers: a whole offer at once."""

import os
from collections.abc import Mapping
from typing import Any

from billing.admin.plans import AdminPlans
from billing.api.admin_requests import ArchivePlan, CreatePlan, SaveOffer, UpdatePlan
from billing.api.http import Request, Response, endpoint
from billing.catalogue.effect import plan_effect, standing_list
from billing.catalogue.prices import PlanPrices
from billing.log import Log
from billing.rules.history import By
from billing.wiring import Wiring

wire = Wiring(os.environ)
audit, metrics, store = wire.audit, wire.metrics, wire.plans
prices = PlanPrices(store, wire.client, wire.settings.providers)
plans = AdminPlans(store, wire.settings.providers, prices)


def show(_: Request) -> Mapping[str, Any]:
    return {**plans.list(), "standing": standing_list(metrics)}


def create(request: Request) -> Response:
    return Response(_noted(request, "create_plan", None, plans.create(request.parse(CreatePlan))), 201)


def preview(request: Request) -> Mapping[str, Any]:
    return plan_effect(store, metrics, request.path["plan_id"], request.parse(UpdatePlan))


def update(request: Request) -> Mapping[str, Any]:
    plan_id = request.path["plan_id"]
    before = plans.newest(plan_id)
    return _noted(request, "update_plan", before, plans.update(plan_id, request.parse(UpdatePlan)))


def save_offer(request: Request) -> Mapping[str, Any]:
    body = request.parse(SaveOffer)
    before = {price.plan_id: plans.newest(price.plan_id) for price in body.prices}
    saved = plans.save_offer(body)
    for plan in saved:
        old = before[plan["plan_id"]]
        _noted(request, "update_plan" if old else "create_plan", old, plan)
    return {"plans": saved}


def archive(request: Request) -> Mapping[str, Any]:
    plan_id = request.path["plan_id"]
    before = plans.newest(plan_id)
    return _noted(request, "archive_plan", before, plans.archive(plan_id, request.parse(ArchivePlan)))


def _noted(
    request: Request, action: str, before: Mapping[str, Any] | None, plan: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Kept with the state before, so that the log shows what changed and no more."""
    audit.note(By(actor=request.user_id, action=action, subject=plan["plan_id"]), request.now, before, plan)
    return plan


handler = endpoint(
    {
        "GET /admin/plans": show,
        "POST /admin/plans": create,
        "POST /admin/plans/{plan_id}/preview": preview,
        "PATCH /admin/plans/{plan_id}": update,
        "PUT /admin/offers": save_offer,
        "POST /admin/plans/{plan_id}/archive": archive,
    },
    Log(),
)
