"""What every minute finds: lanes nobody was woken for, endpoints that changed, and what operators are alerted of."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from billing.aws import Aws
from billing.data import replace
from billing.hosts.rounds import HostEventRound
from billing.log import SILENT
from billing.rules.host_events import ALERTS
from billing.store.audit import AuditLog
from billing.store.payment_events import PaymentEvent, PaymentEventStore
from tests.hosts.conftest import Outbox, change


@dataclass
class Watch:
    outbox: Outbox
    events: PaymentEventStore
    audit: AuditLog
    letters: int = 0

    def run(self) -> dict[str, int]:
        return HostEventRound(
            self.outbox.store,
            self.outbox.hosts,
            self.outbox.queue,
            self.audit,
            self.events,
            lambda: self.letters,
            SILENT,
        ).run(self.outbox.now)

    def alerts(self, endpoint_id: str = "ep_1") -> list[str]:
        return [d.type for d in self.outbox.store.following(f"{endpoint_id}#alerts", "event#", 100)]

    def fails(self, event_id: str, code: str) -> None:
        now = self.outbox.now
        self.events.record_failure(
            PaymentEvent(
                event_id=f"stripe#{event_id}",
                provider="stripe",
                provider_event_id=event_id,
                type="invoice.paid",
                created_at=now,
                received_at=now,
                processed_at=now,
                status="failed",
                payload={},
                code=code,
            ),
            passing=True,
        )


@pytest.fixture
def watch(outbox: Outbox) -> Watch:
    aws = Aws()
    return Watch(outbox, PaymentEventStore(aws, "PaymentEventsTable"), AuditLog(aws, "AccountsTable"))


def test_a_lane_whose_message_was_lost_is_woken(watch: Watch) -> None:
    watch.outbox.endpoint()
    watch.outbox.take_in(change(1))
    watch.outbox.queue.sent.clear()
    assert watch.run()["woken"] == 0, "it is left to its own message for a while"
    watch.outbox.now += 15
    assert watch.run()["woken"] == 1
    assert watch.outbox.queue.sent == [("ep_1#usr_1", 0)]


def test_what_waited_for_a_paused_endpoint_is_told_when_it_is_enabled(watch: Watch) -> None:
    endpoint = watch.outbox.endpoint()
    paused = replace(endpoint, paused_for="admin", version=2)
    watch.outbox.store.put_endpoint(paused, expected=1)
    watch.outbox.take_in(change(1), change(2))
    assert watch.outbox.deliver() == 0
    watch.outbox.now += 3600
    assert watch.run()["woken"] == 0
    watch.outbox.store.put_endpoint(replace(paused, paused_for="", version=3), expected=2)
    assert watch.run()["woken"] == 1
    assert watch.outbox.deliver() == 2


def test_of_an_endpoint_that_was_paused_an_admin_is_told_once(watch: Watch) -> None:
    gone = watch.outbox.endpoint()
    watch.outbox.endpoint("ep_2")
    watch.outbox.answers[gone.url] = [410]
    watch.outbox.take_in(change(1))
    watch.outbox.deliver()
    for _ in range(3):
        watch.run()
        watch.outbox.now += 60
    assert watch.alerts("ep_2") == ["EndpointPaused"]
    entries = watch.audit.month(watch.outbox.now)
    assert [(e["action"], e["subject"], e["reason"]) for e in entries] == [("pause_endpoint", "ep_1", "gone")]


def test_dead_letters_are_an_alert_once_for_as_long_as_they_wait(watch: Watch) -> None:
    watch.outbox.endpoint(types=ALERTS)
    for letters, alerts in ((0, 0), (3, 1), (4, 1), (0, 1), (1, 2)):
        watch.letters = letters
        watch.run()
        watch.run()  # a schedule may fire twice
        assert watch.alerts() == ["DeadLettersFound"] * alerts
        watch.outbox.now += 60


@pytest.mark.parametrize(("code", "alerts"), [("provider_unavailable", ["ProviderAway"]), ("not_applicable_yet", [])])
def test_a_provider_for_which_events_wait_is_an_alert(watch: Watch, code: str, alerts: list[str]) -> None:
    watch.outbox.endpoint(types=ALERTS)
    watch.fails("evt_1", code)
    watch.run()
    assert watch.alerts() == alerts
    watch.outbox.now += 1300  # nothing has been tried in vain since
    watch.run()
    watch.fails("evt_2", code)
    watch.run()
    assert watch.alerts() == alerts * 2


def test_an_endpoint_that_did_not_choose_alerts_hears_none(watch: Watch) -> None:
    watch.outbox.endpoint(types=["GrantChanged"])
    watch.letters = 1
    watch.run()
    assert not watch.alerts()


def test_a_stack_without_endpoints_looks_for_nothing(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Callable[..., None] = lambda *_: pytest.fail("nobody wants to know")  # noqa: E731
    monkeypatch.setattr(watch.events, "newest", asked)
    assert watch.run() == {"woken": 0, "alerts": 0}
