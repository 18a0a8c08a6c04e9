"""Sends signed payment events to the local engine, repeated and shuffled, with --faults under injected faults.

    make load                                       # 200 users, about 800 events
    make load ARGS="--users 1200 --faults"          # ten thousand events, some minutes
    make load ARGS="--users 40 --faults --outage 6" # Stripe does not answer for six hours, at sixty times the speed

The events come from the mock provider and from Stripe's stand-in, whose account also sells another product. Some are
sent two or three times. With --faults, workers of the processor and the publisher are killed, calls to store, queue and
bus may be throttled, refused, cut off, delayed or performed without an answer (`local.faults`), and Stripe accepts
calls but does not answer for a while (--hang). At the end no event may be lost or counted twice, the ledger must agree
with the provider for every payment, and the rollups with the ledger. Everything runs on loopback and shares this
machine's cores, so the latencies say nothing about AWS.
"""

import argparse
import json
import random
import re
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from benchmarks.books import booked, differences, doubles, reported, rollups_agree
from benchmarks.stripe_lives import ODD, StripeLives
from billing.aws import Aws
from billing.intake.dead_letters import DeadLetters
from billing.store.metrics import MetricsStore
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore
from demo.shop import Owner, Shop, open_shop
from fakes.base import Fault, Request, Webhooks, post

PROCESSOR, PUBLISHER = "ProcessPaymentEventsFunction", "PublishChangesFunction"
# What may happen to a subscription and its payment after the purchase.
FATES = ("stay", "stay", "renew", "renew", "cancel", "fail", "refund", "dispute", "refund+fail-refund", "dispute+win")
# Seconds after which the messages of a killed worker return to the queue; the template's three minutes would make a run
# long. Most batches take less, even with a silent provider.
_VISIBILITY_SECONDS = 20
# One user in three buys at Stripe; after every fourth of those the account sells another product once.
_AT_STRIPE, _FOREIGN = 3, 4
# Longer than the timeout of our calls.
_SILENT_SECONDS = 30.0
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Message:
    """A provider's event; `key` is its id in our store."""

    key: str
    url: str
    content: Any
    webhooks: Webhooks


@dataclass(slots=True)
class Report:
    events: int = 0
    deliveries: int = 0
    refused: int = 0
    accepted: int = 0
    settled: int = 0
    repeats: int = 0
    redriven: int = 0
    lost: int = 0
    double: int = 0
    wrong_books: list[str] = field(default_factory=list)
    ledger_lines: int = 0
    waited: list[float] = field(default_factory=list)
    waiting_at_most: int = 0
    held_up: set[str] = field(default_factory=set)
    innocent: list[float] = field(default_factory=list)
    seconds: float = 0.0
    kills: int = 0
    troubles: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        every_event = self.events == self.accepted == self.settled
        return every_event and not (self.lost or self.double or self.wrong_books)

    def text(self) -> str:
        rows: list[tuple[str, object]] = [
            ("events", self.events),
            ("deliveries, with repeats", self.deliveries),
            ("tries not accepted by the webhook", self.refused),
            ("accepted", self.accepted),
            ("settled, once each", self.settled),
            ("repeats without effect", self.repeats),
            ("dead letters sent back", self.redriven),
            ("LOST", self.lost),
            ("DOUBLE", self.double),
            ("ledger lines", self.ledger_lines),
            ("messages waiting, at most", self.waiting_at_most),
            ("held up by a silent provider", len(self.held_up)),
            ("… and processed without help", len(self.held_up) - min(self.redriven + self.lost, len(self.held_up))),
            ("accept to open, p50", f"{_share(self.waited, 50):.2f} s"),
            ("accept to open, p99", f"{_share(self.waited, 99):.2f} s"),
            ("… of the mock provider, p50", f"{_share(self.innocent, 50):.2f} s"),
            ("… of the mock provider, p99", f"{_share(self.innocent, 99):.2f} s"),
            ("seconds", f"{self.seconds:.0f}"),
            ("events per second", f"{self.events / max(self.seconds, 0.001):.1f}"),
            ("workers killed", self.kills),
            *((f"calls: {name}", count) for name, count in sorted(self.troubles.items())),
            *((f"failed {times} times", cause) for cause, times in self.causes.most_common(8)),
            (
                "books",
                "ledger, rollups and provider agree" if not self.wrong_books else f"{len(self.wrong_books)} differ",
            ),
            *(("differs", difference) for difference in self.wrong_books[:20]),
        ]
        return "\n".join(f"{name:38}{value}" for name, value in rows)


def _share(seconds: list[float], percent: int) -> float:
    """The percentile of these durations; 0 without any."""
    ordered = sorted(seconds) or [0.0]
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


@contextmanager
def in_background(work: Callable[[], None], stop: threading.Event) -> Iterator[None]:
    """Runs `work` in a thread during the block, then sets `stop` and waits for the thread."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class Load:
    """One run against an open shop; `report` fills as it goes."""

    shop: Shop
    chance: random.Random
    report: Report
    progress: Progress

    def run(self, users: int, *, trouble_seed: int | None, patience: float, hang: float = 0.0) -> None:
        aws = Owner(self.shop.engine)
        messages, names, lives = self.happen(users, aws)
        self.progress(f"{len(messages)} events of {users} users")
        began = time.monotonic()
        if trouble_seed is None:
            accepted = self.send(messages)
        else:
            with self.faults(trouble_seed), self.silence(hang), self.watching(aws):
                accepted = self.send(messages)
                self.drain(aws, patience)
        self.settle(aws, accepted, patience)
        self.report.seconds = time.monotonic() - began
        self.read_log(accepted)
        self.check_books(aws, set(names), lives, patience)

    def happen(self, users: int, aws: Aws) -> tuple[list[Message], list[str], StripeLives]:
        """Simulates users at the providers; returns the events to send, the users, and the simulation at Stripe."""
        names = [f"usr_{uuid.UUID(int=self.chance.getrandbits(128)).hex}" for _ in range(users)]
        at_stripe = names[::_AT_STRIPE]
        mock, stripe = self.shop.mock.webhooks, self.shop.stripe.webhooks
        since = len(mock.deliveries), len(stripe.deliveries)
        mock.hold = stripe.hold = True
        self._live_at_mock([name for name in names if name not in at_stripe])
        catalogue = PlanStore(aws, self.shop.engine.resource("PlansTable")).catalogue()
        plus, pro = catalogue.get("plus-month"), catalogue.get("pro-month")
        if plus is None or pro is None:
            raise RuntimeError("the shop lacks the plans plus-month and pro-month")
        lives = StripeLives(self.shop.stripe, (plus, pro))
        # Every fate once, then random ones.
        fates = [*StripeLives.FATES, *self.chance.choices(StripeLives.FATES, k=len(at_stripe))]
        for number, (name, fate) in enumerate(zip(at_stripe, fates, strict=False)):
            lives.live(name, fate)
            if number % _FOREIGN == 0:
                lives.another_product(ODD[number // _FOREIGN % len(ODD)])
        messages = [Message(f"mock#{d.message['id']}", d.url, d.message, mock) for d in mock.take_held(since[0])]
        deliveries = stripe.take_held(since[1])
        messages += [Message(f"stripe#{d.message['event']['id']}", d.url, d.message, stripe) for d in deliveries]
        return messages, names, lives

    def _live_at_mock(self, names: list[str]) -> None:
        mock = self.shop.mock
        plan = next(p for p in self.shop.call("GET", "/billing/plans").json()["plans"] if p["plan_id"] == "plus-month")
        for name in names:
            order = {
                **{key: plan[key] for key in ("plan_id", "currency", "interval")},
                "plan_version": plan["version"],
                "plan_name": plan["name"],
                "amount_cents": plan["price_cents"],
                "checkout_id": f"chk_{name}",
                "user_id": name,
                "trial_days": 0,
                "success_url": "http://127.0.0.1/",
                "cancel_url": "http://127.0.0.1/",
                "expires_at": mock.clock.now() + 3600,
            }
            request = Request(method="POST", path="/api/checkouts", query={}, body=json.dumps(order).encode())
            session = json.loads(mock.create_checkout(request).body)["id"]
            mock.pay(session)
            subscription = mock.objects[session]["subscription"]
            paid = next(o["id"] for o in reversed(mock.objects.values()) if o["object"] == "payment")
            for act in self.chance.choice(FATES).split("+"):
                if act != "stay":
                    mock.act(subscription if act in ("renew", "cancel", "fail") else paid, act)

    def send(self, messages: list[Message]) -> dict[str, float]:
        """Delivers the shuffled events, a fifth of them repeatedly; returns when each was first accepted."""
        repeated = [m for m in messages for _ in range(self.chance.choice((1, 1, 1, 1, 1, 1, 1, 1, 2, 3)))]
        self.chance.shuffle(repeated)
        accepted: dict[str, float] = {}
        lock, report = threading.Lock(), self.report
        report.events, report.deliveries = len(messages), len(repeated)
        sent = 0

        def deliver(message: Message) -> None:
            nonlocal sent
            webhooks = message.webhooks
            for _ in range(60):  # like a provider, until the answer is 2xx
                body, headers = webhooks.render(message.content, 0, webhooks.clock.now())
                status = post(message.url, body, headers)
                with lock:
                    if 200 <= status < 300:
                        accepted.setdefault(message.key, time.time())
                        sent += 1
                        if sent % 500 == 0:
                            self.progress(f"{sent} of {len(repeated)} deliveries")
                        return
                    report.refused += 1
                time.sleep(0.5)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(deliver, repeated))
        report.accepted = len(accepted)
        return accepted

    @contextmanager
    def faults(self, seed: int) -> Iterator[None]:
        """Enables all faults of `local.faults`, and repeatedly kills workers during their work."""
        engine, stop = self.shop.engine, threading.Event()
        sqs, queue = engine.client("sqs"), engine.resource("PaymentEventsQueue")
        name = "VisibilityTimeout"
        before = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name]
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: str(_VISIBILITY_SECONDS)})
        killing = random.Random(seed)  # noqa: S311 no secret

        def kill() -> None:
            while not stop.wait(killing.uniform(2, 15)):
                self.report.kills += engine.kill_workers(killing.choice((PROCESSOR, PUBLISHER)))

        try:
            with engine.trouble(seed) as trouble, in_background(kill, stop):
                yield
            self.report.troubles = trouble.counts
        finally:
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: before})

    @contextmanager
    def silence(self, seconds: float) -> Iterator[None]:
        """Stripe accepts every call but does not answer for `seconds`; it performs the calls later."""
        stripe, came_back = self.shop.stripe, threading.Event()

        def come_back() -> None:
            came_back.wait(seconds)
            stripe.faults = []

        stripe.faults = [Fault("slow", times=sys.maxsize, seconds=_SILENT_SECONDS)] if seconds else []
        with in_background(come_back, came_back):
            yield

    @contextmanager
    def watching(self, aws: Aws) -> Iterator[None]:
        """Records the greatest number of waiting messages."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.5):
                self.report.waiting_at_most = max(self.report.waiting_at_most, self._waiting(aws))

        with in_background(watch, stop):
            yield

    def drain(self, aws: Aws, patience: float) -> None:
        """Waits until the queue is empty."""
        deadline, looked = time.monotonic() + patience, 0
        while (waiting := self._waiting(aws)) and time.monotonic() < deadline:
            if looked % 10 == 0:
                self.progress(f"{waiting} messages wait in the queue")
            looked += 1
            time.sleep(1)

    def settle(self, aws: Aws, accepted: dict[str, float], patience: float) -> None:
        """Waits for the queue, sends dead letters back, and counts the settled events."""
        events = PaymentEventStore(aws, self.shop.engine.resource("PaymentEventsTable"))
        urls = (self.shop.engine.resource(name) for name in ("PaymentEventsDlq", "PaymentEventsQueue"))
        letters = DeadLetters(aws, *urls, events)
        for _ in range(5):
            self.drain(aws, patience)
            dead = letters.redrive(dry_run=False)
            if not dead:
                break
            self.report.redriven += len(dead)
            self.progress(f"{len(dead)} dead letters sent back")
        self.report.settled = sum(self._settled(aws, list(accepted)))
        self.report.lost = len(accepted) - self.report.settled

    def _waiting(self, aws: Aws) -> int:
        names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
        queue = self.shop.engine.resource("PaymentEventsQueue")
        answer = aws.call("sqs", "get_queue_attributes", QueueUrl=queue, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def _settled(self, aws: Aws, event_ids: list[str]) -> Iterator[bool]:
        table = self.shop.engine.resource("PaymentEventsTable")
        for start in range(0, len(event_ids), 100):
            keys = [{"event_id": {"S": event_id}} for event_id in event_ids[start : start + 100]]
            answer = aws.call("dynamodb", "batch_get_item", RequestItems={table: {"Keys": keys}})
            for event in answer["Responses"][table]:
                yield event["status"]["S"] in ("processed", "ignored")

    def read_log(self, accepted: dict[str, float]) -> None:
        """Reads from the processor's log how long these events took, repeats, and why tries failed."""
        report = self.report
        for line in self.shop.engine.logs(PROCESSOR).splitlines():
            if not (line.startswith("{") and '"event_id"' in line):
                continue
            entry = json.loads(line)
            event_id = str(entry.get("event_id", ""))
            if event_id not in accepted:
                continue
            if entry["message"] == "failed":
                # Ids are replaced, so that equal causes are counted together.
                report.causes[re.sub(r"\w+_\w{8,}", "…", entry["reason"])] += 1
            elif entry["message"] == "waiting" and entry.get("provider") == "stripe":
                report.held_up.add(event_id)
            elif entry.get("outcome") == "duplicate":
                report.repeats += 1
            elif entry.get("outcome") == "applied":
                done = datetime.fromisoformat(entry["timestamp"]).timestamp()
                took = max(0.0, done - accepted[event_id])
                report.waited.append(took)
                if event_id.startswith("mock#"):
                    report.innocent.append(took)

    def check_books(self, aws: Aws, users: set[str], lives: StripeLives, patience: float) -> None:
        """Compares the ledger with the providers' charges and refunds, and the rollups with the ledger."""
        engine, report = self.shop.engine, self.report
        metrics = MetricsStore(aws, engine.resource("MetricsTable"), engine.resource("AccountsTable"))
        deadline = time.monotonic() + patience
        while True:
            lines = [line for page in metrics.ledger() for line in page]
            agree = rollups_agree(metrics, lines)
            if agree or time.monotonic() > deadline:
                break
            self.progress("the rollups are not complete yet")
            time.sleep(3)
        report.ledger_lines = sum(user in users for user, _ in lines)
        report.double = doubles(lines)
        theirs = reported(self.shop.mock.objects.values(), users) + lives.reported(users)
        report.wrong_books += differences(booked(lines, users), theirs)
        if not agree:
            report.wrong_books.append("the rollups differ from the ledger")


def run(
    shop: Shop, users: int, *, seed: int, faults: bool, patience: float, progress: Progress, hang: float = 0.0
) -> Report:
    """Runs the load against an open shop. The seed decides what happens to users, and which faults are drawn."""
    load = Load(shop, random.Random(seed), Report(), progress)  # noqa: S311 no secret
    load.run(users, trouble_seed=seed if faults else None, patience=patience, hang=hang)
    return load.report


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--users", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--faults", action="store_true")
    options.add_argument("--hang", type=float, default=45, help="seconds without an answer by Stripe, with --faults")
    options.add_argument("--outage", type=float, help="instead of --hang: hours without an answer, run as minutes")
    options.add_argument("--patience", type=float, default=1800, help="seconds to wait for the last event")
    chosen = options.parse_args()
    began = time.monotonic()

    def progress(step: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {step}", flush=True)

    # At sixty times the speed, the first wait of a minute becomes a second.
    scaled = {"FirstWaitSeconds": "1"} if chosen.outage else {}
    with open_shop(parameters=scaled, progress=progress) as shop:
        report = run(
            shop,
            chosen.users,
            seed=chosen.seed,
            faults=chosen.faults,
            patience=chosen.patience,
            hang=chosen.outage * 60 if chosen.outage else chosen.hang,
            progress=progress,
        )
    print(report.text())
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    main()
