"""Rollups: ledger lines added up by day and by month, so that a report reads days and not lines.

`counters` says what a line adds to which cell. It is additive: the counters of two sets of lines are the sum of the
counters of each, so folding lines one by one, in any batches, or all anew gives the same figures, provided each line
is folded once. `billing.store.metrics` provides that.

A cell is (series, day): series is day#USD and month#USD, each with one item per day or month (2026-11-22, 2026-11), and
cohort. The names of its counters are field|provider|plan|version, or field|key.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from billing.rules.ledger import LedgerEntry
from billing.rules.times import day_of

Cell = tuple[str, str]
COHORTS = "cohort"


def day_series(currency: str) -> str:
    return f"day#{currency}"


def month_series(currency: str) -> str:
    return f"month#{currency}"


def counters(lines: Iterable[LedgerEntry]) -> dict[Cell, Counter[str]]:
    """What these lines add, by cell; counters that come to nothing are left out."""
    found: defaultdict[Cell, Counter[str]] = defaultdict(Counter)
    for line in lines:
        day = day_of(line.at)
        for name, amount in _of_line(line):
            found[day_series(line.currency), day][name] += amount
            found[month_series(line.currency), day[:7]][name] += amount
        if line.users and line.cohort:
            found[COHORTS, day[:7]][f"users|{line.cohort}"] += line.users
            if line.movement == "new":
                found[COHORTS, day[:7]][f"size|{line.cohort}"] += line.users
    return {
        cell: Counter({n: v for n, v in added.items() if v}) for cell, added in found.items() if any(added.values())
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


# What takes a step back is counted with what it takes back, and tax heard of later with what it is part of.
_MONEY = {
    "payment": "payment",
    "refund": "refund",
    "refund_failed": "refund",
    "dispute": "dispute",
    "dispute_won": "dispute",
    "tax": "payment",
    "fee": "fee",
}


def added_up(cells: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Several cells as one."""
    total: Counter[str] = Counter()
    for cell in cells:
        for name, amount in cell.items():
            total[name] += amount
    return total
