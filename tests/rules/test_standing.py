"""Until when each thing gives access, since when not, and what comes next: every situation with its dates."""

from dataclasses import replace
from typing import Any

import pytest

from billing.api.answers.status import SubscriptionStatus
from billing.api.status import subscription_status
from billing.rules.access import DELIVERY_SLACK, windows
from billing.rules.records import Account, Dispute, Record, Redemption, Refund, Renewal, Subscription
from billing.rules.standing import plan_until
from billing.rules.terms import add_interval
from billing.rules.times import DAY, rfc3339
from samples import CATALOGUE, NOW, PLUS, USER
from tests.rules.test_access import PERIOD_END, given_up, invoice, owed, payment, purchase, subscription, term
from tests.rules.test_ends import mandate

LATER = NOW + 5 * DAY
MONTH = add_interval(NOW, "month")


def status(*records: Record, now: int = NOW) -> dict[str, Any]:
    found = subscription_status(Account(USER).put(*records), CATALOGUE, now)
    SubscriptionStatus.model_validate(found)
    return found


def dunned(next_attempt_at: int | None = LATER, **more: Any) -> Subscription:
    return subscription("past_due", unpaid=owed(next_attempt_at=next_attempt_at, attempt_count=1), **more)


def disputed(at: int) -> dict[str, Dispute]:
    return {"dp_1": Dispute(dispute_id="dp_1", amount_cents=900, status="open", observed_at=at)}


def refunded(at: int) -> dict[str, Refund]:
    return {"re_1": Refund(refund_id="re_1", amount_cents=900, status="succeeded", observed_at=at)}


CASES: dict[str, Any] = {
    # record, when, access_until, (ended_at, reason), (next, at), actions
    "active": (
        subscription(), LATER, None, (None, None), ("renews", PERIOD_END), ["change", "cancel", "payment_method"],
    ),
    "in its trial": (
        subscription("trialing", trial_end=PERIOD_END), LATER, None, (None, None), ("first_charge", PERIOD_END),
        ["change", "cancel", "payment_method"],
    ),
    "ending": (
        subscription(cancel_at_period_end=True), LATER, PERIOD_END, (None, None), ("ends", PERIOD_END),
        ["resume", "payment_method"],
    ),
    "ends after it has renewed": (
        subscription(cancel_at=PERIOD_END + 200 * DAY), LATER, None, (None, None), ("renews", PERIOD_END),
        ["resume", "payment_method"],
    ),
    "it ended, and no event has said so": (
        subscription(cancel_at_period_end=True), PERIOD_END + DAY, None, (PERIOD_END, "canceled"), ("none", None),
        ["resume", "payment_method"],
    ),
    "a change is scheduled": (
        subscription(scheduled_plan_id="pro-month", scheduled_plan_version=1), LATER, None, (None, None),
        ("changes", PERIOD_END), ["keep", "cancel", "payment_method"],
    ),
    "in its grace": (
        dunned(), LATER, NOW + 7 * DAY, (None, None), ("retries", LATER), ["fix_payment", "cancel"],
    ),
    "the grace is over": (
        dunned(), NOW + 8 * DAY, None, (NOW + 7 * DAY, "unpaid"), ("due", None), ["fix_payment", "cancel"],
    ),
    "past due and cancelled": (
        dunned(cancel_at_period_end=True), LATER, NOW + 7 * DAY, (None, None), ("ends", NOW + 7 * DAY), [],
    ),
    "given up": (
        subscription("unpaid", observed_at=LATER), NOW + 20 * DAY, None, (LATER, "unpaid"), ("due", None),
        ["fix_payment", "cancel"],
    ),
    "paused": (
        subscription("paused", observed_at=LATER), NOW + 20 * DAY, None, (LATER, "paused"), ("paused", None),
        ["resume", "cancel"],
    ),
    "cancelled at once": (
        subscription("canceled", ended_at=LATER), NOW + 20 * DAY, None, (LATER, "canceled"), ("none", None),
        ["resubscribe"],
    ),
    "ended because nobody paid": (
        subscription("canceled", ended_at=LATER, cancel_reason="payment_failed"), NOW + 20 * DAY, None,
        (LATER, "unpaid"), ("none", None), ["resubscribe"],
    ),
    "canceled when its grace was long over": (
        subscription("canceled", ended_at=NOW + 20 * DAY, cancel_reason="payment_failed", unpaid=owed(attempt_count=4)),
        NOW + 25 * DAY, None, (NOW + 7 * DAY, "unpaid"), ("none", None), ["resubscribe"],
    ),
    "its payment is disputed": (
        subscription(payments=invoice(disputes=disputed(LATER))), NOW + 6 * DAY, None, (LATER, "disputed"),
        ("renews", PERIOD_END), ["cancel", "payment_method"],
    ),
    "its payment is disputed, and it changes": (
        subscription(
            payments=invoice(disputes=disputed(LATER)), scheduled_plan_id="pro-month", scheduled_plan_version=1
        ),
        NOW + 6 * DAY, None, (LATER, "disputed"), ("changes", PERIOD_END), ["keep", "cancel", "payment_method"],
    ),
    "never paid": (
        subscription("incomplete_expired"), LATER, None, (None, None), ("none", None), ["resubscribe"],
    ),
    "its renewal was given up": (
        given_up(), LATER, NOW + 7 * DAY, (None, None), ("due", None), ["fix_payment", "cancel"],
    ),
    "given up, and the grace is over": (
        given_up(), NOW + 8 * DAY, None, (NOW + 7 * DAY, "unpaid"), ("due", None), ["fix_payment", "cancel"],
    ),
    "its first payment is on its way": (
        subscription(payments={}), LATER, None, (None, None), ("arrives", None), ["cancel"],
    ),
    "an upgrade in a paid month was not paid": (
        dunned(payments=invoice(NOW - 10 * DAY, NOW + 20 * DAY), plan_id="pro-month"), NOW + 10 * DAY,
        NOW + 20 * DAY, (None, None), ("due", None), ["fix_payment", "cancel"],
    ),
    "a trial ended in the second in which it began": (
        subscription("canceled", trial_end=PERIOD_END, payments={}, ended_at=NOW), LATER, None, (NOW, "canceled"),
        ("none", None), ["resubscribe"],
    ),
    "canceled and never begun": (
        subscription("canceled", payments={}, ended_at=NOW), LATER, None, (None, None), ("none", None), ["resubscribe"],
    ),
    "its renewal was not heard of": (
        subscription(), PERIOD_END + DAY, None, (PERIOD_END + DELIVERY_SLACK, "unconfirmed"), ("awaited", PERIOD_END),
        ["change", "cancel", "payment_method"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_subscription(case: str) -> None:
    record, now, until, (ended_at, reason), (kind, at), actions = CASES[case]
    (view,) = status(record, now=now)["subscriptions"]
    assert (view["access_until"], view["ended_at"], view["end_reason"]) == (rfc3339(until), rfc3339(ended_at), reason)
    assert (view["next"]["kind"], view["next"]["at"]) == (kind, rfc3339(at))
    assert view["actions"] == actions
    assert (view["if_canceled"] is not None) == ("cancel" in actions)


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_to_be_open_is_what_opens(case: str) -> None:
    """Against the policy itself: no date of a page may disagree with the gate."""
    record, now, *_ = CASES[case]
    given = windows(Account(USER).put(record), CATALOGUE)
    (view,) = status(record, now=now)["subscriptions"]
    assert view["open"] == any(window.open_at(now) for window in given)
    assert not (view["open"] and view["ended_at"])


def test_who_owes_and_cancels_reads_one_date_everywhere() -> None:
    (view,) = status(dunned(cancel_at_period_end=True), now=LATER)["subscriptions"]
    assert view["access_until"] == view["next"]["at"] == view["payment_problem"]["access_until"]
    assert view["payment_problem"]["next_attempt_at"] is None
    assert view["next_billing_at"] is None


def test_before_who_owes_cancels_it_is_said_what_is_waived_and_lost() -> None:
    (view,) = status(dunned(), now=LATER)["subscriptions"]
    effect = view["if_canceled"]
    assert (effect["access_until"], effect["waived_cents"]) == (rfc3339(NOW + 7 * DAY), 900)
    assert {f["feature"]: (f["before"], f["after"]) for f in effect["features"]} == {
        "ai.chat": ({"limit": 200, "per": "month"}, {"limit": 5, "per": "month"}),
        "ai.insights": (True, None),
        "wallets.max": (5, 1),
    }


def test_what_another_source_gives_is_not_lost_by_cancelling() -> None:
    prepaid = term(payment=replace(payment(900), paid_at=NOW), purchase_id="inv_1")
    view = status(subscription(current_period_end=NOW + 9 * DAY), prepaid)["subscriptions"][0]
    assert view["if_canceled"]["features"] == []


@pytest.mark.parametrize(
    ("money", "ahead"),
    [
        (payment(900), 1),
        (payment(900, refunds=refunded(LATER)), 0),
        (payment(900, disputes=disputed(LATER)), 0),
    ],
)
def test_what_went_back_or_is_disputed_is_paid_ahead_no_more(money: Any, ahead: int) -> None:
    bought = term(payment=money)
    end = Renewal(
        group="main",
        plan_id=bought.plan_id,
        plan_version=1,
        provider=bought.provider,
        purchase_id=bought.purchase_id,
        ends_at=MONTH,
    )
    assert len(status(bought, end, now=NOW + 6 * DAY)["renewals"]) == ahead


def test_a_connected_wallet_is_told_of_when_its_term_is_over_and_not_once_it_is_removed() -> None:
    bought, agreed = term(), mandate()
    after = status(bought, agreed, now=MONTH + 60 * DAY)
    assert (after["renewals"], after["wallets"]) == ([], ["main"])
    assert status(bought, replace(agreed, removed=True))["wallets"] == []


FAILED_LATER = {"re_2": Refund(refund_id="re_2", amount_cents=900, status="failed", observed_at=NOW + 6 * DAY)}


@pytest.mark.parametrize(
    ("record", "now", "until", "ended"),
    [
        (term(), LATER, MONTH, (None, None)),
        (term(), MONTH, None, (MONTH, "expired")),
        (term(payment=payment(900, refunds=refunded(LATER))), NOW + 6 * DAY, None, (LATER, "refunded")),
        (term(payment=payment(900, refunds=refunded(LATER) | FAILED_LATER)), NOW + 7 * DAY, None, (LATER, "refunded")),
        (term(payment=payment(900, disputes=disputed(LATER))), NOW + 6 * DAY, None, (LATER, "disputed")),
        (term("pending"), LATER, None, (None, None)),
        (term("failed"), LATER, None, (None, None)),
        (purchase(), LATER, None, (None, None)),
    ],
)
def test_a_purchase_or_term(record: Record, now: int, until: int | None, ended: tuple[int | None, str | None]) -> None:
    found = status(record, now=now)
    (view,) = [*found["terms"], *found["purchases"]]
    assert (view["access_until"], view["ended_at"], view["end_reason"]) == (rfc3339(until), rfc3339(ended[0]), ended[1])


def test_a_term_replaced_by_a_bigger_one_ended_then() -> None:
    bigger = term(plan_id="pro-month", purchase_id="pur_2", amount_cents=1900)
    bigger = replace(bigger, payment=replace(payment(1900), payment_id="pay_2", paid_at=LATER))
    terms = {t["plan_id"]: t for t in status(term(), bigger, now=NOW + 6 * DAY)["terms"]}
    smaller = terms["plus-month"]
    assert (smaller["ended_at"], smaller["end_reason"]) == (rfc3339(LATER), "replaced")


def test_what_was_replaced_before_it_began_ended_then_and_waits_no_more() -> None:
    waiting = term(purchase_id="pur_2", payment=replace(payment(900), payment_id="pay_2", paid_at=NOW + 60))
    voucher = Redemption(
        redemption_id="red_1",
        redeemed_at=NOW + 90,
        plan_id=PLUS.plan_id,
        plan_version=1,
        worth_cents=900,
        currency="USD",
    )
    bigger = term(plan_id="pro-month", purchase_id="pur_3", amount_cents=1900)
    bigger = replace(bigger, payment=replace(payment(1900), payment_id="pay_3", paid_at=LATER))
    found = status(term(), waiting, voucher, bigger, now=NOW + 6 * DAY)
    second = next(t for t in found["terms"] if t["purchase_id"] == "pur_2")
    for view in (second, *found["vouchers"]):
        assert (view["ended_at"], view["end_reason"]) == (rfc3339(LATER), "replaced")


def test_who_has_nothing_any_more_reads_what_ended_when_and_why() -> None:
    assert status()["ended"] is None
    assert status(subscription())["ended"] is None
    ended = status(subscription("canceled", ended_at=LATER), now=NOW + 20 * DAY)["ended"]
    assert (ended["kind"], ended["plan_name"], ended["ended_at"], ended["reason"]) == (
        "subscription", "Plus", rfc3339(LATER), "canceled",
    )  # fmt: skip
    both = status(subscription("canceled", ended_at=LATER), term(), now=NOW + 90 * DAY)["ended"]
    assert (both["kind"], both["ended_at"], both["reason"]) == ("term", rfc3339(MONTH), "expired")
    assert status(subscription("incomplete_expired"), term("failed"), now=NOW + 90 * DAY)["ended"] is None


def test_terms_that_follow_each_other_are_one_time_of_access() -> None:
    second = term(purchase_id="pur_2", payment=replace(payment(900), payment_id="pay_2", paid_at=LATER))
    assert status(term(), now=LATER)["access_until"] == rfc3339(MONTH)
    assert status(term(), second, now=LATER)["access_until"] == rfc3339(add_interval(MONTH, "month"))
    assert status(term(), subscription(), now=LATER)["access_until"] is None
    assert status(subscription(cancel_at_period_end=True), now=LATER)["access_until"] == rfc3339(PERIOD_END)
    assert status(now=LATER)["access_until"] is None


def test_what_comes_next_costs_what_recurs_in_what_is_charged() -> None:
    (found,) = status(subscription(recurring_cents=415, currency="EUR"))["subscriptions"]
    assert (found["next"]["amount_cents"], found["next"]["currency"]) == (415, "EUR")


REACHES: dict[str, tuple[tuple[Record, ...], int | None]] = {
    "nothing": ((), None),
    "a card renews": ((subscription(),), None),
    "a trial goes on": ((subscription("trialing", trial_end=PERIOD_END),), None),
    "a card set to end": ((subscription(cancel_at_period_end=True),), PERIOD_END),
    "set to end after it has renewed": ((subscription(cancel_at=PERIOD_END + DAY),), None),
    "a card that is not paid": ((dunned(),), NOW + 7 * DAY),
    "a term": ((term(),), MONTH),
    "two terms": ((term(), term(purchase_id="pur_2")), add_interval(MONTH, "month")),
    "a term, while the card renews": ((term(), subscription()), None),
    "a term, while the card ends": ((term(), subscription(cancel_at_period_end=True)), MONTH),
    "a term, and a card that nothing was heard of for long": (
        (term(), subscription(current_period_start=NOW - 60 * DAY, current_period_end=NOW - 30 * DAY)), MONTH
    ),
    "a term of another plan": ((term(plan_id="pro-month"),), None),
    "a term, and another plan's card": ((term(), subscription(plan_id="pro-month")), MONTH),
}  # fmt: skip


@pytest.mark.parametrize("case", REACHES)
def test_how_far_a_plan_reaches(case: str) -> None:
    records, until = REACHES[case]
    assert plan_until(Account(USER).put(*records), CATALOGUE, PLUS, LATER) == until
    assert plan_until(Account(USER).put(*records), CATALOGUE, None, LATER) is None
