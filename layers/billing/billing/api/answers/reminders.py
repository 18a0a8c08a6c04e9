"""Answers about a buyer's calendar and messages."""

from typing import Literal

from billing.api.answers.base import Response, Time
from billing.rules.languages import Language


class CalendarFeed(Response):
    made_at: Time
    language: Language


class CalendarView(Response):
    feed: CalendarFeed | None
    """Null: there is none. Its address is not stored."""


class MadeCalendarFeed(CalendarFeed):
    address: str
    """Shown only once. Anyone with it can read the feed."""


class CalendarFile(Response):
    name: str
    content: str
    """iCalendar (RFC 5545), to save as `name`."""


MessageOutcome = Literal["sent", "no_inbox", "not_looked", "refused", "unreachable", "unsure"]


class LastMessage(Response):
    """The result of the newest reminder. `retry_at` null: it was delivered, or is no longer relevant."""

    at: Time
    outcome: MessageOutcome
    tries: int
    retry_at: Time | None


class MessageSettings(Response):
    """`next_at`: when the next reminder is sent, for the end at `next_end`; null: none is planned."""

    days: list[int]
    language: str
    since: Time
    next_at: Time | None
    next_end: Time | None
    last: LastMessage | None


class MessagesView(Response):
    """Reminders by direct message to a Nostr key of the buyer; the key itself is never shown.

    `available`: whether this shop sends messages. `on` null: reminders are off. `asked_until`: when the code that was
    sent expires; null: no code was sent.
    """

    available: bool
    default_days: list[int]
    on: MessageSettings | None
    asked_until: Time | None


class MessageSent(MessagesView):
    """The result of a message: `sent`, a relay of the inbox accepted it; `unsure`, it may have; `no_inbox`, the key has
    no relays for messages; `not_looked`, its relays could not be looked up; `refused`, by all relays; `unreachable`, no
    relay answered. `relays`: those that accepted it, else those that were tried."""

    outcome: MessageOutcome
    relays: list[str]
