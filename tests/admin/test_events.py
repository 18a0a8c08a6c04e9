"""Failed payment events: why, what to do, and back they go, once, with a note of who sent them."""

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from billing import errors
from billing.admin.event_subjects import Subjects
from billing.admin.events import REMEDIES, AdminEvents, remedy
from billing.api.answers.events import PaymentEventList, RedriveResult, SettledResult
from billing.aws import Aws
from billing.errors import InvalidRequest
from billing.intake.dead_letters import DeadLetters
from billing.intake.webhook import decode, encode
from billing.providers.interface import Notification
from billing.rules.records import Purchase
from billing.store.accounts import AccountStore
from billing.store.audit import AuditLog
from billing.store.codec import record_to_item
from billing.store.payment_events import PaymentEventStore
from samples import NOW, USER
from tests.admin.test_users import payment_event
from tests.reporting.test_analytics import Shelf

NO_USER = "no user is known for stripe sub_9"


class Queues:
    def __init__(self) -> None:
        self.aws = Aws()
        self.queue, self.dlq = (
            self.aws.call("sqs", "create_queue", QueueName=name)["QueueUrl"] for name in ("events", "dead")
        )
        self.events = PaymentEventStore(self.aws, "PaymentEventsTable")
        self.audit = AuditLog(self.aws, "AccountsTable")
        letters = DeadLetters(self.aws, self.dlq, self.queue, self.events)
        self.accounts = AccountStore(self.aws, "AccountsTable", "PaymentEventsTable")
        subjects = Subjects(self.accounts, Shelf())  # type: ignore[arg-type]
        self.desk = AdminEvents(self.aws, letters, self.events, self.audit, subjects, self.queue, self.dlq)

    def die(self, number: int) -> None:
        """An event that failed five times: recorded with its cause, and set aside."""
        notification = Notification(
            provider="stripe",
            event_id=f"evt_{number}",
            type="invoice.paid",
            created_at=NOW + number,
            livemode=False,
            payload={"id": f"in_{number}"},
        )
        body = encode(notification, NOW + number, "1", "0" * 64)
        self.aws.call("sqs", "send_message", QueueUrl=self.dlq, MessageBody=body)
        failed = replace(
            payment_event(f"stripe#evt_{number}"),
            status="failed",
            reason=NO_USER,
            code="unknown_user",
            attempts=5,
            user_id=None,
        )
        self.events.record(failed)

    def queued(self) -> list[dict[str, Any]]:
        answer = self.aws.call("sqs", "receive_message", QueueUrl=self.queue, MaxNumberOfMessages=10)
        return list(answer.get("Messages", []))


@pytest.fixture
def queues(tables: dict[str, str]) -> Queues:
    return Queues()


def test_a_dead_letter_says_why_and_what_to_do(queues: Queues) -> None:
    queues.die(1)
    report = queues.desk.list("dead", None)
    [event] = report["events"]
    assert (event["cause"], event["attempts"], event["payload"]) == (NO_USER, 5, {"id": "in_1"})
    assert "set user_id in its metadata" in event["remedy"]
    assert report["queue"] == dict.fromkeys(("waiting", "in_flight", "failing", "quarantined", "set_aside"), 0) | {
        "dead": 1
    }


def test_dead_failing_and_quarantined_are_three_lists_with_three_counts(queues: Queues) -> None:
    queues.die(1)
    queues.events.record(replace(payment_event("stripe#evt_2"), status="failed", reason=NO_USER, code="unknown_user"))
    other = replace(payment_event("stripe#evt_3"), status="quarantined", reason="a test event", code="other_mode")
    queues.events.record(other)
    report = queues.desk.list("quarantined", None)
    assert [(event["event_id"], event["status"]) for event in report["events"]] == [("stripe#evt_3", "quarantined")]
    assert report["events"][0]["remedy"] == remedy("other_mode")
    counts = {name: report["queue"][name] for name in ("dead", "failing", "quarantined")}
    assert counts == {"dead": 1, "failing": 1, "quarantined": 1}
    PaymentEventList.model_validate_json(json.dumps(report))


def test_an_event_is_found_by_its_id_wherever_it_stands(queues: Queues) -> None:
    queues.die(1)
    queues.events.record(payment_event("stripe#evt_2"))
    for text, status in (
        ("evt_1", "dead"),
        ("stripe#evt_1", "dead"),
        ("evt_2", "processed"),
        ("stripe#evt_2", "processed"),
    ):
        [found] = queues.desk.find(text)["events"]
        assert (found["event_id"], found["status"]) == (f"stripe#{text.removeprefix('stripe#')}", status)
    assert queues.desk.find("evt_9")["events"] == []
    with pytest.raises(InvalidRequest):
        queues.desk.find("")


def test_a_dry_run_sends_nothing_and_the_real_one_leaves_a_note(queues: Queues) -> None:
    for number in (1, 2, 3):
        queues.die(number)
    dry = queues.desk.redrive(["stripe#evt_1", "stripe#evt_9"], dry_run=True, admin="usr_admin", now=NOW)
    assert [(i["event_id"], i["outcome"]) for i in dry["items"]] == [
        ("stripe#evt_1", "would_redrive"),
        ("stripe#evt_9", "skipped"),
    ]
    assert queues.queued() == []
    assert queues.audit.month(NOW) == []
    queues.desk.redrive(["stripe#evt_1"], dry_run=False, admin="usr_admin", now=NOW)
    assert len(queues.queued()) == 1
    [entry] = queues.audit.month(NOW)
    assert (entry["actor"], entry["action"], entry["after"]) == ("usr_admin", "redrive", ["stripe#evt_1"])
    rest = queues.desk.redrive(None, dry_run=False, admin="usr_admin", now=NOW)
    assert {i["event_id"] for i in rest["items"]} == {"stripe#evt_2", "stripe#evt_3"}
    assert queues.desk.redrive(None, dry_run=False, admin="usr_admin", now=NOW)["items"] == []


def test_events_are_listed_newest_first_page_by_page(queues: Queues) -> None:
    for number in range(30):
        event = payment_event(f"stripe#evt_{number:02}")
        queues.events.record(replace(event, received_at=NOW + number, outcome="applied"))
    first = queues.desk.list("processed", None)
    second = queues.desk.list("processed", first["next"])
    ids = [event["event_id"] for event in (*first["events"], *second["events"])]
    assert ids == [f"stripe#evt_{number:02}" for number in reversed(range(30))]
    assert (len(first["events"]), second["next"]) == (25, None)
    assert queues.desk.list("failed", None)["events"] == []


def test_an_event_leaves_the_list_of_failures_when_it_is_applied(queues: Queues) -> None:
    queues.events.record(replace(payment_event("stripe#evt_1"), status="failed", reason=NO_USER))
    assert [e["outcome"] for e in queues.desk.list("failed", None)["events"]] == [None]
    queues.events.record(replace(payment_event("stripe#evt_1"), outcome="applied"))
    assert queues.desk.list("failed", None)["events"] == []
    assert [e["outcome"] for e in queues.desk.list("processed", None)["events"]] == ["applied"]


def test_a_status_that_does_not_exist_is_refused(queues: Queues) -> None:
    with pytest.raises(InvalidRequest):
        queues.desk.list("lost", None)


def test_what_will_never_be_ours_is_set_aside_with_a_reason_and_leaves_every_list_and_queue(queues: Queues) -> None:
    queues.die(1)
    queues.events.record(
        replace(payment_event("stripe#evt_2"), status="quarantined", reason="a test event", code="other_mode")
    )
    queues.events.record(payment_event("stripe#evt_3"))
    done = queues.desk.set_aside(
        ["stripe#evt_1", "stripe#evt_2", "stripe#evt_3", "stripe#evt_9"], "another shop's", admin="usr_admin", now=NOW
    )
    assert [item["outcome"] for item in done["items"]] == ["set_aside", "set_aside", "skipped", "skipped"]
    report = queues.desk.list("set_aside", None)
    assert [report["queue"][name] for name in ("dead", "failing", "quarantined", "set_aside")] == [0, 0, 0, 2]
    event = next(e for e in report["events"] if e["event_id"] == "stripe#evt_1")
    assert (event["status"], event["aside_by"], event["aside_reason"]) == ("set_aside", "usr_admin", "another shop's")
    assert (event["cause"], event["remedy"]) == (NO_USER, None)
    [entry] = queues.audit.month(NOW)
    assert (entry["action"], entry["reason"], entry["after"]) == (
        *("set_aside", "another shop's"),
        ["stripe#evt_1", "stripe#evt_2"],
    )
    PaymentEventList.model_validate_json(json.dumps(report))
    SettledResult.model_validate_json(json.dumps(done))


def test_an_event_that_was_set_aside_has_no_effect_when_it_is_delivered_again(queues: Queues) -> None:
    queues.die(1)
    queues.desk.set_aside(["stripe#evt_1"], "another shop's", admin="usr_admin", now=NOW)
    assert queues.events.record(payment_event("stripe#evt_1")) is False
    assert queues.events.record_failure(replace(payment_event("stripe#evt_1"), status="failed"), passing=False) == 0
    assert queues.desk.find("evt_1")["events"][0]["status"] == "set_aside"


def test_what_was_set_aside_can_be_taken_back_and_is_processed_after_all(queues: Queues) -> None:
    queues.die(1)
    queues.desk.set_aside(["stripe#evt_1"], "another shop's", admin="usr_admin", now=NOW)
    back = queues.desk.take_back(["stripe#evt_1", "stripe#evt_9"], admin="usr_admin", now=NOW)
    assert [item["outcome"] for item in back["items"]] == ["taken_back", "skipped"]
    [message] = queues.queued()
    notification, seen = decode(message["Body"])
    assert (notification.key, notification.payload, seen["received_at"]) == (
        "stripe#evt_1",
        payment_event("stripe#evt_1").payload,
        NOW,
    )
    assert queues.events.record(payment_event("stripe#evt_1")) is True
    assert queues.desk.take_back(["stripe#evt_1"], admin="usr_admin", now=NOW)["items"][0]["outcome"] == "skipped"


def test_a_dead_letter_that_no_try_recorded_is_set_aside_too_and_an_unreadable_one_leaves_by_itself(
    queues: Queues,
) -> None:
    notification = Notification(
        provider="mock", event_id="evt_7", type="odd", created_at=NOW, livemode=False, payload={"object": "odd"}
    )
    for body in (encode(notification, NOW, "1", "0" * 64), "not ours"):
        queues.aws.call("sqs", "send_message", QueueUrl=queues.dlq, MessageBody=body)
    ids = [event["event_id"] for event in queues.desk.list("dead", None)["events"]]
    done = queues.desk.set_aside(ids, "another shop's", admin="usr_admin", now=NOW)["items"]
    assert sorted(item["outcome"] for item in done) == ["set_aside", "skipped"]
    assert queues.desk.find("evt_7")["events"][0]["payload"] == {"object": "odd"}


def test_a_row_says_how_much_of_which_plan_and_whose(queues: Queues) -> None:
    paid = {"object": "payment", "id": "in_5", "user_id": USER, "plan_id": "plus-month", "plan_version": 1}
    paid |= {"amount_cents": 900, "currency": "USD", "subscription": "sub_5", "paid_at": NOW, "created": NOW}
    paid |= {"period_start": NOW, "period_end": NOW + 1, "status": "paid"}
    of_mock = replace(
        payment_event("mock#evt_5"), provider="mock", payload=paid, status="failed", user_id=None, type="payment"
    )
    queues.events.record(of_mock)
    gone = replace(payment_event("stripe#evt_6"), status="failed", payload={}, user_id="erased_1", received_at=NOW - 1)
    queues.events.record(gone)
    first, second = queues.desk.list("failed", None)["events"]
    about = ("user_id", "plan_id", "amount_cents", "currency")
    assert [first[name] for name in about] == [USER, "plus-month", 900, "USD"]
    assert [second[name] for name in about] == ["erased_1", None, None, None]


def test_a_row_says_of_a_bitcoin_notice_what_our_own_order_says(queues: Queues) -> None:
    bought = Purchase(
        provider="btcpay",
        purchase_id="inv_1",
        plan_id="tax-2026",
        plan_version=1,
        state="paid",
        amount_cents=4900,
        currency="USD",
        observed_at=NOW,
        created_at=NOW,
    )
    queues.aws.call("dynamodb", "put_item", TableName="AccountsTable", Item=record_to_item(USER, bought))
    payload = {"invoiceId": "inv_1", "storeId": "store_1"}
    queues.events.record(
        replace(
            payment_event("btcpay#d_1"), provider="btcpay", type="InvoiceSettled", payload=payload, outcome="applied"
        )
    )
    [event] = queues.desk.list("processed", None)["events"]
    assert (event["plan_id"], event["amount_cents"], event["currency"]) == ("tax-2026", 4900, "USD")


def test_every_cause_has_a_remedy() -> None:
    """Every code that a source gives to something parked, and those of the queue, have advice of their own."""
    parked = set()
    for path in Path(errors.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Parked":
                assert len(node.args) == 2, f"{path.name}:{node.lineno} gives no code"
                parked.add(ast.literal_eval(node.args[1]))
    assert parked == {
        "unknown_plan",
        "unknown_user",
        "several_owners",
        "double_left",
        "not_known_yet",
        "order_differs",
        "amount_out_of_bounds",
        "seal_unknown",
    }
    assert parked | {errors.TryAgain.code, errors.ProviderUnavailable.code, errors.ProviderError.code} <= set(REMEDIES)
    assert remedy("something new").startswith("Mend what the cause says")


def test_what_a_cause_says_may_change_without_changing_the_advice(queues: Queues) -> None:
    queues.events.record(
        replace(payment_event("stripe#evt_1"), status="failed", reason="in other words", code="unknown_plan")
    )
    [event] = queues.desk.list("failed", None)["events"]
    assert event["code"] == "unknown_plan"
    assert event["remedy"].startswith("Add the price to the plan")


def test_every_answer_has_the_documented_shape(queues: Queues) -> None:
    queues.die(1)
    queues.events.record(replace(payment_event("stripe#evt_2"), outcome="applied"))
    for status in ("dead", "failed", "processed"):
        PaymentEventList.model_validate_json(json.dumps(queues.desk.list(status, None)))
    dry = queues.desk.redrive(["stripe#evt_1", "stripe#evt_9"], dry_run=True, admin="usr_admin", now=NOW)
    RedriveResult.model_validate_json(json.dumps(dry))
