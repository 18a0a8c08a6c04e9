"""Erasing a user of whom a payment provider speaks just then: whenever it does, the books end the same."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from billing import deadline
from billing.admin.personal_data import finish_erasures
from billing.aws import Aws
from billing.errors import InvalidRequest, Parked, ProviderUnavailable
from billing.intake.applier import Applier
from billing.providers.interface import Client
from billing.rules.facts import RefundFact
from billing.store import erasure
from billing.store.due import DueStore
from billing.store.erasure import ErasureStore
from samples import NOW, USER
from tests.admin.test_users import ADMIN, DAY, ENDED, Desk, payment_event
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
TABLES = ("AccountsTable", "PaymentEventsTable")
# Calls that an erasure of this user makes at the most.
MOMENTS = 29


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
        desk.applier.apply(owner, "stripe", [LATE], now, replace(payment_event("stripe#evt_refund"), payload={}))
    except (Parked, ProviderUnavailable):
        return False
    return True


@pytest.mark.parametrize("moment", range(1, MOMENTS))
def test_a_refund_is_booked_once_at_whatever_moment_of_the_erasure_it_comes(desk: Desk, moment: int) -> None:
    aws = Interrupted(moment, lambda: refund(desk))
    pseudonym = ErasureStore(aws, "AccountsTable", desk.events).erase(USER, ADMIN, NOW + 6 * DAY).pseudonym
    assert aws.calls < MOMENTS
    assert refund(desk)  # once more, as the queue may
    account = desk.accounts.load(pseudonym)
    assert account.records.keys() > {"subscription#stripe#sub_1", "term#btcpay#inv_1"}
    assert [payment.refunded_cents for _, payment in account.income if payment.payment_id == "in_1"] == [400]
    lines = [(user, line) for page in desk.metrics.ledger() for user, line in page]
    assert {user for user, _ in lines} == {pseudonym}
    assert [line.amount_cents for _, line in lines if line.kind == "refund"] == [-400]
    assert sum(line.amount_cents for _, line in lines if line.kind == "mrr") == 900


class Killed(Exception):
    pass


def killed() -> None:
    raise Killed


def finish(desk: Desk, now: int) -> tuple[int, int]:
    store = ErasureStore(desk.aws, "AccountsTable", desk.events)
    return finish_erasures(DueStore(desk.aws, "AccountsTable"), store, now, 25)


@pytest.mark.parametrize("moment", range(1, MOMENTS))
def test_an_erasure_that_is_killed_is_finished_by_the_schedule(desk: Desk, moment: int) -> None:
    begun = NOW + 6 * DAY
    left = 1
    try:
        ErasureStore(Interrupted(moment, killed), "AccountsTable", desk.events).erase(USER, ADMIN, begun)
        left = 0  # it was done before that call
    except Killed:
        assert finish(desk, begun + 60) == (0, 0)  # it may still be running
    noted = len(desk.audit.month(begun, action="erase"))
    assert finish(desk, begun + 900) == (noted and left, 0)
    if noted:
        stored = [desk.aws.call("dynamodb", "scan", TableName=table)["Items"] for table in TABLES]
        assert USER not in str(stored)
        assert refund(desk)  # nothing is locked
        assert [entry["subject"] for entry in desk.audit.month(begun, action="erase")] == [owner(desk)]
    else:
        assert desk.accounts.load(USER).subscriptions


def owner(desk: Desk) -> str:
    return desk.applier.user_of("stripe", [LATE], NOW + 6 * DAY)


def test_an_erasure_that_takes_longer_than_its_time_says_so_and_goes_on_by_schedule(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = NOW + 6 * DAY
    pieces = iter([False] * 6)
    monkeypatch.setattr(deadline, "over", lambda: next(pieces, True))
    first = desk.personal_data.erase(USER, ADMIN, begun)
    assert first["erased_records"] + first["kept_ledger_entries"] > 0
    assert not first["done"]
    assert not refund(desk)  # locked meanwhile: the queue brings it again
    assert finish(desk, begun + 900) == (0, 0)  # this round has no time either
    monkeypatch.undo()
    assert finish(desk, begun + 900) == (1, 0)
    assert owner(desk) == first["user_id"]
    assert refund(desk)
    assert finish(desk, begun + 1800) == (0, 0)


def test_an_export_comes_in_pages_that_hold_everything_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.become(replace(ENDED, ended_at=ENDED.ended_at and ENDED.ended_at + 1), event_id="stripe#evt_2")
    whole = desk.personal_data.export(USER, ADMIN, NOW)
    monkeypatch.setattr(erasure, "_PAGE", 2)
    records: list[Any] = []
    cursor = ""
    while cursor is not None:
        page = desk.personal_data.export(USER, ADMIN, NOW, cursor)
        assert len(page["records"]) <= 2
        records += page["records"]
        cursor = page["next"]
    rest = desk.personal_data.export(USER, ADMIN, NOW, whole["next"])
    assert rest["next"] is None
    assert records == [*whole["records"], *rest["records"]]
    assert {record["record"] for record in rest["records"]} == {"payment_event"}
    assert len(rest["records"]) > 1
    assert len(desk.audit.month(NOW, action="export")) == 2  # one for each export, not for each page


@pytest.mark.parametrize("cursor", ["events@x", "events@12#", "x" * 513, "events@1#" + "y" * 401])
def test_a_cursor_that_no_page_gave_is_refused(desk: Desk, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        desk.personal_data.export(USER, ADMIN, NOW, cursor)
