"""Admins manage plans: create, put a new version on sale, hide, archive. Nothing is ever deleted."""

from collections.abc import Mapping, Sequence
from typing import Any

from billing.api.admin_requests import ArchivePlan, CreatePlan, PriceBody, SaveOffer, UpdatePlan
from billing.api.plan_bodies import plan_from, plan_of_offer
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
        catalogue = self._plans.catalogue(fresh=True)
        plans = sorted(catalogue.plans, key=lambda p: (p.rank, p.plan_id, -p.version))
        free = catalogue.free()
        return {
            "plans": [admin_plan(p, self._offered) for p in plans],
            "free_plan_id": free.plan_id if free else None,
        }

    def newest(self, plan_id: str) -> Mapping[str, Any] | None:
        """A plan as it is now, for the audit log to compare with."""
        plan = self._plans.catalogue(fresh=True).get(plan_id)
        return admin_plan(plan, self._offered) if plan else None

    def create(self, body: CreatePlan) -> Mapping[str, Any]:
        if self._plans.catalogue(fresh=True).get(body.plan_id) is not None:
            raise Conflict(f"there is a plan {body.plan_id} already", code="plan_exists")
        return self._add(plan_from(body, body.plan_id, 1))

    def update(self, plan_id: str, body: UpdatePlan) -> Mapping[str, Any]:
        """Puts a new version on sale, unless the plan is archived. Whoever bought an older one keeps its price and its
        features."""
        newest = self._newest(plan_id)
        _as_edited(plan_id, newest, body.version)
        return self._add(plan_from(body, plan_id, newest.version + 1))

    def save_offer(self, body: SaveOffer) -> Sequence[Mapping[str, Any]]:
        """Writes the plans of an offer, all or none: what is new, and a version of each that differs from its newest.

        Returns those that were written.
        """
        catalogue = self._plans.catalogue(fresh=True)
        wanted, places, faults = [], [], _repeated([price.plan_id for price in body.prices])
        for place, price in enumerate(body.prices):
            newest = catalogue.get(price.plan_id)
            _as_edited(price.plan_id, newest, price.version)
            plan = plan_of_offer(body, price, price.plan_id, price.version + 1)
            if newest is None or replace(newest, version=plan.version) != plan:
                wanted.append(plan)
                places.append(place)
        for place, plan in zip(places, wanted, strict=True):
            own_faults = [*faults_of(plan), *_price_clashes(plan, catalogue)]
            faults += [{**fault, "path": _place_of(fault["path"], place)} for fault in own_faults]
        if faults:
            raise InvalidRequest("the offer cannot be sold like this", errors=_distinct(faults))
        priced = [self._prices.priced(plan, catalogue.get(plan.plan_id)) for plan in wanted]
        if priced:
            self._plans.add_versions(priced)
        return [admin_plan(plan, self._offered) for plan in priced]

    def seed(self, bodies: Sequence[CreatePlan]) -> Mapping[str, str]:
        """Brings plans to the state of a file: {plan_id: created, updated or unchanged}. Others are left alone."""
        done = {}
        for body in bodies:
            stored = self._plans.catalogue(fresh=True).get(body.plan_id)
            plan = plan_from(body, body.plan_id, stored.version + 1 if stored else 1)
            prices = plan.provider_plan_ids or (stored.provider_plan_ids if stored else {})
            if stored and replace(stored, version=plan.version) == replace(plan, provider_plan_ids=prices):
                done[body.plan_id] = "unchanged"
                continue
            self._add(plan)
            done[body.plan_id] = "updated" if stored else "created"
        return done

    def archive(self, plan_id: str, body: ArchivePlan) -> Mapping[str, Any]:
        """Takes a plan off sale; asking again changes nothing. Without the free plan everybody who bought nothing loses
        what it gives, so that one is only archived when it is said explicitly."""
        newest = self._newest(plan_id)
        free = self._plans.catalogue().free()
        if free is not None and free.plan_id == plan_id and not body.anyway:
            raise Conflict(f"everybody has {plan_id}: all would lose what it gives", code="free_plan")
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
        {
            "path": f"provider_plan_ids/{provider}",
            "message": f"this price belongs to plan {owner.plan_id}",
            "code": "price_taken",
        }
        for provider, price in plan.provider_plan_ids.items()
        if (owner := catalogue.by_price(provider, price)) is not None and owner.plan_id != plan.plan_id
    ]


def _as_edited(plan_id: str, newest: Plan | None, edited: int) -> None:
    version = newest.version if newest else 0
    archived = newest is not None and newest.status == "archived"
    if version == edited and not archived:
        return
    if edited == 0:
        raise Conflict(f"there is a plan {plan_id} already", code="plan_exists", plan_id=plan_id)
    now = "it is archived by now" if archived else f"{version} is the newest"
    raise Conflict(
        f"you edited version {edited} of {plan_id}, but {now}: read it again",
        code="version_conflict",
        plan_id=plan_id,
        version=version,
    )


def _repeated(plan_ids: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"path": f"prices/{place}/plan_id", "message": "another price has this id", "code": "repeated"}
        for place, plan_id in enumerate(plan_ids)
        if plan_id in plan_ids[:place]
    ]


def _place_of(path: str, place: int) -> str:
    """The path of a plan's fault in the offer's body: in its price, or in the shared fields."""
    return f"prices/{place}/{path}" if path.partition("/")[0] in PriceBody.model_fields else path


def _distinct(faults: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Each fault once: one in a shared field comes up for every plan."""
    return list({(fault["path"], fault["message"]): fault for fault in faults}.values())
