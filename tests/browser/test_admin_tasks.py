"""What people ask of whoever works here, counted from the admin's start page: each takes at most five steps."""

import re
import time
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import expect

from demo.shop import Shop
from tests.browser.conftest import Visitor
from tests.browser.test_staff import sign_in

pytestmark = pytest.mark.browser
MOST = 5


class Steps:
    """Somebody at the admin's start page. A step is one thing done: a press, or a form filled in and sent."""

    def __init__(self, visitor: Visitor, role: str) -> None:
        self.visitor = sign_in(visitor, role)
        self.visitor.page.goto("/console")
        self.visitor.settle()
        self.taken = 0

    def take(self, act: Callable[[], object]) -> None:
        self.taken += 1
        assert self.taken <= MOST, "too many steps"
        act()

    def look_up(self, text: str) -> None:
        """Two steps: to the customers, and to the one whose id this is part of."""
        v = self.visitor
        self.take(v.page.get_by_role("link", name="Customers").click)
        v.page.get_by_role("searchbox").fill(text)
        self.take(v.button("Find").click)


def paid_in_bitcoin(shop: Shop, user: str) -> str:
    """Buys Pro in bitcoin, to the end; the id of the transaction."""
    body = {"plan_id": "pro-month", "provider": "btcpay"}
    url = shop.call("POST", "/billing/create-checkout-session", body, user=user).json()["url"]
    invoice = url.rpartition("/")[2]
    for act in ("pay", "settle"):
        requests.post(f"{shop.btcpay.url}/i/{invoice}", data={"act": act}, timeout=10).raise_for_status()
    for _ in range(60):
        status = shop.call("GET", "/billing/subscription-status", user=user).json()
        if status["terms"] and status["terms"][0]["status"] == "paid":
            break
        time.sleep(0.5)
    [payment] = shop.btcpay.invoices[invoice].payments
    return str(payment["id"]).partition("-")[0]


def indexed(shop: Shop, text: str) -> None:
    """The list of customers follows the accounts by a moment."""
    for _ in range(60):
        if shop.call("GET", f"/admin/users?q={text}", user="usr_admin", admin=True).json()["users"]:
            return
        time.sleep(0.5)


def test_a_buyer_is_found_by_the_last_digits_of_a_transaction(visitor: Visitor, shop_engine: Shop, user: str) -> None:
    digits = paid_in_bitcoin(shop_engine, user)[-8:]
    indexed(shop_engine, digits)
    steps = Steps(visitor, "viewer")
    steps.look_up(digits)
    expect(visitor.heading(user)).to_be_visible()
    assert steps.taken == 2


def test_why_a_feature_is_closed(visitor: Visitor, shop_engine: Shop, user: str) -> None:
    paid_in_bitcoin(shop_engine, user)
    steps = Steps(visitor, "support")
    steps.look_up(user)
    choice = visitor.page.get_by_label("Feature", exact=True)
    steps.take(lambda: choice.select_option("tax.enhanced"))
    visitor.page.get_by_label("At (empty: now)").fill("2026-01-01T00:00")
    steps.take(visitor.button("Explain").click)
    expect(visitor.text("No: tax.enhanced was closed on")).to_be_visible()
    expect(visitor.text(re.compile("Plans that have it"))).to_be_visible()


def test_part_of_a_bitcoin_payment_goes_back(visitor: Visitor, shop_engine: Shop, user: str) -> None:
    paid_in_bitcoin(shop_engine, user)
    steps = Steps(visitor, "support")
    steps.look_up(user)
    steps.take(visitor.button("Refund").click)
    visitor.page.get_by_label("Amount in USD").fill("5")
    steps.take(visitor.button("Show the effect").click)
    expect(visitor.text("The user's access does not change.")).to_be_visible()
    visitor.page.get_by_label("Type “refund” to confirm").fill("refund")
    steps.take(visitor.button("Refund $5.00").click)
    expect(visitor.text("$5.00 is being given back.")).to_be_visible()


# --- what else is done on the page of a customer ----------------------------------------------------------------------


def test_a_subscription_is_ended_taken_back_and_given_days_each_seen_first(
    visitor: Visitor, shop_engine: Shop, user: str
) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    visitor.page.evaluate("localStorage.removeItem('bitsleuth-billing-session')")
    sign_in(visitor, "admin", f"/console/users?user={user}")
    visitor.button("Cancel subscription").click()
    expect(visitor.dialog().get_by_text(re.compile("The customer loses"))).to_be_visible()
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
    expect(visitor.text("The next charge stays where it is.")).to_be_visible()
    assert visitor.violations() == []
    visitor.button("Give 7 days").click()
    expect(visitor.dialog().get_by_text("Done")).to_be_visible()
    visitor.dialog().get_by_role("button", name="Close").first.click()
    visitor.page.get_by_label("New note").fill("They called about an outage.")
    visitor.button("Add note").click()
    expect(visitor.text("They called about an outage.")).to_be_visible()
    assert visitor.violations() == []
