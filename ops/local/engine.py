"""The local engine in one object: the emulator, the deployed stack, its functions and its HTTP API.

with Engine.start() as engine:
    requests.get(f"{engine.api_url}/billing/plans")
"""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from werkzeug.wrappers import Request, Response

from . import completion
from .build import build
from .emulator import Emulator
from .faults import Faults
from .gateway import Gateway
from .host import ROOT, EngineError, is_taken, kept_port
from .pages import Pages
from .server import Server
from .stack import Stack, deploy
from .supervisor import FunctionError, Supervisor

SESSION_SECONDS = 12 * 60 * 60
# Marks a state folder while its stack is being deployed.
_UNFINISHED = "deploying"


def _silent(_: str) -> None:
    """The default for `progress`: prints nothing."""


def refuse_a_second(state: Path) -> None:
    """Raises EngineError if an engine runs with this state folder, in which nothing may be changed then."""
    port = kept_port(state, "emulator")
    if is_taken(port):
        raise EngineError(
            f"The engine is running in another terminal, with the same tables: stop it there first. If it is not, "
            f"another program uses port {port}, and `make clean` chooses a new one, without the tables."
        )


class Engine:
    """A running stack. `start` makes one; `stop`, or leaving its `with` block, ends all its processes."""

    def __init__(self, project: Path, folder: Path, *, port: int, state: Path | None, enforce_policies: bool) -> None:
        self._project = project
        self._folder = folder
        self._kept = state is not None
        self._gateway: Gateway | None = None
        self._added: list[Server] = []
        self._stack: Stack | None = None
        self._pages: Pages | None = None
        self._server = Server(Request.application(self._answer), port)
        self.api_url = self._server.url
        try:
            self._emulator = Emulator(
                kept_port(state, "emulator"),
                folder / "logs" / "emulator.log",
                state=state and state / "aws",
                enforce_policies=enforce_policies,
            )
        except BaseException:
            self._server.stop()
            raise
        self._supervisor = Supervisor(self.endpoint_url, self._role_credentials, folder / "logs")
        self._triggers = Server(Request.application(self._supervisor.answer))

    @classmethod
    def start(
        cls,
        parameters: Mapping[str, str] | None = None,
        *,
        port: int = 0,
        state: Path | None = None,
        enforce_policies: bool = False,
        project: Path = ROOT,
        progress: Callable[[str], None] = _silent,
    ) -> Self:
        """Builds, starts and deploys; raises EngineError when any of it fails.

        `parameters` override the `local` ones of samconfig.toml; `{api_url}` in a value becomes the API's origin.
        `port` 0 picks a free port. `state`: a folder that keeps tables and queues for the next start; without it
        nothing is kept. `enforce_policies` holds each function to its IAM policies. `progress` is called with the name
        of each step.
        """
        folder = state or Path(tempfile.mkdtemp(prefix="billing-engine-"))
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        if state:
            refuse_a_second(state)
        # A stack whose deployment was interrupted cannot be deployed again, so its state is deleted.
        if (folder / _UNFINISHED).exists():
            shutil.rmtree(folder / "aws", ignore_errors=True)
        progress("Starting the AWS emulator")
        engine = cls(project, folder, port=port, state=state, enforce_policies=enforce_policies)
        try:
            engine.deploy(parameters or {}, progress)
        except BaseException:
            engine.stop()
            raise
        return engine

    def deploy(self, parameters: Mapping[str, str], progress: Callable[[str], None] = _silent) -> None:
        """Builds and deploys the current sources to the running engine. Raises EngineError."""
        progress("Building with sam build")
        built = build(self._project)
        progress("Deploying template.yaml with sam deploy")
        chosen = {**_local_parameters(self._project), **parameters}
        unfinished = self._folder / _UNFINISHED
        filled = {name: self._filled(value) for name, value in chosen.items()}
        deploy(self._emulator, built, filled, before=unfinished.touch)
        progress("Completing the deployment")
        self._stack = Stack(self._emulator, built)
        functions = self._stack.functions()
        self._supervisor.load(functions)
        completion.send_triggers_to(self._emulator, functions, self._triggers.url)
        completion.enable_expiry(self._emulator, self._stack)
        completion.number_limits(self._emulator, self._stack)
        self._gateway = Gateway(self._stack, functions, self._supervisor.invoke)
        completion.check(self._emulator, built, self._stack, self._gateway)
        unfinished.unlink(missing_ok=True)

    def add(self, project: Path, name: str, parameters: Mapping[str, str]) -> str:
        """Deploys another project beside ours and returns the origin of its API. It may import our stack's exports.

        Restarts the environments of our functions. Its logical ids must differ from ours.
        """
        built = build(project)
        deploy(self._emulator, built, parameters, name)
        added = Stack(self._emulator, built, name, self.stack.layers)
        functions = [*self.stack.functions(), *added.functions()]
        self._supervisor.load(functions)
        gateway = Gateway(added, functions, self._supervisor.invoke)
        server = Server(Request.application(gateway.answer))
        self._added.append(server)
        return server.url

    def _answer(self, request: Request) -> Response:
        page = self._pages and self._pages.answer(request)
        if page:
            return page
        if self._gateway is None:
            return Response("The engine is starting.", 503, {"Retry-After": "5"})
        return self._gateway.answer(request)

    def _filled(self, value: str) -> str:
        return value.replace("{api_url}", self.api_url)

    def stop(self) -> None:
        """Ends the API, the functions and the emulator; the emulator saves its state if it has a state folder."""
        self._server.stop()
        for server in self._added:
            server.stop()
        self._emulator.stop()
        self._triggers.stop()
        self._supervisor.stop()
        if not self._kept:
            shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def endpoint_url(self) -> str:
        """The URL of the AWS services."""
        return self._emulator.endpoint_url

    @property
    def stack(self) -> Stack:
        if self._stack is None:
            raise EngineError("Nothing is deployed yet")
        return self._stack

    @property
    def gateway(self) -> Gateway:
        if self._gateway is None:
            raise EngineError("Nothing is deployed yet")
        return self._gateway

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        return self.stack.outputs

    @property
    def log_folder(self) -> Path:
        """Holds one log file per function, and the emulator's."""
        return self._folder / "logs"

    def resource(self, logical_id: str) -> str:
        """The physical id: a table's name, a queue's URL, a bus's name."""
        try:
            return self.stack.resources[logical_id]
        except KeyError:
            raise EngineError(f"The template has no resource {logical_id}") from None

    @property
    def owner(self) -> dict[str, str]:
        """The environment variables that give a process the account owner's rights."""
        return self._emulator.owner

    def client(self, service: str) -> Any:
        """A botocore client with the account owner's rights."""
        return self._emulator.client(service)

    def variables(self, function: str) -> dict[str, str]:
        """The environment variables that the template gives a function."""
        return dict(self._supervisor.function(function).config.variables)

    def invoke(self, function: str, event: Any) -> Any:
        """Invokes a function by its logical id through the runtime client. Raises FunctionError when it fails."""
        outcome = self._supervisor.invoke(function, json.dumps(event).encode())
        if outcome.failed:
            raise FunctionError(function, outcome.payload)
        return json.loads(outcome.payload)

    def logs(self, function: str) -> str:
        """Everything a function has printed, with a REPORT line per invocation."""
        return self._supervisor.function(function).log.read_text(errors="replace")

    def kill_workers(self, function: str) -> int:
        """Kills a function's processes, even during an invocation; returns how many there were."""
        return self._supervisor.function(function).kill_workers()

    @contextmanager
    def trouble(self, seed: int) -> Iterator[Faults]:
        """Within the block, the functions' calls to AWS fail at random and batches are repeated: see `local.faults`.

        Kills the functions' processes at the start and at the end, even during an invocation.
        """
        with Faults(self.endpoint_url, seed) as faults:
            self._supervisor.reroute(faults.url, faults.after_batch)
            try:
                yield faults
            finally:
                self._supervisor.reroute(self.endpoint_url)

    @contextmanager
    def without_schedules(self) -> Iterator[None]:
        """Within the block, no schedule starts a function: for simulations whose clock is not the present."""
        schedules = self.stack.of_type("AWS::Scheduler::Schedule").values()
        self._supervisor.resting = frozenset(s["Target"]["Arn"]["Fn::GetAtt"][0] for s in schedules)
        try:
            yield
        finally:
            self._supervisor.resting = frozenset()

    def serve_pages(self, root: Path, sign_in: Callable[[str], str | None] = lambda name: None) -> None:
        """Serves a built single-page application on the API's origin, on every path that is not the API's.

        `sign_in(name)` returns where /as/<name> redirects to: see `local.pages`.
        """
        self._pages = Pages(root, sign_in, self.stack.parameters.get("OidcTokenUrl", ""))

    def _role_credentials(self, role: str, session: str) -> dict[str, str]:
        credentials = self.client("sts").assume_role(
            RoleArn=role, RoleSessionName=session, DurationSeconds=SESSION_SECONDS
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
        }


def _local_parameters(project: Path) -> dict[str, str]:
    """The `local` environment of samconfig.toml: `parameter_overrides` as a list of Name=value."""
    path = project / "samconfig.toml"
    if not path.exists():
        return {}
    settings = tomllib.loads(path.read_text()).get("local", {}).get("deploy", {}).get("parameters", {})
    return dict(pair.split("=", 1) for pair in settings.get("parameter_overrides", []))
