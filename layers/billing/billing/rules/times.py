"""Moments: Unix seconds in, UTC texts out. No clock is read here."""

from datetime import UTC, datetime
from typing import Literal

DAY = 86_400

SourceKind = Literal["subscription", "purchase", "term", "voucher", "grant", "plan"]


class Lasting:
    """What lasts from `start` until before `until`; None is for good."""

    __slots__ = ()
    start: int
    until: int | None

    def open_at(self, now: int) -> bool:
        return self.start <= now and (self.until is None or now < self.until)


def rfc3339(moment: int | None) -> str | None:
    """Unix seconds as 2026-11-22T21:00:00Z; None stays None."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day_of(at: int) -> str:
    """The UTC day of an instant: 2026-11-22."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
