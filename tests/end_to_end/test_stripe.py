"""Stripe through the deployed stack: its stand-in's checkout page, signed webhooks, the queue, and the open feature."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from billing.providers.signatures import sign_timestamped
from demo.shop import Shop
from fakes.stripe.subscriptions import item_of

FEATURE = "tax.enhanced"
DAY = 86_400


class Buyer:
    """A user of their own at the shared shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.user = f"usr_{uuid.uuid4().hex}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.shop.call(method, path, body, user=self.user)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def opened(self, plan_id: str) -> Any:
        body = {"plan_id": plan_id, "provider": "stripe"}
        return self.call("POST", "/billing/create-checkout-session", body)

    def buy(self, plan_id: str) -> Any:
        """Pays on the hosted page, as a browser would."""
        checkout = self.opened(plan_id)
        requests.post(checkout["url"], data={"with": "card"}, timeout=30, allow_redirects=False).raise_for_status()
        return checkout

    def allowed(self) -> bool:
        path = f"/billing/entitlements/{FEATURE}"
        return self.shop.call("GET", path, user=self.user).status_code == 200

    def status(self) -> Any:
        return self.call("GET", "/billing/subscription-status")

    def subscription(self) -> Any:
        """As Stripe holds it."""
        wanted = (s for s in self.shop.stripe.books.all("subscription") if s["metadata"]["user_id"] == self.user)
        return next(wanted)


@pytest.fixture
def buyer(shop_engine: Shop) -> Buyer:
    return Buyer(shop_engine)


def eventually(question: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return answer


def test_paying_on_the_hosted_page_opens_the_feature_by_webhook(buyer: Buyer) -> None:
    assert not buyer.allowed()
    buyer.buy("pro-month")
    eventually(buyer.allowed)
    (view,) = eventually(lambda: buyer.status()["subscriptions"])
    assert (view["provider"], view["plan_id"]) == ("stripe", "pro-month")


def test_the_return_from_checkout_does_not_wait_for_the_webhook(buyer: Buyer) -> None:
    buyer.shop.stripe.webhooks.hold = True
    try:
        checkout = buyer.buy("pro-month")
        answer = buyer.call("POST", f"/billing/checkout-sessions/{checkout['checkout_id']}/confirm")
        assert answer["status"] == "completed"
        assert buyer.allowed()
    finally:
        buyer.shop.stripe.webhooks.release(backwards=True)
    buyer.shop.stripe.webhooks.wait_idle()


def test_changing_cancelling_and_taking_it_back(buyer: Buyer) -> None:
    buyer.buy("plus-month")
    eventually(lambda: buyer.status()["subscriptions"])
    shown = buyer.call("POST", "/billing/subscription/preview-change", {"plan_id": "pro-month"})
    changed = buyer.call("POST", "/billing/subscription/change", {"preview_id": shown["preview_id"]})
    assert changed["plan_id"] == "pro-month"
    assert buyer.call("POST", "/billing/subscription/cancel", {"reason": "unused"})["subscriptions"][0]["cancel_at"]
    assert not buyer.call("POST", "/billing/subscription/resume")["subscriptions"][0]["cancel_at"]
    assert buyer.call("POST", "/billing/portal-session")["url"].startswith(buyer.shop.stripe.url)
    receipts = eventually(lambda: buyer.call("GET", "/billing/receipts")["receipts"])
    assert all(receipt["url"] for receipt in receipts if receipt["amount_cents"])


def test_a_refund_in_the_dashboard_closes_a_one_time_purchase(buyer: Buyer) -> None:
    buyer.buy("tax-2026")
    eventually(buyer.allowed)
    (session,) = [s for s in buyer.shop.stripe.books.all("checkout.session") if buyer.user in s["metadata"].values()]
    requests.post(
        f"{buyer.shop.stripe.url}/desk", data={"do": "refund", "id": session["payment_intent"]}, timeout=30
    ).raise_for_status()
    eventually(lambda: not buyer.allowed())


def test_two_pages_paid_at_once_bill_once(buyer: Buyer) -> None:
    """The second session is opened at Stripe directly, as if it had been opened in the same instant."""
    buyer.buy("pro-month")
    eventually(buyer.allowed)
    books = buyer.shop.stripe.books
    first = buyer.subscription()
    known = next(s for s in books.all("checkout.session") if s["subscription"] == first["id"])
    twin = {**known, "id": books.new_id("cs_test"), "status": "open", "subscription": None, "url": "x"}
    books.complete(books.add(twin))
    second = books.objects[twin["subscription"]]
    eventually(lambda: second["status"] == "canceled")
    eventually(lambda: any(r["reason"] == "duplicate" for r in books.all("refund")))
    assert first["status"] == "active"
    assert buyer.allowed()


@pytest.mark.parametrize("kind", ["forged", "stale", "thin"])
def test_what_is_not_stripes_is_refused_and_leaves_no_trace(buyer: Buyer, kind: str) -> None:
    now = int(time.time())
    event: Any = {"id": f"evt_{uuid.uuid4().hex}", "object": "event", "type": "x.y", "created": now}
    event |= {"livemode": False, "data": {"object": {"id": "x", "object": "x"}}}
    if kind == "thin":
        event["object"] = "v2.core.event"
    body = json.dumps(event).encode()
    (secret,) = set(buyer.shop.stripe.secrets.values())
    signature = sign_timestamped(
        body, "whsec_guess" if kind == "forged" else secret, now - (3600 if kind == "stale" else 0)
    )
    url = f"{buyer.shop.url}/billing/webhook/stripe"
    answer = requests.post(url, data=body, headers={"Stripe-Signature": signature}, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_webhook")


def test_the_price_of_every_plan_is_at_stripe(buyer: Buyer) -> None:
    plans = {
        p["plan_id"]: p for p in buyer.shop.call("GET", "/admin/plans", user="usr_admin", admin=True).json()["plans"]
    }
    price = buyer.shop.stripe.books.objects[plans["pro-month"]["provider_plan_ids"]["stripe"]]
    assert price["unit_amount"] == plans["pro-month"]["price_cents"]
    buyer.buy("pro-month")
    assert item_of(buyer.subscription())["price"]["id"] == price["id"]
