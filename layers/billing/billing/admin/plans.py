"""Plans as admins work on them: create, put a new version on sale, hide, archive. Nothing is ever deleted."""

from collections.abc import Mapping, Sequence
from typing import Any

from billing.api.plan_bodies import plan_from
from billing.api.requests import CreatePlan, UpdatePlan
from billing.api.views import admin_plan
from billing.catalogue.prices import PlanPrices
from billing.data import replace
from billing.errors import Conflict, InvalidRequest, NotFound
from billing.rules.plans import Catalogue, Plan, faults_of
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


def _price_clashes(plan: Plan, catalogue: Catalogue) -> list[dict[str, str]]:
    """A provider's price may serve several versions of one plan, never two plans."""
    return [
        {"path": f"provider_plan_ids/{provider}", "message": f"this price belongs to plan {owner.plan_id}"}
        for provider, price in plan.provider_plan_ids.items()
        if (owner := catalogue.by_price(provider, price)) is not None and owner.plan_id != plan.plan_id
    ]
