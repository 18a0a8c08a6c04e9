"""Terms and purchases that are over, on the table: they move as their account is written, and nothing is lost."""

from collections.abc import Sequence
from typing import Any

import pytest

from billing.api.status import subscription_status
from billing.data import replace
from billing.log import Log
from billing.reporting.publishing import Changes
from billing.rules.consequences import Consequences, consequences
from billing.rules.customers import customer
from billing.rules.ended import AT_HAND, MOVED_AT_ONCE
from billing.rules.entitlements import ENDED_KEPT
from billing.rules.facts import CustomerDeletedFact, Fact, PurchaseFact, RefundFact
from billing.rules.records import Account, Payment, Purchase, Term
from billing.selling.receipts import receipts_of
from billing.store.accounts import AccountStore
from billing.store.codec import BEHIND, Item, item, record_to_item
from billing.store.customers import CustomerIndex
from samples import CATALOGUE, NOW, USER
from tests.store.written import Written

MONTH, YEARS = 31 * 86_400, 3 * 12


def bought(number: int, kind: type[Purchase] = Term) -> Purchase:
    """So many months ago: a month that was prepaid, or a pass for a day."""
    at = NOW - number * MONTH
    paid = Payment(payment_id=f"inv_{number}", amount_cents=900, currency="USD", paid_at=at, refs=(f"tx_{number}",))
    return kind(
        provider="btcpay",
        purchase_id=f"inv_{number}",
        plan_id="plus-month" if kind is Term else "day-pass",
        plan_version=1,
        state="paid",
        amount_cents=900,
        currency="USD",
        observed_at=at,
        created_at=at,
        payment=paid,
        transactions=(f"chain{number}x",),
    )


def purchase_fact(number: int, **more: Any) -> PurchaseFact:
    old = bought(number)
    known: dict[str, Any] = {
        name: getattr(old, name)
        for name in ("provider", "purchase_id", "plan_id", "plan_version", "state", "amount_cents", "currency")
    }
    return PurchaseFact(**{**known, "observed_at": old.observed_at, "paid_at": old.observed_at, **more})


def refund(number: int, cents: int) -> RefundFact:
    return RefundFact(
        provider="btcpay",
        observed_at=NOW + cents,
        refund_id="re_1",
        payment_ref=f"inv_{number}",
        amount_cents=cents,
        currency="USD",
        status="succeeded",
    )


class Table(Written):
    """One account as it was written before anything of it could leave the range that is read."""

    def __init__(self, tables: dict[str, str], records: Sequence[Purchase]) -> None:
        snapshot = item({"user_id": USER, "record": "entitlements", "version": 7, "sources": "[]"})
        links = [f"btcpay#{name}" for r in records for name in (r.purchase_id, f"tx_{r.purchase_id[4:]}")]
        owned = [item({"user_id": f"link#{link}", "record": "link", "owner": USER}) for link in links]
        super().__init__(tables, (snapshot, *owned, *(record_to_item(USER, r) for r in records)), moves=True)
        self.index = CustomerIndex(self.aws, self.name, self.accounts, sleep=lambda _: None)

    def at_hand(self) -> int:
        return sum(isinstance(r, Purchase) for r in self.accounts.load(USER).records.values())

    @property
    def whole(self) -> Account:
        return self.accounts.load(USER, whole=True)

    def pages(self) -> Any:
        receipts = [(r.payment, r.reason, r.period) for r in receipts_of(self.whole, CATALOGUE)]
        return receipts, subscription_status(self.whole, CATALOGUE, NOW)


@pytest.fixture(params=[Term, Purchase], ids=["terms", "purchases"])
def table(request: pytest.FixtureRequest, tables: dict[str, str]) -> Table:
    return Table(tables, [bought(n, request.param) for n in range(1, YEARS)])


def news(number: int, table: Table) -> Fact:
    """Something new of the newest that is not over."""
    kind = {"plan_id": next(p.plan_id for p in table.whole.records.values() if isinstance(p, Purchase))}
    return purchase_fact(0, observed_at=NOW + number, refs=(f"py_{number}",), **kind)


def moved(table: Table) -> Table:
    for n in range(3):
        table.tell(news(n, table))
    return table


def test_what_is_over_moves_as_its_account_is_written_and_nothing_is_booked_for_that(table: Table) -> None:
    assert table.tell(news(0, table), moves=False) == 900
    before = table.pages()
    at_hand = []
    for n in range(1, 4):
        assert table.tell(news(n, table)) == 0
        at_hand.append(table.at_hand())
    assert at_hand == [YEARS - MOVED_AT_ONCE, ENDED_KEPT + 1, ENDED_KEPT + 1]
    assert ENDED_KEPT + 1 <= AT_HAND
    assert sum(record.startswith(BEHIND) for record in table.stored()) == YEARS - ENDED_KEPT - 1
    (receipts, status), (receipts_were, status_was) = table.pages(), before
    assert receipts[1:] == receipts_were[1:]
    assert status == status_was


def test_what_only_moved_says_so_and_what_changed_does_not(table: Table) -> None:
    table.tell(news(0, table))
    stored = table.stored()
    assert [record for record, one in stored.items() if one.get("moved")] == [r for r in stored if r.startswith(BEHIND)]
    table.tell(refund(YEARS - 1, 300))
    assert not any(one.get("moved") for record, one in table.stored().items() if record.endswith(f"#inv_{YEARS - 1}"))


def test_a_change_of_many_records_is_written_however_many_could_move_with_it(tables: dict[str, str]) -> None:
    """A transaction holds a hundred writes."""
    table = Table(tables, [bought(n, Purchase) for n in range(1, 80)])

    def decide(account: Account) -> Consequences:
        after = account.put(*(replace(p, returns_surplus=True) for p in account.purchases))
        return consequences(account, after, CATALOGUE, NOW, moves=True)

    table.accounts.change(USER, decide)
    assert all(p.returns_surplus for p in table.whole.purchases)
    for n in range(4):
        table.tell(purchase_fact(0, observed_at=NOW + n, refs=(f"py_{n}",), plan_id="day-pass"))
    assert table.at_hand() == ENDED_KEPT + 1


def test_a_customer_is_deleted_however_much_they_bought(tables: dict[str, str]) -> None:
    """More than a transaction holds, and a payment's names with it."""
    table = Table(tables, [replace(bought(n, Purchase), customer_id="cus_1") for n in range(1, 120)])
    assert table.whole.customers == [("btcpay", "cus_1")]
    table.tell(CustomerDeletedFact(provider="btcpay", observed_at=NOW, customer_id="cus_1"))
    assert table.accounts.load(USER).customers == table.whole.customers == []


class _Torn:
    """A Query that a transaction comes into: what lies before `cut` was read before it, what lies behind it after."""

    def __init__(self, before: Sequence[Item], after: Sequence[Item], cut: str) -> None:
        self.items = [one for one in before if one["record"]["S"] < cut]
        self.items += [one for one in after if one["record"]["S"] >= cut]

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        between = request["ExpressionAttributeValues"]
        first, last = between[":first"]["S"], between[":last"]["S"]
        return {"Items": [one for one in self.items if first <= one["record"]["S"] <= last]}


def test_nobody_writes_an_account_of_which_a_part_left_while_it_was_read(table: Table) -> None:
    table.tell(news(0, table), moves=False)
    before = list(table.erasure._items(USER))
    was = table.accounts.load(USER)
    table.tell(news(1, table))
    after, known = list(table.erasure._items(USER)), table.accounts.load(USER)
    for cut in sorted({one["record"]["S"] for one in (*before, *after)}):
        read = AccountStore(_Torn(before, after, cut), table.name).load(USER)  # type: ignore[arg-type]
        assert read.version == was.version or read == known, cut


def test_who_may_not_delete_moves_nothing(table: Table) -> None:
    for n in range(3):
        table.tell(news(n, table), moves=False)
    assert table.at_hand() == YEARS
    assert table.accounts.load(USER).whole


@pytest.mark.parametrize("rounds", [0, 1, 3], ids=["old", "under way", "moved"])
@pytest.mark.parametrize("moves", [True, False], ids=["at the processor", "elsewhere"])
def test_money_back_for_the_oldest_counts_once(table: Table, rounds: int, moves: bool) -> None:
    for n in range(rounds):
        table.tell(news(n, table))
    back = refund(YEARS - 1, 300)
    assert [table.tell(back, moves=moves), table.tell(back, moves=moves)] == [-300, 0]
    found = table.whole.payment("btcpay", f"inv_{YEARS - 1}")
    assert found is not None
    assert found[1].refunded_cents == 300


def test_one_that_came_back_and_left_again_is_known_as_it_was_told_last(table: Table) -> None:
    moved(table)
    name = f"inv_{YEARS - 1}"

    def places() -> list[str]:
        return [key for key, r in table.accounts.load(USER).records.items() if key.endswith(f"#{name}") and r]

    assert places() == []
    assert table.tell(replace(refund(YEARS - 1, 300), status="pending"), moves=False) == -300
    assert len(places()) == 1
    assert table.tell(replace(refund(YEARS - 1, 300), status="succeeded", observed_at=NOW + 301)) == 0
    for n in range(AT_HAND - ENDED_KEPT):
        table.tell(replace(news(9, table), purchase_id=f"more_{n}", refs=()))
    assert places() == []
    stored = [one for key, one in table.stored().items() if key.endswith(f"#{name}")]
    assert [one["payment"]["refunds"]["re_1"]["status"] for one in stored] == ["succeeded"]
    assert table.tell(refund(YEARS - 1, 900)) == -600
    assert sum(payment.refunded_cents for _, payment in table.whole.payments) == 900


def test_a_purchase_that_is_told_again_is_still_the_same_one(table: Table) -> None:
    moved(table)
    before = table.whole
    plan = next(p.plan_id for p in before.records.values() if isinstance(p, Purchase))
    assert table.tell(purchase_fact(YEARS - 1, observed_at=NOW + 99, plan_id=plan)) == 0
    after = table.whole
    assert after.records.keys() == before.records.keys()
    assert {r.purchase_id for r, _ in after.income if isinstance(r, Purchase)} == {f"inv_{n}" for n in range(YEARS)}


def test_a_term_paid_long_ago_is_laid_among_those_that_left(tables: dict[str, str]) -> None:
    table = moved(Table(tables, [bought(n) for n in range(1, YEARS)]))
    late = replace(purchase_fact(0), purchase_id="inv_late", paid_at=NOW - 30 * MONTH + 5)
    assert table.tell(late) == 900
    never = Account(USER).put(*(r for r in table.whole.records.values() if isinstance(r, Purchase)))
    assert (
        subscription_status(table.whole, CATALOGUE, NOW)["terms"] == subscription_status(never, CATALOGUE, NOW)["terms"]
    )


def test_export_and_erasure_find_what_left(table: Table) -> None:
    stored = moved(table).stored()
    (oldest,) = (record for record in stored if record.endswith(f"#inv_{YEARS - 1}"))
    assert oldest.startswith(BEHIND)
    assert stored[oldest]["payment"]["amount_cents"] == 900
    pseudonym = table.erasure.erase(USER, "boss", NOW).pseudonym
    assert table.stored() == {}
    kept = table.stored(pseudonym)
    assert oldest in kept
    assert "transactions" not in kept[oldest]
    assert table.accounts.owner("btcpay", [f"tx_{YEARS - 1}"]) == pseudonym
    of_it = {payment.payment_id for _, payment in table.accounts.load(pseudonym, whole=True).payments}
    assert of_it == {f"inv_{n}" for n in range(YEARS)}
    found = table.accounts.evaluate(pseudonym, lambda account: account.payment("btcpay", f"inv_{YEARS - 1}"))
    assert found is not None


def test_the_list_of_customers_knows_since_when_and_by_every_id(table: Table) -> None:
    changes = Changes(table.aws, "", _NoMetrics(), table.index, _NoHosts(), "", Log())  # type: ignore[arg-type]
    table.index.refresh(USER, NOW)
    for n in range(3):
        table.tell(news(n, table))
        changes._publish(_stream(table.decided[-1]), NOW)
    note = table.index._noted(USER)
    assert note is not None
    assert len(note["keys"]) < 8 * AT_HAND
    for number in range(YEARS):
        for text in (f"inv_{number}", f"tx_{number}", f"chain{number}x") if number else ("inv_0",):
            assert [found.user_id for found in table.index.search(text, 5) if found.id == text] == [USER], text
    read = customer(table.accounts.load(USER), (), NOW)
    whole = customer(Account(USER, 1, table.whole.records), (), NOW)
    assert read is not None
    assert whole is not None
    assert (read.since, read.rails) == (whole.since, whole.rails)
    table.erasure.erase(USER, "boss", NOW)
    table.index.refresh(USER, NOW)
    assert table.index.search("inv_20", 5) == []
    left = table.aws.call("dynamodb", "scan", TableName=table.name)["Items"]
    assert not [one for one in left if one["user_id"]["S"].startswith(("customer_of#", "found"))]


class _NoMetrics:
    def fold(self, lines: object) -> int:
        return 0


class _NoHosts:
    def forget(self, user_id: str) -> bool:
        return True

    def take_in(self, events: object, now: int) -> None:
        pass


def _stream(decided: Consequences) -> list[dict[str, Any]]:
    """What the table's stream tells of a commit."""
    behind = decided.after.behind | {r.record for r in decided.left}
    wrote = [record_to_item(USER, r, behind=r.record in behind) for r in (*decided.records, *decided.left)]
    snapshot = item({"user_id": USER, "record": "entitlements", "version": decided.after.version, "sources": "[]"})
    return [
        {
            "eventName": "MODIFY",
            "dynamodb": {
                "SequenceNumber": "1",
                "ApproximateCreationDateTime": NOW,
                "Keys": {"user_id": stored["user_id"], "record": stored["record"]},
                "NewImage": stored,
                "OldImage": stored,
            },
        }
        for stored in (*wrote, snapshot)
    ]
