"""A direct message that nobody else can read, date or tie to its sender (NIP-17, NIP-59).

Three layers: the message, which nobody signed; the seal around it, signed by the sender and readable by the recipient
alone; the wrap around that, under a key that is used once. Only the message has its true time.
"""

import hmac
import json

from billing.nostr.encryption import conversation_key, encrypt_with
from billing.nostr.events import Event, digest_of, signed
from billing.nostr.keys import Key

MESSAGE, SEAL, WRAP = 14, 13, 1059
# How far back seal and wrap are dated, at random.
_SPREAD = 2 * 86_400


def wrapped(
    text: str,
    sender: Key,
    recipient: str,
    now: int,
    *,
    seed: bytes,
    expires_at: int | None = None,
    dated: int | None = None,
) -> tuple[Event, Key]:
    """The event to publish, and the key that signed it. There is no copy for ourselves, so nothing is kept to read
    later.

    The same input makes the same event, so that what may have arrived can be sent again and is one message. `seed`:
    random, for this message alone; who has it and the sender's key can open the wrap. After `expires_at` relays may
    forget it. `dated`: what seal and wrap are dated, for relays that refuse old events; None: up to two days back.
    """
    tags = [["p", recipient]]
    message = json.dumps(
        {
            "id": digest_of(sender.public, now, MESSAGE, tags, text).hex(),
            "pubkey": sender.public,
            "created_at": now,
            "kind": MESSAGE,
            "tags": tags,
            "content": text,
        }
    )

    # True or False for the two dates that there were first: what an earlier version began is the same event still.
    date = dated is None if dated in (None, now) else dated

    def drawn(what: str) -> bytes:
        """32 bytes that nobody else can know, others for another message: a nonce must never be used twice."""
        secret = hmac.digest(bytes.fromhex(sender.secret), seed, "sha256")
        return hmac.digest(secret, f"{what}|{recipient}|{date}|{expires_at}|{message}".encode(), "sha256")

    def when(what: str) -> int:
        return now - int.from_bytes(drawn(what)[:8], "big") % _SPREAD if dated is None else dated

    content = encrypt_with(message, conversation_key(sender, recipient), drawn("seal"))
    seal = signed(sender, SEAL, content, [], when("sealed at"))
    # The seal's signature must be deterministic, because the wrap's id covers it.
    sealed = json.dumps({**seal.as_json(), "sig": sender.sign(bytes.fromhex(seal.id), again=True)})
    once = Key(drawn("key"))
    content = encrypt_with(sealed, conversation_key(once, recipient), drawn("wrap"))
    expiry = [] if expires_at is None else [["expiration", str(expires_at)]]
    return signed(once, WRAP, content, [["p", recipient], *expiry], when("wrapped at")), once
