"""What a path or a query may say: a user is a user, an id is an id, and a mistyped parameter changes no answer."""

import re
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from billing.api.route import Route
from billing.api.routes import ROUTES
from billing.rules.history import By
from billing.store.audit import AuditLog
from samples import USER
from tests.functions.conftest import Answer, Cloud

Ask = Callable[..., Answer]
WITH_PATHS = [route for route in ROUTES if "{" in route.path]
OF_USERS = [route for route in ROUTES if "{user_id}" in route.path]
WITH_QUERIES = [route for route in ROUTES if route.query]
# What else has a place in the Accounts table, and what no table could hold.
NO_USERS = {
    "the audit log of a month": "audit#2026-11",
    "the moves of subscribers": "moves",
    "a link of a provider's id": "link#stripe#cus_1",
    "an identity": "identity#usr_1",
    "a blank at the end": "usr_1 ",
    "a line feed at the end": "usr_1\n",
    "another script": "usr_é",
    "longer than a key can be": f"usr_{'1' * 3000}",
}
NO_IDS = {"the flags": "#flags", "nothing": "", "NUL": "\0", "longer than a key can be": "a" * 3000}


@pytest.fixture
def ask(load: Callable[[str], ModuleType]) -> Ask:
    """Calls a route as an admin, with these values in its path and its query."""
    modules: dict[str, ModuleType] = {}

    def ask(route: Route, value: str = "usr_x", query: dict[str, str] | None = None) -> Answer:
        event: dict[str, Any] = {
            "routeKey": f"{route.method} {route.path}",
            "pathParameters": dict.fromkeys(re.findall(r"\{(\w+)\}", route.path), value),
            "queryStringParameters": query or {},
            "headers": {},
            "requestContext": {"authorizer": {"lambda": {"user_id": USER, "role": "admin"}}},
        }
        if route.function not in modules:
            modules[route.function] = load(route.function)
        return Answer(modules[route.function].handler(event, None))

    return ask


@pytest.mark.parametrize("user_id", NO_USERS.values(), ids=NO_USERS)
def test_what_is_no_user_is_neither_shown_nor_changed_nor_erased(ask: Ask, user_id: str) -> None:
    for route in OF_USERS:
        answer = ask(route, user_id)
        assert (answer.status, answer.problem) == (400, "invalid_request"), route
        assert "user_id" in [fault["path"] for fault in answer.json["errors"]], route


def test_nobody_can_erase_the_audit_log(ask: Ask, cloud: Cloud) -> None:
    now = int(time.time())
    log = AuditLog(cloud.aws, cloud.tables["AccountsTable"])
    log.note(By(actor="usr_admin", action="refund", subject=USER), now)
    for route in OF_USERS:
        if route.method == "DELETE":
            assert ask(route, time.strftime("audit#%Y-%m", time.gmtime(now))).status == 400, route
    assert [entry["action"] for entry in log.month(now)] == ["refund"]


@pytest.mark.parametrize("value", NO_IDS.values(), ids=NO_IDS)
def test_what_can_be_no_id_is_refused_before_anything_is_looked_up(ask: Ask, value: str) -> None:
    for route in WITH_PATHS:
        answer = ask(route, value)
        assert (answer.status, answer.problem) == (400, "invalid_request"), route


def test_a_mistyped_parameter_is_refused_and_named(ask: Ask) -> None:
    for route in WITH_QUERIES:
        answer = ask(route, query={"form": "2026-01-01"})
        assert (answer.status, answer.problem) == (400, "invalid_request"), route
        assert [fault["path"] for fault in answer.json["errors"]] == ["form"], route


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/admin/revenue", {"table": "by_country"}),
        ("/admin/revenue", {"format": "xlsx"}),
        ("/admin/revenue", {"currency": "ÜÜÜ"}),
        ("/admin/revenue", {"from": "2026-W01-1"}),
        ("/admin/metrics/churn", {"table": "days"}),
        ("/admin/metrics/cohorts", {"format": "xlsx"}),
        ("/admin/invoices", {"flagged": "yes"}),
        ("/admin/events", {"cursor": "yesterday"}),
    ],
    ids=str,
)
def test_a_value_that_means_nothing_is_not_taken_for_the_default(ask: Ask, path: str, query: dict[str, str]) -> None:
    (route,) = [route for route in ROUTES if (route.method, route.path) == ("GET", path)]
    answer = ask(route, query=query)
    assert (answer.status, answer.problem) == (400, "invalid_request")
    assert [fault["path"] for fault in answer.json["errors"]] == list(query)
