"""How a purchase's record follows what is read of it, at its edges."""

from typing import Any

import pytest

from billing.data import replace
from billing.errors import Parked, PastNeeded, Unordered
from billing.rules.apply import accept, apply
from billing.rules.apply.purchases import renew
from billing.rules.facts import PurchaseFact, RefundFact
from billing.rules.records import Account, Checkout, Purchase, Redemption, Term
from samples import CATALOGUE, NOW, USER

HOUR, DAY = 3600, 86_400
ORDER = Checkout(
    checkout_id="chk_1",
    group="tax-2026",
    plan_id="tax-2026",
    plan_version=1,
    provider="btcpay",
    status="open",
    created_at=NOW,
    expires_at=NOW + HOUR,
    amount_cents=4900,
    currency="USD",
    session_id="inv_1",
    url="https://pay.example/inv_1",
)


def card(**more: Any) -> PurchaseFact:
    """A pass that was bought by card."""
    known: dict[str, Any] = {
        "provider": "stripe",
        "observed_at": NOW,
        "purchase_id": "cs_1",
        "state": "paid",
        "amount_cents": 4900,
        "currency": "USD",
        "plan_id": "tax-2026",
        "plan_version": 1,
    }
    return PurchaseFact(**{**known, **more})


def invoice(**more: Any) -> PurchaseFact:
    """The order's invoice, as it is read."""
    known: dict[str, Any] = {
        "provider": "btcpay",
        "observed_at": NOW,
        "purchase_id": "inv_1",
        "state": "pending",
        "amount_cents": 4900,
        "currency": "USD",
        "checkout_id": "chk_1",
        "expires_at": NOW + HOUR,
        "poll": True,
    }
    return PurchaseFact(**{**known, **more})


def apply_all(account: Account, *facts: PurchaseFact | RefundFact) -> Account:
    for fact in facts:
        applied = apply(account, fact, CATALOGUE)
        assert isinstance(applied, Account)
        account = applied
    return account


def bought(account: Account) -> Purchase:
    (purchase,) = (r for r in account.records.values() if isinstance(r, Purchase))
    return purchase


def after(*facts: PurchaseFact, account: Account | None = None) -> Purchase:
    return bought(apply_all(account or Account(USER).put(ORDER), *facts))


# --- by card ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("created_at", "begun"), [(NOW - HOUR, NOW - HOUR), (None, NOW)])
def test_a_purchase_begins_when_it_was_made_or_else_when_it_was_seen(created_at: int | None, begun: int) -> None:
    assert after(card(created_at=created_at)).created_at == begun


def test_what_is_paid_without_a_time_was_paid_when_it_was_seen() -> None:
    payment = after(card(paid_at=None)).payment
    assert payment is not None
    assert (payment.paid_at, payment.amount_cents) == (NOW, 4900)
    assert after(card(state="failed", paid_at=None)).payment is None
    # Its money was seen before it counts.
    assert after(card(state="processing", paid_at=NOW)).payment == payment


@pytest.mark.parametrize("first", [0, 1])
def test_a_payment_gains_what_later_events_name_and_stays_one(first: int) -> None:
    events = [
        card(paid_at=NOW - 5, refs=("pi_1",), tax_cents=800),
        card(observed_at=NOW + 1, paid_at=NOW - 9, refs=("ch_1",), fee_cents=150),
    ]
    payment = after(*(events if first == 0 else events[::-1])).payment
    assert payment is not None
    assert (payment.paid_at, payment.refs, payment.fee_cents, payment.tax_cents) == (
        NOW - 9,
        ("ch_1", "pi_1"),
        150,
        800,
    )


# --- an order in bitcoin ---------------------------------------------------------------------------------------------


def test_an_order_at_hand_is_not_looked_for_in_the_past() -> None:
    at_hand = replace(Account(USER).put(ORDER), whole=False)
    assert after(invoice(), account=at_hand).plan_id == "tax-2026"
    with pytest.raises(PastNeeded):
        apply(replace(Account(USER), whole=False), invoice(), CATALOGUE)
    with pytest.raises(Unordered):
        apply(Account(USER), invoice(), CATALOGUE)


@pytest.mark.parametrize(
    "other", [invoice(checkout_id="chk_2"), invoice(provider="bitpay"), invoice(purchase_id="inv_2")]
)
def test_an_invoice_that_we_did_not_open_is_no_order(other: PurchaseFact) -> None:
    with pytest.raises(Unordered):
        apply(Account(USER).put(ORDER), other, CATALOGUE)


@pytest.mark.parametrize("other", [invoice(amount_cents=1), invoice(currency="EUR")])
def test_an_invoice_of_another_price_waits_for_a_person(other: PurchaseFact) -> None:
    with pytest.raises(Parked, match="its price is") as parked:
        apply(Account(USER).put(ORDER), other, CATALOGUE)
    assert parked.value.code == "order_differs"


# --- money on an invoice ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "received", "counts", "beyond"),
    [
        ("paid", 4900, 4900, 0),
        # A unit is rounding, where the server says that it is paid.
        ("paid", 4899, 4900, 0),
        ("paid", 4898, 4898, 0),
        ("underpaid", 4899, 4899, 0),
        # What a person at the server marked as paid was paid elsewhere.
        ("paid", 0, 4900, 0),
        ("paid", 5000, 4900, 100),
        ("underpaid", 4000, 4000, 0),
        ("paid_late", 5000, 4900, 100),
        ("processing", 1, 1, 0),
    ],
)
def test_what_counts_of_the_money_that_came(state: Any, received: int, counts: int, beyond: int) -> None:
    payment = after(invoice(state=state, received_cents=received)).payment
    assert payment is not None
    assert (payment.amount_cents, payment.beyond_cents) == (counts, beyond)


def test_an_invoice_to_which_nothing_came_has_no_payment() -> None:
    assert after(invoice(state="failed")).payment is None
    assert after(invoice(state="processing", received_cents=0)).payment is None


def test_a_late_reading_of_pending_does_not_undo_a_failure() -> None:
    assert after(invoice(state="failed"), invoice(state="pending", observed_at=NOW + 60)).state == "failed"
    assert after(invoice(state="pending"), invoice(state="failed", observed_at=NOW + 60)).state == "failed"


def test_of_one_second_the_stronger_state_and_the_larger_amount_win() -> None:
    assert after(invoice(state="paid", received_cents=4900), invoice(state="failed")).state == "paid"
    more, less = invoice(state="underpaid", received_cents=4000), invoice(state="underpaid", received_cents=3000)
    assert after(more, less).received_cents == after(less, more).received_cents == 4000


@pytest.mark.parametrize(
    ("state", "then", "vanished"),
    [
        # What had counted and is gone is a person's to settle; a unit is rounding.
        ("paid", 0, 4900),
        ("paid", 4899, 0),
        ("paid", 4898, 2),
        # What had not counted leaves nothing to settle.
        ("underpaid", 0, 0),
        ("processing", 0, 0),
    ],
)
def test_money_that_counted_and_vanished_is_missed(state: Any, then: int, vanished: int) -> None:
    came = 4900 if state == "paid" else 4000
    read = after(
        invoice(state=state, received_cents=came),
        invoice(state="processing", received_cents=min(then, came), observed_at=NOW + 60),
    )
    assert read.vanished_cents == vanished
    assert (read.decided_cents > 0) == (vanished > 0)


def test_what_came_beyond_the_price_may_vanish_again() -> None:
    read = after(
        invoice(state="paid", received_cents=5000),
        invoice(state="processing", received_cents=4900, observed_at=NOW + 60),
    )
    assert (read.vanished_cents, read.decided_cents) == (0, 0)


def test_what_was_booked_of_an_invoice_stays_when_it_is_read_again() -> None:
    first = invoice(state="paid", received_cents=4900, paid_at=NOW)
    for again in (replace(first, paid_at=NOW - 60), replace(first, paid_at=NOW - 60, observed_at=NOW + 60)):
        payment = after(first, again).payment
        assert payment is not None
        assert payment.paid_at == NOW


def test_the_next_term_is_paid_where_the_last_one_was_but_for_a_voucher() -> None:
    first = card(purchase_id="inv_a", provider="btcpay", plan_id="plus-month", amount_cents=900)
    later = replace(first, purchase_id="inv_b", provider="bitpay", observed_at=NOW + 1, paid_at=NOW + 1)
    account = apply_all(Account(USER), first)
    assert [r.provider for r in account.renewals] == ["btcpay"]
    by_voucher = renew(
        account.put(Redemption(redemption_id="r", redeemed_at=NOW, plan_id="plus-month", plan_version=1)), CATALOGUE
    )
    assert [r.provider for r in by_voucher.renewals] == ["btcpay"]
    account = apply_all(account, later)
    assert [(r.provider, r.purchase_id) for r in account.renewals] == [("bitpay", "inv_b")]


def test_an_invoice_is_looked_at_sooner_while_its_money_goes_back() -> None:
    paid = invoice(state="paid", received_cents=4900, observed_at=NOW + 2 * DAY, created_at=NOW)
    other = replace(ORDER, checkout_id="chk_2", group="two", session_id="inv_2")
    beside = replace(paid, purchase_id="inv_2", checkout_id="chk_2")
    account = apply_all(Account(USER).put(ORDER, other), paid, beside)
    went = RefundFact(
        provider="btcpay",
        observed_at=NOW + 3 * DAY,
        refund_id="pull_1",
        payment_ref="inv_1",
        amount_cents=4900,
        currency="USD",
        status="pending",
    )
    account = account.put(*(replace(p, poll_at=NOW + 80 * DAY) for p in account.purchases))
    at = {p.purchase_id: p.poll_at for p in apply_all(account, went).purchases}
    assert at == {"inv_1": NOW + 3 * DAY + 6 * HOUR, "inv_2": NOW + 80 * DAY}


# --- a person accepts ------------------------------------------------------------------------------------------------


def accepted(*facts: PurchaseFact, order: Checkout = ORDER, now: int = NOW + HOUR) -> tuple[Account, Purchase]:
    account = apply_all(Account(USER).put(order), *facts)
    account = accept(account, bought(account), "ada", CATALOGUE, now)
    return account, bought(account)


@pytest.mark.parametrize(("received", "counts", "beyond"), [(4000, 4000, 0), (4900, 4900, 0), (5000, 4900, 100)])
def test_what_is_accepted_counts_up_to_the_price(received: int, counts: int, beyond: int) -> None:
    state = "underpaid" if received < 4900 else "paid_late"
    account, purchase = accepted(invoice(state=state, received_cents=received))
    assert purchase.payment is not None
    assert (purchase.payment.amount_cents, purchase.payment.beyond_cents) == (counts, beyond)
    assert (purchase.paid, purchase.accepted_by, purchase.decided_cents) == (True, "ada", received)
    (order,) = account.checkouts
    assert (order.status, order.url) == ("completed", None)


def test_a_term_that_is_accepted_gets_back_the_time_for_which_its_money_waited() -> None:
    order = replace(ORDER, plan_id="plus-month", group="main", amount_cents=900)
    late = invoice(state="paid_late", amount_cents=900, received_cents=900, paid_at=NOW + 600)
    _, term = accepted(late, order=order)
    assert isinstance(term, Term)
    assert term.waited_seconds == HOUR - 600
    _, at_once = accepted(late, order=order, now=NOW)
    assert isinstance(at_once, Term)
    assert at_once.waited_seconds == 0


def test_an_acceptance_ends_when_the_money_it_was_about_is_replaced_on_the_chain() -> None:
    account, _ = accepted(invoice(state="underpaid", received_cents=4000))
    for received, by in ((3998, None), (3999, "ada")):
        read = apply_all(account, invoice(state="underpaid", received_cents=received, observed_at=NOW + 60))
        assert bought(read).accepted_by == by


def test_what_vanished_is_settled_when_a_person_accepts_what_is_left() -> None:
    account, purchase = accepted(
        invoice(state="paid", received_cents=4900),
        invoice(state="failed", received_cents=0, observed_at=NOW + 60),
    )
    assert (purchase.vanished_cents, purchase.decided_cents, purchase.wants_a_person, purchase.paid) == (
        0,
        0,
        False,
        False,
    )
    assert [order.status for order in account.checkouts] == ["completed"]
