"""A Stripe account that sells other products too: their events are none of ours, and none of ours is taken for one."""

from collections.abc import Sequence
from typing import Any

import pytest

from billing.errors import Parked
from billing.intake.processing import Delivery
from billing.providers.interface import Notification
from fakes.stripe.subscriptions import item_of
from tests.providers.stripe.stripe_shop import DAY, Shop
from tests.scenarios.stripe_stories import intent_of
from tests.scenarios.stripe_world import World, notifications, shop_in_process, shuffled_with_repeats

SEEDS = range(4)


def customer(shop: Shop, **metadata: str) -> Any:
    form = {f"metadata[{name}]": value for name, value in metadata.items()}
    return shop.app.call("POST", "/v1/customers", form)["id"]


def foreign_price(shop: Shop) -> Any:
    ours = next(p for p in shop.books.all("price") if p["id"] == shop.plans["plus_month"].provider_plan_ids["stripe"])
    return shop.books.add({**ours, "id": shop.books.new_id("price"), "lookup_key": None, "metadata": {}})


def another_product(shop: Shop) -> None:
    """Everything that happens to a subscription and to a single charge of somebody else's shop."""
    buyer = customer(shop, crm="17")
    sub = shop.books.subscribe(buyer, foreign_price(shop), 1, {"team": "7"}, None)
    shop.books.works[buyer] = False
    shop.app.advance(32 * DAY)
    shop.books.works[buyer] = True
    shop.books.collect_open(buyer)
    first = intent_of(shop, sub)
    shop.books.open_dispute(first, 100)
    shop.books.warn_of_fraud(first)
    shop.books.refund(first, 200, None, {})
    once = shop.books.pay(700, "usd", buyer, {"order": "A-1"})["id"]
    shop.books.fail_refund(shop.books.refund(once, None, None, {})["id"])
    shop.books.open_dispute(once)
    shop.app.call("DELETE", f"/v1/customers/{buyer}")


def statuses(world: World) -> set[str]:
    return {event.status for event in world.stores.events.values()}


def refused(world: World, events: Sequence[Notification]) -> list[str]:
    """What waits for somebody to say whose it is."""
    waiting = []
    for notification in events:
        try:
            world.processor.process(notification, Delivery(received_at=world.now), world.now)
        except Parked as parked:
            waiting.append(str(parked))
    return waiting


@pytest.mark.parametrize("seed", SEEDS)
def test_another_products_events_are_noted_and_leave_no_trace(seed: int) -> None:
    shop = shop_in_process()
    another_product(shop)
    world = World(shop)
    assert refused(world, shuffled_with_repeats(notifications(shop), seed)) == []
    assert statuses(world) == {"ignored"}
    assert (world.stores.accounts, world.stores.ledger, world.stores.links) == ({}, [], {})
    (event,) = [e for e in world.stores.events.values() if e.type == "customer.subscription.created"]
    assert "not ours" in event.reason


@pytest.mark.parametrize("seed", SEEDS)
def test_ours_end_the_same_with_another_products_events_among_them(seed: int) -> None:
    shop = shop_in_process()
    shop.subscribe()
    another_product(shop)
    events = notifications(shop)
    world, shuffled = World(shop), World(shop)
    world.deliver(events)
    shuffled.deliver(shuffled_with_repeats(events, seed))
    assert [s.status for s in world.account.subscriptions] == ["active"]
    assert list(world.stores.accounts) == list(shuffled.stores.accounts) == ["usr_1"]
    assert world.essence() == shuffled.essence()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_subscription_made_in_the_dashboard_belongs_to_whom_its_customer_names(seed: int) -> None:
    shop = shop_in_process()
    buyer = customer(shop, user_id="usr_1")
    price = next(p for p in shop.books.all("price") if p["id"] == shop.plans["plus_month"].provider_plan_ids["stripe"])
    shop.books.subscribe(buyer, price, 1, {}, None)
    shop.app.advance(32 * DAY)
    world = World(shop)
    world.deliver(shuffled_with_repeats(notifications(shop), seed))
    (subscription,) = world.account.subscriptions
    assert (subscription.status, len(world.account.payments)) == ("active", 2)


def test_our_price_for_a_customer_nobody_knows_waits_for_somebody_to_say_whose_it_is() -> None:
    shop = shop_in_process()
    price = next(p for p in shop.books.all("price") if p["id"] == shop.plans["plus_month"].provider_plan_ids["stripe"])
    sub = shop.books.subscribe(customer(shop), price, 1, {}, None)
    shop.books.refund(intent_of(shop, sub), 100, None, {})
    shop.books.open_dispute(intent_of(shop, sub), 100)
    world = World(shop)
    events = notifications(shop)
    waiting = refused(world, events)
    assert len(waiting) == 8
    assert all("no user is known" in why for why in waiting)
    sub["metadata"] = {"user_id": "usr_1"}
    world.deliver(events)
    assert sorted(amount for line in world.stores.ledger if (amount := line.amount_cents) and line.kind != "mrr") == [
        -100,
        -100,
        -56,
        900,
    ]


def test_our_price_beside_an_older_one_of_another_product_is_what_the_subscription_is_to_us() -> None:
    shop = shop_in_process()
    sub = shop.subscribe()
    item_of(sub)["created"] += 9
    foreign = {**item_of(sub), "id": "si_0", "created": item_of(sub)["created"] - 9, "price": foreign_price(shop)}
    before = dict(sub)
    shop.app.advance(60)
    sub["items"]["data"].append(foreign)
    shop.books.changed(sub, before)
    world = World(shop)
    world.deliver(notifications(shop))
    (subscription,) = world.account.subscriptions
    assert subscription.plan_id == "plus_month"


def test_a_new_price_of_no_plan_for_a_customer_of_ours_waits_for_the_plan() -> None:
    shop = shop_in_process()
    sub = shop.subscribe()
    world = World(shop)
    world.deliver(notifications(shop))
    seen = len(shop.books.events)
    shop.app.advance(60)
    shop.books.subscribe(sub["customer"], foreign_price(shop), 1, {}, None)
    waiting = refused(world, notifications(shop, since=seen))
    assert waiting
    assert all("belongs to no plan" in why for why in waiting)
