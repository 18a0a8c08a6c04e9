"""Nostr sign-in: an HTTP request signed as NIP-98 asks (event kind 27235, BIP-340 Schnorr signature).

It proves that the caller holds a key, here and now, for this very call. Whether the same proof was shown before is
the caller's to ask: `Proof.event_id` is unique per signature.
"""

import base64
import hashlib
import json
from typing import Any

from coincurve import PublicKeyXOnly

from billing.data import dataclass
from billing.errors import NotAuthenticated

KIND = 27235
# Seconds an event may be old, or ahead of our clock.
TOLERANCE = 60
# A proof can be shown again as long as its time is accepted: from 60 s ahead of our clock to 60 s behind it.
REPLAY_SECONDS = 2 * TOLERANCE
_SCHEME = "nostr "
_MAX_HEADER_CHARS = 4096
_MAX_TAGS = 16


@dataclass(frozen=True, slots=True)
class Proof:
    """Who signed (the x-only public key, lower-case hex), and the id that a replay would repeat."""

    public_key: str
    event_id: str


def verify(authorization: str, method: str, url: str, body: bytes, now: int) -> Proof:
    """Checks `Authorization: Nostr <base64 event>` against the call it came with. Raises `NotAuthenticated`.

    `url` is the canonical public address of the call: what stands between a caller and us may rewrite the host.
    `body` are the raw bytes: a signed hash covers them, and is required when there are any.
    """
    event = _event(authorization)
    if event["kind"] != KIND:
        raise NotAuthenticated(f"the signed event must be of kind {KIND}")
    if abs(now - event["created_at"]) > TOLERANCE:
        raise NotAuthenticated(f"the signed event is more than {TOLERANCE} seconds off our clock")
    if _tag(event, "u") != url:
        raise NotAuthenticated("the event was signed for another address", expected=url)
    if _tag(event, "method").upper() != method.upper():
        raise NotAuthenticated("the event was signed for another method")
    if body and _tag(event, "payload").lower() != hashlib.sha256(body).hexdigest():
        raise NotAuthenticated("the event was signed for another body")
    _check_signature(event)
    return Proof(event["pubkey"], event["id"])


def event_id(event: dict[str, Any]) -> str:
    """The hash that is signed (NIP-01), in hex."""
    signed = [0, event["pubkey"], event["created_at"], event["kind"], event["tags"], event["content"]]
    text = json.dumps(signed, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _event(authorization: str) -> dict[str, Any]:
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise NotAuthenticated("sign in with an Authorization header of the form: Nostr <base64 event>")
    if len(authorization) > _MAX_HEADER_CHARS:
        raise NotAuthenticated("the signed event is too long")
    try:
        event = json.loads(base64.b64decode(authorization[len(_SCHEME) :].strip(), validate=True))
    except (ValueError, RecursionError) as error:
        raise NotAuthenticated("the signed event is not base64 of JSON") from error
    if not _well_formed(event):
        raise NotAuthenticated("the signed event is not a Nostr event")
    return event  # type: ignore[no-any-return]  # its shape was checked just now


def _well_formed(event: Any) -> bool:
    return (
        isinstance(event, dict)
        and type(event.get("kind")) is int
        and type(event.get("created_at")) is int
        and isinstance(event.get("content"), str)
        and all(_is_hex(event.get(name), length) for name, length in (("id", 64), ("pubkey", 64), ("sig", 128)))
        and isinstance(event.get("tags"), list)
        and len(event["tags"]) <= _MAX_TAGS
        and all(isinstance(tag, list) and all(isinstance(part, str) for part in tag) for tag in event["tags"])
    )


def _is_hex(text: object, length: int) -> bool:
    return isinstance(text, str) and len(text) == length and all(c in "0123456789abcdef" for c in text)


def _tag(event: dict[str, Any], name: str) -> str:
    """The value of a tag. Missing and repeated are the same: nobody could say which one was meant."""
    found = [tag[1] for tag in event["tags"] if len(tag) > 1 and tag[0] == name]
    if len(found) != 1:
        raise NotAuthenticated(f"the signed event must have one {name!r} tag")
    value: str = found[0]
    return value


def _check_signature(event: dict[str, Any]) -> None:
    signed = event_id(event)
    try:
        valid = PublicKeyXOnly(bytes.fromhex(event["pubkey"])).verify(
            bytes.fromhex(event["sig"]), bytes.fromhex(signed)
        )
    except ValueError:  # the public key is no point of the curve
        valid = False
    if not valid or signed != event["id"]:
        raise NotAuthenticated("the signature does not match the event")
