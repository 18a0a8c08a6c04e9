"""Prepaid terms: when each one runs follows from the others of its group, not from when its event arrived."""

from collections.abc import Iterable
from datetime import UTC, datetime

from billing.data import dataclass, replace
from billing.rules.plans import Interval, Plan
from billing.rules.records import VOUCHER, Term
from billing.rules.times import DAY


@dataclass(frozen=True, slots=True)
class Run:
    """A term on the calendar: from `start` up to, not including, `end` (Unix seconds).

    `value_cents` is what the run is worth: its price, and the unused value of the runs it replaced. `replaced`: a plan
    of higher rank ended it early and took over what was left of it.
    """

    term: Term
    plan: Plan
    start: int
    end: int
    value_cents: int = 0
    replaced: bool = False


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

    A plan of higher rank does not wait: it ends what is running or queued below it, and the unused value of that
    becomes extra time at its own price. A plan of lower rank waits for the end of what is paid above it. What a voucher
    gives is laid with them, at its plan's own price, and after what was paid in the same second.
    """
    ordered = sorted(terms, key=lambda pair: (_paid_at(pair[0]), pair[0].provider == VOUCHER, pair[0].purchase_id))
    groups: dict[str, list[Run]] = {}
    for term, plan in ordered:
        groups[plan.group] = _placed(groups.get(plan.group, []), term, plan)
    return [run for runs in groups.values() for run in runs]


def _placed(runs: list[Run], term: Term, plan: Plan) -> list[Run]:
    paid_at = _paid_at(term)
    below = [run for run in runs if run.end > paid_at and _replaces(term, plan, run)]
    kept = [_cut(run, paid_at) if run in below else run for run in runs]
    waits_for = max((run.end for run in kept if run.end > paid_at), default=paid_at)
    start = waits_for
    if waits_for == paid_at and not below:
        previous_end = max((run.end for run in kept), default=None)
        if previous_end is not None and paid_at <= previous_end + plan.grace_days * DAY:
            start = previous_end
    credit = sum(_unused(run, paid_at) for run in below)
    length = add_interval(start, plan.interval) - start
    bonus = term.bonus_seconds + (credit * length // term.amount_cents if credit else 0)
    return [*kept, Run(term, plan, start, start + length + bonus, term.amount_cents + credit)]


def _replaces(term: Term, plan: Plan, run: Run) -> bool:
    """Values in two currencies cannot be set off against each other: such terms wait for each other."""
    return plan.rank > run.plan.rank and term.currency == run.term.currency and term.amount_cents > 0


def _unused(run: Run, at: int) -> int:
    """The value in cents of what is left of a run, rounded down."""
    return run.value_cents * (run.end - max(run.start, at)) // (run.end - run.start)


def _cut(run: Run, at: int) -> Run:
    return replace(run, start=min(run.start, at), end=at, value_cents=run.value_cents - _unused(run, at), replaced=True)


def _paid_at(term: Term) -> int:
    return term.payment.paid_at if term.payment else term.observed_at
