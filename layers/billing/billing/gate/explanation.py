"""Why a user has a feature, or has it not, at any moment: from which records, until when, and what would open it.

Judged by what was stored then, which is what every gate answered from, not by what became known later. Before the
account's history begins, its records say when they gave access.
"""

from collections.abc import Sequence

from billing.data import dataclass
from billing.gate.gate import plans_with, with_free
from billing.rules.entitlements import Entitlement, Refusal, Source, decide, sources
from billing.rules.plans import Catalogue, Plan
from billing.store.accounts import AccountStore


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision at `at`; every source that gives the feature at any time, the open ones first; and what to buy."""

    feature: str
    at: int
    decision: Entitlement | Refusal
    sources: Sequence[Source]
    offers: Sequence[Plan]

    @property
    def allowed(self) -> bool:
        return isinstance(self.decision, Entitlement)


def explain(accounts: AccountStore, user_id: str, catalogue: Catalogue, feature: str, at: int) -> Explanation:
    then = accounts.sources_at(user_id, at)
    if then is None:
        then = sources(accounts.load(user_id), catalogue)
    found = [s for s in with_free(then, catalogue) if s.features.get(feature)]
    decision = decide(found, feature, at)
    found.sort(key=lambda s: (not s.open_at(at), -s.start))
    offers = [] if isinstance(decision, Entitlement) else plans_with(feature, catalogue)
    return Explanation(feature, at, decision, found, offers)
