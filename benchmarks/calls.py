"""AWS calls per operation, counted at the one door, in the functions themselves."""

import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

from benchmarks.environment import ROOT, VARIABLES
from billing.aws import Aws
from billing.identity.tokens import DEV_ISSUER, Signer, Verifier, generate_key_set
from billing.intake.webhook import encode
from billing.providers import mock
from billing.rules.plans import Plan
from billing.store.plans import _plan_item
from local.deliveries import delivery

SECRET = "secret-of-the-benchmark"  # noqa: S105
USER = "usr_0123456789abcdef"
_FREE = {"plan_id": "free", "name": "Free", "price_cents": 0, "interval": "month"}
_PASS = {"plan_id": "tax-2026", "name": "Tax year", "price_cents": 4900, "interval": "once", "group": "tax-2026"}
PLANS = [
    Plan(**plan, version=1, currency="USD", features={"ai.insights": True})  # type: ignore[arg-type]
    for plan in (_FREE, _PASS)
]


class EmptyCloud:
    """AWS that knows two plans and the secrets, and nobody's account; every call is noted."""

    def __init__(self) -> None:
        keys, development = generate_key_set("own-1"), generate_key_set("dev-1")
        self.signer = Signer({DEV_ISSUER: development}, DEV_ISSUER)
        self.variables = {
            **VARIABLES,
            "TOKEN_PUBLIC_KEYS": json.dumps(Verifier({"own": keys}).jwks()),
            "DEV_TOKEN_KEYS": development,
            "BILLING_WEBHOOK_SECRET": SECRET,
        }
        self.calls: list[str] = []

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        self.calls.append(operation)
        if operation == "query":
            return {"Items": []}
        if operation == "batch_get_item":
            (table,) = request["RequestItems"]
            return {"Responses": {table: [_plan_item(plan) for plan in PLANS]}}
        if operation == "get_item" and request["Key"].get("plan_id") == {"S": "#index"}:
            versions = json.dumps({plan.plan_id: plan.version for plan in PLANS})
            return {"Item": {"revision": {"N": "1"}, "versions": {"S": versions}}}
        return {}

    def count(self, invoke: Callable[[], Any]) -> list[str]:
        """The operations that an invocation asks for."""
        self.calls.clear()
        invoke()
        return list(self.calls)


@contextmanager
def empty_cloud() -> Iterator[EmptyCloud]:
    cloud = EmptyCloud()
    with (
        patch.dict(os.environ, cloud.variables),
        patch.object(Aws, "connect", lambda self, service: None),
        patch.object(
            Aws, "call", lambda self, service, operation, **request: cloud.call(service, operation, **request)
        ),
    ):
        yield cloud


def load(function: str) -> ModuleType:
    """A function's module in a new environment."""
    spec = importlib.util.spec_from_file_location(f"counted_{function}", ROOT / "functions" / f"{function}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recorded(path: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / path).read_text())
    return event


def count() -> Mapping[str, list[str]]:
    """The calls of each operation in a warm environment: the plans and secrets, which are kept, are not among them."""
    found = {}
    with empty_cloud() as cloud:
        now = int(time.time())
        authorizer = load("authorizer").handler

        def ask(user: str) -> None:
            token = cloud.signer.sign_session(user, False, now, 600)
            authorizer({**recorded("api/authorizer.json"), "identitySource": [f"Bearer {token}"]}, None)

        ask("usr_first")
        found["authorizer, miss"] = cloud.count(lambda: ask(USER))
        found["authorizer, hit"] = cloud.count(lambda: ask(USER))

        body = (ROOT / "events" / "mock" / "purchase.updated.json").read_bytes()
        webhook = load("webhook_mock").handler
        found["webhook"] = cloud.count(lambda: webhook(delivery("mock", body, SECRET, now), None))

        processor = load("process_payment_events").handler
        message = {"messageId": "m", "body": encode(mock.minimise(body), now, "1", "hash")}
        processor({"Records": [message]}, None)
        found["processor, one event"] = cloud.count(lambda: processor({"Records": [message]}, None))

        status = load("subscription_status").handler
        status(recorded("api/subscription_status.json"), None)
        found["subscription status"] = cloud.count(lambda: status(recorded("api/subscription_status.json"), None))

        entitlements = load("entitlements").handler
        known = recorded("api/entitlements.check.json")
        known["pathParameters"] = {"feature": "ai.insights"}
        found_by_gate = {**known, "requestContext": {**known["requestContext"], "authorizer": _passed_on()}}
        entitlements(found_by_gate, None)
        found["entitlement, known to the authorizer"] = cloud.count(lambda: entitlements(found_by_gate, None))
    return found


def _passed_on() -> dict[str, Any]:
    """What the authorizer passes on of a user who has bought the feature."""
    source = {
        "k": "purchase",
        "i": "p",
        "p": "tax-2026",
        "v": 1,
        "s": 0,
        "u": None,
        "r": "paid",
        "f": {"ai.insights": True},
    }
    return {"lambda": {"user_id": USER, "admin": "false", "sources": json.dumps([source])}}


def report() -> None:
    print("AWS calls per operation, in a warm environment")
    for operation, calls in count().items():
        print(f"{operation:40}{len(calls):3}  {', '.join(calls)}")
