"""Plans, their versions, and how the catalogue finds them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.plans import Allowance, Catalogue, Credits, faults_of, features_from_json, features_to_json
from samples import CATALOGUE, DAY_PASS, FREE, PLUS, PLUS_TRIAL, PRO, TAX_PASS

features = st.dictionaries(
    st.text(min_size=1),
    st.one_of(
        st.booleans(),
        st.integers(0),
        st.builds(Allowance, st.integers(1), st.sampled_from(["month", "billing_period"])),
        st.builds(Credits, st.integers(1)),
    ),
)


@given(features)
def test_features_survive_their_json(known: dict[str, object]) -> None:
    assert features_from_json(features_to_json(known)) == known  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", [{"ai.chat": {}}, {"ai.chat": {"limit": 5}}])
def test_features_of_another_shape_are_an_error(broken: dict[str, object]) -> None:
    with pytest.raises(KeyError):
        features_from_json(broken)


def test_the_price_list_is_in_the_admins_order_and_then_by_rank() -> None:
    pro_first = Catalogue((FREE, replace(PLUS, position=1), replace(PRO, position=0)))
    assert [plan.plan_id for plan in pro_first.on_sale()] == ["free", "pro-month", "plus-month"]
    assert [plan.plan_id for plan in Catalogue((PRO, PLUS, FREE)).on_sale()] == ["free", "plus-month", "pro-month"]


def test_the_newest_version_is_for_sale_and_the_old_ones_are_known() -> None:
    second = replace(PLUS, version=2, price_cents=1200)
    catalogue = Catalogue((second, PLUS))
    assert catalogue.get("plus-month") == second
    assert catalogue.get("plus-month", 1) == PLUS
    assert list(catalogue.newest()) == [second]


def test_a_price_of_several_versions_means_the_oldest() -> None:
    catalogue = Catalogue((replace(PLUS, version=2, name="Plus!"), PLUS))
    assert catalogue.by_price("stripe", "price_plus") == PLUS


def test_what_is_unknown_is_none() -> None:
    assert CATALOGUE.get("nothing") is CATALOGUE.get("plus-month", 9) is CATALOGUE.by_price("stripe", "?") is None


def test_the_free_plan_is_the_highest_active_one_that_costs_nothing_and_recurs() -> None:
    better = replace(FREE, plan_id="free-2", rank=1)
    assert Catalogue((FREE, better, PRO)).free() == better
    assert Catalogue((FREE, replace(better, status="archived"))).free() == FREE
    assert Catalogue((replace(FREE, interval="once"), PRO)).free() is None


@pytest.mark.parametrize(("currency", "sold"), [("USD", True), ("JPY", True), ("BTC", False), ("SAT", False)])
def test_a_price_is_in_money(currency: str, sold: bool) -> None:
    """Minor units are those of money: two digits of a bitcoin are not right to the satoshi."""
    assert (faults_of(replace(PLUS, currency=currency)) == []) is sold


FAULTS = {
    "as it should be": (TAX_PASS, []),
    "with a trial": (PLUS_TRIAL, []),
    "for days": (DAY_PASS, []),
    "free": (FREE, []),
    "no currency": (replace(PLUS, currency="QQQ"), ["currency"]),
    "a coin": (replace(PLUS, currency="BTC"), ["currency", "currency"]),
    "days of what renews": (replace(PLUS, duration_days=3), ["duration_days"]),
    "a trial of what is bought once": (replace(TAX_PASS, trial_days=3), ["trial_days"]),
    "a trial of what is free": (replace(FREE, trial_days=3), ["trial_days"]),
    "free, once": (replace(TAX_PASS, price_cents=0), ["price_cents"]),
    "credits": (replace(TAX_PASS, features={"ai.chat": Credits(5)}), []),
    "credits of what renews": (replace(PLUS, features={"ai.chat": Credits(5)}), ["features"]),
    "an unknown feature": (replace(PLUS, features={"nothing.here": True}), ["features/nothing.here"]),
    "a feature of another kind": (replace(PLUS, features={"ai.insights": 5}), ["features/ai.insights"]),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_wrong_with_a_plan_is_said_of_its_field(case: str) -> None:
    plan, paths = FAULTS[case]
    assert [fault["path"] for fault in faults_of(plan)] == paths
