"""Rollups: ledger lines added up by day and by month, so that a report reads days and not lines.

`counters` says what a line adds to which cell. It is additive: the counters of two sets of lines are the sum of the
counters of each, so folding lines one by one, in any batches, or all anew gives the same figures, provided each line
is folded once. `billing.store.metrics` provides that.

A cell is (series, day): series is day#USD and month#USD, each with one item per day or month (2026-11-22, 2026-11), and
cohort. The names of its counters are field|provider|plan|version, or field|key.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from billing.rules.ledger import INVOLUNTARY, LedgerEntry
from billing.rules.times import day_of

Cell = tuple[str, str]
COHORTS = "cohort"


def day_series(currency: str) -> str:
    return f"day#{currency}"


def month_series(currency: str) -> str:
    return f"month#{currency}"


def counters(lines: Iterable[LedgerEntry]) -> dict[Cell, Counter[str]]:
    """What these lines add, by cell; counters that come to zero are left out."""
    by_cell: defaultdict[Cell, Counter[str]] = defaultdict(Counter)
    for line in lines:
        day = day_of(line.at)
        for name, amount in _of_line(line):
            by_cell[day_series(line.currency), day][name] += amount
            by_cell[month_series(line.currency), day[:7]][name] += amount
        if line.users and line.cohort:
            by_cell[COHORTS, day[:7]][f"users|{line.cohort}"] += line.users
            if line.movement == "new":
                by_cell[COHORTS, day[:7]][f"size|{line.cohort}"] += line.users
    return {
        cell: Counter({n: v for n, v in added.items() if v}) for cell, added in by_cell.items() if any(added.values())
    }


def _of_line(line: LedgerEntry) -> Iterator[tuple[str, int]]:
    where = f"{line.provider}|{line.plan_id}|{line.plan_version}"
    if line.kind == "mrr":
        yield f"{line.movement}|{where}", line.amount_cents
        yield f"subscribers|{where}", line.subscribers
        yield f"users|{line.movement}", line.users
        if line.movement == "churn" and line.users:
            yield f"lost|{line.reason}", -line.users
    elif line.kind == "trial":
        yield f"trials|{where}", line.subscribers
        yield "users|trial", line.users
    elif line.kind == "checkout":
        yield f"checkout|{where}", 1
    else:
        yield f"{_MONEY[line.kind]}|{where}", line.amount_cents
        yield f"tax|{where}", line.tax_cents
        if line.kind == "payment":
            yield f"payments|{where}", 1
            yield f"paid|{line.reason}", 1


# A reversal is counted with what it reverses, and a later correction of tax with the amount that it is part of.
_MONEY = {
    "payment": "payment",
    "refund": "refund",
    "refund_failed": "refund",
    "dispute": "dispute",
    "dispute_won": "dispute",
    "tax": "payment",
    "fee": "fee",
}


# The counters that add up to each figure of the reports, by the part before the first "|" or the whole name.
_MOVEMENTS = ("new", "expansion", "contraction", "churn", "reactivation")
FIGURES: Mapping[str, frozenset[str]] = {
    "gross_cents": frozenset({"payment"}),
    "refunded_cents": frozenset({"refund"}),
    "disputed_cents": frozenset({"dispute"}),
    "fees_cents": frozenset({"fee"}),
    "net_cents": frozenset({"payment", "refund", "dispute", "fee"}),
    "tax_cents": frozenset({"tax"}),
    "payments": frozenset({"payments"}),
    # A switch between plans or providers changes the MRR of both, and is no movement in the reports.
    "mrr_cents": frozenset({*_MOVEMENTS, "switch"}),
    **{f"{movement}_cents": frozenset({movement}) for movement in _MOVEMENTS},
    "mrr_lost_cents": frozenset({"churn", "contraction"}),
    "subscribers": frozenset({"subscribers"}),
    "active": frozenset({"users|new", "users|reactivation", "users|churn"}),
    "trialing": frozenset({"users|trial"}),
    "users_new": frozenset({"users|new"}),
    "users_returning": frozenset({"users|reactivation"}),
    "users_lost": frozenset({"users|churn"}),
    "users_lost_voluntary": frozenset({"users|churn"}),
    "checkout_started": frozenset({"checkout"}),
    "paid": frozenset({"paid|first", "paid|purchase", "paid|term"}),
    "became_active": frozenset({"users|new", "users|reactivation", "paid|purchase"}),
}


def is_behind(line: LedgerEntry, figure: str) -> bool:
    """Whether a line adds to a figure; for a state such as MRR, whether it changed it."""
    if figure == "users_lost_voluntary" and line.reason in INVOLUNTARY:
        return False
    made_of = FIGURES[figure]
    return any(amount and (name in made_of or name.partition("|")[0] in made_of) for name, amount in _of_line(line))


def added_up(cells: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Several cells as one."""
    total: Counter[str] = Counter()
    for cell in cells:
        for name, amount in cell.items():
            total[name] += amount
    return total
