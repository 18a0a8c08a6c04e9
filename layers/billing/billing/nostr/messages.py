"""Sending a direct message to somebody's inbox, which is where they say that it is, and nowhere else (NIP-17)."""

import json
from collections.abc import Sequence
from typing import Literal

from billing import deadline
from billing.data import dataclass
from billing.nostr.events import signed
from billing.nostr.gift_wrap import wrapped
from billing.nostr.keys import Key, is_public
from billing.nostr.relay import relay_url
from billing.nostr.relays import MOST, Delivered, Relays

_PROFILE, _INBOX = 0, 10050
_LOOK_SECONDS = 10.0
_SEND_SECONDS = 15.0
# Where people's lists of inbox relays are collected.
INDEXES = ("wss://purplepag.es", "wss://relay.damus.io", "wss://relay.primal.net")

# `no_inbox`: they name no relays for messages that we can reach. `not_looked`: it could not be found out; try again.
# `refused`: no relay of theirs takes it. `unreachable`: none answered; it may have arrived where `unsure`.
Outcome = Literal["sent", "no_inbox", "not_looked", "refused", "unreachable", "unsure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Somebody's relays for messages. `known` False: it could not be found out."""

    known: bool
    relays: tuple[str, ...] = ()


def inbox_of(recipient: str, relays: Relays, indexes: Sequence[str] = INDEXES) -> Inbox:
    """`recipient`: a public key in hex. `indexes`: where to look, such as the relay that they named."""
    wanted = {"kinds": [_INBOX], "authors": [recipient], "limit": 1}
    found = relays.fetch(indexes, wanted, deadline.left(_LOOK_SECONDS))
    found.events = [event for event in found.events if (event.kind, event.pubkey) == (_INBOX, recipient)]
    if found.newest is None:
        return Inbox(known=bool(found.answered))
    named = (relay_url(text, local=relays.reach.local) for text in found.newest.values("relay"))
    return Inbox(known=True, relays=tuple(dict.fromkeys(url for url in named if url))[:MOST])


def send_reminder(
    recipient: str,
    text: str,
    service: Key,
    relays: Relays,
    *,
    indexes: Sequence[str] = INDEXES,
    expires_at: int | None = None,
) -> Outcome:
    """Sends one message from the service's key. `text` proves who sent it to whoever the recipient shows it to.

    Sent twice it is two messages: whoever calls keeps which reminder was sent. Raises `ValueError` for what is no key.
    """
    if not is_public(recipient):
        raise ValueError("not a public key")
    inbox = inbox_of(recipient, relays, indexes)
    if not inbox.relays:
        return "no_inbox" if inbox.known else "not_looked"
    outcome: Outcome = "unreachable"
    for backdated in (True, False):  # some relays refuse what is of days ago
        event, once = wrapped(text, service, recipient, int(relays.clock()), expires_at=expires_at, backdated=backdated)
        # A relay that asks who we are is told the key that is used once: ours would tie the recipient to this service.
        delivered = relays.publish(inbox.relays, event, deadline.left(_SEND_SECONDS), once)
        outcome = _outcome(delivered)
        if outcome != "refused":
            return outcome
    return outcome


def introduce(service: Key, name: str, about: str, relays: Relays, at: Sequence[str] = INDEXES) -> bool:
    """Publishes who the service is, so that its messages are not from a stranger. Whether a relay took it."""
    now = int(relays.clock())
    profile = signed(service, _PROFILE, json.dumps({"name": name, "about": about}), [], now)
    return bool(relays.publish(at, profile, deadline.left(_SEND_SECONDS), service).taken)


def _outcome(delivered: Delivered) -> Outcome:
    if delivered.taken:
        return "sent"
    if delivered.unsure:
        return "unsure"
    refusals = set(delivered.troubles.values()) - {"unreachable"}
    return "refused" if refusals else "unreachable"
