"""The effect of a new plan version is told before it is put on sale, from the books."""

from dataclasses import replace

import pytest

from billing.api.requests import UpdatePlan
from billing.catalogue.effect import plan_effect
from billing.errors import NotFound
from billing.rules.plans import Catalogue
from samples import CATALOGUE, PLUS
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
    assert effect["warnings"] == [
        "New buyers pay 12.00 USD in place of 9.00 USD; nobody who has bought is charged differently."
    ]


def test_a_preview_warns_of_what_a_save_would_refuse() -> None:
    wrong = UpdatePlan.model_validate({**BODY, "features": {"no.such": True}, "currency": "EUR"})
    warnings = plan_effect(NewerShelf(), buyers(), "plus-month", wrong)["warnings"]  # type: ignore[arg-type]
    assert any("unknown feature" in warning for warning in warnings)
    assert any("You edited version 1, but 2 is the newest" in warning for warning in warnings)
    assert any("The currency changes" in warning for warning in warnings)


def test_a_plan_that_does_not_exist_has_no_effect() -> None:
    with pytest.raises(NotFound):
        plan_effect(NewerShelf(), Cells(), "gold", UpdatePlan.model_validate(BODY))  # type: ignore[arg-type]


def test_nobody_bought_is_nobody() -> None:
    assert plan_effect(NewerShelf(), Cells(), "plus-month", UpdatePlan.model_validate(BODY))["subscribers"] == 0  # type: ignore[arg-type]
