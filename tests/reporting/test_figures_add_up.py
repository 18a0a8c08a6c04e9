"""Whatever happened: the columns of every table add up to its totals, and each row's money to its net."""

from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.reporting.analytics import Analytics
from billing.reporting.ranges import Range
from billing.rules.ledger import LedgerEntry
from billing.rules.records import Dispute, Refund
from billing.rules.rollups import is_behind
from billing.rules.times import day_of
from samples import NOW, PLUS, PRO, PRO_YEAR
from tests.reporting.test_analytics import Cells, Shelf
from tests.rules.test_ledger import Books, payment, subscription, term

DAY = 86_400
SUMS = ("gross_cents", "refunded_cents", "disputed_cents", "fees_cents", "net_cents", "tax_cents", "payments")
MOVEMENTS = ("new_cents", "expansion_cents", "contraction_cents", "churn_cents", "reactivation_cents")

days = st.integers(0, 70)
cents = st.integers(0, 900)
refunds = st.builds(
    Refund,
    refund_id=st.sampled_from(["re_1", "re_2"]),
    amount_cents=st.integers(1, 450),
    status=st.sampled_from(["pending", "succeeded", "failed"]),
    observed_at=days.map(lambda n: NOW + n * DAY),
)
disputes = st.builds(
    Dispute,
    dispute_id=st.just("dp_1"),
    amount_cents=st.integers(1, 900),
    status=st.sampled_from(["inquiry", "open", "won", "lost"]),
    observed_at=days.map(lambda n: NOW + n * DAY),
)
payments = st.builds(
    lambda n, day, fee, tax, back, against: payment(
        f"in_{n}",
        900 * (n + 1),
        paid_at=NOW + day * DAY,
        fee_cents=fee,
        tax_cents=tax,
        refunds={r.refund_id: r for r in back},
        disputes={d.dispute_id: d for d in against},
    ),
    st.integers(0, 3),
    days,
    st.none() | st.integers(1, 80),
    st.integers(0, 300),
    st.lists(refunds, max_size=2),
    st.lists(disputes, max_size=1),
)
subscriptions = st.builds(
    lambda name, status, plan, paid, quantity: subscription(
        status,
        subscription_id=name,
        provider="stripe" if name == "sub_1" else "mock",
        plan_id=plan.plan_id,
        quantity=quantity,
        payments={p.payment_id: p for p in paid},
    ),
    st.sampled_from(["sub_1", "sub_2"]),
    st.sampled_from(["trialing", "active", "past_due", "unpaid", "canceled"]),
    st.sampled_from([PLUS, PRO, PRO_YEAR]),
    st.lists(payments, max_size=2),
    st.integers(1, 3),
)
terms = st.builds(lambda n, day: term(f"inv_{n}", NOW + day * DAY), st.integers(0, 2), days)
histories = st.lists(st.lists(st.tuples(days, subscriptions | terms), max_size=6), min_size=1, max_size=3)


def books(history: list[tuple[int, Any]]) -> Books:
    kept = Books()
    for day, record in sorted(history, key=lambda step: step[0]):
        kept.become(record, at=NOW + day * DAY)
    return kept


@settings(max_examples=60, deadline=None)
@given(histories=histories, first=st.integers(0, 60), length=st.integers(1, 40))
def test_every_tables_columns_add_up_to_its_totals(histories: list[Any], first: int, length: int) -> None:
    start = datetime.fromtimestamp(NOW, UTC).date().toordinal() + first
    asked = Range(date.fromordinal(start), date.fromordinal(start + length - 1))
    analytics = Analytics(Cells(*map(books, histories)), Shelf())  # type: ignore[arg-type]
    report = analytics.revenue(asked, "USD", NOW + 80 * DAY)
    totals = report["totals"]

    for table in ("days", "months", "by_plan", "by_provider"):
        for column in SUMS:
            assert sum(row[column] for row in report[table]) == totals[column], (table, column)
        for row in report[table]:
            parts = row["refunded_cents"] + row["disputed_cents"] + row["fees_cents"]
            assert row["gross_cents"] - parts == row["net_cents"], (table, row)
    for table in ("days", "months"):
        for column in MOVEMENTS:
            assert sum(row[column] for row in report[table]) == totals[column], (table, column)
    for table in ("by_plan", "by_provider"):
        for column in ("mrr_cents", "subscribers"):
            assert sum(row[column] for row in report[table]) == totals[column], (table, column)
    for column in ("users_new", "users_returning", "users_lost"):
        assert sum(row[column] for row in report["months"]) == totals[column], column
    assert report["days"][-1]["mrr_cents"] == report["months"][0]["mrr_cents"] == totals["mrr_cents"]
    assert report["months"][-1]["mrr_at_start_cents"] == report["previous"]["mrr_cents"]


def added(lines: list[LedgerEntry], figure: str) -> int:
    """What the lines behind a figure come to, as the dialog that shows them adds them up."""
    behind = [line for line in lines if is_behind(line, figure)]
    if figure == "payments":
        return len(behind)
    if figure.startswith("users_"):
        return sum(line.users for line in behind) * (-1 if figure.startswith("users_lost") else 1)
    if figure == "tax_cents":
        return sum(line.tax_cents for line in behind)
    sign = -1 if figure in ("refunded_cents", "disputed_cents", "fees_cents", "mrr_lost_cents") else 1
    return sign * sum(line.amount_cents for line in behind)


@settings(max_examples=60, deadline=None)
@given(histories=histories, first=st.integers(0, 60), length=st.integers(1, 40))
def test_the_lines_behind_every_cell_add_up_to_it(histories: list[Any], first: int, length: int) -> None:
    start = datetime.fromtimestamp(NOW, UTC).date().toordinal() + first
    asked = Range(date.fromordinal(start), date.fromordinal(start + length - 1))
    everybody = list(map(books, histories))
    analytics = Analytics(Cells(*everybody), Shelf())  # type: ignore[arg-type]
    report, churn = analytics.revenue(asked, "USD", NOW), analytics.churn(asked, "USD", NOW)
    lines = [line for book in everybody for line in book.lines]
    within = [line for line in lines if asked.days[0] <= day_of(line.at) <= asked.days[-1]]

    spans = [
        (report["totals"], within),
        *((row, [line for line in within if day_of(line.at) == row["day"]]) for row in report["days"]),
        *((row, [line for line in within if day_of(line.at)[:7] == row["month"]]) for row in report["months"]),
    ]
    slices = [
        *((row, [line for line in within if line.plan_id == row["key"]]) for row in report["by_plan"]),
        *((row, [line for line in within if line.provider == row["key"]]) for row in report["by_provider"]),
    ]
    funnel = {step["step"]: step["count"] for step in analytics.funnel(asked)["steps"]}
    for step, figure in (("checkout_started", "checkout_started"), ("paid", "paid"), ("active", "became_active")):
        behind = [line for line in within if is_behind(line, figure)]
        counted = sum(line.users if line.kind == "mrr" else 1 for line in behind)
        assert counted == funnel[step], step
    of_months = [(row, [line for line in lines if day_of(line.at)[:7] == row["month"]]) for row in churn["months"]]
    users = ("users_new", "users_returning", "users_lost")
    lost = ("users_lost", "users_lost_voluntary", "mrr_lost_cents")
    for columns, rows in ((SUMS, spans + slices), (MOVEMENTS, spans), (users, spans), (lost, of_months)):
        for row, behind in rows:
            for column in columns:
                if column in row:
                    assert added(behind, column) == row[column], (column, row)
