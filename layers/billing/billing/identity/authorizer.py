"""The API's authorizer: who is calling, and what they have, once per identity and minute.

API Gateway keeps the answer; this process keeps what it read for the next routes. A cached yes is trusted for those
lifetimes; a cached no is read again by the gate before it is said.
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

# Seconds this process trusts a snapshot, and how many it keeps (about 1 KB each).
SNAPSHOT_SECONDS = 30
SNAPSHOTS_KEPT = 5_000
# API Gateway passes a context of limited size on; beyond this the gate reads the snapshot itself.
_MAX_CONTEXT = 6_000
# Says why, and never the token.
_log = Log()
_DENIED = {"isAuthorized": False}


@dataclass(frozen=True, slots=True)
class _Kept:
    read_at: int
    context: Mapping[str, str]


class Authorizer:
    """Answers API Gateway's REQUEST authorizer, payload 2.0, with simple responses."""

    def __init__(self, callers: Callers, accounts: AccountStore) -> None:
        self._callers = callers
        self._accounts = accounts
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def answer(self, event: Mapping[str, Any], now: int) -> dict[str, Any]:
        """Allows with the user's id and snapshot as context. The admin's routes are for admins only."""
        try:
            session = self._callers.identify((event.get("identitySource") or [""])[0], now)
        except NotAuthenticated as refused:
            _log.info("caller refused", extra={"why": str(refused.extensions.get("reason", refused.detail))})
            return _DENIED
        # An admin's answer is cached for all admin routes, a user's for all others: see the two authorizers.
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
        cached = self._kept.get(user_id)
        if cached is None or now - cached.read_at > SNAPSHOT_SECONDS:
            cached = _Kept(now, _context(self._accounts.snapshot(user_id)))
            self._kept[user_id] = cached
            if len(self._kept) > SNAPSHOTS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(user_id)
        return cached.context


def _context(snapshot: Snapshot) -> Mapping[str, str]:
    text = json.dumps(sources_to_json(snapshot.sources), separators=(",", ":"))
    return {"sources": text} if len(text) <= _MAX_CONTEXT else {}
