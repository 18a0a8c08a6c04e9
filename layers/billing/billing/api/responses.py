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
    code: str | None = None
    """What is wrong with a plan as one stable word; none of what is merely no such value."""


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


class PlanNamed(Response):
    plan_id: str
    plan_name: str
    interval: Literal["month", "year", "once"]


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

    `blocked`: a change to it would be refused now.
    """

    plan_id: str
    version: int
    move: Literal["buy", "current", "upgrade", "downgrade", "switch", "owned", "free"]
    blocked: Literal["payment_open", "cancellation_scheduled"] | None
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
    status: Literal["active", "hidden", "archived"]
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
    gift: bool = False
    """It bought a voucher: `GET /billing/gifts` has its code."""


class PaymentProblem(Response):
    """`next_attempt_at` null: nobody will try again by itself."""

    since: Time
    attempt_count: int
    next_attempt_at: Time | None
    action_required: bool
    access_until: Time | None


EndReason = Literal["canceled", "unpaid", "expired", "refunded", "disputed", "replaced", "paused", "unconfirmed"]


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
    """

    kind: Literal["renews", "first_charge", "ends", "changes", "moves", "retries", "due", "arrives", "paused", "none"]
    at: Time | None
    amount_cents: int | None
    currency: str


class FeatureChange(Response):
    """`before` null: it is new. `after` null: nothing is left of it."""

    feature: str
    before: FeatureJson | None
    after: FeatureJson | None


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

    state: Literal[
        "waiting",
        "missing",
        "confirming",
        "expired",
        "held",
        "returning",
        "paid",
        "partially_refunded",
        "refunded",
        "disputed",
    ]
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


WalletTrouble = Literal[
    "relay_unreachable",
    "wallet_gone",
    "wallet_silent",
    "wallet_busy",
    "wallet_cannot_pay",
    "connection_ended",
    "budget_used_up",
    "balance_too_low",
    "payment_failed",
    "not_arrived",
    "price_raised",
    "above_ceiling",
    "plan_ended",
    "plan_changed",
    "term_returned",
    "shop_unavailable",
    "payment_held",
]


class WalletBudget(Response):
    """What the wallet lets us spend, as it said last. `total_sat` null: it sets no limit."""

    total_sat: int | None
    used_sat: int
    period: str
    renews_at: Time | None


class WalletConnection(Response):
    """What may be seen of a connection: nothing of it can pay. `key_end`: how the wallet's public key ends."""

    key_end: str
    relays: list[str]
    encryption: str
    connected_at: Time
    seen_at: Time
    budget: WalletBudget | None
    """Null where the wallet does not tell."""


class WalletView(PlanNamed):
    """A wallet that is asked to renew what is prepaid in a group of plans.

    `state`: waiting for its day (`asks_at`), under_way, trouble (tried again at `asks_at`), paused, given_up, or
    nothing_prepaid. `price_cents` is what was agreed to, `price_now_cents` what the plan costs now.
    """

    group: str
    state: Literal["waiting", "under_way", "trouble", "paused", "given_up", "nothing_prepaid"]
    trouble: WalletTrouble | None
    trouble_at: Time | None
    price_cents: int
    currency: str
    price_now_cents: int | None
    currency_now: str | None
    most_sat: int
    asked_sat: int | None
    """Of the invoice that is under way."""
    days_before: int
    agreed_at: Time
    ends_at: Time | None
    asks_at: Time | None
    by_hand_from: Time | None
    """While the wallet may still pay, nobody is given a second invoice; null: it can be paid by hand now."""
    renewed_at: Time | None
    connection: WalletConnection | None
    """Null: it cannot be opened any more, and has to be connected anew."""


class WalletList(Response):
    """`available`: whether this shop can ask a wallet. `days_before`: when it is asked. `last_sat`: what the newest
    term came to in satoshis, for a first idea of the ceiling."""

    available: bool
    days_before: int
    last_sat: int | None
    wallets: list[WalletView]


class VoucherView(Response):
    """A voucher that was redeemed: a plan for so many of its intervals, or credits. `ends_at` null: for good."""

    redemption_id: str
    plan_id: str | None
    plan_name: str | None
    interval: Literal["month", "year", "once"]
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


class VoucherOverlap(Response):
    """What is paid already and runs beside it."""

    plan_name: str
    ends_at: Time | None
    renews: bool


class VoucherGiven(VoucherView):
    """What redeeming gives, or would give, this account. `already`: it was redeemed before, by this very account."""

    already: bool
    entitlements_version: int
    overlap: VoucherOverlap | None


class GiftView(PlanNamed):
    """A voucher that was bought. `status` is its payment's, `voucher` its own: null while it is not paid for.

    `code` and `redeem_url` as long as nobody has redeemed it. Who did is not told, to nobody.
    """

    provider: str
    purchase_id: str
    checkout_id: str | None
    status: str
    voucher: Literal["ready", "redeemed", "expired", "revoked", "refunded", "disputed", "unconfirmed"] | None
    code: str | None
    redeem_url: str | None
    amount_cents: int
    currency: str
    created_at: Time


class GiftList(Response):
    gifts: list[GiftView]


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
    renewals: list[RenewalView] = Field(default_factory=list)
    """When what is prepaid ends, by group of plans."""


class SourceView(Response):
    kind: Literal["subscription", "purchase", "term", "voucher", "grant", "plan"]
    id: str
    plan_id: str | None
    reason: str
    """Why it gives, or no longer gives: active, trialing, past_due, paid, granted, free, canceled, …"""
    expires_at: Time | None


class EntitlementView(Response):
    feature: str
    value: FeatureJson
    also: list[FeatureJson] | None = None
    """Allowances that run beside `value`, such as one of a paid year beside one of the month; each with its own use."""
    expires_at: Time | None
    """When less of it will be given, or nothing; null: no end of this in sight."""
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


class FeatureDecision(EntitlementView):
    allowed: Literal[True]


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
    """Tax and discount of it are in it."""
    credit_cents: int
    tax_cents: int
    discount_cents: int
    currency: str
    next_amount_cents: int
    """The next bill as the provider will make it, with its tax and less its discount."""
    next_tax_cents: int
    next_discount_cents: int
    next_billing_at: Time
    effective_at: Time
    features: list[FeatureChange]
    """What changes, and only that."""
    expires_at: Time


class PortalSession(Response):
    url: str


class ReceiptView(PlanNamed):
    """`reason`: the first payment of a subscription, a further period, a change within one, prepaid time, or once."""

    provider: str
    payment_id: str
    number: str
    paid_at: Time
    amount_cents: int
    refunded_cents: int
    currency: str
    status: str
    reason: Literal["start", "renewal", "change", "term", "once"]
    period_start: Time | None
    period_end: Time | None
    url: str | None
    """The provider's own proof."""


class PaidInBitcoin(Response):
    amount_btc: str | None
    rate_cents: int | None
    """Of one bitcoin, as the invoice counted it."""
    transactions: list[str]
    """Their ids on the chain; none for what came over Lightning."""


class ReceiptDocument(ReceiptView):
    """A receipt with all that belongs on paper. `amount_cents` is the total: net and tax."""

    seller: list[str]
    """Name, address and tax number of whoever sells, line by line."""
    user_id: str
    net_cents: int
    tax_cents: int
    bitcoin: PaidInBitcoin | None
    """Null for what was paid by card, and where its provider knows nothing of it any more."""


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
    invoice: InvoiceState
    amount_cents: int
    received_cents: int
    """What came so far, less the network's fees, at the invoice's rate."""
    due_cents: int
    surplus_cents: int
    currency: str
    amount_btc: str | None
    due_btc: str | None
    rate_cents: int | None
    """Of one bitcoin, as this invoice counts it since `created_at`; null where it names no amount in bitcoin."""
    address: str | None
    bip21: str | None
    lightning: str | None
    created_at: Time
    expires_at: Time
    server_time: Time
    url: str | None
    confirmations: int | None
    """How many the network has to give until the payment counts; null: the provider does not tell."""
    claim_url: str | None
    """Where the buyer says to which address money goes back, while it waits for that."""


class Flag(Response):
    """On for `percent` of the users, and for those in `allow` whatever the percentage."""

    percent: int
    allow: list[str]
    """User ids, keyed-hashed like `sub`: they name nobody."""


class Links(Response):
    """Addresses of the seller's own pages (https: or mailto:); null where there is none."""

    contact: str | None
    terms: str | None
    privacy: str | None
    refunds: str | None


class IdentityProvider(Response):
    """Where a page signs somebody in: OpenID Connect's authorization code with PKCE, as a client without a secret."""

    issuer: str
    client_id: str
    authorization_url: str
    token_url: str
    scope: str
    token: Literal["id", "access"]
    """Which of the tokens that it answers is for this API."""


class Caller(Response):
    """Who the caller is here. `role` "" is everybody who does not work here."""

    user_id: str
    role: Literal["", "viewer", "support", "admin"]
    may: list[str]
    """The admin's calls that the role may make, such as `GET /admin/users`; a page shows no other."""


class PublicConfig(Response):
    """The same for everybody and cacheable: each client evaluates its flags alone, by hashing `salt`, flag and user."""

    version: int
    salt: str
    flags: dict[str, Flag]
    providers: list[str]
    sign_in: list[Literal["nostr", "oidc", "development"]]
    links: Links
    identity_provider: IdentityProvider | None
    server_time: Time


class Empty(Response):
    """Nothing to say beyond the status."""


Json = dict[str, Any]
