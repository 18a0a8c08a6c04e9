"""Answers about one customer or many, and what admins did, for admins."""

from typing import Any, Literal

from billing.api.answers.base import FeatureJson, Response, Time
from billing.api.answers.gate import EntitlementView, SourceView
from billing.api.answers.payments import AdminInvoice, ReceiptView
from billing.api.answers.status import IfCanceled, SubscriptionStatus, SubscriptionView
from billing.rules.entitlements import Scenario
from billing.rules.history import Code
from billing.rules.times import SourceKind


class NoteView(Response):
    """Something written about a customer. `author` null: by themselves, when they left `subscription_id`."""

    note_id: str
    text: str
    at: Time
    author: str | None
    subscription_id: str | None
    kept_until: Time | None
    """What a customer said when they left is kept so long; null: until it is removed, or the customer erased."""


class SubscriptionFacts(Response):
    """What is beside `status.subscriptions`, by the same id."""

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
    """What can be done to it by hand."""
    url: str | None
    """The provider's own page about it."""
    customer_url: str | None


class MoneyOfUser(Response):
    """Tax included, as the customer paid it. `kept_cents` is what they have brought in all."""

    currency: str
    payments: int
    paid_cents: int
    returned_cents: int
    disputed_cents: int
    kept_cents: int


class SubscriptionEffect(Response):
    """What an act does to a subscription, or (`preview`) would do; `unchanged`: it was so already."""

    outcome: Literal["preview", "done", "unchanged"]
    subscription: SubscriptionView
    """As it is after it."""
    if_canceled: IfCanceled | None
    """Of a cancellation: until when it gives access, and what is lost then."""


class DaysGiven(Response):
    """Days given beyond what a customer has. The next charge stays where it is."""

    outcome: Literal["preview", "done", "unchanged"]
    grant_id: str
    features: list[str]
    given_at: Time
    until: Time
    reason: str


class UserSummary(Response):
    """A customer as the list shows them. `plans`: what they have now; `rails`: where they ever bought."""

    user_id: str
    matched: (
        Literal["user", "customer", "subscription", "purchase", "payment", "invoice", "transaction", "event"] | None
    )
    """Of a search: what the text was found to be, or part of."""
    matched_id: str | None
    plans: list[str]
    versions: list[str]
    """The same with the version that they have: pro-month@2."""
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
TimelineCode = Code | Literal["paid", "refunded", "refund_failed", "disputed", "dispute_won"]


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
    undecided: list[AdminInvoice]
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

    kind: SourceKind
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
    scenario: Scenario | None
    """Why it is closed; null while it is open."""
    expires_at: Time | None
    sources: list[SourceView]
    last: LastGiven | None
    """Of a closed feature, what gave it last; null: nothing ever did."""
    offers: list[PlanName]
    """Of a closed feature, the plans on sale that give it."""


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
