"""Reports for admins, from the rollups: revenue, churn, the funnel, cohorts. docs/metrics.md defines every figure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import islice
from typing import Any, get_args

from billing.data import dataclass
from billing.errors import InvalidRequest
from billing.rules.ledger import INVOLUNTARY, Kind, LedgerEntry
from billing.rules.rollups import added_up
from billing.rules.times import day_of, rfc3339
from billing.store.metrics import MetricsStore
from billing.store.plans import PlanStore

View = dict[str, Any]
MOVEMENTS = ("new", "expansion", "contraction", "churn", "reactivation")
# A switch moves revenue between plans or providers: it is part of each one's MRR, and of no movement.
_MRR_FIELDS = frozenset({*MOVEMENTS, "switch"})
_LONGEST_RANGE = 1100
_FIRST_MONTH = "2000-01"
DEFAULT_DAYS = 30
_LINES_PER_PAGE = 100
_CURSOR = re.compile(r"\d{12}#[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Range:
    """Days, both included, in UTC."""

    first: date
    last: date

    @property
    def days(self) -> list[str]:
        return [(self.first + timedelta(days=n)).isoformat() for n in range((self.last - self.first).days + 1)]

    @property
    def before(self) -> "Range":
        """The range of the same length just before."""
        return Range(self.first - (self.last - self.first) - timedelta(days=1), self.first - timedelta(days=1))


def range_of(query: Mapping[str, str], now: int) -> Range:
    """`from` and `to` of a query (2026-11-22), by default the last 30 days. Raises `InvalidRequest`."""
    today = date.fromisoformat(day_of(now))
    last = _day(query, "to", today)
    first = _day(query, "from", last - timedelta(days=DEFAULT_DAYS - 1))
    if not 0 <= (last - first).days < _LONGEST_RANGE:
        message = f"from must not lie behind to, nor more than {_LONGEST_RANGE} days before it"
        raise InvalidRequest("the range is not valid", errors=[{"path": "from", "message": message}])
    return Range(first, last)


def _day(query: Mapping[str, str], name: str, default: date) -> date:
    text = query.get(name)
    if not text:
        return default
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or text != found.isoformat() or not 2000 <= found.year < 2100:
        message = "a day such as 2026-11-22"
        raise InvalidRequest(f"{name} is not a day", errors=[{"path": name, "message": message}])
    return found


class Analytics:
    def __init__(self, metrics: MetricsStore, plans: PlanStore) -> None:
        self._metrics = metrics
        self._plans = plans

    def revenue(self, asked: Range, currency: str | None) -> View:
        currencies = self._metrics.generations().currencies
        currency = self._currency(currency, currencies)
        days = self._metrics.days(currency, asked.before.days[0], asked.days[-1])
        before = self._until(currency, asked.before.first)
        sums = [added_up(days.get(day, Counter()) for day in part.days) for part in (asked.before, asked)]
        opening = added_up([before, sums[0]])
        closing = added_up([opening, sums[1]])
        return {
            "currency": currency,
            "currencies": sorted({*currencies, currency}),
            "from_day": asked.days[0],
            "to_day": asked.days[-1],
            "totals": _totals(closing, sums[1]),
            "previous": _totals(opening, sums[0]),
            "days": list(_days(opening, asked.days, days)),
            "by_plan": self._slices(closing, sums[1], 2),
            "by_provider": self._slices(closing, sums[1], 1),
        }

    def lines(self, query: Mapping[str, str]) -> View:
        """A page of the ledger lines behind a day's figures: `currency`, `day`, and if given `plan_id`, `provider`,
        `kind`, and the `cursor` of the page before.

        Times are RFC 3339. Raises `InvalidRequest`.
        """
        day, kind, cursor = query.get("day", ""), query.get("kind"), query.get("cursor", "")
        if not day:
            raise InvalidRequest("which day?", errors=[{"path": "day", "message": "a day such as 2026-11-22"}])
        if kind is not None and kind not in get_args(Kind):
            message = f"one of {', '.join(get_args(Kind))}"
            raise InvalidRequest("there is no such kind of line", errors=[{"path": "kind", "message": message}])
        if cursor and not _CURSOR.fullmatch(cursor):
            message = "what `next` said of the page before"
            raise InvalidRequest("this is no cursor", errors=[{"path": "cursor", "message": message}])
        day = _day(query, "day", date.min).isoformat()
        currency = self._currency(query.get("currency"), self._metrics.generations().currencies)
        chosen = {name: query[name] for name in ("plan_id", "provider", "kind") if name in query}
        fitting = (
            (place, stored)
            for place, stored in self._metrics.lines(currency, day, cursor)
            if all(getattr(stored[1], name) == value for name, value in chosen.items())
        )
        page = list(islice(fitting, _LINES_PER_PAGE + 1))
        return {
            "currency": currency,
            "day": day,
            "lines": [_line(*stored) for _, stored in page[:_LINES_PER_PAGE]],
            "next": page[_LINES_PER_PAGE - 1][0] if len(page) > _LINES_PER_PAGE else None,
        }

    def funnel(self, asked: Range) -> View:
        first, last = asked.days[0], asked.days[-1]
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

    def churn(self, asked: Range, currency: str | None) -> View:
        """By whole months: those in which the range lies."""
        currency = self._currency(currency, self._metrics.generations().currencies)
        months = sorted({day[:7] for day in asked.days})
        cells = self._metrics.months(currency, _FIRST_MONTH, months[-1])
        before = added_up(cell for month, cell in cells.items() if month < months[0])
        found = []
        for month in months:
            cell = cells.get(month, Counter())
            lost = -cell["users|churn"]
            involuntary = sum(cell[f"lost|{reason}"] for reason in INVOLUNTARY)
            found.append(
                {
                    "month": month,
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
            "from_day": asked.days[0],
            "to_day": asked.days[-1],
            "months": found,
            "reasons": [{"reason": r, "count": n} for r, n in sorted(reasons, key=lambda pair: (-pair[1], pair[0]))],
        }

    def cohorts(self, now: int) -> View:
        """Of those who first paid in a month, how many paid at the end of each month after it, until now."""
        changes = self._metrics.cohorts()
        sizes = {n[5:]: c for n, c in added_up(changes.values()).items() if n.startswith("size|") and c}
        found = []
        for cohort, size in sorted(sizes.items()):
            paying, retained = 0, []
            for month in _months(cohort, day_of(now)[:7]):
                paying += changes.get(month, Counter())[f"users|{cohort}"]
                retained.append(paying)
            found.append({"month": cohort, "size": size, "retained": [size, *retained[1:]]})
        return {"cohorts": found}

    def _until(self, currency: str, day: date) -> Counter[str]:
        """Everything before a day: whole months, and the days of its own month."""
        month = day.isoformat()[:7]
        months = self._metrics.months(currency, _FIRST_MONTH, month)
        days = self._metrics.days(currency, f"{month}-01", (day - timedelta(days=1)).isoformat()) if day.day > 1 else {}
        return added_up([*(cell for name, cell in months.items() if name < month), *days.values()])

    def _currency(self, asked: str | None, known: tuple[str, ...]) -> str:
        if asked is None:
            return "USD" if "USD" in known or not known else known[0]
        if not re.fullmatch(r"[A-Z]{3}", asked):
            message = "an ISO 4217 code such as USD"
            raise InvalidRequest("this is no currency", errors=[{"path": "currency", "message": message}])
        return asked

    def _slices(self, closing: Counter[str], within: Counter[str], place: int) -> list[View]:
        """By plan (place 2 of a counter's name) or by provider (place 1), the most net revenue first."""
        mrr = _by(closing, _MRR_FIELDS, place)
        parts = {
            field: _by(within, {field}, place) for field in ("payment", "refund", "dispute", "fee", "payments", "tax")
        }
        catalogue = self._plans.catalogue()
        slices = []
        for key in sorted({*mrr, *(name for part in parts.values() for name in part)}):
            plan = catalogue.get(key) if place == 2 else None
            found = {
                "key": key,
                "name": plan.name if plan else key,
                "gross_cents": parts["payment"][key],
                "refunded_cents": -parts["refund"][key],
                "net_cents": sum(parts[field][key] for field in ("payment", "refund", "dispute", "fee")),
                "tax_cents": parts["tax"][key],
                "payments": parts["payments"][key],
                "mrr_cents": mrr[key],
            }
            if any(value for value in found.values() if isinstance(value, int)):
                slices.append(found)
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
    found: Counter[str] = Counter()
    for name, amount in cell.items():
        parts = name.split("|")
        if parts[0] in fields:
            found[parts[place]] += amount
    return found


def _mrr(cell: Mapping[str, int]) -> int:
    return sum(total(cell, field) for field in _MRR_FIELDS)


def _users(cell: Counter[str]) -> int:
    return cell["users|new"] + cell["users|reactivation"] + cell["users|churn"]


def _money(cell: Mapping[str, int]) -> View:
    gross, refund, dispute, fee = (total(cell, field) for field in ("payment", "refund", "dispute", "fee"))
    return {
        "gross_cents": gross,
        "refunded_cents": -refund,
        "disputed_cents": -dispute,
        "fees_cents": -fee,
        "net_cents": gross + refund + dispute + fee,
        "tax_cents": total(cell, "tax"),
    }


def _totals(closing: Counter[str], within: Counter[str]) -> View:
    mrr, active = _mrr(closing), _users(closing)
    return {
        "mrr_cents": mrr,
        "arr_cents": 12 * mrr,
        "arpu_cents": mrr // active if active else 0,
        "active": active,
        "trialing": closing["users|trial"],
        **_money(within),
        "payments": total(within, "payments"),
    }


def _days(opening: Counter[str], days: list[str], cells: Mapping[str, Counter[str]]) -> Iterator[View]:
    mrr = _mrr(opening)
    for day in days:
        cell = cells.get(day, Counter())
        mrr += _mrr(cell)
        money = _money(cell)
        del money["fees_cents"]
        yield {"day": day, "mrr_cents": mrr, **{f"{m}_cents": total(cell, m) for m in MOVEMENTS}, **money}


def _months(first: str, last: str) -> Iterator[str]:
    year, month = int(first[:4]), int(first[5:])
    while f"{year}-{month:02}" <= last:
        yield f"{year}-{month:02}"
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
