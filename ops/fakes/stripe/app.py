"""A stand-in for Stripe's API of 2026-10-28.endive on loopback: `python -m fakes.stripe --port 12111`.

It keeps state, checks every request against the SDK's typed parameters, honours idempotency keys, acts on its clock
(renewals, trial ends, dunning), and signs and retries webhooks in each endpoint's API version. `base.App` adds faults:
lost answers, refusals, delayed, duplicated, lost and reordered webhooks.
"""

import json
import re
import time
import urllib.parse
from collections.abc import Callable, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

from billing.providers.signatures import sign_timestamped
from fakes.base import Answer, App, Clock, Request, Webhooks, json_answer
from fakes.stripe import shapes
from fakes.stripe.books import Books
from fakes.stripe.calls import Call, Calls, listing
from fakes.stripe.pages import Pages
from fakes.stripe.params import BadParam, decode, typed
from fakes.stripe.payments import Object, Refused

# Seconds for which the answer to an idempotency key is kept.
KEY_LIFE = 86_400
# Seconds between tries, over about two days in all; Stripe's live mode also backs off, over three days.
RETRY_AFTER = (5, 60, 300, 1800, 7200, 18_000, 36_000, 43_200, 43_200, 43_200)


class StripeApp(App):
    """`books` holds the state; `add_endpoint` sets where webhooks go; `memory`: a file that keeps the state."""

    def __init__(self, clock: Clock | None = None, memory: Path | None = None) -> None:
        super().__init__(clock)
        self._memory = memory
        self.books = Books(self.clock, self._publish)
        self.webhooks = Webhooks(self.clock, self._render, retry_after=RETRY_AFTER)
        self._answered: dict[str, tuple[str, Answer, int]] = {}
        # (method, path) of calls that fail once with a 500; idempotency keys whose request is running.
        self.breaks: list[tuple[str, str]] = []
        self.running: set[str] = set()
        self.secrets: dict[str, str] = {}
        self.pages = Pages(self.books, self.clock, self.advance, self.route)
        self.calls = Calls(self.books, self.clock, self.secrets, lambda: self.url, self.undelivered)
        for method, path, shape, call in self.calls.table():
            self.route(method, path, self._serve(shape, call))
        if memory is not None and memory.exists():
            self._remember(json.loads(memory.read_text()))

    def date(self) -> str:
        """While it acts on its clock, the time of what it does then."""
        return formatdate(self.books.at, usegmt=True)

    def handle(self, request: Request) -> Answer | None:
        answer = super().handle(request)
        if self._memory is not None and request.method != "GET":
            books = self.books
            state = {"objects": books.objects, "events": books.events, "works": books.works, "secrets": self.secrets}
            self._memory.write_text(json.dumps({**state, "offset": self.clock.offset}))
        return answer

    def _remember(self, state: Mapping[str, Any]) -> None:
        self.books.objects, self.books.events, self.books.works = state["objects"], state["events"], state["works"]
        self.secrets.update(state["secrets"])
        self.clock.offset = state["offset"]

    def tick(self) -> None:
        self.books.url = self.url
        self.books.tick()

    def refusal(self, status: int) -> Answer:
        return _error("Injected fault.", status, kind="api_error")

    def add_endpoint(
        self,
        url: str,
        secret: str | None = None,
        events: tuple[str, ...] = ("*",),
        version: str = shapes.API_VERSION,
    ) -> str:
        """Registers a webhook endpoint, or changes the secret of an existing one; returns its signing secret."""
        for endpoint in self.books.all("webhook_endpoint"):
            if endpoint["url"] == url:
                self.secrets[endpoint["id"]] = secret or self.secrets[endpoint["id"]]
                return self.secrets[endpoint["id"]]
        made = self.calls.create_endpoint({"url": url, "enabled_events": list(events), "api_version": version})
        self.secrets[made["id"]] = secret or made["secret"]
        return self.secrets[made["id"]]

    def call(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Any:
        """Calls the API without a socket and returns the answer. Raises AssertionError for a status other than 200."""
        headers = {"authorization": "Bearer sk_test_standin"}
        body = urllib.parse.urlencode(form or {}).encode()
        answer = self.handle(Request(method=method, path=path, headers=headers, body=body))
        if answer is None or answer.status != 200:
            raise AssertionError(f"{method} {path}: {answer and answer.body.decode()}")
        return json.loads(answer.body)

    # --- webhooks ----------------------------------------------------------------------------------------------------

    def _publish(self, event: Object) -> None:
        for endpoint in self.books.all("webhook_endpoint"):
            if {"*", event["type"]} & set(endpoint["enabled_events"]):
                self.webhooks.enqueue(endpoint["url"], {"event": event, "endpoint": endpoint["id"]})

    def _render(self, message: Any, _tries: int, _now: int) -> tuple[bytes, Mapping[str, str]]:
        endpoint = self.books.objects[message["endpoint"]]
        event = shapes.in_version(message["event"], endpoint["api_version"])
        body = json.dumps(event, indent=2).encode()
        # Signed with real time, because the receiver checks the signature's age by its own clock.
        return body, {"Stripe-Signature": sign_timestamped(body, self.secrets[endpoint["id"]], int(time.time()))}

    def undelivered(self, event: Object) -> bool:
        """Whether an endpoint has not accepted this event."""
        taken = {
            d.message["endpoint"]
            for d in self.webhooks.deliveries
            if d.message["event"]["id"] == event["id"] and any(200 <= s < 300 for s in d.statuses)
        }
        return any(e["id"] not in taken for e in self.books.all("webhook_endpoint"))

    # --- one request -------------------------------------------------------------------------------------------------

    def _serve(self, shape: Any, call: Call) -> Callable[[Request], Answer]:
        """The handler of a route. It keeps the answer to an idempotency key for a day, even a 500, but not a failed
        validation."""

        def serve(request: Request) -> Answer:
            if not re.search(r"\b[rs]k_test_\w+", request.headers.get("authorization", "")):
                return _error("Invalid API Key provided.", 401)
            # Idempotency keys apply only to POST.
            key = request.headers.get("idempotency-key") if request.method == "POST" else None
            this_request, now = f"{request.method} {request.path} {request.body.decode()}", self.clock.now()
            if key in self.running:
                return _error("Another request with this key is running.", 409, code="idempotency_key_in_use")
            if key and key in self._answered and now - self._answered[key][2] < KEY_LIFE:
                first_request, answer, _ = self._answered[key]
                if first_request != this_request:
                    return _error(
                        "Keys for idempotent requests can only be used with the same parameters they were first used "
                        f"with. Try using a key other than '{key}'.",
                        kind="idempotency_error",
                    )
                return Answer(answer.status, answer.body, {**answer.headers, "Idempotent-Replayed": "true"})
            answer, begun = self._answer(request, shape, call)
            if key and begun:
                self._answered[key] = this_request, answer, now
            return answer

        return serve

    def _answer(self, request: Request, shape: Any, call: Call) -> tuple[Answer, bool]:
        """The answer, and whether the request passed validation."""
        sent = decode(request.form if request.method == "POST" else request.query)
        try:
            params = typed(sent, shape)
        except BadParam as wrong:
            return _error(str(wrong), param=wrong.param), False
        if (broken := (request.method, request.path)) in self.breaks:
            self.breaks.remove(broken)
            return self.refusal(500), True
        try:
            expand = params.pop("expand", [])
            result = self._public(call(params, **request.params))
            for path in expand:
                self._expand(result, path.split("."))
        except Refused as refused:
            words, status = str(refused), refused.status
            return _error(words, status, kind=refused.kind, code=refused.code, param=refused.param), True
        return json_answer(result), True

    def _public(self, obj: Object) -> Object:
        seen = shapes.public(shapes.copied(obj))
        if "data" in seen and isinstance(seen["data"], list):
            seen["data"] = [shapes.public(entry) for entry in seen["data"]]
        return seen

    def _expand(self, obj: Any, path: list[str]) -> None:
        """Replaces ids by their objects along a path such as data.payment.charge."""
        name, *rest = path
        if name == "payments" and obj.get("object") == "invoice":
            obj["payments"] = listing([x for x in self.books.all("invoice_payment") if x["invoice"] == obj["id"]])
        for holder in obj if isinstance(obj, list) else [obj]:
            value = holder.get(name)
            if isinstance(value, str) and value in self.books.objects:
                holder[name] = value = self._public(self.books.objects[value])
            elif isinstance(value, list) and value and isinstance(value[0], str):
                holder[name] = value = [self._public(self.books.objects[each]) for each in value]
            if rest and value:
                for inner in value if isinstance(value, list) else [value]:
                    self._expand(inner, rest)


def _error(
    message: str, status: int = 400, *, kind: str = "invalid_request_error", code: str | None = None, param: str = ""
) -> Answer:
    error: Object = {"message": message, "type": kind}
    if code:
        error["code"] = code
    if param:
        error["param"] = param
    return json_answer({"error": error}, status)
