"""What the account store on DynamoDB and the one in memory, which tests of order use, promise alike."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from billing.aws import Aws
from billing.errors import PastNeeded
from billing.rules.consequences import Consequences, consequences
from billing.rules.past import filed
from billing.rules.records import RECENT_EVENTS, Account, Dispute, Payment, Subscription
from billing.store.accounts import AccountStore
from billing.store.dynamodb import Duplicate, ForeignLink, LostRace
from billing.store.payment_events import PaymentEvent, PaymentEventStore
from memory import MemoryAccounts
from samples import CATALOGUE, NOW, USER
from tests.store.test_accounts import EVENT, PURCHASE, SUBSCRIPTION, having

Accounts = AccountStore | MemoryAccounts
Events = PaymentEventStore | MemoryAccounts


@pytest.fixture(params=["on DynamoDB", "in memory"])
def stores(request: pytest.FixtureRequest) -> tuple[Accounts, Events]:
    if request.param == "in memory":
        both = MemoryAccounts()
        return both, both
    tables = request.getfixturevalue("tables")
    events = PaymentEventStore(Aws(), tables["PaymentEventsTable"])
    return AccountStore(Aws(), tables["AccountsTable"], tables["PaymentEventsTable"], sleep=lambda _: None), events


@pytest.fixture
def accounts(stores: tuple[Accounts, Events]) -> Accounts:
    return stores[0]


@pytest.fixture
def events(stores: tuple[Accounts, Events]) -> Events:
    return stores[1]


def test_a_commit_is_read_back_with_its_snapshot_and_links(accounts: Accounts, events: Events) -> None:
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


def test_an_event_counts_once(accounts: Accounts) -> None:
    nobody = accounts.load(USER)
    accounts.commit(consequences(nobody, having(nobody, PURCHASE), CATALOGUE, NOW), EVENT)
    account = accounts.load(USER)
    with pytest.raises(Duplicate):
        accounts.commit(consequences(account, having(account, SUBSCRIPTION), CATALOGUE, NOW), EVENT)
    assert accounts.load(USER) == account


def test_an_event_that_changes_nothing_is_still_noted_once(accounts: Accounts, events: Events) -> None:
    nobody = accounts.load(USER)
    accounts.commit(consequences(nobody, nobody, CATALOGUE, NOW), EVENT)
    assert (accounts.load(USER).version, events.get("mock#evt_1")) == (0, EVENT)
    with pytest.raises(Duplicate):
        accounts.commit(consequences(nobody, nobody, CATALOGUE, NOW), EVENT)


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_who_read_one_version_the_second_loses_and_writes_nothing(
    accounts: Accounts, events: Events, first: int
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


def test_an_id_of_another_user_is_refused_by_name(accounts: Accounts) -> None:
    nobody = accounts.load(USER)
    accounts.commit(consequences(nobody, having(nobody, PURCHASE), CATALOGUE, NOW))
    other = accounts.load("usr_2")
    with pytest.raises(ForeignLink) as refused:
        accounts.commit(consequences(other, having(other, PURCHASE), CATALOGUE, NOW), EVENT)
    assert refused.value.link in ("mock#pur_1", "mock#cus_1", "mock#ch_1")
    assert accounts.load("usr_2").version == 0


@pytest.mark.parametrize("status", ["failed", "quarantined"])
def test_a_failed_event_may_still_have_its_effect(accounts: Accounts, events: Events, status: Any) -> None:
    assert events.record(replace(EVENT, status=status, reason="why"))
    nobody = accounts.load(USER)
    accounts.commit(consequences(nobody, having(nobody, PURCHASE), CATALOGUE, NOW), EVENT)
    assert events.get("mock#evt_1") == EVENT


def test_a_failure_does_not_overwrite_what_was_processed_meanwhile(events: Events) -> None:
    assert events.record(EVENT)
    assert not events.record(replace(EVENT, status="failed"))
    assert events.get("mock#evt_1") == EVENT


def test_failures_are_counted_but_for_those_that_pass(events: Events) -> None:
    failed = replace(EVENT, status="failed", reason="why")
    assert events.record_failure(failed, passing=True) == 0
    assert [events.record_failure(failed, passing=False) for _ in range(2)] == [1, 2]
    assert events.record_failure(failed, passing=True) == 2
    assert events.record(EVENT)
    assert events.record_failure(failed, passing=False) == 0


def test_what_was_decided_on_an_account_that_changed_meanwhile_is_decided_again(accounts: Accounts) -> None:
    seen: list[int] = []

    def decide(account: Account) -> Consequences | None:
        seen.append(account.version)
        if account.version == 0:
            accounts.commit(consequences(account, having(account, SUBSCRIPTION), CATALOGUE, NOW))
        return consequences(account, having(account, PURCHASE), CATALOGUE, NOW)

    after = accounts.change(USER, decide)  # type: ignore[misc]
    assert seen == [0, 1]
    assert set(accounts.load(USER).records) == set(after.records) >= {SUBSCRIPTION.record, PURCHASE.record}
    assert accounts.change(USER, lambda account: None) == accounts.load(USER)  # type: ignore[misc]


# --- what was told last ----------------------------------------------------------------------------------------------


def event_number(number: int, status: Any = "processed") -> PaymentEvent:
    return replace(EVENT, event_id=f"mock#evt_{number}", provider_event_id=f"evt_{number}", status=status)


def test_the_events_that_changed_an_account_last_are_known_by_the_account(accounts: Accounts) -> None:
    for number in range(RECENT_EVENTS + 1):
        account = accounts.load(USER)
        changed = having(account, replace(SUBSCRIPTION, observed_at=NOW + number))
        accounts.commit(consequences(account, changed, CATALOGUE, NOW), event_number(number))
    account = accounts.load(USER)
    assert [n for n in range(RECENT_EVENTS + 3) if account.knows(event_number(n).event_id)] == list(
        range(1, RECENT_EVENTS + 1)
    )


def test_an_event_whose_work_is_not_done_is_not_known(accounts: Accounts) -> None:
    nobody = accounts.load(USER)
    accounts.commit(consequences(nobody, having(nobody, SUBSCRIPTION), CATALOGUE, NOW), event_number(1, "failed"))
    assert not accounts.load(USER).knows("mock#evt_1")


# --- what is past ----------------------------------------------------------------------------------------------------


def month(number: int, **more: Any) -> Payment:
    start = NOW - number * 30 * 86_400
    return Payment(
        payment_id=f"in_{number}",
        amount_cents=900,
        currency="USD",
        paid_at=start,
        period_start=start,
        period_end=start + 30 * 86_400,
        **more,
    )


def paid(accounts: Accounts, *payments: Payment) -> Account:
    """The account after these payments were told, one after the other."""

    def telling(payment: Payment) -> Callable[[Account], Consequences]:
        return lambda before: consequences(before, filed(before, known(before), payment), CATALOGUE, NOW)

    def known(before: Account) -> Subscription:
        return next(iter(before.subscriptions), SUBSCRIPTION)

    for payment in payments:
        accounts.change(USER, telling(payment))  # type: ignore[misc]
    return accounts.load(USER, whole=True)


def test_what_is_past_is_only_read_when_it_is_asked_for(accounts: Accounts) -> None:
    everything = paid(accounts, month(3), month(2), month(1), month(0))
    read = accounts.load(USER)
    assert (read.whole, everything.whole) == (False, True)
    assert [p.payment_id for _, p in read.at_hand] == ["in_0"]
    assert sorted(p.payment_id for _, p in everything.payments) == ["in_0", "in_1", "in_2", "in_3"]
    assert read.subscriptions[0] == everything.subscriptions[0]
    found = accounts.evaluate(USER, lambda account: account.payment("mock", "in_3"))  # type: ignore[misc]
    assert found is not None
    assert found[1] == month(3)


def test_a_user_with_nothing_past_is_whole_at_once(accounts: Accounts) -> None:
    paid(accounts, month(0))
    assert accounts.load(USER).whole


def test_a_payment_that_was_not_read_is_not_written_as_a_new_one(accounts: Accounts, events: Events) -> None:
    before = paid(accounts, month(2), month(1), month(0))
    read = accounts.load(USER)
    again = filed(read, read.subscriptions[0], replace(month(2), paid_at=NOW + 9))
    with pytest.raises(PastNeeded):
        accounts.commit(consequences(read, again, CATALOGUE, NOW), EVENT)
    assert events.get("mock#evt_1") is None
    assert accounts.load(USER, whole=True) == before


def test_what_counts_again_is_on_its_subscription_alone(accounts: Accounts) -> None:
    paid(accounts, month(2), month(1), month(0))
    taken = Dispute(dispute_id="dp_1", amount_cents=900, status="open", observed_at=NOW)

    def charged_back(before: Account) -> Consequences:
        record, payment = before.payment("mock", "in_2")  # type: ignore[misc]
        assert isinstance(record, Subscription)
        after = filed(before, record, replace(payment, disputes={"dp_1": taken}))
        return consequences(before, after, CATALOGUE, NOW)

    accounts.change(USER, charged_back)  # type: ignore[misc]
    found = [p for _, p in accounts.load(USER, whole=True).payments if p.payment_id == "in_2"]
    assert [p.disputes for p in found] == [{"dp_1": taken}]
    assert "in_2" in accounts.load(USER).subscriptions[0].payments
