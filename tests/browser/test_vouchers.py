"""Vouchers, clicked through on the real stack: made and shown by an admin, redeemed by a stranger, bought as a gift."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from demo.shop import ADMIN, Shop
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]
CODE = re.compile(r"^[0-9A-Z]{5}(-[0-9A-Z]{5}){3}$")


def make(admin: Visitor) -> str:
    """A batch of two for Pro; its first code."""
    admin.open("/console/vouchers", user=ADMIN, admin=True)
    admin.button("Make vouchers").click()
    form = admin.dialog()
    form.get_by_label("Plan", exact=True).select_option("pro-month")
    form.get_by_label("How many vouchers").fill("2")
    form.get_by_label("Note").fill("for the browser")
    form.get_by_role("button", name="Make vouchers").click()
    admin.button("Show the unused codes").click()
    code = admin.dialog().get_by_text(CODE).first.text_content()
    assert code
    return code


def test_an_admin_makes_vouchers_and_a_stranger_redeems_one(admin: Visitor, visitor: Visitor) -> None:
    code = make(admin)
    admin.button("Cards to cut out").click()
    expect(admin.dialog().get_by_role("img").first).to_be_visible()
    visitor.open(f"/redeem#{code}")
    expect(visitor.page.get_by_label("Code")).to_have_value(code)
    assert visitor.page.url.endswith("/redeem"), "the code does not stay in the address"
    visitor.page.get_by_label("Code").press("Enter")
    expect(visitor.text("It gives you Pro for a month.")).to_be_visible()
    visitor.button("Redeem").click()
    expect(visitor.text("Redeemed: Pro for a month.")).to_be_visible()
    visitor.open("/demo")
    expect(visitor.text("Open through Pro")).to_be_visible()
    admin.escape()
    admin.page.reload()
    expect(admin.page.get_by_role("row", name=re.compile("1 Redeemed"))).to_be_visible()


def by_keyboard(page: Page, name: str, *, backwards: bool = False) -> None:
    """Steps on, until what has the focus is called so."""
    for _ in range(80):
        focused = page.locator(":focus")
        if focused.count() and name == focused.evaluate(
            "e => (e.labels?.[0] ?? e).textContent.replace(/\\s+/g, ' ').trim()"
        ):
            return
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
    pytest.fail(f"no key leads to {name!r}")


def test_one_is_redeemed_and_another_revoked_without_a_mouse(admin: Visitor, visitor: Visitor) -> None:
    code = make(admin)
    admin.escape()
    by_keyboard(admin.page, "Revoke 2")
    admin.page.keyboard.press("Enter")
    expect(admin.page.get_by_label("Reason")).to_be_focused()
    admin.page.keyboard.type("lost on the way")
    admin.page.keyboard.press("Enter")
    expect(admin.dialog()).to_have_count(0)
    expect(admin.text("One voucher is revoked.")).to_be_visible()
    expect(admin.page.get_by_role("row", name="2 Revoked")).to_be_visible()
    visitor.open("/redeem")
    visitor.settle()
    by_keyboard(visitor.page, "Code")
    visitor.page.keyboard.type(code.lower().replace("-", " ").replace("0", "o").replace("1", "l"))
    by_keyboard(visitor.page, "See what it gives")
    visitor.page.keyboard.press("Enter")
    expect(visitor.text("It gives you Pro for a month.")).to_be_visible()
    by_keyboard(visitor.page, "Redeem")
    visitor.page.keyboard.press("Space")
    expect(visitor.text("Redeemed: Pro for a month.")).to_be_visible()
    by_keyboard(visitor.page, "Another code")


def test_of_two_tabs_that_redeem_at_once_both_say_that_it_is_had(admin: Visitor, visitor: Visitor, user: str) -> None:
    code = make(admin)
    visitor.open("/redeem", user=user)
    tabs = [visitor.page, visitor.context.new_page()]
    for tab in tabs:
        tab.goto("/redeem")
        tab.get_by_label("Code").fill(code)
        tab.get_by_label("Code").press("Enter")
        expect(tab.get_by_text("It gives you Pro for a month.")).to_be_visible()
    for tab in tabs:
        tab.get_by_role("button", name="Redeem", exact=True).click(no_wait_after=True)
    confirmation = re.compile("^(Redeemed: |You have redeemed this code already: )Pro for a month")
    said = {tab.get_by_text(confirmation).text_content() for tab in tabs}
    assert len(said) == 2, said


def test_a_gift_is_bought_and_its_code_opens_the_plan_for_somebody_else(
    visitor: Visitor, guest_of_shop: Visitor
) -> None:
    visitor.open("/redeem")
    visitor.button("Buy a gift").click()
    visitor.dialog().get_by_label("Plan", exact=True).select_option("pro-month")
    visitor.button("Continue to payment").click()
    visitor.button("Pay 19").click()
    expect(visitor.heading("Your gift is ready")).to_be_visible()
    code = visitor.page.get_by_text(CODE).first.text_content()
    assert code
    visitor.open("/demo")
    expect(visitor.heading("Enhanced tax report is not in your plan")).to_be_visible()
    guest_of_shop.open(f"/redeem#{code}")
    guest_of_shop.button("See what it gives").click()
    guest_of_shop.button("Redeem").click()
    expect(guest_of_shop.text("Redeemed: Pro for a month.")).to_be_visible()
    visitor.open("/account/billing")
    expect(visitor.text("Redeemed by somebody")).to_be_visible()
    expect(visitor.page.get_by_role("row").filter(has_text="$19.00")).to_contain_text("a gift")
    visitor.button("Receipt").click()
    expect(visitor.dialog()).to_contain_text("a gift")


@pytest.fixture
def guest_of_shop(shop_engine: Shop, chromium: Browser) -> Visitor:
    return Visitor(shop_engine, chromium)


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_their_pages_are_accessible_and_fit(
    shop_engine: Shop, chromium: Browser, scheme: Literal["light", "dark"], width: int
) -> None:
    page = Visitor(shop_engine, chromium, color_scheme=scheme, viewport={"width": width, "height": 900})
    found = {}

    def look(what: str) -> None:
        page.settle()
        found[what] = [*page.violations(), page.page.evaluate("document.documentElement.scrollWidth > innerWidth")]

    make(page)
    look("codes")
    page.button("Cards to cut out").click()
    look("cards")
    page.escape()
    look("batch")
    page.button("Revoke unused").click()
    look("revoke")
    page.open("/console/vouchers")
    look("batches")
    page.button("Make vouchers").click()
    look("make")
    page.open("/redeem")
    look("redeem")
    page.page.get_by_label("Code").fill("a typing error")
    page.page.get_by_label("Code").press("Enter")
    look("typing error")
    page.button("Buy a gift").click()
    look("buy a gift")
    page.close()
    assert {what: faults for what, faults in found.items() if faults != [False]} == {}
