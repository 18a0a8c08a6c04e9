"""Whoever works here signs in at the identity provider, and sees what their role may do."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from demo.shop import Shop
from fakes.issuer import PEOPLE
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]


def sign_in(visitor: Visitor, person: str, path: str = "/console") -> Visitor:
    visitor.page.goto(path)
    visitor.button(re.compile("^Sign in with")).click()
    visitor.button(PEOPLE[person][0]).click()
    # Not before the code was changed for a token: whoever leaves earlier is not signed in.
    visitor.page.wait_for_url(lambda url: "/console" in url and "/signed-in" not in url)
    return visitor


@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
def test_one_button_leads_there_and_back_to_the_page_one_wanted(
    shop_engine: Shop, chromium: Browser, user: str, scheme: Literal["light", "dark"], rules: tuple[str, ...]
) -> None:
    visitor = Visitor(shop_engine, chromium, color_scheme=scheme)
    wanted = f"/console/users?q={user}"
    visitor.page.goto(wanted)
    visitor.button(re.compile("^Sign in with")).wait_for()
    assert visitor.violations(*rules) == []
    sign_in(visitor, "support", wanted)
    visitor.heading("Customers").wait_for()
    assert visitor.page.url == shop_engine.url + wanted
    visitor.page.reload()
    expect(visitor.heading("Customers")).to_be_visible()
    visitor.button("Sign out").click()
    visitor.dialog().get_by_role("button", name="Sign out").click()
    visitor.page.wait_for_url(shop_engine.url + "/console")
    # The session at the identity provider has ended too: it asks again who one is.
    visitor.button(re.compile("^Sign in with")).click()
    expect(visitor.button(PEOPLE["support"][0])).to_be_visible()
    visitor.close()


def test_somebody_without_a_role_is_told_so_and_can_be_somebody_else(visitor: Visitor) -> None:
    sign_in(visitor, "visitor")
    expect(visitor.text("No role here")).to_be_visible()
    assert visitor.violations() == []
    visitor.button("Sign in as somebody else").click()
    visitor.button(PEOPLE["viewer"][0]).click()
    expect(visitor.page.get_by_role("link", name="Customers")).to_be_visible()


def test_a_code_of_somebody_elses_signs_nobody_in(visitor: Visitor) -> None:
    visitor.page.goto("/console/signed-in?code=theirs&state=theirs")
    expect(visitor.text("not begun in this tab")).to_be_visible()
    assert visitor.page.evaluate("localStorage.getItem('bitsleuth-billing-session')") is None


def alter(visitor: Visitor, **changes: object) -> None:
    """Changes what the browser keeps of the sign-in, and loads the page anew."""
    script = """(changes) => { const key = "bitsleuth-billing-session";
    const kept = JSON.parse(localStorage.getItem(key));
    localStorage.setItem(key, JSON.stringify({ ...kept, ...changes })); }"""
    visitor.page.evaluate(script, changes)
    visitor.page.reload()


def test_a_sign_in_is_renewed_unseen_and_one_that_cannot_be_ends_with_a_word_and_the_way_back(visitor: Visitor) -> None:
    sign_in(visitor, "admin", "/console/invoices")
    visitor.heading("Bitcoin invoices").wait_for()
    alter(visitor, expiresAt=1)
    expect(visitor.heading("Bitcoin invoices")).to_be_visible()
    alter(visitor, expiresAt=1, refresh="used before")
    expect(visitor.text("Your sign-in has ended")).to_be_visible()
    # Calls that were on their way without a token are answered by the gateway, some of them late.
    visitor.page.wait_for_load_state("networkidle")
    assert {problem.split()[0] for problem in visitor.problems} <= {"401"}
    visitor.problems.clear()
    # The identity provider still knows them.
    visitor.button(re.compile("^Sign in with")).click()
    expect(visitor.heading("Bitcoin invoices")).to_be_visible()
