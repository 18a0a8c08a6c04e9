"""Every state of a bitcoin invoice that the network and a person can bring about, as its buyer reads it: in the dialog,
on top of the billing page and in the list of purchases."""

import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import expect

from demo.shop import ADMIN, Shop
from tests.browser.buyers import at_the_server, in_bitcoin, look_again
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]

HALF = r"\$9\.(49|50) of \$19\.00 has arrived"
# What happened, what the dialog says, what the page says first (None: nothing), what the list says.
STATES: dict[str, tuple[Sequence[str], str | None, str | None, str]] = {
    "waiting": ((), "Waiting for payment", None, "Waiting for payment"),
    "missing": (("underpay",), HALF, "Something is missing", HALF),
    "confirming": (("pay",), "confirm it once, 0 of 1 so far", "Payment seen", "Payment seen"),
    "paid after expiry": (
        ("expire", "late"),
        "The seller decides",
        "waits for a person",
        "19.00 of .19.00 has arrived",
    ),
    "paid": (("lightning",), None, None, "Paid"),
    "partly returned": (("lightning", "give a part back"), None, None, "Paid, partly returned"),
    "given back, to be fetched": (("lightning", "refund"), "is on its way back to you", "Being returned", "Being retu"),
    "refunded": (("lightning", "refund", "fetch"), None, None, "Refunded"),
}


def opened(shop: Shop, user: str) -> str:
    """An invoice for a month of Pro; its id."""
    wanted = {"plan_id": "pro-month", "provider": "btcpay"}
    answer = shop.call("POST", "/billing/create-checkout-session", wanted, user=user)
    assert answer.ok, answer.text
    return str(answer.json()["url"]).rpartition("/")[2]


def happen(visitor: Visitor, user: str, invoice: str, acts: Sequence[str]) -> None:
    for act in acts:
        if act == "fetch":
            server = visitor.shop.btcpay
            server.claim(next(claim for claim, details in server.claims.items() if invoice in str(details)))
            look_again(visitor.shop, invoice)
        elif act.startswith("give"):
            wanted = {"idempotency_key": f"{invoice}-{len(act)}", "amount_cents": 500 if "part" in act else None}
            path = f"/admin/invoices/btcpay/{invoice}/refund"
            answer = visitor.shop.call("POST", path, wanted, user=ADMIN, admin=True)
            assert answer.ok, answer.text
        else:
            at_the_server(visitor, user, invoice, act)


@pytest.mark.parametrize("state", STATES)
def test_it_reads_the_same_in_the_dialog_on_the_page_and_in_the_list(visitor: Visitor, user: str, state: str) -> None:
    acts, in_dialog, on_top, in_list = STATES[state]
    happen(visitor, user, opened(visitor.shop, user), acts)
    visitor.open("/account/billing", user=user).settle()
    bought = visitor.page.get_by_role("region", name="Purchases")
    expect(bought.get_by_text(re.compile(in_list)).first).to_be_visible()
    money = visitor.page.locator(".bsb-notice", has_text="Pro, monthly:")
    if on_top is None:
        expect(money).to_have_count(0)
    else:
        expect(money).to_contain_text(on_top)
    expect(visitor.page.locator(".bsb-badge-bad")).to_have_count(0)
    assert visitor.violations() == []
    if in_dialog is not None:
        bought.get_by_role("button").first.click()
        expect(visitor.dialog().get_by_text(re.compile(in_dialog))).to_be_visible()
        expect(visitor.dialog().get_by_role("button", name="Get a new quote")).to_have_count(0)
        # What one fetches oneself has a link for that.
        fetch = visitor.dialog().get_by_role("link", name="Say where it should go")
        expect(fetch).to_have_count(1 if "back" in state else 0)


def test_an_open_dialog_follows_the_money_past_the_end_of_its_time(visitor: Visitor, user: str) -> None:
    visitor.open("/pricing", user=user)
    invoice, dialog = in_bitcoin(visitor), visitor.dialog()
    happen(visitor, user, invoice, ["expire"])
    expect(dialog.get_by_text("do not pay again")).to_be_visible()
    expect(visitor.button("Get a new quote")).to_be_visible()
    happen(visitor, user, invoice, ["late"])
    expect(dialog.get_by_text("$19.00 of $19.00 has arrived, but not as agreed.")).to_be_visible(timeout=30_000)
    expect(visitor.button("Get a new quote")).to_have_count(0)
    assert visitor.violations() == []
    accepted = visitor.shop.call("POST", f"/admin/invoices/btcpay/{invoice}/accept", {}, user=ADMIN, admin=True)
    assert accepted.ok, accepted.text
    expect(dialog.get_by_text("Your plan is open.")).to_be_visible(timeout=30_000)


def test_an_invoice_that_was_taken_up_again_stays_to_be_read_when_it_is_paid(visitor: Visitor, user: str) -> None:
    invoice = opened(visitor.shop, user)
    visitor.open("/account/billing", user=user).button("Finish it").click()
    visitor.page.get_by_role("timer").wait_for()
    happen(visitor, user, invoice, ["lightning"])
    # The page behind it has read by then that nothing waits to be paid any more.
    expect(visitor.page.get_by_role("region", name="Paid ahead in bitcoin", include_hidden=True)).to_be_attached()
    expect(visitor.dialog().get_by_text("Your plan is open.")).to_be_visible()
    visitor.button("Done").click()
    expect(visitor.dialog()).to_have_count(0)
