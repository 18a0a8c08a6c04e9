"""Answers about payment events and their processing, for admins."""

from typing import Any, Literal

from billing.api.answers.base import Response, Time


class PaymentEventView(Response):
    event_id: str
    provider: str
    type: str
    status: Literal["processed", "failed", "quarantined", "dead", "set_aside"]
    """`failed`: the queue will retry it; `quarantined`: it has no effect here; `dead`: it is in the dead-letter queue;
    `set_aside`: `aside_by` decided that it is not ours."""
    outcome: Literal["applied", "unchanged", "ignored", "quarantined"] | None
    """`unchanged`: it contained nothing new. None while it fails."""
    cause: str | None
    """Why it failed, in plain words."""
    code: str | None
    """The cause as a stable code; None for old events."""
    remedy: str | None
    """What to do about it."""
    attempts: int
    received_at: Time
    processed_at: Time | None
    user_id: str | None
    plan_id: str | None
    amount_cents: int | None
    """From the event, or from our record of its object."""
    currency: str | None
    aside_by: str | None
    aside_reason: str | None
    payload: dict[str, Any]
    """The minimal payload: no personal data."""


class QueueDepth(Response):
    """`failing`, `quarantined` and `set_aside` are counted up to about a thousand."""

    waiting: int
    in_flight: int
    dead: int
    failing: int
    """Retried automatically; without dead letters."""
    quarantined: int
    set_aside: int


class PaymentEventList(Response):
    events: list[PaymentEventView]
    queue: QueueDepth
    next: str | None
    """The `cursor` of the next page."""


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
