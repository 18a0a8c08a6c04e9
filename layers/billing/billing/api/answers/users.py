"""Answers about customers and the audit log, for admins."""

from typing import Any, Literal

from billing.api.answers.base import FeatureJson, Response, Time
from billing.api.answers.gate import EntitlementView, SourceView
from billing.api.answers.payments import AdminInvoice, ReceiptView
from billing.api.answers.status import IfCanceled, SubscriptionStatus, SubscriptionView
from billing.rules.entitlements import Scenario
from billing.rules.history import Code
from billing.rules.times import SourceKind


class NoteView(Response):
    """A note about a customer. `author` null: the customer's own comment when cancelling `subscription_id`."""

    note_id: str
    text: str
    at: Time
    author: str | None
    subscription_id: str | None
    kept_until: Time | None
    """When a customer's comment is deleted; null: it stays until it is removed or the customer erased."""


class SubscriptionFacts(Response):
    """Further fields of `status.subscriptions`, by the same id."""

    provider: str
    subscription_id: str
    customer_id: str | None
    created_at: Time
    period_start: Time
    quantity: int
    collection_paused: bool
    canceled_at: Time | None
    cancel_reason: str | None
    acts: list[Literal["cancel_at_end", "cancel_now", "resume", "change"]]
    """The admin actions that are possible now."""
    url: str | None
    """Its page in the provider's dashboard."""
    customer_url: str | None


class MoneyOfUser(Response):
    """With tax, as the customer paid it. `kept_cents`: paid, less returned and disputed."""

    currency: str
    payments: int
    paid_cents: int
    returned_cents: int
    disputed_cents: int
    kept_cents: int


class SubscriptionEffect(Response):
    """The effect of an admin action on a subscription, or its preview; `unchanged`: it was already in that state."""

    outcome: Literal["preview", "done", "unchanged"]
    subscription: SubscriptionView
    """After the action."""
    if_canceled: IfCanceled | None
    """For a cancellation: the end of access, and what is lost then."""


class DaysGiven(Response):
    """Free days after the customer's current access. The date of the next charge does not change."""

    outcome: Literal["preview", "done", "unchanged"]
    grant_id: str
    features: list[str]
    given_at: Time
    until: Time
    reason: str


class UserSummary(Response):
    """A customer in the list. `plans`: their current ones; `rails`: all payment methods they have ever used."""

    user_id: str
    matched: (
        Literal["user", "customer", "subscription", "purchase", "payment", "invoice", "transaction", "event"] | None
    )
    """In a search: the kind of id that matched."""
    matched_id: str | None
    plans: list[str]
    versions: list[str]
    """The plans with their versions: pro-month@2."""
    status: str
    """Of the best live source: active, past_due, paid, granted, …; else of the newest subscription; else free."""
    rails: list[str]
    at_risk: bool
    """A payment is missing, or a cancellation is scheduled."""
    has_credits: bool
    since: Time | None
    ends_at: Time | None
    """When all their access ends, if nothing renews."""


class IndexState(Response):
    """How current the list is: the time of its newest change, and how long that took to be indexed."""

    changed_at: Time | None
    lag_seconds: int | None


class UserList(Response):
    """Newest first; with `ends_within_days`, the next end first. A short page can still have a next one."""

    users: list[UserSummary]
    next: str | None
    """The `cursor` of the next page."""
    index: IndexState


TimelineCode = Code | Literal["paid", "refunded", "refund_failed", "disputed", "dispute_won"]


class TimelineEntry(Response):
    """An event in an account's history; lists have the newest first."""

    at: Time
    kind: Literal["subscription", "purchase", "term", "gift", "voucher", "grant", "payment", "refund", "dispute"]
    code: TimelineCode
    """What happened. A renewal has the amount of its payment."""
    status: str | None
    plan_id: str | None
    plan_was: str | None
    next_plan_id: str | None
    """The plan of a scheduled change, or of one that was undone."""
    until: Time | None
    """The end of the period, or of the subscription once it is canceling."""
    provider: str | None
    event_id: str | None
    """The payment event that caused it, if any."""
    amount_cents: int | None
    tax_cents: int | None
    currency: str | None
    actor: str | None
    """The admin who did it, if any."""
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
    undecided: list[AdminInvoice]
    """Payments that bought nothing, to be accepted or refunded."""
    notes: list[NoteView]
    """Newest first."""
    entitlements: list[EntitlementView]
    grants: list[GrantView]
    payments: list[ReceiptView]
    """All payments, newest first. A refund needs their `payment_id`."""
    timeline: list[TimelineEntry]


class LastGiven(Response):
    """The last source of a feature, and its end. `then`: the user left the plan (`moved`), or the record became
    `canceled`, `refunded`, …; null: its time ran out."""

    kind: SourceKind
    plan_id: str | None
    until: Time
    then: str | None
    then_plan_id: str | None


class PlanName(Response):
    plan_id: str
    name: str


class Explanation(Response):
    """Why a user has or lacks a feature at a time. `sources` includes those that no longer give it."""

    user_id: str
    feature: str
    at: Time
    allowed: bool
    value: FeatureJson | None
    also: list[FeatureJson]
    """Further allowances besides `value`, each counted separately."""
    scenario: Scenario | None
    """Why it is locked; null if it is not."""
    expires_at: Time | None
    sources: list[SourceView]
    last: LastGiven | None
    """Of a locked feature, its last source; null: it never had one."""
    offers: list[PlanName]
    """Of a locked feature, the plans on sale that include it."""


class UserExport(Response):
    """A page of all data stored about a user: records, then payment events."""

    user_id: str
    exported_at: Time
    records: list[dict[str, Any]]
    next: str | None
    """The `cursor` of the next page."""


class Erasure(Response):
    """What this call removed, and the ledger entries that are kept under a pseudonym."""

    user_id: str
    """The pseudonym."""
    erased_records: int
    kept_ledger_entries: int
    done: bool
    """False: it takes longer than one call allows, and is finished automatically within minutes."""


class AuditEntry(Response):
    """An admin's action. `before` and `after` are the changed records."""

    at: Time
    actor: str
    action: str
    """grant, revoke_grant, refund, export, erase, redrive, create_plan, …"""
    subject: str
    """The user (an erased one by the pseudonym), plan or events concerned."""
    reason: str | None
    before: Any
    after: Any


class AuditList(Response):
    entries: list[AuditEntry]
