"""The gate: is this user entitled? A cached yes is trusted, a cached no never: it is read again before it is said."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from billing.api.views import offer, source_view
from billing.errors import FeatureLocked
from billing.rules.entitlements import Entitlement, Refusal, Source, decide, free_source, sources_from_json
from billing.rules.plans import Catalogue, Plan, feature
from billing.store.accounts import AccountStore

# A refusal names at most so many offers.
MAX_OFFERS = 3


class Gate:
    """Decides for one user at a time; `upgrade_url` is where a person can buy what is missing."""

    def __init__(self, accounts: AccountStore, upgrade_url: str) -> None:
        self._accounts = accounts
        self._upgrade_url = upgrade_url

    def check(
        self, user_id: str, feature: str, catalogue: Catalogue, now: int, cached: Sequence[Source] | None = None
    ) -> Entitlement:
        """The entitlement, or `FeatureLocked` with what would unlock it. `cached`: sources cached by the authorizer."""
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
        """The refusal of a feature that is open but used up; it offers credits, and plans that allow more."""
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
            refusal.feature,
            refusal.scenario,
            detail,
            offers,
            self._upgrade_url,
            [source_view(s) for s in refusal.sources],
        )


def known_sources(context: Mapping[str, Any]) -> Sequence[Source] | None:
    """What the authorizer passed on of the snapshot; None when it passed nothing."""
    text = context.get("sources")
    return sources_from_json(json.loads(text)) if text else None


def with_free(own: Sequence[Source], catalogue: Catalogue) -> list[Source]:
    """A user's own sources with the free plan, which everybody has, or whoever has bought or been given something
    once."""
    free = catalogue.free()
    if free is None or (free.after_purchase and not any(s.until is None or s.until > s.start for s in own)):
        return list(own)
    return [*own, free_source(free)]


def plans_with(feature: str, catalogue: Catalogue) -> list[Plan]:
    """The plans on sale that give a feature, the cheapest first."""
    plans = [p for p in catalogue.newest() if p.status == "active" and not p.free and p.features.get(feature)]
    return sorted(plans, key=lambda p: (p.rank, p.price_cents, p.plan_id))
