"""Each role in the browser, on every page of the admin's: what it may do is there, what it may not is not."""

import re
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect

from billing.api.roles import RANKS, ROLES
from demo.shop import Shop
from tests.browser.conftest import Visitor
from tests.browser.test_staff import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.sweep]

SHELL = Path(__file__).parents[2] / "frontend" / "portal" / "src" / "admin" / "Admin.tsx"
SECTIONS = dict(re.findall(r'^  (\w+): \[\w+, "([A-Z]+ /admin/[^"]+)"\]', SHELL.read_text(), re.MULTILINE))
SUBSCRIPTION = "/admin/users/{user_id}/subscriptions/{subscription_id}"
# Where a page offers each call that changes something: the page, and the button by which it begins.
BUTTONS = {
    "PUT /admin/offers": ("plans", "New plan"),
    "POST /admin/plans/{plan_id}/archive": ("plans", "Archive"),
    "POST /admin/users/{user_id}/grants": ("customer", "Grant features"),
    "POST /admin/users/{user_id}/grants/{grant_id}/revoke": ("customer", "Revoke"),
    "POST /admin/users/{user_id}/days": ("customer", "Give days"),
    "POST /admin/users/{user_id}/refunds": ("customer", "Refund"),
    "POST /admin/users/{user_id}/notes": ("customer", "Add note"),
    "DELETE /admin/users/{user_id}/notes/{note_id}": ("customer", "Remove"),
    "GET /admin/users/{user_id}/export": ("customer", "Export"),
    "DELETE /admin/users/{user_id}": ("customer", "Erase"),
    f"POST {SUBSCRIPTION}/cancel": ("customer", "Cancel subscription"),
    f"POST {SUBSCRIPTION}/change": ("customer", "Change plan"),
    f"POST {SUBSCRIPTION}/reread": ("customer", "Read again"),
    f"POST {SUBSCRIPTION}/resume": ("leaving", "Take back the end"),
    "POST /admin/invoices/{provider}/{purchase_id}/accept": ("invoices", "Accept as paid"),
    "POST /admin/invoices/{provider}/{purchase_id}/reread": ("invoices", "Read again"),
    "POST /admin/vouchers": ("vouchers", "Make vouchers"),
    "POST /admin/endpoints": ("endpoints", "Add endpoint"),
    "PATCH /admin/endpoints/{endpoint_id}": ("endpoints", "Pause"),
    "DELETE /admin/endpoints/{endpoint_id}": ("endpoints", "Remove"),
    "POST /admin/endpoints/{endpoint_id}/secret": ("endpoints", "New secret"),
    "POST /admin/endpoints/{endpoint_id}/test": ("endpoints", "Send test"),
    "PUT /admin/flags/{name}": ("rollout", "Add flag"),
    "POST /admin/events/redrive": ("events", "Redrive"),
    "POST /admin/events/set-aside": ("events", "Set aside"),
}
# Within what one of those, or a look, opens: the page, what is pressed there first, and the button.
WITHIN = {
    "POST /admin/plans/{plan_id}/move": ("plans", "Move subscribers roles-month", "Start"),
    "POST /admin/vouchers/{batch_id}/codes": ("batch", "", "Show the unused codes"),
    "POST /admin/vouchers/{batch_id}/revoke": ("batch", "", "Revoke unused"),
    "POST /admin/events/take-back": ("aside", "", "Take back"),
    "POST /admin/endpoints/{endpoint_id}/secret/end-old": ("endpoints", "", "End old secret"),
    "POST /admin/endpoints/{endpoint_id}/resend": ("deliveries", "", "Send again since"),
}
# As above, but only while something is under way, or without a button of its own; each page has a test of its own.
FOLLOWING = {
    f"POST {SUBSCRIPTION}/preview-change",
    "POST /admin/plans/{plan_id}/preview",
    "POST /admin/plans/{plan_id}/move/stop",
    "POST /admin/plans/{plan_id}/move/undo",
}
# No page makes them: they are for programs.
API_ALONE = {
    "POST /admin/plans",
    "PATCH /admin/plans/{plan_id}",
    "POST /admin/invoices/{provider}/{purchase_id}/refund",
}


def may(role: str, call: str) -> bool:
    return RANKS[role] >= RANKS[ROLES[call]]


def test_every_page_and_every_call_has_its_role_and_its_place() -> None:
    named = set(re.findall(r"\./(?:\w+/)?(\w+Page)\.js", SHELL.read_text())) - {"SignInPage"}
    assert len(SECTIONS) == len(named)
    assert set(SECTIONS.values()) <= set(ROLES)
    changing = {call for call in ROLES if not call.startswith("GET ")}
    assert {call for call in BUTTONS if not call.startswith("GET ")} | WITHIN.keys() | FOLLOWING | API_ALONE == changing


@pytest.mark.parametrize("role", ["viewer", "support", "admin"])
def test_a_role_finds_what_it_may_do_and_nothing_else(
    visitor: Visitor, shop_engine: Shop, places: dict[str, str], role: str
) -> None:
    sign_in(visitor, role)
    linked = visitor.page.get_by_role("navigation", name="Sections").get_by_role("link")
    expect(linked).to_have_count(sum(may(role, call) for call in SECTIONS.values()))
    found: dict[str, bool] = {}
    for page in dict.fromkeys(page for page, _ in BUTTONS.values()):
        visitor.page.goto(places[page])
        visitor.settle()
        for call, (place, name) in BUTTONS.items():
            if place == page:
                found[call] = visitor.button(re.compile(f"^{name}")).count() > 0
    assert found == {call: may(role, call) for call in found}


@pytest.mark.parametrize("role", ["viewer", "support", "admin"])
def test_what_a_role_opens_holds_no_more_than_it_may(visitor: Visitor, places: dict[str, str], role: str) -> None:
    sign_in(visitor, role)
    found: dict[str, bool] = {}
    for call, (place, first, name) in WITHIN.items():
        visitor.page.goto(places[place])
        visitor.settle()
        if first:
            visitor.button(re.compile(f"^{first}")).click()
            visitor.dialog().get_by_role("button", name="Close").last.wait_for()
            visitor.settle()
        found[call] = visitor.button(re.compile(f"^{name}")).count() > 0
        if first:
            visitor.escape()
    assert found == {call: may(role, call) for call in found}


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_what_a_role_may_not_is_refused_to_its_session(shop_engine: Shop, role: str) -> None:
    headers = {"authorization": f"Bearer {shop_engine.token(f'usr_{role}', admin=True, role=role)}"}
    refused = {}
    for call in ROLES:
        if not may(role, call):
            method, _, path = call.partition(" ")
            known = path.replace("{provider}", "mock").replace("{user_id}", "usr_x")
            url = shop_engine.url + re.sub(r"\{\w+\}", "x", known)
            answer = requests.request(method, url, json={}, headers=headers, timeout=20)
            refused[call] = (answer.status_code, answer.json().get("code"))
    assert set(refused.values()) == {(403, "role_needed")}, refused


def test_support_helps_a_customer_in_the_dialogs(visitor: Visitor, places: dict[str, str]) -> None:
    sign_in(visitor, "support")
    page = visitor.page
    page.goto(places["helped"])

    page.get_by_label("New note").fill("We owe them a week.")
    visitor.button("Add note").click()
    expect(visitor.text("We owe them a week.")).to_be_visible()
    notes = page.get_by_role("region", name="Notes").get_by_role("listitem")
    expect(notes).to_have_count(2)
    visitor.button("Remove").last.click()
    visitor.dialog().get_by_role("button", name="Remove").click()
    expect(notes).to_have_count(1)

    visitor.button("Give days").click()
    visitor.dialog().get_by_label("Reason").fill("an outage")
    visitor.button("Show the effect").click()
    visitor.button("Give 7 days").click()
    expect(visitor.dialog().get_by_text("Done")).to_be_visible()
    visitor.dialog().get_by_role("button", name="Close").first.click()

    visitor.button("Grant features").click()
    visitor.dialog().get_by_label("What").select_option("tax.export")
    visitor.dialog().get_by_label("Reason").fill("a promise")
    visitor.button(re.compile("^Grant$")).click()
    grant = page.get_by_role("region", name="Grants").get_by_role("listitem").filter(has_text="a promise")
    grant.get_by_role("button", name="Revoke").click()
    visitor.dialog().get_by_role("button", name="Revoke").click()
    expect(grant.get_by_text("Revoked")).to_be_visible()

    visitor.button("Refund").first.click()
    page.get_by_label("Amount in USD").fill("1")
    visitor.button("Show the effect").click()
    page.get_by_label("Type “refund” to confirm").fill("refund")
    visitor.button("Refund $1.00").click()
    expect(visitor.text("$1.00 is being given back.")).to_be_visible()
    visitor.dialog().get_by_role("button", name="Close").first.click()

    visitor.button("Read again").click()
    expect(visitor.text(re.compile("^(The provider says the same|Taken over as the provider has it)"))).to_be_visible()
    page.goto(places["invoices"])
    visitor.button("Read again").first.click()
    visitor.settle()
    expect(page.get_by_role("alert")).to_have_count(0)
