"""Previews of a new plan version: its effect on new buyers, and on subscribers who would be moved to it."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from billing.api.admin_requests import UpdatePlan
from billing.api.plan_bodies import plan_from
from billing.data import dataclass, replace
from billing.errors import NotFound
from billing.rules.ledger import Movement
from billing.rules.money import monthly
from billing.rules.plans import Catalogue, Plan, faults_of, features_to_json
from billing.rules.rollups import added_up
from billing.store.metrics import MetricsStore
from billing.store.plans import PlanStore

View = dict[str, Any]
# A range of months that contains all rollups.
_EVER = ("2000-01", "9999-12")


@dataclass(frozen=True, slots=True)
class Standing:
    """The current buyers of a plan version in one currency: paying (subscriptions and terms), in a trial; their MRR."""

    subscribers: int = 0
    trialing: int = 0
    mrr_cents: int = 0

    @property
    def buyers(self) -> int:
        return self.subscribers + self.trialing


Held = Mapping[tuple[str, int, str], Standing]


def held(metrics: MetricsStore) -> Held:
    """The current buyers by (plan id, version, currency), without empty entries."""
    by_key: dict[tuple[str, int, str], Standing] = {}
    for currency in metrics.generations().currencies:
        for name, count in added_up(metrics.months(currency, *_EVER).values()).items():
            kind, _, where = name.partition("|")
            if kind in _COUNTS and where.count("|") == 2:
                _, plan_id, version = where.split("|")
                key = plan_id, int(version), currency
                before = by_key.get(key, Standing())
                by_key[key] = replace(before, **{_COUNTS[kind]: getattr(before, _COUNTS[kind]) + count})
    return {key: standing for key, standing in by_key.items() if standing != Standing()}


_COUNTS: Mapping[str, str] = {
    "subscribers": "subscribers",
    "trials": "trialing",
    **dict.fromkeys(get_args(Movement), "mrr_cents"),
}


def standing_list(metrics: MetricsStore) -> list[View]:
    return [
        {
            "plan_id": plan_id,
            "version": version,
            "currency": currency,
            "subscribers": standing.subscribers,
            "trialing": standing.trialing,
            "mrr_cents": standing.mrr_cents,
        }
        for (plan_id, version, currency), standing in sorted(held(metrics).items())
    ]


def plan_effect(plans: PlanStore, metrics: MetricsStore, plan_id: str, body: UpdatePlan) -> Mapping[str, Any]:
    """The preview of an edited plan. Buyers (paying or in a trial) are counted from the rollups."""
    catalogue = plans.catalogue(fresh=True)
    newest = _newest(catalogue, plan_id)
    planned = plan_from(body, plan_id, newest.version + 1)
    versions = _versions(catalogue, held(metrics), planned)
    return {
        "plan_id": plan_id,
        "from_version": newest.version,
        "to_version": planned.version,
        "subscribers": sum(v["subscribers"] for v in versions if v["from_version"] == newest.version),
        "subscribers_older": sum(v["subscribers"] for v in versions if v["from_version"] < newest.version),
        "currency": planned.currency,
        "price_was_cents": newest.price_cents,
        "price_cents": planned.price_cents,
        "price_change_cents": planned.price_cents - newest.price_cents,
        **_features(newest, planned),
        "versions": versions,
        "faults": faults_of(planned),
        "warnings": _warnings(catalogue, newest, planned, body.version),
    }


def move_effect(plans: PlanStore, metrics: MetricsStore, plan_id: str) -> list[View]:
    """For each older version with buyers, what moving them to the newest version would change."""
    catalogue = plans.catalogue(fresh=True)
    return _versions(catalogue, held(metrics), _newest(catalogue, plan_id))


def _newest(catalogue: Catalogue, plan_id: str) -> Plan:
    newest = catalogue.get(plan_id)
    if newest is None:
        raise NotFound(f"there is no plan {plan_id}")
    return newest


def _versions(catalogue: Catalogue, standings: Held, to: Plan) -> list[View]:
    return [
        {
            "from_version": plan.version,
            "subscribers": standing.buyers,
            "price_cents": plan.price_cents,
            "currency": plan.currency,
            "price_change_cents": to.price_cents - plan.price_cents,
            "mrr_cents": standing.mrr_cents,
            "mrr_change_cents": _mrr_change(plan, to, standing.subscribers),
            **_features(plan, to),
        }
        for (plan_id, version, currency), standing in sorted(standings.items())
        if plan_id == to.plan_id and version < to.version and standing.buyers
        if (plan := catalogue.get(plan_id, version)) and plan.currency == currency
    ]


def _mrr_change(plan: Plan, to: Plan, paying: int) -> int:
    """At list prices, because discounts are not known here."""
    if plan.currency != to.currency:
        return 0
    before, after = (monthly(p.price_cents, p.interval) for p in (plan, to))
    return paying * (after - before)


def _features(before: Plan, after: Plan) -> View:
    old, new = before.features, after.features
    was, now = features_to_json(old), features_to_json(new)
    changed = [key for key in sorted({*old, *new}) if (was.get(key) or None) != (now.get(key) or None)]
    return {
        "features_gained": sorted(key for key, value in new.items() if value and not old.get(key)),
        "features_lost": sorted(key for key, value in old.items() if value and not new.get(key)),
        "features_changed": sorted(k for k, value in new.items() if value and old.get(k) and old[k] != value),
        "changes": [{"feature": key, "before": was.get(key) or None, "after": now.get(key) or None} for key in changed],
    }


def _warnings(catalogue: Catalogue, newest: Plan, planned: Plan, edited: int) -> list[View]:
    rows: list[tuple[str, str | None, str | None, str | None]] = []
    if edited != newest.version:
        rows.append(("newer_version", str(edited), str(newest.version), None))
    changed = [(name, getattr(newest, name), getattr(planned, name)) for name in ("currency", "interval", "group")]
    rows += [(name, before, after, None) for name, before, after in changed if before != after]
    if catalogue.free() is not None and Catalogue((*catalogue.plans, planned)).free() is None:
        rows.append(("free_ends", None, None, newest.plan_id))
    rows += [("differs", None, None, other) for other in _differing(catalogue, planned)]
    return [{"code": c, "before": before, "after": after, "plan_id": plan} for c, before, after, plan in rows]


def _differing(catalogue: Catalogue, planned: Plan) -> Sequence[str]:
    """Ids of the other plans of the same offer whose features differ."""
    return [
        other.plan_id
        for other in catalogue.newest()
        if planned.tier and (other.tier, other.group) == (planned.tier, planned.group)
        if other.plan_id != planned.plan_id and other.status != "archived" and other.features != planned.features
    ]
