"""Answers of the admin calls: revenue and its metrics, users, payment events, the effect of a plan change.

Days and months are `2026-11-22` and `2026-11` in UTC, both ends of a range included. Money is in the minor unit of
the report's `currency`; currencies are never added up.
"""

from typing import Any, Literal

from pydantic import Field

from billing.api.customer import MoneyOfUser, NoteView, SubscriptionFacts
from billing.api.responses import (
    EntitlementView,
    FaultyField,
    FeatureChange,
    FeatureJson,
    Flag,
    ReceiptView,
    Response,
    SourceView,
    SubscriptionStatus,
    Time,
)

Day = str
Month = str
LedgerKind = Literal[
    "payment", "refund", "refund_failed", "dispute", "dispute_won", "tax", "fee", "mrr", "trial", "checkout"
]
LedgerMovement = Literal["new", "expansion", "contraction", "churn", "reactivation", "switch"]


class Money(Response):
    """gross − refunded − disputed − fees = net, all without tax; `tax_cents` stands beside, in none of the others."""

    gross_cents: int
    refunded_cents: int
    disputed_cents: int
    """Chargebacks, less those that were won."""
    fees_cents: int
    net_cents: int
    tax_cents: int
    """Collected for the state, less what went back."""
    payments: int


class Movements(Response):
    """What moved the MRR, signed: contraction and churn are negative."""

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
    """What those who paid at the start bring at the end, as a share of what they brought; null: nobody paid."""


class RevenueTotals(Money, Movements, Customers):
    """State at the end of the range (`mrr` … `trialing`) and sums over it (the rest)."""

    mrr_cents: int
    arr_cents: int
    arpu_cents: int
    """MRR per paying user, rounded down."""
    active: int
    """Users with at least one paying subscription or running term."""
    subscribers: int
    """Paying subscriptions and running terms: a user may have several."""
    trialing: int
    lifetime_value_cents: int | None
    """ARPU times the months that a customer stays, if as many go as in this range; null: nobody went."""


class RevenueDay(Money, Movements):
    """`mrr_cents` at the day's end."""

    day: Day
    mrr_cents: int


class RevenueMonth(Money, Movements, Customers):
    """The days of a month that lie in the range. `complete`: that is the whole month, and it is over."""

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
    """Every currency with any figure, so that a page can offer them."""
    from_day: Day
    to_day: Day
    previous_from_day: Day
    previous_to_day: Day
    totals: RevenueTotals
    previous: RevenueTotals
    """Of the range just before: of the same length, or of whole months as many whole months."""
    days: list[RevenueDay]
    """One for every day of the range, also the quiet ones."""
    months: list[RevenueMonth]
    """The newest first."""
    by_plan: list[RevenueSlice]
    by_provider: list[RevenueSlice]


class LedgerLine(Response):
    """Money in is positive, money out negative; of `mrr` the amount is the change per month."""

    at: Time
    user_id: str
    """`erased_…` once the person is gone."""
    kind: LedgerKind
    movement: LedgerMovement | None
    reason: str | None
    amount_cents: int
    """Without tax, which is beside it."""
    tax_cents: int
    plan_id: str
    plan_version: int
    provider: str
    object_id: str
    """The payment, subscription, purchase or checkout at the provider."""
    entry_id: str


class LedgerLines(Response):
    """Oldest first. The lines of a kind, or of a `figure`, add up over all pages to the figure of these days.

    Of what is so at a time, as `mrr_cents`, they are what changed it.
    """

    currency: str
    from_day: Day
    to_day: Day
    lines: list[LedgerLine]
    next: str | None
    """Pass it as `cursor` for the page after this one."""


class FunnelStep(Response):
    step: Literal["paywall_seen", "pricing_viewed", "checkout_started", "paid", "active"]
    count: int


class FunnelReport(Response):
    """Counts of events, not of people: nobody is followed from one step to the next."""

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


class UserSummary(Response):
    """A customer as the list shows them. `plans`: what they have now; `rails`: where they ever bought."""

    user_id: str
    matched: (
        Literal["user", "customer", "subscription", "purchase", "payment", "invoice", "transaction", "event"] | None
    )
    """Of a search: what the text was found to be, or part of."""
    matched_id: str | None
    plans: list[str]
    status: str
    """Of the best live source: active, past_due, paid, granted, …; else of the newest subscription, or free."""
    rails: list[str]
    at_risk: bool
    """A payment is missing, or a cancellation is scheduled."""
    has_credits: bool
    since: Time | None
    ends_at: Time | None
    """When all they have ends, where nothing renews it."""


class IndexState(Response):
    """How old the list may be: the newest change that is in it, and how long that took to arrive."""

    changed_at: Time | None
    lag_seconds: int | None


class UserList(Response):
    """The newest first; with `ends_within_days` the next end first. A page may be short and still have a next one."""

    users: list[UserSummary]
    next: str | None
    """Pass it as `cursor` for the page after this one."""
    index: IndexState


# The first of these are `billing.rules.history.Code`.
TimelineCode = (
    Literal["began", "moved", "became", "canceling", "resumed", "scheduled", "unscheduled", "renewed"]
    | Literal["paid", "refunded", "refund_failed", "disputed", "dispute_won"]
)


class TimelineEntry(Response):
    """Something that happened to an account, newest first in a list."""

    at: Time
    kind: Literal["subscription", "purchase", "term", "gift", "voucher", "grant", "payment", "refund", "dispute"]
    code: TimelineCode
    """What happened; the values beside say the rest. A renewal carries the amount of its payment."""
    status: str | None
    plan_id: str | None
    plan_was: str | None
    next_plan_id: str | None
    """The plan that it changes to at the period's end, or no longer does."""
    until: Time | None
    """The end of the period, or of all of it once it is canceling."""
    provider: str | None
    event_id: str | None
    """The payment event that caused it, where one did."""
    amount_cents: int | None
    tax_cents: int | None
    currency: str | None
    actor: str | None
    """The admin, where one acted."""
    reason: str | None


class GrantView(Response):
    grant_id: str
    features: dict[str, FeatureJson]
    granted_by: str
    reason: str
    granted_at: Time
    expires_at: Time | None
    revoked_at: Time | None


class UserDetail(Response):
    user_id: str
    status: SubscriptionStatus
    facts: list[SubscriptionFacts]
    money: list[MoneyOfUser]
    undecided: "list[AdminInvoice]"
    """Money that came and bought nothing: accept it, or give it back."""
    notes: list[NoteView]
    """The newest first."""
    entitlements: list[EntitlementView]
    grants: list[GrantView]
    payments: list[ReceiptView]
    """Every payment, newest first; `payment_id` is what a refund names."""
    timeline: list[TimelineEntry]


class LastGiven(Response):
    """What gave a feature last, until when, and what happened then: the plan was left (`moved`), or the record became
    `canceled`, `refunded`, …; null: its time ran out."""

    kind: Literal["subscription", "purchase", "term", "voucher", "grant", "plan"]
    plan_id: str | None
    until: Time
    then: str | None
    then_plan_id: str | None


class PlanName(Response):
    plan_id: str
    name: str


class Explanation(Response):
    """Why a user has, or does not have, a feature at a time; `sources` also lists those that no longer give."""

    user_id: str
    feature: str
    at: Time
    allowed: bool
    value: FeatureJson | None
    also: list[FeatureJson]
    """Allowances that run beside `value`, each with its own use."""
    scenario: Literal["not_in_plan", "limit_reached", "expired", "payment_failed"] | None
    """Why it is closed; null while it is open."""
    expires_at: Time | None
    sources: list[SourceView]
    last: LastGiven | None
    """Of a closed feature, what gave it last; null: nothing ever did."""
    offers: list[PlanName]
    """Of a closed feature, the plans on sale that give it."""


class RefundPart(Response):
    """One refund at the provider. A payment that was made in several parts goes back in as many."""

    refund_id: str
    amount_cents: int
    status: Literal["pending", "succeeded", "failed"]


RefundOutcome = Literal["preview", "made", "partly_made", "refused"]


class RefundEffect(Response):
    """What a refund did, or (`dry_run`) would do. `amount_cents` is what goes back, of the `asked_cents`."""

    dry_run: bool
    provider: str
    payment_id: str
    outcome: RefundOutcome
    refund_id: str | None
    """The newest of `parts`."""
    amount_cents: int
    asked_cents: int
    refundable_cents: int
    """What was left to refund before it."""
    currency: str
    features_lost: list[str]
    parts: list[RefundPart]
    error: str | None
    """The provider's words about what did not go back."""
    outside_cents: int
    """What was paid past the provider, which cannot give it back: that is yours to do."""
    claim_url: str | None = None
    """By this link the buyer claims a bitcoin refund: hand it over, it is stored nowhere."""


class UserExport(Response):
    """A page of everything stored about one user: records, then payment events."""

    user_id: str
    exported_at: Time
    records: list[dict[str, Any]]
    next: str | None
    """Pass it as `cursor` for the page after this one."""


class Erasure(Response):
    """What was removed by this call, and what is kept for the books without the person."""

    user_id: str
    """The pseudonym under which the books are kept."""
    erased_records: int
    kept_ledger_entries: int
    done: bool
    """False: it takes longer than a call may, and the rest follows by itself within minutes."""


class AuditEntry(Response):
    """What an admin did. `before` and `after` hold the records that it changed."""

    at: Time
    actor: str
    action: str
    """grant, revoke_grant, refund, export, erase, redrive, create_plan, …"""
    subject: str
    """The user, plan or events it was done to; of an erased user the pseudonym."""
    reason: str | None
    before: Any
    after: Any


class AuditList(Response):
    entries: list[AuditEntry]


class FlagList(Response):
    """The flags in force. `version` grows with every change; 0: none was ever set."""

    version: int
    salt: str
    flags: dict[str, Flag]


class PaymentEventView(Response):
    event_id: str
    provider: str
    type: str
    status: Literal["processed", "failed", "quarantined", "dead", "set_aside"]
    """`failed` will be tried again by the queue; `quarantined` has no effect here; `dead` waits in the dead-letter
    queue; `set_aside` will never be ours, as `aside_by` said."""
    outcome: Literal["applied", "unchanged", "ignored", "quarantined"] | None
    """What it changed; `unchanged` when it told what was known. None as long as it fails."""
    cause: str | None
    """Why it failed, in plain words."""
    code: str | None
    """The same as one stable word; None of events from before there was one."""
    remedy: str | None
    """What to do about it."""
    attempts: int
    received_at: Time
    processed_at: Time | None
    user_id: str | None
    plan_id: str | None
    amount_cents: int | None
    """What it is about, as far as it or our own record of the object says so."""
    currency: str | None
    aside_by: str | None
    aside_reason: str | None
    payload: dict[str, Any]
    """The minimal payload: no personal data."""


class QueueDepth(Response):
    """`failing`, `quarantined` and `set_aside` are counted to about a thousand."""

    waiting: int
    in_flight: int
    dead: int
    failing: int
    """Tried again by itself; dead letters are not among them."""
    quarantined: int
    set_aside: int


class PaymentEventList(Response):
    events: list[PaymentEventView]
    queue: QueueDepth
    next: str | None
    """Pass it as `cursor` for the page after this one."""


class RedriveItem(Response):
    event_id: str
    outcome: Literal["redriven", "would_redrive", "skipped"]
    reason: str | None


class RedriveResult(Response):
    dry_run: bool
    items: list[RedriveItem]


class SettledItem(Response):
    event_id: str
    outcome: Literal["set_aside", "taken_back", "skipped"]
    reason: str | None


class SettledResult(Response):
    items: list[SettledItem]


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


class InvoiceReturn(Response):
    """A refund of a bitcoin invoice. `told`: the provider's words, where the amount is rounded or converted from them.

    `waits_for`: whose turn it is while it is on its way: the buyer's (`claim`), the merchant's at the server
    (`approval`) or the server's (`payment`).
    """

    refund_id: str
    amount_cents: int
    told: str | None
    status: Literal["pending", "succeeded", "failed"]
    waits_for: Literal["claim", "approval", "payment"] | None


class AdminInvoice(Response):
    """A bitcoin invoice. `needs_decision`: money came, but not as agreed; accept it or give it back."""

    user_id: str
    provider: str
    purchase_id: str
    plan_id: str
    status: str
    amount_cents: int
    received_cents: int
    """All that came, less the network's fees, at the invoice's rate; `received_sat` is the same in satoshis."""
    received_sat: int
    due_cents: int
    surplus_cents: int
    refunded_cents: int
    """All that was given back, or is on its way, whether of a surplus or of the price."""
    refundable_cents: int
    """At most this can go back."""
    undecided_cents: int
    """What bought nothing and waits for a decision."""
    doubles: str | None
    """The earlier purchase of the same plan for good, which this one pays for again."""
    refunds: list[InvoiceReturn]
    currency: str
    accepted_by: str | None
    needs_decision: bool
    created_at: Time
    expires_at: Time | None
    claim_urls: list[str] = Field(default_factory=list)
    """Links of refunds that nobody has claimed yet; only when the invoice was read at the provider just now."""


class AdminInvoiceList(Response):
    invoices: list[AdminInvoice]
    cannot_see: dict[str, list[str]] = Field(default_factory=dict)
    """By provider, what its set-up is not told: `refunds_until_complete` (see docs/bitcoin.md)."""


class InvoiceRefund(AdminInvoice):
    refund_id: str | None
    outcome: RefundOutcome
    parts: list[RefundPart]
    error: str | None
    claim_url: str | None
    """By this link the buyer claims the refund; null when the provider sends it by itself."""


class EndpointView(Response):
    """Where a host is told what happens. `secrets`: how many sign; two while one is being replaced."""

    endpoint_id: str
    url: str
    description: str
    event_types: list[str]
    state: Literal["enabled", "paused"]
    paused_for: Literal["admin", "failing", "gone"] | None
    """By an admin; because it took nothing in for three days; or because it answered 410."""
    paused_at: Time | None
    created_at: Time
    secrets: int
    failing_since: Time | None
    failures: int
    """In a row, over all its accounts."""
    last_status: int | None
    last_error: str | None
    succeeded_at: Time | None


class EndpointList(Response):
    endpoints: list[EndpointView]
    event_types: list[str]
    """All there are."""


class EndpointWithSecret(EndpointView):
    secret: str
    """`whsec_…`, shown this once."""


class TestSent(Response):
    event_id: str


class DeliveryView(Response):
    """One event for one endpoint, and how its newest try went."""

    delivery_id: str
    event_id: str
    type: str
    state: Literal["waiting", "delivered", "failed"]
    tries: int
    status: int | None
    """Of the answer; null where there was none."""
    error: str | None
    """refused, redirected, timed_out, broken_off, connect_failed, tls_failed, unknown_host, private_address, bad_url"""
    accepted_at: Time
    tried_at: Time | None
    took_ms: int | None
    body: str
    """As it was signed and sent. What was answered is not kept."""


class DeliveryList(Response):
    deliveries: list[DeliveryView]
    cursor: str | None


class Resent(Response):
    lanes: int
    """How many accounts are told again."""


class VoucherBatch(Response):
    """Vouchers made together: of a plan's version for so many of its intervals, or of credits (`features`)."""

    batch_id: str
    plan_id: str | None
    plan_name: str | None
    plan_version: int | None
    interval: Literal["month", "year", "once"]
    intervals: int
    features: dict[str, FeatureJson]
    count: int
    sold_cents: int
    """What each was sold for; booked when it is redeemed."""
    currency: str | None
    expires_at: Time | None
    note: str
    made_at: Time
    made_by: str


class VoucherBatchList(Response):
    batches: list[VoucherBatch]


class VoucherCounts(Response):
    ready: int
    redeemed: int
    expired: int
    revoked: int


class VoucherLine(Response):
    number: int
    state: Literal["ready", "redeemed", "expired", "revoked", "refunded", "disputed", "unconfirmed"]


class VoucherBatchDetail(VoucherBatch):
    counts: VoucherCounts
    vouchers: list[VoucherLine]


class VouchersRevoked(VoucherBatchDetail):
    revoked: int


class VoucherCodeLine(Response):
    number: int
    code: str
    url: str
    """Opens the page that redeems it. The code stands behind a #, which no server is told."""


class VoucherCodes(VoucherBatch):
    """The codes of what can still be redeemed."""

    codes: list[VoucherCodeLine]
