"""Buyers' paths, clicked through on the real stack: the pages, the API, the queue, the mock provider."""

import re

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.buyers import at_the_desk
from tests.browser.conftest import Visitor

pytestmark = pytest.mark.browser


def test_a_stranger_buys_and_the_locked_feature_opens(visitor: Visitor) -> None:
    visitor.open("/demo")
    expect(visitor.heading("Enhanced tax report is not in your plan")).to_be_visible()
    visitor.button("Unlock with Pro").click()
    visitor.button("Continue to payment").click()
    visitor.button("Pay 19").click()
    expect(visitor.heading("Pro is yours")).to_be_visible()
    visitor.page.reload()
    expect(visitor.heading("Pro is yours")).to_be_visible()
    visitor.page.get_by_role("link", name="Continue").click()
    expect(visitor.text("Open through Pro")).to_be_visible()


@pytest.mark.sweep
def test_a_declined_card_charges_nothing_and_lets_one_try_again(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.order("Plus")
    visitor.button("Pay with a card that is declined").click()
    expect(visitor.text("Nothing was charged")).to_be_visible()
    visitor.button("Pay 9").click()
    expect(visitor.heading("Plus is yours")).to_be_visible()


@pytest.mark.sweep
def test_an_abandoned_checkout_is_offered_again_on_the_billing_page(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.order("Pro")
    visitor.button("Pay 19").wait_for()
    visitor.open("/account/billing")
    visitor.page.get_by_role("link", name="Finish it").click()
    visitor.button("Pay 19").click()
    expect(visitor.heading("Pro is yours")).to_be_visible()


@pytest.mark.sweep
def test_the_return_page_waits_for_a_payment_that_is_late(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.order("Pro")
    visitor.button("Pay 19").wait_for()
    opened = visitor.shop.call("POST", "/billing/create-checkout-session", {"plan_id": "pro-month"}, user=user).json()
    late = visitor.context.new_page()
    late.goto(f"/checkout/return?checkout_id={opened['checkout_id']}")
    expect(late.get_by_text("The payment is not finished yet")).to_be_visible()
    visitor.button("Pay 19").click()
    expect(late.get_by_role("heading", name="Pro is yours")).to_be_visible()


@pytest.mark.sweep
def test_buying_needs_nothing_but_the_keyboard(visitor: Visitor) -> None:
    visitor.open("/pricing")
    visitor.heading("Compare plans").wait_for()
    press = visitor.page.keyboard.press

    def focused(name: str | re.Pattern[str]) -> None:
        visitor.button(name).first.wait_for()
        for _ in range(40):
            press("Tab")
            if visitor.page.locator("button:focus", has_text=name).count():
                return
        raise AssertionError(f"the keyboard does not reach {name}")

    focused("Get Pro")
    press("Enter")
    expect(visitor.dialog()).to_be_visible()
    press("Escape")
    expect(visitor.dialog()).to_have_count(0)
    expect(visitor.button("Get Pro")).to_be_focused()
    press("Enter")
    focused("Continue to payment")
    press("Enter")
    focused("Pay 19")
    press("Enter")
    expect(visitor.heading("Pro is yours")).to_be_visible()


@pytest.mark.sweep
def test_the_backup_of_a_key_brings_the_plan_to_another_browser(visitor: Visitor, admin: Visitor) -> None:
    visitor.open("/pricing")
    visitor.buy()
    visitor.open("/account/billing")
    visitor.button("Show it").click()
    backup = visitor.text(re.compile(r"^bsk1[0-9a-f]{72}$")).inner_text()
    visitor.button("I have saved it").click()
    expect(visitor.text("This key is saved")).to_be_visible()
    other = admin
    other.button("Sign out").click()
    other.dialog().get_by_role("button", name="Sign out").click()
    other.open("/account/billing")
    other.text("I have a backup").click()
    other.page.get_by_label("Backup text of the key").fill(backup)
    other.button("Restore and sign in").click()
    expect(other.text("Renews for $19.00")).to_be_visible()


@pytest.mark.sweep
def test_an_upgrade_shows_what_it_costs_asks_for_consent_and_opens_at_once(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy("Plus", "Pay 9")
    visitor.open("/demo")
    visitor.button("Unlock with Pro").click()
    confirm = visitor.button("Change now")
    expect(visitor.text("Credit for unused time")).to_be_visible()
    expect(visitor.dialog().get_by_text("Enhanced tax report")).to_be_visible()
    expect(confirm).to_be_disabled()
    visitor.page.get_by_label("I agree to be charged").check()
    confirm.click()
    expect(visitor.text("Open through Pro")).to_be_visible()


@pytest.mark.sweep
def test_a_downgrade_waits_for_the_period_and_can_be_taken_back(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    visitor.open("/account/billing")
    visitor.button("Change plan").click()
    visitor.page.get_by_role("radio", name=re.compile(r"Plus.*month")).check()
    visitor.button("See what changes").click()
    visitor.button("Schedule the change").click()
    expect(visitor.text("Changes to Plus, monthly on")).to_be_visible()
    visitor.button("Stay on Pro").click()
    expect(visitor.text("Renews for $19.00")).to_be_visible()


@pytest.mark.sweep
def test_a_cancellation_keeps_the_plan_until_the_day_it_names_and_can_be_taken_back(
    visitor: Visitor, user: str
) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    visitor.open("/account/billing")
    visitor.button("Cancel plan").click()
    visitor.page.get_by_label("Why are you leaving?").select_option("unused")
    visitor.dialog().get_by_role("button", name="Cancel plan").click()
    said = visitor.text(re.compile("Pro, monthly is cancelled and ends on .* Nothing more will be charged"))
    expect(said).to_be_visible()
    expect(visitor.page.locator("[role=status]:focus")).to_contain_text("is cancelled")
    visitor.open("/demo")
    expect(visitor.text("Open through Pro")).to_be_visible()
    visitor.open("/account/billing")
    visitor.button("Keep Pro").click()
    expect(visitor.text("Renews for $19.00")).to_be_visible()


@pytest.mark.sweep
def test_a_failed_renewal_is_told_with_a_way_out(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    at_the_desk(visitor, user, "fail")
    visitor.open("/account/billing")
    expect(visitor.text("The last payment did not go through")).to_be_visible()
    visitor.button("Fix payment").click()
    visitor.page.wait_for_url(f"{visitor.shop.mock.url}/**")


@pytest.mark.sweep
def test_a_full_refund_of_a_purchase_closes_what_it_opened(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy("Tax year 2026", "Pay 49")
    visitor.open("/demo")
    expect(visitor.text("Open through Tax year 2026")).to_be_visible()
    at_the_desk(visitor, user, "refund", "purchase")
    visitor.page.reload()
    expect(visitor.heading("Enhanced tax report is not in your plan")).to_be_visible()
    visitor.open("/account/billing")
    expect(visitor.text("Refunded").first).to_be_visible()


def test_bitcoin_is_underpaid_topped_up_and_settled_and_a_card_beside_it_is_warned_of(
    visitor: Visitor, user: str
) -> None:
    visitor.open("/pricing", user=user)
    visitor.page.get_by_role("article", name="Pro").get_by_role("button").click()
    visitor.page.get_by_role("radio", name="Bitcoin").check()
    visitor.button("Continue to payment").click()
    visitor.page.get_by_role("timer").wait_for()
    page = visitor.page.get_by_role("link", name="Open the payment page").get_attribute("href") or ""
    invoice = page.rpartition("/")[2]

    def network(act: str) -> None:
        requests.post(f"{visitor.shop.btcpay.url}/i/{invoice}", data={"act": act}, timeout=10).raise_for_status()

    network("underpay")
    expect(visitor.text("Something is missing")).to_be_visible()
    assert visitor.violations() == []
    network("pay")
    expect(visitor.text("Payment seen")).to_be_visible()
    network("settle")
    expect(visitor.text("Your plan is open.")).to_be_visible()
    visitor.open("/account/billing")
    expect(visitor.text("Paid ahead in bitcoin")).to_be_visible()
    remind = visitor.page.get_by_label("Remind me before it ends")
    expect(remind).to_be_checked()
    with visitor.page.expect_response("**/reminders"):
        remind.uncheck()
    visitor.page.reload()
    expect(visitor.page.get_by_label("Remind me before it ends")).not_to_be_checked()
    visitor.open("/pricing")
    visitor.page.get_by_role("article", name="Plus").get_by_role("button").click()
    expect(visitor.text("You have paid ahead for Pro, monthly until")).to_be_visible()
    expect(visitor.dialog().get_by_text("Due today").locator("+ dd")).to_have_text("$9.00")
    assert visitor.violations() == []
    visitor.page.get_by_label("I know, and want both.").check()
    visitor.button("Continue to payment").click()
    visitor.button("Pay 9").wait_for()
