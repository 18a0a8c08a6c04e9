"""Nostr sign-in: an HTTP request signed according to NIP-98 (event kind 27235, BIP-340 Schnorr signature).

It proves that the caller holds a key and signed this call just now. The caller of `verify` must check for replays:
`Proof.event_id` is unique per signature.
"""

import base64
import hashlib
import json

from billing.data import dataclass
from billing.errors import NotAuthenticated
from billing.nostr.events import BadEvent, Event, read

KIND = 27235
# Seconds an event may be old, or ahead of our clock.
TOLERANCE = 60
# A proof could be replayed while its time is accepted: from 60 s ahead of our clock to 60 s behind it.
REPLAY_SECONDS = 2 * TOLERANCE
_SCHEME = "nostr "
_MAX_HEADER_CHARS = 4096
_MAX_TAGS = 16


@dataclass(frozen=True, slots=True)
class Proof:
    """The signer's x-only public key (lower-case hex), and the event id, by which a replay is detected."""

    public_key: str
    event_id: str


def verify(authorization: str, method: str, url: str, body: bytes, now: int) -> Proof:
    """Check `Authorization: Nostr <base64 event>` against its call. Raises `NotAuthenticated`.

    `url` is the canonical public address of the call, because proxies may rewrite the Host header. `body` is the raw
    body; unless it is empty, the event must have its hash.
    """
    event = _event(authorization)
    if event.kind != KIND:
        raise NotAuthenticated(f"the signed event must be of kind {KIND}")
    if abs(now - event.created_at) > TOLERANCE:
        raise NotAuthenticated(f"the signed event is more than {TOLERANCE} seconds off our clock")
    if _tag(event, "u") != url:
        raise NotAuthenticated("the event was signed for another address", expected=url)
    if _tag(event, "method").upper() != method.upper():
        raise NotAuthenticated("the event was signed for another method")
    if body and _tag(event, "payload").lower() != hashlib.sha256(body).hexdigest():
        raise NotAuthenticated("the event was signed for another body")
    return Proof(event.pubkey, event.id)


def _event(authorization: str) -> Event:
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise NotAuthenticated("sign in with an Authorization header of the form: Nostr <base64 event>")
    if len(authorization) > _MAX_HEADER_CHARS:
        raise NotAuthenticated("the signed event is too long")
    try:
        event = read(json.loads(base64.b64decode(authorization[len(_SCHEME) :].strip(), validate=True)))
    except BadEvent as error:
        raise NotAuthenticated(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise NotAuthenticated("the signed event is not base64 of JSON") from error
    if len(event.tags) > _MAX_TAGS:
        raise NotAuthenticated("the signed event has too many tags")
    return event


def _tag(event: Event, name: str) -> str:
    """The value of a tag, which must occur exactly once."""
    values = event.values(name)
    if len(values) != 1:
        raise NotAuthenticated(f"the signed event must have one {name!r} tag")
    return values[0]
