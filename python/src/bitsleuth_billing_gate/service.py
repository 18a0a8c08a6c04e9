"""The calls to the billing API: before a refusal, to hold a use, and for the keys that sign its tokens."""

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Seconds that a call waits, and in which nobody waits again for an API that did not answer; then one call tries.
PATIENCE = 3
REST = 5


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """urllib would send the caller's session on to wherever an answer points."""

    def redirect_request(self, *_: object) -> None:
        return None


_open = urllib.request.build_opener(_NoRedirects).open


class Unavailable(Exception):
    """The billing API could not be asked, or did not understand: nothing can be said about access."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]


class Service:
    def __init__(self, api_url: str, now: Callable[[], float] = time.time) -> None:
        self._api_url = api_url.rstrip("/")
        self._now = now
        self._silent_until = float("-inf")

    def keys(self) -> dict[str, Any]:
        return self._send("GET", "/.well-known/jwks.json", {}, None).body

    def token(self, session: str) -> str | None:
        """A fresh entitlement token; None when there is none for this session."""
        answer = self._ask("GET", "/billing/entitlements", session)
        if answer.status in (401, 403):
            return None
        token = _good(answer).body.get("token")
        return token if isinstance(token, str) else None

    def refusal(self, session: str, feature: str) -> dict[str, Any] | None:
        """The 402 document with its offers; None when the feature turned out to be open."""
        path = f"/billing/entitlements/{urllib.parse.quote(feature, safe='')}?fresh=true"
        return _paywall(self._ask("GET", path, session))

    def reserve(self, session: str, usage: Mapping[str, Any]) -> tuple[str | None, dict[str, Any] | None]:
        """Holds a use: the reservation, or the 402 document."""
        answer = self._ask("POST", "/billing/usage", session, {**usage, "action": "reserve"})
        return answer.body.get("reservation_id"), _paywall(answer)

    def settle(self, session: str, usage: Mapping[str, Any]) -> None:
        """Ends a reservation; of one that has expired the use is taken now. Nobody waits for it, so it is tried twice,
        while the API is silent too."""
        again = usage
        try:
            answer = self._send("POST", "/billing/usage", _bearer(session), usage)
            if answer.status == 404 and usage["action"] == "settle":
                again = {**usage, "action": "consume"}
            _good(answer)
        except Unavailable:
            _good(self._send("POST", "/billing/usage", _bearer(session), again))

    def _ask(self, method: str, path: str, session: str, body: Mapping[str, Any] | None = None) -> Answer:
        if self._now() < self._silent_until:
            raise Unavailable("the billing API did not answer a moment ago")
        if self._silent_until > float("-inf"):
            self._silent_until = self._now() + REST  # whoever tries first after a silence tries for all
        return self._send(method, path, _bearer(session), body)

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None) -> Answer:
        request = urllib.request.Request(  # noqa: S310  the address is configured, not the caller's
            self._api_url + path,
            data=json.dumps(body).encode() if body else None,
            headers={**headers, "content-type": "application/json"},
            method=method,
        )
        try:
            try:
                with _open(request, timeout=PATIENCE) as answered:
                    status, said = answered.status, answered.read()
            except urllib.error.HTTPError as error:
                with error:
                    status, said = error.code, error.read()
        except (OSError, http.client.HTTPException) as error:
            self._silent_until = self._now() + REST
            raise Unavailable("the billing API did not answer") from error
        self._silent_until = float("-inf")
        try:
            body = json.loads(said or b"{}")
        except ValueError as error:
            raise Unavailable(f"something else answered {status}") from error
        return Answer(status, body if isinstance(body, dict) else {})


def _bearer(session: str) -> dict[str, str]:
    return {"authorization": f"Bearer {session}"}


def _good(answer: Answer) -> Answer:
    if answer.status != 200:
        raise Unavailable(f"the billing API answered {answer.status}")
    return answer


def _paywall(answer: Answer) -> dict[str, Any] | None:
    """A 402 of something else (a proxy with a limit of its own) says nothing about access."""
    if answer.status == 402 and answer.body.get("code") == "feature_locked":
        return answer.body
    _good(answer)
    return None
