"""The policy of access, row by row: a record, and when it opens and closes what its plan gives."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from billing.rules.access import DELIVERY_SLACK, unpaid_since, windows
from billing.rules.plans import Catalogue
from billing.rules.records import (
    Account,
    Bought,
    Dispute,
    Dunning,
    Grant,
    Item,
    Payment,
    Purchase,
    Record,
    Refund,
    Subscription,
    Term,
)
from billing.rules.terms import add_interval
from samples import CATALOGUE, DAY_PASS, NOW, PLUS, TAX_PASS, USER

DAY = 86_400
PERIOD_END = NOW + 30 * DAY
LONG_AGO, FOR_GOOD = NOW - 400 * DAY, NOW + 10_000 * DAY
OPTIMISTIC = Catalogue((replace(PLUS, optimistic=True), replace(TAX_PASS, optimistic=True)))


def subscription(status: str = "active", **more: Any) -> Subscription:
    known: dict[str, Any] = {
        "provider": "stripe",
        "subscription_id": "sub_1",
        "plan_id": "plus-month",
        "plan_version": 1,
        "status": status,
        "current_period_start": NOW,
        "current_period_end": PERIOD_END,
        "observed_at": NOW,
        "created_at": NOW,
        "payments": {"pay_1": payment(900, period_start=NOW, period_end=PERIOD_END)} if status == "active" else {},
    }
    return Subscription(**{**known, **more})


def payment(amount: int = 4900, **more: Any) -> Payment:
    return Payment(payment_id="pay_1", amount_cents=amount, currency="USD", paid_at=NOW, **more)


def purchase(state: str = "paid", kind: type[Purchase] = Purchase, **more: Any) -> Purchase:
    plan = PLUS if kind is Term else TAX_PASS
    known: dict[str, Any] = {
        "provider": "btcpay",
        "purchase_id": "pur_1",
        "plan_id": plan.plan_id,
        "plan_version": 1,
        "state": state,
        "amount_cents": plan.price_cents,
        "currency": "USD",
        "observed_at": NOW,
        "created_at": NOW,
        "payment": payment(plan.price_cents) if state == "paid" else None,
    }
    return kind(**{**known, **more})


def term(state: str = "paid", **more: Any) -> Purchase:
    return purchase(state, Term, **more)


def refunds(*of: tuple[int, str]) -> dict[str, Refund]:
    return {
        f"re_{n}": Refund(refund_id=f"re_{n}", amount_cents=amount, status=status, observed_at=NOW)  # type: ignore[arg-type]
        for n, (amount, status) in enumerate(of)
    }


def disputes(*statuses: str) -> dict[str, Dispute]:
    return {
        f"dp_{n}": Dispute(dispute_id=f"dp_{n}", amount_cents=900, status=status, observed_at=NOW)  # type: ignore[arg-type]
        for n, status in enumerate(statuses)
    }


def invoice(period_start: int | None = NOW, period_end: int | None = PERIOD_END, **more: Any) -> dict[str, Payment]:
    return {"pay_1": payment(900, period_start=period_start, period_end=period_end, **more)}


def owed(invoice_id: str = "in_2", start: int = NOW, end: int = PERIOD_END, **more: Any) -> dict[str, Dunning]:
    known: dict[str, Any] = {"attempt_count": 1, "next_attempt_at": None, "observed_at": start, **more}
    return {invoice_id: Dunning(invoice_id=invoice_id, start=start, end=end, **known)}


def given_up(**more: Any) -> Subscription:
    return subscription(payments=invoice(NOW - 30 * DAY, NOW), unpaid=owed(state="uncollectible"), **more)


def of_invoice(*statuses: str, **more: Any) -> Subscription:
    return subscription(payments=invoice(disputes=disputes(*statuses)), **more)


def grant(**more: Any) -> Grant:
    known: dict[str, Any] = {
        "grant_id": "g_1",
        "features": {"tax.enhanced": True},
        "granted_by": "usr_admin",
        "reason": "support",
        "granted_at": NOW,
    }
    return Grant(**{**known, **more})


@dataclass(frozen=True)
class Row:
    """`until` NEVER: closed from the first second; None: for good."""

    situation: str
    record: Record
    until: int | None
    reason: str
    catalogue: Catalogue = CATALOGUE


NEVER = -1

ROWS = [
    Row("trialing", subscription("trialing", trial_end=PERIOD_END), PERIOD_END + DELIVERY_SLACK, "trialing"),
    Row("active", subscription(), PERIOD_END + DELIVERY_SLACK, "active"),
    Row("collection paused", subscription(collection_paused=True), PERIOD_END + DELIVERY_SLACK, "active"),
    Row("cancels at the period's end", subscription(cancel_at_period_end=True), PERIOD_END, "canceling"),
    Row("cancels at an instant", subscription(cancel_at=NOW + DAY), NOW + DAY, "canceling"),
    Row("both", subscription(cancel_at=NOW + DAY, cancel_at_period_end=True), NOW + DAY, "canceling"),
    Row("a trial cancels", subscription("trialing", cancel_at_period_end=True), PERIOD_END, "canceling"),
    Row("past due", subscription("past_due"), NOW + 7 * DAY, "past_due"),
    Row(
        "past due, the plan's own grace",
        subscription("past_due"),
        NOW + 3 * DAY,
        "past_due",
        Catalogue((replace(PLUS, grace_days=3),)),
    ),
    Row("past due, cancels sooner", subscription("past_due", cancel_at=NOW + DAY), NOW + DAY, "past_due"),
    Row(
        "past due without grace", subscription("past_due"), NEVER, "past_due", Catalogue((replace(PLUS, grace_days=0),))
    ),
    Row(
        "past due since its trial ended",
        subscription("past_due", trial_end=NOW, current_period_start=NOW + 30 * DAY),
        NOW + 7 * DAY,
        "past_due",
    ),
    Row(
        "past due for the second period",
        subscription("past_due", payments=invoice(), current_period_start=PERIOD_END + 30 * DAY),
        PERIOD_END + 7 * DAY,
        "past_due",
    ),
    Row(
        "cancels at an instant beyond the paid period",
        subscription(cancel_at=PERIOD_END + 90 * DAY),
        PERIOD_END + DELIVERY_SLACK,
        "canceling",
    ),
    *(
        Row(status, subscription(status), NEVER, status)
        for status in ("unpaid", "paused", "incomplete", "incomplete_expired", "something new")
    ),
    Row("active, its first payment on its way", subscription(payments={}), NEVER, "processing"),
    Row(
        "active, its first debit failed",
        subscription(payments={}, unpaid=owed(state="void", first=True)),
        NEVER,
        "processing",
    ),
    Row("active, the newest invoice given up", given_up(), NOW + 7 * DAY, "unpaid"),
    Row(
        "active, collection paused, the newest invoice given up",
        given_up(collection_paused=True),
        PERIOD_END + DELIVERY_SLACK,
        "active",
    ),
    Row(
        "past due after a period that the seller waived",
        subscription(
            "past_due",
            payments=invoice(NOW - 60 * DAY, NOW - 30 * DAY),
            unpaid={**owed("in_2", NOW - 30 * DAY, NOW, state="void"), **owed("in_3")},
        ),
        NOW + 7 * DAY,
        "past_due",
    ),
    Row(
        "past due after a period that was given up",
        subscription(
            "past_due",
            created_at=NOW - 60 * DAY,
            payments=invoice(NOW - 60 * DAY, NOW - 30 * DAY),
            unpaid={**owed("in_2", NOW - 30 * DAY, NOW, state="uncollectible"), **owed("in_3")},
        ),
        NOW - 23 * DAY,
        "past_due",
    ),
    Row(
        "past due again, long after an invoice that was given up",
        subscription(
            "past_due",
            payments=invoice(NOW - 30 * DAY, NOW),
            unpaid={**owed("in_2", NOW - 60 * DAY, NOW - 30 * DAY, state="uncollectible"), **owed("in_3")},
        ),
        NOW + 7 * DAY,
        "past_due",
    ),
    Row("canceled", subscription("canceled", ended_at=NOW + DAY), NOW + DAY, "canceled"),
    Row("canceled, told without its end", subscription("canceled", canceled_at=NOW + 5), NOW + 5, "canceled"),
    Row("canceled, told without any time", subscription("canceled", observed_at=NOW + 9), NOW + 9, "canceled"),
    Row("canceled before it began", subscription("canceled", ended_at=NOW - DAY), NEVER, "canceled"),
    Row(
        "an invoice refunded",
        subscription(payments=invoice(refunds=refunds((900, "succeeded")))),
        PERIOD_END + DELIVERY_SLACK,
        "active",
    ),
    Row("an inquiry", of_invoice("inquiry"), PERIOD_END + DELIVERY_SLACK, "active"),
    Row("disputed", of_invoice("open"), NEVER, "disputed"),
    Row("dispute won", of_invoice("won"), PERIOD_END + DELIVERY_SLACK, "active"),
    Row("dispute lost", of_invoice("lost"), NEVER, "disputed"),
    Row("one dispute won, another open", of_invoice("won", "open"), NEVER, "disputed"),
    Row(
        "an early fraud warning",
        subscription(payments=invoice(fraud_warning=True)),
        PERIOD_END + DELIVERY_SLACK,
        "active",
    ),
    Row(
        "the payment of an earlier period is disputed",
        subscription(payments=invoice(NOW - 30 * DAY, NOW, disputes=disputes("lost"))),
        PERIOD_END + DELIVERY_SLACK,
        "active",
    ),
    Row("paid for good", purchase(), None, "paid"),
    Row("paid, lasts a day", purchase(plan_id=DAY_PASS.plan_id), NOW + DAY, "paid"),
    Row("not paid yet", purchase("pending"), NEVER, "pending"),
    Row("failed", purchase("failed"), NEVER, "failed"),
    Row("refunded", purchase(payment=payment(refunds=refunds((4900, "succeeded")))), NEVER, "refunded"),
    Row("refund under way", purchase(payment=payment(refunds=refunds((4900, "pending")))), NEVER, "refunded"),
    Row(
        "refunded in parts, wholly",
        purchase(payment=payment(refunds=refunds((4000, "succeeded"), (900, "pending")))),
        NEVER,
        "refunded",
    ),
    Row("refunded in part", purchase(payment=payment(refunds=refunds((900, "succeeded")))), None, "paid"),
    Row("the refund failed", purchase(payment=payment(refunds=refunds((4900, "failed")))), None, "paid"),
    Row("purchase disputed", purchase(payment=payment(disputes=disputes("open"))), NEVER, "disputed"),
    Row("purchase's dispute won", purchase(payment=payment(disputes=disputes("won"))), None, "paid"),
    Row("purchase's dispute lost", purchase(payment=payment(disputes=disputes("lost"))), NEVER, "disputed"),
    Row("purchase's inquiry", purchase(payment=payment(disputes=disputes("inquiry"))), None, "paid"),
    Row("purchase's fraud warning", purchase(payment=payment(fraud_warning=True)), None, "paid"),
    Row("bitcoin seen", purchase("processing"), NEVER, "processing"),
    Row("bitcoin seen, optimistic plan", purchase("processing"), None, "processing", OPTIMISTIC),
    Row("optimistic, turned invalid", purchase("failed"), NEVER, "failed", OPTIMISTIC),
    Row("underpaid", purchase("underpaid", due_cents=900), NEVER, "underpaid"),
    Row("paid late", purchase("paid_late"), NEVER, "paid_late"),
    Row("underpaid, accepted", purchase("underpaid", accepted_by="usr_admin"), None, "paid"),
    Row("overpaid", purchase(received_cents=1600), None, "paid"),
    Row("of a plan nobody knows", purchase(plan_id="gone"), NEVER, "paid"),
    Row("term", term(), add_interval(NOW, "month"), "paid"),
    Row("term seen", term("processing"), NEVER, "processing"),
    Row("term seen, optimistic plan", term("processing"), add_interval(NOW, "month"), "processing", OPTIMISTIC),
    Row("term refunded", term(payment=payment(900, refunds=refunds((900, "succeeded")))), NEVER, "refunded"),
    Row("term underpaid", term("underpaid"), NEVER, "underpaid"),
    Row("granted", grant(), None, "granted"),
    Row("granted for a while", grant(expires_at=NOW + DAY), NOW + DAY, "granted"),
    Row("granted, revoked", grant(expires_at=NOW + DAY, revoked_at=NOW + 5), NOW + 5, "revoked"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.situation)
def test_a_record_gives_access(row: Row) -> None:
    account = Account(USER, records={row.record.record: row.record})
    (window,) = windows(account, row.catalogue)
    assert window.reason == row.reason
    if row.until is not None and NEVER < row.until < NOW:
        assert window.until == row.until
        return
    assert not window.open_at(min(NOW, window.start) - 1)
    if row.until == NEVER:
        assert not any(window.open_at(at) for at in (LONG_AGO, NOW, NOW + DAY, FOR_GOOD))
    elif row.until is None:
        assert window.until is None
        assert window.open_at(NOW)
        assert window.open_at(FOR_GOOD)
    else:
        assert window.open_at(NOW)
        assert window.open_at(row.until - 1)
        assert not window.open_at(row.until)


def test_past_due_never_grants_the_days_that_were_not_paid() -> None:
    """Stripe moved the period when it renewed: access counts from the start of that, not to its end."""
    unpaid = subscription("past_due", created_at=NOW - 60 * DAY, current_period_start=NOW)
    (window,) = windows(Account(USER, records={unpaid.record: unpaid}), CATALOGUE)
    assert window.open_at(NOW - 30 * DAY)
    assert window.until == NOW + 7 * DAY < PERIOD_END


def test_a_disputed_payment_without_a_period_suspends_the_current_one() -> None:
    disputed = subscription(payments=invoice(None, None, disputes=disputes("open")))
    (window,) = windows(Account(USER, records={disputed.record: disputed}), CATALOGUE)
    assert not window.open_at(NOW + 1)


def test_a_dispute_of_the_renewal_keeps_the_period_before_it() -> None:
    first = payment(900, period_start=NOW - 30 * DAY, period_end=NOW)
    renewed = subscription(created_at=NOW - 30 * DAY, payments={"old": first, **invoice(disputes=disputes("open"))})
    (window,) = windows(Account(USER, records={renewed.record: renewed}), CATALOGUE)
    assert window.open_at(NOW - 1)
    assert not window.open_at(NOW)


@pytest.mark.parametrize(
    ("disputed", "until"),
    [
        ({"first": 0}, NOW),
        ({"second": 5}, NOW + 5 * DAY),
        ({"first": 0, "second": 5}, NOW),
        ({"of another plan": 2, "second": 5}, NOW + 5 * DAY),
        ({"of another plan": 2}, PERIOD_END + DELIVERY_SLACK),
        ({"over": -30}, PERIOD_END + DELIVERY_SLACK),
    ],
)
def test_a_dispute_suspends_from_where_began_what_that_payment_gave(disputed: dict[str, int], until: int) -> None:
    days = {"first": 0, "second": 5, "of another plan": 2, "over": -30}
    payments = {
        name: payment(
            900,
            plan_id="pro-month" if name == "of another plan" else "plus-month",
            period_start=NOW + day * DAY,
            period_end=NOW if name == "over" else PERIOD_END,
            disputes=disputes("open") if name in disputed else {},
        )
        for name, day in days.items()
    }
    paid = subscription(created_at=NOW - 30 * DAY, payments=payments)
    window = next(iter(windows(Account(USER, records={paid.record: paid}), CATALOGUE)))
    assert (window.until, window.reason) == (until, "disputed" if until <= NOW + 5 * DAY else "active")


def test_a_dispute_of_a_canceled_subscriptions_payment_ends_it_where_that_began() -> None:
    ended = of_invoice("lost")
    ended = replace(ended, status="canceled", ended_at=NOW + 5 * DAY)
    (window,) = windows(Account(USER, records={ended.record: ended}), CATALOGUE)
    assert (window.until, window.reason) == (NOW, "disputed")


# --- several windows of one subscription ---------------------------------------------------------------------------

UPGRADED = NOW + 20 * DAY


def given(record: Subscription) -> list[tuple[str, int | None, str]]:
    """Which plan, until when and why, of every window that opens at all."""
    found = windows(Account(USER, records={record.record: record}), CATALOGUE)
    return [(w.plan.plan_id, w.until, w.reason) for w in found if w.plan and w.until != w.start]


def plus(**more: Any) -> Payment:
    return payment(900, period_start=NOW, period_end=PERIOD_END, plan_id="plus-month", plan_version=1, **more)


def to_pro(**more: Any) -> Payment:
    own = {"payment_id": "pay_2", "period_start": UPGRADED, "period_end": PERIOD_END, "plan_id": "pro-month"}
    return replace(payment(400), **own, plan_version=1, **more)


def upgraded(status: str = "active", *payments: Payment, **more: Any) -> Subscription:
    return subscription(status, plan_id="pro-month", payments={p.payment_id: p for p in payments}, **more)


def test_an_upgrade_that_is_not_paid_leaves_open_what_is_paid_and_has_the_grace_for_itself() -> None:
    record = upgraded("past_due", plus(), unpaid=owed("in_2", UPGRADED))
    assert given(record) == [("pro-month", UPGRADED + 7 * DAY, "past_due"), ("plus-month", PERIOD_END, "paid")]


def test_cancelling_it_ends_what_is_paid_no_sooner() -> None:
    record = upgraded("past_due", plus(), unpaid=owed("in_2", UPGRADED), cancel_at_period_end=True)
    assert given(record) == [("pro-month", UPGRADED + 7 * DAY, "past_due"), ("plus-month", PERIOD_END, "paid")]


def test_a_disputed_upgrade_takes_the_upgrade_alone() -> None:
    record = upgraded("active", plus(), to_pro(disputes=disputes("open")))
    assert given(record) == [
        ("pro-month", UPGRADED, "disputed"),
        ("plus-month", PERIOD_END + DELIVERY_SLACK, "paid"),
    ]
    won = upgraded("active", plus(), to_pro(disputes=disputes("won")))
    assert given(won) == [("pro-month", PERIOD_END + DELIVERY_SLACK, "active")]


def test_a_subscription_that_ends_within_its_period_ends_what_is_paid_besides() -> None:
    end = NOW + 25 * DAY
    record = upgraded("active", plus(), to_pro(disputes=disputes("open")), cancel_at=end)
    assert given(record) == [("pro-month", UPGRADED, "disputed"), ("plus-month", end, "paid")]


def test_unpaid_time_begins_where_the_last_paid_period_ended() -> None:
    """Stripe moves the period before it has the money."""
    paid = {
        f"in_{n}": replace(payment(900), payment_id=f"in_{n}", period_end=NOW - n * 30 * DAY, period_start=NOW - DAY)
        for n in (1, 2)
    }
    record = subscription("past_due", payments=paid)
    assert unpaid_since(record) == NOW - 30 * DAY
    assert unpaid_since(replace(record, trial_end=NOW - 10 * DAY)) == NOW - 10 * DAY
    assert unpaid_since(replace(record, payments={})) == NOW
    assert unpaid_since(replace(record, unpaid=owed(start=NOW - 40 * DAY))) == NOW - 40 * DAY


def test_a_dispute_of_what_was_paid_before_the_upgrade_leaves_the_upgrade() -> None:
    record = upgraded("active", plus(disputes=disputes("lost")), to_pro())
    assert given(record) == [("pro-month", PERIOD_END + DELIVERY_SLACK, "active")]


def test_a_plan_nobody_paid_for_but_by_a_disputed_payment_is_closed_with_it() -> None:
    """A change to a lower plan within the period: its only payment was for the higher one."""
    record = subscription(payments={"pay_2": replace(to_pro(disputes=disputes("open")), period_start=NOW)})
    assert given(record) == []


def test_each_plan_in_one_subscription_gives_its_features_to_its_own_periods_end() -> None:
    item = Item(
        plan_id="pro-year",
        plan_version=1,
        item_id="si_2",
        price_id="price_pro_year",
        quantity=1,
        current_period_start=NOW,
        current_period_end=NOW + 365 * DAY,
    )
    both = subscription(others=(item,))
    ends = [("plus-month", PERIOD_END + DELIVERY_SLACK, "active")]
    assert given(both) == [*ends, ("pro-year", NOW + 365 * DAY + DELIVERY_SLACK, "active")]
    assert [reason for *_, reason in given(replace(both, status="past_due"))] == ["past_due", "past_due", "paid"]
    year = Bought(plan_id="pro-year", plan_version=1, start=NOW, end=NOW + 365 * DAY)
    disputed = replace(both, payments={"pay_1": plus(also=(year,), disputes=disputes("open"))})
    assert given(disputed) == []
    paid_apart = replace(to_pro(), plan_id="pro-year", period_start=NOW, period_end=NOW + 365 * DAY)
    apart = replace(both, payments={"pay_1": plus(disputes=disputes("open")), "pay_2": paid_apart})
    assert given(apart) == [("pro-year", NOW + 365 * DAY + DELIVERY_SLACK, "active")]


def test_money_that_came_after_the_end_counts_once_a_person_lets_it() -> None:
    late = payment(900, period_start=NOW, period_end=PERIOD_END)
    late = replace(late, paid_at=NOW + 20 * DAY)
    ended = subscription("canceled", ended_at=NOW + 15 * DAY, payments={"pay_1": late})
    assert ended.paid_late == (late,)
    assert given(ended) == [("plus-month", NOW + 15 * DAY, "canceled")]
    accepted = replace(late, accepted_by="usr_admin", accepted_at=NOW + 21 * DAY)
    ended = replace(ended, payments={"pay_1": accepted})
    assert ended.paid_late == ()
    assert ("plus-month", NOW + 51 * DAY, "paid") in given(ended)


def test_money_for_time_before_the_end_did_not_come_too_late() -> None:
    used = payment(900, period_start=NOW, period_end=NOW + 15 * DAY)
    ended = subscription("canceled", ended_at=NOW + 15 * DAY, payments={"pay_1": replace(used, paid_at=NOW + 16 * DAY)})
    assert ended.paid_late == ()


def test_late_money_that_was_given_back_waits_for_nobody() -> None:
    back = payment(900, period_start=NOW, period_end=PERIOD_END, given_up_at=NOW + 9, refunds=refunds((900, "pending")))
    assert subscription(payments={"pay_1": back}).paid_late == ()


UNPAID = {
    "past due": subscription("past_due", payments=invoice(NOW - 30 * DAY, NOW), unpaid=owed()),
    "unpaid": subscription("unpaid", payments=invoice(NOW - 30 * DAY, NOW)),
    "given up": given_up(),
    "a first debit on its way": subscription(payments={}),
}


@pytest.mark.parametrize("record", UNPAID.values(), ids=UNPAID)
def test_a_period_that_is_not_paid_begins_no_allowance(record: Subscription) -> None:
    assert {w.period for w in windows(Account(USER).put(record), CATALOGUE) if w.kind == "subscription"} == {None}


def test_a_paid_period_and_a_trial_begin_an_allowance() -> None:
    for record in (subscription(), subscription("trialing", trial_end=PERIOD_END)):
        assert [w.period for w in windows(Account(USER).put(record), CATALOGUE)] == [(NOW, PERIOD_END)]
