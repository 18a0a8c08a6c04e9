"""The gate: is this user entitled? A cached snapshot can grant a feature; a refusal always reads the stored one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from billing.api.views import offer, source_view
from billing.errors import FeatureLocked
from billing.rules.entitlements import Entitlement, Refusal, Source, decide, free_source, sources_from_json
from billing.rules.plans import Catalogue, Plan, feature
from billing.store.accounts import AccountStore

# Offers in a refusal.
MAX_OFFERS = 3


class Gate:
    """`upgrade_url`: the page where a user can buy a plan; refusals contain it."""

    def __init__(self, accounts: AccountStore, upgrade_url: str) -> None:
        self._accounts = accounts
        self._upgrade_url = upgrade_url

    def check(
        self, user_id: str, feature: str, catalogue: Catalogue, now: int, cached: Sequence[Source] | None = None
    ) -> Entitlement:
        """The entitlement. Raises `FeatureLocked` with offers. `cached`: sources cached by the authorizer."""
        if cached is not None:
            decision = decide(with_free(cached, catalogue), feature, now)
            if isinstance(decision, Entitlement):
                return decision
        snapshot = self._accounts.snapshot(user_id, consistent=True)
        decision = decide(with_free(snapshot.sources, catalogue), feature, now)
        if isinstance(decision, Refusal):
            raise self._locked(decision, catalogue)
        return decision

    def limit_reached(self, feature: str, limit: int, catalogue: Catalogue) -> FeatureLocked:
        """The error for a feature whose allowance is used up, with offers of plans that allow more."""
        return self._locked(Refusal(feature, "limit_reached", ()), catalogue, limit)

    def _locked(self, refusal: Refusal, catalogue: Catalogue, limit: int = 0) -> FeatureLocked:
        plans = plans_with(refusal.feature, catalogue)
        better = [p for p in plans if feature(p.features[refusal.feature]).allows_more_than(limit)]
        offers = [offer(plan) for plan in better[:MAX_OFFERS]]
        detail = {
            "not_in_plan": "your plan does not include this feature",
            "expired": "the plan that included this feature has ended",
            "payment_failed": "the payment for the plan that includes this feature is open",
            "limit_reached": "the allowance of this period is used up",
        }[refusal.scenario]
        return FeatureLocked(
            detail,
            feature=refusal.feature,
            scenario=refusal.scenario,
            offers=offers,
            upgrade_url=self._upgrade_url,
            sources=[source_view(s) for s in refusal.sources],
        )


def known_sources(context: Mapping[str, Any]) -> Sequence[Source] | None:
    """The snapshot's sources in the authorizer's context; None if it has none."""
    text = context.get("sources")
    return sources_from_json(json.loads(text)) if text else None


def with_free(own: Sequence[Source], catalogue: Catalogue) -> list[Source]:
    """A user's sources and the free plan. A free plan with `after_purchase` needs at least one source that gave
    access."""
    free = catalogue.free()
    if free is None or (free.after_purchase and not any(s.until is None or s.until > s.start for s in own)):
        return list(own)
    return [*own, free_source(free)]


def plans_with(feature: str, catalogue: Catalogue) -> list[Plan]:
    """The plans on sale that have a feature, lowest rank and price first."""
    plans = [p for p in catalogue.newest() if p.status == "active" and not p.free and p.features.get(feature)]
    return sorted(plans, key=lambda p: (p.rank, p.price_cents, p.plan_id))
