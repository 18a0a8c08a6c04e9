"""/admin/revenue and /admin/metrics: the state of the business, as JSON or as CSV."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api.http import Request, Response, chosen, csv_file, endpoint, wants_csv
from billing.log import Log
from billing.reporting.analytics import Analytics
from billing.reporting.csv_tables import to_csv
from billing.reporting.ranges import range_of
from billing.wiring import Wiring

wire = Wiring(os.environ)
metrics = wire.metrics
analytics = Analytics(metrics, wire.plans)


def revenue(request: Request) -> Response:
    """As CSV one table of the report: `table` is days (the default), months, by_plan or by_provider."""
    query = request.only("from", "to", "currency", "format", "table")
    table = chosen(query, "table", "days", "months", "by_plan", "by_provider")
    return _answer(request, analytics.revenue(range_of(query, request.now), query.get("currency"), request.now), table)


def lines(request: Request) -> Response:
    query = request.only(
        "currency", "day", "from", "to", "plan_id", "provider", "kind", "cohort", "figure", "cursor", "format"
    )
    return _answer(request, analytics.lines(query), "lines")


def funnel(request: Request) -> Response:
    query = request.only("from", "to", "format")
    return _answer(request, analytics.funnel(range_of(query, request.now)), "steps")


def churn(request: Request) -> Response:
    """As CSV one table of the report: `table` is months (the default) or reasons."""
    query = request.only("from", "to", "currency", "format", "table")
    table = chosen(query, "table", "months", "reasons")
    return _answer(request, analytics.churn(range_of(query, request.now), query.get("currency"), request.now), table)


def cohorts(request: Request) -> Response:
    report = analytics.cohorts(request.now)
    if wants_csv(request.only("format"), request.headers):
        longest = max((len(c["retained"]) for c in report["cohorts"]), default=0)
        report["cohorts"] = [
            {"month": c["month"], "size": c["size"]}
            | {f"month_{n}": c["retained"][n] if n < len(c["retained"]) else None for n in range(longest)}
            for c in report["cohorts"]
        ]
    return _answer(request, report, "cohorts")


def _answer(request: Request, report: Mapping[str, Any], table: str) -> Response:
    if not wants_csv(request.query, request.headers):
        return Response(report)
    return csv_file(to_csv(report[table]), f"{request.route.rpartition('/')[2]}-{table}.csv")


handler = endpoint(
    {
        "GET /admin/revenue": revenue,
        "GET /admin/revenue/lines": lines,
        "GET /admin/metrics/funnel": funnel,
        "GET /admin/metrics/churn": churn,
        "GET /admin/metrics/cohorts": cohorts,
    },
    Log(),
)
