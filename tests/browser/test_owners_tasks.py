"""What an owner does most, from the first page, in at most five steps; and that each step leads on."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from demo.shop import ADMIN, Shop
from tests.browser.conftest import Visitor, forget_plans

pytestmark = pytest.mark.browser
STEPS = 5


class Hands:
    """Counts what a person does: a click, a text, a choice, going back."""

    def __init__(self, visitor: Visitor) -> None:
        self.page = visitor.page
        self.made: list[str] = []

    def click(self, role: str, name: str | re.Pattern[str]) -> None:
        self.made.append(f"click {name}")
        self.page.get_by_role(role, name=name).click()  # type: ignore[arg-type]

    def fill(self, label: str, text: str) -> None:
        self.made.append(f"fill {label}")
        self.page.get_by_label(label, exact=True).fill(text)

    def choose(self, label: str, option: str) -> None:
        self.made.append(f"choose {option}")
        self.page.get_by_label(label, exact=True).select_option(label=option)

    def back(self) -> None:
        self.made.append("back")
        self.page.go_back()


def test_changing_a_price_and_seeing_who_is_touched(
    admin: Visitor, visitor: Visitor, user: str, shop_engine: Shop
) -> None:
    plan = {"plan_id": "crew-month", "name": "Crew", "price_cents": 700, "currency": "USD", "interval": "month"}
    plan |= {"group": "crew", "features": {"ai.insights": True}}
    assert shop_engine.call("POST", "/admin/plans", plan, user=ADMIN, admin=True).status_code == 201
    forget_plans(shop_engine)
    visitor.open("/pricing", user=user)
    visitor.buy("Crew", "Pay 7")
    admin.open("/console")
    hands = Hands(admin)

    hands.click("button", "Edit Crew")
    hands.fill("Price", "8")
    expect(admin.text("New buyers pay $8.00 in place of $7.00.")).to_be_visible()
    for _ in range(20):  # the publisher needs a moment
        if admin.text("1 subscriber keeps the version they have.").count():
            break
        admin.page.reload()
        admin.page.get_by_role("group", name="crew-month").wait_for()
    row = admin.page.get_by_role("row").filter(has=admin.page.get_by_role("rowheader", name="Version 1"))
    expect(row).to_contain_text("+$1.00")
    assert admin.violations() == []
    hands.click("link", "See who has crew-month")
    expect(admin.page.get_by_role("link", name=user)).to_be_visible()
    hands.back()
    expect(admin.text("Your draft is back")).to_be_visible()
    hands.click("button", "Publish")
    expect(admin.text("Buyers see it within 60 seconds")).to_be_visible()

    assert len(hands.made) <= STEPS, hands.made
    admin.page.get_by_role("link", name="Version 2 crew-month").click()
    expect(admin.page.get_by_role("row").filter(has_text="$7.00").filter(has_text="$8.00")).to_be_visible()
    assert admin.violations() == []
    assert shop_engine.call("POST", "/admin/plans/crew-month/archive", user=ADMIN, admin=True).status_code == 200


def test_reading_what_last_month_brought_and_took(admin: Visitor, shop_engine: Shop) -> None:
    last = datetime.now(UTC).replace(day=1) - timedelta(days=1)
    query = f"?from={last:%Y-%m}-01&to={last:%Y-%m-%d}"
    told = shop_engine.call("GET", f"/admin/revenue{query}", user=ADMIN, admin=True).json()["totals"]
    admin.open("/console")
    hands = Hands(admin)

    hands.click("link", "Revenue")
    hands.choose("Range", "Last month")
    admin.settle()
    for tile, amount in (("Net revenue", "net"), ("Tax collected", "tax"), ("Chargebacks", "disputed")):
        shown = admin.page.locator("dl > div").filter(has_text=tile).locator("dd").first
        expect(shown).to_have_text(f"${told[f'{amount}_cents'] / 100:,.2f}")
    lost = admin.page.locator("dl > div").filter(has_text="Lost customers").locator("dd").first
    expect(lost).to_have_text(str(told["users_lost"]))
    expect(admin.page.get_by_role("figure", name="Churn")).to_contain_text(f"{last:%b %Y}")
    assert len(hands.made) <= STEPS, hands.made


def test_a_cell_leads_to_the_lines_that_add_up_to_it(admin: Visitor, visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    for _ in range(20):  # the publisher needs a moment
        admin.open("/console/revenue").settle()
        months = admin.page.get_by_role("figure", name="Month by month")
        if (cell := months.get_by_role("button", name=re.compile("^Gross, .* so far"))).count():
            break
    figure = str(cell.text_content())
    cell.click()
    sums = admin.dialog().get_by_label("Sums by kind")
    more = admin.dialog().get_by_role("button", name="Older")
    admin.dialog().get_by_role("table").wait_for()
    while more.count():
        more.click()
        expect(admin.dialog().locator("[aria-busy=true]")).to_have_count(0)
    expect(sums).to_contain_text(figure)
    assert admin.violations() == []
