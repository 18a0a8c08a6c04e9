"""What whoever works here does most, each counted from the admin's start page: at most five steps, no page without an
answer. A step is a click, a field that is filled in (and sent with Enter, where it can be), a choice, or going back."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests
from playwright.sync_api import expect

from demo.shop import ADMIN, Shop
from tests.browser.conftest import Visitor, forget_plans
from tests.browser.test_staff import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.sweep]
MOST = 5


class Hands:
    """Counts what a person does, from the start page on."""

    def __init__(self, visitor: Visitor) -> None:
        self.page = visitor.page
        self.page.goto("/console")
        visitor.settle()
        self.made: list[str] = []

    def _step(self, what: str) -> None:
        self.made.append(what)
        assert len(self.made) <= MOST, self.made

    def click(self, role: str, name: str | re.Pattern[str]) -> None:
        self._step(f"click {name}")
        self.page.get_by_role(role, name=name).click()  # type: ignore[arg-type]

    def fill(self, label: str, text: str, *, enter: bool = False) -> None:
        self._step(f"fill {label}")
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        if enter:
            field.press("Enter")

    def choose(self, label: str, option: str) -> None:
        self._step(f"choose {option}")
        self.page.get_by_label(label, exact=True).select_option(label=option)

    def back(self) -> None:
        self._step("back")
        self.page.go_back()


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


def indexed(shop: Shop, query: str, count: int = 1) -> None:
    """The list of customers follows the accounts by a moment."""
    for _ in range(60):
        if len(shop.call("GET", f"/admin/users?{query}", user=ADMIN, admin=True).json()["users"]) >= count:
            return
        time.sleep(0.5)
    raise AssertionError(f"not in the list: {query}")


def test_five_tasks_take_five_steps_each_at_most(
    visitor: Visitor, admin: Visitor, shop_engine: Shop, user: str
) -> None:
    digits = paid_in_bitcoin(shop_engine, user)[-8:]
    indexed(shop_engine, f"q={digits}")
    plan = {"plan_id": "crew-month", "name": "Crew", "price_cents": 700, "currency": "USD", "interval": "month"}
    plan |= {"group": "crew", "features": {"ai.insights": True}}
    assert shop_engine.call("POST", "/admin/plans", plan, user=ADMIN, admin=True).status_code == 201
    forget_plans(shop_engine)
    crew = user.replace("usr_", "usr_crew_")
    visitor.open("/pricing", user=crew)
    visitor.buy("Crew", "Pay 7")
    indexed(shop_engine, "plan=crew-month&version=1")
    visitor.page.evaluate("localStorage.removeItem('bitsleuth-billing-session')")
    sign_in(visitor, "support")
    page = visitor.page

    # A buyer, by the last digits of a transaction.
    hands = Hands(visitor)
    hands.fill("Find a customer", digits, enter=True)
    expect(visitor.heading(user)).to_be_visible()

    # Why a feature is closed to them.
    hands = Hands(visitor)
    hands.fill("Find a customer", user, enter=True)
    hands.choose("Feature", "tax.enhanced")
    hands.fill("At (empty: now)", "2026-01-01T00:00")
    hands.click("button", "Explain")
    expect(visitor.text("No: tax.enhanced was closed on")).to_be_visible()
    expect(visitor.text(re.compile("Plans that have it"))).to_be_visible()
    assert visitor.violations() == []

    # A part of a bitcoin payment back.
    hands = Hands(visitor)
    hands.fill("Find a customer", digits, enter=True)
    hands.click("button", "Refund")
    hands.fill("Amount in USD", "5", enter=True)
    expect(visitor.text("The user's access does not change.")).to_be_visible()
    hands.fill("Type “refund” to confirm", "refund", enter=True)
    expect(visitor.text("$5.00 is being given back.")).to_be_visible()

    # A price, and who is touched.
    page = admin.page
    hands = Hands(admin)
    hands.click("button", "Edit Crew")
    hands.fill("Price", "8")
    expect(admin.text("New buyers pay $8.00 in place of $7.00.")).to_be_visible()
    for _ in range(20):  # the figures follow the accounts by a moment
        if admin.text("1 subscriber keeps the version they have.").count():
            break
        page.reload()
        page.get_by_role("group", name="crew-month").wait_for()
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Version 1"))
    expect(row).to_contain_text("+$1.00")
    assert admin.violations() == []
    hands.click("link", re.compile("See who has crew-month@1"))
    expect(page.get_by_role("link", name=crew)).to_be_visible()
    hands.back()
    expect(admin.text("Your draft is back")).to_be_visible()
    hands.click("button", "Publish")
    expect(admin.text("Buyers see it within 60 seconds")).to_be_visible()
    page.get_by_role("link", name="Version 2 crew-month").click()
    expect(page.get_by_role("row").filter(has_text="$7.00").filter(has_text="$8.00")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV See who has crew-month@1").click()
    assert crew in download.value.path().read_text()
    assert admin.violations() == []
    assert shop_engine.call("POST", "/admin/plans/crew-month/archive", user=ADMIN, admin=True).status_code == 200

    # What last month brought and took: net, tax, disputes and churn.
    last = datetime.now(UTC).replace(day=1) - timedelta(days=1)
    query = f"?from={last:%Y-%m}-01&to={last:%Y-%m-%d}"
    totals = shop_engine.call("GET", f"/admin/revenue{query}", user=ADMIN, admin=True).json()["totals"]
    hands = Hands(admin)
    hands.click("link", "Revenue")
    hands.choose("Range", "Last month")
    admin.settle()
    for tile, amount in (("Net revenue", "net"), ("Tax collected", "tax"), ("Chargebacks", "disputed")):
        shown = page.locator("dl > div").filter(has_text=tile).locator("dd").first
        expect(shown).to_have_text(f"${totals[f'{amount}_cents'] / 100:,.2f}")
    lost = page.locator("dl > div").filter(has_text="Lost customers").locator("dd").first
    expect(lost).to_have_text(str(totals["users_lost"]))
    expect(page.get_by_role("figure", name="Churn")).to_contain_text(f"{last:%b %Y}")
