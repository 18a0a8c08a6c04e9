"""A stand-in for BTCPay Server: the Greenfield calls that we make, hosted invoices with buttons, signed webhooks.

    python -m fakes.btcpay STORE_ID API_KEY WEBHOOK_SECRET --webhook-url http://… --port 8723

Like BTCPay Server 2.4 it has decimals as text, an API key with permissions, 422 with a list for an invalid request, the
statuses New -> Processing -> Settled, replaced payments without a webhook, payments that are recorded in any state, a
fee on every further payment, refunds as pull payments with payouts, and one ordered queue of webhooks in which a
failing delivery blocks the rest. Tests check its answers against the published API (`tests/fakes/btcpay_schemas.json`).
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any

import typer

from fakes.base import Answer, App, Clock, Post, Request, Server, Webhooks, json_answer, post
from fakes.bitcoin_pages import InvoicePages, Shown
from fakes.btcpay_invoice import (
    DECIMALS,
    EXCEPTIONS,
    RATES,
    Invoice,
    btc,
    choices_of,
    lightning_of,
    markable,
    methods_of,
    monitored_until,
    payment_json,
)
from fakes.btcpay_refunds import Refunds

RETRY_AFTER = (10, 60, 600, 600, 600, 600, 600, 600)
VIEW, CREATE, MODIFY = "canviewinvoices", "cancreateinvoice", "canmodifyinvoices"
REFUND, VIEW_REFUNDS = "cancreatenonapprovedpullpayments", "canviewpullpayments"
PERMISSIONS = (VIEW, CREATE, MODIFY, REFUND)
INCLUDED = {
    MODIFY: (VIEW, CREATE),
    REFUND: (VIEW_REFUNDS,),
    "canmanagepullpayments": (REFUND, VIEW_REFUNDS),
    "canmodifystoresettings": (*PERMISSIONS, VIEW_REFUNDS),
}


def _tried_again(status: int) -> bool:
    return status in (0, 408, 429) or status >= 500


def refused_permission(name: str) -> Answer:
    missing = f"btcpay.store.{name}"
    return json_answer({"code": "missing-permission", "message": "Forbidden", "missingPermission": missing}, 403)


class BTCPay(App):
    """One store of a server. `memory`: a file that keeps the state.

    `network_fee`: satoshis that each further payment costs the buyer (stores charge 100 vbytes by default; here
    none). `methods`: payment methods of invoices; `payout_methods`: those of payouts. `skew`: seconds by which the
    server's clock is ahead. `outlives`: seconds for which a Lightning invoice stays valid after its invoice expires.
    `tells_refunds` False: an older server that sends no webhook for a refund. `lazy`: the store activates a payment
    method when a buyer chooses it on the server's page, unless the invoice says otherwise.
    """

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
        self.permissions = set(PERMISSIONS)
        self.network_fee, self.skew, self.outlives, self.version = 0, 0, 0, "2.4.1"
        self.methods: tuple[str, ...] = ("BTC-CHAIN", "BTC-LN")
        self.payout_methods: tuple[str, ...] = ("BTC-CHAIN", "BTC-LN")
        self.tells_refunds, self.lazy = True, False
        self.invoices: dict[str, Invoice] = {}
        self.webhooks = Webhooks(
            self.clock, self._render, retry_after=RETRY_AFTER, in_order=True, retries=_tried_again, send=send
        )
        self.refunds = Refunds(self)
        self.claims = self.refunds.claims
        if memory is not None and memory.exists():
            stored = json.loads(memory.read_text())
            self.claims.update(stored["claims"])
            for key, value in stored["invoices"].items():
                self.invoices[key] = Invoice(**{**value, "amount": Decimal(value["amount"])})
        store = "/api/v1/stores/{store}"
        self.route("POST", f"{store}/invoices", self._create)
        self.route("GET", f"{store}/invoices", self._list)
        self.route("GET", f"{store}/invoices/{{id}}", self._get)
        self.route("GET", f"{store}/invoices/{{id}}/payment-methods", self._methods)
        self.route("POST", f"{store}/invoices/{{id}}/status", self._mark)
        self.route("GET", "/api/v1/api-keys/current", self._key)
        self.route("GET", "/api/v1/server/info", self._info)
        self.refunds.add_routes()
        pages = InvoicePages(self, "BTCPay Server", lambda: self.invoices, self._show, self._do, _invoice_id)
        self.route("GET", "/i/{id}", pages.one)
        self.route("GET", "/invoices/{id}", pages.one)
        self.route("GET", "/i/{id}/receipt", pages.one)
        self.route("POST", "/i/{id}", pages.act)

    def handle(self, request: Request) -> Answer | None:
        answer = super().handle(request)
        if request.method != "GET":
            self.remember()
        return answer

    def remember(self) -> None:
        if self._memory is not None:
            invoices = {key: asdict(invoice) for key, invoice in self.invoices.items()}
            self._memory.write_text(json.dumps({"invoices": invoices, "claims": self.claims}, default=str))

    def refusal(self, status: int) -> Answer:
        words = "injected fault"
        return json_answer(
            [{"path": "", "message": words}] if status == 422 else {"code": "fault", "message": words}, status
        )

    def claim(self, claim_id: str) -> None:
        """The buyer claims a whole refund and it is paid out."""
        self.refunds.claim(claim_id)

    # --- the API -----------------------------------------------------------------------------------------------------

    def refused(self, request: Request, permission: str) -> Answer | None:
        if request.headers.get("authorization") != f"token {self.api_key}":
            return json_answer({"code": "unauthenticated", "message": "Authentication is required"}, 401)
        if request.params.get("store", self.store_id) != self.store_id:
            return json_answer({"code": "store-not-found", "message": "The store was not found"}, 404)
        included = (name for granted in self.permissions for name in INCLUDED.get(granted, ()))
        return None if permission in ("", *self.permissions, *included) else refused_permission(permission)

    def _key(self, request: Request) -> Answer:
        permissions = [f"btcpay.store.{name}:{self.store_id}" for name in sorted(self.permissions)]
        key = {"apiKey": self.api_key, "label": "billing", "permissions": permissions}
        return self.refused(request, "") or json_answer(key)

    def _info(self, request: Request) -> Answer:
        info = {"version": self.version, "onion": None, "supportedPaymentMethods": list(self.methods)}
        return self.refused(request, "") or json_answer({**info, "fullySynched": True, "syncStatus": []})

    def _create(self, request: Request) -> Answer:
        refused = self.refused(request, CREATE)
        if refused:
            return refused
        wanted = request.json
        faults = []
        if wanted.get("currency") not in RATES:
            faults.append({"path": "currency", "message": "Invalid currency"})
        if not isinstance(wanted.get("amount"), str | None):
            faults.append({"path": "amount", "message": "The amount should be text here, to be exact"})
        if faults:
            return json_answer(faults, 422)
        amount, checkout = Decimal(wanted.get("amount") or 0), wanted.get("checkout") or {}
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
            kind="Standard" if wanted.get("amount") else "TopUp",
            store=self.store_id,
            preimage=secrets.token_hex(32),
        )
        if "BTC-LN" in methods_of(invoice, self.methods):
            invoice.bolt11 = lightning_of(invoice, invoice.expires - invoice.created + self.outlives)
        self.invoices[invoice.id] = invoice
        self.notify(invoice, "InvoiceCreated")
        return json_answer(self._invoice_json(invoice))

    def _list(self, request: Request) -> Answer:
        order = request.query.get("orderId")
        invoices = [i for i in self.invoices.values() if order is None or i.metadata.get("orderId") == order]
        return self.refused(request, VIEW) or json_answer([self._invoice_json(i) for i in invoices])

    def invoice_of(self, request: Request, permission: str = VIEW) -> Invoice | Answer:
        invoice = self.invoices.get(request.params["id"])
        missing = json_answer({"code": "invoice-not-found", "message": "The invoice was not found"}, 404)
        here = invoice if invoice is not None and invoice.store == self.store_id else missing
        return self.refused(request, permission) or here

    def _get(self, request: Request) -> Answer:
        invoice = self.invoice_of(request)
        return invoice if isinstance(invoice, Answer) else json_answer(self._invoice_json(invoice))

    def _methods(self, request: Request) -> Answer:
        invoice = self.invoice_of(request)
        return invoice if isinstance(invoice, Answer) else json_answer(self.methods_json(invoice))

    def due(self, invoice: Invoice) -> int:
        """What is still due, in satoshis, with the fee of one more payment; negative if overpaid."""
        due = invoice.satoshis - invoice.paid
        return due + self.network_fee if due > 0 and invoice.counted else due

    def methods_json(self, invoice: Invoice) -> list[dict[str, Any]]:
        due, methods = self.due(invoice), methods_of(invoice, self.methods)
        listed, lazy = self._listed(invoice, due, methods), invoice.checkout.get("lazyPaymentMethods")
        inactive = {"activated": False, "destination": None} if lazy or (lazy is None and self.lazy) else {}
        return [method | inactive for method in listed]

    def _listed(self, invoice: Invoice, due: int, methods: list[str]) -> list[dict[str, Any]]:
        listed = []
        for name in methods:
            mine = [p for p in invoice.counted if p["method"] == name]
            # A Lightning invoice is for the whole amount; after a first payment the server makes a new one on demand.
            bolt11 = "" if invoice.counted and "BTC-CHAIN" in methods else invoice.bolt11
            destination = {"BTC-CHAIN": invoice.address, "BTC-LN": bolt11}.get(name, "")
            scheme = f"bitcoin:{destination}?amount={btc(max(due, 0))}" if name == "BTC-CHAIN" else "lightning:"
            link = scheme if name == "BTC-CHAIN" else f"{scheme}{destination}" if destination else ""
            listed.append(
                {
                    "paymentMethodId": name,
                    "currency": "BTC",
                    "destination": destination,
                    "paymentLink": link,
                    "activated": True,
                    "rate": str(invoice.rate),
                    "amount": btc(due + invoice.gross),
                    "due": btc(due),
                    "totalPaid": btc(invoice.gross),
                    "paymentMethodPaid": btc(sum(p["satoshis"] for p in mine)),
                    "paymentMethodFee": btc(due + invoice.gross - invoice.satoshis),
                    "payments": [payment_json(p, invoice, self.skew) for p in mine],
                    "additionalData": {},
                }
            )
        return listed

    def _mark(self, request: Request) -> Answer:
        invoice = self.invoice_of(request, MODIFY)
        if isinstance(invoice, Answer):
            return invoice
        if request.json["status"] not in markable(invoice):
            words = "Status can only be marked to invalid or settled within certain conditions."
            return json_answer([{"path": "status", "message": words}], 422)
        self.mark(invoice.id, request.json["status"])
        return json_answer(self._invoice_json(invoice))

    def _invoice_json(self, invoice: Invoice) -> dict[str, Any]:
        decimals = DECIMALS.get(invoice.currency, 2)
        return {
            "id": invoice.id,
            "storeId": invoice.store,
            "amount": str(invoice.amount),
            "paidAmount": f"{Decimal(invoice.paid) / 100_000_000 * invoice.rate:.{decimals}f}",
            "currency": invoice.currency,
            "type": invoice.kind,
            "checkoutLink": f"{self.url}/i/{invoice.id}",
            "createdTime": invoice.created + self.skew,
            "expirationTime": invoice.expires + self.skew,
            "monitoringExpiration": monitored_until(invoice) + self.skew,
            "status": invoice.status,
            "additionalStatus": invoice.additional,
            "availableStatusesForManualMarking": markable(invoice),
            "metadata": invoice.metadata,
            "checkout": {"speedPolicy": "MediumSpeed", "paymentTolerance": 0.0, **invoice.checkout},
            "receipt": {"enabled": True, "showQR": True, "showPayments": True},
            "archived": False,
        }

    # --- what happens to an invoice ----------------------------------------------------------------------------------

    def tick(self) -> None:
        for invoice in self.invoices.values():
            if invoice.status == "New" and self.clock.now() >= invoice.expires:
                invoice.status = "Expired"
                self.notify(invoice, "InvoiceExpired", partiallyPaid=bool(invoice.counted))
                if invoice.counted:
                    self.notify(invoice, "InvoiceExpiredPaidPartial")
            if invoice.status == "Processing" and self.clock.now() >= monitored_until(invoice):
                self.invalidate(invoice.id)

    def pay(self, invoice_id: str, satoshis: int | None = None, *, lightning: bool = False) -> None:
        """A payment of what is due or of `satoshis` arrives; over Lightning it is final at once.

        It is recorded in any state, but does not change the status of an Invalid or Settled invoice.
        """
        invoice = self.invoices[invoice_id]
        payment = {
            "id": secrets.token_hex(32),
            "when": self.clock.now(),
            "satoshis": self.due(invoice) if satoshis is None else satoshis,
            "fee": self.network_fee if invoice.counted and not lightning else 0,
            "method": next((m for m in self.methods if m != "BTC-CHAIN"), "BTC-CHAIN")
            if lightning
            else methods_of(invoice, self.methods)[0],
            "status": "Settled" if lightning else "Processing",
        }
        late = invoice.status in ("Expired", "Invalid")
        invoice.payments.append(payment)
        self._notify_payment(invoice, payment, "InvoiceReceivedPayment", late=late)
        over, whole = invoice.paid > invoice.satoshis, invoice.paid >= invoice.satoshis
        if invoice.status == "Expired":
            invoice.additional = "PaidPartial" if not whole else "PaidOver" if over else "PaidLate"
            if whole:
                self.notify(invoice, "InvoicePaidAfterExpiration")
        elif invoice.status == "New" and not whole and invoice.kind == "Standard":
            invoice.additional = "PaidPartial"
        elif invoice.status in ("New", "Processing"):
            invoice.status, invoice.additional = "Processing", "PaidOver" if over else "None"
            self.notify(invoice, "InvoiceProcessing", overPaid=over)
            if lightning:
                self.settle(invoice.id)

    def pay_bolt11(self, text: str) -> str | None:
        """Pays a Lightning invoice of this server; returns the preimage, or None if it cannot be paid."""
        with self._lock:
            self.tick()
            invoice = next((i for i in self.invoices.values() if text and i.bolt11 == text), None)
            if invoice is None or invoice.status != "New" or invoice.counted:
                return None
            self.pay(invoice.id, lightning=True)
            self.remember()
            return invoice.preimage

    def settle(self, invoice_id: str) -> None:
        """The payments are confirmed."""
        invoice = self.invoices[invoice_id]
        late = invoice.status in ("Expired", "Invalid")
        for payment in invoice.counted:
            payment["status"] = "Settled"
            self._notify_payment(invoice, payment, "InvoicePaymentSettled", late=late)
        if invoice.status == "Processing":
            invoice.status = "Settled"
            over = invoice.additional == "PaidOver"
            self.notify(invoice, "InvoiceSettled", manuallyMarked=False, overPaid=over)

    def fall_back(self, invoice_id: str) -> None:
        """The payments were replaced on the chain: the invoice is New again, without a webhook."""
        invoice = self.invoices[invoice_id]
        for payment in invoice.payments:
            payment["status"] = "Invalid"
        invoice.status, invoice.additional = "New", "None"

    def invalidate(self, invoice_id: str) -> None:
        """The payment was not confirmed within the monitoring time."""
        invoice = self.invoices[invoice_id]
        invoice.status = "Invalid"
        self.notify(invoice, "InvoiceInvalid", manuallyMarked=False)

    def mark(self, invoice_id: str, status: str) -> None:
        """A person marks the invoice Settled or Invalid."""
        invoice = self.invoices[invoice_id]
        invoice.status, invoice.additional = status, "Marked"
        if status == "Settled":
            self.notify(invoice, "InvoiceSettled", manuallyMarked=True, overPaid=False)
        else:
            self.notify(invoice, "InvoiceInvalid", manuallyMarked=True)

    def _notify_payment(self, invoice: Invoice, payment: Mapping[str, Any], kind: str, *, late: bool) -> None:
        details = {"paymentMethodId": payment["method"], "payment": payment_json(payment, invoice, self.skew)}
        self.notify(invoice, kind, afterExpiration=late, **details)

    def notify(self, invoice: Invoice, kind: str, **more: object) -> None:
        self.send_event(kind, {"invoiceId": invoice.id, "metadata": invoice.metadata, **more}, invoice.store)

    def send_event(self, kind: str, content: Mapping[str, object], store: str = "") -> None:
        if self.webhook_url:
            message = {"firstId": secrets.token_hex(11), "type": kind, "storeId": store or self.store_id, **content}
            self.webhooks.enqueue(self.webhook_url, message)

    def _render(self, message: dict[str, Any], tries: int, now: int) -> tuple[bytes, Mapping[str, str]]:
        content = {k: v for k, v in message.items() if k != "firstId"}
        event = {
            "deliveryId": message["firstId"] if tries == 0 else secrets.token_hex(11),
            "webhookId": "wh_local",
            "originalDeliveryId": message["firstId"],
            "isRedelivery": tries > 0,
            "timestamp": now + self.skew,
            **content,
        }
        body = json.dumps(event, indent=2).encode()
        return body, {"BTCPay-Sig": f"sha256={hmac.digest(self.webhook_secret.encode(), body, hashlib.sha256).hex()}"}

    # --- its page ----------------------------------------------------------------------------------------------------

    def _show(self, invoice_id: str) -> Shown | None:
        invoice = self.invoices.get(invoice_id)
        if invoice is None:
            return None
        left = max(0, invoice.expires - self.clock.now())
        back = invoice.checkout.get("redirectURL")
        if back:
            back = back.replace("{InvoiceId}", invoice.id).replace("{OrderId}", str(invoice.metadata.get("orderId")))
        return Shown(
            invoice_id=invoice.id,
            path=f"/i/{invoice.id}",
            price=f"{invoice.amount} {invoice.currency}",
            status=invoice.status + EXCEPTIONS.get(invoice.additional, ""),
            rows={
                "For": str(invoice.metadata.get("itemDesc") or "an order"),
                "Price": f"{invoice.amount} {invoice.currency}",
                "In bitcoin": f"{btc(invoice.satoshis)} BTC",
                "Received": f"{btc(invoice.gross)} BTC",
                "Still due": f"{btc(max(0, self.due(invoice)))} BTC",
                "Address": invoice.address,
                "Time left": f"{left // 60} min {left % 60} s" if invoice.status == "New" else "none",
            },
            choices=choices_of(invoice),
            back=(back, "Return to the shop") if back else None,
        )

    def _do(self, invoice_id: str, act: str) -> None:
        invoice, rest = self.invoices[invoice_id], self.due(self.invoices[invoice_id])
        acts: Mapping[str, Callable[[], object]] = {
            "pay": lambda: self.pay(invoice_id),
            "late": lambda: self.pay(invoice_id),
            "again": lambda: self.pay(invoice_id, invoice.satoshis),
            "lightning": lambda: self.pay(invoice_id, lightning=True),
            "underpay": lambda: self.pay(invoice_id, rest // 2),
            "overpay": lambda: self.pay(invoice_id, rest + invoice.satoshis // 4),
            "settle": lambda: self.settle(invoice_id),
            "fall_back": lambda: self.fall_back(invoice_id),
            "invalidate": lambda: self.invalidate(invoice_id),
            "mark_settled": lambda: self.mark(invoice_id, "Settled"),
            "mark_invalid": lambda: self.mark(invoice_id, "Invalid"),
            "refund": lambda: self.refunds.by_the_server(invoice_id),
            "expire": lambda: self._expire(invoice),
        }
        acts[act]()

    def _expire(self, invoice: Invoice) -> None:
        invoice.expires = self.clock.now()
        self.tick()


def _invoice_id(request: Request) -> str:
    return request.params["id"]


def main(store_id: str, api_key: str, webhook_secret: str, webhook_url: str = "", port: int = 8723) -> None:
    """Serves the stand-in on loopback until interrupted."""
    with Server(BTCPay(store_id, api_key, webhook_secret, webhook_url), port) as server:
        print(f"BTCPay Server stand-in on {server.url}", flush=True)
        server.wait()


if __name__ == "__main__":
    typer.run(main)
