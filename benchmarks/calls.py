"""Counts the AWS calls per operation, in the functions themselves."""

import importlib.util
import io
import json
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from types import ModuleType
from typing import Any

from benchmarks.cloud import SECRET, USER, empty_cloud, recorded
from benchmarks.environment import ROOT
from billing.intake.webhook import encode
from billing.providers import mock
from local.deliveries import delivery


def load(function: str) -> ModuleType:
    """A function's module, freshly loaded as in a new environment."""
    spec = importlib.util.spec_from_file_location(f"counted_{function}", ROOT / "functions" / f"{function}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def count() -> Mapping[str, list[str]]:
    """The calls of each operation in a warm environment, where plans and secrets are cached."""
    calls = {}
    with empty_cloud() as cloud:
        now = int(time.time())
        authorizer = load("authorizer").handler

        def ask(user: str) -> None:
            token = cloud.signer.sign_session(user, False, now, 600)
            authorizer({**recorded("api/authorizer.json"), "identitySource": [f"Bearer {token}"]}, None)

        ask("usr_first")
        calls["authorizer, miss"] = cloud.count(lambda: ask(USER))
        calls["authorizer, hit"] = cloud.count(lambda: ask(USER))

        body = (ROOT / "events" / "mock" / "purchase.updated.json").read_bytes()
        webhook = load("webhook_mock").handler
        calls["webhook"] = cloud.count(lambda: webhook(delivery("mock", body, SECRET, now), None))

        processor = load("process_payment_events").handler
        message = {"messageId": "m", "body": encode(mock.minimise(body), now, "1", "hash")}
        processor({"Records": [message]}, None)
        calls["processor, one event"] = cloud.count(lambda: processor({"Records": [message]}, None))

        status = load("subscription_status").handler
        status(recorded("api/subscription_status.json"), None)
        calls["subscription status"] = cloud.count(lambda: status(recorded("api/subscription_status.json"), None))

        entitlements = load("entitlements").handler
        event = recorded("api/entitlements.check.json")
        event["pathParameters"] = {"feature": "ai.insights"}
        authorized = {**event, "requestContext": {**event["requestContext"], "authorizer": _authorizer_context()}}
        entitlements(authorized, None)
        calls["entitlement, known to the authorizer"] = cloud.count(lambda: entitlements(authorized, None))
    return calls


def _authorizer_context() -> dict[str, Any]:
    """The authorizer's context for a user who has bought the feature."""
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
    return {"lambda": {"user_id": USER, "role": "", "sources": json.dumps([source])}}


def report() -> None:
    print("AWS calls per operation, in a warm environment")
    with redirect_stdout(io.StringIO()):  # the functions' log
        counted = count()
    for operation, calls in counted.items():
        print(f"{operation:40}{len(calls):3}  {', '.join(calls)}")
