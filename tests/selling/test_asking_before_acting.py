"""What Stripe has is asked before anything is decided, and a call is about the subscription that it names."""

from typing import Any

import pytest

from billing.errors import Conflict, NotFound
from billing.rules.plans import Plan
from fakes.stripe.subscriptions import item_of
from tests.providers.stripe.stripe_shop import DAY, plan
from tests.selling.test_subscriptions import USER, Desk, cancel, desk

__all__ = ["desk"]


def in_another_group(desk: Desk) -> Plan:
    """A plan that stands beside the others, on sale."""
    made = plan("vault_month", 500, group="vault")
    price = desk.shop.client.sync_plan(made, dry_run=False).price_id
    found = plan("vault_month", 500, group="vault", provider_plan_ids={"stripe": price})
    desk.plans.add_version(found)
    desk.shop.plans["vault_month"] = found
    desk.plans.catalogue(fresh=True)
    return found


def named(desk: Desk, sub: Any, **options: Any) -> Any:
    wanted = {"at_period_end": True, "reason": None, "comment": None, **options}
    return desk.subscriptions.cancel(USER, now=desk.now, subscription_id=sub["id"], **wanted)


# --- ask, then decide ----------------------------------------------------------------------------------------------


def test_cancelling_at_the_periods_end_replaces_a_date_that_is_far_off(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.shop.books.modify(sub, {"cancel_at": desk.now + 200 * DAY})
    desk.catch_up("subscription", sub["id"])
    for _ in range(2):
        status = cancel(desk)
    assert sub["cancel_at"] == item_of(sub)["current_period_end"]
    (shown,) = status["subscriptions"]
    assert shown["cancel_at"] == shown["current_period_end"]
    assert shown["next_billing_at"] is None
    desk.shop.app.advance(32 * DAY)
    assert sub["status"] == "canceled"
    assert len([b for b in desk.shop.books.all("invoice") if b["amount_paid"]]) == 1


def test_a_date_within_the_period_stays(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.shop.books.modify(sub, {"cancel_at": desk.now + 3 * DAY})
    cancel(desk)
    assert sub["cancel_at"] == desk.now + 3 * DAY


def test_what_was_done_in_the_portal_and_not_told_yet_is_taken_back(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.shop.books.modify(sub, {"cancel_at": item_of(sub)["current_period_end"]})
    desk.subscriptions.resume(USER, desk.now)
    assert sub["cancel_at"] is None


def test_what_was_ended_in_the_dashboard_and_not_told_yet_is_no_fault(desk: Desk) -> None:
    sub = desk.subscribe()
    desk.shop.books.end(sub, "cancellation_requested")
    (shown,) = cancel(desk)["subscriptions"]
    assert shown["status"] == "canceled"


def test_a_change_of_what_is_cancelled_at_stripe_is_refused_before_it_is_paid(desk: Desk) -> None:
    sub = desk.subscribe()
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    desk.shop.books.modify(sub, {"cancel_at": item_of(sub)["current_period_end"]})
    with pytest.raises(Conflict) as refused:
        desk.subscriptions.change(USER, shown["preview_id"], desk.now)
    assert refused.value.code == "cancellation_scheduled"
    assert len(list(desk.shop.books.all("invoice"))) == 1


@pytest.mark.parametrize("first", [False, True])
def test_now_and_at_the_periods_end_at_the_same_moment_are_two_wishes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """Both have read the same account; `first`: at the period's end is carried out first."""
    sub = desk.subscribe()
    real, waiting = desk.shop.client.cancel_subscription, [None]

    def meanwhile(subscription_id: str, **options: Any) -> None:
        if waiting:
            waiting.clear()
            cancel(desk, at_period_end=first)
        real(subscription_id, **options)

    monkeypatch.setattr(desk.shop.client, "cancel_subscription", meanwhile)
    (shown,) = cancel(desk, at_period_end=not first)["subscriptions"]
    assert (sub["status"], shown["status"]) == ("canceled", "canceled")


def test_the_same_wish_with_another_reason_is_no_conflict_of_keys(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sub = desk.subscribe()
    real, waiting = desk.shop.client.cancel_subscription, [None]

    def meanwhile(subscription_id: str, **options: Any) -> None:
        if waiting:
            waiting.clear()
            named(desk, sub, reason="unused")
        real(subscription_id, **options)

    monkeypatch.setattr(desk.shop.client, "cancel_subscription", meanwhile)
    named(desk, sub, reason="too_expensive")
    assert sub["cancel_at_period_end"]


# --- the bank's word -----------------------------------------------------------------------------------------------


def test_an_upgrade_that_the_bank_wants_confirmed_says_where(desk: Desk) -> None:
    sub = desk.subscribe()
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now)
    desk.shop.books.asks_bank.add(sub["customer"])
    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            desk.subscriptions.change(USER, shown["preview_id"], desk.now)
        assert refused.value.code == "action_required"
        bill = desk.shop.books.objects[sub["latest_invoice"]]
        assert refused.value.extensions["confirm_url"] == bill["hosted_invoice_url"]
    assert desk.record(sub).plan_id == "plus_month"
    assert "/invoices/" not in repr(desk.accounts.load(USER))
    desk.shop.books.confirm(bill)
    assert desk.subscriptions.change(USER, shown["preview_id"], desk.now)["plan_id"] == "pro_month"
    assert bill["status"] == "paid"


# --- which one -----------------------------------------------------------------------------------------------------


def two(desk: Desk) -> tuple[Any, Any]:
    in_another_group(desk)
    older = desk.subscribe()
    desk.shop.app.advance(DAY)
    return older, desk.subscribe("vault_month", checkout_id="chk_2")


def test_a_call_that_could_mean_either_is_refused_and_names_both(desk: Desk) -> None:
    older, newer = two(desk)
    for call in (
        lambda: desk.subscriptions.cancel(USER, at_period_end=True, reason=None, comment=None, now=desk.now),
        lambda: desk.subscriptions.resume(USER, desk.now),
    ):
        with pytest.raises(Conflict) as refused:
            call()
        assert refused.value.code == "subscription_unclear"
        several: Any = refused.value.extensions["subscriptions"]
        assert {s["subscription_id"] for s in several} == {older["id"], newer["id"]}
    assert not older["cancel_at_period_end"]
    assert not newer["cancel_at_period_end"]


def test_each_can_be_cancelled_and_taken_back(desk: Desk) -> None:
    older, newer = two(desk)
    for sub, other in ((older, newer), (newer, older)):
        for _ in range(2):
            named(desk, sub)
        assert sub["cancel_at_period_end"]
        assert not other["cancel_at_period_end"]
        desk.subscriptions.resume(USER, desk.now, subscription_id=sub["id"])
        assert not sub["cancel_at_period_end"]


def test_a_subscription_of_nobody_or_that_has_ended_is_not_found(desk: Desk) -> None:
    older, _ = two(desk)
    named(desk, older, at_period_end=False)
    for sub in (older, {"id": "sub_other"}):
        with pytest.raises(NotFound):
            named(desk, sub)


def test_a_change_is_about_the_group_of_its_plan_or_the_one_that_is_named(desk: Desk) -> None:
    older, newer = two(desk)
    shown = desk.subscriptions.preview(USER, "pro_month", desk.now, subscription_id=older["id"])
    desk.subscriptions.change(USER, shown["preview_id"], desk.now)
    assert (desk.record(older).plan_id, desk.record(newer).plan_id) == ("pro_month", "vault_month")
    with pytest.raises(NotFound):
        desk.subscriptions.preview(USER, "plus_month", desk.now, subscription_id=newer["id"])


def test_the_failed_payment_of_the_older_one_is_shown(desk: Desk) -> None:
    older, newer = two(desk)
    desk.shop.books.works[older["customer"]] = False
    desk.shop.app.advance(31 * DAY - 2 * 3600)
    for sub in (older, newer):
        desk.catch_up("subscription", sub["id"])
    named(desk, newer)
    shown = {s["subscription_id"]: s for s in named(desk, newer)["subscriptions"]}
    assert shown[older["id"]]["payment_problem"] is not None
    assert shown[newer["id"]]["payment_problem"] is None
