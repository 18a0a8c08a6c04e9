"""A direct message that nobody else can read, date or tie to its sender (NIP-17, NIP-59).

Three layers: the message, which nobody signed; the seal around it, signed by the sender and readable by the recipient
alone; the wrap around that, under a key that is used once. Only the message has its true time.
"""

import json
import secrets

from billing.nostr import encryption
from billing.nostr.events import Event, digest_of, signed
from billing.nostr.keys import Key

MESSAGE, SEAL, WRAP = 14, 13, 1059
# How far back seal and wrap are dated, at random.
_SPREAD = 2 * 86_400


def wrapped(
    text: str, sender: Key, recipient: str, now: int, *, expires_at: int | None = None, backdated: bool = True
) -> tuple[Event, Key]:
    """The event to publish, and the key that signed it. For no copy of our own: then nothing is kept to read later.

    After `expires_at` relays may forget it. `backdated` False: for relays that refuse what is of days ago.
    """
    tags = [["p", recipient]]
    message = {
        "id": digest_of(sender.public, now, MESSAGE, tags, text).hex(),
        "pubkey": sender.public,
        "created_at": now,
        "kind": MESSAGE,
        "tags": tags,
        "content": text,
    }
    when = (now - secrets.randbelow(_SPREAD) if backdated else now for _ in range(2))
    seal = signed(sender, SEAL, encryption.encrypt(json.dumps(message), sender, recipient), [], next(when))
    once = Key.new()
    content = encryption.encrypt(json.dumps(seal.as_json()), once, recipient)
    expiry = [] if expires_at is None else [["expiration", str(expires_at)]]
    return signed(once, WRAP, content, [["p", recipient], *expiry], next(when)), once
