"""Subscriptions as they were written before their payments had records of their own: read, and moved when written."""

import json
from dataclasses import replace
from typing import Any

import pytest

from billing.rules.facts import PaymentFact, RefundFact
from billing.rules.past import MOVED_AT_ONCE
from billing.rules.records import Account
from billing.selling.receipts import receipts_of
from billing.store.accounts import PAST
from billing.store.codec import item
from samples import CATALOGUE, NOW, USER
from tests.store.written import Written

MONTH = 30 * 86_400
YEARS = 5 * 12
KEY = "subscription#stripe#sub_1"


def old_payment(number: int) -> dict[str, Any]:
    """As a payment stood inside its subscription's record."""
    start = NOW - number * MONTH
    return {
        "payment_id": f"in_{number}",
        "amount_cents": 900,
        "currency": "USD",
        "paid_at": start,
        "refs": [f"ch_{number}", f"pi_{number}"],
        "period_start": start,
        "period_end": start + MONTH,
        "fee_cents": 56,
        "plan_id": "plus-month",
        "plan_version": 1,
    }


OLD_ITEM = {
    "user_id": {"S": USER},
    "record": {"S": KEY},
    "provider": {"S": "stripe"},
    "subscription_id": {"S": "sub_1"},
    "plan_id": {"S": "plus-month"},
    "plan_version": {"N": "1"},
    "status": {"S": "active"},
    "current_period_start": {"N": str(NOW)},
    "current_period_end": {"N": str(NOW + MONTH)},
    "observed_at": {"N": str(NOW)},
    "created_at": {"N": str(NOW - (YEARS - 1) * MONTH)},
    "customer_id": {"S": "cus_1"},
    "price_id": {"S": "price_plus"},
    "payments": {"S": json.dumps({f"in_{n}": old_payment(n) for n in range(YEARS)})},
    "account_version": {"N": "7"},
}
SNAPSHOT = {"user_id": {"S": USER}, "record": {"S": "entitlements"}, "version": {"N": "7"}, "sources": {"S": "[]"}}
REPEATED = PaymentFact(
    provider="stripe",
    observed_at=NOW,
    subscription_id="sub_1",
    payment_id="in_0",
    amount_cents=900,
    currency="USD",
    paid_at=NOW,
    refs=("py_0",),
)


def refund(number: int, cents: int) -> RefundFact:
    return RefundFact(
        provider="stripe",
        observed_at=NOW + cents,
        refund_id="re_1",
        payment_ref=f"ch_{number}",
        amount_cents=cents,
        currency="USD",
        status="succeeded",
    )


def repeated(number: int) -> PaymentFact:
    return replace(REPEATED, refs=(f"py_{number}",))


class Table(Written):
    def __init__(self, tables: dict[str, str]) -> None:
        names = [f"{kind}_{n}" for n in range(YEARS) for kind in ("in", "ch", "pi")]
        links = [item({"user_id": f"link#stripe#{name}", "record": "link", "owner": USER}) for name in names]
        super().__init__(tables, (OLD_ITEM, SNAPSHOT, *links), moves=False)


@pytest.fixture
def table(tables: dict[str, str]) -> Table:
    return Table(tables)


def receipts(table: Table) -> list[Any]:
    account = table.accounts.load(USER, whole=True)
    return [(r.payment, r.reason, r.period) for r in receipts_of(account, CATALOGUE)]


def names(account: Account) -> set[str]:
    return {payment.payment_id for _, payment in account.payments}


def test_an_old_record_is_read_whole(table: Table) -> None:
    account = table.accounts.load(USER)
    assert (account.whole, names(account)) == (True, {f"in_{n}" for n in range(YEARS)})


def test_its_payments_move_as_it_is_written_and_nothing_is_booked_for_that(table: Table) -> None:
    everything = receipts(table)
    on_it, behind = [], []
    for n in range(4):
        assert table.tell(refund(0, n) if n else REPEATED) == (-1 if n else 0)
        stored = table.stored()
        on_it.append(len(stored[KEY]["payments"]))
        behind.append(sum(record.startswith(PAST[1]) for record in stored))
    assert behind == [MOVED_AT_ONCE, 2 * MOVED_AT_ONCE, YEARS - 1, YEARS - 1]
    assert on_it == [YEARS - MOVED_AT_ONCE, YEARS - 2 * MOVED_AT_ONCE, 1, 1]
    assert receipts(table)[1:] == everything[1:]


@pytest.mark.parametrize("moved", [0, 1, 3], ids=["old", "under way", "moved"])
def test_money_back_for_the_oldest_counts_once(table: Table, moved: int) -> None:
    for n in range(moved):
        table.tell(repeated(n))
    back = refund(YEARS - 1, 300)
    assert [table.tell(back), table.tell(back)] == [-300, 0]
    found = table.accounts.load(USER, whole=True).payment("stripe", f"in_{YEARS - 1}")
    assert found is not None
    assert found[1].refunded_cents == 300


def test_export_and_erasure_find_what_is_past(table: Table) -> None:
    for n in range(3):
        table.tell(repeated(n))
    stored = table.stored()
    oldest = f"{PAST[1]}stripe#sub_1#in_{YEARS - 1}"
    assert stored[oldest]["payment"]["amount_cents"] == 900
    pseudonym = table.erasure.erase(USER, "boss", NOW).pseudonym
    assert table.stored() == {}
    assert oldest in table.stored(pseudonym)
    assert table.accounts.owner("stripe", [f"ch_{YEARS - 1}"]) == pseudonym
    assert names(table.accounts.load(pseudonym, whole=True)) == {f"in_{n}" for n in range(YEARS)}
