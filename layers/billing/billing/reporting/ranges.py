"""Ranges of days in the queries of reports."""

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import groupby

from billing.data import dataclass
from billing.errors import invalid_field
from billing.rules.times import day_of

_LONGEST_RANGE = 1100
DEFAULT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Range:
    """Days, both included, in UTC."""

    first: date
    last: date

    @property
    def days(self) -> list[str]:
        return [(self.first + timedelta(days=n)).isoformat() for n in range((self.last - self.first).days + 1)]

    @property
    def by_month(self) -> dict[str, list[str]]:
        """The days by month, in order."""
        return {month: list(days) for month, days in groupby(self.days, key=lambda day: day[:7])}

    @property
    def before(self) -> "Range":
        """The range just before: as many months if this is whole months, else as many days."""
        if self.first.day == 1 and (self.last + timedelta(days=1)).day == 1:
            month = self.first.year * 12 + self.first.month - 1 - len(self.by_month)
            return Range(date(month // 12, month % 12 + 1, 1), self.first - timedelta(days=1))
        return Range(self.first - (self.last - self.first) - timedelta(days=1), self.first - timedelta(days=1))


def range_of(query: Mapping[str, str], now: int) -> Range:
    """`from` and `to` of a query (2026-11-22), by default the last 30 days. Raises `InvalidRequest`."""
    today = date.fromisoformat(day_of(now))
    last = day_in(query, "to", today)
    first = day_in(query, "from", last - timedelta(days=DEFAULT_DAYS - 1))
    if not 0 <= (last - first).days < _LONGEST_RANGE:
        message = f"from must not lie behind to, nor more than {_LONGEST_RANGE} days before it"
        raise invalid_field("from", message, "the range is not valid")
    return Range(first, last)


def day_in(query: Mapping[str, str], name: str, default: date) -> date:
    text = query.get(name)
    if not text:
        return default
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or text != day.isoformat() or not 2000 <= day.year < 2100:
        raise invalid_field(name, "a day such as 2026-11-22", f"{name} is not a day")
    return day
