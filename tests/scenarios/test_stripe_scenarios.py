"""Every situation that Stripe can bring about, and who has access in it; whatever the order its events arrive in.

A story plays at the stand-in. Its events then reach the real processor promptly, late and in any order with every one
doubled, in both payload shapes; what has to be read again is read from the stand-in. The end is always the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from billing.access import DELIVERY_SLACK
from billing.records import Purchase, Subscription
from fakes.stripe_books import item_of
from fakes.stripe_shapes import OLD_VERSION
from tests.providers.stripe.canaries import CANARY, PERSONAL
from tests.providers.stripe.stripe_shop import DAY, START, Shop
from tests.scenarios.stripe_world import FEWEST, World, notifications, shop_in_process, shuffled_with_repeats

SEEDS = range(4)


@dataclass(frozen=True)
class End:
    """What must be true at the end: the status of the record, why, and until when it gives access."""

    status: str
    reason: str
    until: int | None
    kind: str = "subscription"
    fewest: bool = True
    """Whether the four events of the smallest endpoint suffice."""


Story = Callable[[Shop], End]
STORIES: dict[str, Story] = {}


def story(play: Story) -> Story:
    STORIES[play.__name__.removeprefix("_")] = play
    return play


def period_end(sub: Any) -> int:
    end: int = item_of(sub)["current_period_end"]
    return end


def intent_of(shop: Shop, sub: Any) -> str:
    name: str = shop.books.objects[sub["latest_invoice"]]["_names"]["payment_intent"]
    return name


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
def _a_guest_without_a_customer(shop: Shop) -> End:
    session = purchase(shop)
    for event in shop.books.events:
        if event["data"]["object"].get("customer"):
            event["data"]["object"]["customer"] = None
    session["customer"] = None
    shop.books.objects[session["payment_intent"]]["customer"] = None
    return bought("paid", "paid", open_=True)


# --- the proof -----------------------------------------------------------------------------------------------------


def holds(world: World, end: End) -> None:
    (window,) = [w for w in world.windows() if w.kind == end.kind]
    (record,) = [r for r in world.account.records.values() if isinstance(r, Subscription | Purchase)]
    assert (record.status, window.reason, window.until) == (end.status, end.reason, end.until)


@pytest.mark.parametrize("name", STORIES)
def test_in_any_order_with_every_event_doubled_the_end_is_the_same(name: str) -> None:
    shop = shop_in_process()
    end = STORIES[name](shop)
    told = notifications(shop)
    world = World(shop)
    world.deliver(told)
    holds(world, end)
    expected = world.essence()
    for seed in SEEDS:
        other = World(shop)
        other.deliver(shuffled_with_repeats(told, seed))
        assert other.essence() == expected, f"seed {seed}"


@pytest.mark.parametrize("name", STORIES)
def test_the_old_payload_shapes_end_the_same(name: str) -> None:
    shop = shop_in_process()
    end = STORIES[name](shop)
    new, old = World(shop), World(shop)
    new.deliver(notifications(shop))
    old.deliver(shuffled_with_repeats(notifications(shop, OLD_VERSION), 1))
    holds(old, end)
    assert old.essence() == new.essence()


@pytest.mark.parametrize("name", STORIES)
def test_an_endpoint_of_four_events_is_enough_for_most(name: str) -> None:
    """Where it is not, the missing event is one that nothing else tells; reconciliation finds those."""
    shop = shop_in_process()
    end = STORIES[name](shop)
    if not end.fewest:
        pytest.skip("told by an event that this endpoint does not send")
    world = World(shop)
    world.deliver(shuffled_with_repeats(notifications(shop, kinds=FEWEST), 2))
    holds(world, end)


@pytest.mark.parametrize("name", STORIES)
def test_told_promptly_as_it_happens_it_ends_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event is processed the moment it happens, so that what is read again is not yet the end of the story."""
    shop = shop_in_process()
    prompt = World(shop)

    def publish(event: Any) -> None:
        prompt.deliver(notifications(shop)[-1:])

    monkeypatch.setattr(shop.books, "_publish", publish)
    end = STORIES[name](shop)
    if name not in {"a_first_payment_that_never_comes_gives_nothing", "a_guest_without_a_customer"}:
        late = World(shop)
        late.deliver(notifications(shop))
        assert prompt.essence() == late.essence()
        holds(prompt, end)


@pytest.mark.parametrize("name", ["renewals_move_access_along", "a_full_refund_revokes"])
def test_an_event_of_the_other_mode_is_quarantined_and_changes_nothing(name: str) -> None:
    shop = shop_in_process()
    STORIES[name](shop)
    world = World(shop, livemode=True)
    world.deliver(notifications(shop))
    assert world.account.records == {}
    assert {e.status for e in world.stores.events.values()} == {"quarantined"}


def _with_canaries(thing: Any) -> Any:
    """The object with a person's data in every field that can hold some; what the story needs stays as it is."""
    planted = {k: v for k, v in PERSONAL.get(thing["object"], {}).items() if k not in ("lines", "payment")}
    return {**thing, **planted, "metadata": {**thing.get("metadata", {}), "email": CANARY}}


@pytest.mark.parametrize("name", ["paying_late_restores_access", "a_refund_that_fails_restores"])
def test_nothing_personal_is_kept_of_what_is_told_or_read(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Every object at Stripe carries a person's data; none of it reaches a table, a domain event's source or a log."""
    shop = shop_in_process()
    STORIES[name](shop)
    for thing in shop.books.objects.values():
        thing.update(_with_canaries(thing))
    for event in shop.books.events:
        event["data"]["object"] = _with_canaries(event["data"]["object"])
        event["request"] = {"id": None, "idempotency_key": CANARY}
    world = World(shop)
    with caplog.at_level("DEBUG"):
        world.deliver(notifications(shop))
    (record,) = [r for r in world.account.records.values() if isinstance(r, Subscription | Purchase)]
    assert record.status in ("active", "paid")
    kept = (world.stores.accounts, world.stores.events, world.stores.ledger, world.stores.links)
    assert "canary" not in repr(kept)
    assert "canary" not in caplog.text
