"""An event's whole way, webhook and processor, on a local AWS that keeps state; and what growth adds to it.

The functions run in this process, AWS in another: what is measured is their CPU, clients included. A shared machine
only ever adds to it (caches, clock), in phases: so the figure is that of the quietest round, each round a median.
"""

import io
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from benchmarks.calls import load
from benchmarks.cloud import SECRET, EmptyCloud
from benchmarks.environment import ROOT
from billing.aws import Aws
from billing.data import replace
from billing.rules.ended import settled
from billing.rules.past import filed
from billing.rules.plans import Plan
from billing.rules.records import Account, Payment, Purchase, Subscription, Term
from billing.rules.times import DAY
from billing.store.accounts import AccountStore
from billing.store.codec import record_to_item
from billing.store.plans import PlanStore
from local.deliveries import delivery
from local.emulator import Emulator
from local.host import free_port
from local.tables import create_tables, read_template

PLAN, PASS = "plus-month", "day-pass"
_USERS = 10
_TABLES = {
    "PlansTable": "PLANS_TABLE",
    "AccountsTable": "ACCOUNTS_TABLE",
    "PaymentEventsTable": "PAYMENT_EVENTS_TABLE",
    "MetricsTable": "METRICS_TABLE",
}


def plan(plan_id: str, features: int = 10) -> Plan:
    return Plan(
        plan_id=plan_id,
        version=1,
        name=plan_id,
        price_cents=900,
        currency="USD",
        interval="month",
        group="main" if plan_id == PLAN else plan_id,
        features={f"feature.{n}": True for n in range(features)},
    )


class LocalAws:
    """The emulator with the template's tables and a queue; one plan of so many features is for sale."""

    def __init__(self, folder: Path, stack: ExitStack, features: int) -> None:
        emulator = Emulator(free_port(), folder / "emulator.log")
        stack.callback(emulator.stop)
        create_tables(emulator.client("dynamodb"), read_template(), _TABLES)
        self.queue = emulator.client("sqs").create_queue(QueueName="payment-events")["QueueUrl"]
        variables = {**EmptyCloud().variables, **emulator.owner, "PAYMENT_EVENTS_QUEUE_URL": self.queue}
        self.variables = variables | {variable: table for table, variable in _TABLES.items()}
        self.aws = Aws(environ=emulator.owner)
        self.accounts = AccountStore(self.aws, "AccountsTable", "PaymentEventsTable")
        self.plans = PlanStore(self.aws, "PlansTable")
        self.plans.add_version(plan("free", 1))
        self.plans.add_version(plan(PLAN, features))
        self.plans.add_version(replace(plan(PASS, 1), interval="once", duration_days=1))


@contextmanager
def local_aws(features: int = 10) -> Iterator[LocalAws]:
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        local = LocalAws(Path(folder), stack, features)
        stack.enter_context(patch.dict(os.environ, local.variables))
        yield local


class Shop:
    """The two functions in a warm environment, and the queue between them."""

    def __init__(self, local: LocalAws) -> None:
        self._aws, self._queue = local.aws, local.queue
        self._webhook, self._processor = load("webhook_mock"), load("process_payment_events")

    def events(self, user: str, number: int) -> Mapping[str, dict[str, Any]]:
        """A user's subscription, its first payment, and the next one."""
        return {
            "a new subscription": _recorded("subscription.created", user, status="active", plan_id=PLAN),
            "its first payment": _recorded("payment.succeeded", user, plan_id=PLAN),
            "a further payment": _recorded("payment.succeeded", f"{user}", f"-{number}", plan_id=PLAN),
        }

    def cpu(self, event: Mapping[str, Any]) -> float:
        """Milliseconds of the webhook and of the processor for one event."""
        delivered = delivery("mock", json.dumps(event).encode(), SECRET, int(time.time()))
        spent = _cpu(self._webhook, delivered)
        (message,) = self._aws.call("sqs", "receive_message", QueueUrl=self._queue)["Messages"]
        self._aws.call("sqs", "delete_message", QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        record = {"messageId": "m", "receiptHandle": "h", "body": message["Body"], "attributes": {}}
        return spent + _cpu(self._processor, {"Records": [record]})


def _cpu(function: ModuleType, event: Mapping[str, Any]) -> float:
    with redirect_stdout(io.StringIO()):
        began = time.process_time()
        answer = function.handler(event, None)
        spent = (time.process_time() - began) * 1e3
    if answer.get("batchItemFailures") or answer.get("statusCode", 200) != 200:
        raise SystemExit(f"the event did not go through: {answer}")
    return spent


def _recorded(name: str, user: str, suffix: str = "", **changes: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / "mock" / f"{name}.json").read_text())
    thing = event["data"]
    event["id"] += f"{user}{suffix}"
    thing |= changes
    thing["user_id"] = user
    thing["id"] += user + suffix
    for member in ("subscription", "customer"):
        if member in thing:
            thing[member] += user
    return event


def report(rounds: int) -> None:
    middles: dict[str, list[float]] = {}
    with local_aws() as local:
        shop = Shop(local)
        for turn in range(rounds + 1):
            for name, spent in _round(shop, turn).items():
                middles.setdefault(name, []).append(statistics.median(spent))
    print(f"An event, webhook and processor: CPU ms on a local AWS; {rounds} rounds of {_USERS} users, each a median")
    print(f"{'':40}{'quietest':>10}{'median':>8}")
    for name, every in middles.items():
        print(f"{name:40}{min(every[1:]):10.2f}{statistics.median(every[1:]):8.2f}")


def _round(shop: Shop, turn: int) -> Mapping[str, list[float]]:
    spent: dict[str, list[float]] = {}
    for number in range(turn * _USERS, (turn + 1) * _USERS):
        for name, event in shop.events(f"usr_{number:012d}", number).items():
            spent.setdefault(name, []).append(shop.cpu(event))
        spent.setdefault("a repeat", []).append(shop.cpu(event))
    fresh = [value for name, values in spent.items() if name != "a repeat" for value in values]
    return {**spent, "events with effect together": fresh}


# --- growth ----------------------------------------------------------------------------------------------------------


_BEGAN = 1_791_000_000
_WARM = 2
_USER = "usr_growth"
# What grows, and from how much to how much: a hundred times, or what a large shop has.
GROWTH = {
    "users": (10, 1000),
    "payments of a user": (12, 1200),
    "terms of a user": (12, 600),
    "purchases of a user": (12, 600),
    "plans": (3, 300),
    "features of a plan": (10, 200),
}


def growth(rounds: int) -> None:
    """CPU of the two events of a renewal (the next period, and its payment), and the write units of their commits."""
    print("Growth: CPU ms and write units of a renewal, median of pairs; up to 1.15 it does not grow")
    print(f"{'':40}{'CPU':>8}{'units':>8}{'CPU':>9}{'units':>8}")
    for name, amounts in GROWTH.items():
        with ExitStack() as stack:
            few, many = (_Grown(stack, name, amount, max(amounts)) for amount in amounts)
            pairs = [(few.renew(n), many.renew(n)) for n in range(_WARM + 1, _WARM + 10 * rounds + 1)]
        cpu = statistics.median(less.cpu for less, _ in pairs)
        units = statistics.median(less.units for less, _ in pairs)
        more_cpu = statistics.median(more.cpu / less.cpu for less, more in pairs)
        more_units = statistics.median(more.units / less.units for less, more in pairs)
        case = f"{name}: {amounts[0]}, {amounts[1]:,}"
        print(f"{case:40}{cpu:8.2f}{units:8.0f}{more_cpu:8.2f}×{more_units:7.2f}×")


@dataclass
class Cost:
    """Milliseconds of CPU, and write units."""

    cpu: float = 0
    units: int = 0


class _Grown:
    """A shop with an AWS of its own, in which one thing has grown to an amount. It is warm when it is made."""

    def __init__(self, stack: ExitStack, name: str, amount: int, most: int) -> None:
        local = stack.enter_context(local_aws(amount if name.startswith("features") else 10))
        for n in range(amount if name == "users" else 0):
            _put(local, f"usr_other{n:08d}", 1)
        for n in range(amount - 3 if name == "plans" else 0):
            local.plans.add_version(plan(f"other-{n}"))
        _put(local, _USER, amount if name.startswith("payments") else 1)
        if name.startswith(("terms", "purchases")):
            kind = Term if name.startswith("terms") else Purchase
            _put_ended(local, _USER, [_ended(n, kind) for n in range(amount)])
        if name.endswith("of a user"):
            _put_unread(local, _USER, most - amount)
        self._shop = Shop(local)
        for n in range(1, _WARM + 1):
            self.renew(n)

    def renew(self, number: int) -> Cost:
        cost = Cost()
        with _counted(cost):
            for event in _renewal(_USER, number):
                cost.cpu += self._shop.cpu(event)
        return cost


def _renewal(user: str, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The next period of a subscription, and its payment."""
    period: dict[str, Any] = {f"{name}_start": _BEGAN + number * DAY for name in ("current_period", "period")}
    period |= {f"{name}_end": _BEGAN + (number + 1) * DAY for name in ("current_period", "period")}
    renewed = _recorded("subscription.updated.active", user, plan_id=PLAN, **period)
    paid = _recorded("payment.succeeded", user, f"-g{number}", plan_id=PLAN, **period, paid_at=period["period_start"])
    renewed["id"] += str(number)
    renewed["created"] = paid["created"] = period["period_start"]
    return renewed, paid


def _put(local: LocalAws, user: str, payments: int) -> None:
    """A user with a subscription that was paid so often, as the store would have left it."""
    paid = {}
    for n in range(payments):
        start = _BEGAN - (payments - 1 - n) * DAY
        paid[f"in_old{n}"] = Payment(
            payment_id=f"in_old{n}",
            amount_cents=900,
            currency="USD",
            paid_at=start,
            period_start=start,
            period_end=start + DAY,
        )
    thing = _recorded("subscription.created", user)["data"]
    subscription = Subscription(
        provider="mock",
        subscription_id=thing["id"],
        customer_id=thing["customer"],
        plan_id=PLAN,
        plan_version=1,
        status="active",
        observed_at=1,
        created_at=thing["created"],
        current_period_start=_BEGAN,
        current_period_end=_BEGAN + DAY,
        payments=paid,
    )
    account, before = Account(user).put(subscription), None
    while account != before:
        before, (subscription,) = account, account.subscriptions
        account = filed(account, subscription)
    for record in account.records.values():
        local.aws.call("dynamodb", "put_item", TableName="AccountsTable", Item=record_to_item(user, record))


def _put_unread(local: LocalAws, user: str, number: int) -> None:
    """Items beside a user's records which no function reads.

    The local AWS walks through all items of a user, where DynamoDB looks at those that are asked for; and after a
    longer wait the very same instructions take longer here. So both amounts get as many items to walk through.
    """
    for n in range(number):
        beside = {"user_id": {"S": user}, "record": {"S": f"~unread#{n}"}}
        local.aws.call("dynamodb", "put_item", TableName="AccountsTable", Item=beside)


def _put_ended(local: LocalAws, user: str, bought: Sequence[Purchase]) -> None:
    """What is over, as the store would have left it."""
    left, account = True, Account(user).put(*bought)
    while left:
        moved = settled(account, local.plans.catalogue(), _BEGAN, moves=True)
        left, account = bool(moved.left), moved.account
    for key, record in account.records.items():
        stored = record_to_item(user, record, behind=key in account.behind)
        local.aws.call("dynamodb", "put_item", TableName="AccountsTable", Item=stored)


def _ended(number: int, kind: type[Purchase]) -> Purchase:
    """A month that was prepaid with bitcoin, or what was bought for a day: so many months ago, and over."""
    paid_at = _BEGAN - (number + 2) * 31 * DAY
    payment = Payment(payment_id=f"inv_old{number}", amount_cents=900, currency="USD", paid_at=paid_at)
    return kind(
        provider="btcpay",
        purchase_id=f"inv_old{number}",
        plan_id=PLAN if kind is Term else PASS,
        plan_version=1,
        state="paid",
        amount_cents=900,
        currency="USD",
        observed_at=paid_at,
        created_at=paid_at,
        payment=payment,
    )


@contextmanager
def _counted(cost: Cost) -> Iterator[None]:
    """Adds the write units of every transaction: two for each begun kilobyte of an item."""
    call = Aws.call

    def counting(self: Aws, service: str, operation: str, **request: Any) -> dict[str, Any]:
        for write in request.get("TransactItems", ()):
            item = next(iter(write.values())).get("Item", {})
            size = sum(len(name) + len(str(next(iter(value.values())))) for name, value in item.items())
            cost.units += 2 * math.ceil(max(size, 1) / 1024)
        return call(self, service, operation, **request)

    with patch.object(Aws, "call", counting):
        yield
