"""Every figure of the reports, against a small business whose books were added up by hand."""

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from billing.api.answers.reports import ChurnReport, CohortReport, FunnelReport, LedgerLines, RevenueReport
from billing.api.http import wants_csv
from billing.aws import Aws
from billing.errors import InvalidRequest
from billing.reporting.analytics import Analytics
from billing.reporting.csv_tables import to_csv
from billing.reporting.ranges import Range, range_of
from billing.rules.plans import Catalogue
from billing.rules.records import Refund
from billing.rules.rollups import counters
from billing.store.accounts import ledger_item
from billing.store.metrics import Generations, MetricsStore
from samples import CATALOGUE, NOW, PRO_YEAR
from tests.rules.test_ledger import Books, payment, subscription, term
from tests.rules.test_rollups import line

DAY = 86_400
MONEY_KINDS = {"payment", "tax", "refund", "refund_failed", "dispute", "dispute_won", "fee"}
SEPTEMBER = Range(date(2026, 9, 21), date(2026, 9, 30))
SEPTEMBER_WHOLE = Range(date(2026, 9, 1), date(2026, 9, 30))


def at(month: int, day: int) -> int:
    """Noon of a day of 2026; NOW is the 21st of September."""
    return NOW + ((date(2026, month, day) - date(2026, 9, 21)).days) * DAY


def ann() -> Books:
    """Buys Plus by card on the 21st (fee 56), moves up to Pro on the 25th."""
    books = Books()
    paid = {"in_a": payment("in_a", 900, fee_cents=56)}
    books.become(subscription(subscription_id="sub_a", payments=paid), at=NOW)
    books.become(subscription(subscription_id="sub_a", plan_id="pro-month", payments=paid), at=at(9, 25))
    return books


def bob() -> Books:
    """Buys a month of Plus with bitcoin on the 22nd; it runs out on the 22nd of October."""
    books = Books()
    books.become(term("inv_b", at(9, 22)), at=at(9, 22))
    books.become(at=at(10, 23))
    return books


def cyd() -> Books:
    """Tries Plus from the 23rd, pays from the 3rd of October, loses it to a failed card on the 5th of November."""
    books = Books()
    books.become(subscription("trialing", subscription_id="sub_c"), at=at(9, 23))
    paid = {"in_c": payment("in_c", 900, paid_at=at(10, 3))}
    books.become(subscription(subscription_id="sub_c", payments=paid), at=at(10, 3))
    books.become(subscription("unpaid", subscription_id="sub_c", payments=paid), at=at(11, 5))
    return books


def dee() -> Books:
    """Buys a year of Pro on the 24th, gets 50.00 back on the 28th, and is gone on the 29th: too expensive."""
    books = Books()
    paid = payment("in_d", 19_000, paid_at=at(9, 24))
    year = subscription(subscription_id="sub_d", plan_id=PRO_YEAR.plan_id, payments={"in_d": paid})
    books.become(year, at=at(9, 24))
    refund = Refund(refund_id="re_d", amount_cents=5_000, status="succeeded", observed_at=at(9, 28))
    returned = replace(year, payments={"in_d": replace(paid, refunds={"re_d": refund})})
    books.become(returned, at=at(9, 28))
    books.become(replace(returned, status="canceled", cancel_reason="too_expensive"), at=at(9, 29))
    return books


class Cells:
    """What `MetricsStore` reads, straight from the lines: that it stores just this has tests of its own."""

    def __init__(self, *books: Books) -> None:
        self._cells = counters(line for book in books for line in book.lines)

    def generations(self) -> Generations:
        return Generations(currencies=("USD",))

    def days(self, currency: str, first: str, last: str) -> dict[str, Counter[str]]:
        return {d: c for (s, d), c in self._cells.items() if s == f"day#{currency}" and first <= d <= last}

    def months(self, currency: str, first: str, last: str) -> dict[str, Counter[str]]:
        return {d: c for (s, d), c in self._cells.items() if s == f"month#{currency}" and first <= d <= last}

    def cohorts(self) -> dict[str, Counter[str]]:
        return {d: c for (s, d), c in self._cells.items() if s == "cohort"}

    def tracked(self, first: str, last: str) -> Counter[str]:
        return Counter({"paywall_seen|ai.chat": 30, "paywall_seen|tax.export": 10, "pricing_viewed|": 10})


class Shelf:
    def catalogue(self, *, fresh: bool = False) -> Catalogue:
        return CATALOGUE


@pytest.fixture
def analytics() -> Analytics:
    return Analytics(Cells(ann(), bob(), cyd(), dee()), Shelf())  # type: ignore[arg-type]


def test_totals_are_the_state_at_the_end_of_the_range_and_the_sums_within_it(analytics: Analytics) -> None:
    report = analytics.revenue(SEPTEMBER, None, NOW)
    assert report["totals"] == {
        "mrr_cents": 2_800,  # Ann 1900, Bob 900; Cyd tries, Dee is gone
        "arr_cents": 33_600,
        "arpu_cents": 1_400,
        "active": 2,
        "subscribers": 2,
        "trialing": 1,
        "gross_cents": 20_800,  # 900 + 900 + 19000
        "refunded_cents": 5_000,
        "disputed_cents": 0,
        "fees_cents": 56,
        "net_cents": 15_744,
        "tax_cents": 0,
        "payments": 3,
        "new_cents": 3_383,  # Ann and Bob 900 each, Dee 1583
        "expansion_cents": 1_000,
        "contraction_cents": 0,
        "churn_cents": -1_583,
        "reactivation_cents": 0,
        "users_new": 3,
        "users_returning": 0,
        "users_lost": 1,
        "net_retention": None,  # nobody paid before
        "lifetime_value_cents": 0,
    }
    assert report["previous"]["mrr_cents"] == report["previous"]["gross_cents"] == 0


def test_each_day_has_its_movements_and_they_lead_from_one_days_mrr_to_the_next(analytics: Analytics) -> None:
    days = {day["day"]: day for day in analytics.revenue(SEPTEMBER, "USD", NOW)["days"]}
    assert len(days) == 10
    assert [days[f"2026-09-{d}"]["mrr_cents"] for d in (21, 22, 23, 24, 25, 28, 29, 30)] == [
        *(900, 1_800, 1_800, 3_383, 4_383, 4_383, 2_800, 2_800)
    ]
    assert days["2026-09-24"]["new_cents"] == 1_583
    assert days["2026-09-25"]["expansion_cents"] == 1_000
    assert days["2026-09-28"]["refunded_cents"] == 5_000
    assert days["2026-09-29"]["churn_cents"] == -1_583
    mrr = 0
    for day in days.values():
        mrr += sum(day[f"{m}_cents"] for m in ("new", "expansion", "contraction", "churn", "reactivation"))
        assert day["mrr_cents"] == mrr


def test_a_range_opens_with_what_the_ranges_before_it_left(analytics: Analytics) -> None:
    october = analytics.revenue(Range(date(2026, 10, 5), date(2026, 10, 31)), "USD", NOW)
    assert october["days"][0]["mrr_cents"] == 3_700  # Ann 1900, Bob 900, Cyd 900
    assert october["totals"]["mrr_cents"] == 2_800  # Bob's month ran out
    assert october["previous"]["mrr_cents"] == 3_700
    assert october["previous"]["payments"] == 4  # 8 September to 4 October
    assert october["totals"]["gross_cents"] == 0


def test_card_and_bitcoin_stand_side_by_side(analytics: Analytics) -> None:
    slices = {s["key"]: s for s in analytics.revenue(SEPTEMBER, "USD", NOW)["by_provider"]}
    assert slices["btcpay"] == {
        "key": "btcpay",
        "name": "btcpay",
        "gross_cents": 900,
        "refunded_cents": 0,
        "disputed_cents": 0,
        "fees_cents": 0,
        "net_cents": 900,
        "tax_cents": 0,
        "payments": 1,
        "mrr_cents": 900,
        "subscribers": 1,
    }
    assert (slices["stripe"]["mrr_cents"], slices["stripe"]["net_cents"]) == (1_900, 14_844)


def test_an_upgrade_leaves_no_revenue_behind_on_the_old_plan(analytics: Analytics) -> None:
    slices = {s["key"]: s for s in analytics.revenue(SEPTEMBER, "USD", NOW)["by_plan"]}
    assert {key: s["mrr_cents"] for key, s in slices.items()} == {"plus-month": 900, "pro-month": 1_900, "pro-year": 0}
    assert slices["pro-year"]["net_cents"] == 14_000
    assert slices["plus-month"]["name"] == "Plus"


def test_churn_by_month_tells_the_chosen_from_the_suffered(analytics: Analytics) -> None:
    report = analytics.churn(Range(date(2026, 9, 21), date(2026, 11, 30)), "USD", at(11, 20))
    shown = [(m["month"], m["users_at_start"], m["users_lost"], m["users_lost_voluntary"]) for m in report["months"]]
    assert shown == [("2026-11", 2, 1, 0), ("2026-10", 2, 1, 1), ("2026-09", 0, 1, 1)]
    assert [(m["mrr_at_start_cents"], m["mrr_lost_cents"], m["complete"]) for m in report["months"]] == [
        *((2_800, 900, False), (2_800, 900, True), (0, 1_583, True))
    ]
    assert report["reasons"] == [
        {"reason": "not_renewed", "count": 1},
        {"reason": "payment_failed", "count": 1},
        {"reason": "too_expensive", "count": 1},
    ]


def test_a_cohort_is_those_who_first_paid_in_a_month_and_stays_their_size(analytics: Analytics) -> None:
    found = {c["month"]: c for c in analytics.cohorts(at(11, 20))["cohorts"]}
    assert found["2026-09"] == {"month": "2026-09", "size": 3, "retained": [3, 1, 1]}  # Dee, then Bob left
    assert found["2026-10"] == {"month": "2026-10", "size": 1, "retained": [1, 0]}


def test_the_funnel_counts_views_orders_payments_and_beginnings(analytics: Analytics) -> None:
    steps = {s["step"]: s["count"] for s in analytics.funnel(SEPTEMBER)["steps"]}
    assert steps == {"paywall_seen": 40, "pricing_viewed": 10, "checkout_started": 0, "paid": 3, "active": 3}


def test_a_currency_without_figures_is_all_noughts(analytics: Analytics) -> None:
    report = analytics.revenue(SEPTEMBER, "EUR", NOW)
    assert {value for value in report["totals"].values() if value is not None} == {0}
    assert report["currencies"] == ["EUR", "USD"]


def test_the_range_defaults_to_thirty_days_and_is_checked() -> None:
    assert range_of({}, NOW) == Range(date(2026, 8, 23), date(2026, 9, 21))
    for query in ({"from": "2026-10-01"}, {"from": "yesterday"}, {"to": "2026-02-30"}, {"from": "2001-01-01"}):
        with pytest.raises(InvalidRequest):
            range_of(query, NOW)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_spreadsheet_does_not_run_what_somebody_wrote_into_a_name(text: str) -> None:
    [_, row] = csv.reader(io.StringIO(to_csv([{"name": text, "net_cents": -5}]), newline=""))
    assert row == [f"'{text}", "-5"]


def test_csv_is_asked_for_by_parameter_or_header() -> None:
    assert wants_csv({"format": "csv"}, {})
    assert wants_csv({}, {"accept": "text/csv, */*"})
    assert not wants_csv({}, {"accept": "application/json"})


def test_every_report_has_the_documented_shape(analytics: Analytics) -> None:
    RevenueReport.model_validate_json(json.dumps(analytics.revenue(SEPTEMBER, None, NOW)))
    FunnelReport.model_validate_json(json.dumps(analytics.funnel(SEPTEMBER)))
    ChurnReport.model_validate_json(json.dumps(analytics.churn(SEPTEMBER, None, NOW)))
    CohortReport.model_validate_json(json.dumps(analytics.cohorts(at(11, 20))))


def test_months_come_newest_first_and_the_one_that_runs_is_so_far(analytics: Analytics) -> None:
    asked = Range(date(2026, 9, 15), date(2026, 11, 20))
    rows = analytics.revenue(asked, "USD", at(11, 20))["months"]
    assert [(row["month"], row["from_day"], row["to_day"], row["complete"]) for row in rows] == [
        ("2026-11", "2026-11-01", "2026-11-20", False),  # runs
        ("2026-10", "2026-10-01", "2026-10-31", True),
        ("2026-09", "2026-09-15", "2026-09-30", False),  # begins before the range
    ]
    october = rows[1]
    assert (october["users_new"], october["users_lost"], october["mrr_at_start_cents"]) == (1, 1, 2_800)
    assert october["net_retention"] == 0.6786  # 2800 less Bob's 900; Cyd is new
    assert october["gross_cents"] == 900


def test_a_month_is_over_only_after_its_last_day() -> None:
    report = Analytics(Cells(ann()), Shelf()).revenue(SEPTEMBER_WHOLE, "USD", at(9, 30))  # type: ignore[arg-type]
    assert report["months"][0]["complete"] is False
    assert (report["previous_from_day"], report["previous_to_day"]) == ("2026-08-01", "2026-08-31")


def test_a_whole_month_is_compared_with_the_whole_month_before_it() -> None:
    assert Range(date(2026, 1, 1), date(2026, 3, 31)).before == Range(date(2025, 10, 1), date(2025, 12, 31))
    assert Range(date(2026, 3, 1), date(2026, 3, 30)).before == Range(date(2026, 1, 30), date(2026, 2, 28))


def test_lifetime_value_is_what_a_customer_brings_until_they_go(analytics: Analytics) -> None:
    """October has 31 days; 1 of the 2 who paid at its start went, and each of the 2 at its end brings 14.00."""
    totals = analytics.revenue(Range(date(2026, 10, 1), date(2026, 10, 31)), "USD", NOW)["totals"]
    assert totals["lifetime_value_cents"] == 1_400 * 2 * 31 * 12 // 365


@pytest.fixture
def stored(tables: dict[str, str]) -> Analytics:
    """The same business, its lines in the tables as the publisher leaves them."""
    aws = Aws()
    metrics = MetricsStore(aws, "MetricsTable", "AccountsTable")
    for user_id, books in (("usr_ann", ann()), ("usr_bob", bob()), ("usr_cyd", cyd()), ("usr_dee", dee())):
        for entry in books.lines:
            aws.call("dynamodb", "put_item", TableName="AccountsTable", Item=ledger_item(user_id, entry))
        metrics.fold([(user_id, entry) for entry in books.lines])
    return Analytics(metrics, Shelf())  # type: ignore[arg-type]


def test_a_days_figures_are_followed_to_the_lines_that_add_up_to_them(stored: Analytics) -> None:
    """The 21st: Ann pays 9.00 for her first month of Plus by card, of which 0.56 is the provider's fee."""
    page = stored.lines({"currency": "USD", "day": "2026-09-21"})
    booked = {(line["user_id"], line["kind"], line["movement"], line["amount_cents"]) for line in page["lines"]}
    assert booked == {
        ("usr_ann", "payment", None, 900),
        ("usr_ann", "fee", None, -56),
        ("usr_ann", "mrr", "new", 900),
    }
    assert page["next"] is None
    LedgerLines.model_validate_json(json.dumps(page))


def test_on_every_day_the_lines_add_up_to_what_the_report_says(stored: Analytics) -> None:
    for day in stored.revenue(SEPTEMBER, "USD", NOW)["days"]:
        lines = stored.lines({"currency": "USD", "day": day["day"]})["lines"]
        sums = Counter({"payment": 0})
        for entry in lines:
            sums[entry["movement"] or entry["kind"]] += entry["amount_cents"]
        assert (sums["payment"], -sums["refund"]) == (day["gross_cents"], day["refunded_cents"])
        movements = ("new", "expansion", "contraction", "churn", "reactivation")
        assert [sums[name] for name in movements] == [day[f"{name}_cents"] for name in movements]


def test_lines_are_chosen_by_plan_provider_and_kind(stored: Analytics) -> None:
    asked = {"currency": "USD", "day": "2026-09-22"}
    assert [line["user_id"] for line in stored.lines({**asked, "provider": "btcpay", "kind": "payment"})["lines"]] == [
        "usr_bob"
    ]
    assert stored.lines({**asked, "provider": "stripe"})["lines"] == []
    assert stored.lines({**asked, "plan_id": "pro-year"})["lines"] == []


def test_lines_are_chosen_by_the_figure_that_they_add_up_to(stored: Analytics) -> None:
    def amounts(figure: str, **asked: str) -> list[int]:
        query = {"currency": "USD", "from": "2026-09-01", "to": "2026-09-30", "figure": figure, **asked}
        return [line["amount_cents"] for line in stored.lines(query)["lines"]]

    assert amounts("refunded_cents") == [-5_000]
    assert amounts("fees_cents", plan_id="plus-month") == [-56]
    assert amounts("users_lost") == amounts("churn_cents") == [-1_583]
    assert amounts("disputed_cents") == []
    with pytest.raises(InvalidRequest):
        amounts("arr_cents")


def test_a_cohorts_lines_add_up_to_who_is_left_of_it(stored: Analytics) -> None:
    cohorts = stored.cohorts(1_767_139_200 + 366 * 86_400)["cohorts"]
    assert cohorts
    for cohort in cohorts:
        query = {"currency": "USD", "from": f"{cohort['month']}-01", "to": "2026-12-31", "cohort": cohort["month"]}
        lines = stored.lines({**query, "figure": "active"})["lines"]
        assert len([line for line in lines if line["movement"] == "new"]) == cohort["size"]


def test_the_lines_of_a_month_and_a_provider_add_up_to_its_row_over_all_pages(
    stored: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.reporting.analytics._LINES_PER_PAGE", 2)
    asked = {"currency": "USD", "from": "2026-09-01", "to": "2026-09-30", "provider": "stripe"}
    pages = [stored.lines(asked)]
    while cursor := pages[-1]["next"]:
        pages.append(stored.lines({**asked, "cursor": cursor}))
    found = [entry for page in pages for entry in page["lines"]]
    [row] = [s for s in stored.revenue(SEPTEMBER_WHOLE, "USD", NOW)["by_provider"] if s["key"] == "stripe"]
    assert sum(entry["amount_cents"] for entry in found if entry["kind"] in MONEY_KINDS) == row["net_cents"] == 14_844
    assert [entry["at"] for entry in found] == sorted(entry["at"] for entry in found)
    assert len({entry["entry_id"] for entry in found}) == len(found)


def test_a_day_of_many_lines_comes_in_pages_each_line_once_and_in_the_order_of_time(
    tables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.reporting.analytics._LINES_PER_PAGE", 10)
    monkeypatch.setattr("billing.store.metrics._LINES_PER_QUERY", 3)
    metrics = MetricsStore(Aws(), "MetricsTable", "AccountsTable")
    many = [line(entry_id=f"payment:mock:in_{n}:1", at=NOW + n // 3, amount_cents=n) for n in range(23)]
    for entry in many:
        Aws().call("dynamodb", "put_item", TableName="AccountsTable", Item=ledger_item(f"usr_{entry.at % 7}", entry))
    metrics.fold([(f"usr_{entry.at % 7}", entry) for entry in many])
    analytics, asked = Analytics(metrics, Shelf()), {"currency": "USD", "day": "2026-09-21"}  # type: ignore[arg-type]
    pages = [analytics.lines(asked)]
    while cursor := pages[-1]["next"]:
        pages.append(analytics.lines({**asked, "cursor": cursor}))
    assert [len(page["lines"]) for page in pages] == [10, 10, 3]
    found = [entry for page in pages for entry in page["lines"]]
    assert sorted(entry["amount_cents"] for entry in found) == list(range(23))
    assert [entry["at"] for entry in found] == sorted(entry["at"] for entry in found)


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({}, "day"),
        ({"day": "yesterday"}, "day"),
        ({"day": "2026-09-21", "kind": "tip"}, "kind"),
        ({"day": "2026-09-21", "cursor": "=1+1"}, "cursor"),
        ({"day": "2026-09-21", "currency": "dollars"}, "currency"),
    ],
)
def test_a_question_about_lines_that_makes_no_sense_is_explained(
    stored: Analytics, query: dict[str, str], wrong: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        stored.lines(query)
    assert refused.value.extensions["errors"][0]["path"] == wrong
