"""The queue's batches: what passes waits and heals by itself, what fails by itself is set aside."""

import heapq
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from billing import deadline
from billing.aws import Aws, AwsError, NoAnswer
from billing.errors import Parked, ProviderError, ProviderUnavailable, TryAgain
from billing.intake.batch import FIRST_WAIT, LONGEST, TRIES, Batch, wait
from billing.intake.processing import Delivery, Processor, cause_of, passes
from billing.intake.webhook import encode
from billing.providers.interface import Notification
from samples import NOW

QUEUE, DEAD = "queue", "dead-letters"
VISIBILITY, MAX_RECEIVES = 180, 50


class Sqs:
    """A queue with a clock: visibility per message, receive counts, and SQS's own move to the dead letters."""

    def __init__(self) -> None:
        self.now = NOW
        self.dead: list[str] = []
        self.trouble: AwsError | None = None
        self._visible: list[tuple[int, int]] = []
        self._bodies: dict[int, str] = {}
        self._received: Counter[int] = Counter()

    def send(self, body: str) -> None:
        number = len(self._bodies)
        self._bodies[number] = body
        heapq.heappush(self._visible, (self.now, number))

    def receive(self) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        while self._visible and self._visible[0][0] <= self.now and len(records) < 10:
            _, number = heapq.heappop(self._visible)
            self._received[number] += 1
            if self._received[number] > MAX_RECEIVES:
                self.dead.append(self._bodies[number])
                continue
            self._hidden_until = {number: self.now + VISIBILITY}
            records.append(
                {
                    "messageId": str(number),
                    "receiptHandle": str(number),
                    "body": self._bodies[number],
                    "attributes": {"ApproximateReceiveCount": str(self._received[number])},
                }
            )
        return records

    def settle(self, records: Sequence[Mapping[str, Any]], answer: Mapping[str, Any], waits: Mapping[str, int]) -> None:
        for failure in answer["batchItemFailures"]:
            number = int(failure["itemIdentifier"])
            heapq.heappush(self._visible, (self.now + waits.get(str(number), VISIBILITY), number))

    @property
    def next_at(self) -> int | None:
        return self._visible[0][0] if self._visible else None


class Calls:
    """What the batch asks of SQS."""

    def __init__(self, sqs: Sqs) -> None:
        self._sqs = sqs
        self.waits: dict[str, int] = {}

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        assert service == "sqs"
        if self._sqs.trouble is not None:
            raise self._sqs.trouble
        if operation == "send_message":
            assert request["QueueUrl"] == DEAD
            self._sqs.dead.append(request["MessageBody"])
        else:
            assert (operation, request["QueueUrl"]) == ("change_message_visibility", QUEUE)
            self.waits[request["ReceiptHandle"]] = request["VisibilityTimeout"]
        return {}


class Events:
    """A processor by what each event meets; `applied` holds when."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception | None] = {}
        self.away: set[str] = set()
        self.applied: dict[str, int] = {}
        self.faults: Counter[str] = Counter()
        self.reasons: dict[str, str] = {}
        self.recordable = True
        self.order: list[str] = []

    def process(self, notification: Notification, delivery: Delivery, now: int) -> str:
        self.order.append(notification.event_id)
        if notification.provider in self.away:
            raise ProviderUnavailable(f"{notification.provider} did not answer")
        error = self.errors.get(notification.event_id)
        if error is not None:
            raise error
        self.applied[notification.event_id] = now
        return "applied"

    def record_failure(self, notification: Notification, _: Delivery, __: int, error: Exception) -> int:
        if not self.recordable:
            raise NoAnswer("UpdateItem", "ReadTimeout")
        self.reasons[notification.event_id] = cause_of(error)[0]
        self.faults[notification.event_id] += not passes(error)
        return self.faults[notification.event_id]


class World:
    def __init__(self) -> None:
        self.sqs, self.events = Sqs(), Events()
        self.calls = Calls(self.sqs)
        logger = cast(Any, logging.getLogger("test.batch"))
        self.batch = Batch(cast(Processor, self.events), cast(Aws, self.calls), QUEUE, DEAD, logger)

    def send(self, *names: str, provider: str = "stripe") -> None:
        for name in names:
            self.sqs.send(encode(event(name, provider), self.sqs.now, "1", "hash"))

    def run(self, seconds: int) -> None:
        """Lets the queue hand out what is visible, until so much time has passed."""
        until = self.sqs.now + seconds
        while (at := self.sqs.next_at) is not None and at <= until:
            self.sqs.now = max(self.sqs.now, at)
            records = self.sqs.receive()
            self.calls.waits.clear()
            answer = self.batch.process(records, self.sqs.now)
            self.sqs.settle(records, answer, self.calls.waits)
        self.sqs.now = until


def event(name: str, provider: str = "stripe") -> Notification:
    return Notification(
        provider=provider, event_id=name, type="invoice.paid", created_at=NOW, livemode=False, payload={"id": name}
    )


@pytest.fixture
def world() -> World:
    return World()


def test_a_provider_that_is_away_for_six_hours_costs_nobody_anything(world: World) -> None:
    world.events.away = {"btcpay"}
    for minute in range(360):
        world.send(f"card-{minute}")
        if minute % 10 == 0:
            world.send(f"coin-{minute}", provider="btcpay")
        world.run(60)
    assert len(world.events.applied) == 360, "events of another provider are not held up"
    assert all(at - NOW - minute * 60 <= 60 for minute in range(360) if (at := world.events.applied[f"card-{minute}"]))
    assert not world.sqs.dead
    world.events.away = set()
    world.run(LONGEST * FIRST_WAIT)
    assert len(world.events.applied) == 360 + 36, "healed without a person, within a quarter of an hour"
    assert not world.sqs.dead


def test_what_fails_by_itself_is_set_aside_after_some_tries_with_its_cause(world: World) -> None:
    world.events.errors["poison"] = ValueError("with the payload in its text")
    world.send("poison", "fine")
    world.run(3600)
    assert world.events.applied.keys() == {"fine"}
    assert world.events.order.count("poison") == TRIES
    assert [json.loads(body)["event_id"] for body in world.sqs.dead] == ["poison"]
    assert world.events.reasons["poison"] == "unexpected ValueError: see the function's log"


def test_a_long_wait_leaves_an_event_all_its_tries(world: World) -> None:
    """Handed out thirty times while the provider was away, it may still wait for the event that it builds on."""
    world.events.away = {"stripe"}
    world.send("late")
    world.run(6 * 3600)
    world.events.away, world.events.errors["late"] = set(), Parked("the user is not known yet")
    tried = len(world.events.order)
    while len(world.events.order) == tried:
        world.run(60)
    assert not world.sqs.dead
    world.events.errors.clear()
    world.run(3600)
    assert "late" in world.events.applied


def test_what_is_sent_back_has_as_many_tries_again(world: World) -> None:
    world.events.errors["poison"] = ValueError()
    world.send("poison")
    world.run(3600)
    world.send("poison")
    world.run(3600)
    assert world.events.order.count("poison") == 2 * TRIES
    assert len(world.sqs.dead) == 2


def test_one_that_cannot_be_set_aside_comes_again(world: World) -> None:
    world.events.errors["poison"] = ValueError()
    world.sqs.trouble = NoAnswer("SendMessage", "ConnectTimeout")
    world.send("poison")
    world.run(3600)
    assert not world.sqs.dead
    world.sqs.trouble = None
    world.run(3600)
    assert world.sqs.dead


def test_a_failure_that_cannot_be_recorded_is_tried_again(world: World) -> None:
    world.events.errors["poison"], world.events.recordable = ValueError(), False
    world.send("poison")
    world.run(3600)
    assert world.events.order.count("poison") > TRIES
    assert not world.sqs.dead


def test_a_message_that_nobody_can_read_is_set_aside_alone(world: World) -> None:
    world.sqs.send("no delivery of ours")
    world.send("fine")
    world.run(3600)
    assert world.sqs.dead == ["no delivery of ours"]
    assert "fine" in world.events.applied


def test_those_that_were_tried_least_come_first(world: World) -> None:
    records = [
        {"messageId": name, "body": encode(event(name), NOW, "", ""), "attributes": {"ApproximateReceiveCount": count}}
        for name, count in (("old", "9"), ("new", "1"), ("second", "2"))
    ]
    world.batch.process(records, NOW)
    assert world.events.order == ["new", "second", "old"]


def test_a_batch_that_runs_out_of_time_returns_what_is_done_and_names_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter([20.0, 11.0, 2.0])
    monkeypatch.setattr(deadline, "left", lambda: next(left))
    records = [{"messageId": name, "body": encode(event(name), NOW, "", "")} for name in ("a", "b", "c", "d")]
    answer = world.batch.process(records, NOW)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "c"}, {"itemIdentifier": "d"}]}
    assert world.events.order == ["a", "b"]
    assert not world.events.reasons, "what was not begun has not failed"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ProviderUnavailable("silent"), True),
        (NoAnswer("PutItem", "ReadTimeout"), True),
        (AwsError("PutItem", "ThrottlingException"), True),
        (AwsError("PutItem", "AccessDeniedException"), True),
        (TryAgain("others were faster"), True),
        (AwsError("PutItem", "ValidationException"), False),
        (Parked("not known yet"), False),
        (ProviderError("refused"), False),
        (KeyError("period"), False),
    ],
    ids=repr,
)
def test_what_passes_by_itself(error: Exception, expected: bool) -> None:
    assert passes(error) is expected


def test_waits_grow_to_a_quarter_of_an_hour_and_are_spread() -> None:
    for attempts in range(1, 60):
        longest = min(60 * 2 ** (attempts - 1), LONGEST * FIRST_WAIT)
        assert {longest * 0.8 <= wait(attempts) <= longest for _ in range(20)} == {True}
    assert len({wait(9) for _ in range(50)}) > 10
