"""Using a metered feature: consume, or reserve and later settle or release. Exact under concurrent calls.

The usual call is one conditional write. At the end of an allowance, the start of a period, when credits are spent, for
reservations and idempotency keys, the counter is read and written back at its version.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from billing.errors import BillingError, Conflict, FeatureLocked, NotFound, TooManyRequests, TryAgain
from billing.gate.gate import Gate
from billing.rules.allowances import MAX_RESERVATIONS, Counter, Quota, quota
from billing.rules.entitlements import Source
from billing.rules.plans import Catalogue
from billing.rules.times import rfc3339
from billing.store.counters import Answered, CounterStore, Stored
from billing.store.dynamodb import retry

Result = dict[str, Any]


class Usage:
    """`sleep` waits between attempts after a lost race (seconds)."""

    def __init__(self, gate: Gate, counters: CounterStore, sleep: Callable[[float], None] = time.sleep) -> None:
        self._gate = gate
        self._counters = counters
        self._sleep = sleep

    def use(
        self,
        user_id: str,
        call: Mapping[str, Any],
        catalogue: Catalogue,
        now: int,
        cached: Sequence[Source] | None = None,
    ) -> Result:
        """One call in the shape of `buyer_requests.UseFeature`. `cached`: sources cached by the authorizer.

        Raises `FeatureLocked` when the feature is locked or its allowance is used up, `NotFound` for a reservation that
        does not exist (any more), `Conflict` for an idempotency key that was used for another call.
        """
        feature = call["feature"]
        if call["action"] in ("settle", "release"):
            return self._retry(lambda: self._end_reservation(user_id, call, catalogue, now, cached))
        granted = quota(self._gate.check(user_id, feature, catalogue, now, cached), now)
        if granted is None:
            return {"feature": feature, "allowed": True, **_unlimited()}
        try:
            return self._retry(lambda: self._take(user_id, call, granted, now))
        except _UsedUp:
            # The cached sources may be stale: credits or a larger plan may have been bought since.
            fresh = quota(self._gate.check(user_id, feature, catalogue, now), now)
        if fresh is None or fresh == granted:
            raise self._gate.limit_reached(feature, granted.allowance, catalogue)
        try:
            return self._retry(lambda: self._take(user_id, call, fresh, now))
        except _UsedUp:
            raise self._gate.limit_reached(feature, fresh.allowance, catalogue) from None

    def use_all(
        self,
        user_id: str,
        calls: Sequence[Mapping[str, Any]],
        catalogue: Catalogue,
        now: int,
        cached: Sequence[Source] | None = None,
    ) -> list[Result]:
        """Several independent calls. A refused one has `allowed` false and the error's `code`."""
        return [self._use_or_refusal(user_id, call, catalogue, now, cached) for call in calls]

    def _use_or_refusal(
        self,
        user_id: str,
        call: Mapping[str, Any],
        catalogue: Catalogue,
        now: int,
        cached: Sequence[Source] | None,
    ) -> Result:
        try:
            return self.use(user_id, call, catalogue, now, cached)
        except BillingError as refusal:
            nothing = {"used": 0, "remaining": 0, "credits": 0, "resets_at": None}
            return {"feature": call["feature"], "allowed": False, **nothing, "code": refusal.code}

    def _take(self, user_id: str, call: Mapping[str, Any], granted: Quota, now: int) -> Result:
        plain = call["action"] == "consume" and call.get("idempotency_key") is None
        if plain and granted.period and granted.limit >= call["amount"]:
            done, stored = self._counters.add_use(user_id, call["feature"], granted, call["amount"])
            if done:
                return _result(call["feature"], stored.counter, granted)
            return self._take_at_version(user_id, call, granted, now, stored)
        return self._take_at_version(user_id, call, granted, now)

    def _take_at_version(
        self, user_id: str, call: Mapping[str, Any], granted: Quota, now: int, stored: Stored | None = None
    ) -> Result:
        """`stored`: the counter, if it was just read."""
        repeated = self._repeated(user_id, call, now)
        if repeated is not None:
            return repeated
        before = stored or self._counters.read(user_id, call["feature"])
        current = before.counter.at(granted, now)
        name = None
        if call["action"] == "reserve":
            name = f"rsv_{secrets.token_hex(8)}"
            if len(current.reservations) >= MAX_RESERVATIONS:
                raise TooManyRequests("too many reservations are held at once: settle or release some")
            after = current.reserve(granted, call["amount"], name, now + call["expires_in"])
        else:
            taken = current.take(granted, call["amount"])
            after = taken[0] if taken else None
        if after is None:
            raise _UsedUp
        result = _result(call["feature"], after, granted, name)
        self._store(user_id, call, before, after, result, now)
        return result

    def _end_reservation(
        self,
        user_id: str,
        call: Mapping[str, Any],
        catalogue: Catalogue,
        now: int,
        cached: Sequence[Source] | None,
    ) -> Result:
        repeated = self._repeated(user_id, call, now)
        if repeated is not None:
            return repeated
        before = self._counters.read(user_id, call["feature"])
        name = call.get("reservation_id") or ""
        held = before.counter.reservations.get(name)
        if held is None or held.expires_at <= now:
            raise NotFound("no such reservation is held: it expired, or was settled or released")
        keep = call["amount"] if call["action"] == "settle" else 0
        if keep > held.units:
            raise Conflict("more was used than was reserved: consume the rest", code="reservation_exceeded")
        granted = self._quota_or_nothing(user_id, call["feature"], catalogue, now, cached)
        after = before.counter.give_back(name, keep).at(granted, now)
        result = _result(call["feature"], after, granted)
        self._store(user_id, call, before, after, result, now)
        return result

    def _quota_or_nothing(
        self, user_id: str, feature: str, catalogue: Catalogue, now: int, cached: Sequence[Source] | None
    ) -> Quota:
        """The quota, or an empty one: a reservation can be ended even if the feature was locked meanwhile."""
        nothing = Quota(0, (), 0, None)
        try:
            return quota(self._gate.check(user_id, feature, catalogue, now, cached), now) or nothing
        except FeatureLocked:
            return nothing

    def _store(
        self, user_id: str, call: Mapping[str, Any], before: Stored, after: Counter, result: Result, now: int
    ) -> None:
        key = call.get("idempotency_key")
        answered = Answered(_digest(call), result) if key else None
        self._counters.replace(user_id, call["feature"], before, after, now, key, answered)

    def _repeated(self, user_id: str, call: Mapping[str, Any], now: int) -> Result | None:
        key = call.get("idempotency_key")
        answered = self._counters.answered(user_id, key, now) if key else None
        if answered is None:
            return None
        if answered.request != _digest(call):
            raise Conflict("this idempotency key was used for another call", code="idempotency_key_reused")
        return {**answered.result, "repeated": True}

    def _retry(self, attempt: Callable[[], Result]) -> Result:
        try:
            return retry(attempt, self._sleep, attempts=12, first=0.01, longest=0.4)
        except TryAgain:
            raise TooManyRequests("too many calls of this feature at once: try again") from None


class _UsedUp(BillingError):
    """Not enough is left by a quota that may be from a cache."""

    def __init__(self) -> None:
        super().__init__("not enough is left")


def _unlimited() -> Result:
    return {"used": 0, "remaining": None, "credits": 0, "resets_at": None}


def _result(feature: str, counter: Counter, granted: Quota, reservation_id: str | None = None) -> Result:
    allowance, credits_left = counter.left(granted)
    return {
        "feature": feature,
        "allowed": True,
        "used": counter.used_of(granted),
        "remaining": allowance + credits_left,
        "credits": credits_left,
        "resets_at": rfc3339(granted.resets_at),
        **({"reservation_id": reservation_id} if reservation_id else {}),
    }


def _digest(call: Mapping[str, Any]) -> str:
    text = json.dumps({k: v for k, v in call.items() if v is not None}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
