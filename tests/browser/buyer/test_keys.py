"""The key is the account: a sign-in that ended leads back into it, and what it holds is not thrown away with it."""

import base64
import json
import re
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]

SESSION, KEYS = "bitsleuth-billing-session", "bitsleuth-billing-keys"


def kept(visitor: Visitor, name: str) -> Any:
    return json.loads(visitor.page.evaluate("(name) => localStorage.getItem(name)", name) or "null")


def account_of(visitor: Visitor) -> str:
    """Whose the sign-in is, by the token's own words."""
    claims = kept(visitor, SESSION)["token"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"])


def end_sign_in(visitor: Visitor, how: str) -> None:
    session = kept(visitor, SESSION)
    ended = {"refresh_token": session["refresh"]}
    requests.post(f"{visitor.shop.url}/auth/sign-out", json=ended, timeout=10).raise_for_status()
    session |= {"token": session["token"][:-8] + "AAAAAAAA"} if how == "refused" else {"expiresAt": 0}
    visitor.page.evaluate("([name, text]) => localStorage.setItem(name, text)", [SESSION, json.dumps(session)])


def forgive(visitor: Visitor) -> None:
    """The gateway's own refusals of a token are no problem documents."""
    visitor.problems = [problem for problem in visitor.problems if not problem.startswith(("401", "403"))]


def forgetting(visitor: Visitor) -> None:
    visitor.open("/account/billing").settle()
    visitor.page.get_by_role("region", name="Your key").get_by_role("button", name="Sign out").click()
    visitor.page.get_by_role("radio", name="Sign out and forget this key").check()


@pytest.mark.parametrize("how", ["over", "refused"])
def test_a_sign_in_that_ended_says_so_and_leads_back_into_the_same_account(visitor: Visitor, how: str) -> None:
    visitor.open("/pricing").buy("Plus", "Pay 9")
    account = account_of(visitor)
    end_sign_in(visitor, how)
    visitor.open("/account/billing")
    alert = visitor.page.get_by_role("alert")
    expect(alert).to_contain_text(f"Sign in again to the same account: {account}")
    for other in ("Try again", "Create a billing key"):
        expect(visitor.button(other)).to_have_count(0)
    assert visitor.violations() == []
    visitor.page.set_viewport_size({"width": 320, "height": 640})
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 320, "the account's id breaks"
    visitor.button("Sign in again").click()
    expect(visitor.text("Renews for $9.00")).to_be_visible()
    assert (account_of(visitor), len(kept(visitor, KEYS))) == (account, 1)
    forgive(visitor)


def test_who_buys_after_a_sign_in_ended_is_the_same_account_and_pays_nothing_twice(visitor: Visitor) -> None:
    visitor.open("/pricing").buy("Plus", "Pay 9")
    account = account_of(visitor)
    end_sign_in(visitor, "over")
    visitor.open("/pricing")
    card = visitor.page.get_by_role("article", name="Plus")
    card.get_by_role("button", name="Get Plus").click()
    visitor.button("Continue to payment").click()
    expect(visitor.dialog().get_by_text("Your card pays $9.00 for Plus, monthly")).to_be_visible()
    expect(visitor.button("Continue to payment")).to_be_disabled()
    assert (account_of(visitor), len(kept(visitor, KEYS))) == (account, 1)
    forgive(visitor)


def test_an_empty_key_may_go_and_one_that_bought_a_gift_is_saved_first(visitor: Visitor) -> None:
    visitor.open("/account/billing").button("Create a billing key").click()
    visitor.heading("Your key").wait_for()
    forgetting(visitor)
    visitor.button("Sign out and forget this key").click()
    expect(visitor.button("Create a billing key")).to_be_visible()
    assert kept(visitor, KEYS) == []

    visitor.open("/redeem").button("Buy a gift").click()
    visitor.button("Continue to payment").click()
    visitor.button(re.compile(r"^Pay \d")).click()
    visitor.heading("Your gift is ready").wait_for()
    forgetting(visitor)
    forget = visitor.dialog().get_by_role("button", name="Sign out and forget this key")
    expect(visitor.dialog().get_by_role("alert")).to_contain_text("Save the key first")
    expect(forget).to_be_disabled()
    assert visitor.violations() == []
    visitor.dialog().get_by_role("button", name="Show it").click()
    visitor.dialog().get_by_role("button", name="I have saved it").click()
    forget.click()
    expect(visitor.button("Create a billing key")).to_be_visible()
    assert kept(visitor, KEYS) == []
