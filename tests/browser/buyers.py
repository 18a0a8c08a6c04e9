"""What happens to a buyer away from the pages: at the card provider's desk, at the bitcoin server, in the catalogue."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

from demo.shop import ADMIN, Shop
from tests.browser.conftest import Visitor, forget_plans

PATIENCE_SECONDS = 30


def at_the_desk(visitor: Visitor, user: str, deed: str, kind: str = "subscription") -> None:
    """Plays the provider's side of this user's newest thing of a kind, and waits until it has its effect."""
    things = visitor.shop.mock.objects.values()
    own = {o["id"] for o in things if o.get("user_id") == user}
    mine = [o for o in things if o["object"] == kind and (o["id"] in own or o.get("subscription") in own)]

    def seen() -> dict[str, Any]:
        return {name: value for name, value in status(visitor.shop, user).items() if name != "server_time"}

    before = seen()
    requests.post(f"{visitor.shop.mock.url}/desk/{mine[-1]['id']}/{deed}", timeout=10).raise_for_status()
    wait_until(lambda: seen() != before, f"{deed} had no effect")


def in_bitcoin(visitor: Visitor, plan: str = "Pro", provider: str = "btcpay") -> str:
    """Opens an invoice from the price list; its id at the provider."""
    visitor.page.get_by_role("article", name=plan).get_by_role("button").click()
    visitor.page.get_by_role("radio", name="Bitcoin").check()
    if provider == "bitpay":
        visitor.page.get_by_label("BitPay").check()
    visitor.button("Continue to payment").click()
    visitor.page.get_by_role("timer").wait_for()
    page = visitor.page.get_by_role("link", name="Open the payment page").get_attribute("href") or ""
    return page.rpartition("/")[2]


# What each act at the bitcoin server comes to, by the service's own table (`rules/invoice_states.py`).
REACHES = {
    "underpay": ("missing",),
    "pay": ("confirming",),
    "lightning": ("paid",),
    "expire": ("expired", "held"),
    "late": ("held",),
    "refund": ("returning", "refunded"),
}


def at_the_server(visitor: Visitor, user: str, invoice: str, *acts: str) -> None:
    """Plays what the network and the bitcoin server do with an invoice, and has the service look at once, as a person
    can: on a busy machine its webhooks come late, and are sent again later still."""
    for act in acts:
        answer = requests.post(f"{visitor.shop.btcpay.url}/i/{invoice}", data={"act": act}, timeout=10)
        answer.raise_for_status()
        look_again(visitor.shop, invoice)
        wait_until(lambda: state_of(visitor.shop, user, invoice) in REACHES[act], f"{act} had no effect")  # noqa: B023


def look_again(shop: Shop, invoice: str) -> None:
    answer = shop.call("POST", f"/admin/invoices/btcpay/{invoice}/reread", {}, user=ADMIN, admin=True)
    assert answer.ok, answer.text


def state_of(shop: Shop, user: str, invoice: str) -> str | None:
    """Where an invoice stands toward its buyer."""
    now = status(shop, user)
    found = next((row for row in [*now["terms"], *now["purchases"]] if row["purchase_id"] == invoice), None)
    return found["invoice"]["state"] if found and found["invoice"] else None


def status(shop: Shop, user: str) -> dict[str, Any]:
    answer: dict[str, Any] = shop.call("GET", "/billing/subscription-status", user=user).json()
    return answer


def wait_until(done: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@contextmanager
def on_sale(shop: Shop, name: str, **plan: Any) -> Iterator[None]:
    """A plan more on the price list, by a tier of its own, for as long as it is looked at."""
    own = f"{name.lower().replace(' ', '-')}-{secrets.token_hex(3)}"
    wanted = {"plan_id": own, "name": name, "tier": own, "currency": "USD", "interval": "month", **plan}
    made = shop.call("POST", "/admin/plans", wanted, user=ADMIN, admin=True)
    assert made.status_code == 201, made.text
    forget_plans(shop)
    try:
        yield
    finally:
        shop.call("POST", f"/admin/plans/{own}/archive", user=ADMIN, admin=True)
        forget_plans(shop)


def today(visitor: Visitor) -> str:
    text: str = visitor.page.evaluate("new Intl.DateTimeFormat('en', {dateStyle: 'long'}).format(new Date())")
    return text
