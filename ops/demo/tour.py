"""`make demo`: walks through purchases, cancellation and renewal on the local stack, and times each step."""

import sys
import time
from collections.abc import Callable
from typing import Any

import requests
from rich.markup import escape

from billing.providers.signatures import sign_timestamped
from billing.rules.times import DAY
from demo.passing import pass_time
from demo.shop import Shop, open_shop
from local.host import EngineError
from local.progress import Steps, console

FEATURE = "tax.enhanced"
PLAN = "pro-month"
# Seconds after which a step has failed; each normally takes one or two.
_PATIENCE = 30.0
# Column width for the names of the steps.
_WIDTH = 62


class Failed(Exception):
    """A step did not have the expected result."""


class Tour:
    """Takes one new user through all steps; every step checks its result."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._user = f"usr_tour_{int(time.time())}"

    def walk(self) -> None:
        self._step("The feature is locked; the answer lists plans that open it", self._locked)
        checkout = self._step("Choose Pro: a hosted checkout opens", self._checkout)
        again = self._step("Choose Pro again: the same checkout is returned", self._checkout)
        self._expect(again["checkout_id"] == checkout["checkout_id"], "a second checkout was opened")
        self._step("Pay on the provider's page", lambda: self._pay(checkout))
        self._step("Webhook, queue, transaction: the feature opens", lambda: self._until(200))
        self._step("The subscription status shows it", self._status)
        self._step("Deliver every event again: nothing changes", self._repeat)
        self._step("A forged delivery is refused", self._forge)
        self._step("Cancel at the provider: the feature closes", self._cancel)
        invoice = self._step("Choose bitcoin: an invoice opens", self._invoice)
        self._step("Pay half: the rest is shown as due, nothing opens", lambda: self._pay_half(invoice))
        self._step("Pay the rest; once confirmed, the feature opens for a month", lambda: self._pay_rest(invoice))
        self._step("Connect a Lightning wallet: the answer shows price and date", self._connect)
        self._step("Four weeks pass: the wallet pays and the term is renewed", self._renews)

    def _locked(self) -> str:
        answer = self._entitlement()
        self._expect(answer.status_code == 402, f"expected 402, got {answer.status_code}")
        offers = ", ".join(offer["plan_id"] for offer in answer.json()["offers"])
        return f"402 {answer.json()['scenario']}, opened by {offers}"

    def _checkout(self) -> dict[str, Any]:
        answer = self._shop.call("POST", "/billing/create-checkout-session", {"plan_id": PLAN}, user=self._user)
        self._expect(answer.status_code == 200, answer.text)
        checkout: dict[str, Any] = answer.json()
        return checkout

    def _pay(self, checkout: dict[str, Any]) -> str:
        page = requests.get(checkout["url"], timeout=10)
        self._expect(page.status_code == 200, f"the page answered {page.status_code}")
        answer = requests.post(f"{checkout['url']}/pay", timeout=10, allow_redirects=False)
        self._expect(answer.status_code == 303, f"paying answered {answer.status_code}")
        return "paid"

    def _status(self) -> str:
        status = self._shop.call("GET", "/billing/subscription-status", user=self._user).json()
        subscription = status["subscriptions"][0]
        self._expect(subscription["status"] == "active", f"the subscription is {subscription['status']}")
        return f"{status['plan_name']}, {subscription['status']}, next payment {subscription['next_billing_at']}"

    def _repeat(self) -> str:
        # The feature opens with the first delivery that says so; the others may still be on their way.
        before = self._version_at_rest()
        deliveries = list(self._shop.mock.webhooks.deliveries)
        for delivery in deliveries:
            self._shop.mock.webhooks.again(delivery)
        self._expect(self._version_at_rest() == before, "the account changed")
        return f"{len(deliveries)} deliveries repeated, account still at version {before}"

    def _forge(self) -> str:
        body = b'{"id":"evt_1","type":"subscription.created"}'
        forged = {"Mock-Signature": sign_timestamped(body, "not the secret", int(time.time()))}
        answer = requests.post(f"{self._shop.url}/billing/webhook/mock", data=body, headers=forged, timeout=10)
        self._expect(answer.status_code == 400, f"a forged delivery was answered {answer.status_code}")
        return f"400 {answer.json()['code']}"

    def _cancel(self) -> str:
        status = self._shop.call("GET", "/billing/subscription-status", user=self._user).json()
        self._shop.mock.act(status["subscriptions"][0]["subscription_id"], "cancel")
        return self._until(402)

    def _invoice(self) -> dict[str, Any]:
        body = {"plan_id": PLAN, "provider": "btcpay"}
        opened = self._shop.call("POST", "/billing/create-checkout-session", body, user=self._user)
        self._expect(opened.status_code == 200, opened.text)
        path = f"/billing/checkout-sessions/{opened.json()['checkout_id']}/invoice"
        invoice = self._shop.call("GET", path, user=self._user)
        self._expect(invoice.status_code == 200, invoice.text)
        answer: dict[str, Any] = invoice.json()
        return answer

    def _pay_half(self, invoice: dict[str, Any]) -> str:
        invoice_id = invoice["purchase_id"]
        self._shop.btcpay.pay(invoice_id, self._shop.btcpay.invoices[invoice_id].satoshis // 2)
        deadline = time.monotonic() + _PATIENCE
        while (term := self._term(invoice_id))["status"] != "underpaid":
            self._expect(time.monotonic() < deadline, f"the term is still {term['status']}")
            time.sleep(0.05)
        current = self._shop.call("GET", f"/billing/invoices/btcpay/{invoice_id}", user=self._user).json()
        return f"{current['status']}, {current['due_btc']} BTC still due"

    def _pay_rest(self, invoice: dict[str, Any]) -> str:
        self._shop.btcpay.pay(invoice["purchase_id"])
        self._shop.btcpay.settle(invoice["purchase_id"])
        self._until(200)
        term = self._term(invoice["purchase_id"])
        return f"{term['status']}, until {term['ends_at']}"

    def _connect(self) -> str:
        body = {"connection": self._shop.wallet.string_of(self._shop.wallet.connect()), "plan_id": PLAN}
        answer = self._shop.call("POST", "/billing/wallet", {**body, "most_sat": 40_000}, user=self._user)
        self._expect(answer.status_code == 200, answer.text)
        wallet = answer.json()
        return f"{wallet['price_cents']} cents, at most {wallet['most_sat']} sat, on {wallet['asks_at']}"

    def _renews(self) -> str:
        pass_time(self._shop, self._user, 28 * DAY)
        self._shop.engine.invoke("RenewByWalletFunction", {})
        deadline = time.monotonic() + _PATIENCE
        while len(paid := [t for t in self._terms() if t["status"] == "paid"]) < 2:
            self._expect(time.monotonic() < deadline, "the term was not renewed")
            time.sleep(0.05)
        return f"prepaid until {max(term['ends_at'] for term in paid)}"

    def _terms(self) -> list[dict[str, Any]]:
        status = self._shop.call("GET", "/billing/subscription-status", user=self._user).json()
        terms: list[dict[str, Any]] = status["terms"]
        return terms

    def _term(self, invoice_id: str) -> dict[str, Any]:
        return next(term for term in self._terms() if term["purchase_id"] == invoice_id)

    def _until(self, status: int) -> str:
        """Waits until the account has the feature (200) or has lost it (402). Gates that cache close a little later."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            answer = self._shop.call("GET", "/billing/entitlements", user=self._user)
            held = FEATURE in {e["feature"] for e in answer.json()["entitlements"]}
            if held == (status == 200):
                return "open" if held else "closed; gates that cache close when their cache expires"
            time.sleep(0.05)
        raise Failed(f"the feature was not {'open' if status == 200 else 'closed'} after {_PATIENCE:.0f} s")

    def _version(self) -> int:
        version: int = self._shop.call("GET", "/billing/entitlements", user=self._user).json()["version"]
        return version

    def _version_at_rest(self) -> int:
        """The account's version once every delivery is through the queue and two seconds have changed nothing."""
        self._shop.mock.webhooks.wait_idle()
        deadline, version = time.monotonic() + _PATIENCE, self._version()
        while True:
            time.sleep(2)
            current = self._version()
            if current == version:
                return version
            self._expect(time.monotonic() < deadline, "the account does not come to rest")
            version = current

    def _entitlement(self) -> requests.Response:
        return self._shop.call("GET", f"/billing/entitlements/{FEATURE}", user=self._user)

    def _step(self, name: str, do: Callable[[], Any]) -> Any:
        started = time.monotonic()
        result = do()
        took = (time.monotonic() - started) * 1000
        detail = result if isinstance(result, str) else result.get("bip21", "").partition("&")[0]
        console.print(f"[green]✓[/] {name:{_WIDTH}} [dim]{took:>6,.0f} ms[/]")
        if detail:
            console.print(f"  [dim]{escape(detail)}[/]", soft_wrap=True)
        return result

    def _expect(self, condition: bool, message: str) -> None:
        if not condition:
            raise Failed(message)


def main() -> None:
    steps = Steps()
    try:
        with open_shop(progress=steps) as shop:
            steps.done()
            console.print()
            Tour(shop).walk()
            console.print("\n[bold]Every step passed.[/] `make run` starts the same shop and keeps it running.")
    except (EngineError, Failed) as error:
        steps.done()
        console.print(f"[red]✗[/] {escape(str(error))}")
        sys.exit(1)


if __name__ == "__main__":
    main()
