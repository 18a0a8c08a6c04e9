"""Which reminder is due to a buyer who asked for messages before an end, and what became of each. Pure.

A reminder's id says of what it is, of which end, and how many days before. What became of it is stored with the
buyer's settings, so that each is sent once, whatever happens between two rounds.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from billing.data import dataclass, field, replace
from billing.rules.ends import Ahead
from billing.rules.records import Account
from billing.rules.times import DAY

# What a message says.
Subject = Literal["ends", "subscription", "trial", "payment", "wallet"]
# What became of one: the words of `nostr/messages.py`, and `trying` while it is on its way.
Outcome = Literal["sent", "no_inbox", "not_looked", "refused", "unreachable", "unsure", "trying"]

# Seconds: while one is being sent; how often an account is looked at, because an end can come near at any time.
CLAIMED = 600
LOOK = 6 * 3600
# So long a wallet's trouble is news.
_NEWS = 3 * DAY
_FIRST_PAUSE, _LONGEST_PAUSE = 900, 6 * 3600
# Of a wallet's troubles those that pass without the buyer: the reminders of the end tell soon enough.
_PASSING = frozenset({"relay_unreachable", "wallet_busy", "shop_unavailable", "payment_held"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """One thing to tell, from `at` until before `until`."""

    id: str
    subject: Subject
    ends_at: int
    at: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What became of one reminder. `at`: the time of the first try, which the message bears. `seed`: what it is made
    with, as long as it may have to be sent again. `retry_at`: no try before. `until`: forgotten from then on."""

    at: int
    until: int
    language: str
    tries: int = 1
    outcome: Outcome = "trying"
    seed: str | None = None
    retry_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderSettings:
    """What a buyer asked for. `days`: how many before an end, one at least; `since`: nothing that fell due earlier is
    sent. `sendings`: what became of each reminder, by its id."""

    days: tuple[int, ...]
    language: str
    since: int
    sendings: Mapping[str, Sending] = field(default_factory=dict)


def reminders(settings: ReminderSettings, ahead: Iterable[Ahead], account: Account) -> list[Reminder]:
    """All there are for these ends, past ones included, in order of time."""
    planned = [r for end in ahead if end.ends_at is not None for r in _of(settings, end, end.ends_at, account)]
    return sorted(planned, key=lambda reminder: (reminder.at, reminder.id))


def due(settings: ReminderSettings, planned: Iterable[Reminder], now: int) -> Reminder | None:
    """The next to send. Of several before one end only the most urgent: those that it overtook are left out."""
    return next((r for r in planned if r.at <= now < r.until and _open(settings.sendings.get(r.id), now)), None)


def look_again(settings: ReminderSettings, planned: Iterable[Reminder], now: int) -> int:
    """When to look next: at the next reminder or try, and in some hours in any case."""
    times = [now + LOOK]
    for reminder in planned:
        sending = settings.sendings.get(reminder.id)
        if sending is None or sending.outcome == "sent":
            times += [reminder.at] if reminder.at > now else []
        elif now < reminder.until:
            times.append(max(now + 1, sending.retry_at or 0))
    return min(times)


def subject_of(end: Ahead) -> Subject | None:
    """None: no reminder is needed, because it goes on by itself."""
    if end.act == "wallet_trouble":
        return "wallet"
    if end.act == "fix_payment":
        return "payment"
    if end.act in ("charged", "wallet_pays"):
        return "trial" if end.kind == "trial" else None
    return "subscription" if end.kind in ("subscription", "trial") else "ends"


def _of(settings: ReminderSettings, end: Ahead, ends_at: int, account: Account) -> Iterator[Reminder]:
    subject = subject_of(end)
    silenced = any(r.record == end.key and not r.wanted for r in account.renewals)
    if subject is None or silenced:
        return
    name = f"{end.key}#{ends_at}"
    if subject == "wallet" and (began := _needs_hands(account, end)) is not None:
        yield Reminder(id=f"{name}#wallet", subject=subject, ends_at=ends_at, at=began, until=began + _NEWS)
    until = ends_at
    for days in sorted(settings.days):  # the most urgent first: each ends what the one before it can still tell
        at = ends_at - days * DAY
        if at >= settings.since:
            yield Reminder(id=f"{name}#{days}", subject=subject, ends_at=ends_at, at=at, until=until)
        until = at


def _needs_hands(account: Account, end: Ahead) -> int | None:
    """Since when the wallet waits for its owner."""
    mandate = account.mandate_in(end.key.partition("#")[2])
    if mandate is None or mandate.trouble_at is None or (mandate.trouble in _PASSING and not mandate.given_up):
        return None
    return mandate.trouble_at


def _open(sending: Sending | None, now: int) -> bool:
    return sending is None or (sending.outcome != "sent" and (sending.retry_at or 0) <= now)


# --- what becomes of it ----------------------------------------------------------------------------------------------


def trying(settings: ReminderSettings, reminder: Reminder, seed: str, now: int) -> ReminderSettings:
    """To be stored before it is sent: whoever finds it unsettled sends the very same message again."""
    first = Sending(at=now, until=reminder.until + DAY, language=settings.language, tries=0, seed=seed)
    before = settings.sendings.get(reminder.id, first)
    sending = replace(before, tries=before.tries + 1, outcome="trying", retry_at=now + CLAIMED)
    return replace(settings, sendings={**settings.sendings, reminder.id: sending})


def settled(settings: ReminderSettings, reminder_id: str, outcome: Outcome, now: int) -> ReminderSettings:
    """After a failure the next try waits, longer each time. What was sent stays so, whatever a later try says."""
    before = settings.sendings.get(reminder_id)
    if before is None or before.outcome == "sent":
        return settings
    if outcome == "sent":
        sending = replace(before, outcome="sent", seed=None, retry_at=None)
    else:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (before.tries - 1))
        sending = replace(before, outcome=outcome, retry_at=now + pause)
    return replace(settings, sendings={**settings.sendings, reminder_id: sending})


def forgotten(settings: ReminderSettings, now: int) -> ReminderSettings:
    """Without what can never be due again."""
    return replace(settings, sendings={key: s for key, s in settings.sendings.items() if s.until > now})
