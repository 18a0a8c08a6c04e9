"""The HTTP API's Lambda authorizer: request events, simple responses, and one cache by identity for all routes.

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
    """API Gateway answers by itself, with `status` and `message`, and does not call the route's function."""

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
    """One authorizer of the API. `ttl`: seconds for which an answer is cached; 0 invokes the function each time."""

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
        """The context that the function returned for this request (payload 2.0). Raises Refused: 401, 403 or 500.

        A request that lacks an identity source gets a 401 and the function is not invoked. Both allow and deny are
        cached for `ttl` seconds and hold for every route; a failure is not cached.
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
