"""Prepaid terms: when each one runs follows from the others of its group, not from when its event arrived."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from billing.plans import Interval, Plan
from billing.records import Term

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Run:
    """A term on the calendar: from `start` up to, not including, `end` (Unix seconds)."""

    term: Term
    plan: Plan
    start: int
    end: int


def add_interval(start: int, interval: Interval) -> int:
    """The same day and time one month or year later, or the last day of a shorter month (31 January -> 28 February)."""
    if interval == "once":
        raise ValueError("a one-time plan has no interval")
    begin = datetime.fromtimestamp(start, UTC)
    month = begin.month + (12 if interval == "year" else 1)
    year, month = begin.year + (month - 1) // 12, (month - 1) % 12 + 1
    for day in range(begin.day, 27, -1):
        try:
            return int(begin.replace(year=year, month=month, day=day).timestamp())
        except ValueError:
            continue
    return int(begin.replace(year=year, month=month).timestamp())


def chain(terms: Iterable[tuple[Term, Plan]]) -> list[Run]:
    """Lays the given terms of each group end to end, in the order in which they were paid.

    A term paid while another runs begins when that one ends. Paid within the plan's grace after the end, it begins at
    the old end (the days of grace were used); later than that, it begins when it was paid.
    """
    ordered = sorted(terms, key=lambda pair: (_paid_at(pair[0]), pair[0].purchase_id))
    ends: dict[str, int] = {}
    runs: list[Run] = []
    for term, plan in ordered:
        paid_at = _paid_at(term)
        previous_end = ends.get(plan.group)
        start = paid_at
        if previous_end is not None and paid_at <= previous_end + plan.grace_days * DAY:
            start = previous_end
        end = add_interval(start, plan.interval) + term.bonus_seconds
        ends[plan.group] = end
        runs.append(Run(term, plan, start, end))
    return runs


def _paid_at(term: Term) -> int:
    return term.payment.paid_at if term.payment else term.observed_at
