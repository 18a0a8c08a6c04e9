"""Allowances: what is left of a metered feature, and what one call takes from it. Pure; the store makes it exact.

One counter per user and feature holds the use of the current month, what was spent of each pack, and what is reserved.
The allowance of the calendar month is used first, then those of paid periods, then credits, and of each kind first what
ends first. The order is the same for everybody and each source remembers its own use, so one more source never gives
less: what ends, or is given back, takes what is left of itself alone. Reserved units are taken at once and given back
when they are settled for less, released, or left until they expire. Periods only move forward, so neither a clock that
lags behind nor a change of plan begins an allowance anew: that alters the limit and keeps the use.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from billing.data import dataclass, field, replace
from billing.rules.entitlements import Entitlement, SourcedAllowance, allowances
from billing.rules.plans import Allowance, Credits

# So many reservations one user can hold of one feature: they are all stored in one item.
MAX_RESERVATIONS = 50


@dataclass(frozen=True, slots=True)
class Pack:
    """Units from one source, by its kind and id (purchase#pi_1). `until` None: they last for good.

    `again`: no credits but the allowance of a paid period, whose start follows the source (subscription#sub_1@1700):
    the next period is another pack. Without a start nothing is paid for the time around now.
    """

    source: str
    amount: int
    until: int | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Quota:
    """What a user may use of a feature now: `limit` in the calendar month that starts at `period`, and besides it
    packs, the first to be used first. `resets_at`: when the first of the allowances begins anew."""

    limit: int
    packs: tuple[Pack, ...]
    period: int
    resets_at: int | None

    @property
    def credits(self) -> int:
        """All that were given, spent or not."""
        return sum(pack.amount for pack in self.packs if not pack.again)

    @property
    def allowance(self) -> int:
        """All that may be used in the month and in the paid periods around now, used or not."""
        return self.limit + sum(pack.amount for pack in self.packs if pack.again)


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
        begun = dict(pack.source.rsplit("@", 1) for pack in quota.packs if pack.again and "@" in pack.source)
        over = {key for key in counter.spent if _is_over(key, begun)}
        if over:
            counter = replace(counter, spent={key: n for key, n in counter.spent.items() if key not in over})
        return counter

    def left(self, quota: Quota) -> tuple[int, int]:
        """Units left of the allowances and of the credits; never below zero."""
        credits_left = sum(self._left_of(pack) for pack in quota.packs if not pack.again)
        return self._left_of_month(quota) + sum(self._left_of(p) for p in quota.packs if p.again), credits_left

    def used_of(self, quota: Quota) -> int:
        """What was used of the allowances of the month and of the paid periods around now."""
        return self.used + sum(self.spent.get(self._key(pack), 0) for pack in quota.packs if pack.again)

    def _left_of_month(self, quota: Quota) -> int:
        return max(0, quota.limit - self.used)

    def _left_of(self, pack: Pack) -> int:
        return max(0, pack.amount - self.spent.get(self._key(pack), 0))

    def _key(self, pack: Pack) -> str:
        """Under which key the use of a pack is counted: while a period is not paid, under that of the last paid one."""
        if not pack.again or "@" in pack.source:
            return pack.source
        paid = [key for key in self.spent if key.startswith(f"{pack.source}@")]
        return max(paid, key=lambda key: int(key.rpartition("@")[2]), default=pack.source)

    def take(self, quota: Quota, amount: int) -> "tuple[Counter, Reservation] | None":
        """The counter after taking `amount`, and where it came from; None when not all of it is left."""
        from_allowance = min(amount, self._left_of_month(quota))
        missing = amount - from_allowance
        taken = []
        for pack in quota.packs:
            if part := min(missing, self._left_of(pack)):
                taken.append((self._key(pack), part))
                missing -= part
        if missing:
            return None
        spent = {**self.spent, **{source: self.spent.get(source, 0) + part for source, part in taken}}
        after = replace(self, used=self.used + from_allowance, spent=spent)
        return after, Reservation(self.period, from_allowance, tuple(taken), 0)

    def reserve(self, quota: Quota, amount: int, name: str, expires_at: int) -> "Counter | None":
        """Takes `amount` and remembers it under `name`; None when not all of it is left, or too much is reserved."""
        result = self.take(quota, amount)
        if result is None or len(self.reservations) >= MAX_RESERVATIONS:
            return None
        taken, origin = result
        return replace(taken, reservations={**self.reservations, name: replace(origin, expires_at=expires_at)})

    def give_back(self, name: str, keep: int) -> "Counter":
        """Ends a reservation of which `keep` units were used; what was taken last comes back first, to where it was."""
        held = self.reservations[name]
        unused, spent = held.units - keep, dict(self.spent)
        for source, taken in reversed(held.packs):
            back = min(unused, taken)
            spent[source] = spent.get(source, 0) - back
            unused -= back
        return Counter(
            self.period,
            self.used - (unused if held.period == self.period else 0),
            {source: units for source, units in spent.items() if units > 0},
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
        return {"limit": self.quota.allowance + self.quota.credits, "remaining": self.remaining, **reset}


def held(entitlement: Entitlement, counter: Counter, now: int) -> Held:
    """An entitlement with what `counter` leaves of it."""
    granted = quota(entitlement, now)
    if granted is None:
        return Held(entitlement)
    return Held(entitlement, granted, sum(counter.at(granted, now).left(granted)))


def quota(entitlement: Entitlement, now: int) -> Quota | None:
    """The quota behind an entitlement; None when it is not counted (a switch, or a plain number)."""
    if not isinstance(entitlement.value, Allowance):
        return None
    side_by_side = allowances(entitlement.feature, entitlement.sources)
    limit = sum(a.value.limit for a in side_by_side if a.value.per == "month")
    paid = [_paid_period(a) for a in side_by_side if a.value.per == "billing_period"]
    credits_ = [
        Pack(source.record, value.amount, source.until)
        for source in entitlement.sources
        if isinstance(value := source.features[entitlement.feature], Credits)
    ]
    begun, month_ends = _month(now)
    resets = [month_ends] * bool(limit) + [pack.until for pack in paid if pack.until and pack.until > now]
    return Quota(limit, (*_by_end(paid), *_by_end(credits_)), begun, min(resets, default=None))


def _paid_period(allowance: SourcedAllowance) -> Pack:
    period, record = allowance.source.period, allowance.source.record
    if period is None:
        return Pack(record, allowance.value.limit, None, again=True)
    return Pack(f"{record}@{period[0]}", allowance.value.limit, period[1], again=True)


def _by_end(packs: Iterable[Pack]) -> list[Pack]:
    return sorted(packs, key=lambda pack: (pack.until is None, pack.until or 0, pack.source))


def _is_over(key: str, begun: Mapping[str, str]) -> bool:
    """Whether a pack is of a paid period before the one that runs now of the same record, by the start of each."""
    record, _, start = key.rpartition("@")
    return record in begun and int(start) < int(begun[record])


def _month(now: int) -> tuple[int, int]:
    """The calendar month (UTC) around `now`."""
    today = datetime.fromtimestamp(now, UTC)
    first = datetime(today.year, today.month, 1, tzinfo=UTC)
    following = datetime(today.year + today.month // 12, today.month % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()), int(following.timestamp())
