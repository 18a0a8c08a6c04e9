"""What a change of an account is called, record by record."""

from dataclasses import replace
from typing import Any

import pytest

from billing.rules.history import Change, changes, code
from billing.rules.records import Account, Booked, Checkout, Grant, Record, Redemption
from samples import NOW, USER
from tests.rules.test_access import PERIOD_END, purchase, subscription, term

DAY = 86_400
CARD = subscription()
GRANT = Grant(grant_id="g", features={"ai.chat": True}, granted_by="ada", reason="sorry", granted_at=NOW)
VOUCHER = Redemption(redemption_id="r", redeemed_at=NOW, plan_id="plus-month", plan_version=1)
LATER = {"current_period_start": PERIOD_END, "current_period_end": PERIOD_END + 30 * DAY}


def change(old: Record | None, new: Record) -> Change:
    before = Account(USER) if old is None else Account(USER).put(old)
    (found,) = changes(before, before.put(new))
    return found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, CARD, {"status": "active", "plan_id": "plus-month", "until": PERIOD_END}),
        (
            CARD,
            replace(CARD, plan_id="pro-month"),
            {
                "was": "active",
                "status": "active",
                "plan_id": "pro-month",
                "plan_was": "plus-month",
                "until": PERIOD_END,
                "until_was": PERIOD_END,
            },
        ),
        (
            CARD,
            replace(CARD, scheduled_plan_id="pro-month", scheduled_plan_version=1),
            {
                "was": "active",
                "status": "active",
                "plan_id": "plus-month",
                "until": PERIOD_END,
                "until_was": PERIOD_END,
                "scheduled": "pro-month",
            },
        ),
        (
            CARD,
            replace(CARD, cancel_at_period_end=True),
            {
                "was": "active",
                "status": "canceling",
                "plan_id": "plus-month",
                "until": PERIOD_END,
                "until_was": PERIOD_END,
            },
        ),
        (None, GRANT, {"status": "granted"}),
        (None, replace(GRANT, expires_at=NOW + DAY), {"status": "granted", "until": NOW + DAY}),
        (GRANT, replace(GRANT, revoked_at=NOW + 1), {"was": "granted", "status": "revoked"}),
        (None, VOUCHER, {"status": "redeemed", "plan_id": "plus-month"}),
        (
            VOUCHER,
            replace(VOUCHER, closed="revoked"),
            {"was": "redeemed", "status": "revoked", "plan_id": "plus-month"},
        ),
        (None, term(), {"status": "paid", "plan_id": "plus-month"}),
        (None, purchase(), {"status": "paid", "plan_id": "tax-2026"}),
    ],
)
def test_a_change_says_what_was_and_what_is(old: Record | None, new: Record, expected: dict[str, Any]) -> None:
    entry = change(old, new).as_dict()
    assert entry == {"kind": entry["kind"], "record": new.record, **expected}


@pytest.mark.parametrize(
    ("record", "kind"),
    [(CARD, "subscription"), (term(), "term"), (purchase(), "purchase"), (VOUCHER, "voucher"), (GRANT, "grant")],
)
def test_each_record_that_decides_access_has_its_kind(record: Record, kind: str) -> None:
    assert change(None, record).kind == kind
    account = Account(USER).put(record)
    assert changes(account, account) == []


def test_what_decides_no_access_is_no_change() -> None:
    order = Checkout(
        checkout_id="chk_1",
        group="main",
        plan_id="plus-month",
        plan_version=1,
        provider="mock",
        status="open",
        created_at=NOW,
        expires_at=NOW + DAY,
        amount_cents=900,
        currency="USD",
    )
    assert changes(Account(USER), Account(USER).put(order, Booked())) == []


SCHEDULED = replace(CARD, scheduled_plan_id="pro-month", scheduled_plan_version=1)
ENDING = replace(CARD, cancel_at_period_end=True)


@pytest.mark.parametrize(
    ("old", "new", "called"),
    [
        (None, CARD, "began"),
        (CARD, replace(CARD, plan_id="pro-month"), "moved"),
        (CARD, subscription("past_due"), "became"),
        (CARD, ENDING, "canceling"),
        (ENDING, CARD, "resumed"),
        (ENDING, subscription("trialing"), "resumed"),
        (ENDING, subscription("canceled", ended_at=PERIOD_END), "became"),
        (subscription("past_due"), CARD, "became"),
        (CARD, SCHEDULED, "scheduled"),
        (SCHEDULED, replace(SCHEDULED, scheduled_plan_id="pro-year"), "scheduled"),
        (SCHEDULED, CARD, "unscheduled"),
        # The plan that was scheduled has come.
        (SCHEDULED, replace(CARD, plan_id="pro-month", **LATER), "moved"),
        (SCHEDULED, replace(SCHEDULED, **LATER), "renewed"),
        (CARD, replace(CARD, **LATER), "renewed"),
        (replace(CARD, **LATER), CARD, None),
        (ENDING, replace(ENDING, **LATER), None),
        (CARD, replace(CARD, observed_at=NOW + 1), None),
        (replace(GRANT, expires_at=NOW + 1), replace(GRANT, expires_at=NOW + 2), None),
    ],
)
def test_a_change_has_one_word(old: Record | None, new: Record, called: str | None) -> None:
    assert code(change(old, new).as_dict()) == called


def test_the_plan_that_came_is_not_said_to_be_unscheduled() -> None:
    moved = change(SCHEDULED, replace(CARD, plan_id="pro-month", **LATER))
    assert (moved.scheduled, moved.unscheduled, moved.plan_was) == (None, None, "plus-month")
    undone = change(SCHEDULED, CARD)
    assert (undone.scheduled, undone.unscheduled) == (None, "pro-month")
