"""Answers about a buyer's subscriptions, terms, purchases and vouchers."""

from typing import Literal

from pydantic import Field

from billing.api.answers.base import FeatureJson, PlanNamed, Response, Time
from billing.api.answers.plans import FeatureChange
from billing.rules.ends import Act, Kind
from billing.rules.invoice_states import State
from billing.rules.plans import Interval
from billing.rules.standing import EndReason, NextKind


class PaymentProblem(Response):
    """`next_attempt_at` null: there will be no automatic retry."""

    since: Time
    attempt_count: int
    next_attempt_at: Time | None
    action_required: bool
    access_until: Time | None


class Standing(PlanNamed):
    """`access_until`: the known end of access; null while it renews, has no end, or gives no access. `ended_at`: when
    access ended, and `end_reason` why."""

    open: bool
    access_until: Time | None
    ended_at: Time | None
    end_reason: EndReason | None


class NextStep(PlanNamed):
    """What happens next without any action: it `changes` to the named plan, or `moves` to a newer version of its plan.

    `due`: a payment is open, and no further attempt is planned. `arrives`: the first payment is still pending.
    `awaited`: the date has come, but the provider has not reported the result yet.
    """

    kind: NextKind
    at: Time | None
    amount_cents: int | None
    currency: str


class IfCanceled(Response):
    """`waived_cents`: an open payment that would no longer be collected. `features`: what changes after the end."""

    access_until: Time
    waived_cents: int
    currency: str
    features: list[FeatureChange]


class SubscriptionView(Standing):
    provider: str
    subscription_id: str
    price_cents: int
    currency: str
    status: str
    current_period_end: Time
    next_billing_at: Time | None
    trial_end: Time | None
    cancel_at: Time | None
    scheduled_plan_id: str | None
    """The plan of the next period: another one, or the same with a newer version."""
    scheduled_price_cents: int | None
    payment_problem: PaymentProblem | None
    next: NextStep
    if_canceled: IfCanceled | None
    """Null if it cannot be cancelled."""
    actions: list[Literal["change", "cancel", "resume", "keep", "fix_payment", "payment_method", "resubscribe"]]
    """What is possible now: `keep` undoes a scheduled change, `resume` a cancellation or a pause."""


class InvoiceState(Response):
    """The state of a bitcoin invoice. `payable`: it accepts payments. `watched`: its payments may still change.

    `again`: a new checkout is possible without the risk of paying twice. `received_cents`: at the invoice's rate.
    """

    state: State
    payable: bool
    watched: bool
    again: bool
    received_cents: int


class PurchaseView(Standing):
    """A one-time purchase or a prepaid term. `payable_until`: when a bitcoin invoice expires."""

    provider: str
    purchase_id: str
    status: str
    amount_cents: int
    currency: str
    refunded_cents: int
    due_cents: int
    """The missing amount of an underpaid invoice."""
    surplus_cents: int
    received_cents: int = 0
    """Of a bitcoin invoice: received, less network fees."""
    waits_for_a_person: bool = False
    """A payment bought nothing (yet): an admin decides whether to accept or refund it."""
    refund_waits_for: Literal["claim", "approval", "payment"] | None = None
    """The next step of a pending bitcoin refund: the buyer's claim, the merchant's approval, the server's payment."""
    created_at: Time
    payable_until: Time | None
    invoice: InvoiceState | None
    """Null for card payments."""


class TermView(PurchaseView):
    starts_at: Time | None
    ends_at: Time | None


class OpenCheckout(PlanNamed):
    """A checkout that is not paid yet."""

    checkout_id: str
    provider: str
    url: str
    amount_cents: int
    currency: str
    expires_at: Time


class EndedPlan(PlanNamed):
    """`renewable`: the group of plans in which the next prepaid term can be bought."""

    kind: Literal["subscription", "term"]
    ended_at: Time
    reason: EndReason
    renewable: str | None


class RenewalView(Response):
    """The end of prepaid time in a group of plans, and whether the buyer wants reminders.

    `by_wallet`: the state of the wallet that renews it; null: none is connected.
    """

    group: str
    plan_id: str
    provider: str
    ends_at: Time
    reminders: bool
    by_wallet: Literal["renews", "trouble", "paused"] | None = None


class VoucherView(Response):
    """A redeemed voucher: a plan for a number of intervals, or credits. `ends_at` null: no end."""

    redemption_id: str
    plan_id: str | None
    plan_name: str | None
    interval: Interval
    intervals: int
    features: dict[str, FeatureJson]
    """What it gives if it is not for a plan."""
    open: bool
    access_until: Time | None
    ended_at: Time | None
    end_reason: EndReason | None
    redeemed_at: Time
    starts_at: Time
    ends_at: Time | None


class EndView(PlanNamed):
    """Something that ends, and what the buyer can do about it.

    `act`: `renew` it by hand; nothing, because it renews automatically (`wallet_pays` or `charged`, at `due_at`; null:
    now); renew by hand because of `wallet_trouble`; `resume` it; `fix_payment`; `buy` it again; or `none`.
    `amount_cents`: the price of continuing; null if nothing is sold.
    """

    id: str
    """Changes with the end and with `act`, so that a page can remember dismissed notices by it."""
    kind: Kind
    ends_at: Time
    notice_from: Time
    """When a page should start to show it: at the time of the first reminder."""
    act: Act
    due_at: Time | None
    amount_cents: int | None
    currency: str
    group: str | None
    """The group of plans in which prepaid time is renewed."""


class SubscriptionStatus(Response):
    user_id: str
    server_time: Time
    plan_id: str
    """The plan in force: the highest-ranked recurring plan with access, else the free plan."""
    plan_name: str
    access_until: Time | None
    """The end of the plan in force, including consecutive terms; null while it renews or has no end."""
    ended: EndedPlan | None
    """The recurring plan that ended last, if none is in force."""
    subscriptions: list[SubscriptionView]
    terms: list[TermView]
    purchases: list[PurchaseView]
    vouchers: list[VoucherView] = Field(default_factory=list)
    checkout: OpenCheckout | None
    holds: bool
    """Whether the account has anything of value, including gifts for others, so that its key should be backed up."""
    renewals: list[RenewalView] = Field(default_factory=list)
    """The ends of prepaid time, by group of plans."""
    wallets: list[str] = Field(default_factory=list)
    """The groups of plans with a connected wallet, with or without prepaid time."""
    ends: list[EndView] = Field(default_factory=list)
    """All known ends, soonest first."""
