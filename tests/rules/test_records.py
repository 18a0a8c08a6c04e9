"""What the records say of themselves, at their edges."""

from typing import Any

import pytest

from billing.data import replace
from billing.rules.records import (
    Dispute,
    Dunning,
    Payment,
    Purchase,
    Redemption,
    Refund,
    Subscription,
)
from samples import NOW
from tests.rules import test_access
from tests.rules.test_ends import mandate

DAY = 86_400


def purchase(**more: Any) -> Purchase:
    """A pass of 49.00 on an invoice in bitcoin, paid to the cent."""
    known: dict[str, Any] = {
        "provider": "btcpay",
        "purchase_id": "inv_1",
        "plan_id": "tax-2026",
        "plan_version": 1,
        "state": "paid",
        "amount_cents": 4900,
        "currency": "USD",
        "observed_at": NOW,
        "created_at": NOW,
        "received_cents": 4900,
        "payment": Payment(payment_id="inv_1", amount_cents=4900, currency="USD", paid_at=NOW),
    }
    return Purchase(**{**known, **more})


def seen(cents: int, **more: Any) -> Payment:
    return Payment(payment_id="inv_1", amount_cents=cents, currency="USD", paid_at=NOW, **more)


def refund(cents: int, status: Any = "succeeded", **more: Any) -> dict[str, Refund]:
    return {"re_1": Refund(refund_id="re_1", amount_cents=cents, status=status, observed_at=NOW, **more)}


def dispute(cents: int, status: Any) -> dict[str, Dispute]:
    return {"dp_1": Dispute(dispute_id="dp_1", amount_cents=cents, status=status, observed_at=NOW)}


# --- a person has to decide ------------------------------------------------------------------------------------------

UNDERPAID = purchase(state="underpaid", received_cents=4000, payment=seen(4000))


@pytest.mark.parametrize(
    ("of", "undecided"),
    [
        (purchase(), False),
        (UNDERPAID, True),
        # Nobody decides about what may still complete the order by itself.
        (replace(UNDERPAID, state="processing"), False),
        (replace(UNDERPAID, state="pending"), False),
        # A card's purchase is decided by its provider.
        (purchase(state="failed", received_cents=None), False),
        (replace(UNDERPAID, accepted_by="ada", decided_cents=4000), False),
        # More came after the decision.
        (replace(UNDERPAID, accepted_by="ada", received_cents=4500, decided_cents=4000), True),
        (replace(UNDERPAID, accepted_by="ada", received_cents=4500, decided_cents=4500), False),
        (replace(UNDERPAID, payment=seen(4000, refunds=refund(4000))), False),
        (replace(UNDERPAID, payment=seen(4000, refunds=refund(4000, "failed"))), True),
        (purchase(received_cents=5000, payment=seen(4900, beyond_cents=100)), True),
        (purchase(received_cents=5000, payment=seen(4900, beyond_cents=100), decided_cents=5000), False),
        (purchase(received_cents=5000, payment=seen(4900, beyond_cents=100), returns_surplus=True), False),
        # What was bought a second time bought nothing, whoever gives a surplus back.
        (purchase(duplicate_of="inv_0"), True),
        (purchase(duplicate_of="inv_0", returns_surplus=True), True),
        # A refund that was converted may miss what it gives back by a unit.
        (replace(UNDERPAID, payment=seen(4000, refunds=refund(3999))), True),
        (replace(UNDERPAID, payment=seen(4000, refunds=refund(3999, exact_amount="0.0012 BTC"))), False),
        (replace(UNDERPAID, payment=seen(4000, refunds=refund(3998, exact_amount="0.0012 BTC"))), True),
    ],
)
def test_somebody_decides_about_money_that_bought_nothing(of: Purchase, undecided: bool) -> None:
    assert of.undecided == undecided


@pytest.mark.parametrize(
    ("decided", "received", "vanished"),
    [(4900, 4900, 0), (4900, 4899, 0), (4900, 4898, 2), (4900, None, 4900), (0, 4900, 0)],
)
def test_what_vanished_is_missed_but_for_a_unit(decided: int, received: int | None, vanished: int) -> None:
    bought = purchase(decided_cents=decided, received_cents=received)
    assert bought.vanished_cents == vanished
    assert bought.wants_a_person == (vanished > 0)


# --- money ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payment", "refunded"),
    [
        (seen(900), 0),
        (seen(0), 0),
        (seen(900, beyond_cents=100), 0),
        (seen(900, refunds=refund(300)), 300),
        (seen(900, refunds=refund(300, "pending")), 300),
        (seen(900, refunds=refund(300, "failed")), 0),
        (seen(900, refunds=refund(900)), 900),
        (seen(900, refunds=refund(2000)), 900),
        # What came beyond the price goes back first, and once.
        (seen(900, beyond_cents=100, refunds=refund(100)), 0),
        (seen(900, beyond_cents=100, refunds=refund(300)), 200),
        (seen(900, beyond_cents=100, refunds=refund(1000)), 900),
        (seen(900, beyond_cents=100, refunds=refund(100, reason="surplus")), 0),
        (seen(900, beyond_cents=100, refunds=refund(60, reason="surplus")), 0),
        (seen(900, refunds=refund(100, reason="surplus")), 0),
    ],
)
def test_what_was_given_back_of_the_price(payment: Payment, refunded: int) -> None:
    assert payment.refunded_cents == refunded


def test_tax_of_the_parts_adds_up_to_the_tax_of_the_sum() -> None:
    payment = seen(1000, tax_cents=167)
    parts = [payment.tax_on(end) - payment.tax_on(end - 1) for end in range(1, 1001)]
    assert (sum(parts), payment.tax_on(500), seen(0, tax_cents=0).tax_on(0)) == (167, 83, 0)


@pytest.mark.parametrize(("status", "taken"), [("inquiry", 0), ("open", 900), ("lost", 900), ("won", 0)])
def test_a_chargeback_takes_until_it_is_won(status: str, taken: int) -> None:
    bought = purchase(amount_cents=900, received_cents=900, payment=seen(900, disputes=dispute(900, status)))
    assert bought.kept_cents == 900 - taken


def test_what_is_kept_is_never_below_zero_and_nothing_without_money() -> None:
    assert purchase(payment=None).kept_cents == 0
    assert purchase(received_cents=100, payment=seen(100, refunds=refund(900))).kept_cents == 0
    assert purchase(received_cents=None, payment=seen(900)).kept_cents == 900


@pytest.mark.parametrize(("received", "surplus"), [(None, 0), (4800, 0), (4900, 0), (4901, 1)])
def test_a_surplus_is_what_came_beyond_the_price(received: int | None, surplus: int) -> None:
    assert purchase(received_cents=received).surplus_cents == surplus


# --- a subscription --------------------------------------------------------------------------------------------------


def subscription(**more: Any) -> Subscription:
    """Of which no payment is on record."""
    return test_access.subscription(**{"payments": {}, **more})


def unpaid(state: Any = "open", *, first: bool = True) -> dict[str, Dunning]:
    invoice = Dunning(
        invoice_id="in_1", attempt_count=1, next_attempt_at=None, observed_at=NOW, state=state, first=first
    )
    return {"in_1": invoice}


@pytest.mark.parametrize(
    ("of", "begun", "never_paid", "start_failed"),
    [
        (subscription(), False, False, False),
        (subscription(unpaid=unpaid()), False, True, False),
        (subscription(unpaid=unpaid("void")), False, True, True),
        # An invoice of a later period says nothing of the first.
        (subscription(unpaid=unpaid("void", first=False)), False, False, False),
        (subscription(unpaid=unpaid("void"), payments={"in_0": seen(900)}), True, False, False),
        (subscription(status="trialing", unpaid=unpaid("void")), True, False, False),
        (subscription(trial_end=NOW, unpaid=unpaid("void")), True, False, False),
    ],
)
def test_a_subscription_begins_with_a_payment_or_a_trial(
    of: Subscription, begun: bool, never_paid: bool, start_failed: bool
) -> None:
    assert (of.begun, of.never_paid, of.start_failed) == (begun, never_paid, start_failed)


@pytest.mark.parametrize(
    ("payment", "late"),
    [
        (seen(900, period_end=NOW + DAY), False),
        # After the end, for time after it.
        (replace(seen(900, period_end=NOW + DAY), paid_at=NOW + 1), True),
        (replace(seen(900), paid_at=NOW + 1), True),
        (replace(seen(900, period_end=NOW), paid_at=NOW + 1), False),
        (seen(900, period_end=NOW, given_up_at=NOW - DAY), True),
        (seen(900, given_up_at=NOW - DAY, accepted_by="ada"), False),
        (seen(900, given_up_at=NOW - DAY, refunds=refund(900)), False),
    ],
)
def test_money_that_came_too_late_waits_for_a_person(payment: Payment, late: bool) -> None:
    ended = subscription(status="canceled", ended_at=NOW, payments={"in_1": payment})
    assert bool(ended.paid_late) == late


def test_money_of_a_subscription_that_goes_on_is_never_late() -> None:
    assert not subscription(ended_at=NOW, payments={"in_1": replace(seen(900), paid_at=NOW + 1)}).paid_late


def invoice(name: str, **more: Any) -> dict[str, Dunning]:
    known: dict[str, Any] = {"attempt_count": 1, "next_attempt_at": None, "observed_at": NOW}
    return {name: Dunning(invoice_id=name, **{**known, **more})}


def test_what_is_owed_is_told_the_oldest_first() -> None:
    bills = invoice("in_b", start=NOW - 5, end=NOW + DAY) | invoice("in_a", observed_at=NOW - 2) | invoice("in_c")
    assert [d.invoice_id for d in subscription(unpaid=bills).owed] == ["in_b", "in_a", "in_c"]


@pytest.mark.parametrize(
    ("changes", "owing"),
    [
        ({}, True),
        ({"status": "active"}, False),
        ({"cancel_at_period_end": False}, False),
        ({"cancel_at_period_end": False, "cancel_at": NOW + 29 * DAY}, True),
        ({"cancel_at_period_end": False, "cancel_at": NOW + 31 * DAY}, False),
        ({"unpaid": {}}, False),
        # Nothing is collected any more.
        ({"unpaid": invoice("in_1", next_attempt_at=None)}, False),
        ({"unpaid": invoice("in_1", next_attempt_at=NOW + DAY, state="uncollectible")}, False),
    ],
)
def test_who_leaves_while_the_provider_still_collects(changes: dict[str, Any], owing: bool) -> None:
    leaving = subscription(
        status="past_due", cancel_at_period_end=True, unpaid=invoice("in_1", next_attempt_at=NOW + DAY)
    )
    assert replace(leaving, **changes).left_owing == owing


@pytest.mark.parametrize(
    ("unpaid", "owed"),
    [
        (invoice("in_1", observed_at=NOW + 1), True),
        # A payment of the same moment, or of a later one, settles what has no period.
        (invoice("in_1", observed_at=NOW), False),
        # Of what has one it is the period that counts.
        (invoice("in_1", observed_at=NOW - DAY, start=NOW, end=NOW + 1), True),
        (invoice("in_1", observed_at=NOW + 1, start=NOW - DAY, end=NOW), False),
        (invoice("in_1", observed_at=NOW + 1, state="void"), False),
        (invoice("in_1", observed_at=NOW + 1, waived=True), False),
        (invoice("in_1", observed_at=NOW + 1, state="uncollectible"), True),
    ],
)
def test_a_payment_settles_what_was_owed_before_it(unpaid: dict[str, Dunning], owed: bool) -> None:
    paid = subscription(unpaid=unpaid, payments={"in_0": seen(900, period_start=NOW, period_end=NOW + DAY)})
    assert bool(paid.owed) == owed


@pytest.mark.parametrize(
    ("changes", "given_up"),
    [
        ({}, False),
        ({"unpaid": invoice("in_1", state="uncollectible")}, True),
        ({"unpaid": invoice("in_1", state="uncollectible"), "collection_paused": True}, False),
        ({"unpaid": invoice("in_1")}, False),
        # The newest decides.
        ({"unpaid": invoice("in_1", state="uncollectible") | invoice("in_2", observed_at=NOW + 1)}, False),
    ],
)
def test_a_subscription_is_given_up_with_its_newest_invoice(changes: dict[str, Any], given_up: bool) -> None:
    assert subscription(**changes).given_up == given_up


@pytest.mark.parametrize(
    ("more", "forgiven"),
    [
        ({}, False),
        ({"state": "void"}, True),
        ({"waived": True}, True),
        ({"state": "uncollectible"}, False),
        # Without its first invoice nothing was ever paid.
        ({"state": "void", "first": True}, False),
        ({"waived": True, "first": True}, False),
    ],
)
def test_an_invoice_that_is_void_or_waived_is_forgiven(more: dict[str, Any], forgiven: bool) -> None:
    assert invoice("in_1", **more)["in_1"].forgiven == forgiven


# --- a wallet, a voucher ---------------------------------------------------------------------------------------------


def test_a_wallet_renews_unless_it_is_paused_given_up_or_in_trouble() -> None:
    assert mandate().renews
    assert not mandate(paused=True).renews
    assert not mandate(given_up="budget_used_up").renews
    assert not mandate(trouble="wallet_silent").renews


def test_a_voucher_of_a_plan_is_so_many_terms_and_one_of_features_is_none() -> None:
    of_plan = Redemption(redemption_id="r", redeemed_at=NOW, plan_id="plus-month", plan_version=2, intervals=2)
    assert [(t.purchase_id, t.plan_id, t.plan_version) for t in of_plan.terms] == [
        ("r#000", "plus-month", 2),
        ("r#001", "plus-month", 2),
    ]
    assert list(Redemption(redemption_id="r", redeemed_at=NOW, features={"ai": 5}).terms) == []
