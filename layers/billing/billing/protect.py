"""For other backends: a Lambda handler that runs only for users who have a feature.

    billing = Protection(os.environ["BILLING_API_URL"])

    @billing.requires_feature("ai.chat", meter=True)
    def handler(event, context): ...

It runs behind the authorizer that the billing stack exports, whose context carries what the user bought. If that gives
access, the handler runs; otherwise the billing API is asked, with the caller's own token, before anybody is refused.
"""

import base64
import functools
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from billing.rules.entitlements import Entitlement, decide, sources_from_json
from billing.rules.host_signatures import is_genuine

Handler = Callable[[dict[str, Any], Any], Any]
# What a host does with an event: its id, its type and its data.
Handle = Callable[[str, str, Mapping[str, Any]], None]
# For how many seconds a yes of the billing API is cached, and how many are.
TRUST_SECONDS = 60
# For how many seconds after a change the authorizer may still answer from its caches.
AUTHORIZER_SECONDS = 90
_KEPT = 2_000
_TIMEOUT = 5


class Changes(Protocol):
    """When we last received an account's change (Unix seconds), kept in this process by default. On Lambda a webhook
    reaches one process of many: share a table between them, or access changes only as the caches expire."""

    def heard_at(self, user_id: str) -> float | None: ...

    def note(self, user_id: str, at: float) -> None: ...


class _ChangesHere:
    def __init__(self) -> None:
        self._heard: OrderedDict[str, float] = OrderedDict()

    def heard_at(self, user_id: str) -> float | None:
        return self._heard.get(user_id)

    def note(self, user_id: str, at: float) -> None:
        self._heard[user_id] = at
        self._heard.move_to_end(user_id)
        if len(self._heard) > _KEPT:
            self._heard.popitem(last=False)


class Protection:
    """`api_url` is the billing API's origin; `now` gives Unix seconds; `changes` keeps which accounts changed."""

    def __init__(self, api_url: str, now: Callable[[], float] = time.time, changes: Changes | None = None) -> None:
        self._api_url = api_url.rstrip("/")
        self._now = now
        self._changes = changes or _ChangesHere()
        self._open_until: OrderedDict[tuple[str, str], float] = OrderedDict()

    def requires_feature(self, feature: str, *, meter: bool = False, amount: int = 1) -> Callable[[Handler], Handler]:
        """Guards a handler of HTTP API events (payload 2.0). `meter` takes `amount` uses before each call.

        Answers 401 without the authorizer's context, 402 with the billing API's own problem document, and 503 when it
        does not answer: access fails closed.
        """

        def guard(handler: Handler) -> Handler:
            @functools.wraps(handler)
            def guarded(event: dict[str, Any], context: Any) -> Any:
                refusal = self._refusal(event, feature, amount if meter else 0)
                return handler(event, context) if refusal is None else refusal

            return guarded

        return guard

    def on_billing_event(self, secrets: Sequence[str], handle: Handle | None = None) -> Handler:
        """The handler of a POST route, without an authorizer, that the billing service calls (`whsec_…`).

        Deliveries are verified. What is cached of a changed account is no longer used; then `handle` gets the event's
        id, type and data. The same id may come again, so it has to be idempotent.
        """
        if not secrets:
            raise ValueError("without a secret nothing could be verified")

        def receive(event: dict[str, Any], context: Any) -> dict[str, Any]:
            headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
            text = event.get("body") or ""
            body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
            if not is_genuine(secrets, headers, body, self._now()):
                return _problem(401, "not_authenticated", "This is no delivery of the billing service")
            message = json.loads(body)
            type_, data = message["type"], message["data"]
            if type_ == "EntitlementsChanged":
                self._changes.note(data["user_id"], self._now())
            if handle is not None:
                handle(headers["webhook-id"], type_, data)
            return {"statusCode": 200, "headers": {"cache-control": "no-store"}, "body": ""}

        return receive

    def _refusal(self, event: Mapping[str, Any], feature: str, uses: int) -> dict[str, Any] | None:
        caller = event.get("requestContext", {}).get("authorizer", {}).get("lambda") or {}
        user_id, headers = caller.get("user_id"), event.get("headers") or {}
        if not user_id:
            return _problem(401, "not_authenticated", "Sign in first")
        token = headers.get("authorization", "")
        if uses:
            return self._ask("POST", "/billing/usage", token, {"feature": feature, "amount": uses})
        heard = self._changes.heard_at(user_id)
        changed = heard is not None and self._now() - heard < AUTHORIZER_SECONDS
        if self._known(caller, user_id, feature, heard if changed else None):
            return None
        fresh = "?fresh=true" if changed else ""
        refusal = self._ask("GET", f"/billing/entitlements/{urllib.parse.quote(feature)}{fresh}", token)
        if refusal is None:
            self._open_until[user_id, feature] = self._now() + TRUST_SECONDS
            if len(self._open_until) > _KEPT:
                self._open_until.popitem(last=False)
        return refusal

    def _known(self, caller: Mapping[str, Any], user_id: str, feature: str, heard: float | None) -> bool:
        """Whether the caches give access. `heard`: when a change was received that they may not have yet."""
        if heard is None:
            sources = sources_from_json(json.loads(caller.get("sources") or "[]"))
            if isinstance(decide(sources, feature, int(self._now())), Entitlement):
                return True
        until = self._open_until.get((user_id, feature), 0)
        return until > self._now() and (heard is None or until - TRUST_SECONDS > heard)

    def _ask(self, method: str, path: str, token: str, body: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """None for a yes; otherwise the answer to give."""
        request = urllib.request.Request(  # noqa: S310  the address is configured, not the caller's
            self._api_url + path,
            data=json.dumps(body).encode() if body else None,
            headers={"authorization": token, "content-type": "application/json"},
            method=method,
        )
        try:
            try:
                with _open(request, timeout=_TIMEOUT) as answered:
                    said = json.loads(answered.read())
                    if isinstance(said, dict) and said.get("allowed") is True:  # else something else answered
                        return None
            except urllib.error.HTTPError as error:
                with error:
                    if error.code in (401, 402, 403, 429):
                        return _answer(error.code, error.read().decode())
        except (OSError, http.client.HTTPException, ValueError):
            pass  # answered below, as every other failure to ask
        return _problem(503, "billing_unavailable", "Access could not be checked: try again in a moment")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """urllib would send the caller's token on to wherever an answer points."""

    def redirect_request(self, *_: object) -> None:
        return None


_open = urllib.request.build_opener(_NoRedirects).open


def _problem(status: int, code: str, title: str) -> dict[str, Any]:
    body = {"type": f"urn:bitsleuth:{code}", "title": title, "status": status, "code": code, "detail": title}
    return _answer(status, json.dumps(body))


def _answer(status: int, body: str) -> dict[str, Any]:
    headers = {"content-type": "application/problem+json", "cache-control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": body}
