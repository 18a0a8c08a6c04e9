"""Bitcoin through the deployed stack: signed webhooks, the poller, the admin's desk, renewals, reminders."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from demo.shop import ADMIN, Shop
from fakes.bitpay import BitPay
from fakes.btcpay import BTCPay

PLAN, FEATURE = "pro-month", "tax.enhanced"


class Buyer:
    """One new user who pays in bitcoin at one of the two."""

    def __init__(self, shop: Shop, provider: str) -> None:
        self.shop, self.provider = shop, provider
        self.user = f"usr_{provider}_{uuid.uuid4().hex[:12]}"

    @property
    def app(self) -> Any:
        return self.shop.btcpay if self.provider == "btcpay" else self.shop.bitpay

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.shop.call(method, path, body, user=self.user)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.shop.call(method, path, body, user=ADMIN, admin=True)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def open_invoice(self) -> dict[str, Any]:
        """Chooses bitcoin; the invoice as the page shows it."""
        body = {"plan_id": PLAN, "provider": self.provider}
        checkout = self.call("POST", "/billing/create-checkout-session", body)
        return self.call("GET", f"/billing/checkout-sessions/{checkout['checkout_id']}/invoice")

    def settle(self, invoice_id: str) -> None:
        (self.app.settle if self.provider == "btcpay" else self.app.confirm)(invoice_id)

    def pay(self, invoice_id: str) -> None:
        self.app.pay(invoice_id)
        self.settle(invoice_id)

    def status(self) -> str:
        found: str = self.call("GET", "/billing/subscription-status")["terms"][0]["status"]
        return found

    def has_it(self) -> bool:
        held = self.call("GET", "/billing/entitlements")["entitlements"]
        return FEATURE in {entitlement["feature"] for entitlement in held}

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline, f"the term is {self.status()}"
            time.sleep(0.1)


@pytest.fixture(params=["btcpay", "bitpay"])
def buyer(request: pytest.FixtureRequest, shop_engine: Shop) -> Buyer:
    return Buyer(shop_engine, request.param)


def late_invoice(buyer: Buyer) -> str:
    """An invoice that was paid after it had run out."""
    invoice_id: str = buyer.open_invoice()["purchase_id"]
    app: BTCPay | BitPay = buyer.app
    app.invoices[invoice_id].expires = app.clock.now()
    app.tick()
    app.pay(invoice_id)
    buyer.until(lambda: buyer.status() == "paid_late")
    return invoice_id


def make_due(buyer: Buyer, invoice_id: str) -> None:
    """As if its next look had come."""
    buyer.shop.engine.client("dynamodb").update_item(
        TableName=buyer.shop.engine.resource("AccountsTable"),
        Key={"user_id": {"S": buyer.user}, "record": {"S": f"term#{buyer.provider}#{invoice_id}"}},
        UpdateExpression="SET due_at = :now, poll_at = :now",
        ExpressionAttributeValues={":now": {"N": str(int(time.time()) - 1)}},
    )


def test_half_the_rest_and_a_month_opens(buyer: Buyer) -> None:
    invoice = buyer.open_invoice()
    assert (invoice["status"], invoice["bip21"].partition(":")[0]) == ("pending", "bitcoin")
    invoice_id = invoice["purchase_id"]
    buyer.app.pay(invoice_id, buyer.app.invoices[invoice_id].satoshis // 2)
    shown = buyer.call("GET", f"/billing/invoices/{buyer.provider}/{invoice_id}")
    assert (shown["status"], shown["due_cents"] > 0) == ("underpaid", True)
    assert not buyer.has_it()
    buyer.pay(invoice_id)
    buyer.until(buyer.has_it)
    (end,) = buyer.call("GET", "/billing/subscription-status")["renewals"]
    assert (end["provider"], end["reminders"]) == (buyer.provider, True)


def test_with_the_webhooks_lost_the_poller_finds_the_payment(buyer: Buyer) -> None:
    buyer.app.webhooks.lose = True
    try:
        invoice_id = buyer.open_invoice()["purchase_id"]
        buyer.pay(invoice_id)
    finally:
        buyer.app.webhooks.lose = False
    assert not buyer.has_it()
    make_due(buyer, invoice_id)
    assert buyer.shop.engine.invoke("PollCryptoInvoicesFunction", {})["failed"] == 0
    assert buyer.has_it()


def test_a_late_payment_waits_for_a_person_who_accepts_it(buyer: Buyer) -> None:
    invoice_id = late_invoice(buyer)
    waiting = buyer.admin("GET", "/admin/invoices?flagged=true")["invoices"]
    assert invoice_id in {invoice["purchase_id"] for invoice in waiting}
    accepted = buyer.admin("POST", f"/admin/invoices/{buyer.provider}/{invoice_id}/accept")
    assert accepted["accepted_by"] == ADMIN
    assert buyer.has_it()
    assert buyer.admin("POST", f"/admin/invoices/{buyer.provider}/{invoice_id}/reread")["status"] == "paid"


def test_money_goes_back_and_the_month_closes(buyer: Buyer) -> None:
    invoice_id = buyer.open_invoice()["purchase_id"]
    buyer.pay(invoice_id)
    buyer.until(buyer.has_it)
    body = {"idempotency_key": "refund-0001"}
    done = buyer.admin("POST", f"/admin/invoices/{buyer.provider}/{invoice_id}/refund", body)
    assert done["status"] == "refunded"
    assert (done["claim_url"] is not None) == (buyer.provider == "btcpay")
    assert not buyer.has_it()


def test_the_next_term_is_one_call_away_and_reminders_are_a_choice(buyer: Buyer) -> None:
    buyer.pay(buyer.open_invoice()["purchase_id"])
    buyer.until(buyer.has_it)
    first_end = buyer.call("GET", "/billing/subscription-status")["renewals"][0]["ends_at"]
    opened = buyer.call("POST", "/billing/renewals/main/invoice", {})
    buyer.pay(buyer.call("GET", f"/billing/checkout-sessions/{opened['checkout_id']}/invoice")["purchase_id"])
    buyer.until(lambda: buyer.call("GET", "/billing/subscription-status")["renewals"][0]["ends_at"] > first_end)
    assert buyer.call("POST", "/billing/renewals/main/reminders", {"wanted": False})["reminders"] is False
    assert buyer.shop.engine.invoke("SendRenewalRemindersFunction", {})["sent"] >= 0


def test_a_forged_delivery_is_refused(buyer: Buyer) -> None:
    render = buyer.app.webhooks.render
    buyer.app.webhooks.render = lambda *message: (render(*message)[0] + b" ", render(*message)[1])
    try:
        buyer.open_invoice()
        invoice_id = buyer.open_invoice()["purchase_id"]
        buyer.app.pay(invoice_id)
        buyer.app.webhooks.wait_idle()
        assert buyer.app.webhooks.deliveries[-1].statuses == [400]
    finally:
        buyer.app.webhooks.render = render
