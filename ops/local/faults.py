"""Faults between the functions and AWS: a proxy before the emulator that refuses, delays, cuts off and loses answers.

`Faults` runs the proxy in its own process, so that it takes no time from the engine's. The faults are drawn from a
seed, but which call gets which fault depends on the order of the calls. Only calls of DynamoDB, SQS and EventBridge
fail. About every 20 seconds there is an outage of a second in which *every* such call fails, so that a client's own
retries do not help.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Self

from .host import LOOPBACK
from .worker import LoopbackServer, Outcome

# Percentage of calls that meet each fault. With the first three the call is not performed; with the others it is.
CHANCES = {
    "throttled": 1.5,
    "broken": 1.0,
    "cut off": 0.7,
    "answer lost": 1.0,
    "answered 500 after the write": 0.7,
    "late": 3.0,
    "silent until the caller gave up": 0.02,
}
# Percentage of handled batches that the queue or stream is told have failed, so that it sends them again.
BATCHES_REPEATED = 3.0
OUTAGE_EVERY, OUTAGE_SECONDS = 20.0, 1.0
_OUTAGE = ("throttled", "broken", "cut off", "answer lost", "answered 500 after the write")
_SILENT_SECONDS = 6.0  # longer than our client's read timeout
_TARGETS = ("DynamoDB_", "AmazonSQS.", "AWSEvents.")


class Faults:
    """The functions use `url` in place of the emulator's. `counts` is complete once the `with` block has ended."""

    def __init__(self, emulator_url: str, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._chance = random.Random(seed)  # noqa: S311 no secret
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local.faults", emulator_url.rpartition(":")[2], str(seed)],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = f"http://{LOOPBACK}:{self._read_port()}"

    def after_batch(self, outcome: Outcome) -> Outcome:
        """The outcome reported to a queue or stream: at random a failure, although the batch was handled."""
        with self._lock:
            if self._chance.uniform(0, 100) > BATCHES_REPEATED:
                return outcome
            self.counts["batch handed over again"] += 1
        return Outcome.failure("Sandbox.Timedout", "injected fault: the answer was lost")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        counts = self._process.communicate()[0]
        self.counts.update(json.loads(counts))

    def _read_port(self) -> str:
        if self._process.stdout is None:
            raise RuntimeError("the proxy's output is not connected")
        return self._process.stdout.readline().strip()


class _Proxy(LoopbackServer):
    def __init__(self, emulator_port: int, seed: int) -> None:
        super().__init__(_Exchange)
        self.emulator_port = emulator_port
        self.counts: Counter[str] = Counter()
        self._chance = random.Random(seed)  # noqa: S311
        self._lock = threading.Lock()
        self._outage_at = self._next_outage()

    def draw(self) -> tuple[str, float]:
        """The fault for this call, "" for none; and a random number from 0 to 1 that sets a delay or picks an error."""
        with self._lock:
            trouble = self._drawn()
            self.counts[trouble or "passed"] += 1
            return trouble, self._chance.random()

    def _drawn(self) -> str:
        now = time.monotonic()
        if now >= self._outage_at:
            if now < self._outage_at + OUTAGE_SECONDS:
                return self._chance.choice(_OUTAGE)
            self._outage_at = self._next_outage()
        place = self._chance.uniform(0, 100)
        for trouble, share in CHANCES.items():
            place -= share
            if place < 0:
                return trouble
        return ""

    def _next_outage(self) -> float:
        return time.monotonic() + self._chance.uniform(0.5, 1.5) * OUTAGE_EVERY


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Proxy

    def setup(self) -> None:
        super().setup()
        self._emulator = http.client.HTTPConnection(LOOPBACK, self.server.emulator_port)

    def finish(self) -> None:
        self._emulator.close()
        super().finish()

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = self.headers.get("X-Amz-Target", "")
        trouble, number = self.server.draw() if target.startswith(_TARGETS) else ("", 0.0)
        if trouble == "throttled":
            return self._send(400, *_throttled(target, body, number))
        if trouble == "broken":
            return self._send(500, *_BROKEN)
        if trouble == "cut off":
            return self._hang_up()
        status, headers, answer = self._forward(body)
        if trouble == "answer lost":
            return self._hang_up()
        if trouble == "answered 500 after the write":
            return self._send(500, *_BROKEN)
        if trouble:
            time.sleep(_SILENT_SECONDS if trouble.startswith("silent") else number / 2)
        return self._send(status, headers, answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_any  # noqa: N815  the names http.server looks for

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        self._emulator.request(self.command, self.path, body, dict(self.headers))
        answer = self._emulator.getresponse()
        passed_on = {"content-type", "x-amzn-requestid", "x-amz-crc32", "x-amzn-query-error"}
        headers = {name: value for name, value in answer.getheaders() if name.lower() in passed_on}
        return answer.status, headers, answer.read()

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True


_JSON = {"Content-Type": "application/x-amz-json-1.0"}
_BROKEN = (_JSON, b'{"__type": "InternalServerError", "message": "injected fault"}')


def _throttled(target: str, body: bytes, number: float) -> tuple[dict[str, str], bytes]:
    """The throttling error of the service that is called. For a transaction it can also be a conflict with another."""
    error: dict[str, object] = {"__type": "ThrottlingException", "message": "injected fault"}
    if target.endswith(".TransactWriteItems"):
        code = "TransactionConflict" if number < 0.5 else "ThrottlingError"
        reasons = [{"Code": "None"} for _ in json.loads(body)["TransactItems"]]
        reasons[int(number * 2 % 1 * len(reasons))] = {"Code": code, "Message": "injected fault"}
        error = {"__type": "TransactionCanceledException", "message": "canceled", "CancellationReasons": reasons}
    elif target.startswith("DynamoDB_"):
        error["__type"] = "ProvisionedThroughputExceededException"
    return _JSON, json.dumps(error).encode()


def main() -> None:
    """Prints its port, serves until its input ends, then prints the counts of faults as JSON."""
    proxy = _Proxy(int(sys.argv[1]), int(sys.argv[2]))
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    print(proxy.server_port, flush=True)
    sys.stdin.read()
    print(json.dumps(proxy.counts), flush=True)


if __name__ == "__main__":
    main()
