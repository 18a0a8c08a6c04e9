"""Answers of the reports: revenue, ledger, funnel, churn, cohorts.

Days and months are `2026-11-22` and `2026-11` in UTC; ranges include both ends. Money is in the minor unit of the
report's `currency`; amounts in different currencies are never added.
"""

from typing import Literal

from billing.api.answers.base import Response, Time
from billing.rules.ledger import EntryKind, Movement

Day = str


Month = str


class Money(Response):
    """gross − refunded − disputed − fees = net, all without tax. `tax_cents` is in none of the others."""

    gross_cents: int
    refunded_cents: int
    disputed_cents: int
    """Chargebacks, less those won."""
    fees_cents: int
    net_cents: int
    tax_cents: int
    """Tax collected, less tax refunded."""
    payments: int


class Movements(Response):
    """Changes of the MRR; contraction and churn are negative."""

    new_cents: int
    expansion_cents: int
    contraction_cents: int
    churn_cents: int
    reactivation_cents: int


class Customers(Response):
    users_new: int
    users_returning: int
    users_lost: int
    net_retention: float | None
    """The MRR at the end of those who paid at the start, as a share of their MRR then; null: nobody paid."""


class RevenueTotals(Money, Movements, Customers):
    """The state at the end of the range (`mrr_cents` … `trialing`), and sums over it (the rest)."""

    mrr_cents: int
    arr_cents: int
    arpu_cents: int
    """MRR per paying user, rounded down."""
    active: int
    """Users with at least one paying subscription or running term."""
    subscribers: int
    """Paying subscriptions and running terms; a user can have several."""
    trialing: int
    lifetime_value_cents: int | None
    """ARPU times the months that a customer stays at this range's rate of loss; null: nobody left."""


class RevenueDay(Money, Movements):
    """`mrr_cents` is at the end of the day."""

    day: Day
    mrr_cents: int


class RevenueMonth(Money, Movements, Customers):
    """The days of a month within the range. `complete`: they are the whole month, and it is over."""

    month: Month
    from_day: Day
    to_day: Day
    complete: bool
    mrr_at_start_cents: int
    mrr_cents: int


class RevenueSlice(Money):
    """`key` is a plan id or a provider's name."""

    key: str
    name: str
    mrr_cents: int
    subscribers: int


class RevenueReport(Response):
    currency: str
    currencies: list[str]
    """Every currency that has figures."""
    from_day: Day
    to_day: Day
    previous_from_day: Day
    previous_to_day: Day
    totals: RevenueTotals
    previous: RevenueTotals
    """For the range just before: as many months if the range is whole months, else as many days."""
    days: list[RevenueDay]
    """One for every day of the range."""
    months: list[RevenueMonth]
    """The newest first."""
    by_plan: list[RevenueSlice]
    by_provider: list[RevenueSlice]


class LedgerLine(Response):
    """Income is positive, outgoing money negative; for `mrr` the amount is the change of MRR."""

    at: Time
    user_id: str
    """`erased_…` for an erased user."""
    kind: EntryKind
    movement: Movement | None
    reason: str | None
    amount_cents: int
    """Without tax."""
    tax_cents: int
    plan_id: str
    plan_version: int
    provider: str
    object_id: str
    """The id of the payment, subscription, purchase or checkout at the provider."""
    entry_id: str


class LedgerLines(Response):
    """Oldest first. The lines of a kind, or of a `figure`, over all pages add up to the figure of these days.

    For a state such as `mrr_cents`, they add up to its change.
    """

    currency: str
    from_day: Day
    to_day: Day
    lines: list[LedgerLine]
    next: str | None
    """The `cursor` of the next page."""


class FunnelStep(Response):
    step: Literal["paywall_seen", "pricing_viewed", "checkout_started", "paid", "active"]
    count: int


class FunnelReport(Response):
    """Counts of events, not of people: users are not tracked from step to step."""

    from_day: Day
    to_day: Day
    steps: list[FunnelStep]


class ChurnMonth(Response):
    """`complete`: the month is over."""

    month: Month
    complete: bool
    users_at_start: int
    users_lost: int
    users_lost_voluntary: int
    mrr_at_start_cents: int
    mrr_lost_cents: int


class ReasonCount(Response):
    reason: str
    """A cancellation reason (`too_expensive`, …), `payment_failed`, or `not_given`."""
    count: int


class ChurnReport(Response):
    currency: str
    from_day: Day
    to_day: Day
    months: list[ChurnMonth]
    """The newest first."""
    reasons: list[ReasonCount]


class Cohort(Response):
    """Users whose first paid month is `month`; `retained[n]` of them still paid n months later (`retained[0]` all)."""

    month: Month
    size: int
    retained: list[int]


class CohortReport(Response):
    cohorts: list[Cohort]
