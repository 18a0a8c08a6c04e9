"""From a signed delivery to its one effect, on the deployed stack: races, killed processes, a failing store, poison."""

import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from billing.aws import Aws
from billing.intake.applier import Applier
from billing.intake.processing import Delivery, Processor
from billing.providers import mock
from billing.providers.interface import Notification
from billing.providers.signatures import sign_timestamped
from billing.rules.consequences import Consequences, consequences
from billing.rules.ended import AT_HAND
from billing.rules.records import Account, Payment, Term
from billing.store.accounts import LEDGER, AccountStore
from billing.store.payment_events import PaymentEvent, PaymentEventStore
from billing.store.plans import PlanStore
from demo.shop import Shop

EVENTS = Path(__file__).parents[2] / "events" / "mock"
PROCESSOR = "ProcessPaymentEventsFunction"
Eventually = Callable[..., Any]


class Killed(BaseException):
    """The process is gone: nothing catches it."""


class DyingAws(Aws):
    """The engine's AWS. At its n-th call the process dies: before the call is made, or before its answer is seen."""

    def __init__(self, shop: Shop, die_at: float = float("inf"), *, answered: bool = False) -> None:
        self._die_at = die_at
        self._answered = answered
        self.calls: list[str] = []
        super().__init__(environ=shop.engine.owner)

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        self.calls.append(operation)
        dies = len(self.calls) == self._die_at
        if dies and not self._answered:
            raise Killed
        answer = super().call(service, operation, **request)
        if dies:
            raise Killed
        return answer


class Stack:
    """The stack seen from its tables, for one user of its own."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.user = f"usr_{uuid.uuid4().hex}"
        self._suffix = self.user[-12:]
        aws = DyingAws(shop)
        self.accounts = AccountStore(aws, shop.engine.resource("AccountsTable"))
        self.events = PaymentEventStore(aws, shop.engine.resource("PaymentEventsTable"))
        vault = shop.engine.client("secretsmanager")
        self._secret = vault.get_secret_value(SecretId=shop.engine.resource("BillingWebhookSecret"))["SecretString"]

    def recorded(self, name: str, **changes: Any) -> dict[str, Any]:
        """A recorded event with ids of this user's own; its plan is one that is seeded."""
        text = (EVENTS / f"{name}.json").read_text().replace("usr_0123456789abcdef", self.user)
        event: dict[str, Any] = json.loads(text)
        for place in (event, event["data"]):
            for key, value in place.items():
                if isinstance(value, str) and value.partition("_")[0] in ("evt", "sub", "pur", "re", "cus", "in"):
                    place[key] = f"{value}{self._suffix}"
        if "plan_id" in event["data"]:
            event["data"]["plan_id"] = "pro-month" if event["data"]["object"] != "purchase" else "tax-2026"
        event["data"] |= changes
        return event

    def deliver(self, event: Mapping[str, Any]) -> int:
        body = json.dumps(event).encode()
        headers = {"mock-signature": sign_timestamped(body, self._secret, int(time.time()))}
        return requests.post(f"{self.shop.url}/billing/webhook/mock", body, headers=headers, timeout=60).status_code

    def event(self, event: Mapping[str, Any]) -> PaymentEvent | None:
        return self.events.get(f"mock#{event['id']}")

    def settled(self, *events: Mapping[str, Any]) -> Callable[[], bool]:
        def all_processed() -> bool:
            found = [self.event(event) for event in events]
            return all(one is not None and one.status == "processed" for one in found)

        return all_processed

    @property
    def account(self) -> Account:
        return self.accounts.load(self.user)

    def ledger(self) -> list[tuple[str, int]]:
        """Kind and amount of the ledger's lines."""
        answer = self.shop.engine.client("dynamodb").query(
            TableName=self.shop.engine.resource("AccountsTable"),
            KeyConditionExpression="user_id = :user AND begins_with(#record, :ledger)",
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues={":user": {"S": self.user}, ":ledger": {"S": LEDGER}},
            ConsistentRead=True,
        )
        return sorted((line["kind"]["S"], int(line["amount_cents"]["N"])) for line in answer["Items"])


@pytest.fixture
def stack(shop_engine: Shop) -> Stack:
    return Stack(shop_engine)


@pytest.fixture
def impatient_queue(shop_engine: Shop) -> Iterator[str]:
    """The queue, showing a message again after two seconds instead of three minutes."""
    sqs, queue = shop_engine.engine.client("sqs"), shop_engine.engine.resource("PaymentEventsQueue")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "2"})
    yield queue
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "180"})


def test_thirty_two_deliveries_at_once_have_one_effect(stack: Stack, eventually: Eventually) -> None:
    purchase = stack.recorded("purchase.updated")
    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(lambda _: stack.deliver(purchase), range(32))) == {200}
    eventually(stack.settled(purchase), 60)
    sqs, queue = stack.shop.engine.client("sqs"), stack.shop.engine.resource("PaymentEventsQueue")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def drained() -> bool:
        counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return all(counts[name] == "0" for name in names)

    eventually(drained, 60)
    assert stack.account.version == 1
    assert [p.status for p in stack.account.purchases] == ["paid"]
    assert stack.ledger() == [("payment", 4900)]


def test_thirty_two_processors_at_once_have_one_effect(stack: Stack) -> None:
    notification = mock.minimise(json.dumps(stack.recorded("purchase.updated")).encode())
    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(lambda _: process(stack, DyingAws(stack.shop), notification), range(32)))
    assert sorted(outcomes) == ["applied", *["duplicate"] * 31]
    assert stack.account.version == 1
    assert stack.ledger() == [("payment", 4900)]


def test_different_events_of_one_user_at_once_all_count(stack: Stack) -> None:
    names = ["subscription.created", "payment.succeeded", "subscription.updated.past_due", "payment.failed"]
    events = [
        stack.recorded("purchase.updated", id=f"pur_{n}{stack.user}") | {"id": f"evt_{n}{stack.user}"} for n in range(4)
    ]
    events += [stack.recorded(name) for name in names]
    process(stack, DyingAws(stack.shop), mock.minimise(json.dumps(events[4]).encode()))
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda event: process(stack, DyingAws(stack.shop), mock.minimise(json.dumps(event).encode())), events
            )
        )
    account = stack.account
    assert len(account.purchases) == 4
    (subscription,) = account.subscriptions
    assert subscription.status == "past_due"
    assert subscription.dunning is not None
    assert len(subscription.payments) == 1
    assert account.version == 8, "each event was one write, and none was lost"


def process(stack: Stack, aws: Aws, notification: Notification) -> str:
    """What a processor's environment does with one message."""
    engine = stack.shop.engine
    accounts = AccountStore(aws, engine.resource("AccountsTable"), engine.resource("PaymentEventsTable"))
    plans = PlanStore(aws, engine.resource("PlansTable"))
    applier = Applier(accounts, plans, lambda _: pytest.fail("nothing has to be read"))
    events = PaymentEventStore(aws, engine.resource("PaymentEventsTable"))
    now = int(time.time())
    return Processor(applier, events, livemode=False).process(notification, Delivery(received_at=now), now)


def test_what_is_over_leaves_the_range_that_is_read_and_is_still_paid_back(
    stack: Stack, eventually: Eventually
) -> None:
    """The processor may delete what it moves; a refund of the oldest finds it there."""
    plans = PlanStore(DyingAws(stack.shop), stack.shop.engine.resource("PlansTable")).catalogue()
    now, number = int(time.time()), 30
    terms = [month_ago(n, now, stack.user) for n in range(1, number + 1)]

    def bought(before: Account) -> Consequences:
        return consequences(before, before.put(*terms), plans, now)

    stack.accounts.change(stack.user, bought)
    assert stack.account.whole
    events = [stack.recorded("subscription.created"), stack.recorded("payment.succeeded")]
    refund = stack.recorded("refund.created", payment=terms[-1].purchase_id, amount_cents=100)
    for event in (*events, refund):
        assert stack.deliver(event) == 200
        eventually(stack.settled(event), 60)
    assert len(stack.account.terms) <= AT_HAND
    whole = stack.accounts.load(stack.user, whole=True)
    assert len(whole.terms) == number
    found = whole.payment("mock", terms[-1].purchase_id)
    assert found is not None
    assert found[0].record in whole.behind
    assert found[1].refunded_cents == 100
    assert ("refund", -100) in stack.ledger()


def month_ago(number: int, now: int, user: str) -> Term:
    """A month that was prepaid so many months ago."""
    at = now - (number + 1) * 31 * 86_400
    return Term(
        provider="mock",
        purchase_id=f"inv_{number}_{user}",
        plan_id="pro-month",
        plan_version=1,
        state="paid",
        amount_cents=1900,
        currency="USD",
        observed_at=at,
        created_at=at,
        payment=Payment(payment_id=f"inv_{number}_{user}", amount_cents=1900, currency="USD", paid_at=at),
    )


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
def test_killed_at_any_call_and_delivered_again_it_ends_the_same(shop_engine: Shop, answered: bool) -> None:
    names = ["subscription.created", "payment.succeeded", "subscription.updated.past_due", "subscription.deleted"]
    survived = Stack(shop_engine)
    for die_at in itertools.count(1):
        stack = Stack(shop_engine)
        kills = 0
        for name in names:
            notification = mock.minimise(json.dumps(stack.recorded(name)).encode())
            try:
                process(stack, DyingAws(shop_engine, die_at, answered=answered), notification)
            except Killed:
                kills += 1
                assert process(stack, DyingAws(shop_engine), notification) in ("applied", "duplicate")
        assert essence(stack) == (essence(survived) if survived.account.version else essence(stack))
        survived = stack
        if not kills:
            break
    assert die_at > 3, "the processor makes at least three calls, and died at each"


def essence(stack: Stack) -> Any:
    """The account and its ledger without the ids of their user."""
    account = stack.account
    text = repr(sorted(account.records.items())).replace(stack.user, "").replace(stack.user[-12:], "")
    return account.version, text, stack.ledger()


def test_processes_killed_while_they_work_lose_nothing(
    stack: Stack, impatient_queue: str, eventually: Eventually
) -> None:
    events = [
        stack.recorded("purchase.updated", id=f"pur_{n}{stack.user}") | {"id": f"evt_{n}{stack.user}"}
        for n in range(12)
    ]
    with ThreadPoolExecutor(4) as pool:
        sent = pool.map(stack.deliver, events)
        killed = 0
        for _ in range(6):
            time.sleep(0.25)
            killed += stack.shop.engine.kill_workers(PROCESSOR)
        assert set(sent) == {200}
    assert killed
    eventually(stack.settled(*events), 60)
    assert len(stack.account.purchases) == 12
    assert stack.ledger() == [("payment", 4900)] * 12


@contextmanager
def without_rights(shop: Shop) -> Iterator[None]:
    """The processor may do nothing meanwhile: every call to its tables fails."""
    iam = shop.engine.client("iam")
    role = shop.engine.resource(f"{PROCESSOR}Role")
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def test_a_store_that_fails_for_a_while_loses_nothing(
    stack: Stack, impatient_queue: str, eventually: Eventually
) -> None:
    events = [
        stack.recorded("purchase.updated", id=f"pur_{n}{stack.user}") | {"id": f"evt_{n}{stack.user}"} for n in range(3)
    ]
    with without_rights(stack.shop):
        log = len(stack.shop.engine.logs(PROCESSOR))
        assert {stack.deliver(event) for event in events} == {200}

        def refused_twice() -> bool:
            return stack.shop.engine.logs(PROCESSOR)[log:].count("REPORT RequestId") >= 2

        eventually(refused_twice, 30)
        assert stack.account.version == 0
    eventually(stack.settled(*events), 60)
    assert stack.ledger() == [("payment", 4900)] * 3


def test_poison_ends_in_the_dead_letter_queue_with_its_cause_and_can_be_redriven(
    stack: Stack, impatient_queue: str, eventually: Eventually
) -> None:
    engine = stack.shop.engine
    purchase = stack.recorded("purchase.updated")
    refund = stack.recorded("refund.created", payment=purchase["data"]["id"])
    assert stack.deliver(refund) == 200
    sqs, dead = engine.client("sqs"), engine.resource("PaymentEventsDlq")

    def buried() -> list[dict[str, Any]]:
        found = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        return [message for message in found if json.loads(message["Body"])["event_id"] == refund["id"]]

    (message, *_) = eventually(buried, 60)
    event = stack.event(refund)
    assert event is not None
    assert event.status == "failed"
    assert event.reason == f"mock payment {purchase['data']['id']} is not known yet, and reading it did not help"
    # What was missing arrives, and the dead letter is sent again.
    assert stack.deliver(purchase) == 200
    eventually(stack.settled(purchase), 30)
    sqs.send_message(QueueUrl=impatient_queue, MessageBody=message["Body"])
    eventually(stack.settled(refund), 30)
    assert stack.ledger() == [("payment", 4900), ("refund", -1000)]
    sqs.purge_queue(QueueUrl=dead)
