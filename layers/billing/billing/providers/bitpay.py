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

from billing.errors import BadWebhook, NotConfigured, ProviderError, ProviderUnavailable
from billing.providers.interface import CryptoInvoice, Notification, Order, RefundParts, Session
from billing.providers.prepaid import (
    PrepaidClient,
    Seen,
    btc,
    covered_at,
    facts_of,
    looked_for,
    matching_secret,
    metadata_of,
    minor_down,
    minor_nearest,
    parse,
    reference,
    text,
    told_unless_exact,
)
from billing.providers.rest import Rest, Sign, Verdict, by_status, encode
from billing.rules.facts import Fact, Ref, RefundFact, Translation
from billing.rules.money import to_decimal
from billing.rules.records import SURPLUS, PurchaseState, RefundStatus
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
# Only these are a promise of BitPay's. A preview is none, nor is a word that is not known here.
_REFUND_STATES: Mapping[str, RefundStatus] = {"created": "pending", "pending": "pending", "success": "succeeded"}
# Of refunds that BitPay makes by itself, for what came in short or beyond the price: they never touch the price.
_BY_ITSELF = ("underpayment", "overpayment")
# https://developer.bitpay.com: the first two digits are the method, so the last four say what is wrong.
_NO_SUCH = ("0001", "0101", "0201")
_SERVER_FAULT = "0000"
# An invoice that cannot be cancelled (any more): perhaps because somebody is paying it.
_NOT_TO_CANCEL = ("0107", "0108", "0117")


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
    """A refund has a notification of its own only where the merchant facade is; else the invoice tells of it."""
    invoice = str(notification.payload.get("invoice") or "")
    if not invoice:
        return Translation(reason="names no invoice")
    found = Ref("purchase", invoice)
    if notification.type.startswith("refund"):
        return Translation(rereads=(found, Ref("payment", f"{invoice}/{notification.payload.get('id')}")))
    if notification.type == "invoice_refundComplete":
        return Translation(rereads=(found, Ref("payment", f"{invoice}/complete")))
    return Translation(rereads=(found,))


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


def _seen(invoice: Mapping[str, Any], *, sees_refunds: bool) -> Seen:
    state, currency, price = _state(invoice), str(invoice["currency"]), Decimal(str(invoice["price"]))
    paid, asked = _paid_and_asked(invoice)
    worth = price * paid / asked if asked else price if state in ("processing", "paid", "paid_late") else Decimal(0)
    if state in ("processing", "paid") and invoice.get("exceptionStatus") != "paidOver":
        # Wallets round: an invoice that BitPay calls paid in full is paid in full.
        worth = price
    if invoice["status"] == "declined" and not sees_refunds:
        # It declines what it gives back whole, and without the merchant facade nothing else tells of that.
        worth, paid = Decimal(0), Decimal(0)
    received = minor_down(worth, currency)
    in_bitcoin = (invoice.get("transactionCurrency") or "BTC") == "BTC"
    return Seen(
        state=state,
        amount=str(invoice["price"]),
        currency=currency,
        created_at=int(invoice["invoiceTime"]) // 1000,
        expires_at=int(invoice["expirationTime"]) // 1000,
        ended=state in ("failed", "paid_late") or invoice["status"] == "expired",
        paid_at=covered_at(_payments(invoice), asked),
        received_cents=received,
        received_sat=int(paid) if in_bitcoin else 0,
        due_cents=max(0, minor_nearest(price, currency) - received) if state == "underpaid" else 0,
    )


def _paid_and_asked(invoice: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """Both in the smallest unit of the currency it was paid in."""
    currency = invoice.get("transactionCurrency") or "BTC"
    asked = (invoice.get("paymentTotals") or {}).get(currency, 0)
    return Decimal(invoice.get("amountPaid") or 0), Decimal(asked)


def _payments(invoice: Mapping[str, Any]) -> Iterator[tuple[int, Decimal]]:
    """When money was seen, and how much."""
    for transaction in invoice.get("transactions") or []:
        when, amount = _iso(str(transaction.get("receivedTime"))), Decimal(transaction.get("amount") or 0)
        if when is not None and amount > 0:
            yield when, amount


def _iso(stamp: str) -> int | None:
    try:
        return int(datetime.fromisoformat(stamp).timestamp())
    except (ValueError, OverflowError):
        return None


# --- calls -----------------------------------------------------------------------------------------------------------


def connect(settings: Settings) -> "BitPay":
    own = LIVE_URL if settings.livemode else TEST_URL
    url = settings.optional("BITPAY_URL", own)
    if url.rstrip("/") != own and (settings.livemode or settings.is_prod):
        raise NotConfigured(f"BITPAY_URL is for stand-ins: a stack that sells for real money asks {LIVE_URL} alone")
    return BitPay(
        url=url,
        token=settings.secrets("BITPAY_API_KEY")[0],
        merchant_token=settings.optional_secret("BITPAY_MERCHANT_TOKEN"),
        merchant_key=settings.optional_secret("BITPAY_MERCHANT_KEY"),
        notification_url=f"{settings.public_url}/billing/webhook/bitpay",
        livemode=settings.livemode,
    )


class BitPay(PrepaidClient):
    """The pos facade opens and reads invoices; refunds and cancelling need the merchant facade's token and key."""

    NAME = NAME

    def __init__(
        self,
        *,
        url: str,
        token: str,
        merchant_token: str,
        merchant_key: str,
        notification_url: str,
        livemode: bool | None = None,
    ) -> None:
        self._rest = Rest("BitPay", url, {"X-Accept-Version": "2.0.0"}, _words, judge=_judge)
        self._token, self._merchant_token, self._merchant_key = token, merchant_token, merchant_key
        self._notification_url, self._live = notification_url, livemode

    @property
    def cannot_see(self) -> Sequence[str]:
        return () if self._merchant_key else ("refunds_until_complete",)

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
            find=lambda: self._opened_as(guid),
            look_first=order.repeated,
        )["data"]
        return Session(
            session_id=str(invoice["id"]),
            url=str(invoice["url"]),
            expires_at=int(invoice["expirationTime"]) // 1000,
            # Nothing can have come yet, and nothing can have gone back.
            facts=self._facts(invoice, _now(invoice)),
        )

    def _opened_as(self, guid: str) -> Any:
        """What an answer that was lost has made. A look-up that is refused finds nothing: it is not in the way."""
        try:
            return self._rest.read(f"/invoices/guid/{guid}?{urlencode({'token': self._token})}", missing_ok=True)
        except ProviderUnavailable:
            raise
        except ProviderError:
            return None

    def expire_checkout(self, session_id: str) -> None:
        """Cancels an invoice nobody has paid into. Without the merchant facade, and where BitPay will not cancel it
        because it may be being paid, it runs out by itself in 15 minutes."""
        if not self._merchant_key:
            return
        if self._read(session_id).get("status") == "new":
            path = f"/invoices/{quote(session_id)}?{urlencode({'token': self._merchant_token})}"
            try:
                self._rest.change("DELETE", path, b"", self._sign())
            except ProviderError as refused:
                if _error(refused.extensions.get("provider_code")) not in _NOT_TO_CANCEL:
                    raise

    def read(self, ref: Ref, now: int) -> Sequence[Fact]:
        """An invoice with its refunds, or one refund (invoice/refund). Dated by when we asked."""
        invoice_id, _, refund_id = ref.id.partition("/")
        invoice = self._find(invoice_id)
        if invoice is None:
            return ()
        if not refund_id:
            return (*self._facts(invoice, now), *self._refunds_if_told(invoice, now))
        if self._merchant_key:
            return tuple(self._refunds(invoice, now))
        return _refund_info(invoice, "succeeded" if refund_id == "complete" else "pending", now)

    def _find(self, invoice_id: str) -> dict[str, Any] | None:
        path = f"/invoices/{quote(invoice_id)}?{urlencode({'token': self._token})}"
        answer = self._rest.read(path, missing_ok=True)
        if answer is None:
            return None
        invoice: dict[str, Any] = answer["data"]
        if invoice.get("id") != invoice_id:
            raise ProviderError(f"BitPay answered with invoice {invoice.get('id')} in place of {invoice_id}")
        if self._live is not None and _livemode(invoice.get("url")) not in (None, self._live):
            mode = "test" if self._live else "live"
            raise ProviderError(f"BitPay invoice {invoice_id} is of {mode} mode, and this stack of the other one")
        return invoice

    def _read(self, invoice_id: str) -> dict[str, Any]:
        invoice = self._find(invoice_id)
        if invoice is None:
            raise ProviderError(f"BitPay has no invoice {invoice_id}")
        return invoice

    def _facts(self, invoice: Mapping[str, Any], now: int) -> tuple[Fact, ...]:
        seen = _seen(invoice, sees_refunds=bool(self._merchant_key))
        return facts_of(NAME, str(invoice["id"]), _metadata(invoice), seen, now)

    def _refunds_if_told(self, invoice: Mapping[str, Any], now: int) -> tuple[Fact, ...]:
        """What cannot be read now hides no purchase: it is looked for again when the invoice is."""
        if not self._merchant_key:
            return _refund_info(invoice, "pending", now)
        try:
            return tuple(self._refunds(invoice, now))
        except ProviderError:
            return ()

    def _refunds(self, invoice: Mapping[str, Any], now: int) -> Iterator[RefundFact]:
        query = urlencode({"token": self._merchant_token, "invoiceId": invoice["id"]})
        answer = self._rest.read(f"/refunds?{query}", missing_ok=True, sign=self._sign())
        listed = answer.get("data") if isinstance(answer, dict) else answer
        for refund in listed or []:
            yield _refund_fact(refund, str(invoice["currency"]), now)

    def refund(
        self, payment_ref: str, amount_cents: int | None, currency: str, *, reason: str, key: str
    ) -> RefundParts:
        """BitPay mails the buyer a link to claim it. Before the invoice is complete only the whole can go back."""
        sign = self._sign()
        invoice = self._read(payment_ref)
        cents = _seen(invoice, sees_refunds=True).amount_cents if amount_cents is None else amount_cents
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
        return RefundParts(facts=(_refund_fact(refund, currency, _now(invoice)),))

    def refund_url(self, refund_id: str) -> str | None:
        """None: BitPay writes to the buyer itself."""
        return None

    def receipt_url(self, payment_id: str) -> str | None:
        return self._rest.url(f"/invoice?{urlencode({'id': payment_id})}")

    def invoice(self, purchase_id: str, now: int) -> CryptoInvoice:
        invoice = self._read(purchase_id)
        seen, server_time = _seen(invoice, sees_refunds=True), _now(invoice)
        asked = int((invoice.get("paymentTotals") or {}).get("BTC", 0))
        paid = int(invoice.get("amountPaid") or 0) if invoice.get("transactionCurrency") in (None, "BTC") else 0
        payable = seen.state in ("pending", "underpaid") and seen.expires_at > server_time
        codes = (invoice.get("paymentCodes") or {}).get("BTC") or {}
        return CryptoInvoice(
            purchase_id=purchase_id,
            state=seen.state,
            amount_cents=seen.amount_cents,
            received_cents=seen.received_cents,
            due_cents=seen.amount_cents if seen.state == "pending" else seen.due_cents,
            surplus_cents=max(0, seen.received_cents - seen.amount_cents),
            currency=seen.currency,
            amount_btc=btc(asked) if asked else None,
            due_btc=btc(max(0, asked - paid)) if asked and payable else None,
            # BitPay takes payments by its own payment protocol: the wallet fetches the address from the URI's `r`.
            address=None,
            bip21=codes.get("BIP72b") if payable else None,
            lightning=None,
            created_at=seen.created_at,
            expires_at=seen.expires_at,
            server_time=server_time,
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


def _metadata(invoice: Mapping[str, Any]) -> object:
    try:
        return json.loads(invoice.get("posData") or "{}")
    except (ValueError, TypeError):
        return None


def _refund_fact(refund: Mapping[str, Any], price_currency: str, now: int) -> RefundFact:
    currency = str(refund.get("currency") or price_currency)
    amount = Decimal(str(refund["amount"]))
    cents = minor_nearest(amount, currency)
    by_itself = refund.get("type") in _BY_ITSELF
    return RefundFact(
        provider=NAME,
        observed_at=now,
        refund_id=str(refund["id"]),
        payment_ref=str(refund["invoice"]),
        amount_cents=cents,
        currency=currency,
        status=_REFUND_STATES.get(str(refund.get("status")), "failed"),
        reason=SURPLUS if by_itself else str(refund["reference"]) if refund.get("reference") else None,
        request_id=str(refund["guid"]).replace("-", "") if refund.get("guid") else None,
        told=told_unless_exact(amount, currency, cents, currency),
    )


def _refund_info(invoice: Mapping[str, Any], status: RefundStatus, now: int) -> tuple[RefundFact, ...]:
    """What an invoice itself says of its refund: that there is one, and of how much."""
    info, currency = invoice.get("refundInfo"), str(invoice["currency"])
    amounts = info.get("amounts") if isinstance(info, dict) else None
    pairs = amounts.items() if isinstance(amounts, dict) else [pair for a in amounts or [] for pair in a.items()]
    told = next((Decimal(str(amount)) for name, amount in pairs if name == currency), None)
    if told is None or not isinstance(info, dict) or _paid_and_asked(invoice)[0] <= 0:
        return ()
    cents = minor_nearest(told, currency)
    return (
        RefundFact(
            provider=NAME,
            observed_at=now,
            refund_id=str(info.get("supportRequest") or f"{invoice['id']}:refund"),
            payment_ref=str(invoice["id"]),
            amount_cents=cents,
            currency=currency,
            status=status,
            told=told_unless_exact(told, currency, cents, currency),
        ),
    )


def _with_number(name: str, number: Decimal, document: Mapping[str, object]) -> bytes:
    """JSON whose first member is an exact number: the encoder would only take it as a float."""
    return f'{{"{name}":{number:f},'.encode() + encode(document)[1:]


def _error(code: object) -> str:
    return code[-4:] if isinstance(code, str) and len(code) == 6 and code.isdigit() else ""


def _judge(status: int, answer: Any) -> Verdict:
    """By the body: the same error may come with any status, 200 and 500 among them."""
    if not isinstance(answer, dict) or not next(_words(answer), ""):
        return "refused" if status in (401, 403) else by_status(status, answer)
    code = _error(answer.get("code"))
    if code in _NO_SUCH or (not code and status == 404):
        return "missing"
    if code == _SERVER_FAULT or (not code and not _is_ours(answer)):
        return "down" if status >= 500 or status == 429 else "refused"
    return "down" if status == 429 else "refused"


def _is_ours(answer: Mapping[str, Any]) -> bool:
    """Whether an error without a code is about our token or signature: BitPay has no code for those, only words."""
    said = " ".join(_spoken(answer)).lower()
    return any(word in said for word in ("token", "signature", "unauthorized", "facade"))


def _words(answer: Any) -> Iterator[str]:
    """What went wrong, and which setting to look at."""
    spoken = list(_spoken(answer))
    yield from spoken
    if spoken and _is_ours(answer):
        yield "look at BITPAY_API_KEY, or at BITPAY_MERCHANT_TOKEN and BITPAY_MERCHANT_KEY"


def _spoken(answer: Any) -> Iterator[str]:
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
