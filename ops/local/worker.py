"""One execution environment: a process that runs AWS's own runtime client, and the Runtime API that it calls.

The Runtime API is four endpoints: next, response, error, init error.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from .host import LOOPBACK

# AWS allows 10 s, but a laptop that starts many environments at once is slower.
INIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """`payload` is a JSON document: the handler's result or, if `failed`, the error."""

    payload: bytes
    failed: bool = False

    @classmethod
    def failure(cls, kind: str, message: str) -> Outcome:
        return cls(json.dumps({"errorType": kind, "errorMessage": message}).encode(), failed=True)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event on its way to a function; `timeout` in seconds."""

    request_id: str
    function_arn: str
    event: bytes
    timeout: float


class Worker:
    """A process that handles one invocation at a time. `invoke` is called by one thread at a time."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str], cwd: Path, log: BinaryIO) -> None:
        self._next: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()  # None: the process is initialised
        self._initialised = False
        self._has_polled = False
        self._api = _RuntimeApi(self)
        threading.Thread(target=self._api.serve_forever, args=(1.0,), daemon=True).start()
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**environment, "AWS_LAMBDA_RUNTIME_API": f"{LOOPBACK}:{self._api.server_port}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def invoke(self, invocation: Invocation) -> Outcome:
        """Passes on the event and waits. After a timeout or an exit the worker is dead; after an error it lives on."""
        if not self._initialised:
            failure = self._wait(invocation, INIT_SECONDS)
            if failure is not None:
                self.kill()
                return failure
            self._initialised = True
        self._next.put(invocation)
        outcome = self._wait(invocation, invocation.timeout)
        if outcome is None:
            raise RuntimeError("the runtime client asked for work twice")
        return outcome

    def _wait(self, invocation: Invocation, seconds: float) -> Outcome | None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._answers.get(timeout=max(0.0, min(0.1, deadline - time.monotonic())))
            except queue.Empty:
                exited = self._process.poll()
                if exited is not None:
                    message = f"RequestId: {invocation.request_id} Error: Runtime exited with exit status {exited}"
                    return Outcome.failure("Runtime.ExitError", message)
                if time.monotonic() >= deadline:
                    self.kill()
                    return Outcome.failure("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds")

    def kill(self) -> None:
        """Kills the process at once."""
        self._process.kill()
        self._process.wait()
        self._next.put(None)
        self._api.stop()

    def take_next(self) -> Invocation | None:
        """Called by the Runtime API: waits for the next invocation; None after a kill."""
        if not self._has_polled:
            self._has_polled = True
            self._answers.put(None)
        return self._next.get()

    def answer(self, outcome: Outcome) -> None:
        """Called by the Runtime API with the process's result, its error, or its initialisation error."""
        self._answers.put(outcome)


class LoopbackServer(ThreadingHTTPServer):
    """Serves on a free port of loopback, and ignores connection errors: workers may be killed during a request."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__((LOOPBACK, 0), handler)

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed keeps the type private


class _RuntimeApi(LoopbackServer):
    def __init__(self, worker: Worker) -> None:
        super().__init__(_RuntimeApiHandler)
        self.worker = worker

    def stop(self) -> None:
        threading.Thread(target=self._stop, daemon=True).start()

    def _stop(self) -> None:
        self.shutdown()
        self.server_close()


class _RuntimeApiHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _RuntimeApi

    def do_GET(self) -> None:
        invocation = self.server.worker.take_next()
        if invocation is None:
            self.close_connection = True
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + invocation.timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
        }
        self._send(200, invocation.event, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._send(202, b'{"status":"OK"}', {})
        self.server.worker.answer(Outcome(body, failed=self.path.endswith("/error")))

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Logs no requests; the functions' own logs are enough."""
