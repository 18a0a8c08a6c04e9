"""Money of a subscription that came after it had been given up: an admin finds it, and accepts it or gives it back."""

from dataclasses import replace
from typing import Any

import pytest

from billing.admin.invoices import InvoiceDesk
from billing.aws import Aws
from billing.errors import Conflict, NotFound
from billing.rules.access import windows
from billing.rules.consequences import consequences
from billing.rules.records import Payment, Subscription
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from samples import CATALOGUE, NOW, USER

DAY = 86_400


class Shelf:
    def catalogue(self, *, fresh: bool = False) -> Any:
        return CATALOGUE


@pytest.fixture
def accounts(tables: dict[str, str]) -> AccountStore:
    return AccountStore(Aws("dynamodb"), "AccountsTable", "PaymentEventsTable")


@pytest.fixture
def desk(accounts: AccountStore) -> InvoiceDesk:
    unused: Any = None
    shelf: Any = Shelf()
    return InvoiceDesk(accounts, shelf, DueStore(Aws("dynamodb"), "AccountsTable"), unused, unused, unused)


@pytest.fixture(autouse=True)
def paid_after_its_end(accounts: AccountStore) -> None:
    paid = Payment(
        payment_id="in_2",
        amount_cents=900,
        currency="USD",
        paid_at=NOW + 20 * DAY,
        period_start=NOW,
        period_end=NOW + 30 * DAY,
    )
    ended = Subscription(
        provider="stripe",
        subscription_id="sub_1",
        plan_id="plus-month",
        plan_version=1,
        status="canceled",
        current_period_start=NOW,
        current_period_end=NOW + 30 * DAY,
        observed_at=NOW + 15 * DAY,
        created_at=NOW - 30 * DAY,
        ended_at=NOW + 15 * DAY,
        payments={"in_2": paid},
    )
    accounts.change(USER, lambda account: consequences(account, account.put(ended), CATALOGUE, NOW + 20 * DAY))


def test_it_waits_among_the_invoices_until_somebody_accepts_it(accounts: AccountStore, desk: InvoiceDesk) -> None:
    (waiting,) = desk.open(10, flagged=True)["invoices"]
    assert (waiting["purchase_id"], waiting["status"], waiting["undecided_cents"]) == ("in_2", "paid_late", 900)
    at = NOW + 21 * DAY
    assert not any(w.open_at(at) for w in windows(accounts.load(USER), CATALOGUE))
    assert desk.accept("stripe", "in_2", "usr_admin", at)["accepted_by"] == "usr_admin"
    assert desk.accept("stripe", "in_2", "usr_other", at)["accepted_by"] == "usr_admin"
    assert desk.open(10, flagged=True)["invoices"] == []
    open_windows = [w for w in windows(accounts.load(USER), CATALOGUE) if w.open_at(at)]
    assert [(w.start, w.until, w.reason) for w in open_windows] == [(at, at + 30 * DAY, "paid")]


def test_what_came_in_time_or_is_unknown_is_not_to_be_accepted(accounts: AccountStore, desk: InvoiceDesk) -> None:
    with pytest.raises(NotFound):
        desk.accept("stripe", "in_9", "usr_admin", NOW)
    (subscription,) = accounts.load(USER).subscriptions
    in_time = Payment(payment_id="in_1", amount_cents=900, currency="USD", paid_at=NOW, period_end=NOW + DAY)
    changed = replace(subscription, payments={**subscription.payments, "in_1": in_time})
    accounts.change(USER, lambda account: consequences(account, account.put(changed), CATALOGUE, NOW))
    with pytest.raises(Conflict):
        desk.accept("stripe", "in_1", "usr_admin", NOW)
