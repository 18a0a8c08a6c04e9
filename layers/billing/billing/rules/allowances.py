"""Allowances: what is left of a metered feature, and what one call takes from it. Pure; the store makes it exact.

One counter per user and feature holds the use of the current period, what was spent of each pack of bought credits,
and what is reserved. The allowance of the period is used first, credits after it, of the pack first that ends first.
Each pack remembers its own use: what ends, or is given back, takes what is left of itself alone. Reserved units are
taken at once and given back when they are settled for less, released, or left until they expire. Periods only move
forward, so neither a clock that lags behind nor a change of plan begins an allowance anew: that alters the limit and
keeps the use.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from billing.data import dataclass, field, replace
from billing.rules.entitlements import Entitlement
from billing.rules.plans import Allowance, Credits

# What one user can hold in reserve of one feature: the counter is one small item.
MAX_RESERVATIONS = 50


@dataclass(frozen=True, slots=True)
class Pack:
    """Credits from one source, by its kind and id (purchase#pi_1). `until` None: they last for good."""

    source: str
    amount: int
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """What a user may use of a feature now: `limit` per period, and the packs of credits, the first to be used first.

    `period` is the period's start. It is 0 where no period can be told: then the counter keeps the one it has.
    """

    limit: int
    packs: tuple[Pack, ...]
    period: int
    resets_at: int | None

    @property
    def credits(self) -> int:
        """All that were given, spent or not."""
        return sum(pack.amount for pack in self.packs)


@dataclass(frozen=True, slots=True)
class Reservation:
    """Units taken for a while: from the allowance of `period`, and from packs of credits, in the order of taking."""

    period: int
    allowance: int
    packs: tuple[tuple[str, int], ...]
    expires_at: int

    @property
    def units(self) -> int:
        return self.allowance + sum(taken for _, taken in self.packs)


@dataclass(frozen=True, slots=True)
class Counter:
    """What was used: `used` in `period`, and what was `spent` of each pack ever; reserved units included."""

    period: int = 0
    used: int = 0
    spent: Mapping[str, int] = field(default_factory=dict)
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
        return max(0, quota.limit - self.used), sum(self._left_of(pack) for pack in quota.packs)

    def _left_of(self, pack: Pack) -> int:
        return max(0, pack.amount - self.spent.get(pack.source, 0))

    def take(self, quota: Quota, amount: int) -> "tuple[Counter, Reservation] | None":
        """The counter after taking `amount`, and where it came from; None when not all of it is left."""
        from_allowance = min(amount, self.left(quota)[0])
        missing = amount - from_allowance
        taken = []
        for pack in quota.packs:
            if part := min(missing, self._left_of(pack)):
                taken.append((pack.source, part))
                missing -= part
        if missing:
            return None
        spent = {**self.spent, **{source: self.spent.get(source, 0) + part for source, part in taken}}
        after = replace(self, used=self.used + from_allowance, spent=spent)
        return after, Reservation(self.period, from_allowance, tuple(taken), 0)

    def reserve(self, quota: Quota, amount: int, name: str, expires_at: int) -> "Counter | None":
        """Takes `amount` and remembers it under `name`; None when not all of it is left, or too much is reserved."""
        found = self.take(quota, amount)
        if found is None or len(self.reservations) >= MAX_RESERVATIONS:
            return None
        taken, origin = found
        return replace(taken, reservations={**self.reservations, name: replace(origin, expires_at=expires_at)})

    def give_back(self, name: str, keep: int) -> "Counter":
        """Ends a reservation of which `keep` units were used; what was taken last comes back first, to where it was."""
        held = self.reservations[name]
        unused, spent = held.units - keep, dict(self.spent)
        for source, taken in reversed(held.packs):
            back = min(unused, taken)
            spent[source] -= back
            unused -= back
        return Counter(
            self.period,
            self.used - (unused if held.period == self.period else 0),
            {source: units for source, units in spent.items() if units},
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
    packs = _packs(entitlement)
    if allowance.per == "month":
        begun, ends = _month(now)
        return Quota(allowance.limit, packs, begun, ends)
    equal = (s.period for s in entitlement.sources if s.features[entitlement.feature] == allowance)
    paid = [period for period in equal if period is not None and period[0] <= now]
    if not paid:
        return Quota(allowance.limit, packs, 0, None)
    # Of paid periods that run side by side the shortest gives the most; when all are over, the last one counts.
    running = [period for period in paid if now < period[1]]
    counting = min(running, key=lambda p: (p[1] - p[0], -p[0])) if running else max(paid)
    return Quota(allowance.limit, packs, *counting)


def _packs(entitlement: Entitlement) -> tuple[Pack, ...]:
    """The credits by their source, what ends first first."""
    packs = [
        Pack(f"{source.kind}#{source.id}", given.amount, source.until)
        for source in entitlement.sources
        if isinstance(given := source.features[entitlement.feature], Credits)
    ]
    return tuple(sorted(packs, key=lambda pack: (pack.until is None, pack.until or 0, pack.source)))


def _month(now: int) -> tuple[int, int]:
    """The calendar month (UTC) around `now`."""
    today = datetime.fromtimestamp(now, UTC)
    first = datetime(today.year, today.month, 1, tzinfo=UTC)
    following = datetime(today.year + today.month // 12, today.month % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()), int(following.timestamp())
