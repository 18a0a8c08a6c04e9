"""Shared by the stand-ins: routes on loopback, a movable clock, faults on demand, webhooks with retries."""

import json
import re
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Headers = dict[str, str]


class Clock:
    """The provider's time in Unix seconds: real time plus `offset`."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.offset = 0

    def now(self) -> int:
        return int(self._now()) + self.offset

    def advance(self, seconds: int) -> None:
        self.offset += seconds


# --- requests and answers --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`headers` have lower-case names; `path` has no query; `params` come from the route's {braces}.

    `target` is path and query as received, for signatures over the whole URL.
    """

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    params: dict[str, str] = field(default_factory=dict)
    target: str = ""

    @classmethod
    def received(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Self:
        """As it came over HTTP."""
        parts = urllib.parse.urlsplit(target)
        return cls(
            method=method,
            path=parts.path,
            query=dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in headers.items()},
            body=body,
            target=target,
        )

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else {}

    @property
    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: Headers


def json_answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(data).encode(), {"Content-Type": "application/json", **(headers or {})})


def html_answer(text: str, status: int = 200) -> Answer:
    return Answer(status, text.encode(), {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"})


def redirect(location: str) -> Answer:
    return Answer(303, b"", {"Location": location})


# --- faults ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Fault:
    """A fault for the next `times` calls that match. `kind`:

    `lose` performs the call but drops the connection instead of answering; `refuse` answers `status` without performing
    the call; `slow` performs the call after `seconds`.
    """

    kind: str
    method: str = ""
    path: str = ""
    times: int = 1
    status: int = 503
    seconds: float = 0.0

    def matches(self, request: Request) -> bool:
        return self.times > 0 and self.method in ("", request.method) and request.path.startswith(self.path)


# --- webhooks --------------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Delivery:
    """One webhook delivery. `statuses`: the answers so far, 0 for a broken connection."""

    url: str
    message: Any
    due: int
    statuses: list[int] = field(default_factory=list)
    done: bool = False


# (message, number of earlier tries, now) -> body and headers: each try may have its own signature and id.
Render = Callable[[Any, int, int], tuple[bytes, Mapping[str, str]]]
Post = Callable[[str, bytes, Mapping[str, str]], int]


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Posts and returns the status; 0 if there was no answer."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})  # noqa: S310  loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code
    except (OSError, ValueError):
        return 0


def no_webhooks(message: Any, tries: int, now: int) -> tuple[bytes, Mapping[str, str]]:
    """The `render` of a stand-in without webhooks."""
    raise NotImplementedError("this stand-in sends no webhooks")


class Webhooks:
    """Sends deliveries when they are due and retries them after each of the `retry_after` seconds, by the given clock.

    `in_order`: a delivery that is being retried blocks all later ones, as in BTCPay Server. `retries` says which
    statuses are retried; None: all but 2xx. Switches: `lose` sends nothing; `copies` sends each so many times; `delay`:
    seconds before the first try; `hold` keeps deliveries until `release`, which may reverse their order.
    """

    def __init__(
        self,
        clock: Clock,
        render: Render,
        *,
        retry_after: Sequence[int],
        in_order: bool = False,
        retries: Callable[[int], bool] | None = None,
        send: Post = post,
    ) -> None:
        self.clock, self.render, self.send = clock, render, send
        self.retry_after, self.in_order, self.retries = tuple(retry_after), in_order, retries
        self.deliveries: list[Delivery] = []
        self.lose, self.hold, self.copies, self.delay = False, False, 1, 0
        self._held: list[Delivery] = []
        self._waiting: list[Delivery] = []
        self._changed = threading.Condition()
        self._busy = False
        self._stopped = False
        self._thread: threading.Thread | None = None

    def enqueue(self, url: str, message: Any) -> None:
        """Plans a delivery, subject to the switches."""
        with self._changed:
            if self.lose:
                return
            for _ in range(self.copies):
                delivery = Delivery(url, message, self.clock.now() + self.delay)
                self.deliveries.append(delivery)
                (self._held if self.hold else self._waiting).append(delivery)
            self._changed.notify_all()

    def again(self, delivery: Delivery) -> None:
        """Sends a delivery's message once more."""
        self.enqueue(delivery.url, delivery.message)

    def release(self, *, backwards: bool = False) -> None:
        """Sends what `hold` has kept."""
        with self._changed:
            self.hold = False
            self._waiting += reversed(self._held) if backwards else self._held
            self._held.clear()
            self._changed.notify_all()

    def take_held(self, since: int) -> list[Delivery]:
        """Removes and returns the deliveries from number `since` on that `hold` has kept; the caller sends them."""
        with self._changed:
            taken, self.deliveries[since:] = self.deliveries[since:], []
            self._held.clear()
            self.hold = False
            return taken

    def wake(self) -> None:
        """Checks again what is due, after the clock was moved."""
        with self._changed:
            self._changed.notify_all()

    def pump(self) -> int:
        """Sends everything that is due, in this thread; returns the number of tries."""
        tries = 0
        while (delivery := self._next()) is not None:
            self._try(delivery)
            tries += 1
        return tries

    def start(self) -> None:
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=15)

    def wait_idle(self, seconds: float = 10.0) -> None:
        """Waits until nothing is due; for tests. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._busy and self._due() is None, seconds):
                raise TimeoutError("webhooks are still being delivered")

    def _due(self) -> Delivery | None:
        candidates = self._waiting[:1] if self.in_order else self._waiting
        return min((d for d in candidates if d.due <= self.clock.now()), key=lambda d: d.due, default=None)

    def _next(self) -> Delivery | None:
        with self._changed:
            delivery = self._due()
            self._busy = delivery is not None
            if not self._busy:
                self._changed.notify_all()
            return delivery

    def _try(self, delivery: Delivery) -> None:
        body, headers = self.render(delivery.message, len(delivery.statuses), self.clock.now())
        status = self.send(delivery.url, body, headers)
        with self._changed:
            delivery.statuses.append(status)
            tries = len(delivery.statuses)
            given_up = tries > len(self.retry_after) or (self.retries is not None and not self.retries(status))
            if 200 <= status < 300 or given_up:
                delivery.done = True
                self._waiting.remove(delivery)
            else:
                delivery.due = self.clock.now() + self.retry_after[tries - 1]
            self._busy = False
            self._changed.notify_all()

    def _run(self) -> None:
        while not self._stopped:
            self.pump()
            with self._changed:
                # Time passing makes retries due without a notification, so look every half second.
                self._changed.wait_for(lambda: self._stopped or self._due() is not None, timeout=0.5)


# --- the application -------------------------------------------------------------------------------------------------

Handler = Callable[[Request], Answer]
CONTROL = "/_fake"


class App:
    """Routes of one stand-in, with its clock, faults and webhooks. Requests are handled one at a time.

    `/_fake` controls it from outside: GET returns its state, POST /_fake/clock {"advance": seconds},
    POST /_fake/faults [{"kind": "lose", ...}], POST /_fake/webhooks {"lose"|"hold"|"copies"|"delay"|"release": ...}.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.webhooks = Webhooks(self.clock, no_webhooks, retry_after=())
        self.url = ""
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        self._lock = threading.RLock()
        self.route("GET", CONTROL, self._state)
        self.route("POST", f"{CONTROL}/clock", self._move_clock)
        self.route("POST", f"{CONTROL}/faults", self._set_faults)
        self.route("POST", f"{CONTROL}/webhooks", self._set_webhooks)

    def route(self, method: str, pattern: str, handler: Handler) -> None:
        """`pattern` is like /invoices/{id}; the first matching route answers."""
        expression = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern))
        self._routes.append((method, expression, handler))

    def handle(self, request: Request) -> Answer | None:
        """The answer, or None if a fault dropped it."""
        control = request.path.startswith(CONTROL)
        fault = None if control else next((f for f in self.faults if f.matches(request)), None)
        if not control:
            self.requests.append((request.method, request.path))
        if fault is not None:
            fault.times -= 1
            if fault.kind == "refuse":
                return self.refusal(fault.status)
            time.sleep(fault.seconds)
        with self._lock:
            answer = self._dispatch(request)
        return None if fault is not None and fault.kind == "lose" else answer

    def refusal(self, status: int) -> Answer:
        """The answer of the fault `refuse`, in the provider's format."""
        return json_answer({"error": "injected fault"}, status)

    def advance(self, seconds: int) -> None:
        """Moves the clock and performs what has become due (see `tick`)."""
        with self._lock:
            self.clock.advance(seconds)
            self.tick()
        self.webhooks.wake()

    def date(self) -> str:
        """The Date header of an answer."""
        return formatdate(self.clock.now(), usegmt=True)

    def tick(self) -> None:
        """Performs what is due by the clock; overridden by stand-ins."""

    def _dispatch(self, request: Request) -> Answer:
        self.tick()
        for method, expression, handler in self._routes:
            match = expression.fullmatch(request.path)
            if match and method == request.method:
                params = {name: urllib.parse.unquote(value) for name, value in match.groupdict().items()}
                return handler(replace(request, params=params))
        return json_answer({"error": "no such path", "path": request.path}, 404)

    def _state(self, _: Request) -> Answer:
        deliveries = [{"message": d.message, "statuses": d.statuses, "done": d.done} for d in self.webhooks.deliveries]
        return json_answer({"now": self.clock.now(), "deliveries": deliveries})

    def _move_clock(self, request: Request) -> Answer:
        self.advance(int(request.json["advance"]))
        return json_answer({"now": self.clock.now()})

    def _set_faults(self, request: Request) -> Answer:
        self.faults = [Fault(**fault) for fault in request.json]
        return json_answer({"faults": len(self.faults)})

    def _set_webhooks(self, request: Request) -> Answer:
        wanted = request.json
        self.webhooks.lose = bool(wanted.get("lose", self.webhooks.lose))
        self.webhooks.hold = bool(wanted.get("hold", self.webhooks.hold))
        self.webhooks.copies = int(wanted.get("copies", self.webhooks.copies))
        self.webhooks.delay = int(wanted.get("delay", self.webhooks.delay))
        if "release" in wanted:
            self.webhooks.release(backwards=wanted["release"] == "backwards")
        return json_answer({})


class _Http(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores callers that hung up: slow answers make some of them do so."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed keeps the type private


class Server:
    """Serves an app on 127.0.0.1 and sends its webhooks; `with Server(app) as server: server.url`."""

    def __init__(self, app: App, port: int = 0, public_url: str = "") -> None:
        class Exchange(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = app.handle(Request.received(self.command, self.path, dict(self.headers.items()), body))
                if answer is None:
                    return
                self.send_response_only(answer.status)
                self.send_header("Date", app.date())
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def date_time_string(self, timestamp: float | None = None) -> str:
                """The Date header has the stand-in's time."""
                return super().date_time_string(app.clock.now() if timestamp is None else timestamp)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815  the names http.server looks for

            def log_message(self, format: str, *args: object) -> None:
                """Logs no requests."""

        self._app = app
        self._http = _Http(("127.0.0.1", port), Exchange)
        self._http.daemon_threads = True
        self.port: int = self._http.server_address[1]
        self.url = public_url or f"http://127.0.0.1:{self.port}"
        app.url = self.url
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._app.webhooks.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._app.webhooks.stop()

    def wait(self) -> None:
        """Serves until interrupted."""
        self._thread.join()
