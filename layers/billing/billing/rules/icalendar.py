"""Calendars as RFC 5545 writes them. Pure text: no clock, no names of ours.

Every entry is an instant in UTC: each reader sees it on the day and at the hour that it is where they are. A date alone
would be a day late for some and a day early for others. It has an end, which must be later (3.8.2.2): iCloud takes no
event without one, and others make a day of it. There is no METHOD, so DTSTAMP is when the entry last changed (3.8.7.2),
and the same state is the same text to the octet.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from billing.data import dataclass

# Without the line break, which is CR LF (3.1).
LONGEST_LINE = 75
# Seconds that an entry lasts.
LENGTH = 900
# A calendar has a component at least (3.6); one without entries says which zone it would have used.
_NO_ENTRIES = (
    "BEGIN:VTIMEZONE",
    "TZID:Etc/UTC",
    "BEGIN:STANDARD",
    "DTSTART:19700101T000000",
    "TZOFFSETFROM:+0000",
    "TZOFFSETTO:+0000",
    "END:STANDARD",
    "END:VTIMEZONE",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`uid` stays the same while the entry is about the same thing. `alarm`: alert so many days before; 0: at the
    time."""

    uid: str
    at: int
    summary: str
    description: str
    changed_at: int
    sequence: int
    alarm: int


def calendar(
    name: str,
    product: str,
    url: str,
    entries: Iterable[Entry],
    *,
    refresh_hours: int,
    private: bool = False,
) -> str:
    """The whole text. `url`: the page where the buyer acts on each entry, in its description too: many calendars show
    no other link. `private`: for a file to import, because others may see the calendar it goes into; who follows a feed
    at Google reads "busy" in place of each private entry.

    No text names its language: that is allowed, and some calendars leave out a text that does.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{_text(product)}",
        "CALSCALE:GREGORIAN",
        f"NAME:{_text(name)}",
        f"X-WR-CALNAME:{_text(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:PT{refresh_hours}H",
        f"X-PUBLISHED-TTL:PT{refresh_hours}H",
    ]
    events = [line for entry in entries for line in _event(entry, url, private=private)]
    lines += [*(events or _NO_ENTRIES), "END:VCALENDAR"]
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _event(entry: Entry, url: str, *, private: bool) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{_text(entry.uid)}"
    yield f"DTSTAMP:{_moment(entry.changed_at)}"
    yield f"LAST-MODIFIED:{_moment(entry.changed_at)}"
    yield f"SEQUENCE:{entry.sequence}"
    yield f"DTSTART:{_moment(entry.at)}"
    yield f"DTEND:{_moment(entry.at + LENGTH)}"
    yield f"SUMMARY:{_text(entry.summary)}"
    yield f"DESCRIPTION:{_text(entry.description)}\\n{_text(url)}"
    yield f"URL:{url}"
    if private:
        yield "CLASS:PRIVATE"
    yield "STATUS:CONFIRMED"
    yield "TRANSP:TRANSPARENT"  # it does not show its owner as busy
    yield "BEGIN:VALARM"
    yield "ACTION:DISPLAY"
    yield f"DESCRIPTION:{_text(entry.summary)}"
    yield f"TRIGGER:-P{entry.alarm}D" if entry.alarm else "TRIGGER:PT0S"
    yield "END:VALARM"
    yield "END:VEVENT"


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    """Escaped (3.3.11); control characters, which no text may hold, are left out."""
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    broken = escaped.replace("\r\n", "\n").replace("\n", "\\n")
    return "".join(c for c in broken if c == "\t" or (c >= " " and not "\x7f" <= c <= "\x9f"))


def _folded(line: str) -> Iterator[str]:
    """In lines of 75 octets at most, never within a character; what goes on begins with a space, which counts."""
    part, size = "", 0
    for character in line:
        octets = len(character.encode())
        if size + octets > LONGEST_LINE:
            yield part
            part, size = " ", 1
        part, size = part + character, size + octets
    yield part
