"""What a new version of a plan means: for newcomers, before it is on sale; for those who would be moved to it."""

from collections.abc import Mapping
from typing import Any

from billing.api.plan_bodies import plan_from
from billing.api.requests import UpdatePlan
from billing.errors import NotFound
from billing.rules.money import format_money
from billing.rules.plans import Plan, faults_of
from billing.rules.rollups import added_up
from billing.store.metrics import MetricsStore
from billing.store.plans import PlanStore

# Rollups begin after this month and end before the other one.
_EVER = ("2000-01", "9999-12")


def plan_effect(plans: PlanStore, metrics: MetricsStore, plan_id: str, body: UpdatePlan) -> Mapping[str, Any]:
    """Counts the buyers of each version from the rollups: who pays for it, or tries it, right now."""
    newest = plans.catalogue(fresh=True).get(plan_id)
    if newest is None:
        raise NotFound(f"there is no plan {plan_id}")
    planned = plan_from(body, plan_id, newest.version + 1)
    buyers = _buyers(metrics, plan_id)
    return {
        "plan_id": plan_id,
        "from_version": newest.version,
        "to_version": planned.version,
        "subscribers": buyers.get(newest.version, 0),
        "subscribers_older": sum(count for version, count in buyers.items() if version < newest.version),
        "price_change_cents": planned.price_cents - newest.price_cents,
        **_features(newest, planned),
        "warnings": _warnings(newest, planned, body.version),
    }


def move_effect(plans: PlanStore, metrics: MetricsStore, plan_id: str) -> list[Mapping[str, Any]]:
    """Each older version that somebody still has, and what moving from it to the newest one changes for them."""
    catalogue = plans.catalogue(fresh=True)
    newest = catalogue.get(plan_id)
    if newest is None:
        raise NotFound(f"there is no plan {plan_id}")
    older = [
        (plan, count)
        for version, count in sorted(_buyers(metrics, plan_id).items())
        if count and version < newest.version and (plan := catalogue.get(plan_id, version))
    ]
    return [
        {
            "from_version": plan.version,
            "subscribers": count,
            "price_cents": plan.price_cents,
            "currency": plan.currency,
            "price_change_cents": newest.price_cents - plan.price_cents,
            **_features(plan, newest),
        }
        for plan, count in older
    ]


def _features(before: Plan, after: Plan) -> Mapping[str, list[str]]:
    old, new = before.features, after.features
    return {
        "features_gained": sorted(key for key, given in new.items() if given and not old.get(key)),
        "features_lost": sorted(key for key, given in old.items() if given and not new.get(key)),
        "features_changed": sorted(k for k, given in new.items() if given and old.get(k) and old[k] != given),
    }


def _buyers(metrics: MetricsStore, plan_id: str) -> dict[int, int]:
    """How many pay for, or try, each version."""
    currencies = metrics.generations().currencies
    total = added_up(cell for c in currencies for cell in metrics.months(c, *_EVER).values())
    found: dict[int, int] = {}
    for name, count in total.items():
        field, _, where = name.partition("|")
        if field in ("subscribers", "trials"):
            _, of_plan, version = where.split("|")
            if of_plan == plan_id:
                found[int(version)] = found.get(int(version), 0) + count
    return found


def _warnings(newest: Plan, planned: Plan, edited: int) -> list[str]:
    found = [f"{fault['path']}: {fault['message']}" for fault in faults_of(planned)]
    if edited != newest.version:
        found.append(f"You edited version {edited}, but {newest.version} is the newest by now.")
    if planned.currency != newest.currency:
        found.append(f"The currency changes from {newest.currency} to {planned.currency}: figures are kept apart.")
    elif planned.price_cents != newest.price_cents:
        before, after = (format_money(p.price_cents, p.currency) for p in (newest, planned))
        found.append(f"New buyers pay {after} in place of {before}; nobody who has bought is charged differently.")
    if planned.interval != newest.interval:
        found.append(f"The interval changes from {newest.interval} to {planned.interval}.")
    if planned.group != newest.group:
        found.append("The group changes: old and new buyers could then hold both plans at once.")
    return found
