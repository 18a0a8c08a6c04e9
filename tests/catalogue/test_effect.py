"""The effect of a new plan version is told before it is put on sale, from the books."""

from dataclasses import replace

import pytest

from billing.api.admin_requests import UpdatePlan
from billing.api.answers.plans import PlanEffect
from billing.catalogue.effect import plan_effect, standing_list
from billing.errors import NotFound
from billing.rules.plans import Catalogue
from samples import CATALOGUE, FREE, PLUS, PRO_YEAR
from tests.reporting.test_analytics import Cells, Shelf
from tests.rules.test_ledger import Books, subscription

BODY = {
    "version": 1,
    "name": "Plus",
    "price_cents": 1200,
    "currency": "USD",
    "interval": "month",
    "features": {"ai.chat": {"limit": 300}, "market.history": True, "wallets.max": 5},
}


class NewerShelf(Shelf):
    """Plus has a second version."""

    def catalogue(self, *, fresh: bool = False) -> Catalogue:
        return Catalogue((*CATALOGUE.plans, replace(PLUS, version=2)))


def buyers() -> Cells:
    """Two pay for version 1 of Plus, one tries it, one of the two has left; one pays for Pro."""
    everyone = []
    for number, (plan_id, statuses) in enumerate(
        [("plus-month", ["active"]), ("plus-month", ["active", "canceled"]), ("plus-month", ["trialing"]),
         ("plus-month", ["active"]), ("pro-month", ["active"])]
    ):  # fmt: skip
        books = Books()
        for status in statuses:
            books.become(subscription(status, subscription_id=f"sub_{number}", plan_id=plan_id))
        everyone.append(books)
    return Cells(*everyone)


def test_the_preview_says_who_keeps_what_and_what_newcomers_get() -> None:
    effect = plan_effect(NewerShelf(), buyers(), "plus-month", UpdatePlan.model_validate({**BODY, "version": 2}))  # type: ignore[arg-type]
    assert (effect["from_version"], effect["to_version"]) == (2, 3)
    assert (effect["subscribers"], effect["subscribers_older"]) == (0, 3)
    assert effect["price_change_cents"] == 300
    assert effect["features_gained"] == ["market.history"]
    assert effect["features_lost"] == ["ai.insights"]
    assert effect["features_changed"] == ["ai.chat"]
    assert effect["changes"] == [
        {"feature": "ai.chat", "before": {"limit": 200, "per": "month"}, "after": {"limit": 300, "per": "month"}},
        {"feature": "ai.insights", "before": True, "after": None},
        {"feature": "market.history", "before": None, "after": True},
    ]
    assert (effect["price_was_cents"], effect["price_cents"], effect["warnings"]) == (900, 1200, [])


def test_the_preview_says_in_numbers_what_moving_the_buyers_would_change() -> None:
    body = UpdatePlan.model_validate({**BODY, "version": 2})
    [older] = plan_effect(NewerShelf(), buyers(), "plus-month", body)["versions"]  # type: ignore[arg-type]
    assert (older["from_version"], older["subscribers"], older["price_change_cents"]) == (1, 3, 300)
    # Two pay 9.00; the third only tries it, and pays nothing yet.
    assert (older["mrr_cents"], older["mrr_change_cents"]) == (1800, 600)
    PlanEffect.model_validate(plan_effect(NewerShelf(), buyers(), "plus-month", body))  # type: ignore[arg-type]


def test_of_a_yearly_price_a_twelfth_is_what_recurs() -> None:
    everyone = Books()
    everyone.become(subscription("active", plan_id="pro-year"))
    dearer = UpdatePlan.model_validate({**BODY, "interval": "year", "price_cents": PRO_YEAR.price_cents + 1200})
    [older] = plan_effect(Shelf(), Cells(everyone), "pro-year", dearer)["versions"]  # type: ignore[arg-type]
    assert older["mrr_change_cents"] == 100


def test_a_preview_warns_of_what_a_save_would_refuse() -> None:
    wrong = UpdatePlan.model_validate({**BODY, "features": {"no.such": True}, "currency": "EUR"})
    effect = plan_effect(NewerShelf(), buyers(), "plus-month", wrong)  # type: ignore[arg-type]
    assert [(fault["path"], fault["code"]) for fault in effect["faults"]] == [("features/no.such", "unknown_feature")]
    warnings = {w["code"]: (w["before"], w["after"]) for w in effect["warnings"]}
    assert warnings == {"newer_version": ("1", "2"), "currency": ("USD", "EUR")}
    assert effect["versions"][0]["mrr_change_cents"] == 0


def test_a_preview_warns_when_nobody_would_have_a_free_plan_any_more() -> None:
    priced = UpdatePlan.model_validate({**BODY, "features": {}})
    warnings = plan_effect(Shelf(), Cells(), FREE.plan_id, priced)["warnings"]  # type: ignore[arg-type]
    assert ("free_ends", FREE.plan_id) in [(w["code"], w["plan_id"]) for w in warnings]


def test_a_preview_warns_when_month_and_year_of_one_offer_drift_apart() -> None:
    class Tiers(Shelf):
        def catalogue(self, *, fresh: bool = False) -> Catalogue:
            return Catalogue((replace(PLUS, tier="plus"), replace(PLUS, plan_id="plus-year", tier="plus")))

    body = UpdatePlan.model_validate({**BODY, "tier": "plus"})
    warnings = plan_effect(Tiers(), Cells(), "plus-month", body)["warnings"]  # type: ignore[arg-type]
    assert [(w["code"], w["plan_id"]) for w in warnings] == [("differs", "plus-year")]


def test_the_standing_of_a_version_is_who_has_it_and_what_that_brings() -> None:
    found = {(s["plan_id"], s["version"]): s for s in standing_list(buyers())}  # type: ignore[arg-type]
    plus, pro = found["plus-month", 1], found["pro-month", 1]
    assert (plus["subscribers"], plus["trialing"], plus["mrr_cents"]) == (2, 1, 1800)
    assert (pro["subscribers"], pro["mrr_cents"]) == (1, 1900)


def test_a_plan_that_does_not_exist_has_no_effect() -> None:
    with pytest.raises(NotFound):
        plan_effect(NewerShelf(), Cells(), "gold", UpdatePlan.model_validate(BODY))  # type: ignore[arg-type]


def test_nobody_bought_is_nobody() -> None:
    assert plan_effect(NewerShelf(), Cells(), "plus-month", UpdatePlan.model_validate(BODY))["subscribers"] == 0  # type: ignore[arg-type]
