"""Who the caller is, and what a page needs to sign somebody in, at the functions that say it."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from billing.api.answers.sign_in import Caller, PublicConfig
from billing.api.roles import ROLES
from samples import USER
from tests.functions.conftest import Answer, Cloud

Load = Callable[[str], ModuleType]
PROVIDER = {
    "OIDC_ISSUER": "https://id.example",
    "OIDC_CLIENT_ID": "portal",
    "OIDC_AUTHORIZATION_URL": "https://id.example/authorize",
    "OIDC_TOKEN_URL": "https://id.example/token",
}


def called(module: ModuleType, route: str, **authorizer: str) -> Answer:
    event: dict[str, Any] = {"routeKey": route, "headers": {}, "requestContext": {"authorizer": {"lambda": authorizer}}}
    return Answer(module.handler(event, None))


@pytest.mark.parametrize("role", ["", "viewer", "support", "admin"])
def test_a_caller_learns_their_role_and_what_it_may(load: Load, role: str) -> None:
    answer = called(load("auth"), "GET /auth/me", user_id=USER, role=role)
    me = Caller.model_validate(answer.json)
    assert (me.user_id, me.role) == (USER, role)
    may = set(me.may)
    assert ("GET /admin/users" in may) is (role != "")
    assert ("POST /admin/users/{user_id}/refunds" in may) is (role in ("support", "admin"))
    assert may <= ROLES.keys()
    assert (may == ROLES.keys()) is (role == "admin")


def test_nobody_is_nobody(load: Load) -> None:
    assert called(load("auth"), "GET /auth/me").status == 401


def test_a_page_learns_where_to_sign_in_and_which_token_is_ours(
    cloud: Cloud, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PublicConfig.model_validate(called(load("config"), "GET /billing/config").json).identity_provider is None
    module = load("config")
    for name, value in {**PROVIDER, "OIDC_AUDIENCE": "portal"}.items():
        monkeypatch.setenv(name, value)
    found = PublicConfig.model_validate(called(module, "GET /billing/config").json)
    assert found.identity_provider is not None
    assert found.identity_provider.token == "id"
    assert (found.identity_provider.client_id, found.identity_provider.end_session_url) == ("portal", "")
    monkeypatch.setenv("OIDC_AUDIENCE", "https://api.example")
    found = PublicConfig.model_validate(called(module, "GET /billing/config").json)
    assert found.identity_provider is not None
    assert found.identity_provider.token == "access"
    monkeypatch.setenv("OIDC_TOKEN_URL", "")
    assert called(module, "GET /billing/config").json["identity_provider"] is None
