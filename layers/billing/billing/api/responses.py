"""Answers, as they are documented and checked: handlers build plain dicts, tests hold them against these models.

Times are RFC 3339 strings in UTC (`2026-11-22T21:00:00Z`); amounts integers in the minor unit.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Time = str
FeatureJson = bool | int | dict[str, int | str]


class Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """RFC 9457, with a stable `code`. Members beyond these depend on the code."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    code: str
    detail: str


class FaultyField(Response):
    path: str
    message: str


class InvalidRequestProblem(Problem):
    errors: list[FaultyField]


class Offer(Response):
    """A plan that would unlock what was refused."""

    plan_id: str
    name: str
    price_cents: int
    currency: str
    interval: Literal["month", "year", "once"]


class FeatureLockedProblem(Problem):
    feature: str
    scenario: Literal["not_in_plan", "limit_reached", "expired", "payment_failed"]
    offers: list[Offer]
    upgrade_url: str
    sources: "list[SourceView]" = []
    """The records that gave it once, or would if they were paid."""


class PublicPlan(Response):
    plan_id: str
    version: int
    name: str
    description: str
    price_cents: int
    currency: str
    interval: Literal["month", "year", "once"]
    tier: str
    rank: int
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


class PlanList(Response):
    plans: list[PublicPlan]
    features: list[FeatureInfo]
    payment_providers: dict[str, PaymentProvider]
    """By the names that plans, purchases and receipts use."""


class AdminPlan(PublicPlan):
    status: Literal["active", "hidden", "archived"]
    grace_days: int
    optimistic: bool
    provider_plan_ids: dict[str, str]


class AdminPlanList(Response):
    plans: list[AdminPlan]
    """Every version, newest first within a plan."""


class CheckoutSession(Response):
    checkout_id: str
    provider: str
    url: str
    expires_at: Time
    reused: bool


class Confirmation(Response):
    status: Literal["open", "processing", "completed", "expired"]
    plan_id: str
    provider: str
    entitlements_version: int


class PaymentProblem(Response):
    since: Time
    attempt_count: int
    next_attempt_at: Time | None
    action_required: bool
    access_until: Time | None


class SubscriptionView(Response):
    provider: str
    subscription_id: str
    plan_id: str
    plan_name: str
    price_cents: int
    currency: str
    interval: str
    status: str
    current_period_end: Time
    next_billing_at: Time | None
    trial_end: Time | None
    cancel_at: Time | None
    grace_until: Time | None
    scheduled_plan_id: str | None
    """What the next period brings: another plan, or (when it is the same) a newer version of this one."""
    scheduled_price_cents: int | None
    payment_problem: PaymentProblem | None
    action: Literal["none", "update_payment_method", "resume", "renew", "resubscribe"]


class TermView(Response):
    provider: str
    purchase_id: str
    plan_id: str
    plan_name: str
    status: str
    starts_at: Time | None
    ends_at: Time | None
    amount_cents: int
    currency: str
    due_cents: int = 0
    """Still missing on an underpaid invoice."""
    surplus_cents: int = 0


class PurchaseView(Response):
    provider: str
    purchase_id: str
    plan_id: str
    plan_name: str
    status: str
    amount_cents: int
    currency: str
    refunded_cents: int
    due_cents: int
    surplus_cents: int
    created_at: Time
    expires_at: Time | None


class RenewalView(Response):
    """The end of what is prepaid in a group of plans, and whether its buyer wants to be reminded of it."""

    group: str
    plan_id: str
    provider: str
    ends_at: Time
    reminders: bool


class SubscriptionStatus(Response):
    user_id: str
    plan_id: str
    """The plan in force: of the best live source, else the free plan."""
    plan_name: str
    subscriptions: list[SubscriptionView]
    terms: list[TermView]
    purchases: list[PurchaseView]
    checkout: CheckoutSession | None
    """A checkout that is still open."""
    renewals: list[RenewalView] = Field(default_factory=list)
    """When what is prepaid ends, by group of plans."""


class SourceView(Response):
    kind: Literal["subscription", "purchase", "term", "grant", "plan"]
    id: str
    plan_id: str | None
    reason: str
    """Why it gives, or no longer gives: active, trialing, past_due_grace, paid, granted, free, expired, …"""
    expires_at: Time | None


class EntitlementView(Response):
    feature: str
    value: FeatureJson
    expires_at: Time | None
    sources: list[SourceView]
    remaining: int | None = None
    resets_at: Time | None = None


class EntitlementList(Response):
    user_id: str
    plan_id: str
    version: int
    entitlements: list[EntitlementView]
    token: str | None
    """Signed entitlement token (ES256 JWT) for offline gates; null when this stack signs none."""
    token_expires_at: Time | None


class FeatureDecision(Response):
    feature: str
    allowed: Literal[True]
    value: FeatureJson
    expires_at: Time | None
    sources: list[SourceView]
    remaining: int | None = None
    resets_at: Time | None = None


class UsageResult(Response):
    """`used` counts this period, `remaining` includes `credits`; `remaining` null: not limited."""

    feature: str
    allowed: bool
    used: int
    remaining: int | None
    credits: int
    resets_at: Time | None
    reservation_id: str | None = None
    repeated: bool = False
    code: str | None = None
    """Why it was refused; in a batch only."""


class UsageResults(Response):
    items: list[UsageResult]


class ChangePreviewView(Response):
    preview_id: str
    plan_id: str
    kind: Literal["upgrade", "downgrade", "switch"]
    at_period_end: bool
    amount_due_cents: int
    credit_cents: int
    currency: str
    next_amount_cents: int
    next_billing_at: Time
    effective_at: Time
    features_gained: list[str]
    features_lost: list[str]
    expires_at: Time


class PortalSession(Response):
    url: str


class ReceiptView(Response):
    provider: str
    payment_id: str
    paid_at: Time
    amount_cents: int
    refunded_cents: int
    currency: str
    status: str
    plan_id: str | None
    url: str | None


class ReceiptList(Response):
    receipts: list[ReceiptView]


class SessionTokens(Response):
    session_token: str
    expires_at: Time
    refresh_token: str
    user_id: str


class Jwk(BaseModel):
    kty: str
    crv: str
    x: str
    y: str
    kid: str
    alg: str
    use: str


class KeySet(Response):
    keys: list[Jwk]


class CryptoInvoice(Response):
    """What a page needs to let somebody pay an invoice in bitcoin, in the words used for cards.

    `status` is pending, underpaid (`due_cents` is still missing), processing, paid, paid_late or failed. What is needed
    to pay is null once nothing can be paid any more; count down by `expires_at` less `server_time`.
    """

    provider: str
    purchase_id: str
    status: str
    amount_cents: int
    due_cents: int
    surplus_cents: int
    currency: str
    amount_btc: str | None
    due_btc: str | None
    address: str | None
    bip21: str | None
    lightning: str | None
    created_at: Time
    expires_at: Time
    server_time: Time
    url: str | None


class Flag(Response):
    """On for `percent` of the users, and for those in `allow` whatever the percentage."""

    percent: int
    allow: list[str]
    """User ids, keyed-hashed like `sub`: they name nobody."""


class PublicConfig(Response):
    """The same for everybody and cacheable: each client evaluates its flags alone, by hashing `salt`, flag and user."""

    version: int
    salt: str
    flags: dict[str, Flag]
    providers: list[str]
    sign_in: list[Literal["nostr", "oidc", "development"]]
    server_time: Time


class Empty(Response):
    """Nothing to say beyond the status."""


Json = dict[str, Any]
