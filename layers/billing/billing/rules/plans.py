"""Plans: what is for sale, and what each feature of a plan grants."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from billing.data import dataclass, field
from billing.rules.money import KNOWN, amount_fault

# Every feature that code somewhere enforces: a plan can only grant what is listed here. docs/features.md tells where.
FEATURES: Mapping[str, Mapping[str, str]] = {
    "ai.chat": {
        "name": "AI chat",
        "description": "Ask about your wallet, transactions and addresses",
        "kind": "allowance",
        "unit": "questions",
    },
    "ai.insights": {
        "name": "Proactive insights",
        "description": "Insights and suggestions whenever a wallet loads",
        "kind": "switch",
        "unit": "",
    },
    "security.ai_recommendations": {
        "name": "Security recommendations",
        "description": "AI review of your wallet's privacy and safety",
        "kind": "switch",
        "unit": "",
    },
    "tax.enhanced": {
        "name": "Enhanced tax report",
        "description": "Lots, gains and income with historical prices",
        "kind": "switch",
        "unit": "",
    },
    "tax.export": {
        "name": "Tax exports",
        "description": "CSV, Form 8949 and PDF",
        "kind": "switch",
        "unit": "",
    },
    "screening.sanctions": {
        "name": "Address screening",
        "description": "Check addresses against sanctions lists",
        "kind": "allowance",
        "unit": "checks",
    },
    "wallets.max": {
        "name": "Wallets",
        "description": "How many wallets you can watch side by side",
        "kind": "number",
        "unit": "wallets",
    },
    "market.history": {
        "name": "Full market history",
        "description": "Price charts beyond thirty days",
        "kind": "switch",
        "unit": "",
    },
}

Interval = Literal["month", "year", "once"]
PlanStatus = Literal["active", "hidden", "archived"]
DEFAULT_GROUP = "main"


# A year as calendars have it on average, in seconds.
_YEAR = 31_556_952


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many uses per period: `month` is the calendar month (UTC), `billing_period` the paid period."""

    limit: int
    per: Literal["month", "billing_period"] = "month"

    kind = "allowance"

    def shown(self) -> dict[str, Any]:
        return {"limit": self.limit, "per": self.per}

    def covers(self, wanted: "FeatureValue") -> bool:
        """Whether this is at least as much; allowances of different periods are not compared."""
        return isinstance(wanted, Allowance) and wanted.per == self.per and self.limit >= wanted.limit

    def allows_more_than(self, limit: int) -> bool:
        return self.limit > limit

    def in_a_year(self, period: tuple[int, int] | None) -> int:
        """How many uses a year of it would be, to compare allowances of different periods.

        `period`: the paid period (Unix seconds); without one nothing says when an allowance per period begins anew.
        """
        if self.per == "month":
            return self.limit * 12
        if period is None or period[1] <= period[0]:
            return self.limit
        return self.limit * _YEAR // (period[1] - period[0])


@dataclass(frozen=True, slots=True)
class Credits:
    """Uses bought once, spent after the allowance of the period, never reset."""

    amount: int

    kind = "allowance"

    def shown(self) -> dict[str, Any]:
        return {"credits": self.amount}

    def covers(self, wanted: "FeatureValue") -> bool:
        """Credits are used up, so whoever has some may want more."""
        return False

    def allows_more_than(self, limit: int) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Plain:
    """A switch (true) or a number such as wallets.max, with the same methods as the counted kinds."""

    value: int

    @property
    def kind(self) -> str:
        return "switch" if isinstance(self.value, bool) else "number"

    def shown(self) -> int:
        return self.value

    def covers(self, wanted: "FeatureValue") -> bool:
        """A switch that is on is above every number."""
        return isinstance(wanted, int) and order(self.value) >= order(wanted)

    def allows_more_than(self, limit: int) -> bool:
        return True


# On/off, a number such as wallets.max, an allowance per period, or bought credits.
FeatureValue = bool | int | Allowance | Credits


def feature(value: FeatureValue) -> Allowance | Credits | Plain:
    """A value as the class of its kind, which knows how to show, compare and count it."""
    return Plain(value) if isinstance(value, int) else value


def order(value: FeatureValue) -> tuple[bool, int]:
    """A sort key for values that are not counted: on beats off, and a higher number a lower one."""
    return value is True, value if isinstance(value, int) else 0


def features_to_json(features: Mapping[str, FeatureValue]) -> dict[str, Any]:
    """true, 5, {"limit": 200, "per": "month"} or {"credits": 500}, by feature."""
    return {key: feature(value).shown() for key, value in features.items()}


def features_from_json(features: Mapping[str, Any]) -> dict[str, FeatureValue]:
    """The inverse of `features_to_json`; raises KeyError or TypeError on anything else."""
    read: dict[str, FeatureValue] = {}
    for key, value in features.items():
        if isinstance(value, Mapping):
            read[key] = Credits(value["credits"]) if "credits" in value else Allowance(value["limit"], value["per"])
        else:
            read[key] = value
    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One immutable version of something for sale.

    `group`: plans of one group replace each other. `tier` joins the monthly and the annual plan of one offer.
    `duration_days`: how long a `once` plan lasts; None means for good. `grace_days` counts from the start of an
    unpaid period. `optimistic` opens a bitcoin plan at the first sight of the payment, before it is confirmed.
    `after_purchase`: a free plan only for those who have bought or been given something. A key costs nothing, so what
    everybody has for free can be had again with another one. `recommended` points it out on the price list, and
    `position` is its place there; of one place the lower rank comes first.
    """

    plan_id: str
    version: int
    name: str
    price_cents: int
    currency: str
    interval: Interval
    features: Mapping[str, FeatureValue]
    description: str = ""
    tier: str = ""
    rank: int = 0
    group: str = DEFAULT_GROUP
    trial_days: int = 0
    duration_days: int | None = None
    grace_days: int = 7
    optimistic: bool = False
    after_purchase: bool = False
    recommended: bool = False
    position: int = 0
    status: PlanStatus = "active"
    provider_plan_ids: Mapping[str, str] = field(default_factory=dict)

    @property
    def free(self) -> bool:
        return self.price_cents == 0

    @property
    def gives_credits(self) -> bool:
        return any(isinstance(value, Credits) for value in self.features.values())

    @property
    def recurring(self) -> bool:
        return self.interval != "once"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every version of every plan, indexed for look-ups; the newest version of an id is the one for sale."""

    plans: tuple[Plan, ...]
    _by_version: dict[tuple[str, int], Plan] = field(init=False, repr=False, default_factory=dict)
    _newest: dict[str, Plan] = field(init=False, repr=False, default_factory=dict)
    _by_price: dict[tuple[str, str], Plan] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for plan in sorted(self.plans, key=lambda p: p.version):
            self._by_version[plan.plan_id, plan.version] = plan
            self._newest[plan.plan_id] = plan
            for provider, price_id in plan.provider_plan_ids.items():
                # Two versions may share a price (only features changed). The oldest is indexed; a buyer's record names
                # its version.
                self._by_price.setdefault((provider, price_id), plan)

    def newest(self) -> Iterable[Plan]:
        return self._newest.values()

    def on_sale(self) -> list[Plan]:
        """What is for sale now, by place on the price list, then the lowest rank and price first."""
        active = (p for p in self.newest() if p.status == "active")
        return sorted(active, key=lambda p: (p.position, p.rank, p.price_cents, p.plan_id))

    def get(self, plan_id: str, version: int | None = None) -> Plan | None:
        """A given version, or the newest one."""
        return self._newest.get(plan_id) if version is None else self._by_version.get((plan_id, version))

    def by_price(self, provider: str, price_id: str) -> Plan | None:
        """The plan that a provider's price belongs to: how a plan change made at the provider is understood."""
        return self._by_price.get((provider, price_id))

    def behind(self, provider: str, price_id: str, plan_id: str | None, version: int | None) -> Plan | None:
        """The plan that is sold at a price. What our metadata names only decides between versions that share the
        price."""
        named = self.get(plan_id, version) if plan_id and version else None
        named_price = named.provider_plan_ids.get(provider) if named else None
        if named and named_price == price_id:
            return named
        return self.by_price(provider, price_id) or (named if named_price is None else None)

    def sold_at(self, provider: str, price_id: str, plan_id: str | None, version: int | None) -> Plan | None:
        """The plan whose price this is. Metadata alone does not do: of several items the price says which are ours."""
        plan = self.behind(provider, price_id, plan_id, version)
        return plan if plan and plan.provider_plan_ids.get(provider) == price_id else None

    def free(self) -> Plan | None:
        """The plan everybody has: the highest-ranked active plan that costs nothing and recurs."""
        free = [p for p in self.newest() if p.free and p.recurring and p.status == "active"]
        return max(free, key=lambda p: p.rank, default=None)


# Not allowed as a price's currency: amounts are in cents, and a hundredth of a bitcoin is no unit of it.
_COINS = frozenset({"BTC", "XBT", "SAT"})


def faults_of(plan: Plan) -> list[dict[str, str]]:
    """What is wrong with a plan, as {path, code, message}; empty when it can be sold."""
    faults = [
        (f"features/{key}", "unknown_feature" if key not in FEATURES else "feature_kind", fault)
        for key, value in plan.features.items()
        if (fault := feature_fault(key, value))
    ]
    if plan.currency in _COINS:
        faults.append(("currency", "coin", "a price is in money; its buyers pay it in bitcoin all the same"))
    if plan.currency not in KNOWN:
        faults.append(("currency", "unknown_currency", f"{plan.currency} is no currency that is known here"))
    elif fault := amount_fault(plan.price_cents, plan.currency):
        faults.append(("price_cents", "amount", fault))
    if plan.duration_days is not None and plan.recurring:
        faults.append(("duration_days", "renews", "only a one-time plan has a duration; this one renews"))
    if plan.trial_days and not plan.recurring:
        faults.append(("trial_days", "once", "a one-time plan has no trial"))
    if plan.trial_days and plan.free:
        faults.append(("trial_days", "free", "a free plan needs no trial"))
    if plan.free and not plan.recurring:
        faults.append(("price_cents", "needs_price", "a one-time plan needs a price"))
    if plan.gives_credits and plan.recurring:
        message = "credits are bought once; a recurring plan gives an allowance"
        faults.append(("features", "credits", message))
    return [{"path": path, "code": code, "message": message} for path, code, message in faults]


def feature_fault(key: str, value: FeatureValue) -> str:
    """What is wrong with giving a feature like this; empty when nothing is."""
    definition = FEATURES.get(key)
    if definition is None:
        return f"unknown feature; known are {', '.join(FEATURES)}"
    kind = feature(value).kind
    if kind != definition["kind"]:
        return f"{key} is a {definition['kind']}, not a {kind}"
    return ""
