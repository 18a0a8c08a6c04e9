"""What can become of a subscription, and of its payments, at Stripe."""

from typing import Any

from billing.rules.access import DELIVERY_SLACK
from fakes.stripe.subscriptions import item_of
from tests.providers.stripe.stripe_shop import DAY, START, Shop
from tests.scenarios.stripe_stories import End, intent_of, period_end, story

# --- subscriptions -------------------------------------------------------------------------------------------------


@story
def _a_trial_gives_access_until_it_ends(shop: Shop) -> End:
    sub = shop.subscribe(trial_days=7)
    return End("trialing", "trialing", sub["trial_end"] + DELIVERY_SLACK)


@story
def _a_trial_that_converts_is_a_paid_subscription(shop: Shop) -> End:
    sub = shop.subscribe(trial_days=7)
    shop.app.advance(8 * DAY)
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _renewals_move_access_along(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.app.advance(95 * DAY)
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _no_unpaid_day_is_granted_when_a_renewal_fails(shop: Shop) -> End:
    sub = shop.subscribe()
    paid_until = period_end(sub)
    shop.books.works[sub["customer"]] = False
    shop.app.advance(33 * DAY)
    assert period_end(sub) > paid_until  # Stripe has moved the period already
    return End("past_due", "past_due", paid_until + 7 * DAY)


@story
def _paying_late_restores_access(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.books.works[sub["customer"]] = False
    shop.app.advance(33 * DAY)
    shop.books.works[sub["customer"]] = True
    shop.app.advance(4 * DAY)
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _an_account_that_leaves_it_past_due_gives_its_grace_only_once(shop: Shop) -> End:
    """Stripe goes on to bill period after period: none of them is a new beginning."""
    shop.books.give_up = "past_due"
    sub = shop.subscribe()
    paid_until = period_end(sub)
    shop.books.works[sub["customer"]] = False
    shop.app.advance(95 * DAY)
    return End("past_due", "past_due", paid_until + 7 * DAY)


@story
def _dunning_that_is_given_up_ends_access(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.books.works[sub["customer"]] = False
    shop.app.advance(45 * DAY)
    return End("canceled", "canceled", sub["ended_at"], fewest=False)


@story
def _an_account_that_marks_unpaid_closes_it(shop: Shop) -> End:
    shop.books.give_up = "unpaid"
    sub = shop.subscribe()
    shop.books.works[sub["customer"]] = False
    shop.app.advance(45 * DAY)
    return End("unpaid", "unpaid", START)


@story
def _exhausted_retries_may_also_pause(shop: Shop) -> End:
    shop.books.give_up = "paused"
    sub = shop.subscribe()
    shop.books.works[sub["customer"]] = False
    shop.app.advance(45 * DAY)
    return End("paused", "paused", START)


@story
def _a_paused_subscription_gives_nothing(shop: Shop) -> End:
    shop.books.pause(shop.subscribe())
    return End("paused", "paused", START)


@story
def _a_resumed_one_gives_again(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.books.pause(sub)
    shop.app.advance(DAY)
    shop.books.resume(sub)
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _paused_collection_keeps_access(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.books.modify(sub, {"pause_collection": {"behavior": "void", "resumes_at": None}})
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _a_first_payment_that_never_comes_gives_nothing(shop: Shop) -> End:
    """As before basil: the subscription exists before it is paid, and lapses by an update."""
    sub = shop.subscribe()
    shop.books.events[:] = [e for e in shop.books.events if not e["type"].startswith(("invoice", "customer.sub"))]
    for status in ("incomplete", "incomplete_expired"):
        sub["status"] = status
        shop.books.emit("customer.subscription.updated", sub)
        shop.app.advance(DAY)
    return End("incomplete_expired", "incomplete_expired", START)


@story
def _a_status_nobody_knows_gives_nothing(shop: Shop) -> End:
    sub = shop.subscribe()
    before = dict(sub)
    shop.app.advance(DAY)
    sub["status"] = "resting"
    shop.books.changed(sub, before)
    return End("resting", "resting", START)


# --- cancelling ----------------------------------------------------------------------------------------------------


@story
def _a_scheduled_cancellation_keeps_access_until_then(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.books.modify(sub, {"cancel_at_period_end": True})
    return End("active", "canceling", period_end(sub))


@story
def _the_portal_sets_a_date_without_the_flag(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.books.modify(sub, {"cancel_at": START + 10 * DAY})
    assert not sub["cancel_at_period_end"]
    return End("active", "canceling", START + 10 * DAY)


@story
def _a_cancellation_that_is_taken_back(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.books.modify(sub, {"cancel_at_period_end": True})
    shop.app.advance(DAY)
    shop.client.resume_subscription(sub["id"], key="k1")
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _a_cancellation_that_takes_effect(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.books.modify(sub, {"cancel_at_period_end": True})
    shop.app.advance(40 * DAY)
    return End("canceled", "canceled", sub["ended_at"], fewest=False)


@story
def _cancelled_at_once(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.app.advance(3 * DAY)
    shop.client.cancel_subscription(sub["id"], at_period_end=False, reason="unused", key="k1")
    return End("canceled", "canceled", START + 3 * DAY, fewest=False)


@story
def _a_customer_who_is_deleted(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.app.advance(3 * DAY)
    shop.app.call("DELETE", f"/v1/customers/{sub['customer']}")
    return End("canceled", "canceled", START + 3 * DAY, fewest=False)


# --- changing ------------------------------------------------------------------------------------------------------


def change(shop: Shop, sub: Any, plan_id: str, *, later: bool = False) -> None:
    shop.client.change_subscription(
        sub["id"],
        item_of(sub)["id"],
        shop.plans[plan_id],
        at_period_end=later,
        proration_date=shop.app.clock.now(),
        key=plan_id,
    )


@story
def _an_upgrade_counts_at_once(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.app.advance(3 * DAY)
    change(shop, sub, "pro_month")
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _an_upgrade_that_is_not_paid_keeps_the_old_plan(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.books.works[sub["customer"]] = False
    shop.app.advance(3 * DAY)
    change(shop, sub, "pro_month")
    assert sub["pending_update"]
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _an_upgrade_that_lapses_keeps_the_old_plan(shop: Shop) -> End:
    end = _an_upgrade_that_is_not_paid_keeps_the_old_plan(shop)
    shop.app.advance(2 * DAY)
    return end


@story
def _an_upgrade_that_is_paid_after_all(shop: Shop) -> End:
    _an_upgrade_that_is_not_paid_keeps_the_old_plan(shop)
    shop.app.advance(3600)
    (sub,) = shop.books.all("subscription")
    shop.books.works[sub["customer"]] = True
    shop.books.collect_open(sub["customer"])
    assert item_of(sub)["price"]["id"] == shop.plans["pro_month"].provider_plan_ids["stripe"]
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _a_downgrade_waits_for_the_periods_end(shop: Shop) -> End:
    sub = shop.subscribe("pro_month")
    change(shop, sub, "plus_month", later=True)
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _a_downgrade_that_took_effect(shop: Shop) -> End:
    sub = shop.subscribe("pro_month")
    change(shop, sub, "plus_month", later=True)
    shop.app.advance(32 * DAY)
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _from_month_to_year(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.app.advance(3 * DAY)
    change(shop, sub, "plus_year")
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


# --- money back from a subscription --------------------------------------------------------------------------------


@story
def _a_refunded_invoice_leaves_the_subscription_alone(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.app.advance(DAY)
    shop.client.refund(sub["latest_invoice"], None, "USD", reason="requested_by_customer", key="r1")
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _a_chargeback_suspends_what_it_paid_for(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.app.advance(DAY)
    shop.books.open_dispute(intent_of(shop, sub))
    return End("active", "disputed", START, fewest=False)


@story
def _a_chargeback_that_is_won_restores(shop: Shop) -> End:
    sub = shop.subscribe()
    dispute = shop.books.open_dispute(intent_of(shop, sub))
    shop.app.advance(DAY)
    shop.books.move_dispute(dispute["id"], "won")
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _a_chargeback_that_is_lost_stays_revoked_and_so_in_appeal(shop: Shop) -> End:
    sub = shop.subscribe()
    dispute = shop.books.open_dispute(intent_of(shop, sub))
    for status in ("lost", "appeal_needs_response", "appeal_under_review"):
        shop.app.advance(3600)
        shop.books.move_dispute(dispute["id"], status)
    return End("active", "disputed", START, fewest=False)


@story
def _an_appeal_that_is_won_restores(shop: Shop) -> End:
    _a_chargeback_that_is_lost_stays_revoked_and_so_in_appeal(shop)
    shop.app.advance(3600)
    (dispute,), (sub,) = shop.books.all("dispute"), shop.books.all("subscription")
    shop.books.move_dispute(dispute["id"], "won")
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _a_dispute_of_an_old_period_takes_nothing_of_the_new_one(shop: Shop) -> End:
    sub = shop.subscribe()
    first = intent_of(shop, sub)
    shop.app.advance(40 * DAY)
    shop.books.open_dispute(first)
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _an_inquiry_changes_nothing(shop: Shop) -> End:
    sub = shop.subscribe()
    inquiry = shop.books.open_dispute(intent_of(shop, sub), inquiry=True)
    shop.app.advance(DAY)
    shop.books.move_dispute(inquiry["id"], "warning_closed")
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)


@story
def _an_early_fraud_warning_is_only_flagged(shop: Shop) -> End:
    sub = shop.subscribe()
    shop.books.warn_of_fraud(intent_of(shop, sub))
    return End("active", "active", period_end(sub) + DELIVERY_SLACK)
