"""BitPay: invoices in bitcoin, read again whenever a notification says that one has changed.

A notification is only a hint: it carries no event id and no time that is signed apart from its body, so what it says is
never acted on. https://developer.bitpay.com/reference/notifications-invoices
"""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from billing.errors import BadWebhook, ProviderError
from billing.providers.interface import CryptoInvoice, Notification, Order, RefundParts, Session
from billing.providers.prepaid import (
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
    ours,
    parse,
    reference,
    text,
)
from billing.providers.rest import Rest, Sign, encode
from billing.rules.facts import Fact, Ref, RefundFact, Translation
from billing.rules.money import to_decimal, to_minor
from billing.rules.records import PurchaseState, RefundStatus
from billing.settings import Settings

NAME = "bitpay"
LIVE_URL = "https://bitpay.com"
TEST_URL = "https://test.bitpay.com"

# https://developer.bitpay.com/docs/invoice-states. Underpaid and late are told by exceptionStatus: see `_state`.
_STATES: Mapping[str, PurchaseState] = {
    "new": "pending",
    "paid": "processing",
    "confirmed": "paid",
    "complete": "paid",
    "expired": "failed",
    "invalid": "failed",
    "declined": "failed",
}
_REFUND_STATES: Mapping[str, RefundStatus] = {
    "success": "succeeded",
    "failure": "failed",
    "canceled": "failed",
    "cancelled": "failed",
}


# --- notifications ---------------------------------------------------------------------------------------------------


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: int) -> str:
    """`x-signature` is the base64 HMAC-SHA256 of the body, keyed with the API token that made the object."""
    given = headers.get("x-signature", "")
    if not given:
        raise BadWebhook("x-signature is missing")
    return matching_secret(
        secrets, given, lambda key: base64.b64encode(hmac.digest(key, body, hashlib.sha256)).decode()
    )


def minimise(body: bytes) -> Notification:
    """Both formats: {"event": …, "data": …}, and the bare object. The id is made from the object and its new state."""
    document = parse(body)
    event, data = document.get("event"), document.get("data", document)
    if not isinstance(data, dict):
        raise BadWebhook("data is not an object")
    name = text(event, "name") if isinstance(event, dict) else "invoice"
    object_id, status = text(data, "id"), text(data, "status")
    exception = data.get("exceptionStatus")
    invoice = text(data, "invoice") if name.startswith("refund") else object_id
    parts = [object_id, status, *([exception] if isinstance(exception, str) else []), name]
    return Notification(
        provider=NAME,
        event_id=":".join(parts)[:200],
        type=name,
        created_at=_notified_at(event, data),
        livemode=_livemode(data.get("url")),
        payload={"id": object_id, "invoice": invoice, "status": status, "exception": exception or None},
    )


def _notified_at(event: object, data: Mapping[str, Any]) -> int:
    stamp = event.get("timestamp") if isinstance(event, dict) else None
    milliseconds = data.get("currentTime", 0)
    if isinstance(stamp, str):
        return _iso(stamp) or 0
    return int(milliseconds) // 1000 if isinstance(milliseconds, int) else 0


def _livemode(url: object) -> bool | None:
    try:
        host = urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:  # an address that is none
        host = None
    return {"bitpay.com": True, "test.bitpay.com": False}.get(host or "")


def translate(notification: Notification) -> Translation:
    invoice = notification.payload.get("invoice")
    if not invoice:
        return Translation(reason="names no invoice")
    return Translation(rereads=(Ref("purchase", str(invoice)),))


# --- the invoice as facts --------------------------------------------------------------------------------------------


def _state(invoice: Mapping[str, Any]) -> PurchaseState:
    status, exception = str(invoice.get("status")), invoice.get("exceptionStatus")
    if status not in _STATES:
        raise ProviderError(f"BitPay invoice {invoice.get('id')} has a status we do not know: {status}")
    if exception == "paidLate":
        return "paid_late"
    if exception == "paidPartial" and status in ("new", "expired"):
        return "underpaid"
    return _STATES[status]


def _seen(invoice: Mapping[str, Any], order: Ours, now: int) -> Seen:
    current = invoice.get("currentTime")
    observed_at = int(current) // 1000 if current else now
    state = _state(invoice)
    received = order.amount_cents if state in ("processing", "paid", "paid_late") else 0
    paid, asked = _paid_and_asked(invoice)
    if asked:
        # What came in, at the rate of the invoice: the share of the price that the share of the bitcoin stands for.
        share = minor_down(to_decimal(order.amount_cents, order.currency) * paid / asked, order.currency)
        # Wallets round: an invoice that BitPay calls paid in full is paid in full.
        received = share if state == "underpaid" or invoice.get("exceptionStatus") == "paidOver" else received
    return Seen(
        state=state,
        observed_at=observed_at,
        created_at=int(invoice["invoiceTime"]) // 1000,
        expires_at=int(invoice["expirationTime"]) // 1000,
        paid_at=_paid_at(invoice),
        received_cents=received,
        due_cents=order.amount_cents - received if state == "underpaid" else 0,
    )


def _paid_and_asked(invoice: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """Both in the smallest unit of the currency it was paid in."""
    currency = invoice.get("transactionCurrency") or "BTC"
    asked = (invoice.get("paymentTotals") or {}).get(currency, 0)
    return Decimal(invoice.get("amountPaid") or 0), Decimal(asked)


def _paid_at(invoice: Mapping[str, Any]) -> int | None:
    """When the last of the money was seen."""
    incoming = [t for t in invoice.get("transactions") or [] if Decimal(t.get("amount") or 0) > 0]
    times = [_iso(str(t.get("receivedTime"))) for t in incoming]
    return max((t for t in times if t is not None), default=None)


def _iso(stamp: str) -> int | None:
    try:
        return int(datetime.fromisoformat(stamp).timestamp())
    except (ValueError, OverflowError):
        return None


# --- calls -----------------------------------------------------------------------------------------------------------


def connect(settings: Settings) -> "BitPay":
    return BitPay(
        url=settings.optional("BITPAY_URL", LIVE_URL if settings.livemode else TEST_URL),
        token=settings.secrets("BITPAY_API_KEY")[0],
        merchant_token=settings.optional_secret("BITPAY_MERCHANT_TOKEN"),
        merchant_key=settings.optional_secret("BITPAY_MERCHANT_KEY"),
        notification_url=f"{settings.public_url}/billing/webhook/bitpay",
    )


class BitPay(PrepaidClient):
    """The pos facade opens and reads invoices; refunds and cancelling need the merchant facade's token and key."""

    NAME = NAME

    def __init__(self, *, url: str, token: str, merchant_token: str, merchant_key: str, notification_url: str) -> None:
        self._rest = Rest("BitPay", url, {"X-Accept-Version": "2.0.0"}, _words)
        self._token, self._merchant_token, self._merchant_key = token, merchant_token, merchant_key
        self._notification_url = notification_url

    def create_checkout(self, order: Order) -> Session:
        metadata = metadata_of(order)
        guid = _guid(order.checkout_id)
        request = {
            "token": self._token,
            "currency": order.currency,
            "orderId": order.checkout_id,
            "posData": json.dumps(metadata, separators=(",", ":")),
            "guid": guid,
            "itemDesc": order.plan.name,
            "notificationURL": self._notification_url,
            "redirectURL": order.success_url,
            "closeURL": order.cancel_url,
            "autoRedirect": True,
            "extendedNotifications": True,
            "fullNotifications": True,
            "transactionSpeed": "medium",
        }
        invoice = self._rest.create(
            "/invoices",
            _with_number("price", to_decimal(order.amount_cents, order.currency), request),
            find=lambda: self._found(f"/invoices/guid/{guid}"),
        )["data"]
        facts = self._facts(str(invoice["id"]), invoice, _now(invoice))
        return Session(
            session_id=str(invoice["id"]),
            url=str(invoice["url"]),
            expires_at=int(invoice["expirationTime"]) // 1000,
            facts=tuple(facts),
        )

    def _found(self, path: str) -> Any:
        return self._rest.read(f"{path}?{urlencode({'token': self._token})}", missing_ok=True)

    def expire_checkout(self, session_id: str) -> None:
        """Cancels an invoice nobody has paid into. Without the merchant facade it runs out by itself, in 15 minutes."""
        if not self._merchant_key:
            return
        if self._read(session_id).get("status") == "new":
            path = f"/invoices/{quote(session_id)}?{urlencode({'token': self._merchant_token})}"
            self._rest.change("DELETE", path, b"", self._sign())

    def read(self, ref: Ref, now: int) -> Sequence[Fact]:
        """An invoice with its refunds; a refund by its own name (invoice/refund) is told with its invoice as well."""
        invoice_id, _, _ = ref.id.partition("/")
        return self._facts(invoice_id, self._read(invoice_id), now)

    def _read(self, invoice_id: str) -> dict[str, Any]:
        path = f"/invoices/{quote(invoice_id)}?{urlencode({'token': self._token})}"
        invoice: dict[str, Any] = self._rest.read(path)["data"]
        return invoice

    def _facts(self, invoice_id: str, invoice: Mapping[str, Any], now: int) -> Sequence[Fact]:
        order = _order(invoice)
        if order is None:
            return ()
        _check(invoice_id, invoice, order)
        seen = _seen(invoice, order, now)
        return (*facts_of(NAME, invoice_id, order, seen), *self._refunds(invoice_id, order, seen.observed_at))

    def _refunds(self, invoice_id: str, order: Ours, now: int) -> Iterator[RefundFact]:
        if not self._merchant_key:
            return
        query = urlencode({"token": self._merchant_token, "invoiceId": invoice_id})
        for refund in self._rest.read(f"/refunds?{query}", sign=self._sign())["data"]:
            yield _refund_fact(refund, order.user_id, now)

    def refund(
        self, payment_ref: str, amount_cents: int | None, currency: str, *, reason: str, key: str
    ) -> RefundParts:
        """BitPay mails the buyer a link to claim it. Before the invoice is complete only the whole can go back."""
        sign = self._sign()
        invoice = self._read(payment_ref)
        order = _order(invoice)
        if order is None:
            raise ProviderError(f"BitPay invoice {payment_ref} was not opened here")
        cents = order.amount_cents if amount_cents is None else amount_cents
        guid = str(uuid.UUID(reference(key)))
        query = urlencode({"token": self._merchant_token})
        request = {
            "token": self._merchant_token,
            "invoiceId": payment_ref,
            "preview": False,
            "immediate": False,
            "buyerPaysRefundFee": False,
            "reference": reason,
            "guid": guid,
        }
        refund = self._rest.create(
            "/refunds",
            _with_number("amount", to_decimal(cents, currency), request),
            find=looked_for(lambda: self._rest.read(f"/refunds/guid/{guid}?{query}", missing_ok=True, sign=sign)),
            sign=sign,
        )["data"]
        return RefundParts(facts=(_refund_fact(refund, order.user_id, _now(invoice)),))

    def refund_url(self, refund_id: str) -> str | None:
        """None: BitPay writes to the buyer itself."""
        return None

    def receipt_url(self, payment_id: str) -> str | None:
        return self._rest.url(f"/invoice?{urlencode({'id': payment_id})}")

    def invoice(self, purchase_id: str, now: int) -> CryptoInvoice:
        invoice = self._read(purchase_id)
        order = _order(invoice)
        if order is None:
            raise ProviderError(f"BitPay invoice {purchase_id} was not opened here")
        _check(purchase_id, invoice, order)
        seen = _seen(invoice, order, now)
        asked = int((invoice.get("paymentTotals") or {}).get("BTC", 0))
        paid = int(invoice.get("amountPaid") or 0) if invoice.get("transactionCurrency") in (None, "BTC") else 0
        payable = seen.state in ("pending", "underpaid") and seen.expires_at > seen.observed_at
        codes = (invoice.get("paymentCodes") or {}).get("BTC") or {}
        return CryptoInvoice(
            purchase_id=purchase_id,
            user_id=order.user_id,
            state=seen.state,
            amount_cents=order.amount_cents,
            due_cents=order.amount_cents if seen.state == "pending" else seen.due_cents,
            surplus_cents=max(0, seen.received_cents - order.amount_cents),
            currency=order.currency,
            amount_btc=btc(asked) if asked else None,
            due_btc=btc(max(0, asked - paid)) if asked and payable else None,
            # BitPay takes payments by its own payment protocol: the wallet fetches the address from the URI's `r`.
            address=None,
            bip21=codes.get("BIP72b") if payable else None,
            lightning=None,
            created_at=seen.created_at,
            expires_at=seen.expires_at,
            server_time=seen.observed_at,
            url=str(invoice["url"]),
        )

    def _sign(self) -> Sign:
        """https://developer.bitpay.com/docs/authentication: ECDSA over the whole URL and the body."""
        if not self._merchant_key or not self._merchant_token:
            raise ProviderError(
                "refunds at BitPay need the merchant facade: set BITPAY_MERCHANT_TOKEN and BITPAY_MERCHANT_KEY "
                "(docs/bitcoin.md says how to get them), or refund the invoice in BitPay's dashboard"
            )
        from coincurve import PrivateKey

        key = PrivateKey.from_hex(self._merchant_key)
        identity = key.public_key.format(compressed=True).hex()

        def sign(method: str, url: str, body: bytes) -> Mapping[str, str]:
            return {"X-Identity": identity, "X-Signature": key.sign(url.encode() + body).hex()}

        return sign


def _guid(key: str) -> str:
    """The same for the same order, so that it can be found again when the answer was lost."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, key))


def _now(invoice: Mapping[str, Any]) -> int:
    return int(invoice.get("currentTime") or invoice["invoiceTime"]) // 1000


def _order(invoice: Mapping[str, Any]) -> Ours | None:
    try:
        return ours(json.loads(invoice.get("posData") or "{}"))
    except (ValueError, TypeError):
        return None


def _check(invoice_id: str, invoice: Mapping[str, Any], order: Ours) -> None:
    check(
        "BitPay",
        str(invoice.get("id")),
        order,
        asked_for=invoice_id,
        order_id=str(invoice.get("orderId")),
        amount=str(invoice.get("price")),
        currency=str(invoice.get("currency")),
    )


def _refund_fact(refund: Mapping[str, Any], user_id: str, now: int) -> RefundFact:
    currency = str(refund["currency"])
    return RefundFact(
        provider=NAME,
        observed_at=now,
        user_id=user_id,
        refund_id=str(refund["id"]),
        payment_ref=str(refund["invoice"]),
        amount_cents=to_minor(str(refund["amount"]), currency),
        currency=currency,
        status=_REFUND_STATES.get(str(refund.get("status")), "pending"),
        reason=str(refund["reference"]) if refund.get("reference") else None,
        request_id=str(refund["guid"]).replace("-", "") if refund.get("guid") else None,
    )


def _with_number(name: str, number: Decimal, document: Mapping[str, object]) -> bytes:
    """JSON whose first member is an exact number: the encoder would only take it as a float."""
    return f'{{"{name}":{number:f},'.encode() + encode(document)[1:]


def _words(answer: Any) -> Iterator[str]:
    """BitPay's errors come in three shapes, some of them with a status of success."""
    if not isinstance(answer, dict):
        return
    if isinstance(answer.get("error"), str):
        yield answer["error"]
    for error in answer.get("errors") or []:
        if isinstance(error, dict):
            yield " ".join(str(error[k]) for k in ("param", "error") if k in error)
    if answer.get("status") == "error" and "error" not in answer:
        yield str(answer.get("message") or answer.get("code") or "error")
