"""Answers about plans: the catalogue, quotes, previews and moves of subscribers."""

from typing import Literal

from billing.api.answers.base import FeatureJson, PlanNamed, Response, Time
from billing.api.answers.problems import FaultyField
from billing.rules.plans import Interval, PlanStatus
from billing.rules.quotes import ChangeBlock, Move


class PublicPlan(Response):
    plan_id: str
    version: int
    name: str
    description: str
    price_cents: int
    currency: str
    interval: Interval
    tier: str
    rank: int
    recommended: bool
    position: int
    group: str
    trial_days: int
    duration_days: int | None
    features: dict[str, FeatureJson]
    providers: list[str]
    """The providers that can sell it here; keys of `payment_providers`."""


class FeatureInfo(Response):
    feature: str
    name: str
    description: str
    kind: Literal["switch", "number", "allowance"]
    unit: str


class PaymentProvider(Response):
    """A provider's properties for display."""

    title: str
    rail: Literal["card", "bitcoin"]
    renews: bool
    """Whether it charges automatically; otherwise it sells recurring plans as prepaid terms."""
    lightning: bool
    """Whether its invoices can be paid over Lightning, according to this stack's settings."""


class Overlap(PlanNamed):
    """A plan already paid that would overlap the purchase until `ends_at`; `renews`: it is then charged again."""

    kind: Literal["card", "prepaid", "owned"]
    price_cents: int
    currency: str
    ends_at: Time | None
    renews: bool


class RailQuote(Response):
    """The terms of a plan at one provider. A checkout with `quote_id` is refused if the terms have changed.

    `trial_days` delay the first charge of a card, and extend a prepaid term. `waits`: it begins at `starts_at`, after
    the prepaid time. `access_until`: the end without further payments; null: no end.
    """

    quote_id: str
    provider: str
    rail: Literal["card", "bitcoin"]
    renews: bool
    price_cents: int
    due_now_cents: int
    currency: str
    trial_days: int
    first_charge_at: Time
    starts_at: Time
    waits: bool
    access_until: Time | None
    overlap: Overlap | None


class PlanQuote(Response):
    """The terms of a plan for a buyer. `included_in`: a plan they have that already includes all of it.

    `blocked`: why a change to it is not possible now, or is already scheduled.
    """

    plan_id: str
    version: int
    move: Move
    blocked: ChangeBlock | None
    included_in: str | None
    rails: list[RailQuote]


class QuoteList(Response):
    quotes: list[PlanQuote]


class PlanList(Response):
    plans: list[PublicPlan]
    features: list[FeatureInfo]
    payment_providers: dict[str, PaymentProvider]
    """By the provider names in plans, purchases and receipts."""
    quotes: list[PlanQuote]
    """For a new buyer; those of a signed-in buyer are at `GET /billing/quotes`."""


class AdminPlan(PublicPlan):
    status: PlanStatus
    grace_days: int
    optimistic: bool
    after_purchase: bool
    provider_plan_ids: dict[str, str]


class PlanStanding(Response):
    """The current buyers of a plan version in one currency, and their MRR; from the ledger."""

    plan_id: str
    version: int
    currency: str
    subscribers: int
    """Paying subscriptions and running terms."""
    trialing: int
    mrr_cents: int


class AdminPlanList(Response):
    plans: list[AdminPlan]
    """Every version, newest first within a plan."""
    free_plan_id: str | None
    """The plan of users without a purchase."""
    standing: list[PlanStanding]
    """Only versions with buyers."""


class SavedOffer(Response):
    plans: list[AdminPlan]
    """The new versions; plans without a change are left out."""


class FeatureChange(Response):
    """`before` null: it is new. `after` null: it is gone."""

    feature: str
    before: FeatureJson | None
    after: FeatureJson | None


class PlanWarning(Response):
    """A warning before a version is put on sale, about the change from `before` to `after`.

    `free_ends`: there would be no free plan any more. `differs`: `plan_id`, of the same offer, has other features.
    """

    code: Literal["newer_version", "currency", "interval", "group", "free_ends", "differs"]
    before: str | None
    after: str | None
    plan_id: str | None


class MoveEffect(Response):
    """What a move to the newest version would change for the buyers of an older one."""

    from_version: int
    subscribers: int
    """Paying or in a trial, counted from the ledger."""
    price_cents: int
    currency: str
    price_change_cents: int
    mrr_cents: int
    """Their current MRR, in `currency`."""
    mrr_change_cents: int
    """The change of MRR if all who pay are moved, at list prices; 0 if the currency changes."""
    features_gained: list[str]
    features_lost: list[str]
    features_changed: list[str]
    changes: list[FeatureChange]


class PlanEffect(Response):
    """The effect of a new plan version. Existing buyers keep theirs; new ones get this."""

    plan_id: str
    from_version: int
    to_version: int
    subscribers: int
    """Live subscriptions and running terms of the version on sale."""
    subscribers_older: int
    """Of older versions."""
    currency: str
    price_was_cents: int
    price_cents: int
    price_change_cents: int
    changes: list[FeatureChange]
    features_gained: list[str]
    features_lost: list[str]
    features_changed: list[str]
    versions: list[MoveEffect]
    """Every version with buyers, and the effect of moving them. A new version alone moves nobody."""
    faults: list[FaultyField]
    """Errors for which the version would be refused."""
    warnings: list[PlanWarning]


class PlanMove(Response):
    """A move of subscribers to a newer version of their plan. Without one `status` is `none` and the counts are 0."""

    plan_id: str
    to_version: int
    """The move's; without a move, the newest version."""
    status: Literal["none", "running", "stopped", "done", "undoing", "undone"]
    percent: int
    per_hour: int
    notice_days: int
    started_at: Time | None
    started_by: str | None
    moved: int
    """Subscriptions that have the new version, or get it at their next period."""
    waiting: int
    """Postponed in the current round: short notice, a trial, an unpaid invoice."""
    refused: int
    """Refused by the provider; the next round tries again."""
    undone: int
    not_undone: int
    """Left as they are by an undo: the subscription has ended, or the customer has cancelled or changed plan."""
    effects: list[MoveEffect]
