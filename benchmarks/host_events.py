"""Sends ten thousand webhooks to failing receivers and checks that none is lost, doubled or out of order.

    python -m benchmarks.host_events [--deliveries 10000] [--accounts 500] [--workers 8] [--seed 1]

The outbox is in the emulator's DynamoDB, the receivers are HTTP servers on this machine, and the time between tries is
simulated. A receiver answers 500, 429 or a redirect, does not answer, cuts the connection before or during its answer,
or accepts an event without confirming it; workers die between two steps. Each receiver drops events whose id it has
accepted before, as docs/webhooks-to-hosts.md requires. The latencies say nothing about AWS.
"""

import argparse
import heapq
import json
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from billing.aws import Aws
from billing.hosts.deliveries import Deliveries
from billing.hosts.outbox import HostEvents, Wakes
from billing.log import SILENT
from billing.outgoing import Reply, post
from billing.rules.host_events import EVENT_TYPES, HostEvent, of_change
from billing.rules.host_signatures import is_genuine, secret_of
from billing.store.host_events import HostEventStore
from billing.store.outbox import Delivery, Endpoint

KEY = "key-of-the-run"
TABLE = "HostEventsTable"
START = 1_790_000_000
# The ways in which a try can fail at the receiver, and the share of tries that do.
TROUBLES = ("500", "429", "redirect", "silent", "cut", "half", "taken-and-lost", "taken-and-500")
_TROUBLE_SHARE = 0.3
# Shorter than in production, so that silent receivers do not slow down the run.
_ANSWER_SECONDS = 0.3
_DEATHS = 0.01
# Simulated seconds between two searches for due lanes that have no message.
ROUND_SECONDS = 600
# Simulated seconds whose due lanes are processed together, so a lane may run that much late. Stopping at every due
# second would mean waiting thousands of times for the slowest of a few lanes.
GATHERED_SECONDS = 60


class Dead(Exception):
    """A worker was killed between two steps."""


class Receiver:
    """A host's route: records each event once, in the order of first acceptance."""

    def __init__(self, endpoint_id: str, chance: random.Random, clock: Callable[[], int]) -> None:
        self.secret = secret_of(KEY, endpoint_id, "a")
        self.taken: dict[str, list[int]] = {}
        self.ids: set[str] = set()
        self.repeats = self.forged = self.tries = 0
        self.troubles: dict[str, int] = dict.fromkeys(TROUBLES, 0)
        self._chance = chance
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        receiver = self

        class Route(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.answer(self)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Route)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/billing"

    def answer(self, route: BaseHTTPRequestHandler) -> None:
        body = route.rfile.read(int(route.headers["content-length"]))
        with self._one_at_a_time:
            trouble = self._chance.choice(TROUBLES) if self._chance.random() < _TROUBLE_SHARE else ""
            self.tries += 1
            if trouble:
                self.troubles[trouble] += 1
            if not trouble or trouble.startswith("taken"):
                self._take_in({name.lower(): value for name, value in route.headers.items()}, body)
        if trouble == "silent":
            time.sleep(_ANSWER_SECONDS + 0.2)
        elif trouble in ("cut", "taken-and-lost"):
            # A TCP reset: the sender does not see an orderly close.
            route.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            route.connection.close()
        elif trouble == "half":
            route.wfile.write(b"HTTP/1.1 200 O")
        else:
            status = {"500": 500, "429": 429, "redirect": 302, "taken-and-500": 500}.get(trouble, 204)
            route.send_response(status)
            if status == 302:
                route.send_header("location", "http://127.0.0.1:1/elsewhere")
            route.end_headers()

    def _take_in(self, headers: dict[str, str], body: bytes) -> None:
        if not is_genuine([self.secret], headers, body, self._clock()):
            self.forged += 1
            return
        event_id, data = headers["webhook-id"], json.loads(body)["data"]
        if event_id in self.ids:
            self.repeats += 1
            return
        self.ids.add(event_id)
        self.taken.setdefault(data["user_id"], []).append(data["account_version"])


class Queue(Wakes):
    """The queue of lanes in simulated time; some messages are delivered twice, some not at all."""

    def __init__(self, clock: Callable[[], int], chance: random.Random) -> None:
        self._clock = clock
        self._chance = chance
        self._waiting: list[tuple[int, float, str]] = []
        self._one_at_a_time = threading.Lock()

    def send(self, lanes: Any, delay: int = 0) -> None:
        with self._one_at_a_time:
            for lane in lanes:
                copies = self._chance.choices((1, 2, 0), (0.9, 0.07, 0.03))[0]
                for _ in range(copies):
                    heapq.heappush(self._waiting, (self._clock() + delay, self._chance.random(), lane))

    def due(self, now: int) -> list[str]:
        with self._one_at_a_time:
            lanes = []
            while self._waiting and self._waiting[0][0] <= now:
                lanes.append(heapq.heappop(self._waiting)[2])
            return lanes

    def next_at(self) -> int | None:
        with self._one_at_a_time:
            return self._waiting[0][0] if self._waiting else None


class MortalStore(HostEventStore):
    """A store whose caller sometimes dies before or after a write."""

    def __init__(self, aws: Aws, table: str, chance: random.Random) -> None:
        super().__init__(aws, table)
        self._fate = chance

    def note(self, delivery: Delivery) -> None:
        self._perhaps_die()
        super().note(delivery)
        self._perhaps_die()

    def _perhaps_die(self) -> None:
        if self._fate.random() < _DEATHS:
            raise Dead


@dataclass(slots=True)
class Report:
    deliveries: int = 0
    tries: int = 0
    repeats: int = 0
    deaths: int = 0
    lost: int = 0
    doubled: int = 0
    unordered: int = 0
    forged: int = 0
    played_seconds: int = 0
    troubles: dict[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.unordered or self.forged)


def events_of(accounts: int, each: int) -> Iterator[list[HostEvent]]:
    """Changes of accounts in the order of the stream: accounts are interleaved, each one is in order."""
    for version in range(1, each + 1):
        yield [
            of_change(
                "EntitlementsChanged",
                "entitlements",
                START,
                {"user_id": f"usr_{number}", "account_version": version},
            )
            for number in range(accounts)
        ]


def run(aws: Aws, *, deliveries: int, accounts: int, workers: int, seed: int, endpoints: int = 2) -> Report:
    """Stores and delivers all events, and continues until nothing is due."""
    chance = random.Random(seed)  # noqa: S311 reproducible, not secret
    now = START

    def clock() -> int:
        return now

    store = HostEventStore(aws, TABLE)
    queue = Queue(clock, chance)
    hosts = HostEvents(store, queue)
    receivers = {}
    for number in range(endpoints):
        endpoint_id = f"ep_{number}"
        receivers[endpoint_id] = Receiver(endpoint_id, random.Random(seed + number), clock)  # noqa: S311 as above
        store.put_endpoint(
            Endpoint(
                endpoint_id=endpoint_id,
                url=receivers[endpoint_id].url,
                description="",
                event_types=EVENT_TYPES,
                generations=("a",),
                created_at=START,
            ),
            expected=0,
        )

    def send(url: str, headers: Any, body: bytes, seconds: float) -> Reply:
        return post(url, headers, body, min(seconds, _ANSWER_SECONDS), at_home=True)

    mortal = MortalStore(aws, TABLE, chance)
    deliverer = Deliveries(mortal, queue, lambda: KEY, send, SILENT, chance.random)
    report = Report(deliveries=deliveries)

    def work(lane: str) -> None:
        try:
            deliverer.deliver(lane, clock)
        except Dead:
            report.deaths += 1

    each = deliveries // (accounts * endpoints)
    coming = events_of(accounts, each)
    with ThreadPoolExecutor(workers) as pool:
        run_all = (lambda lanes: list(pool.map(work, lanes))) if workers > 1 else (lambda lanes: [*map(work, lanes)])
        for number, batch in enumerate(coming):
            hosts.take_in(batch, now)
            hosts.take_in(batch[: accounts // 10], now)  # the stream delivers some events twice
            if number % 3 == 0:  # so that lanes hold one event, and several
                run_all(queue.due(now))
            now += 1
        while True:
            run_all(queue.due(now))
            # Like the scheduled round of every minute: finds lanes whose message was lost or whose worker died.
            lost = list(store.due(now, 10_000))
            if not lost and queue.next_at() is None and not list(store.due(now + 10**8, 1)):
                break
            if lost:
                run_all(lost)
            # Retries far in the future have no message; the round finds them.
            waits = queue.next_at()
            now += ROUND_SECONDS if waits is None else min(ROUND_SECONDS, max(waits - now, 0) + GATHERED_SECONDS)
    report.played_seconds = now - START
    for receiver in receivers.values():
        receiver.server.shutdown()
        receiver.server.server_close()
        expected = list(range(1, each + 1))
        report.tries += receiver.tries
        report.repeats += receiver.repeats
        report.forged += receiver.forged
        for name, count in receiver.troubles.items():
            report.troubles[name] = report.troubles.get(name, 0) + count
        for number in range(accounts):
            versions = receiver.taken.get(f"usr_{number}", [])
            report.lost += len(set(expected) - set(versions))
            report.doubled += len(versions) - len(set(versions))
            report.unordered += versions != sorted(versions)
    return report


@contextmanager
def _emulated() -> Iterator[Aws]:
    from local.emulator import Emulator
    from local.host import free_port
    from local.tables import create_tables, read_template

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        emulator = Emulator(free_port(), Path(folder) / "emulator.log")
        stack.callback(emulator.stop)
        create_tables(emulator.client("dynamodb"), read_template(), [TABLE])
        yield Aws(environ=emulator.owner)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.host_events")
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    started = time.monotonic()
    with _emulated() as aws:
        report = run(
            aws,
            deliveries=chosen.deliveries,
            accounts=chosen.accounts,
            workers=chosen.workers,
            seed=chosen.seed,
        )
    print(f"{report.deliveries} deliveries, {report.tries} tries, {report.deaths} workers killed,")
    print(f"{report.repeats} repeats dropped by the receivers, in {time.monotonic() - started:.0f} s")
    print(f"simulated time: {report.played_seconds / 3600:.1f} h; troubles: {report.troubles}")
    print(f"lost {report.lost}, twice {report.doubled}, out of order {report.unordered}, forged {report.forged}")
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    main()
