"""Every way from one state of an account to another is explained by the lines between them, once."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.access import term_runs
from billing.rules.ledger import LedgerEntry, book, positions
from billing.rules.plans import Catalogue
from billing.rules.records import (
    Account,
    Booked,
    Checkout,
    Dispute,
    Dunning,
    Item,
    Payment,
    Purchase,
    Record,
    Refund,
    Subscription,
    Term,
)
from samples import CATALOGUE, NOW, PLUS, PRO, PRO_YEAR, USER

DAY = 86_400
EMPTY = Account(USER)


def subscription(status: str = "active", **changes: object) -> Subscription:
    known = {
        "provider": "stripe",
        "subscription_id": "sub_1",
        "plan_id": PLUS.plan_id,
        "plan_version": 1,
        "status": status,
        "current_period_start": NOW,
        "current_period_end": NOW + 30 * DAY,
        "observed_at": NOW,
        "created_at": NOW,
        # Somebody paid for it: a coupon over everything, say, which is in no line.
        "payments": {"in_0": payment("in_0", 0)},
    }
    return Subscription(**{**known, **changes})  # type: ignore[arg-type]


def payment(payment_id: str = "in_1", amount: int = 900, **changes: object) -> Payment:
    known = {"payment_id": payment_id, "amount_cents": amount, "currency": "USD", "paid_at": NOW}
    return Payment(**{**known, **changes})  # type: ignore[arg-type]


def term(purchase_id: str, paid_at: int, **changes: object) -> Term:
    known = {
        "provider": "btcpay",
        "purchase_id": purchase_id,
        "plan_id": PLUS.plan_id,
        "plan_version": 1,
        "state": "paid",
        "amount_cents": 900,
        "currency": "USD",
        "observed_at": paid_at,
        "created_at": paid_at,
        "payment": payment(purchase_id, paid_at=paid_at),
    }
    return Term(**{**known, **changes})  # type: ignore[arg-type]


class Books:
    """An account that goes from state to state, with everything booked on the way."""

    def __init__(self, catalogue: Catalogue = CATALOGUE) -> None:
        self.account, self._catalogue = EMPTY, catalogue
        self.lines: list[LedgerEntry] = []

    def become(self, *records: Record, at: int = NOW) -> list[LedgerEntry]:
        after = replace(self.account, records={**self.account.records, **{r.record: r for r in records}})
        after, lines = book(self.account, after, self._catalogue, at)
        self.account = replace(after, version=self.account.version + 1)
        self.lines += lines
        return lines

    def total(self, *kinds: str) -> int:
        return sum(line.amount_cents for line in self.lines if line.kind in kinds)


def mrr(lines: list[LedgerEntry]) -> list[tuple[str | None, str, int, int]]:
    return [(e.movement, e.plan_id, e.amount_cents, e.users) for e in lines if e.kind == "mrr"]


def test_a_first_subscription_is_new_revenue_and_a_first_payment() -> None:
    books = Books()
    lines = books.become(subscription(payments={"in_1": payment(fee_cents=56)}))
    assert [(e.kind, e.amount_cents, e.reason) for e in lines] == [
        ("payment", 900, "first"),
        ("fee", -56, None),
        ("mrr", 900, None),
    ]
    assert mrr(lines) == [("new", "plus-month", 900, 1)]
    assert lines[-1].cohort == "2026-09"


def test_who_pays_a_cent_a_month_pays() -> None:
    books = Books(Catalogue((replace(PLUS, price_cents=1),)))
    assert mrr(books.become(subscription(payments={"in_1": payment(amount=1)}))) == [("new", "plus-month", 1, 1)]
    ended = subscription("canceled", ended_at=NOW + DAY, payments={"in_1": payment(amount=1)})
    assert mrr(books.become(ended, at=NOW + DAY)) == [("churn", "plus-month", -1, -1)]


def test_tax_within_a_price_is_taken_off_as_the_newest_payment_says() -> None:
    def inside(name: str, at: int, tax: int) -> Payment:
        return payment(name, 1200, paid_at=at, tax_cents=tax, tax_inside=True)

    paid = {"in_1": inside("in_1", NOW, 100), "in_2": inside("in_2", NOW + DAY, 200), "in_3": payment("in_3", 0)}
    lines = Books().become(subscription(payments=paid, recurring_cents=1200, currency="USD"), at=NOW + DAY)
    assert [amount for _, _, amount, _ in mrr(lines)] == [1000]


def test_tax_of_a_payment_and_of_its_refund_that_are_heard_of_at_once() -> None:
    refund = Refund(refund_id="re_1", amount_cents=503, status="succeeded", observed_at=NOW)
    paid = payment(amount=1000, tax_cents=167, refunds={"re_1": refund})
    lines = Books().become(subscription(payments={"in_1": paid}))
    # What is left, 4.97, contains 0.82.
    assert [(e.kind, e.tax_cents) for e in lines if e.tax_cents] == [("payment", 167), ("refund", -85)]


@pytest.mark.parametrize(("status", "kind"), [("active", "mrr"), ("trialing", "trial")])
def test_a_user_with_two_plans_in_a_subscription_is_one_user(status: str, kind: str) -> None:
    other = Item(
        plan_id=PRO.plan_id,
        plan_version=1,
        item_id="si_2",
        price_id="price_pro",
        quantity=1,
        current_period_start=NOW,
        current_period_end=NOW + 30 * DAY,
    )
    lines = [e for e in Books().become(subscription(status, others=(other,))) if e.kind == kind]
    assert [(e.subscribers, e.users) for e in lines] == [(1, 1), (1, 0)]


def test_why_revenue_was_lost_says_the_record_that_changed_last() -> None:
    books = Books()
    old = subscription("canceled", subscription_id="sub_0", ended_at=NOW - DAY, cancel_reason="unused")
    books.become(old, subscription(observed_at=NOW + 1))
    ended = subscription("canceled", ended_at=NOW + 2, observed_at=NOW + 2, cancel_reason="too_expensive")
    assert [e.reason for e in books.become(ended, at=NOW + 2) if e.kind == "mrr"] == ["too_expensive"]


def test_the_same_state_again_books_nothing() -> None:
    books = Books()
    books.become(subscription(payments={"in_1": payment()}))
    assert books.become(subscription(payments={"in_1": payment()}), at=NOW + DAY) == []


def test_a_renewal_is_money_but_no_movement() -> None:
    books = Books()
    books.become(subscription(payments={"in_1": payment()}))
    renewed = subscription(payments={"in_1": payment(), "in_2": payment("in_2", paid_at=NOW + 30 * DAY)})
    lines = books.become(renewed, at=NOW + 30 * DAY)
    assert [(e.kind, e.reason, e.at) for e in lines] == [("payment", "renewal", NOW + 30 * DAY)]


def test_a_trial_that_converts_is_new_revenue_although_its_invoice_over_nothing_came_first() -> None:
    books = Books()
    trial = books.become(subscription("trialing", payments={"in_0": payment("in_0", 0)}))
    assert [(e.kind, e.subscribers, e.users, e.amount_cents) for e in trial] == [("trial", 1, 1, 0)]
    paid = {"in_0": payment("in_0", 0), "in_1": payment()}
    lines = books.become(subscription(payments=paid), at=NOW + DAY)
    assert [(e.kind, e.reason or e.movement, e.subscribers, e.users) for e in lines] == [
        ("payment", "first", 0, 0),
        ("mrr", "new", 1, 1),
        ("trial", None, -1, -1),
    ]


def test_of_two_payments_that_are_heard_of_at_once_the_earlier_is_the_first() -> None:
    paid = {"in_2": payment("in_2", paid_at=NOW + DAY), "in_1": payment(), "in_0": payment("in_0", 0)}
    lines = Books().become(subscription(payments=paid), at=NOW + DAY)
    assert sorted(e.reason or "" for e in lines if e.kind == "payment" and e.amount_cents) == ["first", "renewal"]
    (first,) = [e for e in lines if e.kind == "payment" and e.reason == "first"]
    assert first.at == NOW


def test_a_payment_that_is_heard_of_late_is_a_renewal_although_it_is_older() -> None:
    books = Books()
    books.become(subscription(payments={"in_2": payment("in_2", paid_at=NOW + DAY)}), at=NOW + DAY)
    both = {"in_1": payment(), "in_2": payment("in_2", paid_at=NOW + DAY)}
    assert [e.reason for e in books.become(subscription(payments=both), at=NOW + DAY) if e.kind == "payment"] == [
        "renewal"
    ]


def test_new_or_back_does_not_depend_on_whether_the_payment_or_the_activation_is_heard_of_first() -> None:
    books = Books()
    books.become(subscription("incomplete", payments={"in_1": payment()}))
    assert mrr(books.become(subscription(payments={"in_1": payment()}))) == [("new", "plus-month", 900, 1)]


def test_an_upgrade_moves_revenue_from_one_plan_to_the_other_and_is_one_expansion() -> None:
    books = Books()
    books.become(subscription())
    lines = books.become(subscription(plan_id=PRO.plan_id), at=NOW + DAY)
    assert mrr(lines) == [("expansion", "plus-month", -900, 0), ("expansion", "pro-month", 1900, 0)]
    assert [e.subscribers for e in lines] == [-1, 1]
    assert mrr(books.become(subscription(), at=NOW + 2 * DAY))[0][0] == "contraction"


def test_a_year_counts_by_the_month() -> None:
    books = Books()
    lines = books.become(subscription(plan_id=PRO_YEAR.plan_id))
    assert mrr(lines) == [("new", "pro-year", 1583, 1)]  # 19000 / 12 = 1583.33


def test_churn_says_why_and_coming_back_is_a_reactivation_of_the_same_cohort() -> None:
    books = Books()
    books.become(subscription())
    left = books.become(subscription("canceled", cancel_reason="too_expensive"), at=NOW + 40 * DAY)
    assert mrr(left) == [("churn", "plus-month", -900, -1)]
    assert (left[0].reason, left[0].cohort) == ("too_expensive", "2026-09")
    back = books.become(subscription(subscription_id="sub_2", observed_at=NOW + 60 * DAY), at=NOW + 60 * DAY)
    assert mrr(back) == [("reactivation", "plus-month", 900, 1)]
    assert back[0].cohort == "2026-09"


def test_a_subscription_left_unpaid_churned_for_its_payment() -> None:
    books = Books()
    books.become(subscription())
    assert books.become(subscription("past_due")) == []
    assert books.become(subscription("unpaid"))[0].reason == "payment_failed"


def test_a_term_that_lapses_churns_when_it_is_reviewed_even_though_nothing_happened() -> None:
    books = Books()
    books.become(term("inv_1", NOW))
    [run] = term_runs(books.account, CATALOGUE)
    assert books.account.booked.review_at == run.end
    assert books.become(at=run.end - 1) == []
    lines = books.become(at=run.end)
    assert mrr(lines) == [("churn", "plus-month", -900, -1)]
    assert lines[0].reason == "not_renewed"
    assert books.account.booked.review_at is None


def test_an_invoice_for_the_next_term_that_nobody_paid_is_not_why_the_last_one_ended() -> None:
    books = Books()
    books.become(term("inv_1", NOW))
    [run] = term_runs(books.account, CATALOGUE)
    books.become(term("inv_2", run.end - 3600, state="failed", payment=None), at=run.end - 60)
    [churn] = books.become(at=run.end)
    assert (churn.movement, churn.reason, churn.object_id) == ("churn", "not_renewed", "inv_1")


def test_the_next_commit_books_a_lapse_that_no_review_saw() -> None:
    books = Books()
    books.become(term("inv_1", NOW))
    later = NOW + 200 * DAY
    lines = books.become(term("inv_2", later), at=later)
    assert [line.kind for line in lines] == ["payment"]  # it lapsed and came back unseen: revenue is what it was
    assert books.total("mrr") == 900


def test_terms_end_to_end_are_one_user_without_a_movement_between_them() -> None:
    books = Books()
    books.become(term("inv_1", NOW))
    books.become(term("inv_2", NOW + DAY), at=NOW + DAY)
    [first, second] = term_runs(books.account, CATALOGUE)
    assert books.become(at=first.end) == []
    assert books.account.booked.review_at == second.end


def test_card_beside_bitcoin_is_one_user_with_two_positions() -> None:
    books = Books()
    books.become(term("inv_1", NOW))
    lines = books.become(subscription(), at=NOW + DAY)
    assert mrr(lines) == [("expansion", "plus-month", 900, 0)]
    ended = books.become(subscription("canceled"), at=NOW + 2 * DAY)
    assert [(e.movement, e.provider) for e in ended] == [("contraction", "stripe")]


def test_the_same_sum_from_another_provider_is_a_switch() -> None:
    books = Books()
    books.become(subscription())
    lines = books.become(subscription("canceled"), term("inv_1", NOW + DAY), at=NOW + DAY)
    assert [(e.movement, e.provider, e.amount_cents) for e in lines if e.kind == "mrr"] == [
        ("switch", "btcpay", 900),
        ("switch", "stripe", -900),
    ]


def test_a_refund_is_booked_when_it_is_under_way_and_taken_back_when_it_fails() -> None:
    books = Books()
    books.become(subscription(payments={"in_1": payment()}))

    def refunded(status: str) -> Subscription:
        refund = Refund(refund_id="re_1", amount_cents=300, status=status, observed_at=NOW + DAY)  # type: ignore[arg-type]
        return subscription(payments={"in_1": payment(refunds={"re_1": refund})})

    assert [(e.kind, e.amount_cents) for e in books.become(refunded("pending"))] == [("refund", -300)]
    assert books.become(refunded("succeeded")) == []
    assert [(e.kind, e.amount_cents) for e in books.become(refunded("failed"))] == [("refund_failed", 300)]


def test_a_chargeback_takes_money_and_winning_it_brings_it_back_and_an_inquiry_does_neither() -> None:
    books = Books()

    def disputed(status: str) -> Subscription:
        dispute = Dispute(dispute_id="dp_1", amount_cents=900, status=status, observed_at=NOW)  # type: ignore[arg-type]
        return subscription(payments={"in_1": payment(disputes={"dp_1": dispute})})

    books.become(disputed("inquiry"))
    assert books.total("dispute") == 0
    assert [e.amount_cents for e in books.become(disputed("open"))] == [-900]
    assert books.become(disputed("lost")) == []
    assert [(e.kind, e.amount_cents) for e in books.become(disputed("won"))] == [("dispute_won", 900)]


@pytest.mark.parametrize("cents", [1, 900])
def test_money_back_is_booked_on_the_day_it_went_and_its_return_on_the_day_of_the_news(cents: int) -> None:
    known: dict[str, Any] = {"amount_cents": cents, "since": NOW + DAY, "observed_at": NOW + 3 * DAY}
    refunds = [{"refunds": {"re_1": Refund(refund_id="re_1", status=s, **known)}} for s in ("succeeded", "failed")]
    disputes = [{"disputes": {"dp_1": Dispute(dispute_id="dp_1", status=s, **known)}} for s in ("open", "won")]
    for states, went, returned in ((refunds, "refund", "refund_failed"), (disputes, "dispute", "dispute_won")):
        books = Books()
        books.become(subscription(payments={"in_1": payment()}))
        lines = [e for back in states for e in books.become(subscription(payments={"in_1": payment(**back)}))]
        assert [(e.kind, e.at) for e in lines] == [(went, NOW + DAY), (returned, NOW + 3 * DAY)]


def test_a_purchase_that_turns_invalid_after_a_part_was_returned_leaves_nothing() -> None:
    books = Books()
    bought = Purchase(
        provider="btcpay",
        purchase_id="inv_9",
        plan_id="tax-2026",
        plan_version=1,
        state="paid",
        amount_cents=4900,
        currency="USD",
        observed_at=NOW,
        created_at=NOW,
        payment=payment("inv_9", 4900),
    )
    refund = Refund(refund_id="re_1", amount_cents=900, status="succeeded", observed_at=NOW)
    books.become(bought)
    returned = replace(bought, payment=payment("inv_9", 4900, refunds={"re_1": refund}))
    books.become(returned)
    lines = books.become(replace(returned, state="failed"))
    assert [(e.kind, e.amount_cents) for e in lines] == [("refund", -4000)]
    assert books.total("payment", "refund") == 0


def test_payments_that_leave_a_long_subscription_are_not_taken_back() -> None:
    books = Books()
    books.become(subscription(payments={"in_1": payment()}))
    assert books.become(subscription(payments={"in_2": payment("in_2")}))[0].kind == "payment"
    assert books.total("refund") == 0


def test_an_order_is_noted_when_it_is_opened_and_not_again_when_it_is_paid() -> None:
    books = Books()
    checkout = Checkout(
        checkout_id="chk_1",
        group="main",
        plan_id=PLUS.plan_id,
        plan_version=1,
        provider="stripe",
        status="opening",
        created_at=NOW,
        expires_at=NOW + DAY,
        amount_cents=900,
        currency="USD",
    )
    assert [(e.kind, e.object_id, e.amount_cents) for e in books.become(checkout)] == [("checkout", "chk_1", 0)]
    assert books.become(replace(checkout, status="completed")) == []


def test_the_ids_of_lines_are_unique_even_when_a_state_comes_again() -> None:
    books = Books()
    for status in ("active", "unpaid", "active", "canceled"):
        books.become(subscription(status))
    assert len({line.entry_id for line in books.lines}) == len(books.lines)


def test_a_refund_that_fails_as_more_money_is_seen_is_one_line() -> None:
    """One item of the table may be written once in a transaction."""
    books = Books()

    def seen(beyond: int, status: str) -> Term:
        refund = Refund(refund_id="re_1", amount_cents=300, status=status, observed_at=NOW)  # type: ignore[arg-type]
        paid = payment("inv_1", refunds={"re_1": refund}, beyond_cents=beyond)
        return term("inv_1", NOW, payment=paid, received_cents=900 + beyond)

    books.become(seen(0, "pending"))
    lines = books.become(seen(100, "failed"))
    assert [(e.entry_id, e.amount_cents) for e in lines] == [("refund_failed:btcpay:re_1:2", 300)]
    assert books.total("payment", "refund", "refund_failed") == 900


STATUSES = st.sampled_from(["trialing", "active", "past_due", "unpaid", "paused", "canceled"])
STATES = st.lists(
    st.tuples(
        STATUSES,
        st.sampled_from([PLUS.plan_id, PRO.plan_id, PRO_YEAR.plan_id]),
        st.integers(1, 3),
        st.booleans(),
        st.integers(0, 40 * DAY),
    ),
    max_size=8,
)


@given(STATES)
def test_whatever_happens_the_lines_add_up_to_the_state(states: list[tuple[str, str, int, bool, int]]) -> None:
    books, now = Books(), NOW
    for number, (status, plan_id, quantity, prepays, pause) in enumerate(states):
        now += pause
        records: list[Record] = [subscription(status, plan_id=plan_id, quantity=quantity, observed_at=now)]
        books.become(*records, *([term(f"inv_{number}", now)] if prepays else []), at=now)
    expected = positions(books.account, term_runs(books.account, CATALOGUE), CATALOGUE, now)
    lines = [line for line in books.lines if line.kind in ("mrr", "trial")]
    for key in {(e.currency, e.provider, e.plan_id, e.plan_version) for e in lines} | set(expected):
        about = [e for e in lines if (e.currency, e.provider, e.plan_id, e.plan_version) == key]
        counts = expected.get(key, {"mrr_cents": 0, "paying": 0, "trialing": 0})
        assert sum(e.amount_cents for e in about) == counts["mrr_cents"]
        assert sum(e.subscribers for e in about if e.kind == "mrr") == counts["paying"]
        assert sum(e.subscribers for e in about if e.kind == "trial") == counts["trialing"]
    assert sum(e.users for e in lines if e.kind == "mrr") == any(c["paying"] for c in expected.values())
    assert isinstance(books.account.booked, Booked)


# --- tax, discounts, currency, quantity ----------------------------------------------------------------------------


def test_tax_is_no_revenue_and_goes_back_with_what_it_was_part_of() -> None:
    """10.71 paid, 1.71 of it tax: 9.00 revenue; a third goes back in three refunds, to the cent."""
    books = Books()
    paid = payment(amount=1071, tax_cents=171)
    books.become(subscription(payments={"in_1": paid}))
    assert [(e.amount_cents, e.tax_cents) for e in books.lines if e.kind == "payment"] == [(900, 171)]
    for n in (1, 2, 3):
        done = {
            f"re_{i}": Refund(refund_id=f"re_{i}", amount_cents=357, status="succeeded", observed_at=NOW)
            for i in range(n)
        }
        books.become(subscription(payments={"in_1": replace(paid, refunds=done)}))
    assert (books.total("payment", "refund"), sum(e.tax_cents for e in books.lines)) == (0, 0)
    assert [e.amount_cents + e.tax_cents for e in books.lines if e.kind == "refund"] == [-357] * 3


def test_tax_that_is_heard_of_after_the_payment_and_its_refund_is_put_right() -> None:
    books = Books()
    back = {"re_1": Refund(refund_id="re_1", amount_cents=357, status="succeeded", observed_at=NOW)}
    bought = purchase_of(payment(amount=1071, refunds=back))
    books.become(bought)
    books.become(purchase_of(payment(amount=1071, refunds=back, tax_cents=171)))
    assert books.total("payment", "refund", "tax") == 600
    assert sum(e.tax_cents for e in books.lines) == 114


def purchase_of(paid: Payment) -> Purchase:
    return Purchase(
        provider="stripe",
        purchase_id="pi_1",
        plan_id="tax-2026",
        plan_version=1,
        state="paid",
        amount_cents=paid.amount_cents,
        currency="USD",
        observed_at=NOW,
        created_at=NOW,
        payment=paid,
    )


def test_recurring_revenue_is_what_recurs_at_the_provider_in_what_is_charged_without_tax() -> None:
    def position(**more: object) -> dict[object, object]:
        account = Account(USER, records={"s": subscription(**more)})
        recurring = positions(account, term_runs(account, CATALOGUE), CATALOGUE, NOW)
        return {key[0]: counts["mrr_cents"] for key, counts in recurring.items()}

    assert position() == {"USD": 900}
    assert position(recurring_cents=830, currency="EUR") == {"EUR": 830}
    assert position(recurring_cents=0, currency="USD") == {}
    assert position(recurring_cents=2700, quantity=3, currency="USD") == {"USD": 2700}
    inside = payment(amount=1071, tax_cents=171, tax_inside=True)
    assert position(recurring_cents=1071, currency="USD", payments={"in_1": inside}) == {"USD": 900}
    on_top = payment(amount=1071, tax_cents=171)
    assert position(recurring_cents=900, currency="USD", payments={"in_1": on_top}) == {"USD": 900}


def test_nothing_recurs_before_a_first_payment_nor_after_the_newest_invoice_was_given_up() -> None:
    books = Books()
    books.become(subscription(payments={}))
    assert books.lines == []
    books.become(subscription(payments={"in_1": payment()}))
    gone = Dunning(
        invoice_id="in_2",
        attempt_count=4,
        next_attempt_at=None,
        observed_at=NOW + 30 * DAY,
        state="uncollectible",
        start=NOW + 30 * DAY,
        end=NOW + 60 * DAY,
    )
    lines = books.become(subscription(payments={"in_1": payment()}, unpaid={"in_2": gone}), at=NOW + 40 * DAY)
    assert [(e.movement, e.reason, e.amount_cents) for e in lines] == [("churn", "payment_failed", -900)]
