"""Admins put plans on sale; buyers of an older version keep it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.functions.conftest import Answer, recorded

Call = Callable[..., Answer]
PLAN: dict[str, Any] = json.loads(recorded("api/admin_plans.create")["body"])
PATH = {"plan_id": PLAN["plan_id"]}


def create(call: Call, **changes: Any) -> Answer:
    return call("admin_plans.create", body={**PLAN, **changes})


def update(call: Call, version: int, **changes: Any) -> Answer:
    body = {key: value for key, value in {**PLAN, **changes}.items() if key != "plan_id"}
    return call("admin_plans.update", path=PATH, body={**body, "version": version})


def archive(call: Call) -> Answer:
    return call("admin_plans.archive", path=PATH)


def test_a_plan_is_created_changed_and_archived(call: Call) -> None:
    assert (create(call).status, create(call).problem) == (201, "plan_exists")
    changed = update(call, 1, price_cents=1200)
    assert (changed.status, changed.json["version"], changed.json["price_cents"]) == (200, 2, 1200)
    assert [archive(call).json["status"] for _ in range(2)] == ["archived", "archived"]
    shown = [(p["version"], p["price_cents"], p["status"]) for p in call("admin_plans.list").json["plans"]]
    assert shown == [(2, 1200, "archived"), (1, PLAN["price_cents"], "active")]


def test_of_two_admins_who_edit_one_version_the_second_is_told(call: Call) -> None:
    create(call)
    assert update(call, 1, name="Mine").status == 200
    answer = update(call, 1, name="Yours")
    assert (answer.status, answer.problem, answer.json["version"]) == (409, "version_conflict", 2)


def test_what_does_not_exist_cannot_be_changed(call: Call) -> None:
    assert update(call, 1).status == archive(call).status == 404


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"features": {"no.such.feature": True}}, "features/no.such.feature"),
        ({"features": {"ai.chat": True}}, "features/ai.chat"),
        ({"features": {"ai.insights": 5}}, "features/ai.insights"),
        ({"duration_days": 5}, "duration_days"),
        ({"interval": "once", "trial_days": 14}, "trial_days"),
        ({"price_cents": 0, "trial_days": 14}, "trial_days"),
        ({"interval": "once", "price_cents": 0, "trial_days": 0}, "price_cents"),
        ({"features": {"ai.chat": {"credits": 5}}}, "features"),
        ({"price_cents": -1}, "price_cents"),
        ({"price_cents": 9.99}, "price_cents"),
        ({"price_cents": "900"}, "price_cents"),
        ({"currency": "usd"}, "currency"),
        ({"interval": "week"}, "interval"),
        ({"plan_id": "#index"}, "plan_id"),
        ({"discount": 5}, "discount"),
        ({"name": "Pro\x00"}, "name"),
        ({"name": "Pro\nPlus"}, "name"),
        ({"name": "Pro\u2028Plus"}, "name"),
        ({"name": "Pro \u202egnilaes"}, "name"),
        ({"name": "Pro \u2066x\u2069"}, "name"),
        ({"description": "a\x1bb"}, "description"),
        ({"tier": "pro\u200f"}, "tier"),
    ],
)
def test_a_plan_that_cannot_be_sold_is_refused_with_the_place_of_the_fault(
    call: Call, changes: dict[str, Any], path: str
) -> None:
    answer = create(call, **changes)
    assert (answer.status, answer.problem) == (400, "invalid_request")
    assert path in [fault["path"] for fault in answer.json["errors"]]


def test_a_providers_price_cannot_stand_for_two_plans(call: Call) -> None:
    create(call, provider_plan_ids={"stripe": "price_1"})
    answer = create(call, plan_id="other", provider_plan_ids={"stripe": "price_1"})
    assert answer.json["errors"] == [
        {"path": "provider_plan_ids/stripe", "message": f"this price belongs to plan {PLAN['plan_id']}"}
    ]
