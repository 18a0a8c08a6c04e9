"""Answers about payment events and what became of them, for admins."""

from typing import Any, Literal

from billing.api.answers.base import Response, Time


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
