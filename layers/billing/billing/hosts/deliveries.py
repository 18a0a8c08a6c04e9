"""Delivers host events: lane by lane, each in order, again for days, and an endpoint that stays away is paused."""

import random
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from billing import deadline
from billing.data import dataclass, replace
from billing.hosts.outbox import LONGEST_DELAY, Wakes
from billing.log import Log
from billing.outgoing import Reply, Unreachable
from billing.rules.host_events import PAUSED_AFTER, TEST_LANE, hold_after, wait_after
from billing.rules.host_signatures import headers_of, secret_of
from billing.store.host_events import Claim, Delivery, Endpoint, Health, HostEventStore, State, endpoint_of, lane_of
from billing.store.transactions import LostRace

# Seconds that a receiver has for its answer.
ANSWER_SECONDS = 15.0
# Seconds for which a lane is ours: longer than any invocation lives.
LEASE_SECONDS = 120
# With less time left no try is begun: it would be cut off, and held against the receiver.
_LEAST_SECONDS = ANSWER_SECONDS + 10
_PAGE = 20
# Sorts behind the place that it is put to, and before every other.
_BEHIND = " "
# That an endpoint is well is written down once in so many seconds, not for each event.
_WELL_SECONDS = 60
# The longest that a receiver can ask for the rest of its lanes.
_LONGEST_ASKED = 900
# Lanes of an endpoint that is left alone come back spread over so many seconds.
_SPREAD_SECONDS = 10
_GONE, _BUSY = 410, (429, 503)


class Post(Protocol):
    def __call__(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    status: int
    error: str
    retry_after: int
    took_ms: int

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


class Deliveries:
    """`key`: the stack's own secret, from which those of the endpoints follow. `post` makes one request."""

    def __init__(
        self,
        store: HostEventStore,
        wakes: Wakes,
        key: Callable[[], str],
        post: Post,
        logger: Log,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._wakes = wakes
        self._key = key
        self._post = post
        self._logger = logger
        self._chance = chance

    def deliver(self, lane: str, clock: Callable[[], int]) -> int:
        """Tells a lane what it is due, in order, up to the first that is not taken; how many were."""
        now = clock()
        claim = self._store.claim(lane, secrets.token_hex(8), now, now + LEASE_SECONDS)
        if claim is None:
            return 0
        found = self._store.endpoint(endpoint_of(lane))
        if found is None:  # deleted: what was still to be told is nobody's any more
            self._store.release(claim, claim.following)
            return 0
        endpoint, health = found
        if lane == lane_of(endpoint.endpoint_id, TEST_LANE):
            return self._test(claim, endpoint, clock)
        if not endpoint.enabled:
            self._store.put_off(claim, claim.following, now, claim.failures, paused=True)
            return 0
        if health.held_until > now:
            self._put_off(claim, claim.following, health.held_until + round(self._chance() * _SPREAD_SECONDS), now)
            return 0
        return self._deliver(claim, endpoint, health, clock)

    def _test(self, claim: Claim, endpoint: Endpoint, clock: Callable[[], int]) -> int:
        """Each once, to a paused endpoint too: it is what one tries before enabling it, and it says nothing of it."""
        following, told = claim.following, 0
        for delivery in self._store.following(claim.lane, following, _PAGE):
            now = clock()
            made = self._try(endpoint, delivery, now)
            self._note(delivery, made, now, "delivered" if made.accepted else "failed")
            following = delivery.place + _BEHIND
            told += made.accepted
        if not self._store.release(claim, following):
            self._put_off(claim, following, clock(), clock())
        return told

    def _deliver(self, claim: Claim, endpoint: Endpoint, health: Health, clock: Callable[[], int]) -> int:
        following, told = claim.following, 0
        while True:
            page = self._store.following(claim.lane, following, _PAGE)
            for delivery in page:
                now = clock()
                if deadline.left() < _LEAST_SECONDS:
                    self._put_off(claim, following, now, now)
                    return told
                made = self._try(endpoint, delivery, now)
                if made.accepted:
                    self._note(delivery, made, now, "delivered")
                    health = self._well(endpoint, health, now)
                    claim = replace(claim, failures=0)
                    told += 1
                elif not self._not_taken(claim, endpoint, delivery, made, following, now):
                    return told
                else:  # given up: the lane goes on behind it
                    claim = replace(claim, failures=0)
                following = delivery.place + _BEHIND
            if len(page) == _PAGE:
                continue
            if not self._store.release(claim, following):
                # Something came in meanwhile: the lane is still ours, and due now.
                self._put_off(claim, following, clock(), clock())
            return told

    def _try(self, endpoint: Endpoint, delivery: Delivery, now: int) -> _Try:
        keys = [secret_of(self._key(), endpoint.endpoint_id, generation) for generation in endpoint.generations]
        body = delivery.body.encode()
        headers = {
            "content-type": "application/json",
            "user-agent": "BitSleuth-Billing",
            **headers_of(keys, delivery.event_id, body, now),
        }
        started, status, error, retry_after = time.monotonic(), 0, "", 0
        try:
            status, retry_after = self._post(endpoint.url, headers, body, deadline.left(ANSWER_SECONDS))
        except Unreachable as unreachable:
            error = unreachable.code
        if 300 <= status < 400:
            error = "redirected"
        elif status >= 400:
            error = "refused"
        took = round((time.monotonic() - started) * 1000)
        return _Try(status=status, error=error, retry_after=retry_after, took_ms=took)

    def _not_taken(
        self, claim: Claim, endpoint: Endpoint, delivery: Delivery, made: _Try, following: str, now: int
    ) -> bool:
        """Whether the lane goes on behind the event all the same: after its last try, when others are taken."""
        health = self._store.failed(endpoint.endpoint_id, now, made.status, made.error)
        failures = claim.failures + 1
        waits = wait_after(failures, made.retry_after, self._chance())
        away = now - (health.failing_since or now) >= PAUSED_AFTER
        if made.status == _GONE or away:
            self._note(delivery, made, now, "waiting")
            self._pause(endpoint, "gone" if made.status == _GONE else "failing", now)
            self._store.put_off(claim, following, now, 0, paused=True)
            return False
        if waits is None:
            self._note(delivery, made, now, "failed")
            self._logger.error("host event given up", extra=_named(delivery))
            return True
        self._note(delivery, made, now, "waiting")
        asked = min(made.retry_after, _LONGEST_ASKED) if made.status in _BUSY else 0
        if hold := max(hold_after(health.failures), asked):
            self._store.hold(endpoint.endpoint_id, now + hold)
        self._put_off(claim, following, now + waits, now, failures)
        return False

    def _note(self, delivery: Delivery, made: _Try, now: int, state: State) -> None:
        noted = replace(
            delivery,
            state=state,
            tries=delivery.tries + 1,
            status=made.status,
            error=made.error,
            tried_at=now,
            took_ms=made.took_ms,
        )
        self._store.note(noted)
        self._logger.info("host event tried", extra={**_named(delivery), "status": made.status, "error": made.error})

    def _well(self, endpoint: Endpoint, health: Health, now: int) -> Health:
        if health.failures or now - (health.succeeded_at or 0) >= _WELL_SECONDS:
            self._store.answered(endpoint.endpoint_id, now)
            return Health(succeeded_at=now)
        return health

    def _pause(self, endpoint: Endpoint, why: str, now: int) -> None:
        paused = replace(endpoint, paused_for=why, paused_at=now, told=False, version=endpoint.version + 1)
        try:
            self._store.put_endpoint(paused, expected=endpoint.version)
        except LostRace:  # an admin, or another lane, was faster: the next try will see
            return
        self._logger.error("endpoint paused", extra={"endpoint_id": endpoint.endpoint_id, "reason": why})

    def _put_off(self, claim: Claim, following: str, due_at: int, now: int, failures: int | None = None) -> None:
        kept = claim.failures if failures is None else failures
        if self._store.put_off(claim, following, due_at, kept) and due_at - now <= LONGEST_DELAY:
            # A moment later than it is due, because a message that comes too early finds nothing to do.
            self._wakes.send([claim.lane], max(0, due_at - now))


def _named(delivery: Delivery) -> dict[str, str]:
    return {"endpoint_id": endpoint_of(delivery.lane), "event_id": delivery.event_id, "type": delivery.type}
