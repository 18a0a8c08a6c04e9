"""The API's Lambda authorizer: identifies the caller and passes their entitlement snapshot on as context.

API Gateway caches the answer, and this process caches snapshots. The gate trusts a cached "entitled"; before it refuses
a feature, it reads the snapshot again.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from billing.api.http import is_admin_route
from billing.data import dataclass
from billing.errors import NotAuthenticated
from billing.identity.callers import Callers
from billing.log import Log
from billing.rules.entitlements import Snapshot, sources_to_json
from billing.store.accounts import AccountStore

# How long a snapshot is cached (seconds), and how many are (about 1 KB each).
SNAPSHOT_SECONDS = 30
SNAPSHOTS_KEPT = 5_000
# API Gateway limits the size of the context. A larger snapshot is left out, and the gate reads it itself.
_MAX_CONTEXT = 6_000
_log = Log()
_DENIED = {"isAuthorized": False}


@dataclass(frozen=True, slots=True)
class _Cached:
    read_at: int
    context: Mapping[str, str]


class Authorizer:
    """Answers API Gateway's REQUEST authorizer, payload 2.0, with simple responses."""

    def __init__(self, callers: Callers, accounts: AccountStore) -> None:
        self._callers = callers
        self._accounts = accounts
        self._cache: OrderedDict[str, _Cached] = OrderedDict()

    def answer(self, event: Mapping[str, Any], now: int) -> dict[str, Any]:
        """Allow with user id, role and snapshot as context, or deny. Admin routes need an admin role."""
        try:
            session = self._callers.identify((event.get("identitySource") or [""])[0], now)
        except NotAuthenticated as refused:
            _log.info("caller refused", extra={"why": str(refused.extensions.get("reason", refused.detail))})
            return _DENIED
        # The template has two authorizers, so that API Gateway caches answers for admin routes separately.
        if is_admin_route(str(event.get("routeKey", ""))) and not session.admin:
            _log.info("not an admin", extra={"user_id": session.user_id, "why": session.note or "not_an_admin"})
            return _DENIED
        context = {
            "user_id": session.user_id,
            "role": session.role,
            **self._snapshot(session.user_id, now),
        }
        return {"isAuthorized": True, "context": context}

    def _snapshot(self, user_id: str, now: int) -> Mapping[str, str]:
        cached = self._cache.get(user_id)
        if cached is None or now - cached.read_at > SNAPSHOT_SECONDS:
            cached = _Cached(now, _context(self._accounts.snapshot(user_id)))
            self._cache[user_id] = cached
            if len(self._cache) > SNAPSHOTS_KEPT:
                self._cache.popitem(last=False)
        self._cache.move_to_end(user_id)
        return cached.context


def _context(snapshot: Snapshot) -> Mapping[str, str]:
    text = json.dumps(sources_to_json(snapshot.sources), separators=(",", ":"))
    return {"sources": text} if len(text) <= _MAX_CONTEXT else {}
