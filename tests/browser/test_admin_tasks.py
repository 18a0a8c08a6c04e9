"""What is done to a customer by hand, each act seen first."""

import re

import pytest
from playwright.sync_api import expect

from demo.shop import Shop
from tests.browser.conftest import Visitor
from tests.browser.test_staff import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.sweep]


def test_a_subscription_is_ended_taken_back_and_given_days_each_seen_first(
    visitor: Visitor, shop_engine: Shop, user: str
) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    visitor.page.evaluate("localStorage.removeItem('bitsleuth-billing-session')")
    sign_in(visitor, "admin", f"/console/users?user={user}")
    visitor.button("Cancel subscription").click()
    expect(visitor.dialog().get_by_text("What the customer has after that")).to_be_visible()
    assert visitor.violations() == []
    visitor.button("Cancel at the end").click()
    expect(visitor.dialog().get_by_text(re.compile("nothing more is charged"))).to_be_visible()
    visitor.dialog().get_by_role("button", name="Close").first.click()
    visitor.button("Take back the end").click()
    expect(visitor.dialog().get_by_text(re.compile("Renews on"))).to_be_visible()
    visitor.dialog().get_by_role("button", name="Take back the end").click()
    expect(visitor.dialog().get_by_text("Done")).to_be_visible()
    visitor.dialog().get_by_role("button", name="Close").first.click()
    visitor.button("Change plan").click()
    visitor.page.get_by_label("Plan", exact=True).select_option("plus-month")
    expect(visitor.dialog().get_by_text(re.compile("Nothing is charged now"))).to_be_visible()
    assert visitor.violations() == []
    visitor.button("Back").click()
    visitor.button("Give days").click()
    visitor.page.get_by_label("Reason").fill("an outage")
    visitor.button("Show the effect").click()
    stays = re.compile("No charge at the provider is moved by this")
    expect(visitor.dialog().get_by_text(stays)).to_be_visible()
    expect(visitor.dialog().get_by_text(re.compile("Pro: Renews on .* for \\$19.00"))).to_be_visible()
    assert visitor.violations() == []
    visitor.button("Give 7 days").click()
    expect(visitor.dialog().get_by_text("Done")).to_be_visible()
    expect(visitor.dialog().get_by_text(stays)).to_be_visible()
    expect(visitor.dialog().get_by_text(re.compile("Pro: Renews on .* for \\$19.00"))).to_be_visible()
    visitor.dialog().get_by_role("button", name="Close").first.click()
    visitor.page.get_by_label("New note").fill("They called about an outage.")
    visitor.button("Add note").click()
    expect(visitor.text("They called about an outage.")).to_be_visible()
    assert visitor.violations() == []
