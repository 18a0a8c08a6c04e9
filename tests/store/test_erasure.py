"""Erasing a user of whom a payment provider speaks just then: whenever it does, the books end the same."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from billing.aws import Aws
from billing.errors import Parked, ProviderUnavailable
from billing.intake.applier import Applier
from billing.providers.interface import Client
from billing.rules.facts import RefundFact
from billing.store.erasure import ErasureStore
from samples import NOW, USER
from tests.admin.test_users import DAY, ENDED, Desk, told
from tests.rules.test_ledger import term

LATE = RefundFact(
    provider="stripe",
    observed_at=NOW + 6 * DAY,
    refund_id="re_1",
    payment_ref="ch_1",
    amount_cents=400,
    currency="USD",
    status="succeeded",
)
# Calls that an erasure of this user makes at the most.
MOMENTS = 27


class Interrupted(Aws):
    """Before the `moment`-th call something else happens."""

    def __init__(self, moment: int, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.calls = 0
        self._moment, self._meanwhile = moment, meanwhile

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        self.calls += 1
        if self.calls == self._moment:
            self._meanwhile()
        return super().call(service, operation, **request)


@pytest.fixture
def desk(tables: dict[str, str]) -> Desk:
    """Ann's subscription has ended; a prepaid term of hers still runs."""
    desk = Desk()
    desk.applier = Applier(desk.accounts, desk.plans, _away)
    desk.become(replace(ENDED, status="active", ended_at=None), event_id="stripe#evt_1")
    desk.become(ENDED, term("inv_1", NOW + 5 * DAY), at=NOW + 5 * DAY)
    return desk


def _away(provider: str) -> Client:
    raise ProviderUnavailable(f"{provider} does not answer")


def refund(desk: Desk) -> bool:
    """As the processor does it; False: the queue brings it again."""
    now = NOW + 6 * DAY
    try:
        owner = desk.applier.user_of("stripe", [LATE], now)
        desk.applier.apply(owner, "stripe", [LATE], now, replace(told("stripe#evt_refund"), payload={}))
    except (Parked, ProviderUnavailable):
        return False
    return True


@pytest.mark.parametrize("moment", range(1, MOMENTS))
def test_a_refund_is_booked_once_at_whatever_moment_of_the_erasure_it_comes(desk: Desk, moment: int) -> None:
    aws = Interrupted(moment, lambda: refund(desk))
    pseudonym, _, _ = ErasureStore(aws, "AccountsTable", desk.events).erase(USER, NOW + 6 * DAY)
    assert aws.calls < MOMENTS
    assert refund(desk)  # once more, as the queue may
    account = desk.accounts.load(pseudonym)
    assert account.records.keys() > {"subscription#stripe#sub_1", "term#btcpay#inv_1"}
    assert [payment.refunded_cents for _, payment in account.income if payment.payment_id == "in_1"] == [400]
    lines = [(user, line) for page in desk.metrics.ledger() for user, line in page]
    assert {user for user, _ in lines} == {pseudonym}
    assert [line.amount_cents for _, line in lines if line.kind == "refund"] == [-400]
    assert sum(line.amount_cents for _, line in lines if line.kind == "mrr") == 900
