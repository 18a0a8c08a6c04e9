"""For other backends: a Lambda handler that runs only for users who have a feature.

    billing = Protection(os.environ["BILLING_API_URL"])

    @billing.requires_feature("ai.chat", meter=True)
    def handler(event, context): ...

It stands behind the authorizer that the billing stack exports, whose context carries what the user bought. A yes in it
is believed; everything else is asked of the billing API before it is refused, with the caller's own token.
"""

import functools
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from billing.rules.entitlements import Entitlement, decide, sources_from_json

Handler = Callable[[dict[str, Any], Any], Any]
# Seconds for which a yes of the billing API is believed, and how many are kept.
TRUST_SECONDS = 60
_KEPT = 2_000
_TIMEOUT = 5


class Protection:
    """`api_url` is the billing API's origin; `now` gives Unix seconds."""

    def __init__(self, api_url: str, now: Callable[[], float] = time.time) -> None:
        self._api_url = api_url.rstrip("/")
        self._now = now
        self._open_until: OrderedDict[tuple[str, str], float] = OrderedDict()

    def requires_feature(self, feature: str, *, meter: bool = False, amount: int = 1) -> Callable[[Handler], Handler]:
        """Guards a handler of HTTP API events (payload 2.0). `meter` takes `amount` uses before each call.

        Answers 401 without the authorizer's word, 402 with the billing API's own document, 503 when it cannot be
        asked: nobody is let in on trust.
        """

        def guard(handler: Handler) -> Handler:
            @functools.wraps(handler)
            def guarded(event: dict[str, Any], context: Any) -> Any:
                refusal = self._refusal(event, feature, amount if meter else 0)
                return handler(event, context) if refusal is None else refusal

            return guarded

        return guard

    def _refusal(self, event: Mapping[str, Any], feature: str, uses: int) -> dict[str, Any] | None:
        caller = event.get("requestContext", {}).get("authorizer", {}).get("lambda") or {}
        user_id, headers = caller.get("user_id"), event.get("headers") or {}
        if not user_id:
            return _problem(401, "not_authenticated", "Sign in first")
        token = headers.get("authorization", "")
        if uses:
            return self._ask("POST", "/billing/usage", token, {"feature": feature, "amount": uses})
        if self._known(caller, user_id, feature):
            return None
        refusal = self._ask("GET", f"/billing/entitlements/{urllib.parse.quote(feature)}", token)
        if refusal is None:
            self._open_until[user_id, feature] = self._now() + TRUST_SECONDS
            if len(self._open_until) > _KEPT:
                self._open_until.popitem(last=False)
        return refusal

    def _known(self, caller: Mapping[str, Any], user_id: str, feature: str) -> bool:
        known = sources_from_json(json.loads(caller.get("sources") or "[]"))
        if isinstance(decide(known, feature, int(self._now())), Entitlement):
            return True
        return self._open_until.get((user_id, feature), 0) > self._now()

    def _ask(self, method: str, path: str, token: str, body: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """None for a yes; otherwise the answer to give."""
        asked = urllib.request.Request(  # noqa: S310  the address is configured, not the caller's
            self._api_url + path,
            data=json.dumps(body).encode() if body else None,
            headers={"authorization": token, "content-type": "application/json"},
            method=method,
        )
        try:
            try:
                with urllib.request.urlopen(asked, timeout=_TIMEOUT):  # noqa: S310  as above
                    return None
            except urllib.error.HTTPError as error:
                with error:
                    if error.code in (401, 402, 403, 429):
                        return _answer(error.code, error.read().decode())
        except (OSError, http.client.HTTPException, UnicodeDecodeError):
            pass  # answered below, as every other failure to ask
        return _problem(503, "billing_unavailable", "Access could not be checked: try again in a moment")


def _problem(status: int, code: str, title: str) -> dict[str, Any]:
    body = {"type": f"urn:bitsleuth:{code}", "title": title, "status": status, "code": code, "detail": title}
    return _answer(status, json.dumps(body))


def _answer(status: int, body: str) -> dict[str, Any]:
    headers = {"content-type": "application/problem+json", "cache-control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": body}
