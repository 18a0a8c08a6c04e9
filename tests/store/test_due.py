"""The index of what is due: found by time, claimed once, left when nothing more is expected."""

from dataclasses import replace
from unittest.mock import Mock

import pytest

from billing.aws import Aws, AwsError
from billing.rules.consequences import consequences
from billing.rules.records import Payment, Renewal, Term
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from tests.samples import CATALOGUE, NOW, PLUS


@pytest.fixture
def accounts(tables: dict[str, str]) -> AccountStore:
    return AccountStore(Aws(), tables["AccountsTable"], tables["PaymentEventsTable"])


@pytest.fixture
def due(tables: dict[str, str]) -> DueStore:
    return DueStore(Aws(), tables["AccountsTable"])


def invoice(poll_at: int | None) -> Term:
    return Term(
        provider="btcpay",
        purchase_id="inv_1",
        plan_id=PLUS.plan_id,
        plan_version=1,
        state="pending",
        amount_cents=900,
        currency="USD",
        observed_at=NOW,
        created_at=NOW,
        poll_at=poll_at,
    )


def put(accounts: AccountStore, user_id: str, *records: Term | Renewal) -> None:
    before = accounts.load(user_id)
    after = replace(before, records={**before.records, **{r.record: r for r in records}})
    accounts.commit(consequences(before, after, CATALOGUE, NOW))


def test_what_is_due_is_found_by_kind_and_time_whoever_it_belongs_to(accounts: AccountStore, due: DueStore) -> None:
    for number in range(6):
        put(accounts, f"usr_{number}", replace(invoice(NOW + number), purchase_id=f"inv_{number}"))
    end = Renewal(
        group="main",
        plan_id=PLUS.plan_id,
        plan_version=1,
        provider="btcpay",
        purchase_id="inv_0",
        ends_at=NOW + 99,
        remind_at=NOW,
    )
    put(accounts, "usr_0", end)
    assert sorted(d.user_id for d in due.due("poll", NOW + 2, 10)) == ["usr_0", "usr_1", "usr_2"]
    assert len(due.due("poll", None, 10)) == 6
    assert [(d.user_id, d.record) for d in due.due("remind", NOW, 10)] == [("usr_0", "renewal#main")]


def test_a_record_is_claimed_once_and_comes_back_at_its_next_time(accounts: AccountStore, due: DueStore) -> None:
    put(accounts, "usr_1", invoice(NOW))
    (found,) = due.due("poll", NOW, 10)
    assert due.claim(found, NOW + 60)
    assert not due.claim(found, NOW + 60)
    assert due.due("poll", NOW + 59, 10) == []
    assert [d.due_at for d in due.due("poll", NOW + 60, 10)] == [NOW + 60]
    term = accounts.load("usr_1").records["term#btcpay#inv_1"]
    assert isinstance(term, Term)
    assert term.poll_at == NOW + 60


def test_a_record_that_a_transaction_is_just_writing_is_claimed_another_time(
    accounts: AccountStore, due: DueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(accounts, "usr_1", invoice(NOW))
    (found,) = due.due("poll", NOW, 10)
    with monkeypatch.context() as during:
        conflict = AwsError("UpdateItem", "TransactionConflictException")
        during.setattr(due._aws, "call", Mock(side_effect=conflict))
        assert not due.claim(found, NOW + 60)
    assert due.claim(found, NOW + 60)


def test_a_claim_may_note_more_and_the_last_one_leaves_the_index(accounts: AccountStore, due: DueStore) -> None:
    end = Renewal(
        group="main",
        plan_id=PLUS.plan_id,
        plan_version=1,
        provider="btcpay",
        purchase_id="inv_1",
        ends_at=NOW + 99,
        remind_at=NOW,
    )
    put(accounts, "usr_1", end)
    (found,) = due.due("remind", NOW, 10)
    assert due.claim(found, None, reminded_days=1)
    assert due.due("remind", None, 10) == []
    assert accounts.load("usr_1").records["renewal#main"] == replace(end, remind_at=None, reminded_days=1)


def test_a_record_that_was_settled_meanwhile_is_no_longer_to_be_claimed(accounts: AccountStore, due: DueStore) -> None:
    put(accounts, "usr_1", invoice(NOW))
    (found,) = due.due("poll", NOW, 10)
    put(accounts, "usr_1", invoice(None))
    assert not due.claim(found, NOW + 60)
    assert due.due("poll", None, 10) == []


def test_what_waits_for_a_person_has_an_index_of_its_own(accounts: AccountStore, due: DueStore) -> None:
    """However many invoices are looked at before it, and however long nobody decides."""
    for number in range(30):
        put(accounts, f"usr_{number}", replace(invoice(NOW), purchase_id=f"inv_{number}"))
    came = Payment(payment_id="inv_late", amount_cents=900, currency="USD", paid_at=NOW)
    late = replace(
        invoice(NOW + 9 * 86_400),
        purchase_id="inv_late",
        state="paid_late",
        received_cents=900,
        received_sat=9000,
        payment=came,
    )
    put(accounts, "usr_late", late)
    assert [(w.user_id, w.record) for w in due.waiting(1)] == [("usr_late", "term#btcpay#inv_late")]
    (found,) = (d for d in due.due("poll", None, 99) if d.user_id == "usr_late")
    assert due.claim(found, NOW + 99)
    assert len(due.waiting(1)) == 1, "looking at it again decides nothing"
    put(accounts, "usr_late", replace(late, decided_cents=900, accepted_by="usr_admin"))
    assert due.waiting(1) == []
