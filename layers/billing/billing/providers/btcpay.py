"""BTCPay Server (Greenfield API): invoices in bitcoin and over Lightning at a server of one's own.

A webhook is only a hint: it carries no amount, and a payment that was seen can fall back without any webhook.
https://docs.btcpayserver.org/API/Greenfield/v1/
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from billing.errors import BadWebhook, ProviderError, ProviderUnavailable
from billing.providers.interface import CryptoInvoice, Notification, Order, RefundParts, Session
from billing.providers.prepaid import (
    SATOSHIS,
    Ours,
    PrepaidClient,
    Seen,
    btc,
    check,
    facts_of,
    looked_for,
    matching_secret,
    metadata_of,
    minor_down,
    minor_nearest,
    minor_up,
    ours,
    parse,
    reference,
    text,
)
from billing.providers.rest import Rest, encode
from billing.rules.facts import Fact, Ref, RefundFact, Translation
from billing.rules.money import to_decimal, to_minor
from billing.rules.records import PurchaseState, RefundStatus
from billing.settings import Settings

NAME = "btcpay"

_STATES: Mapping[str, PurchaseState] = {
    "New": "pending",
    "Processing": "processing",
    "Settled": "paid",
    "Expired": "failed",
    "Invalid": "failed",
}
# Names of the payment methods: today's, and those of servers before 2.0.
_ON_CHAIN = ("BTC-CHAIN", "BTC")
_LIGHTNING = ("BTC-LN", "BTC-LightningNetwork")
# Of an event, what its meaning could need; nothing of the buyer or of the payment's way.
_KEPT = ("type", "invoiceId", "pullPaymentId", "afterExpiration", "overPaid", "partiallyPaid", "manuallyMarked")


# --- webhooks --------------------------------------------------------------------------------------------------------


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: int) -> str:
    """`BTCPay-Sig: sha256=<hex>` is the HMAC of the body with the webhook's secret."""
    scheme, _, given = headers.get("btcpay-sig", "").partition("=")
    if scheme != "sha256" or not given:
        raise BadWebhook("BTCPay-Sig is missing or not of the form sha256=…")
    return matching_secret(secrets, given, lambda key: hmac.digest(key, body, hashlib.sha256).hex())


def minimise(body: bytes) -> Notification:
    """Every try has its own deliveryId; the first one's is the event's id. Old servers misspell its name."""
    document = parse(body)
    event_id = next(
        (
            text(document, name)
            for name in ("originalDeliveryId", "orignalDeliveryId", "deliveryId")
            if document.get(name)
        ),
        None,
    )
    if event_id is None:
        raise BadWebhook("deliveryId is missing")
    timestamp = document.get("timestamp")
    if not isinstance(timestamp, int):
        raise BadWebhook("timestamp is not a whole number")
    return Notification(
        provider=NAME,
        event_id=event_id,
        type=text(document, "type"),
        created_at=timestamp,
        livemode=None,
        payload={k: document[k] for k in _KEPT if isinstance(document.get(k), str | bool)},
    )


def translate(notification: Notification) -> Translation:
    invoice_id = str(notification.payload.get("invoiceId", ""))
    if not notification.type.startswith("Invoice") or not invoice_id:
        return Translation(reason=f"{notification.type} is not about an invoice")
    if invoice_id.startswith("__test__"):
        return Translation(reason="a test delivery")
    refund = notification.payload.get("pullPaymentId")
    if refund:
        return Translation(rereads=(Ref("purchase", invoice_id), Ref("payment", f"{invoice_id}/{refund}")))
    return Translation(rereads=(Ref("purchase", invoice_id),))


# --- the invoice as facts --------------------------------------------------------------------------------------------


def _state(invoice: Mapping[str, Any]) -> PurchaseState:
    status, additional = str(invoice.get("status")), invoice.get("additionalStatus")
    if status not in _STATES:
        raise ProviderError(f"BTCPay invoice {invoice.get('id')} has a status we do not know: {status}")
    if additional == "PaidPartial" and status in ("New", "Expired"):
        return "underpaid"
    if additional in ("PaidLate", "PaidOver") and status == "Expired":
        return "paid_late"
    return _STATES[status]


def _seen(invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]], order: Ours, now: int) -> Seen:
    state = _state(invoice)
    received = _received_cents(invoice, methods, order.currency)
    if state in ("processing", "paid"):
        # The server's tolerance, or a person who marked it, may call less than the price paid in full.
        received = max(received, order.amount_cents)
    return Seen(
        state=state,
        observed_at=now,
        created_at=int(invoice["createdTime"]),
        expires_at=int(invoice["expirationTime"]),
        paid_at=max((int(p["receivedDate"]) for m in methods for p in m.get("payments") or []), default=None),
        received_cents=received,
        due_cents=_due_cents(methods, order, received) if state == "underpaid" else 0,
    )


def _received_cents(invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]], currency: str) -> int:
    """Valued at the rates of the invoice: the server says it since 2.1, before that it is the sum over the methods."""
    if invoice.get("paidAmount") is not None:
        return minor_down(Decimal(invoice["paidAmount"]), currency)
    paid = sum((Decimal(m["paymentMethodPaid"]) * Decimal(m["rate"]) for m in methods), Decimal(0))
    return minor_down(paid, currency)


def _due_cents(methods: Sequence[Mapping[str, Any]], order: Ours, received: int) -> int:
    """What the server still asks for, at its rate; it adds the cost of a further payment where the store says so."""
    method = _method(methods, _ON_CHAIN) or _method(methods, _LIGHTNING)
    if method is None:
        return order.amount_cents - received
    return minor_up(Decimal(method["due"]) * Decimal(method["rate"]), order.currency)


def _method(methods: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Mapping[str, Any] | None:
    for method in methods:
        if (method.get("paymentMethodId") or method.get("paymentMethod")) in names and method.get("activated", True):
            return method
    return None


# --- calls -----------------------------------------------------------------------------------------------------------


def connect(settings: Settings) -> "BTCPay":
    return BTCPay(
        url=settings.required("BTCPAY_URL"),
        api_key=settings.secret("BTCPAY_API_KEY"),
        store_id=settings.required("BTCPAY_STORE_ID"),
        invoice_minutes=settings.integer("BTCPAY_INVOICE_MINUTES", 60),
        late_minutes=settings.integer("BTCPAY_LATE_MINUTES", 1440),
    )


class BTCPay(PrepaidClient):
    """`invoice_minutes`: how long the rate holds; `late_minutes`: how long after that a payment is still noticed."""

    NAME = NAME

    def __init__(self, *, url: str, api_key: str, store_id: str, invoice_minutes: int, late_minutes: int) -> None:
        self._rest = Rest("BTCPay Server", url, {"Authorization": f"token {api_key}"}, _words)
        self._store = f"/api/v1/stores/{quote(store_id)}"
        self._invoice_minutes, self._late_minutes = invoice_minutes, late_minutes

    def create_checkout(self, order: Order) -> Session:
        request = {
            "amount": f"{to_decimal(order.amount_cents, order.currency):f}",
            "currency": order.currency,
            "metadata": {**metadata_of(order), "orderId": order.checkout_id, "itemDesc": order.plan.name},
            "checkout": {
                "expirationMinutes": self._invoice_minutes,
                "monitoringMinutes": self._late_minutes,
                "redirectURL": order.success_url,
                "redirectAutomatically": True,
            },
        }
        invoice = self._rest.create(f"{self._store}/invoices", encode(request), find=lambda: self._opened_for(order))
        return Session(
            session_id=str(invoice["id"]),
            url=str(invoice["checkoutLink"]),
            expires_at=int(invoice["expirationTime"]),
            facts=tuple(self._facts(str(invoice["id"]), invoice, int(invoice["createdTime"]))),
        )

    def _opened_for(self, order: Order) -> Any:
        found = self._rest.read(f"{self._store}/invoices?{urlencode({'orderId': order.checkout_id})}")
        return next(iter(found), None)

    def expire_checkout(self, session_id: str) -> None:
        """Marks an invoice nobody has paid into as invalid. A key that may not do that leaves it to run out."""
        invoice = self._read(session_id)
        if (invoice.get("status"), invoice.get("additionalStatus")) != ("New", "None"):
            return
        try:
            path = f"{self._store}/invoices/{quote(session_id)}/status"
            self._rest.change("POST", path, encode({"status": "Invalid"}))
        except ProviderError as refused:
            if refused.extensions.get("status") != 403:
                raise

    def read(self, ref: Ref, now: int) -> Sequence[Fact]:
        invoice_id, _, refund_id = ref.id.partition("/")
        invoice = self._read(invoice_id)
        if refund_id:
            order = ours(invoice.get("metadata"))
            return (self._refund_fact(invoice, refund_id, order, now),) if order else ()
        return self._facts(invoice_id, invoice, self._rest.answered_at or now)

    def _read(self, invoice_id: str) -> dict[str, Any]:
        invoice: dict[str, Any] = self._rest.read(f"{self._store}/invoices/{quote(invoice_id)}")
        return invoice

    def _methods(self, invoice: Mapping[str, Any]) -> list[dict[str, Any]]:
        methods: list[dict[str, Any]] = self._rest.read(
            f"{self._store}/invoices/{quote(str(invoice['id']))}/payment-methods"
        )
        return methods

    def _facts(self, invoice_id: str, invoice: Mapping[str, Any], now: int) -> Sequence[Fact]:
        order = _order(invoice_id, invoice)
        if order is None:
            return ()
        nothing_came = (invoice["status"], invoice.get("additionalStatus")) in (("New", "None"), ("Expired", "None"))
        methods = [] if nothing_came else self._methods(invoice)
        return facts_of(NAME, invoice_id, order, _seen(invoice, methods, order, now))

    def refund(
        self, payment_ref: str, amount_cents: int | None, currency: str, *, reason: str, key: str
    ) -> RefundParts:
        """Makes a claim link (see `refund_url`) worth that much fiat at the rate of the day it is claimed."""
        invoice = self._read(payment_ref)
        order = _order(payment_ref, invoice)
        if order is None:
            raise ProviderError(f"BTCPay invoice {payment_ref} was not opened here")
        cents = order.amount_cents if amount_cents is None else amount_cents
        # The server takes names of at most 50 characters, and a name is what a lost claim is found by.
        name = f"Refund {reference(key)}"
        request = {
            "name": name,
            "description": f"Refund of invoice {payment_ref}: {reason}",
            "refundVariant": "Custom",
            "customAmount": f"{to_decimal(cents, currency):f}",
            "customCurrency": currency,
            **self._payout_method(invoice),
        }
        made = self._rest.create(
            f"{self._store}/invoices/{quote(payment_ref)}/refund",
            encode(request),
            find=looked_for(lambda: self._claim_named(name)),
        )
        try:
            fact = self._refund_fact(invoice, str(made["id"]), order, self._rest.answered_at or 0)
        except ProviderError as refused:
            raise ProviderUnavailable(f"the claim was made, but cannot be read: {refused.detail}") from refused
        return RefundParts(facts=(fact,))

    def _payout_method(self, invoice: Mapping[str, Any]) -> dict[str, str]:
        """On-chain, in the words of the server: today's, or those from before 2.0."""
        new = any(m.get("paymentMethodId") for m in self._methods(invoice))
        return {"payoutMethodId": _ON_CHAIN[0]} if new else {"paymentMethod": _ON_CHAIN[1]}

    def _claim_named(self, name: str) -> Any:
        claims = self._rest.read(f"{self._store}/pull-payments")
        return next((claim for claim in claims if claim.get("name") == name), None)

    def _refund_fact(self, invoice: Mapping[str, Any], refund_id: str, order: Ours, now: int) -> RefundFact:
        claim = self._rest.read(f"/api/v1/pull-payments/{quote(refund_id)}")
        payouts = self._rest.read(f"/api/v1/pull-payments/{quote(refund_id)}/payouts?includeCancelled=true")
        status: RefundStatus = "pending"
        if any(p.get("state") == "Completed" for p in payouts):
            status = "succeeded"
        elif claim.get("archived"):
            status = "failed"
        return RefundFact(
            provider=NAME,
            observed_at=self._rest.answered_at or now,
            user_id=order.user_id,
            refund_id=refund_id,
            payment_ref=str(invoice["id"]),
            amount_cents=self._claimed_cents(invoice, claim, order),
            currency=order.currency,
            status=status,
            reason=str(claim.get("description") or "").rpartition(": ")[2] or None,
            request_id=_request_of(claim.get("name")),
        )

    def _claimed_cents(self, invoice: Mapping[str, Any], claim: Mapping[str, Any], order: Ours) -> int:
        """What a claim is worth. One that was made on the server's own page may be in bitcoin: it counts at the rate
        of the invoice, as what came in does, and at most as the price."""
        amount, currency = str(claim["amount"]), str(claim["currency"])
        if currency == order.currency:
            return to_minor(amount, currency)
        methods = self._methods(invoice)
        method = _method(methods, _ON_CHAIN) or _method(methods, _LIGHTNING)
        if currency != "BTC" or method is None:
            raise ProviderError(f"BTCPay refund of invoice {invoice['id']} is in {currency}, the price in another one")
        return min(order.amount_cents, minor_nearest(Decimal(amount) * Decimal(method["rate"]), order.currency))

    def refund_url(self, refund_id: str) -> str | None:
        return str(self._rest.read(f"/api/v1/pull-payments/{quote(refund_id)}")["viewLink"])

    def receipt_url(self, payment_id: str) -> str | None:
        return self._rest.url(f"/i/{quote(payment_id)}/receipt")

    def invoice(self, purchase_id: str, now: int) -> CryptoInvoice:
        invoice = self._read(purchase_id)
        order = _order(purchase_id, invoice)
        if order is None:
            raise ProviderError(f"BTCPay invoice {purchase_id} was not opened here")
        methods = self._methods(invoice)
        seen = _seen(invoice, methods, order, self._rest.answered_at or now)
        chain, lightning = _method(methods, _ON_CHAIN), _method(methods, _LIGHTNING)
        payable = seen.state in ("pending", "underpaid") and seen.expires_at > seen.observed_at
        main = chain or lightning
        bolt11 = str(lightning["destination"]) if payable and lightning and lightning.get("destination") else None
        return CryptoInvoice(
            purchase_id=purchase_id,
            user_id=order.user_id,
            state=seen.state,
            amount_cents=order.amount_cents,
            due_cents=order.amount_cents if seen.state == "pending" else seen.due_cents,
            surplus_cents=max(0, seen.received_cents - order.amount_cents),
            currency=order.currency,
            amount_btc=_exact(main["amount"]) if main else None,
            due_btc=_exact(main["due"]) if main and payable else None,
            address=str(chain["destination"]) if payable and chain else None,
            bip21=_bip21(chain, bolt11) if payable and chain else None,
            lightning=bolt11,
            created_at=seen.created_at,
            expires_at=seen.expires_at,
            server_time=seen.observed_at,
            url=str(invoice["checkoutLink"]),
        )


def _request_of(name: object) -> str | None:
    """The request of ours that a claim was named after."""
    found = re.fullmatch(r"Refund ([0-9a-f]{32})", name) if isinstance(name, str) else None
    return found[1] if found else None


def _order(invoice_id: str, invoice: Mapping[str, Any]) -> Ours | None:
    metadata = invoice.get("metadata")
    order = ours(metadata)
    if order is not None and isinstance(metadata, dict):
        check(
            "BTCPay",
            str(invoice.get("id")),
            order,
            asked_for=invoice_id,
            order_id=str(metadata.get("orderId")),
            amount=str(invoice.get("amount")),
            currency=str(invoice.get("currency")),
        )
    return order


def _exact(amount: str) -> str:
    return btc(int(Decimal(amount) * SATOSHIS))


def _bip21(chain: Mapping[str, Any], bolt11: str | None) -> str:
    """One URI for both ways to pay. Upper case keeps a QR code small, and wallets read BOLT 11 in either."""
    link = str(chain.get("paymentLink") or f"bitcoin:{chain['destination']}?amount={_exact(chain['due'])}")
    if bolt11 is None or "lightning=" in link.lower():
        return link
    return f"{link}{'&' if '?' in link else '?'}lightning={bolt11.upper()}"


def _words(answer: Any) -> Iterator[str]:
    """Errors are {code, message}, or for a refused request a list of {path, message}."""
    if isinstance(answer, dict) and isinstance(answer.get("message"), str) and "code" in answer:
        missing = answer.get("missingPermission")
        yield f"{answer['message']} (the API key lacks {missing})" if missing else answer["message"]
    elif isinstance(answer, list):
        for error in answer:
            if isinstance(error, dict) and set(error) == {"path", "message"}:
                yield f"{error['path']}: {error['message']}"
