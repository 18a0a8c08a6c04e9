"""Answers about a buyer's calendar and messages."""

from typing import Literal

from billing.api.answers.base import Response, Time
from billing.rules.languages import Language


class CalendarFeed(Response):
    made_at: Time
    language: Language


class CalendarView(Response):
    feed: CalendarFeed | None
    """Null: there is none. Its address is not kept."""


class MadeCalendarFeed(CalendarFeed):
    address: str
    """Told this once. Whoever has it can read the feed."""


class CalendarFile(Response):
    name: str
    content: str
    """An iCalendar (RFC 5545), to be saved under `name`."""


MessageOutcome = Literal["sent", "no_inbox", "not_looked", "refused", "unreachable", "unsure"]


class LastMessage(Response):
    """What became of the newest reminder. `retry_at` null: it arrived, or is no news any more."""

    at: Time
    outcome: MessageOutcome
    tries: int
    retry_at: Time | None


class MessageWish(Response):
    """`next_at`: when the next reminder is sent, of the end at `next_end`; null: none is in sight."""

    days: list[int]
    language: str
    since: Time
    next_at: Time | None
    next_end: Time | None
    last: LastMessage | None


class MessagesView(Response):
    """Reminders by direct message to a Nostr key of the buyer's own; the key itself is shown to nobody.

    `available`: whether this shop writes messages. `on` null: nobody is written to. `asked_until`: until when the code
    that was sent can be typed in; null: none was.
    """

    available: bool
    default_days: list[int]
    on: MessageWish | None
    asked_until: Time | None


class MessageSent(MessagesView):
    """What became of a message: `sent`, a relay of the inbox took it; `unsure`, it may have; `no_inbox`, the key names
    no relays for messages; `not_looked`, it could not be found out; `refused`, no relay takes it; `unreachable`, none
    answered. `relays`: those that took it, else those that were tried."""

    outcome: MessageOutcome
    relays: list[str]
