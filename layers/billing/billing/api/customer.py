"""Answers about one customer beyond their status: facts of what they have, their money, notes, and what an act does."""

from typing import Literal

from billing.api.responses import IfCanceled, Response, SubscriptionView, Time


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
