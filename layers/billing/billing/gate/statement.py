"""The API's list of a user's entitlements with what is left of each, and the token for offline gates."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from billing.api.views import entitlement_list, plan_of_sources
from billing.gate.gate import with_free
from billing.rules.allowances import Counter, Held, held
from billing.rules.entitlements import evaluate
from billing.rules.plans import Catalogue
from billing.rules.times import rfc3339
from billing.store.accounts import AccountStore
from billing.store.counters import CounterStore

if TYPE_CHECKING:
    from billing.identity.tokens import Signer

# Default of ENTITLEMENT_TOKEN_SECONDS. After a feature is revoked, an offline gate can grant it for this long.
TOKEN_SECONDS = 300


class Statement:
    """One user's entitlements at `now`. `etag` needs no signing; `signed` adds the token."""

    def __init__(
        self, accounts: AccountStore, counters: CounterStore, catalogue: Catalogue, user_id: str, now: int, seconds: int
    ) -> None:
        snapshot, used = accounts.snapshot(user_id, consistent=True), counters.read_all(user_id)
        plan = plan_of_sources(snapshot.sources, catalogue, now)
        opened = evaluate(with_free(snapshot.sources, catalogue), now)
        self._user_id, self._version, self._now, self._seconds = user_id, snapshot.version, now, seconds
        self._plan_id = plan.plan_id if plan else ""
        self._features = {feature: held(e, used.get(feature, Counter()), now) for feature, e in opened.items()}
        self._content = entitlement_list(user_id, self._plan_id, snapshot.version, self._features.values())

    @property
    def etag(self) -> str:
        """Changes with the content, and twice in a token's lifetime, so that a 304 never leaves an expired token."""
        text = json.dumps([self._content, self._now // max(1, self._seconds // 2)], sort_keys=True)
        return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'

    def signed(self, signer: "Signer") -> dict[str, Any]:
        """The whole answer. The token expires after `seconds`, or with the first entitlement that ends sooner."""
        expires_at = token_end(self._features, self._now, self._seconds)
        claims = {feature: h.claim for feature, h in self._features.items()}
        token = signer.sign_entitlements(self._user_id, self._plan_id, claims, self._version, self._now, expires_at)
        return {**self._content, "token": token, "token_expires_at": rfc3339(expires_at)}


def token_end(features: Mapping[str, Held], now: int, seconds: int) -> int:
    ends = [h.entitlement.expires_at for h in features.values() if h.entitlement.expires_at is not None]
    return min([now + seconds, *ends])
