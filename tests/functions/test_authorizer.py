"""The authorizer: who may call, and with what in the context; an answer from memory costs no call to AWS."""

import json
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from billing.aws import Aws
from billing.intake.applier import Applier
from billing.providers import mock
from billing.rules.entitlements import sources_from_json
from billing.store.accounts import AccountStore
from samples import USER
from tests.functions.conftest import Cloud, recorded

DENIED = {"isAuthorized": False}


@pytest.fixture
def ask(load: Callable[[str], ModuleType], cloud: Cloud) -> Callable[..., dict[str, Any]]:
    module = load("authorizer")

    def ask(
        user: str = USER,
        *,
        admin: bool = False,
        path: str = "/billing/entitlements",
        token: str | None = None,
        seconds: int = 600,
    ) -> dict[str, Any]:
        event = {**recorded("api/authorizer"), "rawPath": path, "routeKey": f"GET {path}"}
        token = token or cloud.signer.sign_session(user, admin, int(time.time()), seconds)
        event["identitySource"] = [f"Bearer {token}"]
        answer: dict[str, Any] = module.handler(event, None)
        return answer

    return ask


def test_a_users_token_allows_with_the_users_id(ask: Callable[..., dict[str, Any]]) -> None:
    answer = ask()
    assert answer["isAuthorized"] is True
    assert (answer["context"]["user_id"], answer["context"]["role"]) == (USER, "")
    assert json.loads(answer["context"]["sources"]) == []


def test_a_user_is_not_let_into_the_admins_routes(ask: Callable[..., dict[str, Any]]) -> None:
    assert ask(path="/admin/plans") == DENIED
    assert ask(path="/admin/plans", admin=True)["context"]["role"] == "admin"


def test_another_scheme_is_denied(load: Callable[[str], ModuleType]) -> None:
    event = {**recorded("api/authorizer"), "identitySource": ["Basic dXNlcjpwYXNz"]}
    assert load("authorizer").handler(event, None) == DENIED


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é" * 40, "x" * 5000])
def test_what_is_no_token_is_denied(ask: Callable[..., dict[str, Any]], token: str) -> None:
    assert ask(token=token or " ") == DENIED


def test_an_expired_token_is_denied(ask: Callable[..., dict[str, Any]]) -> None:
    assert ask(seconds=-60) == DENIED


def test_without_an_identity_it_is_denied(load: Callable[[str], ModuleType]) -> None:
    assert load("authorizer").handler({**recorded("api/authorizer"), "identitySource": None}, None) == DENIED


def test_what_the_user_has_is_passed_on(ask: Callable[..., dict[str, Any]], cloud: Cloud) -> None:
    cloud.seed_plans()
    body = json.dumps({**recorded("mock/purchase.updated")}).replace("usr_0123456789abcdef", USER)
    facts = mock.translate(mock.minimise(body.encode())).facts
    accounts = AccountStore(Aws(), cloud.tables["AccountsTable"])
    Applier(accounts, cloud.plans, lambda _: pytest.fail("no read is needed")).apply(USER, "mock", facts, 1)
    (source,) = sources_from_json(json.loads(ask()["context"]["sources"]))
    assert (source.kind, source.plan_id, source.until) == ("purchase", "tax-2026", None)
