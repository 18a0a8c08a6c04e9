"""Signatures of the form `t=<unix>,v1=<hex>[,v1=<hex>…]`: an HMAC-SHA256 over "<t>.<raw body>"."""

import hashlib
import hmac
import re
from collections.abc import Sequence

from billing.errors import BadWebhook, NotConfigured

# Seconds a signed timestamp may lie in the past or in the future.
TOLERANCE = 300


def verify_timestamped(body: bytes, header: str, secrets: Sequence[str], now: int) -> str:
    """The label ("1", "2", …) of the secret that signed exactly these bytes within the last five minutes.

    A header has several v1 signatures while a secret is rotated; other schemes are ignored.
    """
    if not secrets or not all(secrets):
        raise NotConfigured("no webhook secret")
    timestamp, signatures = _parts(header)
    if abs(now - timestamp) > TOLERANCE:
        raise BadWebhook("the signature's timestamp is outside the tolerance", reason="stale_signature")
    signed = b"%d." % timestamp + body
    matched = [
        label
        for label, secret in enumerate(secrets, start=1)
        for signature in signatures
        if hmac.compare_digest(hmac.digest(secret.encode(), signed, "sha256").hex().encode(), signature)
    ]
    if not matched:
        raise BadWebhook("no signature matches", reason="bad_signature")
    return str(matched[0])


def sign_timestamped(body: bytes, secret: str, now: int) -> str:
    """The header value for a body, as the stand-ins and tests send it."""
    signature = hmac.new(secret.encode(), b"%d." % now + body, hashlib.sha256).hexdigest()
    return f"t={now},v1={signature}"


def _parts(header: str) -> tuple[int, list[bytes]]:
    if not header.isascii():
        raise BadWebhook("the signature header is not ASCII", reason="bad_signature_header")
    pairs = [part.strip().partition("=") for part in header.split(",")]
    timestamps = [value for name, _, value in pairs if name == "t"]
    signatures = [value.encode() for name, _, value in pairs if name == "v1" and value]
    # Digits only: int() would accept "17_95", "+17" or " 17".
    if len(timestamps) != 1 or not re.fullmatch(r"[1-9][0-9]{0,11}", timestamps[0]) or not signatures:
        raise BadWebhook("the signature header is malformed", reason="bad_signature_header")
    return int(timestamps[0]), signatures
