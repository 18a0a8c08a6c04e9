"""Every minute: lanes whose message was lost or is far off, endpoints whose state changed, and alerts."""

from collections.abc import Callable

from billing import deadline
from billing.data import replace
from billing.hosts.outbox import HostEvents, Wakes
from billing.log import Log
from billing.rules.history import By
from billing.rules.host_events import alert
from billing.store.audit import AuditLog
from billing.store.dynamodb import LostRace
from billing.store.host_events import HostEventStore, paused_shard
from billing.store.outbox import Endpoint, Health
from billing.store.payment_events import PaymentEventStore

# Seconds after which a lane that is due counts as overlooked.
_LEFT_ALONE = 15
# At most so many of each partition in one round.
_LANES = 250
# An event that waits for a provider is tried again within these seconds. Where none was tried, the provider is back.
_AWAY_SECONDS = 1_200
_LOOKED_AT = 25
_FOREVER = 10**11


class HostEventRound:
    """`dead_letters`: how many wait, as far as the queue knows."""

    def __init__(
        self,
        store: HostEventStore,
        hosts: HostEvents,
        wakes: Wakes,
        audit: AuditLog,
        events: PaymentEventStore,
        dead_letters: Callable[[], int],
        logger: Log,
    ) -> None:
        self._store = store
        self._hosts = hosts
        self._wakes = wakes
        self._audit = audit
        self._events = events
        self._dead_letters = dead_letters
        self._logger = logger

    def run(self, now: int) -> dict[str, int]:
        """Returns how many lanes were woken and how many alerts raised."""
        endpoints = self._store.endpoints()
        if not endpoints:
            return {"woken": 0, "alerts": 0}
        woken = 0
        for lane in self._store.due(now - _LEFT_ALONE, _LANES):
            self._wakes.send([lane])
            woken += 1
        for endpoint, health in endpoints:
            if endpoint.enabled:
                woken += self._awaken(endpoint, now)
            elif not endpoint.pause_reported:
                self._tell_of_pause(endpoint, health, now)
        raised = self._watch(now)
        self._logger.info("host events looked after", extra={"woken": woken, "alerts": raised})
        return {"woken": woken, "alerts": raised}

    def _awaken(self, endpoint: Endpoint, now: int) -> int:
        """Makes lanes due that waited while their endpoint was paused, once it is enabled."""
        lanes = self._store.in_shard(paused_shard(endpoint.endpoint_id), _FOREVER, _LANES)
        for number, lane in enumerate(lanes):
            if deadline.over():
                return number
            self._store.awaken(lane, now)
            self._wakes.send([lane])
        return len(lanes)

    def _tell_of_pause(self, endpoint: Endpoint, health: Health, now: int) -> None:
        """Reports a pause in the audit log, and to endpoints that subscribe to it. A repeat is the same event."""
        why = {
            "endpoint_id": endpoint.endpoint_id,
            "reason": endpoint.paused_for,
            "status": health.last_status,
            "error": health.last_error,
            "failing_since": health.failing_since,
        }
        self._hosts.take_in([alert("EndpointPaused", endpoint.paused_at or now, why)], now)
        reported = replace(endpoint, pause_reported=True, version=endpoint.version + 1)
        try:
            self._store.put_endpoint(reported, expected=endpoint.version)
        except LostRace:  # an admin is changing it: the next round reports it
            return
        by = By(actor="system", action="pause_endpoint", reason=endpoint.paused_for, subject=endpoint.endpoint_id)
        self._audit.note(by, now, after=why)

    def _watch(self, now: int) -> int:
        """Raises new alerts, and ends those whose cause is gone."""
        standing: dict[str, tuple[str, dict[str, str | int]]] = {
            f"provider_away#{provider}": ("ProviderAway", {"provider": provider}) for provider in self._away(now)
        }
        if count := self._dead_letters():
            standing["dead_letters"] = ("DeadLettersFound", {"count": count})
        before = self._store.raised()
        # Dated by the minute, so that a round that runs twice raises the same alert.
        at = now - now % 60
        for name in standing.keys() - before:
            type_, data = standing[name]
            self._hosts.take_in([alert(type_, at, data)], now)
            self._store.set_raised(name, now, up=True)
        for name in before - standing.keys():
            self._store.set_raised(name, now, up=False)
        return len(standing.keys() - before)

    def _away(self, now: int) -> set[str]:
        """The providers with a waiting event whose last try failed a short while ago."""
        failing, _ = self._events.newest("failed", _LOOKED_AT)
        return {
            event.provider
            for event in failing
            if event.code == "provider_unavailable" and event.processed_at >= now - _AWAY_SECONDS
        }
