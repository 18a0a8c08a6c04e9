"""The HTTP API's Lambda authorizer: request events, simple responses, and a cache per identity for all of its routes.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .worker import Outcome


class Refused(Exception):
    """API Gateway answers for the function: `status` and `message`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class _Verdict:
    allowed: bool
    context: dict[str, Any]
    until: float


class Authorizer:
    """One authorizer of the API; `ttl` in seconds, 0 asks the function each time."""

    def __init__(
        self,
        name: str,
        sources: list[str],
        ttl: int,
        invoke: Callable[[bytes], Outcome],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._sources = sources
        self._ttl = ttl
        self._invoke = invoke
        self._clock = clock
        self._verdicts: dict[tuple[str, ...], _Verdict] = {}
        self._lock = threading.Lock()

    def authorize(self, event: dict[str, Any]) -> dict[str, Any]:
        """The context that the function gave for this request (payload 2.0). Raises Refused: 401, 403 or 500.

        A request without one of the identity sources is a 401 without asking the function. A yes and a no are
        both kept for `ttl` seconds, whatever route they were asked for; a failure is not.
        """
        identity = tuple(filter(None, (self._identity(source, event) for source in self._sources)))
        if len(identity) < len(self._sources):
            raise Refused(401, "Unauthorized")
        verdict = self._verdicts.get(identity)
        if verdict is None or verdict.until <= self._clock():
            verdict = self._ask(event, identity)
            if self._ttl:
                with self._lock:
                    self._verdicts[identity] = verdict
        if not verdict.allowed:
            raise Refused(403, "Forbidden")
        return verdict.context

    def _ask(self, event: dict[str, Any], identity: tuple[str, ...]) -> _Verdict:
        request = {key: value for key, value in event.items() if key not in {"body", "isBase64Encoded"}}
        context = event["requestContext"]
        arn = f"arn:aws:execute-api:us-east-1:{context['accountId']}:{context['apiId']}/$default"
        request |= {
            "type": "REQUEST",
            "routeArn": f"{arn}/{context['http']['method']}{event['rawPath']}",
            "identitySource": list(identity),
        }
        outcome = self._invoke(json.dumps(request).encode())
        answer = None if outcome.failed else json.loads(outcome.payload)
        if not isinstance(answer, dict) or not isinstance(answer.get("isAuthorized"), bool):
            raise Refused(500, "Internal Server Error")
        return _Verdict(answer["isAuthorized"], answer.get("context") or {}, self._clock() + self._ttl)

    @staticmethod
    def _identity(source: str, event: dict[str, Any]) -> str | None:
        kind, _, name = source.removeprefix("$").rpartition(".")
        match kind:
            case "request.header":
                value: str | None = event["headers"].get(name.lower())
            case "request.querystring":
                value = event.get("queryStringParameters", {}).get(name)
            case _:
                value = event["requestContext"].get(name)
        return value
