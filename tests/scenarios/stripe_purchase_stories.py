"""What can become of a one-time purchase at Stripe."""

from typing import Any

from tests.providers.stripe.stripe_shop import DAY, START, Shop
from tests.scenarios.stripe_stories import End, story

# --- one-time purchases --------------------------------------------------------------------------------------------


def purchase(shop: Shop) -> Any:
    return shop.buy("tax_pass")


def bought(status: str, reason: str, *, open_: bool, fewest: bool = True) -> End:
    return End(status, reason, START + 365 * DAY if open_ else START, "purchase", fewest)


@story
def _a_purchase_lasts_as_long_as_its_plan_says(shop: Shop) -> End:
    purchase(shop)
    return bought("paid", "paid", open_=True)


@story
def _a_delayed_payment_gives_nothing_yet(shop: Shop) -> End:
    opened = shop.client.create_checkout(shop.order("tax_pass"))
    shop.books.complete(shop.books.objects[opened.session_id], delayed=True)
    return bought("pending", "pending", open_=False)


@story
def _a_delayed_payment_that_succeeds(shop: Shop) -> End:
    opened = shop.client.create_checkout(shop.order("tax_pass"))
    session = shop.books.objects[opened.session_id]
    shop.books.complete(session, delayed=True)
    shop.app.advance(3 * DAY)
    shop.books.settle(session, paid=True)
    return End("paid", "paid", START + 368 * DAY, "purchase", fewest=False)


@story
def _a_delayed_payment_that_fails(shop: Shop) -> End:
    opened = shop.client.create_checkout(shop.order("tax_pass"))
    session = shop.books.objects[opened.session_id]
    shop.books.complete(session, delayed=True)
    shop.app.advance(3 * DAY)
    shop.books.settle(session, paid=False)
    return bought("failed", "failed", open_=False, fewest=False)


@story
def _a_full_refund_revokes(shop: Shop) -> End:
    session = purchase(shop)
    shop.app.advance(DAY)
    shop.books.refund(session["payment_intent"], None, "requested_by_customer", {})
    return bought("refunded", "refunded", open_=False)


@story
def _several_refunds_that_make_a_whole_one(shop: Shop) -> End:
    session = purchase(shop)
    for amount in (1000, 1500, None):
        shop.app.advance(DAY)
        shop.books.refund(session["payment_intent"], amount, None, {})
    return bought("refunded", "refunded", open_=False)


@story
def _a_partial_refund_keeps_it(shop: Shop) -> End:
    session = purchase(shop)
    shop.books.refund(session["payment_intent"], 1000, None, {})
    return bought("partially_refunded", "paid", open_=True)


@story
def _a_refund_that_fails_restores(shop: Shop) -> End:
    session = purchase(shop)
    refund = shop.books.refund(session["payment_intent"], None, None, {})
    shop.app.advance(2 * DAY)
    shop.books.fail_refund(refund["id"])
    return bought("paid", "paid", open_=True)


@story
def _a_disputed_purchase_is_suspended(shop: Shop) -> End:
    session = purchase(shop)
    shop.books.open_dispute(session["payment_intent"])
    return bought("disputed", "disputed", open_=False, fewest=False)


@story
def _a_partial_dispute_suspends_too(shop: Shop) -> End:
    session = purchase(shop)
    shop.books.open_dispute(session["payment_intent"], 100)
    return bought("disputed", "disputed", open_=False, fewest=False)


@story
def _winning_a_dispute_restores_what_it_took(shop: Shop) -> End:
    session = purchase(shop)
    dispute = shop.books.open_dispute(session["payment_intent"])
    shop.app.advance(DAY)
    shop.books.move_dispute(dispute["id"], "won")
    return bought("paid", "paid", open_=True)


@story
def _part_refunded_then_disputed_and_won_it_is_as_after_the_refund(shop: Shop) -> End:
    session = purchase(shop)
    shop.books.refund(session["payment_intent"], 1000, None, {})
    shop.app.advance(DAY)
    dispute = shop.books.open_dispute(session["payment_intent"])
    shop.app.advance(DAY)
    shop.books.move_dispute(dispute["id"], "won")
    return bought("partially_refunded", "paid", open_=True)


@story
def _won_and_then_refunded_whole_it_is_closed(shop: Shop) -> End:
    session = purchase(shop)
    dispute = shop.books.open_dispute(session["payment_intent"])
    shop.app.advance(DAY)
    shop.books.move_dispute(dispute["id"], "won")
    shop.app.advance(DAY)
    shop.books.refund(session["payment_intent"], None, None, {})
    return bought("refunded", "refunded", open_=False)


@story
def _a_failed_refund_of_what_is_lost_in_a_dispute_opens_nothing(shop: Shop) -> End:
    session = purchase(shop)
    refund = shop.books.refund(session["payment_intent"], None, None, {})
    dispute = shop.books.open_dispute(session["payment_intent"])
    shop.app.advance(DAY)
    shop.books.move_dispute(dispute["id"], "lost")
    shop.app.advance(DAY)
    shop.books.fail_refund(refund["id"])
    return bought("disputed", "disputed", open_=False, fewest=False)


@story
def _a_guest_without_a_customer(shop: Shop) -> End:
    session = purchase(shop)
    for event in shop.books.events:
        if event["data"]["object"].get("customer"):
            event["data"]["object"]["customer"] = None
    session["customer"] = None
    shop.books.objects[session["payment_intent"]]["customer"] = None
    return bought("paid", "paid", open_=True)
