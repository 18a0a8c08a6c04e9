"""Admins manage the webhook endpoints of hosts: URL, event types, secrets, deliveries."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from billing import deadline
from billing.data import replace
from billing.errors import Conflict, InvalidRequest, NotFound, invalid_field
from billing.hosts.outbox import Wakes
from billing.outgoing import Unreachable
from billing.rules.history import By
from billing.rules.host_events import EVENT_TYPES, test_event
from billing.rules.host_signatures import secret_of
from billing.rules.times import DAY, rfc3339
from billing.store.audit import AuditLog
from billing.store.dynamodb import LostRace
from billing.store.host_events import HostEventStore
from billing.store.outbox import Delivery, Endpoint, Health, State

MOST_ENDPOINTS = 20
MOST_DAYS_BACK = 30
# At most so many lanes are sent again in one call; the next goes on where it stopped.
_MOST_LANES = 500
# Seconds kept for the answer of a call that sends many again.
_LEAST_SECONDS = 8.0


class AdminEndpoints:
    """`key`: the stack's own secret, from which those of the endpoints follow. `check` refuses a URL that no event
    may go to, with `Unreachable`."""

    def __init__(
        self,
        store: HostEventStore,
        wakes: Wakes,
        audit: AuditLog,
        key: Callable[[], str],
        check: Callable[[str], object],
    ) -> None:
        self._store = store
        self._wakes = wakes
        self._audit = audit
        self._key = key
        self._check = check

    def list(self) -> dict[str, Any]:
        return {"endpoints": [view(*pair) for pair in self._store.endpoints()], "event_types": [*EVENT_TYPES]}

    def create(self, url: str, description: str, event_types: Sequence[str], *, admin: str, now: int) -> dict[str, Any]:
        """The endpoint with its secret, which is shown this once."""
        if len(self._store.endpoints()) >= MOST_ENDPOINTS:
            raise Conflict(f"there are {MOST_ENDPOINTS} endpoints already", reason="too_many_endpoints")
        self._checked(url)
        endpoint = Endpoint(
            endpoint_id=f"ep_{secrets.token_hex(10)}",
            url=url,
            description=description,
            event_types=_types(event_types),
            generations=(secrets.token_hex(8),),
            created_at=now,
        )
        self._store.put_endpoint(endpoint, expected=0)
        self._note("create_endpoint", endpoint, admin, now)
        return {**view(endpoint, Health()), "secret": self._secret(endpoint)}

    def change(self, endpoint_id: str, changes: Mapping[str, Any], *, admin: str, now: int) -> dict[str, Any]:
        """`url`, `description`, `event_types`, or `state` ("enabled", "paused"); what is left out stays. With `version`
        only if it is still the newest, else `Conflict`."""
        before, health = self._get(endpoint_id)
        after = before
        if (url := changes.get("url")) not in (None, before.url):
            self._checked(url)
            after = replace(after, url=url)
        if changes.get("description") is not None:
            after = replace(after, description=changes["description"])
        if changes.get("event_types") is not None:
            after = replace(after, event_types=_types(changes["event_types"]))
        state = changes.get("state")
        if state == "paused" and before.enabled:
            after = replace(after, paused_for="admin", paused_at=now)
        elif state == "enabled" and not before.enabled:
            after = replace(after, paused_for="", paused_at=None, pause_reported=True)
        if after == before:  # also when the answer was lost, and the call is repeated
            return view(before, health)
        if changes.get("version") not in (None, before.version):
            raise _changed_meanwhile()
        after = self._put(before, after)
        if after.enabled and not before.enabled:
            self._store.answered(endpoint_id, now)  # its earlier failures do not count any more
            health = Health(succeeded_at=now)
        self._note("change_endpoint", after, admin, now, before)
        return view(after, health)

    def delete(self, endpoint_id: str, *, admin: str, now: int) -> None:
        endpoint, _ = self._get(endpoint_id)
        self._store.delete_endpoint(endpoint_id, now)
        self._note("delete_endpoint", endpoint, admin, now)

    def rotate(self, endpoint_id: str, *, admin: str, now: int) -> dict[str, Any]:
        """A new secret beside the old one: both sign until the old one is ended."""
        before, health = self._get(endpoint_id)
        if len(before.generations) > 1:
            raise Conflict("end the old secret first: there are two already", reason="two_secrets_already")
        after = self._put(before, replace(before, generations=(secrets.token_hex(8), *before.generations)))
        self._note("rotate_endpoint_secret", after, admin, now)
        return {**view(after, health), "secret": self._secret(after)}

    def end_old_secret(self, endpoint_id: str, *, admin: str, now: int) -> dict[str, Any]:
        before, health = self._get(endpoint_id)
        if len(before.generations) < 2:
            raise Conflict("there is one secret only", reason="one_secret_only")
        after = self._put(before, replace(before, generations=before.generations[:1]))
        self._note("end_old_endpoint_secret", after, admin, now)
        return view(after, health)

    def test(self, endpoint_id: str, *, admin: str, now: int) -> dict[str, Any]:
        """Sends a test event, also to a paused endpoint; the list of deliveries shows the result."""
        endpoint, _ = self._get(endpoint_id)
        event = test_event(now, admin, secrets.token_hex(8))
        self._wakes.send(self._store.add(endpoint.endpoint_id, [event], now))
        return {"event_id": event.event_id}

    def deliveries(self, endpoint_id: str, state: State, limit: int, cursor: str | None) -> dict[str, Any]:
        self._get(endpoint_id)
        page, following = self._store.newest(endpoint_id, state, limit, cursor)
        return {"deliveries": [_delivery(delivery) for delivery in page], "cursor": following}

    def resend(self, endpoint_id: str, delivery_id: str, *, admin: str, now: int) -> dict[str, int]:
        """One event again, under its own id."""
        endpoint, _ = self._get(endpoint_id)
        at, _, event_id = delivery_id.partition(".")
        delivery = self._store.find(endpoint_id, event_id, int(at)) if at.isascii() and at.isdigit() else None
        lane = None if delivery is None else self._store.add_again(delivery, now)
        if lane is None:
            raise NotFound("no such delivery, or it is more than a month old")
        self._wakes.send([lane])
        self._note("resend_event", endpoint, admin, now, after={"event_id": event_id})
        return {"lanes": 1}

    def resend_since(self, endpoint_id: str, since: int, *, admin: str, now: int) -> dict[str, int]:
        """Everything that was taken in since then, in order for each account; how many accounts that are. Raises
        `Conflict` where there are more than one call can take: a later moment has to be chosen."""
        endpoint, _ = self._get(endpoint_id)
        if not now - MOST_DAYS_BACK * DAY <= since <= now:
            raise invalid_field("since", f"a moment of the last {MOST_DAYS_BACK} days", "since is out of range")
        first: dict[str, str] = {}
        for delivery in self._store.since(endpoint_id, since, now):
            first[delivery.lane] = min(delivery.place, first.get(delivery.lane, delivery.place))
            if len(first) > _MOST_LANES or deadline.left() < _LEAST_SECONDS:
                raise Conflict("these are too many at once: choose a later moment", reason="too_many_to_resend")
        lanes = [lane for lane, place in first.items() if self._store.rewind(lane, place, now)]
        self._wakes.send(lanes)
        self._note("resend_events", endpoint, admin, now, after={"since": rfc3339(since), "lanes": len(lanes)})
        return {"lanes": len(lanes)}

    def _get(self, endpoint_id: str) -> tuple[Endpoint, Health]:
        stored = self._store.endpoint(endpoint_id)
        if stored is None:
            raise NotFound("there is no such endpoint")
        return stored

    def _put(self, before: Endpoint, after: Endpoint) -> Endpoint:
        after = replace(after, version=before.version + 1)
        try:
            self._store.put_endpoint(after, expected=before.version)
        except LostRace as race:
            raise _changed_meanwhile() from race
        return after

    def _checked(self, url: str) -> None:
        try:
            self._check(url)
        except Unreachable as refused:
            words = _WORDS.get(refused.code, _WORDS["bad_url"])
            raise InvalidRequest(words, errors=[{"path": "url", "message": words}], reason=refused.code) from refused

    def _secret(self, endpoint: Endpoint) -> str:
        return secret_of(self._key(), endpoint.endpoint_id, endpoint.generations[0])

    def _note(
        self,
        action: str,
        endpoint: Endpoint,
        admin: str,
        now: int,
        before: Endpoint | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        by = By(actor=admin, action=action, subject=endpoint.endpoint_id)
        self._audit.note(by, now, before=_for_audit(before) if before else None, after=after or _for_audit(endpoint))


_WORDS = {
    "bad_url": "an https address of the public internet is needed, on port 443 or 8443, without a user or a fragment",
    "unknown_host": "this name is not known to anybody",
    "private_address": "this name leads to an address that is not public",
}


def _changed_meanwhile() -> Conflict:
    return Conflict("the endpoint was changed meanwhile: look at it again", code="version_conflict")


def _types(named: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in named if name not in EVENT_TYPES]
    if unknown:
        message = f"no such event: {', '.join(unknown)}"
        raise invalid_field("event_types", message, "an event of that name does not exist")
    return tuple(name for name in EVENT_TYPES if name in named)


def _for_audit(endpoint: Endpoint) -> dict[str, Any]:
    """As in the audit log: with the number of its secrets, not the secrets."""
    return {
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": [*endpoint.event_types],
        "secrets": len(endpoint.generations),
        "paused_for": endpoint.paused_for,
    }


def view(endpoint: Endpoint, health: Health) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint.endpoint_id,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": [*endpoint.event_types],
        "state": "enabled" if endpoint.enabled else "paused",
        "paused_for": endpoint.paused_for or None,
        "paused_at": rfc3339(endpoint.paused_at),
        "created_at": rfc3339(endpoint.created_at),
        "secrets": len(endpoint.generations),
        "version": endpoint.version,
        "failing_since": rfc3339(health.failing_since),
        "failures": health.failures,
        "last_status": health.last_status or None,
        "last_error": health.last_error or None,
        "succeeded_at": rfc3339(health.succeeded_at),
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery_id": f"{delivery.accepted_at:012d}.{delivery.event_id}",
        "event_id": delivery.event_id,
        "type": delivery.type,
        "state": delivery.state,
        "tries": delivery.tries,
        "status": delivery.status or None,
        "error": delivery.error or None,
        "accepted_at": rfc3339(delivery.accepted_at),
        "tried_at": rfc3339(delivery.tried_at),
        "took_ms": delivery.took_ms if delivery.tried_at else None,
        "body": delivery.body,
    }
