"""Dead letters are explained and sent back: one, some or all, never lost, whatever interrupts."""

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from billing.aws import Aws, AwsError
from billing.intake.dead_letters import DeadLetters
from billing.intake.webhook import decode, encode
from billing.providers.interface import Notification
from billing.store.payment_events import PaymentEvent, PaymentEventStore
from billing_cli.dlq import letters_of
from samples import NOW


@pytest.fixture
def queues(tables: dict[str, str]) -> tuple[str, str]:
    """The dead-letter queue and the queue it belongs to."""
    sqs = boto3.client("sqs")
    return sqs.create_queue(QueueName="dlq")["QueueUrl"], sqs.create_queue(QueueName="events")["QueueUrl"]


@pytest.fixture
def letters(queues: tuple[str, str]) -> DeadLetters:
    aws = Aws()
    return DeadLetters(aws, *queues, PaymentEventStore(aws, "PaymentEventsTable"))


@pytest.fixture
def post(queues: tuple[str, str]) -> Callable[[str], None]:
    """Puts an event into the dead-letter queue."""

    def put(event_id: str) -> None:
        notification = Notification(
            provider="mock",
            event_id=event_id,
            type="payment.succeeded",
            created_at=NOW,
            livemode=False,
            payload={"object": "payment", "id": "in_1"},
        )
        boto3.client("sqs").send_message(QueueUrl=queues[0], MessageBody=encode(notification, NOW + 1, "1", "00"))

    return put


def waiting_in(queue_url: str) -> list[str]:
    found = boto3.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
    return sorted(decode(message["Body"])[0].key for message in found)


def fail(event_id: str, reason: str) -> None:
    PaymentEventStore(Aws(), "PaymentEventsTable").record(
        PaymentEvent(
            event_id=f"mock#{event_id}",
            provider="mock",
            provider_event_id=event_id,
            type="payment.succeeded",
            created_at=NOW,
            received_at=NOW,
            processed_at=NOW,
            status="failed",
            payload={},
            reason=reason,
        )
    )


def test_a_letter_tells_its_recorded_cause(letters: DeadLetters, post: Callable[[str], None]) -> None:
    fail("evt_1", "no user is known for mock sub_1")
    post("evt_1")
    post("evt_2")
    causes = {letter.event_id: letter.cause for letter in letters.waiting()}
    assert causes == {
        "mock#evt_1": "no user is known for mock sub_1",
        "mock#evt_2": "not recorded: the processor never finished a try",
    }


def test_looking_leaves_every_letter_where_it_is(letters: DeadLetters, post: Callable[[str], None]) -> None:
    for number in range(12):
        post(f"evt_{number}")
    assert len(letters.waiting()) == 12
    assert len(letters.waiting()) == 12


def test_a_dry_run_moves_nothing(letters: DeadLetters, post: Callable[[str], None], queues: tuple[str, str]) -> None:
    post("evt_1")
    assert [letter.event_id for letter in letters.redrive(dry_run=True)] == ["mock#evt_1"]
    assert waiting_in(queues[1]) == []
    assert waiting_in(queues[0]) == ["mock#evt_1"]


def test_only_the_named_letters_go_back(
    letters: DeadLetters, post: Callable[[str], None], queues: tuple[str, str]
) -> None:
    post("evt_1")
    post("evt_2")
    letters.redrive(["mock#evt_2"], dry_run=False)
    assert waiting_in(queues[1]) == ["mock#evt_2"]
    assert waiting_in(queues[0]) == ["mock#evt_1"]


def test_a_repeated_event_goes_back_once(
    letters: DeadLetters, post: Callable[[str], None], queues: tuple[str, str]
) -> None:
    post("evt_1")
    post("evt_1")
    assert len(letters.redrive(dry_run=False)) == 1
    assert waiting_in(queues[1]) == ["mock#evt_1"]
    assert waiting_in(queues[0]) == []


def test_an_interrupted_redrive_loses_nothing(
    letters: DeadLetters, post: Callable[[str], None], queues: tuple[str, str]
) -> None:
    for number in range(5):
        post(f"evt_{number}")
    sent = 0

    def interrupt() -> None:
        nonlocal sent
        sent += 1
        if sent == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        letters.redrive(dry_run=False, pause=interrupt)
    assert (visible(queues[0]), visible(queues[1])) == (3, 2)


def test_what_was_received_and_not_looked_at_is_visible_again(
    letters: DeadLetters, post: Callable[[str], None], queues: tuple[str, str]
) -> None:
    """Messages come ten at a time."""
    for number in range(5):
        post(f"evt_{number}")
    assert len(letters.waiting(2)) == 2
    assert visible(queues[0]) == 5
    assert len(letters.redrive(dry_run=False, limit=1)) == 1
    assert visible(queues[0]) == 4


def visible(queue_url: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(boto3.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])["Attributes"][name])


def test_a_message_that_is_no_delivery_is_shown_and_holds_nobody_back(
    letters: DeadLetters, queues: tuple[str, str], post: Callable[[str], None]
) -> None:
    boto3.client("sqs").send_message(QueueUrl=queues[0], MessageBody="not ours")
    post("evt_1")
    causes = {letter.event_id.partition("#")[0]: letter.cause for letter in letters.waiting()}
    assert causes["unreadable"] == "no delivery of ours: it cannot be read"
    assert [letter.event_id for letter in letters.redrive(["mock#evt_1"], dry_run=False)] == ["mock#evt_1"]
    assert waiting_in(queues[1]) == ["mock#evt_1"]
    assert [letter.type for letter in letters.waiting()] == ["unreadable"]


class FarQueue:
    """A queue of letters, far away: each call takes a tenth of a second of its own clock."""

    def __init__(self, letters: int) -> None:
        self.now = 0.0
        self.visible_at = dict.fromkeys(range(letters), 0.0)
        self._random = random.Random(7)  # noqa: S311

    @property
    def visible(self) -> list[int]:
        return [number for number, at in self.visible_at.items() if at <= self.now]

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        self.now += 0.1
        if operation == "receive_message":
            found = self._random.sample(visible := self.visible, min(10, len(visible)))
            self.visible_at |= dict.fromkeys(found, self.now + request["VisibilityTimeout"])
            return {"Messages": [{"MessageId": n, "ReceiptHandle": n, "Body": self._body(n)} for n in found]}
        if operation == "change_message_visibility":
            if self.visible_at[request["ReceiptHandle"]] <= self.now:
                raise AwsError("ChangeMessageVisibility", "MessageNotInflight")
            self.visible_at[request["ReceiptHandle"]] = self.now
        return {}

    @staticmethod
    def _body(number: int) -> str:
        event = {"provider": "mock", "event_id": f"evt_{number}", "type": "x", "created_at": NOW, "livemode": False}
        return encode(Notification(payload={}, **event), NOW + 1, "1", "00")


def test_an_operator_sees_every_letter_however_long_that_takes() -> None:
    queue = FarQueue(3000)
    settings = SimpleNamespace(required=lambda name: "dlq", queue_url="queue")
    wire = SimpleNamespace(events=PaymentEventStore(queue, "t"))  # type: ignore[arg-type]
    letters = letters_of(SimpleNamespace(aws=queue, settings=settings, wire=wire))  # type: ignore[arg-type]
    assert len(letters.redrive(dry_run=True)) == 3000
    assert len(queue.visible) == 3000
    assert queue.now > 600


def test_a_letter_that_is_visible_again_need_not_be_shown_again() -> None:
    queue = FarQueue(900)
    letters = DeadLetters(queue, "dlq", "queue", PaymentEventStore(queue, "t"))  # type: ignore[arg-type]
    assert letters.waiting(900)
    assert letters.redrive(["mock#evt_unknown"], dry_run=False) == []


@pytest.mark.parametrize(
    "changes", [{"event_id": "evt_\ud800"}, {"event_id": "e" * 3000}, {"created_at": 10**60}], ids=str
)
def test_a_letter_that_no_table_can_hold_is_shown_and_holds_back_no_other(
    letters: DeadLetters, post: Callable[[str], None], queues: tuple[str, str], changes: dict[str, Any]
) -> None:
    event: dict[str, Any] = {"provider": "mock", "event_id": "evt_2", "type": "x", "created_at": NOW, "livemode": False}
    poison = Notification(payload={}, **{**event, **changes})
    boto3.client("sqs").send_message(QueueUrl=queues[0], MessageBody=encode(poison, NOW, "1", "00"))
    post("evt_1")
    assert sorted(letter.type for letter in letters.waiting()) == ["payment.succeeded", "unreadable"]
