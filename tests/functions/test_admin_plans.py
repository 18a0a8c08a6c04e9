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


def test_a_plan_that_one_admin_archived_is_not_put_on_sale_again_by_another_who_still_edits_it(call: Call) -> None:
    create(call)
    archive(call)
    answers = [update(call, 1, name="Yours"), save(call, {**OFFER["prices"][0], **PATH, "version": 1})]
    assert [(answer.status, answer.problem) for answer in answers] == [(409, "version_conflict")] * 2
    assert [(p["version"], p["status"]) for p in call("admin_plans.list").json["plans"]] == [(1, "archived")]


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
        {
            "path": "provider_plan_ids/stripe",
            "message": f"this price belongs to plan {PLAN['plan_id']}",
            "code": "price_taken",
        }
    ]


OFFER: dict[str, Any] = json.loads(recorded("api/admin_plans.save_offer")["body"])
MONTH, YEAR = OFFER["prices"]


def save(call: Call, *prices: dict[str, Any], **changes: Any) -> Answer:
    return call("admin_plans.save_offer", body={**OFFER, "prices": list(prices) or OFFER["prices"], **changes})


def newest(call: Call) -> dict[str, dict[str, Any]]:
    """The plans as they are sold now."""
    found = call("admin_plans.list").json["plans"]
    return {p["plan_id"]: p for p in reversed(found)}


def test_month_and_year_of_an_offer_are_written_together_and_only_what_differs(call: Call) -> None:
    assert [p["plan_id"] for p in save(call).json["plans"]] == [MONTH["plan_id"], YEAR["plan_id"]]
    dearer = save(call, {**MONTH, "version": 1, "price_cents": 700}, {**YEAR, "version": 1})
    assert [(p["plan_id"], p["version"], p["price_cents"]) for p in dearer.json["plans"]] == [
        (MONTH["plan_id"], 2, 700)
    ]
    more = {"ai.insights": True, "ai.chat": {"limit": 800, "per": "month"}}
    both = save(call, {**MONTH, "version": 2, "price_cents": 700}, {**YEAR, "version": 1}, features=more)
    assert [p["version"] for p in both.json["plans"]] == [3, 2]
    assert [newest(call)[plan["plan_id"]]["features"] for plan in (MONTH, YEAR)] == [more, more]


def test_of_an_offer_all_or_nothing_is_written(call: Call) -> None:
    save(call)
    late = save(call, {**MONTH, "version": 1, "price_cents": 700}, {**YEAR, "version": 7, "price_cents": 7000})
    assert (late.status, late.problem, late.json["plan_id"]) == (409, "version_conflict", YEAR["plan_id"])
    taken = save(call, {**MONTH, "version": 1, "price_cents": 700}, YEAR)
    assert (taken.problem, taken.json["plan_id"]) == ("plan_exists", YEAR["plan_id"])
    assert newest(call)[MONTH["plan_id"]]["price_cents"] == MONTH["price_cents"]


def test_a_fault_of_an_offer_names_the_field_of_the_price_or_the_one_that_all_share(call: Call) -> None:
    wrong = save(call, MONTH, {**YEAR, "duration_days": 3}, {**YEAR, "currency": "XXX"}, features={"no.such": True})
    assert {(fault["path"], fault["code"]) for fault in wrong.json["errors"]} == {
        ("features/no.such", "unknown_feature"),
        ("prices/1/duration_days", "renews"),
        ("prices/2/currency", "unknown_currency"),
        ("prices/2/plan_id", "repeated"),
    }


def test_the_free_plan_is_not_archived_by_mistake(call: Call) -> None:
    create(call, plan_id="free", price_cents=0)
    assert call("admin_plans.list").json["free_plan_id"] == "free"
    refused = call("admin_plans.archive", path={"plan_id": "free"})
    assert (refused.status, refused.problem) == (409, "free_plan")
    meant = call("admin_plans.archive", path={"plan_id": "free"}, body={"anyway": True})
    assert meant.json["status"] == "archived"
    assert call("admin_plans.list").json["free_plan_id"] is None


def test_the_log_keeps_what_a_version_was_before_it(call: Call) -> None:
    create(call)
    update(call, 1, price_cents=1200)
    newest_entry = call("admin_audit").json["entries"][0]
    assert (newest_entry["before"]["price_cents"], newest_entry["after"]["price_cents"]) == (PLAN["price_cents"], 1200)
