"""Plans as admins work on them: create, put a new version on sale, hide, archive. Nothing is ever deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from billing.api.requests import AllowanceValue, CreatePlan, CreditsValue, PlanBody, UpdatePlan
from billing.api.views import admin_plan
from billing.catalogue.prices import PlanPrices
from billing.errors import Conflict, InvalidRequest, NotFound
from billing.rules.plans import FEATURES, Allowance, Catalogue, Credits, FeatureValue, Plan
from billing.store.plans import PlanStore


class AdminPlans:
    """`prices` gives each new version its price at the providers that need one."""

    def __init__(self, plans: PlanStore, offered: Sequence[str], prices: PlanPrices) -> None:
        self._plans = plans
        self._offered = offered
        self._prices = prices

    def list(self) -> Mapping[str, Any]:
        """Every version of every plan, newest first within a plan."""
        plans = sorted(self._plans.catalogue(fresh=True).plans, key=lambda p: (p.rank, p.plan_id, -p.version))
        return {"plans": [admin_plan(p, self._offered) for p in plans]}

    def create(self, body: CreatePlan) -> Mapping[str, Any]:
        if self._plans.catalogue(fresh=True).get(body.plan_id) is not None:
            raise Conflict(f"there is a plan {body.plan_id} already", code="plan_exists")
        return self._add(plan_from(body, body.plan_id, 1))

    def update(self, plan_id: str, body: UpdatePlan) -> Mapping[str, Any]:
        """Puts a new version on sale. Whoever bought an older one keeps its price and its features."""
        newest = self._newest(plan_id)
        if newest.version != body.version:
            raise Conflict(
                f"you edited version {body.version}, but {newest.version} is the newest: read it again",
                code="version_conflict",
                version=newest.version,
            )
        return self._add(plan_from(body, plan_id, newest.version + 1))

    def seed(self, bodies: Sequence[CreatePlan]) -> Mapping[str, str]:
        """Brings plans to the state of a file: {plan_id: created, updated or unchanged}. Others are left alone."""
        done = {}
        for body in bodies:
            known = self._plans.catalogue(fresh=True).get(body.plan_id)
            plan = plan_from(body, body.plan_id, known.version + 1 if known else 1)
            prices = plan.provider_plan_ids or (known.provider_plan_ids if known else {})
            if known and replace(known, version=plan.version) == replace(plan, provider_plan_ids=prices):
                done[body.plan_id] = "unchanged"
                continue
            self._add(plan)
            done[body.plan_id] = "updated" if known else "created"
        return done

    def archive(self, plan_id: str) -> Mapping[str, Any]:
        """Takes a plan off sale; asking again changes nothing."""
        newest = self._newest(plan_id)
        if newest.status != "archived":
            self._plans.set_status(newest, "archived")
            self._prices.archived(newest)
        return admin_plan(replace(newest, status="archived"), self._offered)

    def _newest(self, plan_id: str) -> Plan:
        plan = self._plans.catalogue(fresh=True).get(plan_id)
        if plan is None:
            raise NotFound(f"there is no plan {plan_id}")
        return plan

    def _add(self, plan: Plan) -> Mapping[str, Any]:
        faults = [*faults_of(plan), *_price_clashes(plan, self._plans.catalogue())]
        if faults:
            raise InvalidRequest("the plan cannot be sold like this", errors=faults)
        plan = self._prices.priced(plan, self._plans.catalogue().get(plan.plan_id))
        self._plans.add_version(plan)
        return admin_plan(plan, self._offered)


def plan_from(body: PlanBody, plan_id: str, version: int) -> Plan:
    return Plan(
        plan_id=plan_id,
        version=version,
        name=body.name,
        description=body.description,
        price_cents=body.price_cents,
        currency=body.currency,
        interval=body.interval,
        features={key: feature_value(value) for key, value in body.features.items()},
        tier=body.tier,
        rank=body.rank,
        group=body.group,
        trial_days=body.trial_days,
        duration_days=body.duration_days,
        grace_days=body.grace_days,
        optimistic=body.optimistic,
        status=body.status,
        provider_plan_ids={str(name): price for name, price in body.provider_plan_ids.items()},
    )


def feature_value(value: bool | int | AllowanceValue | CreditsValue) -> FeatureValue:
    """A feature's value as a request writes it."""
    if isinstance(value, AllowanceValue):
        return Allowance(value.limit, value.per)
    return Credits(value.credits) if isinstance(value, CreditsValue) else value


def faults_of(plan: Plan) -> list[dict[str, str]]:
    """What is wrong with a plan, as {path, message}; empty when it can be sold."""
    found = [
        {"path": f"features/{key}", "message": feature_fault(key, value)}
        for key, value in plan.features.items()
        if feature_fault(key, value)
    ]
    if plan.duration_days is not None and plan.recurring:
        found.append({"path": "duration_days", "message": "only a one-time plan has a duration; this one renews"})
    if plan.trial_days and not plan.recurring:
        found.append({"path": "trial_days", "message": "a one-time plan has no trial"})
    if plan.trial_days and plan.free:
        found.append({"path": "trial_days", "message": "a free plan needs no trial"})
    if plan.free and not plan.recurring:
        found.append({"path": "price_cents", "message": "a one-time plan needs a price"})
    if any(isinstance(v, Credits) for v in plan.features.values()) and plan.recurring:
        found.append({"path": "features", "message": "credits are bought once; a recurring plan gives an allowance"})
    return found


def feature_fault(key: str, value: FeatureValue) -> str:
    """What is wrong with giving a feature like this; empty when nothing is."""
    known = FEATURES.get(key)
    if known is None:
        return f"unknown feature; known are {', '.join(FEATURES)}"
    given = "switch" if isinstance(value, bool) else "number" if isinstance(value, int) else "allowance"
    if given != known["kind"]:
        return f"{key} is a {known['kind']}, not a {given}"
    return ""


def _price_clashes(plan: Plan, catalogue: Catalogue) -> list[dict[str, str]]:
    """A provider's price may serve several versions of one plan, never two plans."""
    return [
        {"path": f"provider_plan_ids/{provider}", "message": f"this price belongs to plan {owner.plan_id}"}
        for provider, price in plan.provider_plan_ids.items()
        if (owner := catalogue.by_price(provider, price)) is not None and owner.plan_id != plan.plan_id
    ]
