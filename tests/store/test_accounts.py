"""The account's one transaction on moto: all of it or nothing, and why it was nothing."""

from dataclasses import replace
from typing import Any

import pytest

from billing.aws import Aws, AwsError
from billing.rules.consequences import consequences
from billing.rules.entitlements import sources
from billing.rules.records import Account, Grant, Payment, Purchase, Subscription
from billing.store.accounts import HISTORY, SNAPSHOT, AccountStore
from billing.store.codec import item
from billing.store.dynamodb import Duplicate, ForeignLink, LostRace, transact
from billing.store.payment_events import PaymentEvent, PaymentEventStore
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


def test_a_snapshot_is_read_under_the_name_that_its_recent_events_had_before(
    accounts: AccountStore, tables: dict[str, str]
) -> None:
    nobody = accounts.load(USER)
    accounts.commit(consequences(nobody, having(nobody, SUBSCRIPTION), CATALOGUE, NOW), EVENT)
    table, key = tables["AccountsTable"], item({"user_id": USER, "record": SNAPSHOT})
    before = Aws().call("dynamodb", "get_item", TableName=table, Key=key)["Item"]
    before["told"] = before.pop("recent_events")
    Aws().call("dynamodb", "put_item", TableName=table, Item=before)
    assert accounts.load(USER).knows(EVENT.event_id)


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
