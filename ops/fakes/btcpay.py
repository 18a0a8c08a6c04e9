"""A stand-in for BTCPay Server: the Greenfield calls we make, hosted invoices with buttons, signed webhooks.

    python -m fakes.btcpay STORE_ID API_KEY WEBHOOK_SECRET --webhook-url http://… --port 8723

What it does as BTCPay Server does: decimals as text, an API key in every call, 422 with a list for a faulty request,
New -> Processing -> Settled, a payment that falls back without a webhook, paid late that stays Expired, and
one queue of webhooks in order in which a failing delivery holds back the rest, a new deliveryId for each try.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import ROUND_UP, Decimal
from html import escape
from pathlib import Path
from typing import Any

import typer

from fakes.base import Answer, App, Clock, Post, Request, Server, Webhooks, json_answer, post, redirect
from fakes.pages import actions, button, facts_list, page

RETRY_AFTER = (10, 60, 600, 600, 600, 600, 600, 600)
RATES = {"USD": Decimal("97000.50"), "EUR": Decimal("89500.25"), "GBP": Decimal("76100.00"), "JPY": Decimal("14800000")}
DECIMALS = {"JPY": 0}


def _tried_again(status: int) -> bool:
    return status in (0, 408, 429) or status >= 500


@dataclass(slots=True)
class Invoice:
    id: str
    amount: Decimal
    currency: str
    metadata: dict[str, Any]
    checkout: dict[str, Any]
    created: int
    expires: int
    satoshis: int
    address: str
    status: str = "New"
    additional: str = "None"
    payments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def paid(self) -> int:
        return sum(p["satoshis"] for p in self.payments)

    @property
    def rate(self) -> Decimal:
        return RATES[self.currency]


class BTCPay(App):
    """One store of a server. `memory` is a file that outlives the process."""

    def __init__(
        self,
        store_id: str,
        api_key: str,
        webhook_secret: str,
        webhook_url: str = "",
        clock: Clock | None = None,
        send: Post = post,
        memory: Path | None = None,
    ) -> None:
        super().__init__(clock)
        self._memory = memory
        self.store_id, self.api_key = store_id, api_key
        self.webhook_secret, self.webhook_url = webhook_secret, webhook_url
        # What the API key may do beyond opening and reading invoices and making claims.
        self.may_modify = True
        self.invoices: dict[str, Invoice] = {}
        self.claims: dict[str, dict[str, Any]] = {}
        self.webhooks = Webhooks(
            self.clock, self._render, retry_after=RETRY_AFTER, in_order=True, retries=_tried_again, send=send
        )
        if memory is not None and memory.exists():
            known = json.loads(memory.read_text())
            self.claims = known["claims"]
            for key, value in known["invoices"].items():
                self.invoices[key] = Invoice(**{**value, "amount": Decimal(value["amount"])})
        store = "/api/v1/stores/{store}"
        self.route("POST", f"{store}/invoices", self._create)
        self.route("GET", f"{store}/invoices", self._list)
        self.route("GET", f"{store}/invoices/{{id}}", self._get)
        self.route("GET", f"{store}/invoices/{{id}}/payment-methods", self._methods)
        self.route("POST", f"{store}/invoices/{{id}}/status", self._mark)
        self.route("POST", f"{store}/invoices/{{id}}/refund", self._refund)
        self.route("GET", f"{store}/pull-payments", self._claims)
        self.route("GET", "/api/v1/pull-payments/{id}", self._claim)
        self.route("GET", "/api/v1/pull-payments/{id}/payouts", self._payouts)
        self.route("GET", "/", self._home)
        self.route("GET", "/i/{id}", self._page)
        self.route("GET", "/i/{id}/receipt", self._page)
        self.route("POST", "/i/{id}", self._act)
        self.route("GET", "/pull-payments/{id}", self._claim_page)
        self.route("POST", "/pull-payments/{id}", self._claim_act)

    def handle(self, request: Request) -> Answer | None:
        answer = super().handle(request)
        if self._memory is not None and request.method != "GET":
            invoices = {key: asdict(invoice) for key, invoice in self.invoices.items()}
            self._memory.write_text(json.dumps({"invoices": invoices, "claims": self.claims}, default=str))
        return answer

    # --- the API -----------------------------------------------------------------------------------------------------

    def _refused(self, request: Request) -> Answer | None:
        if request.headers.get("authorization") != f"token {self.api_key}":
            return json_answer({"code": "unauthenticated", "message": "Authentication is required"}, 401)
        if request.params.get("store", self.store_id) != self.store_id:
            return json_answer({"code": "store-not-found", "message": "The store was not found"}, 404)
        return None

    def _create(self, request: Request) -> Answer:
        refused = self._refused(request)
        if refused:
            return refused
        wanted = request.json
        faults = []
        if wanted.get("currency") not in RATES:
            faults.append({"path": "currency", "message": "Invalid currency"})
        if not isinstance(wanted.get("amount"), str):
            faults.append({"path": "amount", "message": "The amount should be text here, to be exact"})
        if faults:
            return json_answer(faults, 422)
        amount, checkout = Decimal(wanted["amount"]), wanted.get("checkout") or {}
        invoice = Invoice(
            id=secrets.token_hex(11),
            amount=amount,
            currency=wanted["currency"],
            metadata=wanted.get("metadata") or {},
            checkout=checkout,
            created=self.clock.now(),
            expires=self.clock.now() + 60 * int(checkout.get("expirationMinutes") or 15),
            satoshis=int((amount / RATES[wanted["currency"]] * 100_000_000).to_integral_value(ROUND_UP)),
            address=f"bcrt1q{secrets.token_hex(19)}",
        )
        self.invoices[invoice.id] = invoice
        self._notify(invoice, "InvoiceCreated")
        return json_answer(self._invoice_json(invoice))

    def _list(self, request: Request) -> Answer:
        order = request.query.get("orderId")
        found = [i for i in self.invoices.values() if order is None or i.metadata.get("orderId") == order]
        return self._refused(request) or json_answer([self._invoice_json(i) for i in found])

    def _found(self, request: Request) -> Invoice | Answer:
        missing = json_answer({"code": "invoice-not-found", "message": "The invoice was not found"}, 404)
        return self._refused(request) or self.invoices.get(request.params["id"]) or missing

    def _get(self, request: Request) -> Answer:
        found = self._found(request)
        return found if isinstance(found, Answer) else json_answer(self._invoice_json(found))

    def _methods(self, request: Request) -> Answer:
        found = self._found(request)
        if isinstance(found, Answer):
            return found
        due = Decimal(found.satoshis - found.paid) / 100_000_000
        lightning = f"lnbcrt{found.satoshis}n1{found.id}"
        chain = {"paymentMethodId": "BTC-CHAIN", "destination": found.address}
        chain["paymentLink"] = f"bitcoin:{found.address}?amount={max(due, Decimal(0)):.8f}"
        methods = [chain]
        if not found.payments:
            # A Lightning invoice is for the whole; after a first payment the server makes another one on demand.
            methods.append(
                {"paymentMethodId": "BTC-LN", "destination": lightning, "paymentLink": f"lightning:{lightning}"}
            )
        shared = {
            "currency": "BTC",
            "activated": True,
            "rate": str(found.rate),
            "amount": f"{Decimal(found.satoshis) / 100_000_000:.8f}",
            "due": f"{due:.8f}",
            "totalPaid": f"{Decimal(found.paid) / 100_000_000:.8f}",
            "paymentMethodFee": "0",
        }
        return json_answer([{**shared, **method, **self._paid_by(found, method)} for method in methods])

    def _paid_by(self, invoice: Invoice, method: Mapping[str, Any]) -> dict[str, Any]:
        payments = [p for p in invoice.payments if p["method"] == method["paymentMethodId"]]
        return {
            "paymentMethodPaid": f"{Decimal(sum(p['satoshis'] for p in payments)) / 100_000_000:.8f}",
            "payments": [self._payment_json(p, invoice) for p in payments],
        }

    def _payment_json(self, payment: Mapping[str, Any], invoice: Invoice) -> dict[str, Any]:
        return {
            "id": payment["id"],
            "receivedDate": payment["when"],
            "value": f"{Decimal(payment['satoshis']) / 100_000_000:.8f}",
            "fee": "0.0",
            "status": "Settled" if invoice.status == "Settled" else "Processing",
            "destination": invoice.address,
        }

    def _mark(self, request: Request) -> Answer:
        found = self._found(request)
        if isinstance(found, Answer):
            return found
        if not self.may_modify:
            missing = "btcpay.store.canmodifyinvoices"
            return json_answer(
                {"code": "missing-permission", "message": "Forbidden", "missingPermission": missing}, 403
            )
        self.mark(found.id, request.json["status"])
        return json_answer(self._invoice_json(found))

    def _refund(self, request: Request) -> Answer:
        found = self._found(request)
        if isinstance(found, Answer):
            return found
        paid = found.status in ("Settled", "Invalid") or (found.status == "Expired" and found.additional != "None")
        if not paid:
            return json_answer({"code": "non-refundable", "message": "Cannot refund this invoice"}, 422)
        wanted = request.json
        if wanted.get("refundVariant") != "Custom" or "payoutMethodId" not in wanted:
            return json_answer([{"path": "refundVariant", "message": "Only Custom, with a payout method, here"}], 422)
        if len(wanted.get("name", "")) > 50:
            return json_answer([{"path": "name", "message": "The name should be maximum 50 characters."}], 422)
        claim = {
            "id": secrets.token_hex(13),
            "name": wanted.get("name"),
            "description": wanted.get("description"),
            "currency": wanted["customCurrency"],
            "amount": wanted["customAmount"],
            "archived": False,
            "payouts": [],
        }
        self.claims[claim["id"]] = claim
        self._notify(found, "InvoiceRefund", pullPaymentId=claim["id"])
        return json_answer(self._claim_json(claim))

    def _claims(self, request: Request) -> Answer:
        return self._refused(request) or json_answer([self._claim_json(c) for c in self.claims.values()])

    def _claim(self, request: Request) -> Answer:
        claim = self.claims.get(request.params["id"])
        if claim is None:
            return json_answer({"code": "pullpayment-not-found", "message": "The pull payment was not found"}, 404)
        return json_answer(self._claim_json(claim))

    def _payouts(self, request: Request) -> Answer:
        return json_answer(self.claims[request.params["id"]]["payouts"])

    def _claim_json(self, claim: Mapping[str, Any]) -> dict[str, Any]:
        shown = {k: claim[k] for k in ("id", "name", "description", "currency", "amount", "archived")}
        return {**shown, "viewLink": f"{self.url}/pull-payments/{claim['id']}"}

    def _invoice_json(self, invoice: Invoice) -> dict[str, Any]:
        decimals = DECIMALS.get(invoice.currency, 2)
        paid = Decimal(invoice.paid) / 100_000_000 * invoice.rate
        # Full is full: the server compares bitcoin, and its fiat value is rounded.
        if invoice.paid == invoice.satoshis:
            paid = invoice.amount
        return {
            "id": invoice.id,
            "storeId": self.store_id,
            "amount": str(invoice.amount),
            "paidAmount": f"{paid:.{decimals}f}",
            "currency": invoice.currency,
            "type": "Standard",
            "checkoutLink": f"{self.url}/i/{invoice.id}",
            "createdTime": invoice.created,
            "expirationTime": invoice.expires,
            "monitoringExpiration": invoice.expires + 60 * int(invoice.checkout.get("monitoringMinutes") or 1440),
            "status": invoice.status,
            "additionalStatus": invoice.additional,
            "metadata": invoice.metadata,
            "checkout": invoice.checkout,
            "archived": False,
        }

    # --- what happens to an invoice ----------------------------------------------------------------------------------

    def tick(self) -> None:
        for invoice in self.invoices.values():
            if invoice.status == "New" and self.clock.now() >= invoice.expires:
                invoice.status = "Expired"
                self._notify(invoice, "InvoiceExpired", partiallyPaid=bool(invoice.payments))
                if invoice.payments:
                    self._notify(invoice, "InvoiceExpiredPaidPartial")

    def pay(self, invoice_id: str, satoshis: int | None = None, *, lightning: bool = False) -> None:
        """Money is seen: the rest, or so many satoshis. Over Lightning it is final at once."""
        invoice = self.invoices[invoice_id]
        late = invoice.status == "Expired"
        payment = {
            "id": secrets.token_hex(32),
            "when": self.clock.now(),
            "satoshis": invoice.satoshis - invoice.paid if satoshis is None else satoshis,
            "method": "BTC-LN" if lightning else "BTC-CHAIN",
        }
        invoice.payments.append(payment)
        told = {"paymentMethodId": payment["method"], "payment": self._payment_json(payment, invoice)}
        self._notify(invoice, "InvoiceReceivedPayment", afterExpiration=late, **told)
        over = invoice.paid > invoice.satoshis
        if invoice.paid < invoice.satoshis:
            invoice.additional = "PaidPartial"
        elif late:
            invoice.additional = "PaidOver" if over else "PaidLate"
            self._notify(invoice, "InvoicePaidAfterExpiration")
        else:
            invoice.status, invoice.additional = "Processing", "PaidOver" if over else "None"
            self._notify(invoice, "InvoiceProcessing", overPaid=over)
            if lightning:
                self.settle(invoice.id)

    def settle(self, invoice_id: str) -> None:
        """The payment has its confirmations."""
        invoice = self.invoices[invoice_id]
        invoice.status = "Settled"
        for payment in invoice.payments:
            self._notify(
                invoice,
                "InvoicePaymentSettled",
                afterExpiration=False,
                paymentMethodId=payment["method"],
                payment=self._payment_json(payment, invoice),
            )
        over = invoice.additional == "PaidOver"
        self._notify(invoice, "InvoiceSettled", manuallyMarked=invoice.additional == "Marked", overPaid=over)

    def fall_back(self, invoice_id: str) -> None:
        """The payment was replaced by another one: New again, and no webhook says so."""
        invoice = self.invoices[invoice_id]
        invoice.payments.clear()
        invoice.status, invoice.additional = "New", "None"

    def invalidate(self, invoice_id: str) -> None:
        """Not confirmed within the monitoring time."""
        invoice = self.invoices[invoice_id]
        invoice.status = "Invalid"
        self._notify(invoice, "InvoiceInvalid", manuallyMarked=False)

    def mark(self, invoice_id: str, status: str) -> None:
        """A person marks it Settled or Invalid."""
        invoice = self.invoices[invoice_id]
        invoice.status, invoice.additional = status, "Marked"
        if status == "Settled":
            self._notify(invoice, "InvoiceSettled", manuallyMarked=True, overPaid=False)
        else:
            self._notify(invoice, "InvoiceInvalid", manuallyMarked=True)

    def claim(self, claim_id: str) -> None:
        """The buyer claims a refund, and it is paid out."""
        self.claims[claim_id]["payouts"].append({"id": secrets.token_hex(13), "state": "Completed"})

    def _notify(self, invoice: Invoice, kind: str, **more: object) -> None:
        if self.webhook_url:
            message = {
                "firstId": secrets.token_hex(11),
                "type": kind,
                "storeId": self.store_id,
                "invoiceId": invoice.id,
                "metadata": invoice.metadata,
                **more,
            }
            self.webhooks.enqueue(self.webhook_url, message)

    def _render(self, message: dict[str, Any], tries: int, now: int) -> tuple[bytes, Mapping[str, str]]:
        content = {k: v for k, v in message.items() if k != "firstId"}
        event = {
            "deliveryId": message["firstId"] if tries == 0 else secrets.token_hex(11),
            "webhookId": "wh_local",
            "originalDeliveryId": message["firstId"],
            "isRedelivery": tries > 0,
            "timestamp": now,
            **content,
        }
        body = json.dumps(event, indent=2).encode()
        return body, {"BTCPay-Sig": f"sha256={hmac.digest(self.webhook_secret.encode(), body, hashlib.sha256).hex()}"}

    # --- pages -------------------------------------------------------------------------------------------------------

    def _home(self, _: Request) -> Answer:
        rows = "".join(
            f'<tr><td><a href="/i/{i.id}">{i.id}</a></td><td>{i.amount} {i.currency}</td><td>{_in_words(i)}</td></tr>'
            for i in reversed(self.invoices.values())
        )
        table = f"<table><tr><th>Invoice</th><th>Price</th><th>Status</th></tr>{rows}</table>"
        return page("Invoices", table, provider="BTCPay Server")

    def _page(self, request: Request) -> Answer:
        invoice = self.invoices.get(request.params["id"])
        if invoice is None:
            return page("No such invoice", "", provider="BTCPay Server", status=404)
        left = max(0, invoice.expires - self.clock.now())
        rows = {
            "For": str(invoice.metadata.get("itemDesc") or "an order"),
            "Price": f"{invoice.amount} {invoice.currency}",
            "In bitcoin": f"{Decimal(invoice.satoshis) / 100_000_000:.8f} BTC",
            "Received": f"{Decimal(invoice.paid) / 100_000_000:.8f} BTC",
            "Still due": f"{Decimal(max(0, invoice.satoshis - invoice.paid)) / 100_000_000:.8f} BTC",
            "Address": invoice.address,
            "Time left": f"{left // 60} min {left % 60} s" if invoice.status == "New" else "none",
        }
        body = f'<p class="status" role="status">Status: {_in_words(invoice)}</p>{facts_list(rows)}'
        choices = [
            button(f"/i/{invoice.id}", label, primary=primary, fields={"act": act})
            for act, label, primary in _choices(invoice)
        ]
        body += actions(choices)
        back = invoice.checkout.get("redirectURL")
        if back:
            back = back.replace("{InvoiceId}", invoice.id).replace("{OrderId}", str(invoice.metadata.get("orderId")))
            body += f'<p><a class="button" href="{escape(back)}">Return to the shop</a></p>'
        return page("Pay with bitcoin", body, provider="BTCPay Server")

    def _act(self, request: Request) -> Answer:
        invoice, act = self.invoices[request.params["id"]], request.form["act"]
        if act in {choice for choice, _, _ in _choices(invoice)}:
            self._do(act, invoice)
        return redirect(f"/i/{invoice.id}")

    def _do(self, act: str, invoice: Invoice) -> None:
        rest = invoice.satoshis - invoice.paid
        match act:
            case "pay" | "late":
                self.pay(invoice.id)
            case "lightning":
                self.pay(invoice.id, lightning=True)
            case "underpay":
                self.pay(invoice.id, rest // 2)
            case "overpay":
                self.pay(invoice.id, rest + invoice.satoshis // 4)
            case "settle":
                self.settle(invoice.id)
            case "fall_back":
                self.fall_back(invoice.id)
            case "invalidate":
                self.invalidate(invoice.id)
            case "mark_settled":
                self.mark(invoice.id, "Settled")
            case "mark_invalid":
                self.mark(invoice.id, "Invalid")
            case "expire":
                invoice.expires = self.clock.now()
                self.tick()

    def _claim_page(self, request: Request) -> Answer:
        claim = self.claims[request.params["id"]]
        rows = {"Amount": f"{claim['amount']} {claim['currency']}", "For": str(claim["description"])}
        body = facts_list(rows)
        if claim["payouts"]:
            body += '<p class="status" role="status">Paid out.</p>'
        else:
            body += actions([button(f"/pull-payments/{claim['id']}", "Claim it", primary=True)])
        return page("Claim a refund", body, provider="BTCPay Server")

    def _claim_act(self, request: Request) -> Answer:
        self.claim(request.params["id"])
        return redirect(f"/pull-payments/{request.params['id']}")


def _choices(invoice: Invoice) -> list[tuple[str, str, bool]]:
    """(act, label, primary): what can happen to an invoice next."""
    if invoice.status == "New":
        first = [("pay", "Pay the rest", True)] if invoice.payments else [("pay", "Pay in full", True)]
        lightning = [] if invoice.payments else [("lightning", "Pay over Lightning", False)]
        return [
            *first,
            *lightning,
            ("underpay", "Pay half", False),
            ("overpay", "Pay too much", False),
            ("expire", "Let it expire", False),
        ]
    return {
        "Processing": [
            ("settle", "Confirm", True),
            ("fall_back", "Replace the payment", False),
            ("invalidate", "Let the confirmation fail", False),
        ],
        "Settled": [("mark_invalid", "Mark invalid by hand", False)],
        "Invalid": [("mark_settled", "Mark settled by hand", False)],
        "Expired": [("late", "Pay too late", False), ("mark_settled", "Mark settled by hand", False)],
    }[invoice.status]


def _in_words(invoice: Invoice) -> str:
    exceptions = {
        "PaidPartial": ", paid in part",
        "PaidOver": ", paid too much",
        "PaidLate": ", paid too late",
        "Marked": ", marked by hand",
    }
    return invoice.status + exceptions.get(invoice.additional, "")


def main(store_id: str, api_key: str, webhook_secret: str, webhook_url: str = "", port: int = 8723) -> None:
    """Serve the stand-in on loopback until interrupted."""
    with Server(BTCPay(store_id, api_key, webhook_secret, webhook_url), port) as server:
        print(f"BTCPay Server stand-in on {server.url}", flush=True)
        server.wait()


if __name__ == "__main__":
    typer.run(main)
