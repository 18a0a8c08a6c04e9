"""BTCPay Server's webhooks: verify, reduce to ids and states, and say which objects to read."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from billing.errors import BadWebhook
from billing.providers.interface import Notification
from billing.providers.prepaid import (
    matching_secret,
    parse,
    text,
)
from billing.rules.facts import Ref, Translation

NAME = "btcpay"

# The allow-listed fields of an event: nothing about the buyer or the payment's destination.
_FIELDS = (
    *("type", "storeId", "invoiceId", "pullPaymentId", "payoutId", "payoutState"),
    *("afterExpiration", "overPaid", "partiallyPaid", "manuallyMarked"),
)


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: int) -> str:
    """`BTCPay-Sig: sha256=<hex>` is the HMAC of the body with the webhook's secret."""
    scheme, _, signature = headers.get("btcpay-sig", "").partition("=")
    if scheme != "sha256" or not signature:
        raise BadWebhook("BTCPay-Sig is missing or not of the form sha256=…")
    return matching_secret(secrets, signature, lambda key: hmac.digest(key, body, hashlib.sha256).hex())


def minimise(body: bytes) -> Notification:
    """Every attempt has its own deliveryId; the first one is the event id. Old servers misspell the field."""
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
        payload={k: document[k] for k in _FIELDS if isinstance(document.get(k), str | bool)},
    )


def translate(notification: Notification) -> Translation:
    payload = notification.payload
    invoice_id, refund, store = (str(payload.get(name, "")) for name in ("invoiceId", "pullPaymentId", "storeId"))
    if invoice_id.startswith("__test__"):
        return Translation(reason="a test delivery")
    if notification.type.startswith("Payout") and refund:
        return Translation(rereads=(Ref("payment", f"/{refund}", store),), reason="no refund of an invoice of ours")
    if not notification.type.startswith("Invoice") or not invoice_id:
        return Translation(reason=f"{notification.type} is not about an invoice")
    purchase = Ref("purchase", invoice_id, store)
    if refund:
        return Translation(rereads=(purchase, Ref("payment", f"{invoice_id}/{refund}", store)))
    return Translation(rereads=(purchase,), reason="an invoice of another store")
