"""Signed payment events at the local engine: bursts, duplicates, shuffles, and with --faults workers that are killed.

    python benchmarks/load.py                      # 200 users, about 800 events
    python benchmarks/load.py --users 2500         # ten thousand events, some minutes
    python benchmarks/load.py --users 500 --faults

Every event is sent by the mock provider's rules, signed, some of them twice or thrice and in any order. At the end
nothing may be lost, the ledger must say what the provider charged and refunded, and the rollups what the ledger says.
Runs on loopback alone. Latencies are this machine's, where everything shares its cores: no figure for AWS.
"""

import argparse
import json
import os
import random
import re
import statistics
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "layers" / "billing"), str(ROOT / "ops")]

from billing.aws import Aws  # noqa: E402
from billing.rollups import counters  # noqa: E402
from billing.store.metrics import MetricsStore  # noqa: E402
from demo.shop import Shop, open_shop  # noqa: E402
from fakes.base import Request, post  # noqa: E402

PROCESSOR, PUBLISHER = "ProcessPaymentEventsFunction", "PublishChangesFunction"
# What may happen to a subscription after it was bought, and to its payment.
FATES = ("stay", "stay", "renew", "renew", "cancel", "fail", "refund", "dispute", "refund+fail-refund", "dispute+win")


@dataclass(slots=True)
class Report:
    events: int = 0
    deliveries: int = 0
    accepted: int = 0
    settled: int = 0
    duplicates: int = 0
    dead: int = 0
    lost: int = 0
    wrong_books: list[str] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    seconds: float = 0.0
    kills: int = 0
    causes: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        return not (self.lost or self.dead or self.wrong_books)

    def text(self) -> str:
        waited = sorted(self.waited) or [0.0]
        p99 = waited[min(len(waited) - 1, len(waited) * 99 // 100)]
        rows = [
            ("events", self.events),
            ("deliveries, with repeats", self.deliveries),
            ("accepted", self.accepted),
            ("settled, once each", self.settled),
            ("repeats without effect", self.duplicates),
            ("dead-lettered", self.dead),
            ("LOST", self.lost),
            ("workers killed", self.kills),
            ("accept to open, p50", f"{statistics.median(waited):.2f} s"),
            ("accept to open, p99", f"{p99:.2f} s"),
            ("events per second", f"{self.events / max(self.seconds, 0.001):.0f}"),
            ("books", "agree" if not self.wrong_books else "; ".join(self.wrong_books)),
        ]
        told = [*rows, *((f"failed {times} times", cause) for cause, times in self.causes.most_common(5))]
        return "\n".join(f"{name:26}{value}" for name, value in told)


def happen(shop: Shop, users: int, chance: random.Random) -> tuple[list[Any], list[str]]:
    """Lets users buy and live on at the provider; the events it would send, and who they are of."""
    mock, names = shop.mock, [f"usr_{uuid.UUID(int=chance.getrandbits(128)).hex}" for _ in range(users)]
    known, mock.webhooks.hold = len(mock.webhooks.deliveries), True
    plan = next(p for p in shop.call("GET", "/billing/plans").json()["plans"] if p["plan_id"] == "plus-month")
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
        things = [o for o in mock.objects.values() if o["object"] == "payment"]
        paid = next(o["id"] for o in things if o["subscription"] == subscription)
        for act in chance.choice(FATES).split("+"):
            if act != "stay":
                mock.act(subscription if act in ("renew", "cancel", "fail") else paid, act)
    mine, mock.webhooks.deliveries[known:] = mock.webhooks.deliveries[known:], []
    mock.webhooks._held.clear()
    mock.webhooks.hold = False
    return [(delivery.url, delivery.message) for delivery in mine], names


def send(shop: Shop, messages: list[Any], chance: random.Random, report: Report) -> dict[str, float]:
    """Delivers in bursts, shuffled, a fifth of them repeatedly; when each event was accepted first."""
    repeated = [m for m in messages for _ in range(chance.choice((1, 1, 1, 1, 1, 1, 1, 1, 2, 3)))]
    chance.shuffle(repeated)
    accepted: dict[str, float] = {}
    lock = threading.Lock()

    def deliver(found: Any) -> None:
        url, message = found
        for _ in range(20):  # as a provider would: until it is answered with 2xx
            body, headers = shop.mock.webhooks.render(message, 0, shop.mock.clock.now())
            if 200 <= post(url, body, headers) < 300:
                with lock:
                    accepted.setdefault(json.loads(body)["id"], time.time())
                return
            time.sleep(0.5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deliver, repeated))
    report.events, report.deliveries, report.accepted = len(messages), len(repeated), len(accepted)
    return accepted


@contextmanager
def faults(shop: Shop, chance: random.Random, report: Report) -> Iterator[None]:
    """Kills the processor's and the publisher's workers in the middle of their work, again and again."""
    engine, stop = shop.engine, threading.Event()
    sqs, queue = engine.client("sqs"), engine.resource("PaymentEventsQueue")
    name = "VisibilityTimeout"
    before = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name]
    # What a killed worker held comes back soon: the run need not wait for three minutes each time.
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: "10"})

    def trouble() -> None:
        while not stop.wait(chance.uniform(0.5, 3)):
            report.kills += engine.kill_workers(chance.choice((PROCESSOR, PUBLISHER)))

    thread = threading.Thread(target=trouble, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: before})


def settle(shop: Shop, aws: Aws, accepted: dict[str, float], report: Report, patience: float) -> None:
    """Waits until every accepted event is settled or dead, then counts."""
    table, dlq = shop.engine.resource("PaymentEventsTable"), shop.engine.resource("PaymentEventsDlq")
    missing, deadline = set(accepted), time.monotonic() + patience
    while missing and time.monotonic() < deadline:
        missing -= {event_id for event_id in list(missing) if _settled(aws, table, event_id)}
        time.sleep(1)
    names = ["ApproximateNumberOfMessages"]
    dead = aws.call("sqs", "get_queue_attributes", QueueUrl=dlq, AttributeNames=names)["Attributes"][names[0]]
    report.settled, report.dead = len(accepted) - len(missing), int(dead)
    report.lost = max(0, len(missing) - report.dead)
    for line in shop.engine.logs(PROCESSOR).splitlines():
        if line.startswith("{") and '"event_id"' in line:
            said = json.loads(line)
            event_id = str(said.get("event_id", "")).removeprefix("mock#")
            if event_id in accepted and said["message"] == "failed":
                # Ids differ from event to event; what is told apart is the kind of trouble.
                report.causes[re.sub(r"\w+_\w{8,}", "…", said["reason"])] += 1
            elif event_id in accepted and said.get("outcome") == "duplicate":
                report.duplicates += 1
            elif event_id in accepted and said.get("outcome") == "applied":
                done = datetime.strptime(said["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
                report.waited.append(max(0.0, done - accepted[event_id]))


def _settled(aws: Aws, table: str, event_id: str) -> bool:
    key = {"event_id": {"S": f"mock#{event_id}"}}
    found = aws.call("dynamodb", "get_item", TableName=table, Key=key).get("Item", {})
    return found.get("status", {}).get("S") in ("processed", "ignored")


def check_books(shop: Shop, aws: Aws, users: list[str], report: Report, patience: float) -> None:
    """The ledger says what the provider charged and refunded, and the rollups say what the ledger says."""
    engine, ours = shop.engine, set(users)
    metrics = MetricsStore(aws, engine.resource("MetricsTable"), engine.resource("AccountsTable"))
    deadline = time.monotonic() + patience
    while True:
        stored = [line for page in metrics.ledger() for line in page]
        agree = counters(line for _, line in stored) == metrics.everything(metrics.generations().reading)
        if agree or time.monotonic() > deadline:
            break
        time.sleep(1)
    if not agree:
        report.wrong_books.append("the rollups differ from the ledger")
    booked: Counter[str] = Counter()
    for user, line in stored:
        if user in ours:
            booked[line.kind] += line.amount_cents
    charged: Counter[str] = Counter()
    things = [o for o in shop.mock.objects.values() if o.get("user_id") in ours]
    for thing in things:
        if thing["object"] in ("payment", "refund", "dispute"):
            gone = thing.get("status") in ("failed", "won")
            charged[thing["object"]] += 0 if gone else thing["amount_cents"]
    pairs = [
        ("payments", booked["payment"], charged["payment"]),
        ("refunds", -booked["refund"] - booked["refund_failed"], charged["refund"]),
        ("chargebacks", -booked["dispute"] - booked["dispute_won"], charged["dispute"]),
    ]
    live = [o for o in things if o["object"] == "subscription" and o["status"] in ("active", "past_due")]
    pairs.append(("monthly revenue", booked["mrr"], sum(s["amount_cents"] for s in live)))
    report.wrong_books += [
        f"{name}: booked {ours_}, provider says {theirs}" for name, ours_, theirs in pairs if ours_ != theirs
    ]


def run(shop: Shop, users: int, *, seed: int, with_faults: bool, patience: float) -> Report:
    chance, report = random.Random(seed), Report()  # noqa: S311 a load, no secret
    os.environ |= {
        "AWS_ENDPOINT_URL": shop.engine.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    aws = Aws("dynamodb", "sqs")
    messages, names = happen(shop, users, chance)
    began = time.monotonic()
    if with_faults:
        with faults(shop, chance, report):
            accepted = send(shop, messages, chance, report)
            time.sleep(5)
    else:
        accepted = send(shop, messages, chance, report)
    settle(shop, aws, accepted, report, patience)
    report.seconds = time.monotonic() - began
    check_books(shop, aws, names, report, patience)
    return report


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--users", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--faults", action="store_true")
    options.add_argument("--patience", type=float, default=600, help="seconds to wait for the last event")
    chosen = options.parse_args()
    with open_shop(progress=print) as shop:
        report = run(shop, chosen.users, seed=chosen.seed, with_faults=chosen.faults, patience=chosen.patience)
    print(report.text())
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    main()
