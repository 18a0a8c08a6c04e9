"""Answers about plans: the catalogue, what each would cost a buyer, what a new version would change."""

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
    """Who can sell it here, by the names of `payment_providers`."""


class FeatureInfo(Response):
    feature: str
    name: str
    description: str
    kind: Literal["switch", "number", "allowance"]
    unit: str


class PaymentProvider(Response):
    """What a page has to know of a provider to speak of it."""

    title: str
    rail: Literal["card", "bitcoin"]
    renews: bool
    """Whether it charges again by itself; one that does not sells recurring plans as prepaid terms."""
    lightning: bool
    """Whether its invoices can be paid over Lightning, as far as this stack was told."""


class Overlap(PlanNamed):
    """What is paid already and would run beside the purchase until `ends_at`; `renews`: then charged again."""

    kind: Literal["card", "prepaid", "owned"]
    price_cents: int
    currency: str
    ends_at: Time | None
    renews: bool


class RailQuote(Response):
    """The terms of a plan by one provider. `quote_id` names them: a checkout that carries it asks for just these.

    `trial_days` delay the first charge of a card, and lengthen a prepaid term. `waits`: it begins at `starts_at`,
    after what is prepaid. `access_until`: how far it reaches when nothing more is paid; null: for good.
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
    """What choosing a plan means to a buyer. `included_in` names a plan of theirs that gives all of it already.

    `blocked`: a change to it would be refused now, or comes by itself.
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
    """By the names that plans, purchases and receipts use."""
    quotes: list[PlanQuote]
    """For somebody who has nothing yet; the signed-in buyer's own are `GET /billing/quotes`."""


class AdminPlan(PublicPlan):
    status: PlanStatus
    grace_days: int
    optimistic: bool
    after_purchase: bool
    provider_plan_ids: dict[str, str]


class PlanStanding(Response):
    """Who has a version of a plan now, in one currency, and what that brings in a month; from the ledger."""

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
    """The plan that everybody has who has bought nothing."""
    standing: list[PlanStanding]
    """Only where there is somebody."""


class SavedOffer(Response):
    plans: list[AdminPlan]
    """The versions that were written; a plan that was as it is now is not among them."""


class FeatureChange(Response):
    """`before` null: it is new. `after` null: nothing is left of it."""

    feature: str
    before: FeatureJson | None
    after: FeatureJson | None


class PlanWarning(Response):
    """What is worth a second look before a version is put on sale. `before` and `after` are what changes.

    `free_ends`: nobody would have a free plan any more. `differs`: `plan_id`, of the same offer, gives something else.
    """

    code: Literal["newer_version", "currency", "interval", "group", "free_ends", "differs"]
    before: str | None
    after: str | None
    plan_id: str | None


class MoveEffect(Response):
    """What moving to the newest version would change for those who have an older one."""

    from_version: int
    subscribers: int
    """Counted from the ledger: who pays for this version, or tries it."""
    price_cents: int
    currency: str
    price_change_cents: int
    mrr_cents: int
    """What they bring in a month now, in `currency`."""
    mrr_change_cents: int
    """What moving those who pay would add to it, at list prices; 0 where the currency changes."""
    features_gained: list[str]
    features_lost: list[str]
    features_changed: list[str]
    changes: list[FeatureChange]


class PlanEffect(Response):
    """What a new version of a plan would mean: existing buyers keep theirs, new ones get this."""

    plan_id: str
    from_version: int
    to_version: int
    subscribers: int
    """Live subscriptions and running terms on the version that is for sale now."""
    subscribers_older: int
    """On versions before it."""
    currency: str
    price_was_cents: int
    price_cents: int
    price_change_cents: int
    changes: list[FeatureChange]
    features_gained: list[str]
    features_lost: list[str]
    features_changed: list[str]
    versions: list[MoveEffect]
    """Every version that somebody has, and what moving them on would change. Nobody is moved by a new version alone."""
    faults: list[FaultyField]
    """What putting it on sale would be refused for."""
    warnings: list[PlanWarning]


class PlanMove(Response):
    """A move of subscribers to a newer version of their plan. Without one `status` is `none` and the counts are 0."""

    plan_id: str
    to_version: int
    """Of the move; without one, the newest version."""
    status: Literal["none", "running", "stopped", "done", "undoing", "undone"]
    percent: int
    per_hour: int
    notice_days: int
    started_at: Time | None
    started_by: str | None
    moved: int
    """Subscriptions that have, or get with their next period, the new version."""
    waiting: int
    """Put off in the current round: short notice, a trial, an open payment."""
    refused: int
    """The provider refused; the next round tries again."""
    undone: int
    kept: int
    """An undo left them, because the customer has gone on by themselves."""
    effects: list[MoveEffect]
