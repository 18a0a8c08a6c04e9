"""Prepaid terms: when each one runs follows from the others of its group, not from when its event arrived."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from billing.data import dataclass, replace
from billing.errors import PastNeeded
from billing.rules.plans import Interval, Plan
from billing.rules.records import VOUCHER, Ended, Term
from billing.rules.times import DAY


@dataclass(frozen=True, slots=True)
class Run:
    """A term on the calendar: from `start` up to, not including, `end` (Unix seconds).

    `value_cents` is what the run is worth: its price, and the unused value of the runs it replaced. `replaced`: a plan
    of higher rank ended it early and took over what was left of it. `closed`: it gives nothing any more.
    """

    term: Term
    plan: Plan
    start: int
    end: int
    value_cents: int = 0
    replaced: bool = False
    closed: bool = False


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


def in_order(terms: Iterable[tuple[Term, Plan]]) -> Sequence[tuple[Term, Plan]]:
    """In the order of payment; of one second, what a voucher gives comes last."""
    return sorted(terms, key=lambda pair: (paid_at(pair[0]), pair[0].provider == VOUCHER, pair[0].purchase_id))


def chain(terms: Iterable[tuple[Term, Plan]], ended: Ended | None = None) -> list[Run]:
    """Lays the given terms of each group end to end, in the order in which they were paid.

    A term paid while another runs begins when that one ends. Paid within the plan's grace after the end, it begins at
    the old end (the days of grace were used); later than that, it begins when it was paid.

    A plan of higher rank does not wait: it ends what is running or queued below it, and the unused value of that
    becomes extra time at its own price. A plan of lower rank waits for the end of what is paid above it. What a voucher
    gives is laid with them, at its plan's own price, and after what was paid in the same second.

    A term that was refunded, charged back or revoked gives nothing (`closed`), but the time that it had used until then
    stays its own: what another payment bought behind it never moves into that time.

    `ended`: what stands for terms that are over and were not read. Raises `PastNeeded` where they decide all the same.
    """
    groups: dict[str, _Group] = {}
    laid = dict(ended.laid) if ended is not None else {}
    ordered = in_order(terms)
    # How many of each group are laid already: what was paid before the last of them was there when it was laid.
    to_lay = Counter(plan.group for term, plan in ordered if laid and term.record in laid)
    for term, plan in ordered:
        group = groups.setdefault(plan.group, _Group())
        run = laid.pop(term.record, None) if laid else None
        if run is not None:
            to_lay[plan.group] -= 1
            group.lay(Run(term, plan, *run, closed=closed_at(term) is not None))
        elif ended is not None and (to_lay[plan.group] or paid_at(term) < ended.until.get(plan.group, 0)):
            if closed_at(term) is None:  # A closed one without a stored run had used no time.
                raise PastNeeded
        else:
            group.place(term, plan)
    if laid:  # A term with a stored run does not count any more, and others were laid behind it.
        raise PastNeeded
    return [run for group in groups.values() for run in group.runs]


class _Group:
    """The runs of a group, in the order in which they were laid. Each is laid behind all others, so the last one ends
    last. `open`: the places of those that had not ended when the last term was paid, which the next one may wait for or
    end. What ended before is never looked at again, so that a long history costs no more than its length."""

    __slots__ = ("open", "runs")

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.open: list[int] = []

    def lay(self, run: Run) -> None:
        """Adds a run as it was laid when all was read."""
        self.open.append(len(self.runs))
        self.runs.append(run)

    def place(self, term: Term, plan: Plan) -> None:
        at, closed = paid_at(term), closed_at(term)
        self.open = [place for place in self.open if self.runs[place].end > at]
        below = [place for place in self.open if closed is None and _replaces(term, plan, self.runs[place])]
        credit = sum(_unused(self.runs[place], at) for place in below)
        start = at
        last = self.runs[-1] if self.runs and not self.runs[-1].closed else None
        if not self.open and last is not None and at <= last.end + plan.grace_days * DAY:
            start = last.end
        for place in below:
            self.runs[place] = _cut(self.runs[place], at)
            self.open.remove(place)
        if self.open:
            start = self.runs[self.open[-1]].end
        length = add_interval(start, plan.interval) - start
        bonus = term.bonus_seconds + term.waited_seconds + (credit * length // term.amount_cents if credit else 0)
        run = Run(term, plan, start, start + length + bonus, term.amount_cents + credit)
        if closed is not None:
            run = replace(run, end=min(run.end, closed), value_cents=0, closed=True)
        if run.end > start:
            self.open.append(len(self.runs))
            self.runs.append(run)


def _replaces(term: Term, plan: Plan, run: Run) -> bool:
    """Whether it ends the other early. Values in two currencies cannot be compared: such terms wait for each other."""
    return plan.rank > run.plan.rank and term.currency == run.term.currency and term.amount_cents > 0


def _unused(run: Run, at: int) -> int:
    """The value in cents of what is left of a run, rounded down."""
    return run.value_cents * (run.end - max(run.start, at)) // (run.end - run.start)


def _cut(run: Run, at: int) -> Run:
    return replace(run, start=min(run.start, at), end=at, value_cents=run.value_cents - _unused(run, at), replaced=True)


def closed_at(term: Term) -> int | None:
    """Since when it gives nothing any more."""
    return term.closed_at if term.payment is None else term.payment.closed_at


def paid_at(term: Term) -> int:
    return term.payment.paid_at if term.payment else term.observed_at
