"""What can become of single invoices of a subscription at Stripe, while its status speaks of the newest one alone."""

from typing import Any

from billing.rules.access import DELIVERY_SLACK
from fakes.stripe import shapes
from fakes.stripe.subscriptions import item_of
from fakes.stripe.subscriptions import period_end as one_period
from tests.providers.stripe.stripe_shop import DAY, START, Shop
from tests.scenarios.stripe_stories import End, intent_of, period_end, story

GRACE = 7 * DAY


def price(shop: Shop, plan_id: str) -> Any:
    return shop.books.get(shop.plans[plan_id].provider_plan_ids["stripe"], "price")


def newest(shop: Shop, sub: Any) -> Any:
    return shop.books.get(sub["latest_invoice"], "invoice")


def fail(shop: Shop, sub: Any, days: int) -> None:
    shop.books.works[sub["customer"]] = False
    shop.app.advance(days * DAY)


# --- what is paid, and what is not -----------------------------------------------------------------------------------


def upgrade_in_the_dashboard(shop: Shop, *, works: bool) -> Any:
    sub = shop.subscribe()
    shop.app.advance(20 * DAY)
    shop.books.works[sub["customer"]] = works
    shop.books.change_price(sub, price(shop, "pro_month"), 1, shop.app.clock.now(), pending=False)
    return sub


@story
def _an_upgrade_that_was_not_paid_leaves_open_what_was(shop: Shop) -> End:
    sub = upgrade_in_the_dashboard(shop, works=False)
    shop.app.advance(2 * DAY)
    assert (sub["status"], period_end(sub)) == ("past_due", START + 31 * DAY)
    upgraded = START + 20 * DAY
    besides = (("plus_month", START + 31 * DAY),)
    return End("past_due", "past_due", upgraded + GRACE, besides=besides, owed=(upgraded,))


@story
def _a_disputed_upgrade_takes_no_more_than_it_gave(shop: Shop) -> End:
    sub = upgrade_in_the_dashboard(shop, works=True)
    shop.app.advance(DAY)
    shop.books.open_dispute(intent_of(shop, sub))
    besides = (("plus_month", period_end(sub) + DELIVERY_SLACK),)
    return End("active", "disputed", START + 20 * DAY, fewest=False, besides=besides)


@story
def _a_disputed_first_payment_takes_nothing_of_the_upgrade(shop: Shop) -> End:
    sub = shop.subscribe()
    first = intent_of(shop, sub)
    shop.app.advance(20 * DAY)
    shop.books.change_price(sub, price(shop, "pro_month"), 1, shop.app.clock.now(), pending=False)
    shop.app.advance(DAY)
    shop.books.open_dispute(first)
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _an_upgrade_that_is_refunded_and_disputed_leaves_what_was_paid_before(shop: Shop) -> End:
    sub = upgrade_in_the_dashboard(shop, works=True)
    intent = intent_of(shop, sub)
    shop.books.refund(intent, 300, None, {})
    shop.app.advance(DAY)
    dispute = shop.books.open_dispute(intent)
    shop.app.advance(DAY)
    shop.books.move_dispute(dispute["id"], "lost")
    besides = (("plus_month", period_end(sub) + DELIVERY_SLACK),)
    return End("active", "disputed", START + 20 * DAY, fewest=False, besides=besides)


@story
def _an_upgrade_that_failed_and_the_renewal_after_it_too(shop: Shop) -> End:
    """Unpaid is what begins with the upgrade: no second grace begins with the next month."""
    shop.books.give_up = "past_due"
    upgrade_in_the_dashboard(shop, works=False)
    shop.app.advance(20 * DAY)
    upgraded, renewed = START + 20 * DAY, START + 31 * DAY
    besides = (("plus_month", renewed),)
    return End("past_due", "past_due", upgraded + GRACE, besides=besides, owed=(upgraded, renewed))


@story
def _a_leaver_whose_upgrade_failed_keeps_what_is_paid_until_the_date(shop: Shop) -> End:
    sub = upgrade_in_the_dashboard(shop, works=False)
    shop.app.advance(DAY)
    shop.books.modify(sub, {"cancel_at_period_end": True})
    upgraded = START + 20 * DAY
    besides = (("plus_month", START + 31 * DAY),)
    return End("past_due", "past_due", upgraded + GRACE, besides=besides, owed=(upgraded,))


@story
def _after_a_month_that_the_seller_waived_a_failed_one_has_its_grace(shop: Shop) -> End:
    sub = shop.subscribe()
    fail(shop, sub, 33)
    shop.books.void(newest(shop, sub))
    assert sub["status"] == "active"
    third = period_end(sub)
    shop.app.advance(31 * DAY)
    return End("past_due", "past_due", third + GRACE, owed=(third,))


@story
def _collection_paused_for_a_month_is_no_debt(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.books.modify(sub, {"pause_collection": {"behavior": "mark_uncollectible", "resumes_at": None}})
    shop.app.advance(33 * DAY)
    shop.books.modify(sub, {"pause_collection": ""})
    third = period_end(sub)
    fail(shop, sub, 31)
    return End("past_due", "past_due", third + GRACE, owed=(third,))


@story
def _giving_the_newest_invoice_up_opens_nothing(shop: Shop) -> End:
    sub = shop.subscribe()
    second = period_end(sub)
    fail(shop, sub, 33)
    shop.books.mark_uncollectible(newest(shop, sub))
    assert sub["status"] == "active"
    return End("active", "unpaid", second + GRACE, fewest=False, owed=(second,))


@story
def _paid_after_it_was_given_up_it_is_open_and_a_person_is_told(shop: Shop) -> End:
    sub = shop.subscribe()
    fail(shop, sub, 33)
    shop.books.mark_uncollectible(newest(shop, sub))
    shop.app.advance(10 * DAY)
    shop.books.pay_by_hand(newest(shop, sub))
    return End("active", "active", period_end(sub) + DELIVERY_SLACK, late=1)


@story
def _paid_after_the_subscription_ended_a_person_is_told(shop: Shop) -> End:
    sub = shop.subscribe()
    fail(shop, sub, 45)
    assert sub["status"] == "canceled"
    shop.books.pay_by_hand(newest(shop, sub))
    return End("canceled", "canceled", sub["ended_at"], fewest=False, late=1)


@story
def _voiding_an_old_invoice_says_nothing_of_the_open_one(shop: Shop) -> End:
    shop.books.give_up = "past_due"
    sub = shop.subscribe()
    fail(shop, sub, 33)
    old = newest(shop, sub)
    third = period_end(sub)
    shop.app.advance(30 * DAY)
    shop.app.advance(DAY)
    shop.books.void(old)
    assert sub["status"] == "past_due"
    return End("past_due", "past_due", third + GRACE, owed=(third,))


# --- a first payment by debit ----------------------------------------------------------------------------------------


def by_debit(shop: Shop) -> tuple[Any, Any]:
    opened = shop.client.create_checkout(shop.order("plus_month"))
    session = shop.books.objects[opened.session_id]
    shop.books.complete(session, delayed=True)
    return session, shop.books.objects[session["subscription"]]


@story
def _a_first_debit_on_its_way_opens_nothing(shop: Shop) -> End:
    session, sub = by_debit(shop)
    assert (session["payment_status"], sub["status"]) == ("unpaid", "active")
    return End("active", "processing", START)


@story
def _a_first_debit_that_arrives_opens(shop: Shop) -> End:
    session, sub = by_debit(shop)
    shop.app.advance(4 * DAY)
    shop.books.settle(session, paid=True)
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _a_first_debit_that_fails_stays_closed_although_stripe_says_active(shop: Shop) -> End:
    session, sub = by_debit(shop)
    shop.app.advance(4 * DAY)
    shop.books.settle(session, paid=False)
    assert sub["status"] == "active"
    return End("active", "processing", START)


@story
def _one_that_never_paid_has_no_grace_when_the_next_bill_fails_too(shop: Shop) -> End:
    """Nobody could end it at Stripe meanwhile."""
    session, sub = by_debit(shop)
    shop.books.works[sub["customer"]] = False
    shop.app.advance(4 * DAY)
    shop.books.settle(session, paid=False)
    second = period_end(sub)
    shop.app.advance(28 * DAY)
    return End("past_due", "past_due", START, owed=(second,))


# --- several of one kind ---------------------------------------------------------------------------------------------


@story
def _a_renewal_behind_twelve_prorations_is_found_on_the_second_page(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.app.advance(10 * DAY)
    now, end = shop.app.clock.now(), period_end(sub)
    sub["_waiting"] = [
        shapes.line(shop.books.new_id("il"), sub, item_of(sub)["price"], amount, now + n, end, proration=True)
        for n in range(6)
        for amount in (-600, 610)
    ]
    shop.app.advance(22 * DAY)
    fail(shop, sub, 31)
    (renewal,) = [b for b in shop.books.all("invoice") if b["lines"]["total_count"] == 13]
    assert renewal["status"] == "paid"
    third = one_period(end, item_of(sub)["price"])
    return End("past_due", "past_due", third + GRACE, owed=(third,))


@story
def _an_older_add_on_of_another_product_is_not_taken_for_ours(shop: Shop) -> End:
    """Our price was made by hand and adopted: nothing on it names us but the catalogue."""
    price(shop, "plus_month")["metadata"] = {}
    sub = shop.subscribe()
    shop.app.advance(60)
    foreign = shop.books.add({**price(shop, "plus_month"), "id": shop.books.new_id("price"), "lookup_key": None})
    shop.books.add_item(sub, foreign, created=sub["created"] - 1)
    shop.app.advance(31 * DAY)
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _two_plans_in_one_subscription_give_both(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.app.advance(60)
    shop.books.add_item(sub, price(shop, "pro_month"))
    shop.app.advance(31 * DAY)
    until = period_end(sub) + DELIVERY_SLACK
    return End("active", "active", until, besides=(("pro_month", until),))
