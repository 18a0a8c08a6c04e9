"""What ledger lines add to the rollups, and that it does not matter how they are grouped."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.ledger import LedgerEntry
from billing.rules.rollups import counters, is_behind
from samples import NOW

DAY = 86_400


def line(**changes: object) -> LedgerEntry:
    known = {
        "entry_id": "payment:stripe:in_1:1",
        "at": NOW,
        "kind": "payment",
        "amount_cents": 900,
        "currency": "USD",
        "provider": "stripe",
        "plan_id": "plus-month",
        "plan_version": 1,
        "object_id": "in_1",
        "reason": "first",
    }
    return LedgerEntry(**{**known, **changes})  # type: ignore[arg-type]


def test_a_payment_counts_on_its_day_and_in_its_month() -> None:
    found = counters([line(), line(entry_id="2", amount_cents=100, reason="renewal")])
    expected = {
        "payment|stripe|plus-month|1": 1000,
        "payments|stripe|plus-month|1": 2,
        "paid|first": 1,
        "paid|renewal": 1,
    }
    assert found == {("day#USD", "2026-09-21"): expected, ("month#USD", "2026-09"): expected}


def test_a_refund_that_failed_takes_the_refund_back() -> None:
    found = counters([line(kind="refund", amount_cents=-300), line(kind="refund_failed", amount_cents=300)])
    assert found == {}


def test_a_churn_loses_a_user_for_a_reason_and_one_of_its_cohort() -> None:
    lost = line(
        kind="mrr",
        movement="churn",
        amount_cents=-900,
        users=-1,
        subscribers=-1,
        reason="unused",
        cohort="2026-07",
    )
    found = counters([lost])
    assert found["day#USD", "2026-09-21"] == {
        "churn|stripe|plus-month|1": -900,
        "subscribers|stripe|plus-month|1": -1,
        "users|churn": -1,
        "lost|unused": 1,
    }
    assert found["cohort", "2026-09"] == {"users|2026-07": -1}


def test_days_are_utc_and_end_at_midnight() -> None:
    midnight = 1_790_035_200  # 2026-09-22T00:00:00Z
    days = {day for series, day in counters([line(at=midnight - 1), line(at=midnight)]) if series == "day#USD"}
    assert days == {"2026-09-21", "2026-09-22"}


LINES = st.builds(
    line,
    at=st.integers(NOW, NOW + 60 * DAY),
    kind=st.sampled_from(["payment", "refund", "refund_failed", "dispute", "fee", "mrr", "trial", "checkout"]),
    amount_cents=st.integers(-5000, 5000),
    currency=st.sampled_from(["USD", "EUR"]),
    provider=st.sampled_from(["stripe", "btcpay"]),
    movement=st.sampled_from(["new", "expansion", "churn"]),
    users=st.integers(-1, 1),
    subscribers=st.integers(-2, 2),
    cohort=st.sampled_from([None, "2026-08", "2026-09"]),
)


@given(st.lists(st.lists(LINES, max_size=4), max_size=5))
def test_the_figures_do_not_depend_on_how_lines_are_grouped(groups: list[list[LedgerEntry]]) -> None:
    apart: dict[tuple[str, str], Counter[str]] = {}
    for group in groups:
        for cell, added in counters(group).items():
            apart.setdefault(cell, Counter()).update(added)
    together = counters([entry for group in groups for entry in group])
    assert {c: k for c, k in ((c, {n: v for n, v in a.items() if v}) for c, a in apart.items()) if k} == together


def test_a_line_of_another_currency_lies_in_another_cell() -> None:
    found = counters([line(), replace(line(), currency="EUR")])
    assert {series for series, _ in found} == {"day#USD", "month#USD", "day#EUR", "month#EUR"}


@pytest.mark.parametrize(
    ("reason", "figure", "behind"),
    [
        ("unused", "users_lost", True),
        ("unused", "users_lost_voluntary", True),
        ("payment_failed", "users_lost", True),
        ("payment_failed", "users_lost_voluntary", False),
        ("unused", "users_new", False),
        ("unused", "mrr_lost_cents", True),
    ],
)
def test_a_line_is_behind_the_figures_that_it_changed(reason: str, figure: str, behind: bool) -> None:
    lost = line(kind="mrr", movement="churn", amount_cents=-900, users=-1, subscribers=-1, reason=reason)
    assert is_behind(lost, figure) == behind
    assert not is_behind(line(), figure)
    assert is_behind(line(), "paid")
