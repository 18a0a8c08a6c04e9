"""Signatures of webhooks to hosts (Standard Webhooks specification 1.0.0), and their secrets."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence

# How far a receiver lets the time of a try be from its own clock, both ways.
TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"


def secret_of(key: str, endpoint_id: str, generation: str) -> str:
    """An endpoint's secret of one generation. It follows from the stack's own key, so no table holds it."""
    digest = hmac.digest(key.encode(), f"endpoint|{endpoint_id}|{generation}".encode(), "sha256")
    return _PREFIX + base64.b64encode(digest).decode()


def headers_of(secrets: Sequence[str], event_id: str, body: bytes, at: int) -> dict[str, str]:
    """The three headers of a try at `at`, signed with each secret, the newest first."""
    signatures = " ".join(f"v1,{base64.b64encode(_mac(secret, event_id, at, body)).decode()}" for secret in secrets)
    return {"webhook-id": event_id, "webhook-timestamp": str(at), "webhook-signature": signatures}


def is_genuine(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether one of the secrets signed this body, not long ago. Names of headers in lower case."""
    event_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not event_id or not re.fullmatch(r"[0-9]{1,12}", at) or abs(now - int(at)) > TOLERANCE_SECONDS:
        return False
    signatures = [part[3:] for part in headers.get("webhook-signature", "").split() if part.startswith("v1,")]
    expected = [_mac(secret, event_id, int(at), body) for secret in secrets]
    return any(hmac.compare_digest(_decoded(text), mac) for text in signatures for mac in expected)


def _mac(secret: str, event_id: str, at: int, body: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    return hmac.digest(key, f"{event_id}.{at}.".encode() + body, "sha256")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
