"""`AccountStore.change`: read, decide, write, and begin again when somebody else was faster."""

import pytest

from billing.aws import Aws
from billing.errors import TryAgain
from billing.rules.consequences import Consequences, consequences
from billing.rules.records import Account, Grant
from billing.store.accounts import AccountStore
from samples import CATALOGUE, NOW


def grant(name: str) -> Grant:
    return Grant(grant_id=name, features={"ai.chat": True}, granted_by="admin", reason="test", granted_at=NOW)


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def accounts(tables: dict[str, str], waits: list[float]) -> AccountStore:
    return AccountStore(Aws(), tables["AccountsTable"], tables["PaymentEventsTable"], sleep=waits.append)


def gives(account: Account, name: str) -> Consequences:
    return consequences(account, account.put(grant(name)), CATALOGUE, NOW)


def test_a_change_that_loses_a_race_is_decided_again_on_what_the_other_left(
    accounts: AccountStore, waits: list[float]
) -> None:
    seen: list[int] = []

    def decide(account: Account) -> Consequences:
        seen.append(account.version)
        if len(seen) == 1:
            accounts.commit(gives(account, "theirs"))
        return gives(account, "ours")

    after = accounts.change("usr_1", decide)
    assert seen == [0, 1]
    assert len(waits) == 1
    assert set(after.records) == {"grant#theirs", "grant#ours"}
    assert accounts.load("usr_1") == after


def test_a_change_that_always_loses_says_so_with_a_code_and_leaves_nothing(
    accounts: AccountStore, waits: list[float]
) -> None:
    def decide(account: Account) -> Consequences:
        accounts.commit(gives(account, f"theirs_{account.version}"))
        return gives(account, "ours")

    with pytest.raises(TryAgain) as refused:
        accounts.change("usr_1", decide)
    assert refused.value.code == "try_again"
    assert len(waits) == 7
    assert "grant#ours" not in accounts.load("usr_1").records


def test_deciding_on_nothing_writes_nothing(accounts: AccountStore) -> None:
    assert accounts.change("usr_1", lambda account: None).version == 0
    assert accounts.load("usr_1").records == {}
