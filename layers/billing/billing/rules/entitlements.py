"""Entitlements: the union of all live sources, each with its reason.

`sources` turns an account into what the snapshot stores: windows with the features they give, resolved when they are
written. `evaluate` and `decide` judge such a snapshot at a moment; they need nothing else, so every gate can answer
from memory and expiry never waits for a clean-up.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from billing.data import dataclass
from billing.rules.plans import (
    Allowance,
    Catalogue,
    Credits,
    FeatureValue,
    Plan,
    features_from_json,
    features_to_json,
    order,
)
from billing.rules.records import Account
from billing.rules.times import Lasting, SourceKind

Scenario = Literal["not_in_plan", "limit_reached", "expired", "payment_failed"]
# So many ended sources of one kind, plan and reason stay in a snapshot.
ENDED_KEPT = 10
# Reasons that a customer mends by paying.
PAYMENT_REASONS = frozenset({"past_due", "unpaid", "incomplete", "underpaid", "paid_late", "disputed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Lasting):
    """A record that gives features within [start, until); `until` None is for good."""

    kind: SourceKind
    id: str
    plan_id: str | None
    plan_version: int | None
    start: int
    until: int | None
    reason: str
    features: Mapping[str, FeatureValue]
    period: tuple[int, int] | None = None

    @property
    def record(self) -> str:
        """The record's kind and id, which stay when it is renewed: purchase#pi_1."""
        return f"{self.kind}#{self.id}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a user may use, as stored: decided by `sources` alone. `version` grows with every change of the account."""

    user_id: str
    version: int
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A feature a user has now: `value` (of several allowances the one that gives most over time), `beside` the
    allowances that run beside it (the month's and those of paid periods), `credits` the bought uses beyond them.
    `expires_at`: when less will be given, or nothing; None: no end of this in sight."""

    feature: str
    value: FeatureValue
    credits: int
    expires_at: int | None
    sources: tuple[Source, ...]
    beside: tuple[Allowance, ...] = ()

    @property
    def worth(self) -> object:
        """All that it gives, to compare two entitlements."""
        return self.value, self.credits, self.beside


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a feature is closed; `sources` are the records that once gave it, or would if they were paid."""

    feature: str
    scenario: Scenario
    sources: tuple[Source, ...]


def sources(account: Account, catalogue: Catalogue) -> tuple[Source, ...]:
    """What an account's records give, and when. Closed windows stay in: they explain a refusal. An order that failed
    explains none, and anybody may make any number of them, so they are left out."""
    from billing.rules.access import windows  # the gates judge stored sources and never load this

    result = []
    for window in windows(account, catalogue):
        if window.reason == "failed":
            continue
        features = window.plan.features if window.plan else {}
        if window.features is not None:
            features = features_from_json(window.features)
        result.append(
            Source(
                kind=window.kind,
                id=window.record_id,
                plan_id=window.plan.plan_id if window.plan else None,
                plan_version=window.plan.version if window.plan else None,
                start=window.start,
                until=window.until,
                reason=window.reason,
                features=features,
                period=window.period,
            )
        )
    return tuple(result)


def remembered(all_sources: Sequence[Source], now: int) -> tuple[Source, ...]:
    """What a snapshot keeps: all that gives something now or later, and by plan and reason the newest of what is over,
    which explain a refusal. So it does not grow with the number of purchases."""
    over: dict[object, list[Source]] = {}
    for source in all_sources if len(all_sources) > ENDED_KEPT else ():
        if source.until is not None and source.until <= now:
            key = source.kind, source.plan_id, source.reason, source.until > source.start
            over.setdefault(key, []).append(source)
    gone = {
        id(source)
        for several in over.values()
        for source in sorted(several, key=lambda s: (s.until or 0, s.start, s.id))[:-ENDED_KEPT]
    }
    return tuple(s for s in all_sources if id(s) not in gone)


def free_source(plan: Plan) -> Source:
    """The free plan as a source that everybody has."""
    return Source(
        kind="plan",
        id=plan.plan_id,
        plan_id=plan.plan_id,
        plan_version=plan.version,
        start=0,
        until=None,
        reason="free",
        features=plan.features,
    )


def evaluate(all_sources: Iterable[Source], now: int) -> dict[str, Entitlement]:
    """Every feature that is open at `now`, by key: the union of what the live sources give."""
    giving: dict[str, list[Source]] = {}
    for source in all_sources:
        for feature, value in source.features.items():
            if value:
                giving.setdefault(feature, []).append(source)
    unions = ((feature, _union(feature, givers, now)) for feature, givers in sorted(giving.items()))
    return {feature: union for feature, union in unions if union is not None}


def decide(all_sources: Sequence[Source], feature: str, now: int) -> Entitlement | Refusal:
    """Is this feature open at `now`? If not, why, in the words of the 402 answer."""
    givers = [s for s in all_sources if s.features.get(feature)]
    if union := _union(feature, givers, now):
        return union
    begun = tuple(s for s in givers if s.start <= now)
    scenario: Scenario = "not_in_plan"
    if any(s.reason in PAYMENT_REASONS for s in begun):
        scenario = "payment_failed"
    elif any(s.until is not None and s.until > s.start for s in begun):
        scenario = "expired"
    return Refusal(feature, scenario, begun)


def _union(feature: str, givers: Sequence[Source], now: int) -> Entitlement | None:
    """What all open sources give together; None when none is open. `givers`: whoever gives the feature at any time."""
    live = [s for s in givers if s.open_at(now)]
    if not live:
        return None
    ends = sorted({s.until for s in givers if s.until is not None and s.until > now})
    side_by_side = sorted(allowances(feature, live), key=lambda allowance: -allowance.in_a_year)
    return Entitlement(
        feature=feature,
        value=side_by_side[0].value if side_by_side else _plain(feature, live),
        credits=_credits(feature, live),
        expires_at=next((end for end in ends if _less_at(end, feature, givers, live)), None),
        sources=tuple(live),
        beside=tuple(allowance.value for allowance in side_by_side[1:]),
    )


def _plain(feature: str, givers: Sequence[Source]) -> FeatureValue:
    """The best of the values without a period; credits alone allow nothing per period."""
    value = max((source.features[feature] for source in givers), key=order)
    return Allowance(0) if isinstance(value, Credits) else value


@dataclass(frozen=True, slots=True)
class SourcedAllowance:
    """An allowance, and the source that gives it."""

    value: Allowance
    source: Source

    @property
    def in_a_year(self) -> int:
        return self.value.in_a_year(self.source.period)

    @property
    def rank(self) -> tuple[int, tuple[int, int]]:
        return self.value.limit, self.source.period or (0, 0)


def allowances(feature: str, givers: Sequence[Source]) -> list[SourcedAllowance]:
    """The allowances that run side by side, each counted by itself: of those by calendar month the highest one, and of
    those by paid period one for each record, its highest."""
    best: dict[str, SourcedAllowance] = {}
    for source in givers:
        value = source.features[feature]
        if isinstance(value, Allowance):
            window = "month" if value.per == "month" else source.record
            best[window] = max(best.get(window, new := SourcedAllowance(value, source)), new, key=lambda g: g.rank)
    return list(best.values())


def _less_at(end: int, feature: str, givers: Sequence[Source], live: Sequence[Source]) -> bool:
    """Whether less is given from `end` on, in value or in credits, even with what begins by then."""
    then = [s for s in givers if s.open_at(end)]
    if not then or _credits(feature, then) < _credits(feature, live):
        return True
    return _total(feature, then) < _total(feature, live)


def _total(feature: str, givers: Sequence[Source]) -> tuple[bool, int]:
    """A sort key for what all give together, the most generous last: allowances add up over a year."""
    side_by_side = allowances(feature, givers)
    if side_by_side:
        return False, sum(allowance.in_a_year for allowance in side_by_side)
    return max(order(source.features[feature]) for source in givers)


def _credits(feature: str, givers: Sequence[Source]) -> int:
    values = (s.features[feature] for s in givers)
    return sum(v.amount for v in values if isinstance(v, Credits))


def sources_to_json(all_sources: Iterable[Source]) -> list[dict[str, Any]]:
    """The snapshot's one JSON attribute: short keys, because the authorizer passes it on."""
    return [
        {
            "k": s.kind,
            "i": s.id,
            "p": s.plan_id,
            "v": s.plan_version,
            "s": s.start,
            "u": s.until,
            "r": s.reason,
            "f": features_to_json(s.features),
            **({"b": s.period} if s.period else {}),
        }
        for s in all_sources
    ]


def sources_from_json(items: Iterable[Mapping[str, Any]]) -> tuple[Source, ...]:
    return tuple(
        Source(
            kind=i["k"],
            id=i["i"],
            plan_id=i["p"],
            plan_version=i["v"],
            start=i["s"],
            until=i["u"],
            reason=i["r"],
            features=features_from_json(i["f"]),
            period=(i["b"][0], i["b"][1]) if "b" in i else None,
        )
        for i in items
    )
