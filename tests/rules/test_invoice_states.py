"""Every state of a bitcoin invoice as its buyer meets it: nobody is asked twice, and no money goes unmentioned."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.invoice_states import state_of
from billing.rules.records import PURCHASE_STATES, Purchase, Refund
from billing.rules.times import DAY
from samples import NOW
from tests.rules.test_access import payment, purchase, term

ENDS = NOW + 900
LATER = ENDS + 1


def invoice(state: str, received: int = 0, **more: Any) -> Purchase:
    money = payment(received) if received else None
    return term(state, **{"received_cents": received, "expires_at": ENDS, "payment": money, **more})


def partly_back(came: int, back: int, status: Any) -> Any:
    refund = Refund(refund_id="re_1", amount_cents=back, status=status, observed_at=NOW)
    return replace(payment(came), refunds={"re_1": refund})


def refunded(amount: int, status: Any) -> Any:
    return partly_back(amount, amount, status)


@pytest.mark.parametrize(
    ("record", "now", "state", "payable", "watched", "again"),
    [
        (invoice("pending"), NOW, "waiting", True, True, False),
        (invoice("pending"), LATER, "expired", False, True, True),
        (invoice("failed"), LATER, "expired", False, True, True),
        (invoice("underpaid", 450), NOW, "missing", True, True, False),
        (invoice("underpaid", 450), LATER, "held", False, True, False),
        (invoice("processing", 900), NOW, "confirming", False, True, False),
        (invoice("paid_late", 900), LATER, "held", False, True, False),
        (invoice("failed", 900), LATER, "held", False, True, False),
        (invoice("failed", 900, payment=refunded(900, "pending")), LATER, "returning", False, True, False),
        (invoice("underpaid", 450, payment=partly_back(450, 200, "pending")), LATER, "returning", False, True, False),
        (invoice("underpaid", 450, payment=partly_back(450, 200, "succeeded")), LATER, "held", False, True, False),
        (invoice("underpaid", 450, payment=refunded(450, "succeeded")), LATER, "refunded", False, False, True),
        (invoice("failed", 900, payment=refunded(900, "succeeded")), LATER, "refunded", False, False, True),
        (invoice("paid_late", 900, payment=refunded(900, "succeeded")), LATER, "refunded", False, False, True),
        (invoice("paid_late", 900, payment=None), LATER, "held", False, True, False),
        (invoice("paid", 900), LATER, "paid", False, False, False),
        (invoice("underpaid", 450, accepted_by="usr_admin"), LATER, "paid", False, False, False),
    ],
)
def test_an_invoice(record: Purchase, now: int, state: str, payable: bool, watched: bool, again: bool) -> None:
    found = state_of(record, now)
    assert found is not None
    assert (found.state, found.payable, found.watched, found.again) == (state, payable, watched, again)


def test_what_was_paid_by_card_is_no_invoice() -> None:
    assert state_of(purchase(), NOW) is None


@given(state=st.sampled_from(PURCHASE_STATES), received=st.integers(0, 2000), later=st.integers(0, 30 * DAY))
def test_no_new_quote_over_money_that_is_there(state: str, received: int, later: int) -> None:
    found = state_of(invoice(state, received), NOW + later)
    assert found is not None
    assert not (found.again and received > 0)
    assert not (found.payable and NOW + later >= ENDS)
    assert found.watched or found.state in ("paid", "partially_refunded")
