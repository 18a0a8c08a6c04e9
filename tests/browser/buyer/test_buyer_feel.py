"""How the buyer's pages feel: Back closes a dialog, the keyboard is enough, paper has what it must."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from demo.shop import Shop
from tests.browser.buyers import in_bitcoin
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]


def press(visitor: Visitor, name: str | re.Pattern[str], kind: str = "button") -> None:
    """Reaches something by Tab alone, and presses Enter (or Space, where one chooses)."""
    visitor.page.locator(kind, has_text=name).first.wait_for(state="attached")
    for _ in range(80):
        visitor.page.keyboard.press("Tab")
        if visitor.page.locator(f"{kind}:focus", has_text=name).count():
            visitor.page.keyboard.press("Enter")
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def test_back_closes_the_dialog_and_the_invoice_is_offered_again(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    in_bitcoin(visitor)
    amount = visitor.dialog().get_by_text(re.compile(r"^0\.\d+ BTC$")).first.inner_text()
    visitor.page.go_back()
    expect(visitor.dialog()).to_have_count(0)
    assert visitor.page.url.endswith("/pricing")
    visitor.button("Finish it").click()
    expect(visitor.dialog().get_by_text(amount).first).to_be_visible()
    visitor.page.keyboard.press("Escape")
    expect(visitor.dialog()).to_have_count(0)
    visitor.page.get_by_role("link", name="Billing").click()
    visitor.button("Finish it").wait_for()
    visitor.page.go_back()
    expect(visitor.heading("Compare plans")).to_be_visible()


def test_a_press_that_began_inside_does_not_close_the_dialog(visitor: Visitor) -> None:
    visitor.open("/pricing").button("Get Pro").click()
    title = visitor.dialog().get_by_role("heading").bounding_box()
    assert title is not None
    mouse = visitor.page.mouse
    mouse.move(title["x"] + 5, title["y"] + 5)
    mouse.down()
    mouse.move(5, 5)
    mouse.up()
    expect(visitor.dialog()).to_be_visible()
    mouse.click(5, 5)
    expect(visitor.dialog()).to_have_count(0)


def test_what_is_paid_at_a_gate_stays_to_be_read(visitor: Visitor, user: str) -> None:
    visitor.open("/demo", user=user)
    visitor.button("Unlock with Pro").click()
    visitor.page.get_by_role("radio", name="Bitcoin").check()
    visitor.button("Continue to payment").click()
    visitor.page.get_by_role("timer").wait_for()
    page = visitor.page.get_by_role("link", name="Open the payment page").get_attribute("href") or ""
    for act in ("pay", "settle"):
        visitor.page.request.post(f"{visitor.shop.btcpay.url}/i/{page.rpartition('/')[2]}", form={"act": act})
    expect(visitor.text("Your plan is open.")).to_be_visible()
    visitor.page.evaluate("dispatchEvent(new Event('focus'))")
    visitor.page.wait_for_timeout(500)
    visitor.button("Done").click()
    expect(visitor.text("Open through Pro")).to_be_visible()


def test_changing_cancelling_and_keeping_need_nothing_but_the_keyboard(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    visitor.open("/account/billing").settle()
    press(visitor, "Change plan")
    visitor.page.get_by_role("radio", name=re.compile("Plus.*month")).focus()
    visitor.page.keyboard.press("Space")
    press(visitor, "See what changes")
    expect(visitor.button("Schedule the change")).to_be_focused()
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator("[role=status]:focus")).to_contain_text("You change to Plus, monthly on")
    press(visitor, "Stay on Pro")
    expect(visitor.page.locator("[role=status]:focus")).to_contain_text("goes on as before")
    press(visitor, "Cancel plan")
    visitor.dialog().wait_for()
    expect(visitor.dialog().get_by_text("What you have after that")).to_be_visible()
    press(visitor, "Cancel plan")
    expect(visitor.page.locator("[role=status]:focus")).to_contain_text("is cancelled and ends on")
    assert visitor.violations() == []


def test_saving_and_restoring_a_key_need_nothing_but_the_keyboard(
    visitor: Visitor, shop_engine: Shop, chromium: Browser
) -> None:
    visitor.open("/pricing")
    visitor.buy()
    press(visitor, "Show it")
    backup = visitor.text(re.compile(r"^bsk1[0-9a-f]{72}$")).inner_text()
    press(visitor, "I have saved it")
    expect(visitor.text("This key is saved")).to_be_visible()
    other = Visitor(shop_engine, chromium)
    other.open("/account/billing").settle()
    press(other, "I have a backup", "summary")
    other.page.keyboard.press("Tab")
    other.page.keyboard.type(backup)
    other.page.keyboard.press("Enter")
    expect(other.text("Renews for $19.00")).to_be_visible()
    other.close()


def test_a_second_device_opens_the_account_by_the_code_and_no_key_is_lost(
    visitor: Visitor, shop_engine: Shop, chromium: Browser
) -> None:
    visitor.open("/pricing")
    visitor.buy()
    visitor.button("Show it").click()
    link = f"/account/billing#key={visitor.text(re.compile(r'^bsk1[0-9a-f]{72}$')).inner_text()}"
    phone = Visitor(shop_engine, chromium, viewport={"width": 390, "height": 800})
    phone.open("/pricing").buy("Plus", "Pay 9")  # It has a key of its own, with a plan, that was never saved.
    phone.page.goto("about:blank")
    phone.open(link)
    expect(phone.heading("A key from another device")).to_be_visible()
    phone.button("Restore and sign in").click()
    expect(phone.text("Renews for $19.00")).to_be_visible()
    assert "#key" not in phone.page.url
    expect(phone.text("Other accounts in this browser")).to_be_visible()
    expect(phone.text(re.compile("Plus · not saved"))).to_be_visible()
    phone.close()


def test_a_printed_key_is_the_key_alone_and_a_printed_receipt_the_receipt(visitor: Visitor) -> None:
    visitor.open("/pricing")
    visitor.buy()
    visitor.button("Code to scan or print").click()
    visitor.page.get_by_role("img", name="Backup text").wait_for()
    visitor.page.emulate_media(media="print")
    expect(visitor.page.get_by_role("img", name="Backup text")).to_be_visible()
    expect(visitor.heading("Pro is yours")).to_be_hidden()
    expect(visitor.page.get_by_role("banner")).to_be_hidden()
    visitor.page.emulate_media(media="screen")
    visitor.open("/account/billing")
    visitor.page.get_by_role("button", name=re.compile("^Receipt")).first.click()
    expect(visitor.dialog().get_by_text("Shop Example Ltd")).to_be_visible()
    assert visitor.violations() == []
    visitor.page.emulate_media(media="print")
    expect(visitor.dialog().get_by_text("Pro, monthly · first payment")).to_be_visible()
    expect(visitor.heading("Your key")).to_be_hidden()
    expect(visitor.dialog().get_by_role("button", name="Print")).to_be_hidden()
    behind = visitor.dialog().evaluate("(one) => getComputedStyle(one, '::backdrop').display")
    assert behind == "none", "it is grey where backgrounds are printed"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_questions_ways_and_terms_are_there_where_one_decides(
    shop_engine: Shop, chromium: Browser, scheme: Literal["light", "dark"]
) -> None:
    visitor = Visitor(shop_engine, chromium, color_scheme=scheme)
    visitor.open("/pricing").settle()
    ways = visitor.page.get_by_role("list", name="Ways to pay").get_by_role("listitem")
    expect(ways).to_have_text(["Card", "Bitcoin", "Lightning", "No account, no e-mail"])
    visitor.text("Do I need an account?").click()
    expect(visitor.text("There is no name, no e-mail address and no password.")).to_be_visible()
    footer = visitor.page.get_by_role("contentinfo")
    expect(footer.get_by_role("link")).to_have_text(["Ask us", "Terms", "Refunds", "Privacy"])
    visitor.button("Get Pro").click()
    expect(visitor.dialog().get_by_role("link", name="Terms")).to_be_visible()
    assert visitor.violations() == []
    visitor.close()
