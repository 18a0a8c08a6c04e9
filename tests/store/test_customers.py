"""The list of customers follows the accounts, and a question to it costs the same whoever else is in it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from billing.admin.customers import Customers, filters_of
from billing.api.answers.users import UserList
from billing.aws import Aws
from billing.errors import InvalidRequest
from billing.log import Log
from billing.reporting.publishing import Changes, changed_accounts
from billing.rules.consequences import consequences
from billing.rules.past import filed
from billing.rules.plans import Catalogue
from billing.rules.records import Grant, PastPayment, Record, Term
from billing.store.accounts import AccountStore
from billing.store.codec import item
from billing.store.customers import CustomerIndex, Filters
from billing.store.erasure import ErasureStore
from billing.store.payment_events import PaymentEventStore
from samples import CATALOGUE, NOW, PLUS, PRO
from tests.rules.test_ledger import payment, subscription, term

DAY = 86_400
_PLANS = Catalogue((*CATALOGUE.plans, replace(PLUS, version=2)))


class Town:
    """Accounts, and the index of them, as the stream's consumer keeps it."""

    def __init__(self) -> None:
        self.aws = Aws()
        self.accounts = AccountStore(self.aws, "AccountsTable", "PaymentEventsTable", sleep=lambda _: None)
        self.index = CustomerIndex(self.aws, "AccountsTable", self.accounts, sleep=lambda _: None)

    def become(self, user_id: str, *records: Record, at: int = NOW, indexed: bool = True) -> None:
        before = self.accounts.load(user_id)
        after = replace(before, records={**before.records, **{r.record: r for r in records}})
        self.accounts.commit(consequences(before, after, _PLANS, at))
        if indexed:
            self.index.refresh(user_id, at)

    def users(self, now: int = NOW, **filters: Any) -> list[str]:
        found, following = self.index.page(Filters(**filters), "", 50, now)
        assert following is None
        return [one["user_id"] for one in found]

    def found(self, text: str) -> list[tuple[str, str]]:
        return [(one.user_id, one.what) for one in self.index.search(text, 20)]

    def everything(self) -> list[Any]:
        """What the table holds of the index."""
        stored = self.aws.call("dynamodb", "scan", TableName="AccountsTable")["Items"]
        prefixes = ("customers#", "customer_of#", "found#", "found_back#")
        return [one for one in stored if one["user_id"]["S"].startswith(prefixes)]


@pytest.fixture
def town(tables: dict[str, str]) -> Town:
    return Town()


def card(n: int, **changes: Any) -> Record:
    paid = {f"in_{n}": payment(f"in_{n}", refs=(f"pi_{n}AbC", f"ch_{n}xyz"))}
    known = {"subscription_id": f"sub_{n}", "customer_id": f"cus_{n}", "payments": paid, "created_at": NOW + n}
    return subscription(**{**known, **changes})


def test_customers_are_listed_the_newest_first_and_by_what_they_have(town: Town) -> None:
    town.become("usr_a", card(1))
    town.become("usr_b", card(2, plan_id=PRO.plan_id, status="past_due", unpaid={}))
    town.become("usr_c", term("inv_3", NOW + 3))
    assert town.users() == ["usr_c", "usr_b", "usr_a"]
    assert town.users(plan="plus-month") == ["usr_c", "usr_a"]
    assert town.users(status="active") == ["usr_a"]
    assert town.users(rail="btcpay") == ["usr_c"]
    assert town.users(at_risk=True) == ["usr_b"]
    assert town.users(rail="stripe", plan="plus-month") == ["usr_a"]


def test_the_customers_of_one_version_of_a_plan_are_a_list_of_their_own(town: Town) -> None:
    town.become("usr_a", card(1))
    town.become("usr_b", card(2, plan_version=2))
    assert town.users(plan="plus-month") == ["usr_b", "usr_a"]
    assert (town.users(plan="plus-month", version=1), town.users(plan="plus-month", version=2)) == (
        ["usr_a"],
        ["usr_b"],
    )
    assert town.users(plan="plus-month", version=2, at_risk=True) == []
    town.become("usr_a", card(1, plan_version=2, observed_at=NOW + 1))  # moved
    assert town.users(plan="plus-month", version=1) == []
    [first, *_] = town.index.page(Filters(plan="plus-month", version=2), "", 50, NOW)[0]
    assert tuple(first["versions"]) == ("plus-month@2",)


def test_who_ends_soon_is_listed_by_the_end_and_only_until_then(town: Town) -> None:
    town.become("usr_a", card(1, cancel_at_period_end=True, current_period_end=NOW + 9 * DAY))
    town.become("usr_b", term("inv_2", NOW))  # a month from now
    town.become("usr_c", card(3))
    assert town.users(ends_by=NOW + 40 * DAY) == ["usr_a", "usr_b"]
    assert town.users(ends_by=NOW + 10 * DAY) == ["usr_a"]
    assert town.users(now=NOW + 10 * DAY, ends_by=NOW + 40 * DAY) == ["usr_b"]  # the other one has ended
    town.become("usr_a", card(1, cancel_at_period_end=False, current_period_end=NOW + 9 * DAY, observed_at=NOW + 1))
    assert town.users(ends_by=NOW + 40 * DAY) == ["usr_b"]


def test_what_no_longer_holds_is_no_longer_listed(town: Town) -> None:
    town.become("usr_a", card(1, status="past_due"))
    town.become("usr_a", card(1, status="canceled", ended_at=NOW + 5, observed_at=NOW + 5), at=NOW + 6)
    assert town.users(at_risk=True) == town.users(status="past_due") == town.users(plan="plus-month") == []
    assert town.users(status="canceled") == ["usr_a"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("usr_fin", "user"),
        ("cus_7", "customer"),
        ("SUB_7", "subscription"),
        ("in_7", "invoice"),
        ("pi_7a", "transaction"),
        ("7AbC", "transaction"),  # the last digits of one
        ("7xyz", "transaction"),
    ],
)
def test_a_customer_is_found_by_the_beginning_or_the_end_of_an_id(town: Town, text: str, what: str) -> None:
    town.become("usr_findme", card(7))
    town.become("usr_other", card(8))
    assert town.found(text) == [("usr_findme", what)]


@pytest.mark.parametrize("text", ["4a5e1e4baab8", "afdeda33b"])
def test_who_paid_in_bitcoin_is_found_by_the_transaction(town: Town, text: str) -> None:
    txid = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
    paid = Term(
        provider="btcpay",
        purchase_id="inv_1",
        plan_id="plus-month",
        plan_version=1,
        state="paid",
        amount_cents=900,
        currency="USD",
        observed_at=NOW,
        created_at=NOW,
        transactions=(txid,),
    )
    town.become("usr_bitcoin", paid)
    assert town.found(text) == [("usr_bitcoin", "transaction")]


def test_three_characters_are_a_beginning_and_no_end(town: Town) -> None:
    town.become("usr_a", card(7))
    assert town.found("xyz") == []


def test_refreshing_again_writes_nothing_and_an_index_lost_is_made_anew(town: Town) -> None:
    town.become("usr_a", card(1))
    assert town.index.refresh("usr_a", NOW) is False
    kept = town.everything()
    for one in kept:
        key = {"user_id": one["user_id"], "record": one["record"]}
        town.aws.call("dynamodb", "delete_item", TableName="AccountsTable", Key=key)
    for page in town.index.everybody():
        for user_id in page:
            town.index.refresh(user_id, NOW)
    assert sorted(map(str, town.everything())) == sorted(map(str, kept))


def test_an_account_with_more_ids_than_a_transaction_may_write_is_listed_whole(town: Town) -> None:
    paid = {f"in_{n}": payment(f"in_{n}", refs=(f"pi_{n}", f"ch_{n}")) for n in range(60)}
    for many in (20, 40, 60):
        town.become("usr_a", card(1, payments=dict(list(paid.items())[:many])), indexed=many == 60)
    assert town.found("ch_59") == [("usr_a", "transaction")]
    assert town.users() == ["usr_a"]


def test_nothing_leads_to_a_person_who_was_erased(town: Town) -> None:
    town.become("usr_a", card(1, status="canceled", ended_at=NOW))
    erasure = ErasureStore(town.aws, "AccountsTable", PaymentEventStore(town.aws, "PaymentEventsTable"))
    pseudonym = erasure.erase("usr_a", "usr_admin", NOW).pseudonym
    town.index.refresh("usr_a", NOW)  # the stream tells that the snapshot is gone
    town.index.refresh(pseudonym, NOW)
    assert town.everything() == []


def test_pages_of_a_filtered_list_hold_everybody_once_and_read_no_more_than_they_may(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.store.customers._READ", 5)
    for n in range(12):
        town.become(f"usr_{n:02}", card(n, status="past_due" if n % 4 == 0 else "active"))
    asked, cursor, pages = Filters(rail="stripe", plan="plus-month", status="past_due", at_risk=True), "", []
    while cursor is not None:
        found, cursor = town.index.page(asked, cursor, 2, NOW)  # type: ignore[assignment]
        pages.append([one["user_id"] for one in found])
    assert [user for page in pages for user in page] == ["usr_08", "usr_04", "usr_00"]
    everyone, cursor = [], ""
    while cursor is not None:
        found, cursor = town.index.page(Filters(), cursor, 50, NOW)  # type: ignore[assignment]
        assert len(found) <= 5
        everyone += [one["user_id"] for one in found]
    assert everyone == [f"usr_{n:02}" for n in reversed(range(12))]


def stream(user_id: str, record: str = "entitlements", name: str = "MODIFY", at: int = NOW) -> dict[str, Any]:
    keys = item({"user_id": user_id, "record": record})
    return {"eventName": name, "dynamodb": {"Keys": keys, "ApproximateCreationDateTime": float(at)}}


def test_the_stream_tells_who_changed_also_who_was_erased() -> None:
    records = [stream("usr_a"), stream("usr_b", "term#x"), stream("usr_c", name="REMOVE", at=NOW + 2)]
    assert changed_accounts(records) == {"usr_a": NOW, "usr_c": NOW + 2}


def test_a_batch_of_the_stream_is_in_the_list_and_its_age_is_told(town: Town) -> None:
    class Quiet:
        def fold(self, lines: list[Any]) -> int:
            return 0

        def take_in(self, events: list[Any], now: int) -> None:
            """Nobody is told."""

        def forget(self, account: str) -> bool:
            return True

    town.become("usr_a", card(1), indexed=False)
    changes = Changes(town.aws, "bus", Quiet(), town.index, Quiet(), "", Log())  # type: ignore[arg-type]
    assert town.index.state() is None
    removed = stream("usr_a", name="REMOVE", at=NOW + 1)  # tells of the change without an image to publish
    changes.publish([removed], NOW + 4)
    assert town.users() == ["usr_a"]
    assert town.index.state() == {"changed_at": NOW + 1, "taken_in_at": NOW + 4}


class Nobody:
    def find(self, text: str) -> tuple[str, str] | None:
        return ("usr_new", "user") if text == "usr_new" else None


@pytest.fixture
def desk(town: Town) -> Customers:
    return Customers(town.index, Nobody())  # type: ignore[arg-type]


def test_the_answers_have_the_documented_shape(town: Town, desk: Customers) -> None:
    town.become("usr_a", card(1))
    town.become("usr_b", Grant(grant_id="g", features={"x": True}, granted_by="a", reason="r", granted_at=NOW))
    for answer in (desk.page(Filters(), {}, NOW), desk.search("usr", NOW), desk.search("usr_new", NOW)):
        UserList.model_validate_json(json.dumps(answer))
    assert [u["status"] for u in desk.page(Filters(), {}, NOW)["users"]] == ["active", "granted"]
    assert desk.rows(desk.page(Filters(), {}, NOW))[0]["plans"] == "plus-month"


def test_whoever_is_not_in_the_index_yet_is_found_by_a_whole_id(desk: Customers) -> None:
    [found] = desk.search("usr_new", NOW)["users"]
    assert (found["user_id"], found["matched"], found["matched_id"]) == ("usr_new", "user", "usr_new")


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"rail": "cheque"}, "rail"),
        ({"version": "2"}, "plan"),
        ({"plan": "plus-month", "version": "0"}, "version"),
        ({"ends_within_days": "0"}, "ends_within_days"),
        ({"ends_within_days": "٣"}, "ends_within_days"),
        ({"at_risk": "yes"}, "at_risk"),
        ({"limit": "5000"}, "limit"),
        ({"cursor": "x"}, "cursor"),
    ],
)
def test_a_filter_that_makes_no_sense_is_explained(desk: Customers, query: dict[str, str], wrong: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        desk.page(filters_of(query, NOW), query, NOW)
    assert refused.value.extensions["errors"][0]["path"] == wrong


def test_a_page_costs_as_many_calls_among_many_as_among_few(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    call: Callable[..., Any] = town.aws.call
    monkeypatch.setattr(town.aws, "call", lambda service, name, **k: (calls.append(name), call(service, name, **k))[1])

    def cost() -> list[str]:
        calls.clear()
        town.index.page(Filters(status="active"), "", 5, NOW)
        town.index.search("sub_1", 5)
        return list(calls)

    for n in range(6):
        town.become(f"usr_{n}", card(n))
    few = cost()
    for n in range(6, 60):
        town.become(f"usr_{n}", card(n))
    assert cost() == few
    assert set(few) == {"query"}


# --- what is past ----------------------------------------------------------------------------------------------------


def pay(town: Town, user_id: str, months: int, at: int = NOW) -> list[int]:
    """So many payments, month by month, each told by the stream; how many writes each cost the index."""
    written = []
    for n in range(months):
        start = NOW + n * 30 * DAY
        before = town.accounts.load(user_id)
        bought = replace(card(1), current_period_start=start, current_period_end=start + 30 * DAY, payments={})
        known = next(iter(before.subscriptions), bought)
        paid = payment(f"in_{n}", paid_at=start, period_start=start, period_end=start + 30 * DAY, refs=(f"pi_{n}x",))
        moved_on = replace(bought, payments=known.payments, past_until=known.past_until)
        decided = consequences(before, filed(before, moved_on, paid), _PLANS, at)
        town.accounts.commit(decided)
        for record in decided.records:
            if isinstance(record, PastPayment):
                town.index.keep(user_id, record)
        town.index.refresh(user_id, at)
        note = town.index._noted(user_id)
        assert note is not None
        written.append(len(note["keys"]))
    return written


def test_old_payments_are_found_and_no_note_grows_with_them(town: Town) -> None:
    sizes = pay(town, "usr_a", 8)
    assert sizes[2:] == sizes[1:-1]
    for n in range(8):
        assert town.found(f"in_{n}") == [("usr_a", "invoice")]
        assert town.found(f"pi_{n}x") == [("usr_a", "transaction")]


def test_what_the_stream_tells_of_a_past_payment_first_or_last_comes_to_the_same(town: Town) -> None:
    pay(town, "usr_a", 3)
    before = sorted(map(str, town.everything()))
    account = town.accounts.load("usr_a", whole=True)
    for record in account.records.values():
        if isinstance(record, PastPayment):
            town.index.keep("usr_a", record)
    assert town.index.refresh("usr_a", NOW) is False
    assert sorted(map(str, town.everything())) == before


def test_an_index_that_was_lost_has_old_payments_again(town: Town) -> None:
    pay(town, "usr_a", 4)
    kept = town.everything()
    for one in kept:
        key = {"user_id": one["user_id"], "record": one["record"]}
        town.aws.call("dynamodb", "delete_item", TableName="AccountsTable", Key=key)
    town.index.refresh("usr_a", NOW, whole=True)
    assert sorted(one["record"]["S"] for one in town.everything()) == sorted(one["record"]["S"] for one in kept)


def test_a_note_from_before_is_taken_over_and_loses_nobody(town: Town) -> None:
    pay(town, "usr_a", 4)
    note = town.index._noted("usr_a")
    assert note is not None
    old = {key: mark.lstrip("+-") for key, mark in note["keys"].items()}
    for one in town.everything():  # what is past stood in the one note
        if one["user_id"]["S"].startswith("found"):
            old[f"{one['user_id']['S']}|{one['record']['S']}"] = "0" * 8
        elif one["record"]["S"].startswith("~payment#"):
            key = {"user_id": one["user_id"], "record": one["record"]}
            town.aws.call("dynamodb", "delete_item", TableName="AccountsTable", Key=key)
    stored = {"user_id": "customer_of#usr_a", "record": "customer", "account": 1, "keys": old, "turn": 9}
    town.aws.call("dynamodb", "put_item", TableName="AccountsTable", Item=item(stored))
    assert town.index.refresh("usr_a", NOW)
    assert [town.found(f"in_{n}") for n in range(4)] == [[("usr_a", "invoice")]] * 4
    assert len((town.index._noted("usr_a") or {})["keys"]) == len(note["keys"])


def test_nothing_leads_to_a_person_whose_old_payments_were_kept_when_they_are_erased(town: Town) -> None:
    pay(town, "usr_a", 4)
    erasure = ErasureStore(town.aws, "AccountsTable", PaymentEventStore(town.aws, "PaymentEventsTable"))
    pseudonym = erasure.erase("usr_a", "usr_admin", NOW).pseudonym
    town.index.refresh("usr_a", NOW)
    for record in town.accounts.load(pseudonym, whole=True).records.values():
        if isinstance(record, PastPayment):
            town.index.keep(pseudonym, record)
    assert town.everything() == []
