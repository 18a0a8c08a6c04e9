"""Trouble between the functions and AWS: a proxy before the emulator that refuses, delays, cuts off and loses answers.

`Faults` runs it as a process of its own, so that it takes no time from the engine's. What it does is drawn from a seed;
which call meets which draw depends on who comes first. Calls of DynamoDB, SQS and EventBridge meet trouble, all others
pass. For a second now and then *every* call does: no client's own retries get past that.
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from .host import LOOPBACK
from .worker import Outcome

# Of a hundred calls, about how many meet each trouble; the first three perform nothing, the others do.
CHANCES = {
    "throttled": 1.5,
    "broken": 1.0,
    "cut off": 0.7,
    "answer lost": 1.0,
    "answered 500 after the write": 0.7,
    "late": 3.0,
    "silent until the caller gave up": 0.02,
}
# Of a hundred batches that a queue or stream handed over and that were done, how many come again all the same.
BATCHES_REPEATED = 3.0
OUTAGE_EVERY, OUTAGE_SECONDS = 20.0, 1.0
_OUTAGE = ("throttled", "broken", "cut off", "answer lost", "answered 500 after the write")
_SILENT_SECONDS = 6.0  # longer than our client's read timeout
_TARGETS = ("DynamoDB_", "AmazonSQS.", "AWSEvents.")


class Faults:
    """`url` in place of the emulator's, for the functions; `counts` says after the end what was done."""

    def __init__(self, emulator_url: str, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._chance = random.Random(seed)  # noqa: S311 trouble, no secret
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local.faults", emulator_url.rpartition(":")[2], str(seed)],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = f"http://{LOOPBACK}:{self._said()}"

    def after_batch(self, outcome: Outcome) -> Outcome:
        """What a queue or stream is told of a batch: now and then that it failed, whatever became of it."""
        with self._lock:
            if self._chance.uniform(0, 100) > BATCHES_REPEATED:
                return outcome
            self.counts["batch handed over again"] += 1
        return Outcome.failure("Sandbox.Timedout", "the answer was lost, as it was told to be")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        said, _ = self._process.communicate()
        self.counts.update(json.loads(said))

    def _said(self) -> str:
        if self._process.stdout is None:
            raise RuntimeError("the proxy's output is not connected")
        return self._process.stdout.readline().strip()


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, emulator_port: int, seed: int) -> None:
        super().__init__((LOOPBACK, 0), _Exchange)
        self.emulator_port = emulator_port
        self.counts: Counter[str] = Counter()
        self._chance = random.Random(seed)  # noqa: S311
        self._lock = threading.Lock()
        self._outage_at = self._next_outage()

    def draw(self) -> tuple[str, float]:
        """The trouble of this call, "" for none; and a number between 0 and 1 for whatever it needs one for."""
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

    def handle_error(self, request: object, client_address: object) -> None:
        """Silent about a worker that was killed while it talked to us."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed keeps the type private


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
_BROKEN = (_JSON, b'{"__type": "InternalServerError", "message": "told to break"}')


def _throttled(target: str, body: bytes, number: float) -> tuple[dict[str, str], bytes]:
    """The service's own words for: not now. A transaction can also be told that another one is in its way."""
    said: dict[str, object] = {"__type": "ThrottlingException", "message": "told to throttle"}
    if target.endswith(".TransactWriteItems"):
        code = "TransactionConflict" if number < 0.5 else "ThrottlingError"
        reasons = [{"Code": "None"} for _ in json.loads(body)["TransactItems"]]
        reasons[int(number * 2 % 1 * len(reasons))] = {"Code": code, "Message": "told to"}
        said = {"__type": "TransactionCanceledException", "message": "canceled", "CancellationReasons": reasons}
    elif target.startswith("DynamoDB_"):
        said["__type"] = "ProvisionedThroughputExceededException"
    return _JSON, json.dumps(said).encode()


def main() -> None:
    """Serves until its input ends, then says what it did."""
    proxy = _Proxy(int(sys.argv[1]), int(sys.argv[2]))
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    print(proxy.server_port, flush=True)
    sys.stdin.read()
    print(json.dumps(proxy.counts), flush=True)


if __name__ == "__main__":
    main()
