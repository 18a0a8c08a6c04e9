"""Told in time, as a buyer meets it: a calendar that follows, a message to a key of their own, a notice in the page."""

import re
import time
from datetime import datetime
from typing import Any

import pytest
import requests
from icalendar import Calendar
from playwright.sync_api import Page, expect

from billing.rules.times import DAY
from demo.passing import pass_time
from tests.browser.buyer.test_wallet_renewal import buy_a_term, until
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]


@pytest.fixture
def reader(visitor: Visitor) -> Page:
    """The buyer's reader of messages, in a tab of its own, with a key to which nobody has written yet."""
    tab = visitor.context.new_page()
    tab.goto(visitor.shop.reader.url)
    tab.get_by_role("button", name="Be somebody else").click()
    expect(tab.get_by_text("None yet.")).to_be_visible()
    return tab


def section(visitor: Visitor, title: str) -> Any:
    """A way of being reminded, of those on the billing page."""
    return visitor.page.get_by_role("region", name="Reminders").locator("> div").filter(has=visitor.heading(title))


def entries(address: str) -> list[str]:
    """What a calendar finds at the feed's address."""
    answer = requests.get(address, timeout=10)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    return [str(event["summary"]) for event in Calendar.from_ical(answer.text).walk("VEVENT")]


def address_shown(visitor: Visitor, *, but: str = "") -> str:
    """The feed's address, once it is another one than `but`."""
    shown = section(visitor, "In your calendar").get_by_text("/billing/calendar/feed/")
    if but:
        expect(shown).not_to_have_text(but)
    text: str = shown.inner_text()
    return text


def test_a_feed_is_read_by_calendars_until_it_has_another_address_or_is_ended(visitor: Visitor, user: str) -> None:
    buy_a_term(visitor, user)
    visitor.button("Make a feed").click()
    expect(visitor.text("The feed is made. Give its address to your calendar.")).to_be_visible()
    first = address_shown(visitor)
    found = entries(first)
    assert any(summary.startswith("Pro") for summary in found), found
    assert len(found) == 2, "the end, and the day to renew"
    assert visitor.violations() == []

    visitor.page.reload()
    expect(visitor.text("cannot be shown again")).to_be_visible()
    visitor.button("Make a new address").click()
    visitor.page.get_by_role("alert").get_by_role("button", name="Make a new address").click()
    expect(visitor.text("The old address has ended.")).to_be_visible()
    second = address_shown(visitor, but=first)
    assert requests.get(first, timeout=10).status_code == 404
    assert entries(second) == found

    visitor.button("End the feed").click()
    visitor.page.get_by_role("alert").get_by_role("button", name="End the feed").click()
    expect(visitor.text("The feed has ended.")).to_be_visible()
    expect(visitor.button("Make a feed")).to_be_visible()
    assert requests.get(second, timeout=10).status_code == 404


def switch_on(visitor: Visitor, reader: Page) -> None:
    """By the code that was sent to the reader's key."""
    visitor.button("Be reminded by message").click()
    visitor.page.get_by_label("Public key").fill(reader.get_by_label("Public key").input_value())
    visitor.button("Send a code to this key").click()
    expect(visitor.text("A code was sent to the key.")).to_be_visible()
    assert visitor.violations() == []
    look_again(reader)
    code = reader.get_by_text("Code to type").inner_text().rpartition(" ")[2]
    visitor.page.get_by_label("Code from the message").fill(code)
    visitor.button("Switch on").click()
    expect(visitor.text("The messages are on.")).to_be_visible()


def look_again(reader: Page) -> None:
    reader.get_by_role("link", name="Look again").click()


def arrived(reader: Page, visitor: Visitor) -> Any:
    """The messages of this shop, each of which ends with the address of its billing page."""
    look_again(reader)
    return reader.get_by_role("row").filter(has_text=f"{visitor.shop.url}/account/billing")


def test_messages_to_a_key_begin_with_a_code_are_tried_and_end(visitor: Visitor, user: str, reader: Page) -> None:
    visitor.open("/account/billing", user=user)
    switch_on(visitor, reader)
    visitor.button("Send me one now").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("took it")
    expect(arrived(reader, visitor)).to_have_count(2)  # the code, and this one
    assert visitor.violations() == []

    visitor.button("Switch off").click()
    visitor.page.get_by_role("alert").get_by_role("button", name="Switch off").click()
    expect(visitor.text("The messages are off, and your key is deleted.")).to_be_visible()
    expect(visitor.button("Be reminded by message")).to_be_visible()


def test_a_reminder_that_is_due_arrives_once(visitor: Visitor, user: str, reader: Page) -> None:
    shop = visitor.shop
    buy_a_term(visitor, user)
    switch_on(visitor, reader)
    expect(arrived(reader, visitor)).to_have_count(1)

    def due() -> float:
        (renewal,) = shop.call("GET", "/billing/subscription-status", user=user).json()["renewals"]
        return datetime.fromisoformat(renewal["ends_at"]).timestamp() - 7 * DAY

    # What would have been due before it was wished for is not made up for: the wish is made a little before that time.
    pass_time(shop, user, int(due() - time.time()) - 10)
    body = {"days": [7], "language": "en"}
    shop.call("PUT", "/billing/messages", body, user=user).raise_for_status()
    until(lambda: time.time() > due() + 1)
    for _ in range(2):
        shop.engine.invoke("SendMessagesFunction", {})
    expect(arrived(reader, visitor)).to_have_count(2)
    expect(arrived(reader, visitor).first).to_contain_text("What you have paid for ends on")
    shop.engine.invoke("SendMessagesFunction", {})
    expect(arrived(reader, visitor)).to_have_count(2)


def test_a_key_without_an_inbox_is_told_and_can_be_tried_again(visitor: Visitor, user: str, reader: Page) -> None:
    reader.get_by_role("button", name="Name no inbox").click()
    visitor.open("/account/billing", user=user)
    visitor.button("Be reminded by message").click()
    visitor.page.get_by_label("Public key").fill(reader.get_by_label("Public key").input_value())
    visitor.button("Send a code to this key").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("names no relays for messages")
    reader.get_by_role("button", name="Name an inbox").click()
    visitor.button("Send a code to this key").click()
    expect(visitor.text("A code was sent to the key.")).to_be_visible()


def test_what_ends_is_told_on_every_page_until_it_is_put_away(visitor: Visitor, user: str) -> None:
    buy_a_term(visitor, user)
    pass_time(visitor.shop, user, 26 * DAY)
    visitor.open("/demo", user=user)
    notice = visitor.text(re.compile("^Pro, paid ahead, ends on "))
    expect(notice).to_be_visible()
    assert visitor.violations() == []
    visitor.page.get_by_role("link", name="Renew").click()
    expect(visitor.heading("Billing")).to_be_visible()
    expect(notice).to_be_visible()
    visitor.button(re.compile("^Put away: Pro, paid ahead")).click()
    expect(notice).to_have_count(0)
    visitor.open("/pricing")
    visitor.settle()
    expect(visitor.page.get_by_role("article", name="Pro")).to_be_visible()
    expect(notice).to_have_count(0)
