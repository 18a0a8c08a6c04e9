"""Answers about what a buyer has, how it stands and what can be done about it."""

from typing import Literal

from pydantic import Field

from billing.api.answers.base import FeatureJson, PlanNamed, Response, Time
from billing.api.answers.plans import FeatureChange
from billing.rules.ends import Act, Kind
from billing.rules.invoice_states import State
from billing.rules.plans import Interval
from billing.rules.standing import EndReason, NextKind


class PaymentProblem(Response):
    """`next_attempt_at` null: nobody will try again by itself."""

    since: Time
    attempt_count: int
    next_attempt_at: Time | None
    action_required: bool
    access_until: Time | None


class Standing(PlanNamed):
    """`access_until`: an end that is in sight; null while it renews, is for good, or gives nothing. `ended_at`: since
    when it gives nothing any more, and `end_reason` why."""

    open: bool
    access_until: Time | None
    ended_at: Time | None
    end_reason: EndReason | None


class NextStep(PlanNamed):
    """What happens next by itself: `changes` to the plan named, `moves` to a newer version of the same.

    `due`: a payment is open, and no further attempt is planned. `arrives`: the first payment is still on its way.
    `awaited`: its day has come, and the provider has not told yet what became of it.
    """

    kind: NextKind
    at: Time | None
    amount_cents: int | None
    currency: str


class IfCanceled(Response):
    """`waived_cents`: an open payment that is then no longer collected. `features`: what changes after the end."""

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
    """What the next period brings: another plan, or (when it is the same) a newer version of this one."""
    scheduled_price_cents: int | None
    payment_problem: PaymentProblem | None
    next: NextStep
    if_canceled: IfCanceled | None
    """Null when it cannot be cancelled."""
    actions: list[Literal["change", "cancel", "resume", "keep", "fix_payment", "payment_method", "resubscribe"]]
    """What would not be refused now: `keep` takes back a scheduled change, `resume` a cancellation or a pause."""


class InvoiceState(Response):
    """How a bitcoin invoice stands. `payable`: money is asked for. `watched`: money may still come, or move.

    `again`: a new quote takes no risk of paying twice. `received_cents` is what came, at the invoice's rate.
    """

    state: State
    payable: bool
    watched: bool
    again: bool
    received_cents: int


class PurchaseView(Standing):
    """Something bought once, or a prepaid term. `payable_until`: when a bitcoin invoice runs out."""

    provider: str
    purchase_id: str
    status: str
    amount_cents: int
    currency: str
    refunded_cents: int
    due_cents: int
    """Still missing on an underpaid invoice."""
    surplus_cents: int
    received_cents: int = 0
    """Of an invoice in bitcoin: all that came, less the network's fees."""
    waits_for_a_person: bool = False
    """Money came that bought nothing (yet): somebody decides whether it counts or goes back."""
    refund_waits_for: Literal["claim", "approval", "payment"] | None = None
    """Whose turn it is with a refund in bitcoin: the buyer's, the merchant's, or that of the server that pays it."""
    created_at: Time
    payable_until: Time | None
    invoice: InvoiceState | None
    """Null for what was paid by card."""


class TermView(PurchaseView):
    starts_at: Time | None
    ends_at: Time | None


class OpenCheckout(PlanNamed):
    """A checkout that waits to be paid."""

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
    """The end of what is prepaid in a group of plans, and whether its buyer wants to be reminded of it.

    `by_wallet`: how the wallet stands that is to renew it; null: none is connected.
    """

    group: str
    plan_id: str
    provider: str
    ends_at: Time
    reminders: bool
    by_wallet: Literal["renews", "trouble", "paused"] | None = None


class VoucherView(Response):
    """A voucher that was redeemed: a plan for so many of its intervals, or credits. `ends_at` null: for good."""

    redemption_id: str
    plan_id: str | None
    plan_name: str | None
    interval: Interval
    intervals: int
    features: dict[str, FeatureJson]
    """What it gives where that is no plan's."""
    open: bool
    access_until: Time | None
    ended_at: Time | None
    end_reason: EndReason | None
    redeemed_at: Time
    starts_at: Time
    ends_at: Time | None


class EndView(PlanNamed):
    """Something that ends, and what to do about it.

    `act`: `renew` it by hand; nothing, because `wallet_pays` or it is `charged` by itself (`due_at`; null: at this
    moment); by hand, because of `wallet_trouble`; `resume` it, or `fix_payment`; `buy` it again; or there is `none`.
    `amount_cents`: what going on costs; null where nothing is sold.
    """

    id: str
    """Another one for each end, and for each thing to do about it: what a page remembers that was put away."""
    kind: Kind
    ends_at: Time
    notice_from: Time
    """When to begin to tell of it: so many days before as the first reminder, unless a page knows better."""
    act: Act
    due_at: Time | None
    amount_cents: int | None
    currency: str
    group: str | None
    """In which it is renewed, for what is paid ahead."""


class SubscriptionStatus(Response):
    user_id: str
    server_time: Time
    plan_id: str
    """The plan in force: of the best live source, else the free plan."""
    plan_name: str
    access_until: Time | None
    """How far the plan in force reaches, over terms that follow each other; null while it renews or has no end."""
    ended: EndedPlan | None
    """The recurring plan that ended last, when none is in force."""
    subscriptions: list[SubscriptionView]
    terms: list[TermView]
    purchases: list[PurchaseView]
    vouchers: list[VoucherView] = Field(default_factory=list)
    checkout: OpenCheckout | None
    holds: bool
    """Whether anything would be lost with the account, gifts for others included: its key is then worth a copy."""
    renewals: list[RenewalView] = Field(default_factory=list)
    """When what is prepaid ends, by group of plans."""
    wallets: list[str] = Field(default_factory=list)
    """The groups of plans in which a wallet is connected, whether anything is prepaid there or not."""
    ends: list[EndView] = Field(default_factory=list)
    """All that ends, the soonest first."""
