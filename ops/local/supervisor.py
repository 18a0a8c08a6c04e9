"""The Lambda service: keeps a pool of workers per function and invokes them, for us and for the emulator's triggers."""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from werkzeug.wrappers import Request, Response

from .emulator import REGION
from .host import WORK, EngineError
from .worker import Invocation, Outcome, Worker

# A laptop has few cores: beyond this number, an invocation waits where AWS would start another environment.
ENVIRONMENTS_PER_FUNCTION = 8


@dataclass(frozen=True, slots=True)
class FunctionConfig:
    """A deployed function. `timeout` in seconds, `memory` in MB; `code` and `layers` are folders."""

    logical_id: str
    name: str
    arn: str
    handler: str
    role: str
    timeout: float
    memory: int
    variables: Mapping[str, str]
    code: Path
    layers: tuple[Path, ...]


def _as_it_is(outcome: Outcome) -> Outcome:
    """The default for `after_batch`: changes nothing."""
    return outcome


class FunctionError(Exception):
    """The function failed; `kind` and the message are what the runtime client reported."""

    def __init__(self, function: str, payload: bytes) -> None:
        self.details: dict[str, Any] = json.loads(payload)
        self.kind = str(self.details.get("errorType"))
        trace = "".join(self.details.get("stackTrace", []))
        super().__init__(f"{function}: {self.kind}: {self.details.get('errorMessage')}\n{trace}")


class Function:
    """A deployed function and its execution environments."""

    def __init__(self, config: FunctionConfig, spawn: Callable[[FunctionConfig, BinaryIO], Worker], log: Path) -> None:
        self.config = config
        self.log = log
        self._spawn = spawn
        self._output: BinaryIO = log.open("ab", buffering=0)
        self._slots = threading.BoundedSemaphore(ENVIRONMENTS_PER_FUNCTION)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()

    def invoke(self, event: bytes, request_id: str) -> Outcome:
        """Runs the handler in an idle environment or, if there is none, in a new one."""
        with self._slots:
            if self._output.closed:
                return Outcome.failure("Sandbox.Stopped", "the engine is stopping")
            worker, cold = self._take()
            started = time.perf_counter()
            try:
                return worker.invoke(Invocation(request_id, self.config.arn, event, self.config.timeout))
            finally:
                milliseconds = (time.perf_counter() - started) * 1000
                report = f"REPORT RequestId: {request_id} Duration: {milliseconds:.2f} ms{' (cold start)' * cold}\n"
                self._give_back(worker, report.encode())

    def _take(self) -> tuple[Worker, bool]:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    self._busy.add(worker)
                    return worker, False
        worker = self._spawn(self.config, self._output)
        with self._lock:
            self._busy.add(worker)
        return worker, True

    def _give_back(self, worker: Worker, report: bytes) -> None:
        with self._lock:
            self._busy.discard(worker)
            if self._output.closed:  # the function was stopped during the invocation
                worker.kill()
                return
            self._output.write(report)
            if worker.alive:
                self._idle.append(worker)

    def kill_workers(self) -> int:
        """Kills every environment, even during an invocation; returns how many there were."""
        with self._lock:
            workers = [*self._idle, *self._busy]
            self._idle.clear()
        for worker in workers:
            worker.kill()
        return len(workers)

    def stop(self) -> None:
        self.kill_workers()
        with self._lock:
            self._output.close()


class Supervisor:
    """All functions of the stack. `role_credentials` gives the environment variables of a role's credentials."""

    def __init__(
        self, endpoint_url: str, role_credentials: Callable[[str, str], Mapping[str, str]], logs: Path
    ) -> None:
        self._endpoint_url = endpoint_url
        self._after_batch: Callable[[Outcome], Outcome] = _as_it_is
        self._role_credentials = role_credentials
        self._logs = logs
        self._functions: dict[str, Function] = {}
        self._by_name: dict[str, Function] = {}
        self.resting: frozenset[str] = frozenset()
        """Logical ids of functions whose triggers are ignored for now."""

    def load(self, configs: Iterable[FunctionConfig]) -> None:
        """Replaces the functions with those of a new deployment; ends the old environments."""
        self.stop()
        self._functions = {
            config.logical_id: Function(config, self._spawn, self._logs / f"{config.logical_id}.log")
            for config in configs
        }
        self._by_name = {function.config.name: function for function in self._functions.values()}

    def function(self, logical_id: str) -> Function:
        try:
            return self._functions[logical_id]
        except KeyError:
            names = ", ".join(sorted(self._functions))
            raise EngineError(f"There is no function {logical_id}; the template has {names}") from None

    def invoke(self, logical_id: str, event: bytes) -> Outcome:
        return self.function(logical_id).invoke(event, str(uuid.uuid4()))

    def stop(self) -> None:
        for function in self._functions.values():
            function.stop()

    def reroute(self, endpoint_url: str, after_batch: Callable[[Outcome], Outcome] | None = None) -> None:
        """Makes the functions use another AWS endpoint; `after_batch` may change the outcome that triggers get."""
        self._endpoint_url = endpoint_url
        self._after_batch = after_batch or _as_it_is
        for function in self._functions.values():
            function.kill_workers()

    def answer(self, request: Request) -> Response:
        """Handles the invocations of the emulator's triggers: POST /<function name>."""
        function = self._by_name.get(request.path.strip("/"))
        if function is None:
            return Response("no such function", 404)
        if function.config.logical_id in self.resting:
            return Response("null", mimetype="application/json")
        event = request.get_data()
        outcome = self._after_batch(function.invoke(event, request.headers["X-Amzn-Lambda-Request-Id"]))
        return Response(outcome.payload, 500 if outcome.failed else 200, mimetype="application/json")

    def _spawn(self, config: FunctionConfig, log: BinaryIO) -> Worker:
        # -S: packages of our own environment must not be importable, because AWS does not have them.
        command = [sys.executable, "-S", "-m", "awslambdaric", config.handler]
        return Worker(command, self._environment(config), config.code, log)

    def _environment(self, config: FunctionConfig) -> dict[str, str]:
        """The template's variables and those that Lambda adds; nothing of our own environment.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        """
        libraries = [*(layer / "python" for layer in config.layers), WORK / "runtime"]
        return {
            **config.variables,
            "_HANDLER": config.handler,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.memory),
            "AWS_LAMBDA_FUNCTION_NAME": config.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{config.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"local/{uuid.uuid4().hex}",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self._endpoint_url,
            **self._role_credentials(config.role, config.logical_id),
            "LAMBDA_TASK_ROOT": str(config.code),
            "LAMBDA_RUNTIME_DIR": str(WORK / "runtime"),
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": ":".join(map(str, libraries)),
            "PYTHONDONTWRITEBYTECODE": "1",  # as on Lambda, whose disk is read-only
            "TZ": ":UTC",
        }
