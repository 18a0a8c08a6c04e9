"""The example host in Chromium: what is not bought stays shut and costs the host nothing, and buying opens it."""

import re
import time

import pytest
import requests
from coincurve import PrivateKey
from playwright.sync_api import expect

from person import Person, signed
from tests.browser.conftest import Visitor
from tests.browser.host import Host

pytestmark = [pytest.mark.browser, pytest.mark.sweep]
PAGES = ["/", "/pricing", "/account/billing", "/checkout/return?checkout_id=chk_unknown"]
ANSWER = "You spent 0.0042 BTC."


def sign_in(guest: Visitor) -> Person:
    """Signs in with a Nostr key; the answer is the same person at the API."""
    key = PrivateKey()
    guest.extend(lambda event: signed(event, key))
    guest.open("/account/billing").button("Use my Nostr extension").click()
    expect(guest.heading("Your key")).to_be_visible()
    person = Person(guest.shop, key)
    session = guest.page.evaluate("JSON.parse(localStorage.getItem('bitsleuth-billing-session'))")
    person.tokens = {"session_token": session["token"]}
    return person


def test_a_refusal_of_the_hosts_action_opens_the_dialog_and_nothing_is_spent(guest: Visitor, host_engine: Host) -> None:
    before = host_engine.model.calls
    guest.open("/").settle()
    guest.page.get_by_role("button", name="Today's insight (Plus)", exact=True).click()
    expect(guest.dialog().get_by_role("heading", name="is not in your plan")).to_be_visible()
    expect(guest.dialog().get_by_role("button", name="Unlock with Plus")).to_be_visible()
    assert host_engine.model.calls == before


def test_a_stranger_starts_for_free_where_the_hosts_route_refused(guest: Visitor, host_engine: Host) -> None:
    before = host_engine.model.calls
    guest.open("/").settle()
    ask = guest.page.get_by_role("button", name="Ask", exact=True)
    ask.click()
    expect(guest.dialog().get_by_role("heading", name="AI chat: free to use")).to_be_visible()
    assert (guest.violations(within=".bsb"), host_engine.model.calls) == ([], before)
    guest.dialog().get_by_role("button", name="Start for free").click()
    expect(guest.dialog()).to_have_count(0)
    ask.click()
    expect(guest.text(ANSWER)).to_be_visible()


@pytest.mark.parametrize("path", ["/api/chat", "/api/report"])
def test_a_route_answers_402_to_a_bare_call_before_it_reads_the_body(host_engine: Host, path: str) -> None:
    before = host_engine.model.calls
    answer = requests.post(host_engine.url + path, data="x" * 100_000, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (402, "feature_locked")
    assert host_engine.model.calls == before


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_cached_for_everybody_and_bears_neither_cookie_nor_inline_style(host_engine: Host, path: str) -> None:
    page = requests.get(host_engine.url + path, timeout=10)
    assert "s-maxage=300" in page.headers["cache-control"]
    assert "set-cookie" not in page.headers
    assert not re.search(r"<style| style=", page.text)


def test_a_stranger_buys_and_the_locked_panel_opens_here_and_on_the_server(guest: Visitor, host_engine: Host) -> None:
    guest.open("/")
    expect(guest.heading("Enhanced tax report is not in your plan")).to_be_visible()
    guest.button("Unlock with Pro").click()
    guest.button("Continue to payment").click()
    guest.button("Pay 19").click()
    expect(guest.heading("Pro is yours")).to_be_visible()
    assert guest.page.url.startswith(f"{host_engine.url}/checkout/return?checkout_id=chk_")
    guest.page.reload()
    expect(guest.heading("Pro is yours")).to_be_visible()
    guest.page.get_by_role("link", name="Continue").click()
    guest.button("Make the report").click()
    expect(guest.text(ANSWER)).to_be_visible()
    guest.button("Today's insight").click()
    expect(guest.text(ANSWER)).to_have_count(2)


def test_the_pricing_page_sells_and_the_billing_page_shows_what_was_bought(guest: Visitor) -> None:
    guest.open("/pricing")
    guest.buy("Plus", "Pay 9")
    guest.page.get_by_role("link", name="View billing").click()
    expect(guest.text("Renews for $9.00")).to_be_visible()


def test_the_free_allowance_works_and_is_counted_after_the_response(guest: Visitor, host_engine: Host) -> None:
    person = sign_in(guest)
    guest.open("/").settle()
    guest.page.get_by_role("button", name="Ask", exact=True).click()
    expect(guest.text(ANSWER)).to_be_visible()

    def remaining() -> int:
        held = person.call("GET", "/billing/entitlements").json()["entitlements"]
        return int(next(e["remaining"] for e in held if e["feature"] == "ai.chat"))

    deadline = time.monotonic() + 20
    while remaining() != 4:
        assert time.monotonic() < deadline, "the use was not reported"
        time.sleep(0.1)


def test_who_signs_out_is_a_stranger_to_the_hosts_servers_too(guest: Visitor) -> None:
    person = sign_in(guest)
    person.buy("tax-2026")
    assert guest.page.request.post("/api/report").status == 200
    guest.button("Sign out").click()
    with guest.page.expect_response(lambda response: response.request.method == "DELETE"):
        guest.dialog().get_by_role("button", name="Sign out").click()
    assert guest.page.request.post("/api/report").status == 402
    expect(guest.button("Use my Nostr extension")).to_be_visible()


def test_a_purchase_elsewhere_opens_with_the_next_call_and_a_refund_closes_within_five_seconds(
    guest: Visitor, host_engine: Host
) -> None:
    person = sign_in(guest)
    post = guest.page.request.post
    assert post("/api/report").status == 402
    person.buy("tax-2026")
    assert post("/api/report").status == 200
    mock = host_engine.shop.mock
    purchase = next(n for n, o in mock.objects.items() if n.startswith("pur") and o.get("user_id") == user_of(person))
    mock.act(purchase, "refund")
    mock.webhooks.wait_idle()
    deadline = time.monotonic() + 20
    while holds(person, "tax.enhanced"):
        assert time.monotonic() < deadline, "the refund did not arrive"
        time.sleep(0.05)
    refunded = time.monotonic()
    while post("/api/report").status != 402:
        assert time.monotonic() - refunded < 5, "the host was not told, or believed its token all the same"
        time.sleep(0.1)
    spent = host_engine.model.calls
    assert post("/api/report").status == 402
    assert host_engine.model.calls == spent


def user_of(person: Person) -> str:
    return str(person.call("GET", "/billing/entitlements").json()["user_id"])


def holds(person: Person, feature: str) -> bool:
    held = person.call("GET", "/billing/entitlements").json()["entitlements"]
    return feature in {entitlement["feature"] for entitlement in held}
