"""Allowances: what is left of a metered feature, and what one call takes from it. Pure; the store makes it exact.

One counter per user and feature holds the use of the current period, the bought credits spent so far, and what is
reserved. The allowance of the period is used first, credits after it. Reserved units are taken at once and given
back when they are settled for less, released, or left until they expire. Periods only move forward, so neither a
clock that lags behind nor a change of plan begins an allowance anew: that alters the limit and keeps the use.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from billing.data import dataclass, field, replace
from billing.rules.entitlements import Entitlement
from billing.rules.plans import Allowance

# What one user can hold in reserve of one feature: the counter is one small item.
MAX_RESERVATIONS = 50


@dataclass(frozen=True, slots=True)
class Quota:
    """What a user may use of a feature now: `limit` per period, and `credits` bought in all.

    `period` is the period's start. It is 0 where no period can be told: then the counter keeps the one it has.
    """

    limit: int
    credits: int
    period: int
    resets_at: int | None


@dataclass(frozen=True, slots=True)
class Reservation:
    """Units taken for a while: from the allowance of `period`, and from credits."""

    period: int
    allowance: int
    credits: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Counter:
    """What was used: `used` in `period` (reserved units included), `credits_used` ever."""

    period: int = 0
    used: int = 0
    credits_used: int = 0
    reservations: Mapping[str, Reservation] = field(default_factory=dict)

    def at(self, quota: Quota, now: int) -> "Counter":
        """This counter in the quota's period, without the reservations that expired."""
        counter = self
        for name, held in self.reservations.items():
            if held.expires_at <= now:
                counter = counter.give_back(name, 0)
        if quota.period > counter.period:
            counter = replace(counter, period=quota.period, used=0)
        return counter

    def left(self, quota: Quota) -> tuple[int, int]:
        """Units left of the allowance and of the credits; never below zero."""
        return max(0, quota.limit - self.used), max(0, quota.credits - self.credits_used)

    def take(self, quota: Quota, amount: int) -> "tuple[Counter, Reservation] | None":
        """The counter after taking `amount`, and where it came from; None when not all of it is left."""
        allowance, credits_left = self.left(quota)
        from_allowance = min(amount, allowance)
        from_credits = amount - from_allowance
        if from_credits > credits_left:
            return None
        taken = replace(self, used=self.used + from_allowance, credits_used=self.credits_used + from_credits)
        return taken, Reservation(self.period, from_allowance, from_credits, 0)

    def reserve(self, quota: Quota, amount: int, name: str, expires_at: int) -> "Counter | None":
        """Takes `amount` and remembers it under `name`; None when not all of it is left, or too much is reserved."""
        found = self.take(quota, amount)
        if found is None or len(self.reservations) >= MAX_RESERVATIONS:
            return None
        taken, origin = found
        return replace(taken, reservations={**self.reservations, name: replace(origin, expires_at=expires_at)})

    def give_back(self, name: str, keep: int) -> "Counter":
        """Ends a reservation of which `keep` units were used; credits come back first, as they were taken last."""
        held = self.reservations[name]
        unused = held.allowance + held.credits - keep
        credits_back = min(unused, held.credits)
        allowance_back = unused - credits_back if held.period == self.period else 0
        return Counter(
            self.period,
            self.used - allowance_back,
            self.credits_used - credits_back,
            {other: r for other, r in self.reservations.items() if other != name},
        )


@dataclass(frozen=True, slots=True)
class Held:
    """An entitlement; for a counted feature its quota and what is left of it, credits included."""

    entitlement: Entitlement
    quota: Quota | None = None
    remaining: int | None = None

    @property
    def claim(self) -> object:
        """As a token carries it: true, a number, or {limit, remaining, resets_at}."""
        if self.quota is None:
            return self.entitlement.value
        reset = {"resets_at": self.quota.resets_at} if self.quota.resets_at else {}
        return {"limit": self.quota.limit + self.quota.credits, "remaining": self.remaining, **reset}


def held(entitlement: Entitlement, counter: Counter, now: int) -> Held:
    """An entitlement with what `counter` leaves of it."""
    granted = quota(entitlement, now)
    if granted is None:
        return Held(entitlement)
    return Held(entitlement, granted, sum(counter.at(granted, now).left(granted)))


def quota(entitlement: Entitlement, now: int) -> Quota | None:
    """The quota behind an entitlement; None when it is not counted (a switch, or a plain number)."""
    allowance = entitlement.value
    if not isinstance(allowance, Allowance):
        return None
    if allowance.per == "month":
        begun, ends = _month(now)
        return Quota(allowance.limit, entitlement.credits, begun, ends)
    equal = (s.period for s in entitlement.sources if s.features[entitlement.feature] == allowance)
    paid = [period for period in equal if period is not None and period[0] <= now]
    if not paid:
        return Quota(allowance.limit, entitlement.credits, 0, None)
    # Of paid periods that run side by side the shortest gives the most; when all are over, the last one counts.
    running = [period for period in paid if now < period[1]]
    counting = min(running, key=lambda p: (p[1] - p[0], -p[0])) if running else max(paid)
    return Quota(allowance.limit, entitlement.credits, *counting)


def _month(now: int) -> tuple[int, int]:
    """The calendar month (UTC) around `now`."""
    today = datetime.fromtimestamp(now, UTC)
    first = datetime(today.year, today.month, 1, tzinfo=UTC)
    following = datetime(today.year + today.month // 12, today.month % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()), int(following.timestamp())
