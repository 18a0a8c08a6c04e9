"""BitPay's webhooks: verify, reduce to ids and states, and say which objects to read."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from billing.errors import BadWebhook
from billing.providers.interface import Notification
from billing.providers.prepaid import (
    matching_secret,
    parse,
    text,
)
from billing.rules.facts import Ref, Translation

NAME = "bitpay"


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: int) -> str:
    """`x-signature` is the base64 HMAC-SHA256 of the body, keyed with the API token that created the object."""
    signature = headers.get("x-signature", "")
    if not signature:
        raise BadWebhook("x-signature is missing")
    return matching_secret(
        secrets, signature, lambda key: base64.b64encode(hmac.digest(key, body, hashlib.sha256)).decode()
    )


def minimise(body: bytes) -> Notification:
    """Accepts {"event": …, "data": …} and the bare object. The event id is made of the object's id and new state."""
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
        livemode=livemode_of(data.get("url")),
        payload={"id": object_id, "invoice": invoice, "status": status, "exception": exception or None},
    )


def _notified_at(event: object, data: Mapping[str, Any]) -> int:
    stamp = event.get("timestamp") if isinstance(event, dict) else None
    milliseconds = data.get("currentTime", 0)
    if isinstance(stamp, str):
        return seconds_of(stamp) or 0
    return int(milliseconds) // 1000 if isinstance(milliseconds, int) else 0


def livemode_of(url: object) -> bool | None:
    try:
        host = urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:  # not a URL
        host = None
    return {"bitpay.com": True, "test.bitpay.com": False}.get(host or "")


def translate(notification: Notification) -> Translation:
    """Refunds have their own notifications only with the merchant facade; otherwise the invoice reports them."""
    invoice = str(notification.payload.get("invoice") or "")
    if not invoice:
        return Translation(reason="names no invoice")
    purchase = Ref("purchase", invoice)
    if notification.type.startswith("refund"):
        return Translation(rereads=(purchase, Ref("payment", f"{invoice}/{notification.payload.get('id')}")))
    if notification.type == "invoice_refundComplete":
        return Translation(rereads=(purchase, Ref("payment", f"{invoice}/complete")))
    return Translation(rereads=(purchase,))


def seconds_of(stamp: str) -> int | None:
    try:
        return int(datetime.fromisoformat(stamp).timestamp())
    except (ValueError, OverflowError):
        return None
