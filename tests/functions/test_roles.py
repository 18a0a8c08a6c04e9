"""Each of the admin's calls, by each role, at the function that serves it."""

import json
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from billing.api.roles import RANKS, ROLES
from billing.api.routes import ROUTES
from samples import USER

ADMINS = [route for route in ROUTES if route.path.startswith("/admin/")]
# What support may do beyond reading: look again, write notes, grant, refund within a limit. Nothing else.
SUPPORT = {
    "POST /admin/invoices/{provider}/{purchase_id}/reread",
    "POST /admin/users/{user_id}/grants",
    "POST /admin/users/{user_id}/grants/{grant_id}/revoke",
    "POST /admin/users/{user_id}/refunds",
    "POST /admin/users/{user_id}/days",
    "POST /admin/users/{user_id}/notes",
    "DELETE /admin/users/{user_id}/notes/{note_id}",
    "POST /admin/users/{user_id}/subscriptions/{subscription_id}/reread",
}


def test_every_admin_call_says_which_role_it_needs_and_no_other_call_does() -> None:
    assert {f"{route.method} {route.path}" for route in ADMINS} == set(ROLES)
    assert all(route.auth == "admin" for route in ADMINS)
    assert all(route.role is None for route in ROUTES if route not in ADMINS)


def test_a_viewer_changes_nothing_and_takes_nobody_along() -> None:
    seen = {route for route, role in ROLES.items() if role == "viewer"}
    assert {route for route in seen if not route.startswith("GET ")} == {"POST /admin/plans/{plan_id}/preview"}
    assert "GET /admin/users/{user_id}/export" not in seen


def test_support_helps_one_customer_and_decides_nothing_else() -> None:
    assert {route for route, role in ROLES.items() if role == "support"} == SUPPORT


@pytest.mark.parametrize("role", ["", "viewer", "support", "admin", "owner", "Admin"])
def test_a_role_is_let_in_where_it_suffices_and_nowhere_else(load: Callable[[str], ModuleType], role: str) -> None:
    modules: dict[str, ModuleType] = {}
    for route in ADMINS:
        key = f"{route.method} {route.path}"
        if route.function not in modules:
            modules[route.function] = load(route.function)
        names = {"user_id": USER, "provider": "mock"}
        event: dict[str, Any] = {
            "routeKey": key,
            "pathParameters": {name: names.get(name, "x") for name in re.findall(r"\{(\w+)\}", route.path)},
            "queryStringParameters": {"surprise": "1"},
            "headers": {},
            "body": "not json",
            "requestContext": {"authorizer": {"lambda": {"user_id": USER, "role": role}}},
        }
        suffices = RANKS.get(role, 0) >= RANKS[ROLES[key]]
        try:
            answer = modules[route.function].handler(event, None)
        except Exception:  # noqa: BLE001 it was let in, and found no table, provider or queue to work with
            assert suffices, key
            continue
        refused = answer["statusCode"] == 403 and json.loads(answer["body"])["code"] == "role_needed"
        assert refused is not suffices, (key, role, answer)
