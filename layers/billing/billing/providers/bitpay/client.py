"""BitPay's API.

https://developer.bitpay.com/reference
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from billing.errors import NotConfigured, ProviderError, ProviderUnavailable
from billing.providers.bitpay.errors import NOT_TO_CANCEL, error_of, judge, words
from billing.providers.bitpay.invoices import (
    confirmed_in,
    metadata_in,
    refund_fact,
    refund_info,
    seen_in,
    transactions_in,
)
from billing.providers.bitpay.webhook import NAME, livemode_of
from billing.providers.interface import Check, CryptoInvoice, ObjectKind, Order, RefundParts, Session
from billing.providers.prepaid import (
    PrepaidClient,
    btc,
    facts_of,
    looked_for,
    metadata_of,
    reference,
)
from billing.providers.rest import Rest, Sign, encode
from billing.rules.facts import Fact, Ref, RefundFact
from billing.rules.money import to_decimal
from billing.settings import Settings

LIVE_URL = "https://bitpay.com"
TEST_URL = "https://test.bitpay.com"
# https://developer.bitpay.com/reference/create-an-invoice: `medium` counts a payment after one confirmation.
SPEED, CONFIRMATIONS = "medium", 1


def page_of(settings: Settings, kind: ObjectKind, object_id: str) -> str | None:
    """The payer's page of an invoice."""
    url = settings.optional("BITPAY_URL", LIVE_URL if settings.livemode else TEST_URL)
    return f"{url.rstrip('/')}/invoice?id={object_id}" if kind == "payment" else None


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
    """The pos facade opens and reads invoices; refunding and cancelling need the merchant facade's token and key."""

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
        self._rest = Rest("BitPay", url, {"X-Accept-Version": "2.0.0"}, words, judge=judge)
        self._token, self._merchant_token, self._merchant_key = token, merchant_token, merchant_key
        self._notification_url, self._live = notification_url, livemode

    @property
    def cannot_see(self) -> Sequence[str]:
        return () if self._merchant_key else ("refunds_until_complete",)

    def check(self) -> Iterator[Check]:
        """Try both tokens on read-only calls. Raises `ProviderUnavailable` when BitPay does not answer."""
        unused = _guid("doctor")
        try:
            self._rest.read(f"/invoices/guid/{unused}?{urlencode({'token': self._token})}", missing_ok=True)
            yield Check("ok", "pos token", "opens and reads invoices")
        except ProviderUnavailable:
            raise
        except ProviderError as refused:
            yield Check("fail", "pos token", refused.detail, "billing secrets put BITPAY_API_KEY")
        if not self._merchant_key:
            note = "none: no refund can be made here, and one in the dashboard is seen once it is complete"
            yield Check("warn", "merchant facade", note, "docs/bitcoin.md says how to pair a key")
            return
        try:
            query = urlencode({"token": self._merchant_token})
            self._rest.read(f"/refunds/guid/{unused}?{query}", missing_ok=True, sign=self._sign())
            yield Check("ok", "merchant facade", "refunds and their ends are seen")
        except ProviderUnavailable:
            raise
        except ProviderError as refused:
            note = "billing secrets put BITPAY_MERCHANT_TOKEN and BITPAY_MERCHANT_KEY"
            yield Check("fail", "merchant facade", refused.detail, note)

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
            "transactionSpeed": SPEED,
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
            facts=self._facts(invoice, _now(invoice)),  # a new invoice has no refunds to read
        )

    def _opened_as(self, guid: str) -> Any:
        """The invoice of an earlier request whose answer was lost. A refused look-up counts as none found."""
        try:
            return self._rest.read(f"/invoices/guid/{guid}?{urlencode({'token': self._token})}", missing_ok=True)
        except ProviderUnavailable:
            raise
        except ProviderError:
            return None

    def expire_checkout(self, session_id: str) -> None:
        """Cancel an unpaid invoice. Without the merchant facade, or if BitPay refuses because a payment may be under
        way, the invoice expires by itself after 15 minutes."""
        if not self._merchant_key:
            return
        if self._read(session_id).get("status") == "new":
            path = f"/invoices/{quote(session_id)}?{urlencode({'token': self._merchant_token})}"
            try:
                self._rest.change("DELETE", path, b"", self._sign())
            except ProviderError as refused:
                if error_of(refused.extensions.get("provider_code")) not in NOT_TO_CANCEL:
                    raise

    def read(self, ref: Ref, now: int) -> Sequence[Fact]:
        """An invoice with its refunds, or one refund (`<invoice>/<refund>`), dated `now`."""
        invoice_id, _, refund_id = ref.id.partition("/")
        invoice = self._find(invoice_id)
        if invoice is None:
            return ()
        if not refund_id:
            return (*self._facts(invoice, now), *self._refunds_if_readable(invoice, now))
        if self._merchant_key:
            return tuple(self._refunds(invoice, now))
        return refund_info(invoice, "succeeded" if refund_id == "complete" else "pending", now)

    def _find(self, invoice_id: str) -> dict[str, Any] | None:
        path = f"/invoices/{quote(invoice_id)}?{urlencode({'token': self._token})}"
        answer = self._rest.read(path, missing_ok=True)
        if answer is None:
            return None
        invoice: dict[str, Any] = answer["data"]
        if invoice.get("id") != invoice_id:
            raise ProviderError(f"BitPay answered with invoice {invoice.get('id')} in place of {invoice_id}")
        if self._live is not None and livemode_of(invoice.get("url")) not in (None, self._live):
            mode = "test" if self._live else "live"
            raise ProviderError(f"BitPay invoice {invoice_id} is of {mode} mode, and this stack of the other one")
        return invoice

    def _read(self, invoice_id: str) -> dict[str, Any]:
        invoice = self._find(invoice_id)
        if invoice is None:
            raise ProviderError(f"BitPay has no invoice {invoice_id}")
        return invoice

    def _facts(self, invoice: Mapping[str, Any], now: int) -> tuple[Fact, ...]:
        seen = seen_in(invoice, sees_refunds=bool(self._merchant_key))
        return facts_of(NAME, str(invoice["id"]), metadata_in(invoice), seen, now)

    def _refunds_if_readable(self, invoice: Mapping[str, Any], now: int) -> tuple[Fact, ...]:
        """An error while reading refunds must not hide the purchase: they are read again with the invoice."""
        if not self._merchant_key:
            return refund_info(invoice, "pending", now)
        try:
            return tuple(self._refunds(invoice, now))
        except ProviderError:
            return ()

    def _refunds(self, invoice: Mapping[str, Any], now: int) -> Iterator[RefundFact]:
        query = urlencode({"token": self._merchant_token, "invoiceId": invoice["id"]})
        answer = self._rest.read(f"/refunds?{query}", missing_ok=True, sign=self._sign())
        listed = answer.get("data") if isinstance(answer, dict) else answer
        for refund in listed or []:
            yield refund_fact(refund, str(invoice["currency"]), now)

    def refund(
        self, payment_ref: str, amount_cents: int | None, currency: str, *, reason: str, key: str
    ) -> RefundParts:
        """BitPay mails the buyer a claim link. Before an invoice is complete, only the full amount can be refunded."""
        sign = self._sign()
        invoice = self._read(payment_ref)
        cents = seen_in(invoice, sees_refunds=True).amount_cents if amount_cents is None else amount_cents
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
        return RefundParts(facts=(refund_fact(refund, currency, _now(invoice)),))

    def refund_url(self, refund_id: str) -> str | None:
        """None: BitPay mails the link to the buyer."""
        return None

    def receipt_url(self, payment_id: str) -> str | None:
        return self._rest.url(f"/invoice?{urlencode({'id': payment_id})}")

    def invoice(self, purchase_id: str, now: int) -> CryptoInvoice:
        invoice = self._read(purchase_id)
        seen, server_time = seen_in(invoice, sees_refunds=True), _now(invoice)
        price_sat = int((invoice.get("paymentTotals") or {}).get("BTC", 0))
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
            amount_btc=btc(price_sat) if price_sat else None,
            due_btc=btc(max(0, price_sat - paid)) if price_sat and payable else None,
            # BitPay uses a payment protocol: the wallet fetches the address from the URI's `r` parameter.
            address=None,
            bip21=codes.get("BIP72b") if payable else None,
            lightning=None,
            created_at=seen.created_at,
            expires_at=seen.expires_at,
            server_time=server_time,
            url=str(invoice["url"]),
            confirmations=CONFIRMATIONS,
            confirmed=confirmed_in(invoice),
            transactions=transactions_in(invoice),
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
    """A deterministic id, so that an object can be found by it after a lost answer."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, key))


def _now(invoice: Mapping[str, Any]) -> int:
    return int(invoice.get("currentTime") or invoice["invoiceTime"]) // 1000


def _with_number(name: str, number: Decimal, document: Mapping[str, object]) -> bytes:
    """JSON with an exact number as its first member: the encoder would need a float."""
    return f'{{"{name}":{number:f},'.encode() + encode(document)[1:]
