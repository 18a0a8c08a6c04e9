"""Why a user has a feature or lacks it, at any moment: from which records, until when, and what would open it.

Judged by what was stored then, which is what every gate answered from, not by what became known later. Before the
account's history begins, its records say when they gave access.
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
    """What gave a feature last before it was closed, until when, and what came then: the code of the change (`moved`,
    `became`, …) with the status or plan it led to; None: its time ran out."""

    source: Source
    until: int
    then: str | None
    then_plan_id: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision at `at`; every source that gives the feature at any time, the open ones first; and of a refusal what
    to buy, and what gave it last."""

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
    then = accounts.sources_at(user_id, at)
    if then is None:
        then = sources(accounts.load(user_id, whole=True), catalogue)
    givers = [s for s in with_free(then, catalogue) if s.features.get(feature)]
    decision = decide(givers, feature, at)
    givers.sort(key=lambda s: (not s.open_at(at), -s.start))
    offers = [] if isinstance(decision, Entitlement) else plans_with(feature, catalogue)
    last = None if isinstance(decision, Entitlement) else _last(accounts, user_id, feature, at, givers)
    return Explanation(feature, at, decision, givers, offers, last)


def _last(accounts: AccountStore, user_id: str, feature: str, at: int, givers: Sequence[Source]) -> Last | None:
    """What gave the feature last before `at`: by the records of that time, else by the stored history, which also has
    plans that were left."""
    gone = [s for s in givers if s.until is not None and s.start < s.until <= at]
    newest = max(gone, key=lambda s: s.until or 0, default=None)
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
