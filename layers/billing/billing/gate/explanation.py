"""Explains why a user has or lacks a feature at any time: by which records, until when, and what would unlock it.

It uses the sources that were stored at that time, as the gate did then. For times before the account's history begins,
the current records are used.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from billing.data import dataclass
from billing.gate.gate import plans_with, with_free
from billing.rules.entitlements import Entitlement, Refusal, Source, decide, sources, sources_from_json
from billing.rules.history import code
from billing.rules.plans import Catalogue, Plan
from billing.store.accounts import HISTORY, AccountStore
from billing.store.codec import unpacked

_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Last:
    """The last source of a locked feature, and its end. `then`: the code of the change that ended it (`moved`, …) or
    the status that it got (`canceled`, …); None: its time ran out."""

    source: Source
    until: int
    then: str | None
    then_plan_id: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision at `at`, and all sources of the feature, open ones first. Of a refusal also the plans to buy and the
    last source."""

    feature: str
    at: int
    decision: Entitlement | Refusal
    sources: Sequence[Source]
    offers: Sequence[Plan]
    last: Last | None

    @property
    def allowed(self) -> bool:
        return isinstance(self.decision, Entitlement)


def explain(accounts: AccountStore, user_id: str, catalogue: Catalogue, feature: str, at: int) -> Explanation:
    stored = accounts.sources_at(user_id, at)
    if stored is None:
        stored = sources(accounts.load(user_id, whole=True), catalogue)
    of_feature = [s for s in with_free(stored, catalogue) if s.features.get(feature)]
    decision = decide(of_feature, feature, at)
    of_feature.sort(key=lambda s: (not s.open_at(at), -s.start))
    offers = [] if isinstance(decision, Entitlement) else plans_with(feature, catalogue)
    last = None if isinstance(decision, Entitlement) else _last(accounts, user_id, feature, at, of_feature)
    return Explanation(feature, at, decision, of_feature, offers, last)


def _last(accounts: AccountStore, user_id: str, feature: str, at: int, of_feature: Sequence[Source]) -> Last | None:
    """The last source of the feature before `at`: among the sources of that time, or a later one in the stored history,
    which also has plans that the user has left."""
    ended = [s for s in of_feature if s.until is not None and s.start < s.until <= at]
    newest = max(ended, key=lambda s: s.until or 0, default=None)
    last = Last(newest, newest.until, None, None) if newest is not None and newest.until is not None else None
    after: Mapping[str, Any] | None = None
    for entry in accounts.past(user_id, HISTORY, _ENTRIES, at):
        gone_by = at if after is None else int(after["at"])
        for source in sources_from_json(unpacked(entry["sources"])):
            until = gone_by if source.until is None else min(source.until, gone_by)
            gave = source.features.get(feature) and max(source.start, entry["at"]) < until
            if gave and after is not None and until == gone_by and (last is None or until > last.until):
                change = next((c for c in after["changes"] if code(c)), None)
                then = None if change is None else code(change)
                status = change["status"] if change is not None and then == "became" else None
                last = Last(source, until, status or then, change.get("plan_id") if change else None)
        if last is not None:
            return last
        after = entry
    return last
