"""What an owner does on the admin pages, on the real stack."""

import hashlib
import json
import re
import time
from pathlib import Path
from typing import Literal

import pytest
import requests
from playwright.sync_api import Browser, Locator, expect

from billing.intake.webhook import encode
from billing.providers.interface import Notification
from demo.shop import ADMIN, Shop
from tests.browser.conftest import Visitor, forget_plans

pytestmark = [pytest.mark.browser, pytest.mark.sweep]

GRANT = {"features": {"tax.enhanced": True}, "reason": "a gift"}


def close(visitor: Visitor) -> None:
    """Leaves the dialog by its own button, not by the cross."""
    visitor.dialog().get_by_role("button", name="Close").first.click()
    expect(visitor.dialog()).to_have_count(0)


def test_a_new_plan_is_for_sale_at_once_and_a_new_version_of_it_too(
    admin: Visitor, shop_engine: Shop, chromium: Browser
) -> None:
    def offer() -> Locator:
        """What a newcomer sees. Browsers and instances keep the catalogue for a minute: both are new ones here."""
        admin.page.wait_for_load_state("networkidle")
        forget_plans(shop_engine)
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
    admin.page.get_by_label("Feature 1", exact=True).select_option("wallets.max")
    admin.page.get_by_label("Amount of feature 1").fill("100")
    preview = admin.page.get_by_role("complementary", name="As buyers see it")
    expect(preview.get_by_text("$49")).to_be_visible()
    admin.button("Create plan").click()
    row = admin.page.get_by_role("list", name="Plans").locator("> li").filter(has=admin.heading("Team"))
    expect(admin.text("Buyers see it within 60 seconds")).to_be_visible()
    expect(row).to_contain_text("$49.00")
    expect(offer()).to_contain_text("$49")

    admin.button("Edit Team").click()
    admin.page.get_by_label("Price", exact=True).fill("59.50")
    admin.page.reload()
    expect(admin.text("Your draft is back")).to_be_visible()
    expect(admin.text("New buyers pay $59.50 in place of $49.00.")).to_be_visible()
    admin.button("Publish").click()
    expect(row).to_contain_text("$59.50")
    expect(offer()).to_contain_text("$59.50")

    admin.button("Archive team-month").click()
    admin.dialog().get_by_role("button", name="Archive").click()
    expect(row).to_contain_text("Archived")
    expect(offer()).to_have_count(0)
    for visitor in visitors:
        visitor.close()


def test_subscribers_are_moved_to_a_new_version_and_back(
    admin: Visitor, visitor: Visitor, user: str, shop_engine: Shop
) -> None:
    """Of a plan of its own: the other tests sell at the seeded prices."""
    plan = {"plan_id": "club-month", "name": "Club", "price_cents": 700, "currency": "USD", "interval": "month"}
    plan |= {"group": "club", "features": {"ai.insights": True}}
    assert shop_engine.call("POST", "/admin/plans", plan, user=ADMIN, admin=True).status_code == 201
    forget_plans(shop_engine)
    visitor.open("/pricing", user=user)
    visitor.buy("Club", "Pay 7")
    newer = {name: value for name, value in plan.items() if name != "plan_id"} | {"version": 1, "price_cents": 800}
    assert shop_engine.call("PATCH", "/admin/plans/club-month", newer, user=ADMIN, admin=True).status_code == 200

    def work() -> str:
        return str(shop_engine.engine.invoke("MoveSubscribersFunction", {})["club-month@2"])

    admin.open("/console/plans")
    admin.button("Move subscribers club-month").click()
    expect(admin.text("They pay $7.00 now, $8.00 then.")).to_be_visible()
    admin.page.get_by_label("Share of users").fill("100")
    assert admin.violations() == []
    admin.button("Start").click()
    expect(admin.text("Nobody was moved yet")).to_be_visible()
    assert work() == "done"
    forget_plans(shop_engine)
    visitor.open("/account/billing")
    expect(visitor.text(re.compile("with its newest version, for \\$8.00"))).to_be_visible()
    admin.open("/console/plans")
    admin.button("Move subscribers club-month").click()
    expect(admin.text("1 moved")).to_be_visible()
    admin.button("Undo").click()
    admin.page.get_by_role("dialog", name="Undo this move?").get_by_role("button", name="Undo").click()
    expect(admin.text("Being undone")).to_be_visible()
    assert work() == "undone"
    visitor.open("/account/billing")
    expect(visitor.text(re.compile("Renews for \\$7.00"))).to_be_visible()
    assert shop_engine.call("POST", "/admin/plans/club-month/archive", user=ADMIN, admin=True).status_code == 200


def test_a_plan_that_the_service_refuses_says_why(admin: Visitor) -> None:
    admin.button("New plan").click()
    for label, value in {"Name": "Twice", "Id": "pro-month", "Price": "10"}.items():
        admin.page.get_by_label(label, exact=True).fill(value)
    admin.button("Create plan").click()
    expect(admin.page.get_by_role("alert").first).to_contain_text("There is a plan of this name already.")
    expect(admin.button("Create plan")).to_be_enabled()
    admin.page.get_by_label("Id", exact=True).fill("twice")
    admin.page.get_by_label("Currency").fill("XXX")
    admin.button("Create plan").click()
    expect(admin.text("This currency is not known.")).to_be_visible()
    expect(admin.page.get_by_label("Currency")).to_have_attribute("aria-invalid", "true")


def test_the_admin_pages_are_not_for_buyers(visitor: Visitor, user: str) -> None:
    visitor.open("/console/plans", user=user)
    expect(visitor.text("No role here")).to_be_visible()
    refused = visitor.shop.call("GET", "/admin/plans", user=user)
    assert refused.status_code in (401, 403)


def test_an_admin_finds_a_buyer_sees_why_and_refunds_what_they_bought(
    admin: Visitor, visitor: Visitor, user: str
) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy("Tax year 2026", "Pay 49")
    admin.open("/console/users")
    admin.page.get_by_role("searchbox").fill(user)
    admin.button("Find").click()  # the one who is found is shown at once
    admin.page.get_by_label("Feature", exact=True).select_option("tax.enhanced")
    admin.button("Explain").click()
    expect(admin.text("tax.enhanced was open on")).to_be_visible()
    assert admin.violations() == []
    admin.button("Refund").click()
    admin.button("Show the effect").click()
    expect(admin.text("The user loses: Enhanced tax report")).to_be_visible()
    admin.button("Back").click()
    admin.page.get_by_label("Amount in USD").fill("12.5")
    admin.button("Show the effect").click()
    expect(admin.text("The user's access does not change.")).to_be_visible()
    expect(admin.button("Refund $12.50")).to_be_disabled()
    admin.button("Back").click()
    admin.page.get_by_label("Amount in USD").fill("49")
    admin.button("Show the effect").click()
    admin.page.get_by_label("Type “refund” to confirm").fill("refund")
    admin.button("Refund $49.00").click()
    expect(admin.text("$49.00 is being given back.")).to_be_visible()
    close(admin)
    visitor.open("/demo")
    expect(visitor.heading("Enhanced tax report is not in your plan")).to_be_visible()


def test_a_dead_letter_is_explained_and_sent_back(admin: Visitor, shop_engine: Shop) -> None:
    now = int(time.time())
    event = Notification(
        provider="mock", event_id=f"evt_{now}", type="something.new", created_at=now, livemode=False, payload={}
    )
    sqs, dlq = shop_engine.engine.client("sqs"), shop_engine.engine.resource("PaymentEventsDlq")
    sqs.send_message(QueueUrl=dlq, MessageBody=encode(event, now, "1", hashlib.sha256(b"").hexdigest()))
    admin.open("/console/events")
    letter = admin.page.get_by_role("listitem").filter(has_text=event.key)
    expect(letter).to_be_visible()
    assert admin.violations() == []
    admin.button(f"Redrive {event.key}").click()
    admin.button("Dry run").click()
    expect(admin.text("Would be sent back")).to_be_visible()
    admin.button("Redrive now").click()
    expect(admin.text("Done. They are being processed.")).to_be_visible()
    close(admin)
    expect(letter).to_have_count(0)
    admin.page.get_by_role("radio", name="Processed").check()
    expect(admin.text(event.key).first).to_be_visible(timeout=15_000)
    admin.page.get_by_role("link", name="Audit log").click()
    noted = admin.page.get_by_role("listitem").filter(has_text=event.key)
    expect(noted).to_contain_text("Redrove")
    expect(noted).to_contain_text(ADMIN)


def test_a_figure_is_followed_to_its_lines_and_on_to_the_user(admin: Visitor, visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    visitor.buy()
    day = time.strftime("%Y-%m-%d", time.gmtime())

    def lines() -> Locator:
        admin.open("/console/revenue")
        admin.settle()
        admin.button("Table").first.click()
        admin.button(day).first.click()
        return admin.dialog().get_by_role("row").filter(has_text=user).filter(has_text="Payment")

    for _ in range(20):  # the publisher needs a moment
        paid = lines()
        admin.dialog().get_by_text("Order opened").first.wait_for()
        if paid.count():
            break
    expect(paid).to_contain_text("$19.00")
    assert admin.violations() == []
    paid.get_by_role("link", name=user).click()
    admin.text(user).first.wait_for()


@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
def test_a_user_is_exported_and_erased_and_the_log_says_by_whom(
    shop_engine: Shop, chromium: Browser, user: str, scheme: Literal["light", "dark"], rules: tuple[str, ...]
) -> None:
    shop_engine.call("POST", f"/admin/users/{user}/grants", GRANT, user=ADMIN, admin=True).raise_for_status()
    admin = Visitor(shop_engine, chromium, color_scheme=scheme)
    admin.open(f"/console/users?user={user}", user=ADMIN, admin=True)
    with admin.page.expect_download() as download:
        admin.button("Export").click()
    exported = json.loads(Path(download.value.path()).read_text())
    assert (download.value.suggested_filename, exported["user_id"]) == (f"{user}.json", user)
    admin.button("Erase").click()
    assert admin.violations(*rules) == []
    admin.page.keyboard.press("Escape")
    expect(admin.button("Erase")).to_be_focused()
    admin.button("Erase").click()
    admin.page.get_by_label("Type the user id to confirm").fill(user)
    admin.page.keyboard.press("Enter")
    expect(admin.text("ledger lines stay, without the person")).to_be_visible()
    close(admin)
    expect(admin.heading("Customers")).to_be_visible()
    assert shop_engine.call("GET", f"/admin/users/{user}", user=ADMIN, admin=True).status_code == 404
    admin.open(f"/console/audit?subject={user}").settle()
    assert admin.violations(*rules) == []
    for act in ("Exported", "Granted features to"):
        expect(admin.page.get_by_role("listitem").filter(has_text=act)).to_contain_text(ADMIN)
    with admin.page.expect_download() as download:
        admin.button("CSV").click()
    assert user in Path(download.value.path()).read_text()
    admin.close()


def test_of_two_admins_who_set_a_flag_the_second_sees_what_the_first_did(
    admin: Visitor, shop_engine: Shop, user: str
) -> None:
    name = user.replace("usr_", "flag-")
    admin.page.get_by_role("link", name="Rollout").click()
    admin.button("Add flag").click()
    admin.page.get_by_label("Name").fill(name)
    version = shop_engine.call("GET", "/admin/flags", user=ADMIN, admin=True).json()["version"]
    other = {"percent": 30, "allow": [], "version": version}
    shop_engine.call("PUT", f"/admin/flags/{name}", other, user="usr_other", admin=True).raise_for_status()
    admin.page.get_by_label("And always").fill(user)
    admin.button("Save").click()
    expect(admin.text("In force now: 30% of users and 0 by name")).to_be_visible()
    assert admin.violations() == []
    admin.button("Save over it").click()
    expect(admin.dialog()).to_have_count(0)
    expect(admin.page.get_by_role("listitem").filter(has=admin.heading(name))).to_contain_text(
        "0% of users · and 1 by name"
    )
    admin.page.get_by_label("User id").fill(user)
    expect(admin.page.get_by_role("status").get_by_role("listitem").filter(has_text=name)).to_contain_text(
        "On the list by name."
    )
    config = requests.get(f"{shop_engine.url}/billing/config", timeout=10).json()
    assert config["flags"][name] == {"percent": 0, "allow": [user]}
    admin.open(f"/console/audit?subject={name}")
    expect(admin.page.get_by_role("main").get_by_role("listitem")).to_have_count(2)
