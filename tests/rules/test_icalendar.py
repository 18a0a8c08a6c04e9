"""Calendars as RFC 5545 wants them: lines, folding, escaping; read by a library that is not ours."""

import icalendar
import pytest

from billing.rules.icalendar import LENGTH, LONGEST_LINE, Entry, calendar
from samples import NOW

AWKWARD = 'Plus; "big", \\ with\na line, ümläute and 🧡' + " ₿" * 60


def entry(**more: object) -> Entry:
    known: dict[str, object] = {"uid": "u-1", "at": NOW, "summary": "Plus ends", "description": "Renew it."}
    return Entry(**{**known, "changed_at": NOW - 60, "sequence": 3, "alarm": 1, **more})  # type: ignore[arg-type]


def written(*entries: Entry, name: str = "Plans", private: bool = False) -> str:
    product, url = "-//Shop//Billing//EN", "https://shop.example/account"
    return calendar(name, product, url, entries, refresh_hours=6, private=private)


def read(text: str) -> icalendar.Calendar:
    return icalendar.Calendar.from_ical(text)


@pytest.mark.parametrize("alarm", [0, 1])
def test_an_entry_is_read_as_it_was_meant(alarm: int) -> None:
    (event,) = read(written(entry(alarm=alarm))).walk("VEVENT")
    assert (event["UID"], event["SEQUENCE"], event["SUMMARY"], event["DESCRIPTION"]) == (
        "u-1", 3, "Plus ends", "Renew it.\nhttps://shop.example/account",
    )  # fmt: skip
    assert (event["DTSTART"].dt.timestamp(), event["DTEND"].dt.timestamp()) == (NOW, NOW + LENGTH)
    assert event["DTSTAMP"].dt == event["LAST-MODIFIED"].dt
    assert event["DTSTAMP"].dt.timestamp() == NOW - 60
    assert (event["TRANSP"], event["URL"]) == ("TRANSPARENT", "https://shop.example/account")
    (alert,) = event.walk("VALARM")
    assert (alert["ACTION"], alert["TRIGGER"].dt.total_seconds()) == ("DISPLAY", -86_400 * alarm)


def test_entries_are_private_where_it_is_said() -> None:
    (event,), (marked,) = (read(written(entry(), private=private)).walk("VEVENT") for private in (False, True))
    assert ("CLASS" in event, marked["CLASS"]) == (False, "PRIVATE")


def test_what_is_awkward_comes_back_whole_in_lines_that_are_short_enough() -> None:
    text = written(entry(summary=AWKWARD, description=AWKWARD), name=AWKWARD)
    assert text.endswith("END:VCALENDAR\r\n")
    lines = text.encode().split(b"\r\n")
    assert max(map(len, lines)) <= LONGEST_LINE
    assert all(b"\n" not in line and b"\r" not in line for line in lines)
    for line in lines:
        line.decode()  # no character is parted
    (event,) = read(text).walk("VEVENT")
    assert event["SUMMARY"] == AWKWARD
    assert event["DESCRIPTION"].startswith(AWKWARD)


def test_what_no_text_may_hold_is_left_out() -> None:
    (event,) = read(written(entry(summary="Pl\x00us\x1b\x7f\x85 ends\tnow"))).walk("VEVENT")
    assert event["SUMMARY"] == "Plus ends\tnow"


def test_nobody_writes_a_line_of_their_own_into_it() -> None:
    text = written(entry(summary="Plus\r\nATTENDEE:mailto:me@there.example\rX"))
    assert not any(line.startswith("ATTENDEE") for line in text.split("\r\n"))
    (event,) = read(text).walk("VEVENT")
    assert "ATTENDEE" not in event


def test_a_calendar_says_how_often_to_look_and_nothing_of_a_meeting() -> None:
    found = read(written(entry()))
    assert found["REFRESH-INTERVAL"].dt.total_seconds() == 6 * 3600
    assert found["X-PUBLISHED-TTL"] == "PT6H"
    assert (found["VERSION"], found["CALSCALE"], found["X-WR-CALNAME"]) == ("2.0", "GREGORIAN", "Plans")
    assert "METHOD" not in found


def test_one_without_entries_is_a_calendar_still() -> None:
    found = read(written())
    assert [part.name for part in found.subcomponents] == ["VTIMEZONE"]


def test_the_same_is_written_the_same() -> None:
    assert written(entry()) == written(entry())


def test_a_line_is_folded_when_it_is_too_long_and_no_sooner() -> None:
    def summary(letters: int) -> list[int]:
        lines = written(entry(summary="x" * letters)).split("\r\n")
        first = next(number for number, line in enumerate(lines) if line.startswith("SUMMARY"))
        return [len(line) for line in lines[first : first + 2] if line.startswith(("SUMMARY", " "))]

    room = LONGEST_LINE - summary(0)[0]
    assert summary(room) == [LONGEST_LINE]
    assert summary(room + 1) == [LONGEST_LINE, len(" x")]
