"""Reports for admins, from the rollups: revenue, churn, the funnel, cohorts. docs/metrics.md defines every figure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any, get_args

from billing.errors import invalid_cursor, invalid_field
from billing.reporting.ranges import Range, day_in, range_of
from billing.rules.ledger import INVOLUNTARY, EntryKind, LedgerEntry
from billing.rules.rollups import FIGURES, added_up, is_behind
from billing.rules.times import day_of, rfc3339
from billing.store.metrics import MetricsStore, Stored
from billing.store.plans import PlanStore

View = dict[str, Any]
MOVEMENTS = ("new", "expansion", "contraction", "churn", "reactivation")
_MRR_FIELDS = FIGURES["mrr_cents"]
# The counters that add up to net revenue; refunds, disputes and fees are negative.
_MONEY = ("payment", "refund", "dispute", "fee")
_FIRST_MONTH = "2000-01"
_LINES_PER_PAGE = 100
_CURSOR = re.compile(r"\d{12}#[0-9a-f]{16}")


class Analytics:
    def __init__(self, metrics: MetricsStore, plans: PlanStore) -> None:
        self._metrics = metrics
        self._plans = plans

    def revenue(self, period: Range, currency: str | None, now: int) -> View:
        currencies = self._metrics.generations().currencies
        currency = self._currency(currency, currencies)
        days = self._metrics.days(currency, period.before.days[0], period.days[-1])
        before = self._until(currency, period.before.first)
        sums = [added_up(days.get(day, Counter()) for day in part.days) for part in (period.before, period)]
        opening = added_up([before, sums[0]])
        closing = added_up([opening, sums[1]])
        return {
            "currency": currency,
            "currencies": sorted({*currencies, currency}),
            "from_day": period.days[0],
            "to_day": period.days[-1],
            "previous_from_day": period.before.days[0],
            "previous_to_day": period.before.days[-1],
            "totals": _totals(opening, closing, sums[1], len(period.days)),
            "previous": _totals(before, opening, sums[0], len(period.before.days)),
            "days": list(_rows(opening, [(day, [day]) for day in period.days], days, "day")),
            "months": self._months(opening, period, days, day_of(now)),
            "by_plan": self._slices(closing, sums[1], 2),
            "by_provider": self._slices(closing, sums[1], 1),
        }

    def lines(self, query: Mapping[str, str]) -> View:
        """A page of the ledger lines of a `day`, or of the days `from` … `to`. Raises `InvalidRequest`.

        Optional: `currency`; as filters `plan_id`, `provider`, `kind`, `cohort` (the lines that count the users of a
        month, such as 2026-09) and `figure` (the lines that add up to it); `cursor` (`next` of the page before).
        """
        kind, cursor, figure = query.get("kind"), query.get("cursor", ""), query.get("figure")
        if not query.get("day") and not (query.get("from") and query.get("to")):
            raise invalid_field("day", "a day such as 2026-11-22", "the day is not valid")
        if kind is not None and kind not in get_args(EntryKind):
            kinds = ", ".join(get_args(EntryKind))
            raise invalid_field("kind", f"one of {kinds}", "this kind of ledger line is not known")
        if figure is not None and figure not in FIGURES:
            raise invalid_field("figure", f"one of {', '.join(FIGURES)}", "no lines add up to this figure")
        if cursor and not _CURSOR.fullmatch(cursor):
            raise invalid_cursor()
        first = last = query.get("day", "")
        if not first:
            period = range_of(query, 0)
            first, last = period.days[0], period.days[-1]
        else:
            day_in(query, "day", date.min)
        currency = self._currency(query.get("currency"), self._metrics.generations().currencies)
        filters = {name: query[name] for name in ("plan_id", "provider", "kind", "cohort") if name in query}
        matching = (
            (place, stored)
            for place, stored in self._stored(currency, first, last, cursor)
            if all(getattr(stored[1], name) == value for name, value in filters.items())
            if figure is None or is_behind(stored[1], figure)
        )
        page = list(islice(matching, _LINES_PER_PAGE + 1))
        return {
            "currency": currency,
            "from_day": first,
            "to_day": last,
            "lines": [_line(*stored) for _, stored in page[:_LINES_PER_PAGE]],
            "next": page[_LINES_PER_PAGE - 1][0] if len(page) > _LINES_PER_PAGE else None,
        }

    def _stored(self, currency: str, first: str, last: str, cursor: str) -> Iterator[tuple[str, Stored]]:
        """(cursor, line) of several days, oldest first. Days without figures have no lines and are not queried."""
        begin = max(first, day_of(int(cursor[:12]))) if cursor else first
        for day in [first] if first == last else sorted(self._metrics.days(currency, begin, last)):
            yield from self._metrics.lines(currency, day, cursor)

    def funnel(self, period: Range) -> View:
        first, last = period.days[0], period.days[-1]
        currencies = self._metrics.generations().currencies
        facts = added_up(cell for c in currencies for cell in self._metrics.days(c, first, last).values())
        seen = self._metrics.tracked(first, last)
        steps = {
            "paywall_seen": total(seen, "paywall_seen"),
            "pricing_viewed": total(seen, "pricing_viewed"),
            "checkout_started": total(facts, "checkout"),
            "paid": sum(facts[f"paid|{kind}"] for kind in ("first", "purchase", "term")),
            "active": facts["users|new"] + facts["users|reactivation"] + facts["paid|purchase"],
        }
        return {
            "from_day": first,
            "to_day": last,
            "steps": [{"step": name, "count": count} for name, count in steps.items()],
        }

    def churn(self, period: Range, currency: str | None, now: int) -> View:
        """By whole months, newest first: every month that the range touches."""
        currency = self._currency(currency, self._metrics.generations().currencies)
        months = sorted(period.by_month)
        cells = self._metrics.months(currency, _FIRST_MONTH, months[-1])
        before = added_up(cell for month, cell in cells.items() if month < months[0])
        rows = []
        for month in months:
            cell = cells.get(month, Counter())
            lost = -cell["users|churn"]
            involuntary = sum(cell[f"lost|{reason}"] for reason in INVOLUNTARY)
            rows.append(
                {
                    "month": month,
                    "complete": month < day_of(now)[:7],
                    "users_at_start": _users(before),
                    "users_lost": lost,
                    "users_lost_voluntary": lost - involuntary,
                    "mrr_at_start_cents": _mrr(before),
                    "mrr_lost_cents": -total(cell, "churn") - total(cell, "contraction"),
                }
            )
            before = added_up([before, cell])
        within = added_up(cells.get(month, Counter()) for month in months)
        reasons = [(name[5:], count) for name, count in within.items() if name.startswith("lost|") and count]
        return {
            "currency": currency,
            "from_day": period.days[0],
            "to_day": period.days[-1],
            "months": rows[::-1],
            "reasons": [{"reason": r, "count": n} for r, n in sorted(reasons, key=lambda pair: (-pair[1], pair[0]))],
        }

    def cohorts(self, now: int) -> View:
        """For each month, of the users who first paid in it, how many were paying at the end of each later month."""
        changes = self._metrics.cohorts()
        sizes = {n[5:]: c for n, c in added_up(changes.values()).items() if n.startswith("size|") and c}
        rows = []
        for cohort, size in sorted(sizes.items()):
            paying, retained = 0, []
            for month in _months(cohort, day_of(now)[:7]):
                paying += changes.get(month, Counter())[f"users|{cohort}"]
                retained.append(paying)
            rows.append({"month": cohort, "size": size, "retained": [size, *retained[1:]]})
        return {"cohorts": rows}

    def _until(self, currency: str, day: date) -> Counter[str]:
        """The sum of all counters before a day: of whole months, and of the days before it in its month."""
        month = day.isoformat()[:7]
        months = self._metrics.months(currency, _FIRST_MONTH, month)
        days = self._metrics.days(currency, f"{month}-01", (day - timedelta(days=1)).isoformat()) if day.day > 1 else {}
        return added_up([*(cell for name, cell in months.items() if name < month), *days.values()])

    def _currency(self, currency: str | None, used: tuple[str, ...]) -> str:
        if currency is None:
            return "USD" if "USD" in used or not used else used[0]
        if not re.fullmatch(r"[A-Z]{3}", currency):
            raise invalid_field("currency", "an ISO 4217 code such as USD", "the currency is not valid")
        return currency

    def _months(
        self, opening: Counter[str], period: Range, cells: Mapping[str, Counter[str]], today: str
    ) -> list[View]:
        """A row for each month of the range, newest first. `complete`: the range contains all of it, and it is over."""
        months = period.by_month
        rows = list(_rows(opening, months.items(), cells, "month"))
        start = _mrr(opening)
        for row, days in zip(rows, months.values(), strict=True):
            after = date.fromisoformat(days[-1]) + timedelta(days=1)
            row["from_day"], row["to_day"] = days[0], days[-1]
            row["complete"] = days[0].endswith("-01") and after.day == 1 and days[-1] < today
            row["mrr_at_start_cents"], start = start, row["mrr_cents"]
            row |= _customers(added_up(cells.get(day, Counter()) for day in days))
            row["net_retention"] = _net_retention(row["mrr_at_start_cents"], row)
        return rows[::-1]

    def _slices(self, closing: Counter[str], within: Counter[str], place: int) -> list[View]:
        """By plan (`place` 2 of a counter's name) or by provider (`place` 1), highest net revenue first."""
        mrr, subscribers = _by(closing, _MRR_FIELDS, place), _by(closing, {"subscribers"}, place)
        parts = {field: _by(within, {field}, place) for field in (*_MONEY, "payments", "tax")}
        catalogue = self._plans.catalogue()
        slices = []
        for key in sorted({*mrr, *subscribers, *(name for part in parts.values() for name in part)}):
            plan = catalogue.get(key) if place == 2 else None
            row = {
                "key": key,
                "name": plan.name if plan else key,
                **_money({field: part[key] for field, part in parts.items()}),
                "payments": parts["payments"][key],
                "mrr_cents": mrr[key],
                "subscribers": subscribers[key],
            }
            if any(value for value in row.values() if isinstance(value, int)):
                slices.append(row)
        return sorted(slices, key=lambda s: (-s["net_cents"], s["key"]))


def _line(user_id: str, line: LedgerEntry) -> View:
    return {
        "at": rfc3339(line.at),
        "user_id": user_id,
        "kind": line.kind,
        "movement": line.movement,
        "reason": line.reason,
        "amount_cents": line.amount_cents,
        "tax_cents": line.tax_cents,
        "plan_id": line.plan_id,
        "plan_version": line.plan_version,
        "provider": line.provider,
        "object_id": line.object_id,
        "entry_id": line.entry_id,
    }


def total(cell: Mapping[str, int], field: str) -> int:
    """The sum of a field over all plans and providers."""
    return sum(amount for name, amount in cell.items() if name.partition("|")[0] == field)


def _by(cell: Mapping[str, int], fields: frozenset[str] | set[str], place: int) -> Counter[str]:
    sums: Counter[str] = Counter()
    for name, amount in cell.items():
        parts = name.split("|")
        if parts[0] in fields:
            sums[parts[place]] += amount
    return sums


def _mrr(cell: Mapping[str, int]) -> int:
    return sum(total(cell, field) for field in _MRR_FIELDS)


def _users(cell: Counter[str]) -> int:
    return cell["users|new"] + cell["users|reactivation"] + cell["users|churn"]


def _money(cell: Mapping[str, int]) -> View:
    """gross − refunded − disputed − fees = net, in every table."""
    gross, refund, dispute, fee = (total(cell, field) for field in _MONEY)
    return {
        "gross_cents": gross,
        "refunded_cents": -refund,
        "disputed_cents": -dispute,
        "fees_cents": -fee,
        "net_cents": gross + refund + dispute + fee,
        "tax_cents": total(cell, "tax"),
    }


def _customers(cell: Mapping[str, int]) -> View:
    return {
        "users_new": cell.get("users|new", 0),
        "users_returning": cell.get("users|reactivation", 0),
        "users_lost": -cell.get("users|churn", 0),
    }


def _totals(opening: Counter[str], closing: Counter[str], within: Counter[str], days: int) -> View:
    mrr, active = _mrr(closing), _users(closing)
    arpu = mrr // active if active else 0
    movements = {f"{m}_cents": total(within, m) for m in MOVEMENTS}
    lost = -within["users|churn"]
    return {
        "mrr_cents": mrr,
        "arr_cents": 12 * mrr,
        "arpu_cents": arpu,
        "active": active,
        "subscribers": total(closing, "subscribers"),
        "trialing": closing["users|trial"],
        **_money(within),
        "payments": total(within, "payments"),
        **movements,
        **_customers(within),
        "net_retention": _net_retention(_mrr(opening), movements),
        # ARPU times the months that a customer stays at this range's rate of loss.
        "lifetime_value_cents": arpu * _users(opening) * days * 12 // (lost * 365) if lost > 0 else None,
    }


def _net_retention(start: int, movements: Mapping[str, int]) -> float | None:
    """The MRR at the end of those who paid at the start, as a share of their MRR then; None if nobody paid."""
    stayed = start + sum(movements[f"{m}_cents"] for m in ("expansion", "contraction", "churn"))
    return round(stayed / start, 4) if start > 0 else None


def _rows(
    opening: Counter[str], spans: Iterable[tuple[str, Sequence[str]]], cells: Mapping[str, Counter[str]], name: str
) -> Iterator[View]:
    """A row for each span of days: the MRR at its end, and the movements and money within it."""
    mrr = _mrr(opening)
    for label, days in spans:
        cell = added_up(cells.get(day, Counter()) for day in days)
        mrr += _mrr(cell)
        movements = {f"{m}_cents": total(cell, m) for m in MOVEMENTS}
        yield {name: label, "mrr_cents": mrr, **movements, **_money(cell), "payments": total(cell, "payments")}


def _months(first: str, last: str) -> Iterator[str]:
    year, month = int(first[:4]), int(first[5:])
    while f"{year}-{month:02}" <= last:
        yield f"{year}-{month:02}"
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
