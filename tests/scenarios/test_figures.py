"""What the books say of tax, coupons, currencies and quantities that Stripe charged; the same in any order."""

from collections import Counter
from typing import Any

import pytest

from billing.rules.facts import Ref
from fakes.stripe.subscriptions import item_of
from tests.providers.stripe.stripe_shop import DAY, Shop
from tests.scenarios.stripe_world import World, notifications, shop_in_process, shuffled_with_repeats

SEEDS = range(3)


def figures(shop: Shop, seed: int) -> dict[str, Any]:
    """Revenue, tax, and what recurs by currency, as the ledger's lines add up."""
    world = World(shop)
    events = notifications(shop)
    world.deliver(shuffled_with_repeats(events, seed) if seed else events)
    mrr: Counter[str] = Counter()
    for line in world.stores.ledger:
        if line.kind == "mrr":
            mrr[line.currency] += line.amount_cents
    money = [e for e in world.stores.ledger if e.kind not in ("mrr", "trial", "fee")]
    return {
        "revenue": sum(e.amount_cents for e in money),
        "tax": sum(e.tax_cents for e in money),
        "mrr": {name: amount for name, amount in mrr.items() if amount},
    }


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("inside", "revenue", "tax"), [(False, 900, 171), (True, 756, 144)])
def test_tax_on_top_of_a_price_or_inside_it(seed: int, inside: bool, revenue: int, tax: int) -> None:
    shop = shop_in_process()
    shop.books.tax_percent, shop.books.tax_inside = 19, inside
    shop.subscribe()
    assert figures(shop, seed) == {"revenue": revenue, "tax": tax, "mrr": {"USD": revenue}}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_fee_of_every_payment_is_booked_whether_or_not_anything_happened_to_it(seed: int, late: bool) -> None:
    """`late`: Stripe knows it only after all that it says of the payment."""
    shop = shop_in_process()
    shop.books.late_fees = late
    shop.subscribe()
    shop.app.advance(70 * DAY)
    shop.buy("tax_pass", "chk_2")
    world = World(shop)
    told = notifications(shop)
    world.deliver(shuffled_with_repeats(told, seed) if seed else told)
    shop.books.book_fees()
    world.deliver(notifications(shop)[len(told) :])
    assert sorted(e.amount_cents for e in world.stores.ledger if e.kind == "fee") == [-172, -56, -56, -56]


@pytest.mark.parametrize("seed", SEEDS)
def test_tax_on_what_is_bought_once_although_the_payment_alone_does_not_tell_it(seed: int) -> None:
    shop = shop_in_process()
    shop.books.tax_percent = 19
    session = shop.buy("tax_pass")
    shop.books.refund(session["payment_intent"], 5831 // 7, None, {})
    assert session["amount_total"] == 5831
    assert figures(shop, seed) == {"revenue": 4200, "tax": 798, "mrr": {}}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("duration", "coupon", "mrr"),
    [
        ("forever", {"percent_off": 100}, {}),
        ("forever", {"percent_off": 12.5}, {"USD": 787}),
        ("forever", {"amount_off": 200, "currency": "usd"}, {"USD": 700}),
        ("once", {"percent_off": 50}, {"USD": 900}),
        ("repeating", {"percent_off": 50, "duration_in_months": 3}, {"USD": 450}),
    ],
)
def test_only_discounts_that_stay_change_what_recurs(
    seed: int, duration: str, coupon: dict[str, Any], mrr: dict[str, int]
) -> None:
    shop = shop_in_process()
    sub = shop.subscribe()
    shop.app.advance(60)
    shop.books.discount(sub, duration, **coupon)
    assert figures(shop, seed) == {"revenue": 900, "tax": 0, "mrr": mrr}


def test_a_repeating_discount_that_is_over_changes_it_no_more() -> None:
    shop = shop_in_process()
    sub = shop.subscribe()
    shop.app.advance(60)
    shop.books.discount(sub, "repeating", percent_off=50, duration_in_months=1)
    shop.app.advance(70 * DAY)
    assert figures(shop, 0) == {"revenue": 900 + 450 + 900, "tax": 0, "mrr": {"USD": 900}}


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_charged_in_another_currency_recurs_in_it(seed: int) -> None:
    shop = shop_in_process()
    price = shop.books.get(shop.plans["plus_month"].provider_plan_ids["stripe"], "price")
    sub = shop.subscribe()
    shop.app.advance(60)
    before = dict(sub)
    sub["currency"] = "eur"
    price["currency_options"] = {"eur": {"unit_amount": 830}}
    shop.books.changed(sub, before)
    assert figures(shop, seed)["mrr"] == {"EUR": 830}


@pytest.mark.parametrize("seed", SEEDS)
def test_three_of_one_thing_recur_three_times(seed: int) -> None:
    shop = shop_in_process()
    sub = shop.subscribe()
    shop.app.advance(60)
    before = shop.books._before(sub)
    item_of(sub)["quantity"] = 3
    shop.books.changed(sub, before)
    assert figures(shop, seed)["mrr"] == {"USD": 2700}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_plan_in_one_subscription_recurs(seed: int) -> None:
    shop = shop_in_process()
    sub = shop.subscribe()
    shop.app.advance(60)
    pro = shop.books.get(shop.plans["pro_month"].provider_plan_ids["stripe"], "price")
    shop.books.add_item(sub, pro)
    assert figures(shop, seed)["mrr"] == {"USD": 2800}


def mrr_of(world: World) -> int:
    return sum(line.amount_cents for line in world.stores.ledger if line.kind == "mrr")


def read_anew(world: World, sub: Any) -> None:
    """What the nightly round does with each live subscription."""
    world.processor._applier.refresh(world.account.user_id, "stripe", Ref("subscription", sub["id"]), world.now)


@pytest.mark.parametrize(("coupon", "mrr"), [({"percent_off": 25}, 675), ({"amount_off": 200, "currency": "usd"}, 700)])
def test_a_discount_of_the_customers_counts_and_stays_over_events_that_do_not_tell_it(
    coupon: dict[str, Any], mrr: int
) -> None:
    shop = shop_in_process()
    sub = shop.subscribe()
    world = World(shop)
    world.deliver(notifications(shop))
    shop.app.advance(60)
    shop.books.discount_customer(sub["customer"], "forever", **coupon)
    read_anew(world, sub)
    assert mrr_of(world) == mrr
    shop.app.advance(31 * DAY)
    for seed in SEEDS:
        world.deliver(shuffled_with_repeats(notifications(shop), seed))
        assert mrr_of(world) == mrr
    shop.books.end_discount(sub["customer"])
    shop.app.advance(60)
    read_anew(world, sub)
    assert mrr_of(world) == 900


def test_a_coupon_put_on_a_customer_afterwards_is_told_by_its_own_event_alone() -> None:
    shop = shop_in_process()
    sub = shop.subscribe()
    world = World(shop)
    world.deliver(notifications(shop))
    assert mrr_of(world) == 900
    shop.app.advance(60)
    shop.books.discount_customer(sub["customer"], "forever", percent_off=25)
    world.deliver(notifications(shop)[-1:])
    assert mrr_of(world) == 675
    shop.app.advance(60)
    shop.books.end_discount(sub["customer"])
    world.deliver(notifications(shop)[-1:])
    assert mrr_of(world) == 900


def test_a_discount_of_the_subscriptions_own_stands_before_the_customers() -> None:
    shop = shop_in_process()
    sub = shop.subscribe()
    shop.books.discount_customer(sub["customer"], "forever", percent_off=25)
    shop.app.advance(60)
    shop.books.discount(sub, "forever", percent_off=50)
    assert figures(shop, 0)["mrr"] == {"USD": 450}


def test_a_customers_discount_for_once_does_not_change_what_recurs() -> None:
    shop = shop_in_process()
    sub = shop.subscribe()
    shop.books.discount_customer(sub["customer"], "once", percent_off=25)
    world = World(shop)
    world.deliver(notifications(shop))
    read_anew(world, sub)
    assert mrr_of(world) == 900
