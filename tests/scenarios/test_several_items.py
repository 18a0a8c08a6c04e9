"""A change of one plan in a subscription that holds other things too: more than an answer shows, or a second plan."""

from typing import Any

import pytest

from fakes.stripe.subscriptions import item_of
from tests.providers.stripe.stripe_shop import DAY, Shop
from tests.scenarios.stripe_invoice_stories import price
from tests.scenarios.stripe_world import World, notifications, shop_in_process, shuffled_with_repeats


def behind_eleven_others(shop: Shop) -> tuple[Any, Any]:
    """Three units of ours, the last item of a subscription whose others are another product's."""
    sub = shop.subscribe()
    ours = item_of(sub)
    ours["quantity"] = 3
    base = price(shop, "plus_month")
    for number in range(11):
        foreign = {**base, "id": shop.books.new_id("price"), "lookup_key": None, "metadata": {}, "unit_amount": 100}
        shop.books.add_item(sub, shop.books.add(foreign), created=sub["created"] + number)
    items = sub["items"]["data"]
    items.append(items.pop(0))
    return sub, ours


@pytest.mark.parametrize("later", [False, True])
def test_the_quantity_stays_although_the_item_is_behind_those_that_are_shown(later: bool) -> None:
    shop = shop_in_process()
    sub, ours = behind_eleven_others(shop)
    shop.app.advance(DAY)
    target, now = shop.plans["pro_month"], shop.app.clock.now()
    cost = shop.client.preview_change(sub["id"], ours["id"], target, now, at_period_end=later)
    assert cost.next_amount_cents == 3 * 1900
    shop.client.change_subscription(sub["id"], ours["id"], target, at_period_end=later, proration_date=now, key="k")
    shop.app.advance(31 * DAY if later else 60)
    (mine,) = [i for i in sub["items"]["data"] if i["price"]["id"] == target.provider_plan_ids["stripe"]]
    assert (mine["quantity"], len(sub["items"]["data"])) == (3, 12)
    world = World(shop)
    world.deliver(notifications(shop))
    (record,) = world.account.subscriptions
    assert (record.plan_id, record.quantity) == ("pro_month", 3)


@pytest.mark.parametrize("seed", range(3))
def test_what_a_downgrade_of_one_of_two_plans_brings_is_its_own_plan(seed: int) -> None:
    """The other plan is older, and stands first in every list."""
    shop = shop_in_process()
    sub = shop.subscribe("pro_month")
    shop.app.advance(60)
    shop.books.add_item(sub, price(shop, "plus_year"), created=sub["created"] - 10)
    sub["items"]["data"].reverse()
    mine = next(i for i in sub["items"]["data"] if i["price"] == price(shop, "pro_month"))
    shop.client.change_subscription(
        sub["id"],
        mine["id"],
        shop.plans["plus_month"],
        at_period_end=True,
        proration_date=shop.app.clock.now(),
        key="down",
    )
    world = World(shop)
    events = notifications(shop)
    world.deliver(shuffled_with_repeats(events, seed) if seed else events)
    (record,) = world.account.subscriptions
    assert (record.plan_id, record.scheduled_plan_id) == ("pro_month", "plus_month")
