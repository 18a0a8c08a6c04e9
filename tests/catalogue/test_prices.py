"""Plans and their prices at Stripe: made with each version, shared while the terms are the same, repaired."""

from dataclasses import replace

import pytest

from billing.admin.plans import AdminPlans
from billing.api.admin_requests import ArchivePlan, CreatePlan, UpdatePlan
from billing.aws import Aws
from billing.catalogue.prices import PlanPrices
from billing.errors import InvalidRequest, ProviderError
from billing.store.plans import PlanStore
from fakes.base import Fault
from tests.providers.stripe.stripe_shop import Shop
from tests.scenarios.stripe_world import shop_in_process

BODY = {
    "name": "Gold",
    "price_cents": 700,
    "currency": "USD",
    "interval": "month",
    "features": {"ai.insights": True},
}


class Desk:
    def __init__(self, table: str, shop: Shop) -> None:
        self.shop = shop
        self.plans = PlanStore(Aws("dynamodb"), table)
        self.prices = PlanPrices(self.plans, lambda _: shop.client, ["stripe"])
        self.admin = AdminPlans(self.plans, ["stripe"], self.prices)

    def create(self, plan_id: str = "gold", **changes: object) -> str:
        answer = self.admin.create(CreatePlan.model_validate({**BODY, "plan_id": plan_id, **changes}))
        price: str = answer["provider_plan_ids"].get("stripe", "")
        return price

    def update(self, version: int, **changes: object) -> str:
        known = self.plans.catalogue(fresh=True).get("gold", version)
        assert known is not None
        # An admin page sends the whole plan back, with the price of the version that was edited.
        body = {**BODY, "provider_plan_ids": dict(known.provider_plan_ids), "version": version, **changes}
        price: str = self.admin.update("gold", UpdatePlan.model_validate(body))["provider_plan_ids"]["stripe"]
        return price


@pytest.fixture
def desk(tables: dict[str, str]) -> Desk:
    return Desk(tables["PlansTable"], shop_in_process())


def test_a_new_plan_gets_its_price_at_stripe(desk: Desk) -> None:
    price = desk.shop.books.objects[desk.create()]
    assert (price["unit_amount"], price["currency"], price["recurring"]["interval"]) == (700, "usd", "month")


def test_a_free_plan_needs_none(desk: Desk) -> None:
    assert desk.create("free", price_cents=0) == ""


def test_a_version_that_costs_the_same_shares_the_price(desk: Desk) -> None:
    first = desk.create()
    assert desk.update(1, features={"ai.insights": True, "tax.export": True}) == first


def test_a_version_that_costs_more_gets_a_price_of_its_own(desk: Desk) -> None:
    first = desk.create()
    second = desk.update(1, price_cents=900)
    assert second != first
    assert desk.shop.books.objects[second]["unit_amount"] == 900
    assert desk.shop.books.objects[first]["active"]


def test_a_plan_can_adopt_a_price_that_is_what_it_says(desk: Desk) -> None:
    theirs = desk.shop.plans["plus_month"].provider_plan_ids["stripe"]
    with pytest.raises(InvalidRequest, match="not what the plan says"):
        desk.create("silver", price_cents=800, provider_plan_ids={"stripe": theirs})
    assert desk.create(price_cents=900, provider_plan_ids={"stripe": theirs}) == theirs


def test_when_stripe_does_not_answer_no_plan_is_made(desk: Desk) -> None:
    desk.shop.app.faults = [Fault("refuse", path="/v1/prices", times=9)]
    with pytest.raises(ProviderError):
        desk.create()
    assert desk.plans.catalogue(fresh=True).get("gold") is None


def test_archiving_a_plan_archives_its_price(desk: Desk) -> None:
    price = desk.create()
    desk.admin.archive("gold", ArchivePlan())
    assert not desk.shop.books.objects[price]["active"]


def test_seeding_again_changes_nothing(desk: Desk) -> None:
    bodies = [CreatePlan.model_validate({**BODY, "plan_id": "gold"})]
    assert [dict(desk.admin.seed(bodies)) for _ in range(2)] == [{"gold": "created"}, {"gold": "unchanged"}]


def test_drift_is_shown_and_then_repaired(desk: Desk) -> None:
    price = desk.create()
    desk.shop.books.objects[price]["active"] = False
    known = desk.plans.catalogue(fresh=True).get("gold")
    assert known is not None
    desk.plans.add_version(replace(known, plan_id="silver", name="Silver", provider_plan_ids={}))
    would = {s.plan_id: s.changes for s in desk.prices.sync(dry_run=True)}
    assert would["gold"] == (f"activate price {price}",)
    assert would["silver"][0] == "create product bitsleuth_silver"
    desk.prices.sync(dry_run=False)
    assert [s.changes for s in desk.prices.sync(dry_run=True)] == [(), ()]
    silver = desk.plans.catalogue(fresh=True).get("silver")
    assert silver is not None
    assert silver.provider_plan_ids["stripe"].startswith("price_")
