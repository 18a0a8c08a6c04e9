"""A stand-in for BitPay: the pos and merchant calls that we make, hosted invoices with buttons, signed notifications.

    python -m fakes.bitpay POS_TOKEN --port 8722

Like BitPay it has no idempotency beyond `guid`, prices as JSON numbers, times in milliseconds, errors in the body with
any HTTP status, the statuses `paid` -> `confirmed` -> `complete`, underpaid invoices that stay `new` and expire,
refunds of under- and overpayments that it starts itself, and notifications without an event id. BitPay does not
document its retry schedule; here it is 1, 5, 15 and 60 minutes.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any

import typer

from fakes.base import Answer, App, Clock, Post, Request, Server, Webhooks, json_answer, post
from fakes.bitcoin_pages import InvoicePages, Shown
from fakes.bitpay_invoice import EXCEPTIONS, Invoice, choices_of, exact, exact_json

WINDOW = 15 * 60
RETRY_AFTER = (60, 300, 900, 3600)
RATES = {"USD": Decimal("97000.50"), "EUR": Decimal("89500.25"), "GBP": Decimal("76100.00"), "JPY": Decimal("14800000")}
CODES = {
    "paid": (1003, "invoice_paidInFull"),
    "expired": (1004, "invoice_expired"),
    "confirmed": (1005, "invoice_confirmed"),
    "complete": (1006, "invoice_completed"),
    "notify": (1012, "invoice_manuallyNotified"),
    "invalid": (1013, "invoice_failedToConfirm"),
    "refunded": (1016, "invoice_refundComplete"),
    "declined": (1019, "invoice_declined"),
}


_NO_REFUND = ("preview", "canceled", "failure")
# Confirmations of the payments, by status of the invoice.
_CONFIRMED = {"confirmed": 1, "complete": 6}


class BitPay(App):
    """`token` is the pos token; `merchant_token` and `merchant_identity` (a public key) open the merchant facade.

    `memory`: a file that keeps the state. `error_status` replaces the HTTP status of every error. `no_cancel`: the
    error code with which it refuses to cancel an invoice. `bare_refunds`: the list of refunds is not wrapped in `data`.
    """

    def __init__(
        self,
        token: str,
        merchant_token: str = "",
        merchant_identity: str = "",
        clock: Clock | None = None,
        send: Post = post,
        memory: Path | None = None,
    ) -> None:
        super().__init__(clock)
        self._memory = memory
        self.token, self.merchant_token, self.merchant_identity = token, merchant_token, merchant_identity
        self.error_status: int | None = None
        self.no_cancel, self.bare_refunds = "", False
        self.invoices: dict[str, Invoice] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.webhooks = Webhooks(self.clock, self._render, retry_after=RETRY_AFTER, send=send)
        if memory is not None and memory.exists():
            stored = json.loads(memory.read_text(), parse_float=Decimal)
            self.invoices = {key: Invoice(**value) for key, value in stored["invoices"].items()}
            self.refunds = stored["refunds"]
        self.route("POST", "/invoices", self._create)
        self.route("GET", "/invoices/guid/{guid}", self._by_guid)
        self.route("GET", "/invoices/{id}", self._get)
        self.route("DELETE", "/invoices/{id}", self._cancel)
        self.route("POST", "/refunds", self._create_refund)
        self.route("GET", "/refunds", self._list_refunds)
        self.route("GET", "/refunds/guid/{guid}", self._refund_by_guid)
        pages = InvoicePages(self, "BitPay", lambda: self.invoices, self._show, self._do, _invoice_id)
        self.route("GET", "/invoice", pages.one)
        self.route("POST", "/invoice/{id}", pages.act)

    def handle(self, request: Request) -> Answer | None:
        answer = super().handle(request)
        if self._memory is not None and request.method != "GET":
            invoices = {key: asdict(invoice) for key, invoice in self.invoices.items()}
            self._memory.write_bytes(exact({"invoices": invoices, "refunds": self.refunds}))
        return answer

    # --- the API -----------------------------------------------------------------------------------------------------

    def _error(self, status: int, code: str, words: str) -> Answer:
        """An error with a code of https://developer.bitpay.com; a wrong token or signature has none ("")."""
        body = {"status": "error", "code": code, "data": None} if code else {}
        return json_answer({**body, "error": words}, self.error_status or status)

    def _create(self, request: Request) -> Answer:
        # Decimal, because floats would round the exact amounts of the request.
        wanted = json.loads(request.body, parse_float=Decimal)
        if wanted.get("token") != self.token:
            return self._error(401, "", "Invalid token")
        if wanted.get("currency") not in RATES:
            return json_answer({"errors": [{"param": "currency", "error": "Currency is not supported"}]}, 400)
        if not isinstance(wanted.get("price"), int | Decimal) or wanted["price"] <= 0:
            return json_answer({"errors": [{"param": "price", "error": "Price must be a positive number"}]}, 400)
        price = Decimal(wanted["price"])
        invoice = Invoice(
            id=secrets.token_hex(11),
            request=wanted,
            created=self.clock.now(),
            expires=self.clock.now() + WINDOW,
            satoshis=int((price / RATES[wanted["currency"]] * 100_000_000).to_integral_value(ROUND_UP)),
        )
        self.invoices[invoice.id] = invoice
        return self._answer(invoice)

    def _get(self, request: Request) -> Answer:
        if request.query.get("token") not in (self.token, self.merchant_token):
            return self._error(401, "", "Invalid token")
        invoice = self.invoices.get(request.params["id"])
        return self._answer(invoice) if invoice else self._error(404, "020101", "Invoice not found")

    def _by_guid(self, request: Request) -> Answer:
        if request.query.get("token") not in (self.token, self.merchant_token):
            return self._error(401, "", "Invalid token")
        for invoice in self.invoices.values():
            if invoice.request.get("guid") == request.params["guid"]:
                return self._answer(invoice)
        return self._error(404, "020001", "Object not found")

    def _cancel(self, request: Request) -> Answer:
        refused = self._unsigned(request, request.query.get("token"))
        if refused:
            return refused
        invoice = self.invoices[request.params["id"]]
        if self.no_cancel:
            return self._error(400, self.no_cancel, "Invoice cannot be cancelled")
        if invoice.status != "new":
            return self._error(400, "040117", "Invalid invoice state")
        self._become(invoice, "expired")
        return self._answer(invoice)

    def _create_refund(self, request: Request) -> Answer:
        wanted = json.loads(request.body, parse_float=Decimal)
        refused = self._unsigned(request, wanted.get("token"))
        if refused:
            return refused
        invoice = self.invoices.get(wanted["invoiceId"])
        if invoice is None or invoice.status not in ("confirmed", "complete"):
            return self._error(200, "010207", "Invoice cannot be refunded")
        if invoice.status == "confirmed" and Decimal(wanted["amount"]) != Decimal(invoice.request["price"]):
            return self._error(200, "010208", "Only the whole amount can be refunded")
        refund = self.refund(
            invoice.id, str(wanted["amount"]), guid=wanted.get("guid"), reference=wanted.get("reference")
        )
        if invoice.status == "confirmed":
            self._become(invoice, "declined")
        return self._refund_answer(refund)

    def _list_refunds(self, request: Request) -> Answer:
        refused = self._unsigned(request, request.query.get("token"))
        if refused:
            return refused
        made = [self._refund_json(r) for r in self.refunds.values() if r["invoice"] == request.query.get("invoiceId")]
        if not made and self.error_status:
            return self._error(404, "020201", "Refund not found")
        return exact_json(made if self.bare_refunds else {"data": made})

    def _refund_by_guid(self, request: Request) -> Answer:
        refused = self._unsigned(request, request.query.get("token"))
        if refused:
            return refused
        for refund in self.refunds.values():
            if refund["guid"] == request.params["guid"]:
                return self._refund_answer(refund)
        return self._error(404, "020201", "Refund not found")

    def _unsigned(self, request: Request, token: object) -> Answer | None:
        """None if a merchant call has the token and an ECDSA signature of URL and body, else the refusal."""
        from coincurve import PublicKey

        if not self.merchant_token or token != self.merchant_token:
            return self._error(401, "", "Invalid token")
        signed = (self.url + request.target).encode() + request.body
        try:
            key = PublicKey(bytes.fromhex(request.headers["x-identity"]))
            genuine = key.verify(bytes.fromhex(request.headers["x-signature"]), signed)
        except (KeyError, ValueError):
            genuine = False
        if not genuine or request.headers["x-identity"] != self.merchant_identity:
            return self._error(401, "", "Invalid signature")
        return None

    def _answer(self, invoice: Invoice) -> Answer:
        return exact_json({"facade": "pos/invoice", "data": self._invoice_json(invoice)})

    def _invoice_json(self, invoice: Invoice) -> dict[str, Any]:
        request, currency = invoice.request, invoice.request["currency"]
        confirmed = _CONFIRMED.get(invoice.status, 0)
        return {
            "id": invoice.id,
            "url": f"{self.url}/invoice?id={invoice.id}",
            "guid": request.get("guid"),
            "status": invoice.status,
            "exceptionStatus": invoice.exception or False,
            "price": request["price"],
            "currency": currency,
            "orderId": request.get("orderId"),
            "posData": request.get("posData"),
            "itemDesc": request.get("itemDesc"),
            "invoiceTime": invoice.created * 1000,
            "expirationTime": invoice.expires * 1000,
            "currentTime": self.clock.now() * 1000,
            "amountPaid": invoice.paid,
            "displayAmountPaid": f"{Decimal(invoice.paid) / 100_000_000:.8f}",
            **({"transactionCurrency": "BTC"} if invoice.received else {}),
            "transactions": [
                {"amount": amount, "confirmations": confirmed, "txid": "f" * 64, "receivedTime": _stamp(when)}
                for when, amount in invoice.received
            ],
            "paymentTotals": {"BTC": invoice.satoshis},
            "paymentDisplayTotals": {"BTC": f"{Decimal(invoice.satoshis) / 100_000_000:.8f}"},
            "exchangeRates": {"BTC": {currency: RATES[currency]}},
            "paymentCodes": {
                "BTC": {
                    "BIP72b": f"bitcoin:?r={self.url}/i/{invoice.id}",
                    "BIP73": f"{self.url}/i/{invoice.id}",
                }
            },
            "buyerProvidedEmail": "satoshi@example.com",
            "refundAddresses": [],
            **self._refund_info(invoice),
        }

    def _refund_info(self, invoice: Invoice) -> dict[str, Any]:
        """The invoice's refund with its amount; like BitPay, without its status."""
        refunds = [r for r in self.refunds.values() if r["invoice"] == invoice.id and r["status"] not in _NO_REFUND]
        if not refunds:
            return {}
        amount, currency = sum(Decimal(r["amount"]) for r in refunds), invoice.request["currency"]
        in_bitcoin = (amount / RATES[currency]).quantize(Decimal("1e-8"))
        amounts = {currency: amount, "BTC": in_bitcoin}
        return {"refundInfo": {"supportRequest": refunds[0]["id"], "currency": currency, "amounts": amounts}}

    def _refund_json(self, refund: Mapping[str, Any]) -> dict[str, Any]:
        return {**refund, "amount": Decimal(refund["amount"])}

    def _refund_answer(self, refund: Mapping[str, Any]) -> Answer:
        return exact_json({"data": self._refund_json(refund)})

    # --- what happens to an invoice ----------------------------------------------------------------------------------

    def tick(self) -> None:
        for invoice in self.invoices.values():
            if invoice.status == "new" and self.clock.now() >= invoice.expires:
                self._become(invoice, "expired")

    def pay(self, invoice_id: str, satoshis: int | None = None) -> None:
        """A payment of what is due or of `satoshis` arrives. After expiry it is late and does not pay the invoice."""
        invoice = self.invoices[invoice_id]
        late = invoice.status == "expired"
        amount = invoice.satoshis - invoice.paid if satoshis is None else satoshis
        invoice.received.append((self.clock.now(), amount))
        if late:
            invoice.exception = "paidLate"
            self._notify(invoice, "notify")
        elif invoice.paid < invoice.satoshis:
            # BitPay sends nothing for a partial payment.
            invoice.exception = "paidPartial"
        else:
            invoice.exception = "paidOver" if invoice.paid > invoice.satoshis else None
            self._become(invoice, "paid")

    def confirm(self, invoice_id: str) -> None:
        self._become(self.invoices[invoice_id], "confirmed")

    def complete(self, invoice_id: str) -> None:
        self._become(self.invoices[invoice_id], "complete")

    def invalidate(self, invoice_id: str) -> None:
        """The payment was not confirmed within an hour; the invoice can still become complete."""
        self._become(self.invoices[invoice_id], "invalid")

    def refund(
        self,
        invoice_id: str,
        amount: str,
        *,
        status: str = "created",
        kind: str = "partial",
        guid: str | None = None,
        reference: str | None = None,
    ) -> dict[str, Any]:
        """Creates a refund. `kind` under- or overpayment: one that BitPay starts itself."""
        invoice = self.invoices[invoice_id]
        refund = {
            "id": secrets.token_hex(11),
            "guid": guid,
            "invoice": invoice.id,
            "amount": amount,
            "currency": invoice.request["currency"],
            "status": status,
            "type": kind,
            "reference": reference,
        }
        self.refunds[refund["id"]] = refund
        return refund

    def finish_refund(self, refund_id: str, status: str = "success") -> None:
        refund = self.refunds[refund_id]
        refund["status"] = status
        self._notify_refund(refund)
        if status == "success":
            self._notify(self.invoices[refund["invoice"]], "refunded")

    def notify_again(self, invoice_id: str) -> None:
        """Sends the invoice's notification again, like the button in the dashboard."""
        self._notify(self.invoices[invoice_id], "notify")

    def _become(self, invoice: Invoice, status: str) -> None:
        invoice.status = status
        self._notify(invoice, status)

    def _notify(self, invoice: Invoice, what: str) -> None:
        url = invoice.request.get("notificationURL")
        if not url:
            return
        code, name = CODES[what]
        if not invoice.request.get("fullNotifications") and what not in ("paid", "confirmed", "complete"):
            return
        data = {**self._invoice_json(invoice), "buyerFields": {"buyerEmail": "satoshi@example.com"}}
        for private in ("transactions", "buyerProvidedEmail", "refundAddresses", "guid", "paymentCodes"):
            del data[private]
        self.webhooks.enqueue(url, {"signer": "pos", "code": code, "name": name, "data": data})

    def _notify_refund(self, refund: Mapping[str, Any]) -> None:
        url = self.invoices[refund["invoice"]].request.get("notificationURL")
        event = {"success": (7003, "refund_success"), "failure": (7004, "refund_failure")}.get(refund["status"])
        if event is None:
            return
        code, name = event
        data = {k: refund[k] for k in ("id", "invoice", "status", "amount", "currency")}
        # Signed with the merchant token, so without one no notification can be signed.
        if url and self.merchant_token:
            self.webhooks.enqueue(url, {"signer": "merchant", "code": code, "name": name, "data": data})

    def _render(self, message: dict[str, Any], _: int, now: int) -> tuple[bytes, Mapping[str, str]]:
        extended = {
            "event": {
                "code": message["code"],
                "name": message["name"],
                "timestamp": datetime.fromtimestamp(now, UTC).isoformat(),
            },
            "data": message["data"],
        }
        body = exact(extended)
        key = self.token if message["signer"] == "pos" else self.merchant_token
        signature = base64.b64encode(hmac.digest(key.encode(), body, hashlib.sha256)).decode()
        return body, {"x-signature": signature}

    # --- its page ----------------------------------------------------------------------------------------------------

    def _show(self, invoice_id: str) -> Shown | None:
        invoice = self.invoices.get(invoice_id)
        if invoice is None:
            return None
        due = max(0, invoice.satoshis - invoice.paid)
        left = max(0, invoice.expires - self.clock.now())
        price = f"{invoice.request['price']} {invoice.request['currency']}"
        back, close = invoice.request.get("redirectURL"), invoice.request.get("closeURL")
        paid = (back, "Return to the shop") if back and invoice.status != "new" else None
        return Shown(
            invoice_id=invoice.id,
            path=f"/invoice?id={invoice.id}",
            price=price,
            status=invoice.status + EXCEPTIONS.get(invoice.exception or "", ""),
            rows={
                "For": str(invoice.request.get("itemDesc") or "an order"),
                "Price": price,
                "In bitcoin": f"{Decimal(invoice.satoshis) / 100_000_000:.8f} BTC",
                "Received": f"{Decimal(invoice.paid) / 100_000_000:.8f} BTC",
                "Still due": f"{Decimal(due) / 100_000_000:.8f} BTC",
                "Time left": f"{left // 60} min {left % 60} s" if invoice.status == "new" else "none",
            },
            choices=choices_of(invoice),
            back=paid or ((close, "Back without paying") if close else None),
        )

    def _do(self, invoice_id: str, act: str) -> None:
        invoice = self.invoices[invoice_id]
        rest = invoice.satoshis - invoice.paid
        match act:
            case "pay" | "late":
                self.pay(invoice.id)
            case "underpay":
                self.pay(invoice.id, rest // 2)
            case "overpay":
                self.pay(invoice.id, rest + invoice.satoshis // 4)
            case "confirm":
                self.confirm(invoice.id)
            case "complete":
                self.complete(invoice.id)
            case "invalidate":
                self.invalidate(invoice.id)
            case "expire":
                invoice.expires = self.clock.now()
                self.tick()
            case "refunded":
                for refund in self.refunds.values():
                    if refund["invoice"] == invoice.id and refund["status"] in ("created", "pending"):
                        self.finish_refund(refund["id"])


def _stamp(when: int) -> str:
    """2026-09-21T14:13:20.000Z"""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _invoice_id(request: Request) -> str:
    return request.query.get("id", "")


def main(token: str, port: int = 8722, merchant_token: str = "", merchant_identity: str = "") -> None:
    """Serves the stand-in on loopback until interrupted."""
    with Server(BitPay(token, merchant_token, merchant_identity), port) as server:
        print(f"BitPay stand-in on {server.url}", flush=True)
        server.wait()


if __name__ == "__main__":
    typer.run(main)
