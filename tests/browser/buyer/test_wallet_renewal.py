"""A wallet that renews, as its owner sees it: connected by hand, asked while nobody looks, told of when it cannot."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import requests
from playwright.sync_api import expect

from billing.rules.renewal import INVOICE_MINUTES, MARGIN
from billing.rules.times import DAY
from demo.passing import pass_time
from fakes.nostr.wallet import Wallet
from fakes.nostr.wallet_kinds import Connected
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]


@pytest.fixture
def wallet(visitor: Visitor) -> Wallet:
    visitor.shop.wallet.become("Alby Hub")
    visitor.shop.wallet.play("pay")
    return visitor.shop.wallet


def buy_a_term(visitor: Visitor, user: str) -> None:
    """On the pages, in bitcoin; paid at the stand-in."""
    visitor.open("/pricing", user=user)
    visitor.page.get_by_role("article", name="Pro").get_by_role("button").click()
    visitor.page.get_by_role("radio", name="Bitcoin").check()
    visitor.button("Continue to payment").click()
    visitor.page.get_by_role("timer").wait_for()
    pay_newest(visitor, user)
    visitor.open("/account/billing")
    expect(visitor.text("Paid ahead in bitcoin")).to_be_visible()


def pay_newest(visitor: Visitor, user: str) -> None:
    app = visitor.shop.btcpay
    mine = [i for i in app.invoices.values() if i.metadata.get("user_id") == user and i.status == "New"]
    invoice = max(mine, key=lambda one: one.created)
    for act in ("pay", "settle"):
        requests.post(f"{app.url}/i/{invoice.id}", data={"act": act}, timeout=10).raise_for_status()
    until(lambda: terms(visitor, user) > 0)


def connect(visitor: Visitor, wallet: Wallet, **of_it: int) -> Connected:
    made = wallet.connect("in the browser", **of_it)  # type: ignore[arg-type]
    visitor.button("Connect a wallet").click()
    visitor.page.get_by_label("Connection from your wallet").fill(wallet.string_of(made))
    visitor.page.get_by_label("At most, in satoshis").fill("40000")
    expect(visitor.text("We will ask for $19.00 for Pro, 3 days before each term ends")).to_be_visible()
    visitor.button("Connect a wallet").click()
    expect(visitor.text(f"Wallet …{wallet.public[-4:]}")).to_be_visible()
    return made


def terms(visitor: Visitor, user: str) -> int:
    found = visitor.shop.call("GET", "/billing/subscription-status", user=user).json()["terms"]
    return sum(term["status"] == "paid" for term in found)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def pass_and_ask(visitor: Visitor, user: str, seconds: int) -> None:
    pass_time(visitor.shop, user, seconds)
    visitor.shop.btcpay.tick()
    visitor.shop.engine.invoke("RenewByWalletFunction", {})


def test_connected_on_the_page_it_renews_itself_twice_and_once_removed_never_again(
    visitor: Visitor, user: str, wallet: Wallet
) -> None:
    buy_a_term(visitor, user)
    made = connect(visitor, wallet)
    assert visitor.violations() == []
    for number in (2, 3):
        pass_and_ask(visitor, user, 30 * DAY)
        until(lambda number=number: terms(visitor, user) == number)  # type: ignore[misc]
        visitor.open("/account/billing")
        expect(visitor.text("Your wallet is asked on")).to_be_visible()
        expect(visitor.text("Last renewed on")).to_be_visible()
    visitor.button("Remove").click()
    visitor.page.get_by_role("alert").get_by_role("button", name="Remove").click()
    expect(visitor.button("Connect a wallet")).to_be_visible()
    asked = len(made.asked)
    pass_and_ask(visitor, user, 31 * DAY)
    assert (terms(visitor, user), len(made.asked)) == (3, asked)


def test_a_budget_used_up_is_told_paid_by_hand_and_the_connection_goes_on(
    visitor: Visitor, user: str, wallet: Wallet
) -> None:
    buy_a_term(visitor, user)
    made = connect(visitor, wallet, budget_sat=5)
    pass_and_ask(visitor, user, 29 * DAY)
    visitor.open("/account/billing")
    expect(visitor.text("Your wallet is being asked.")).to_be_visible()
    visitor.button("Renew").click()
    expect(visitor.text("To keep you from paying twice")).to_be_visible()
    pass_and_ask(visitor, user, INVOICE_MINUTES * 60 + MARGIN + 60)
    visitor.open("/account/billing")
    expect(visitor.text("The budget of the connection is used up.")).to_be_visible()
    assert visitor.violations() == []
    visitor.button("Renew").click()
    visitor.page.get_by_role("timer").wait_for()
    pay_newest(visitor, user)
    until(lambda: terms(visitor, user) == 2)
    visitor.open("/account/billing")
    expect(visitor.text("Your wallet is asked on")).to_be_visible()
    made.budget_sat = 100_000
    pass_and_ask(visitor, user, 30 * DAY)
    until(lambda: terms(visitor, user) == 3)


def test_a_budget_and_an_end_that_a_wallet_does_not_tell_are_typed_in_and_foreseen(
    visitor: Visitor, user: str, wallet: Wallet
) -> None:
    wallet.become("Zeus")
    buy_a_term(visitor, user)
    connect(visitor, wallet)
    soon = datetime.now(UTC) + timedelta(days=10)
    visitor.button("Budget and end").click()
    visitor.page.get_by_label("Budget, in satoshis").fill("90000")
    visitor.page.get_by_label("New every").select_option(label="year")
    visitor.page.get_by_label(re.compile("^Ends on")).fill(f"{soon:%Y-%m-%d}")
    assert visitor.violations() == []
    visitor.page.get_by_role("button", name="Save", exact=True).click()
    budget = visitor.text("As you said: a budget of 90,000 sat, new every year.")
    end = visitor.text(f"the connection ends on {soon:%B} {soon.day}, {soon.year}.")
    foreseen = visitor.text("The connection ends before your wallet is asked.")
    for said in (budget, end, foreseen):
        expect(said).to_be_visible()
    visitor.page.reload()
    for said in (budget, end, foreseen):
        expect(said).to_be_visible()
    visitor.button("Budget and end").click()
    visitor.page.get_by_label("Budget, in satoshis").fill("")
    visitor.page.get_by_label(re.compile("^Ends on")).fill("")
    visitor.page.get_by_role("button", name="Save", exact=True).click()
    for said in (budget, end, foreseen):
        expect(said).to_have_count(0)
