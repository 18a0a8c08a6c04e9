"""The account's one transaction on moto: all of it or nothing, and why it was nothing."""

from dataclasses import replace
from typing import Any

import pytest

from billing.aws import Aws, AwsError
from billing.rules.consequences import consequences
from billing.rules.entitlements import sources
from billing.rules.records import Account, Grant, Payment, Purchase, Subscription
from billing.store.accounts import HISTORY, AccountStore
from billing.store.codec import item
from billing.store.payment_events import PaymentEvent, PaymentEventStore
from billing.store.transactions import Duplicate, ForeignLink, LostRace, transact
from samples import CATALOGUE, NOW, USER

EVENT = PaymentEvent(
    event_id="mock#evt_1",
    provider="mock",
    provider_event_id="evt_1",
    type="purchase.updated",
    created_at=NOW,
    received_at=NOW,
    processed_at=NOW,
    status="processed",
    payload={"id": "pur_1", "amount_cents": 4900},
)
PURCHASE = Purchase(
    provider="mock",
    purchase_id="pur_1",
    plan_id="tax-2026",
    plan_version=1,
    state="paid",
    amount_cents=4900,
    currency="USD",
    observed_at=NOW,
    created_at=NOW,
    customer_id="cus_1",
    payment=Payment(payment_id="pur_1", amount_cents=4900, currency="USD", paid_at=NOW, refs=("ch_1",)),
)
SUBSCRIPTION = Subscription(
    provider="mock",
    subscription_id="sub_1",
    plan_id="plus-month",
    plan_version=1,
    status="active",
    current_period_start=NOW,
    current_period_end=NOW + 86_400,
    observed_at=NOW,
    created_at=NOW,
)


@pytest.fixture
def accounts(tables: dict[str, str]) -> AccountStore:
    return AccountStore(Aws(), tables["AccountsTable"], tables["PaymentEventsTable"])


@pytest.fixture
def events(tables: dict[str, str]) -> PaymentEventStore:
    return PaymentEventStore(Aws(), tables["PaymentEventsTable"])


def having(account: Account, *records: Any) -> Account:
    return replace(account, records={**account.records, **{r.record: r for r in records}})


def test_a_commit_is_read_back_with_its_snapshot_and_links(accounts: AccountStore, events: PaymentEventStore) -> None:
    nobody = accounts.load(USER)
    assert (nobody.version, nobody.records) == (0, {})
    accounts.commit(consequences(nobody, having(nobody, PURCHASE, SUBSCRIPTION), CATALOGUE, NOW), EVENT)
    account = accounts.load(USER)
    assert account.version == 1
    assert account.records[PURCHASE.record] == PURCHASE
    assert account.records[SUBSCRIPTION.record] == SUBSCRIPTION
    snapshot = accounts.snapshot(USER, consistent=True)
    assert snapshot.version == 1
    assert [(s.kind, s.id) for s in snapshot.sources] == [("purchase", "pur_1"), ("subscription", "sub_1")]
    for known in ("pur_1", "cus_1", "ch_1", "sub_1"):
        assert accounts.owner("mock", ["unknown", known]) == USER
    assert accounts.owner("stripe", ["pur_1"]) is None
    assert events.get("mock#evt_1") == EVENT


def test_an_event_counts_once(accounts: AccountStore) -> None:
    nobody = accounts.load(USER)
    accounts.commit(consequences(nobody, having(nobody, PURCHASE), CATALOGUE, NOW), EVENT)
    account = accounts.load(USER)
    with pytest.raises(Duplicate):
        accounts.commit(consequences(account, having(account, SUBSCRIPTION), CATALOGUE, NOW), EVENT)
    assert accounts.load(USER) == account


def test_an_event_that_changes_nothing_is_still_noted_once(accounts: AccountStore, events: PaymentEventStore) -> None:
    nobody = accounts.load(USER)
    accounts.commit(consequences(nobody, nobody, CATALOGUE, NOW), EVENT)
    assert (accounts.load(USER).version, events.get("mock#evt_1")) == (0, EVENT)
    with pytest.raises(Duplicate):
        accounts.commit(consequences(nobody, nobody, CATALOGUE, NOW), EVENT)


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_who_read_one_version_the_second_loses_and_writes_nothing(
    accounts: AccountStore, events: PaymentEventStore, first: int
) -> None:
    if first:
        nobody = accounts.load(USER)
        accounts.commit(consequences(nobody, having(nobody, SUBSCRIPTION), CATALOGUE, NOW))
    read = accounts.load(USER)
    accounts.commit(consequences(read, having(read, replace(PURCHASE, purchase_id="pur_0")), CATALOGUE, NOW))
    with pytest.raises(LostRace):
        accounts.commit(consequences(read, having(read, PURCHASE), CATALOGUE, NOW), EVENT)
    assert PURCHASE.record not in accounts.load(USER).records
    assert events.get("mock#evt_1") is None


def test_an_id_of_another_user_is_refused_by_name(accounts: AccountStore) -> None:
    nobody = accounts.load(USER)
    accounts.commit(consequences(nobody, having(nobody, PURCHASE), CATALOGUE, NOW))
    other = accounts.load("usr_2")
    with pytest.raises(ForeignLink) as refused:
        accounts.commit(consequences(other, having(other, PURCHASE), CATALOGUE, NOW), EVENT)
    assert refused.value.link in ("mock#pur_1", "mock#cus_1", "mock#ch_1")
    assert accounts.load("usr_2").version == 0


@pytest.mark.parametrize("status", ["failed", "quarantined"])
def test_a_failed_event_may_still_have_its_effect(
    accounts: AccountStore, events: PaymentEventStore, status: Any
) -> None:
    assert events.record(replace(EVENT, status=status, reason="why"))
    nobody = accounts.load(USER)
    accounts.commit(consequences(nobody, having(nobody, PURCHASE), CATALOGUE, NOW), EVENT)
    assert events.get("mock#evt_1") == EVENT


def test_a_failure_does_not_overwrite_what_was_processed_meanwhile(events: PaymentEventStore) -> None:
    assert events.record(EVENT)
    assert not events.record(replace(EVENT, status="failed"))
    assert events.get("mock#evt_1") == EVENT


def test_history_and_usage_are_not_read_to_decide_access(accounts: AccountStore, tables: dict[str, str]) -> None:
    nobody = accounts.load(USER)
    grant = Grant(grant_id="g", features={"tax.enhanced": True}, granted_by="a", reason="r", granted_at=NOW)
    accounts.commit(consequences(nobody, having(nobody, PURCHASE, grant), CATALOGUE, NOW))
    for record in ("~ledger#0#x", "~history#1", "usage#ai.chat#2026-09"):
        stored = {"user_id": {"S": USER}, "record": {"S": record}}
        Aws().call("dynamodb", "put_item", TableName=tables["AccountsTable"], Item=stored)
    kinds = {record.partition("#")[0] for record in accounts.load(USER).records}
    assert kinds <= {"purchase", "grant", "mrr"}


# --- cancellations told apart ----------------------------------------------------------------------------------------

PUTS = [
    {"Put": {"Item": {"event_id": {"S": "mock#evt_1"}}}},
    {"Put": {"Item": {"user_id": {"S": USER}, "record": {"S": "entitlements"}}}},
    {"Put": {"Item": {"user_id": {"S": "link#mock#cus_1"}, "record": {"S": "link"}}}},
]


class Refusing(Aws):
    """AWS that cancels every transaction for the given reasons, or answers an error."""

    def __init__(self, *reasons: str, code: str = "TransactionCanceledException") -> None:
        super().__init__()
        self._error = AwsError("TransactWriteItems", code, reasons=[{"Code": reason} for reason in reasons])

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        raise self._error


FAILED, FINE = "ConditionalCheckFailed", "None"


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ((FAILED, FINE, FINE), Duplicate),
        ((FAILED, FAILED, FAILED), Duplicate),
        ((FINE, FAILED, FINE), LostRace),
        ((FINE, FAILED, FAILED), ForeignLink),
        ((FINE, FINE, FAILED), ForeignLink),
        ((FINE, "TransactionConflict", FINE), LostRace),
        (("TransactionConflict", FINE, FINE), LostRace),
        ((FINE, "ThrottlingError", FINE), LostRace),
        ((FINE, "ProvisionedThroughputExceeded", FINE), LostRace),
        ((FINE, "ValidationError", FINE), AwsError),
        ((FINE, "ItemCollectionSizeLimitExceeded", FINE), AwsError),
    ],
)
def test_a_cancelled_transaction_says_why(reasons: tuple[str, ...], expected: type[Exception]) -> None:
    with pytest.raises(expected):
        transact(Refusing(*reasons), PUTS)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ThrottlingException", LostRace),
        ("TransactionInProgressException", LostRace),
        ("InternalServerError", LostRace),
        ("AccessDeniedException", AwsError),
        ("ValidationException", AwsError),
        ("ResourceNotFoundException", AwsError),
    ],
)
def test_what_will_pass_is_tried_again_and_what_will_not_is_raised(code: str, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        transact(Refusing(code=code), PUTS)


def test_a_history_that_is_longer_than_one_answer_is_read_to_its_end(accounts: AccountStore) -> None:
    for number in range(30):
        line = {"user_id": USER, "record": f"{HISTORY}{NOW + number:012d}#1", "changes": "[]", "sources": "x" * 50_000}
        accounts._aws.call("dynamodb", "put_item", TableName=accounts._table, Item=item({**line, "at": NOW + number}))
    assert [entry["at"] for entry in accounts.past(USER, HISTORY, 28)] == [NOW + n for n in range(29, 1, -1)]
    assert len(accounts.past(USER, HISTORY, 100)) == 30


def test_a_thousand_orders_that_came_to_nothing_leave_the_account_writable(accounts: AccountStore) -> None:
    """DynamoDB refuses an item beyond 400 KB: a snapshot that named each of them would be one some day."""
    orders = [replace(PURCHASE, purchase_id=f"pur_{n}", state="failed", payment=None) for n in range(1000)]
    full = Account(USER, records={order.record: order for order in orders})
    assert sources(full, CATALOGUE) == ()
    paid = sources(full.put(PURCHASE), CATALOGUE)
    assert [source.reason for source in paid] == ["paid"]
