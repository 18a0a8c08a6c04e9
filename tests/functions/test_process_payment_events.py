"""The queue's consumer: one effect each, and what fails is named and explained."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from billing.admin.events import remedy
from billing.aws import AwsError, NoAnswer
from billing.providers import mock
from billing.providers.interface import Notification
from samples import USER
from tests.functions.conftest import Cloud, logged, queued

EVENTS = Path(__file__).parents[2] / "events"


def notification(name: str, **changes: Any) -> Notification:
    text = (EVENTS / "mock" / f"{name}.json").read_text().replace("usr_0123456789abcdef", USER)
    return replace(mock.minimise(text.encode()), **changes)


@pytest.fixture
def process(load: Callable[[str], ModuleType], cloud: Cloud) -> Callable[..., list[str]]:
    """Processes notifications as one batch; the ids of the messages that failed."""
    cloud.seed_plans()
    module = load("process_payment_events")

    def process(*notifications: Notification) -> list[str]:
        answer = module.handler(queued(*notifications), None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    return process


def test_a_batch_has_its_effect_once(process: Callable[..., list[str]], cloud: Cloud) -> None:
    purchase = notification("purchase.updated")
    assert process(purchase, purchase) == process(purchase) == []
    account = cloud.accounts.load(USER)
    assert account.version == 1
    assert [p.status for p in account.purchases] == ["paid"]
    event = cloud.events.get(purchase.key)
    assert event is not None
    assert (event.status, event.outcome, event.user_id, event.payload) == (
        "processed",
        "applied",
        USER,
        purchase.payload,
    )


def test_only_what_fails_of_a_batch_comes_again_and_its_cause_is_recorded(
    process: Callable[..., list[str]], cloud: Cloud
) -> None:
    orphan = notification("refund.created", event_id="evt_orphan")
    orphan = replace(orphan, payload={**orphan.payload, "payment": "in_unknown"})
    assert process(orphan, notification("purchase.updated")) == ["m0"]
    assert [p.status for p in cloud.accounts.load(USER).purchases] == ["paid"]
    failed = cloud.events.get("mock#evt_orphan")
    assert failed is not None
    assert (failed.status, failed.reason) == (
        "failed",
        "mock payment in_unknown is not known yet, and reading it did not help",
    )


def test_a_failed_event_that_succeeds_later_is_processed(process: Callable[..., list[str]], cloud: Cloud) -> None:
    refund, purchase = notification("refund.created"), notification("purchase.updated")
    assert process(refund) == ["m0"]
    assert process(purchase) == process(refund) == []
    event = cloud.events.get(refund.key)
    assert event is not None
    assert (event.status, event.reason) == ("processed", "")


def test_a_provider_that_does_not_answer_fails_the_message(process: Callable[..., list[str]], cloud: Cloud) -> None:
    cloud.provider.handle = lambda _: None  # type: ignore[method-assign]
    payment = notification("payment.succeeded")
    assert process(payment) == ["m0"]
    event = cloud.events.get(payment.key)
    assert event is not None
    assert "the mock provider did not answer" in event.reason


def test_an_event_of_real_money_is_kept_apart_on_a_test_stack(process: Callable[..., list[str]], cloud: Cloud) -> None:
    live = notification("purchase.updated", livemode=True)
    assert process(live) == []
    event = cloud.events.get(live.key)
    assert event is not None
    assert (event.status, event.reason) == ("quarantined", "a live-mode event on a stack of the other mode")
    assert cloud.accounts.load(USER).version == 0


def test_an_event_of_an_unknown_type_is_noted_and_ignored(process: Callable[..., list[str]], cloud: Cloud) -> None:
    unknown = notification("something.unknown")
    assert process(unknown) == []
    event = cloud.events.get(unknown.key)
    assert event is not None
    assert (event.status, event.reason) == ("ignored", "something.unknown means nothing here")


def test_an_unexpected_error_is_named_by_its_kind_alone(
    process: Callable[..., list[str]],
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("with the payload in its text")

    monkeypatch.setattr("billing.intake.applier.apply", fail)
    purchase = notification("purchase.updated")
    assert process(purchase) == ["m0"]
    event = cloud.events.get(purchase.key)
    assert event is not None
    assert event.reason == "unexpected ValueError: see the function's log"
    (line,) = [line for line in logged(capsys) if line["message"] == "failed"]
    assert any(frame.startswith("applier.py:") for frame in line["frames"])
    assert "with the payload in its text" not in str(line)


@pytest.mark.parametrize(
    ("error", "reason", "code"),
    [
        (
            AwsError("TransactWriteItems", "ThrottlingException", "usr_1 and more"),
            "AWS refused TransactWriteItems: ThrottlingException",
            "aws_refused",
        ),
        (NoAnswer("Query", "Timeout", "https://of.the.table"), "AWS did not answer: Timeout", "aws_silent"),
    ],
)
def test_a_store_that_fails_is_named_and_the_remedy_fits(
    process: Callable[..., list[str]],
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    reason: str,
    code: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("billing.intake.applier.apply", fail)
    purchase = notification("purchase.updated")
    assert process(purchase) == ["m0"]
    event = cloud.events.get(purchase.key)
    assert event is not None
    assert event.reason == reason
    assert "send the event again" in remedy(event.code).lower()
    assert event.code == code


def test_an_event_whose_failure_cannot_be_recorded_does_not_hold_back_the_others(
    process: Callable[..., list[str]],
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AwsError("PutItem", "ThrottlingException", "usr_1")

    monkeypatch.setattr("billing.intake.processing.Processor.record_failure", refuse)
    orphan = notification("refund.created", event_id="evt_orphan")
    orphan = replace(orphan, payload={**orphan.payload, "payment": "in_unknown"})
    assert process(orphan, notification("purchase.updated")) == ["m0"]
    assert [p.status for p in cloud.accounts.load(USER).purchases] == ["paid"]
    (line,) = [line for line in logged(capsys) if line["message"] == "failure not recorded"]
    assert line["reason"] == "AWS refused PutItem: ThrottlingException"


@pytest.mark.parametrize(
    "changes",
    [
        {"event_id": "e" * 3000},
        {"event_id": "evt_\ud800"},
        {"event_id": ["evt_1"]},
        {"created_at": 10**60},
        {"created_at": "1790000000"},
        {"payload": {"object": "\ud800"}},
        {"provider": None},
    ],
    ids=str,
)
def test_an_event_that_no_table_can_hold_does_not_hold_back_the_others(
    process: Callable[..., list[str]], cloud: Cloud, changes: dict[str, Any]
) -> None:
    assert process(notification("purchase.updated", **changes), notification("purchase.updated")) == ["m0"]
    assert [p.status for p in cloud.accounts.load(USER).purchases] == ["paid"]


@pytest.mark.parametrize("body", ["", "not json", "[]", "{}", '{"provider": "mock"}'])
def test_a_message_that_nobody_can_read_does_not_hold_back_the_others(
    load: Callable[[str], ModuleType], cloud: Cloud, body: str
) -> None:
    cloud.seed_plans()
    batch = queued(notification("purchase.updated"))
    batch["Records"].insert(0, {"messageId": "unreadable", "body": body})
    answer = load("process_payment_events").handler(batch, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "unreadable"}]}
    assert [p.status for p in cloud.accounts.load(USER).purchases] == ["paid"]
