"""What an owner does on the admin pages, on the real stack."""

import pytest
from playwright.sync_api import Browser, Locator, expect

from demo.shop import Shop
from tests.browser.conftest import Visitor

pytestmark = pytest.mark.browser


def test_a_new_plan_is_for_sale_at_once_and_a_new_version_of_it_too(
    admin: Visitor, shop_engine: Shop, chromium: Browser
) -> None:
    def offer() -> Locator:
        """What a newcomer sees. Browsers and instances keep the catalogue for a minute: both are new ones here."""
        admin.page.wait_for_load_state("networkidle")
        shop_engine.engine.kill_workers("PlansFunction")
        visitor = Visitor(shop_engine, chromium)
        visitors.append(visitor)
        visitor.open("/pricing")
        visitor.heading("Compare plans").wait_for()
        return visitor.page.get_by_role("article", name="Team")

    visitors: list[Visitor] = []
    admin.button("New plan").click()
    fields = {"Name": "Team", "Id": "team-month", "Price": "49", "Description": "For a few people together."}
    for label, value in fields.items():
        admin.page.get_by_label(label, exact=True).fill(value)
    admin.button("Add feature").click()
    admin.page.get_by_label("Feature 1", exact=True).fill("wallets.max")
    admin.page.get_by_label("Kind of feature 1").select_option("number")
    admin.page.get_by_label("Amount of feature 1").fill("100")
    preview = admin.page.get_by_role("complementary", name="As buyers see it")
    expect(preview.get_by_text("$49")).to_be_visible()
    admin.button("Create plan").click()
    row = admin.page.get_by_role("row", name="Team")
    expect(row).to_contain_text("$49.00")
    expect(offer()).to_contain_text("$49")

    admin.button("Edit team-month").click()
    admin.page.get_by_label("Price", exact=True).fill("59.50")
    admin.button("Publish version 2").click()
    expect(row).to_contain_text("$59.50")
    expect(offer()).to_contain_text("$59.50")

    admin.button("Archive team-month").click()
    admin.dialog().get_by_role("button", name="Archive").click()
    expect(row).to_contain_text("Archived")
    expect(offer()).to_have_count(0)
    for visitor in visitors:
        visitor.close()


def test_a_plan_that_the_service_refuses_says_why(admin: Visitor) -> None:
    admin.button("New plan").click()
    for label, value in {"Name": "Twice", "Id": "pro-month", "Price": "10"}.items():
        admin.page.get_by_label(label, exact=True).fill(value)
    admin.button("Create plan").click()
    expect(admin.page.get_by_role("alert").first).to_be_visible()
    expect(admin.button("Create plan")).to_be_enabled()


def test_the_admin_pages_are_not_for_buyers(visitor: Visitor, user: str) -> None:
    visitor.open("/console/plans", user=user)
    expect(visitor.text("For administrators")).to_be_visible()
    refused = visitor.shop.call("GET", "/admin/plans", user=user)
    assert refused.status_code in (401, 403)
