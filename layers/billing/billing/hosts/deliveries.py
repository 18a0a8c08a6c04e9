"""Delivers host events: each lane in order, retried for days; an endpoint that keeps failing is paused."""

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
from billing.rules.host_events import PAUSED_AFTER, TEST_LANE, TRIES, hold_after, wait_after
from billing.rules.host_signatures import headers_of, secret_of
from billing.store.dynamodb import LostRace
from billing.store.host_events import Claim, HostEventStore
from billing.store.outbox import Delivery, Endpoint, Health, State, endpoint_of, lane_of

# Seconds that a receiver has for its answer.
ANSWER_SECONDS = 15.0
# Seconds for which a claimed lane is ours: longer than any invocation may run.
LEASE_SECONDS = 120
# With less time left no try is begun: it would be cut off, and counted as the receiver's failure.
_LEAST_SECONDS = ANSWER_SECONDS + 10
_PAGE = 20
# Appended to a place it sorts behind it, and before the next one.
_BEHIND = " "
# An endpoint's success is stored once in so many seconds, not for each event.
_WELL_SECONDS = 60
# The longest pause that a receiver can ask for all of its lanes, in seconds.
_LONGEST_ASKED = 900
# The lanes of an endpoint that is on hold come back spread over so many seconds.
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
        """Delivers what is due in a lane, in order, up to the first that is not accepted. Returns how many were."""
        now = clock()
        claim = self._store.claim(lane, secrets.token_hex(8), now, now + LEASE_SECONDS)
        if claim is None:
            return 0
        stored = self._store.endpoint(endpoint_of(lane))
        if stored is None:  # the endpoint was deleted: nobody waits for its events
            self._store.release(claim, claim.following)
            return 0
        endpoint, health = stored
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
        """Sends test events once each, to a paused endpoint too: one tests it before enabling it. Its health is not
        touched."""
        following, delivered = claim.following, 0
        for delivery in self._store.following(claim.lane, following, _PAGE):
            now = clock()
            made = self._try(endpoint, delivery, now)
            self._note(delivery, made, now, "delivered" if made.accepted else "failed")
            following = delivery.place + _BEHIND
            delivered += made.accepted
        if not self._store.release(claim, following):
            self._put_off(claim, following, clock(), clock())
        return delivered

    def _deliver(self, claim: Claim, endpoint: Endpoint, health: Health, clock: Callable[[], int]) -> int:
        following, delivered = claim.following, 0
        while True:
            page = self._store.following(claim.lane, following, _PAGE)
            for delivery in page:
                now = clock()
                if deadline.left() < _LEAST_SECONDS:
                    self._put_off(claim, following, now, now)
                    return delivered
                made = self._try(endpoint, delivery, now)
                if made.accepted:
                    self._note(delivery, made, now, "delivered")
                    health = self._well(endpoint, health, now)
                    claim = replace(claim, failures=0)
                    delivered += 1
                elif not self._not_taken(claim, endpoint, delivery, made, following, now):
                    return delivered
                else:  # given up: the lane goes on behind it
                    claim = replace(claim, failures=0)
                following = delivery.place + _BEHIND
            if len(page) == _PAGE:
                continue
            if not self._store.release(claim, following):
                # Something came in meanwhile: the lane is still ours, and due now.
                self._put_off(claim, following, clock(), clock())
            return delivered

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
        """Notes a failed try. Returns whether the lane goes on all the same: after the event's last try, if others are
        accepted."""
        health = self._store.failed(endpoint.endpoint_id, now, made.status, made.error)
        failures = claim.failures + 1
        waits = wait_after(failures, made.retry_after, self._chance())
        # Days without a call are none that it failed: it must have been tried as often as one event is.
        away = now - (health.failing_since or now) >= PAUSED_AFTER and health.failures >= TRIES
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
        retry_after = min(made.retry_after, _LONGEST_ASKED) if made.status in _BUSY else 0
        if hold := max(hold_after(health.failures), retry_after):
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
        paused = replace(endpoint, paused_for=why, paused_at=now, pause_reported=False, version=endpoint.version + 1)
        try:
            self._store.put_endpoint(paused, expected=endpoint.version)
        except LostRace:  # an admin, or another lane, was faster: the next try reads it anew
            return
        self._logger.error("endpoint paused", extra={"endpoint_id": endpoint.endpoint_id, "reason": why})

    def _put_off(self, claim: Claim, following: str, due_at: int, now: int, failures: int | None = None) -> None:
        failures_now = claim.failures if failures is None else failures
        if self._store.put_off(claim, following, due_at, failures_now) and due_at - now <= LONGEST_DELAY:
            # A moment after it is due: a message that came too early would find nothing to do.
            self._wakes.send([claim.lane], max(0, due_at - now))


def _named(delivery: Delivery) -> dict[str, str]:
    return {"endpoint_id": endpoint_of(delivery.lane), "event_id": delivery.event_id, "type": delivery.type}
