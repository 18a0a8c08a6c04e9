"""Sending a direct message to a recipient's inbox: the relays that they name for it, and no others (NIP-17)."""

import json
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

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
# Relays that take recent events alone take what is so many seconds old.
_RECENT = 300
# Where people's lists of inbox relays are collected.
INDEXES = ("wss://purplepag.es", "wss://relay.damus.io", "wss://relay.primal.net")

# `no_inbox`: they name no relays for messages that we can reach. `not_looked`: no relay could tell; try again.
# `refused`: none of their relays takes it. `unreachable`: none answered. `unsure`: it may have arrived.
Outcome = Literal["sent", "no_inbox", "not_looked", "refused", "unreachable", "unsure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Somebody's relays for messages. `certain` False: no relay answered, so there may be some."""

    certain: bool
    relays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How sending a message ended. `relays`: the hosts that took it, else those of the inbox that were tried."""

    outcome: Outcome
    relays: tuple[str, ...] = ()


def inbox_of(recipient: str, relays: Relays, indexes: Sequence[str] = INDEXES) -> Inbox:
    """`recipient`: a public key in hex. `indexes`: where to look, such as the relay that they named."""
    wanted = {"kinds": [_INBOX], "authors": [recipient], "limit": 1}
    answers = relays.fetch(indexes, wanted, deadline.left(_LOOK_SECONDS))
    if answers.newest is None:
        return Inbox(certain=bool(answers.answered))
    named = (relay_url(text, local=relays.reach.local) for text in answers.newest.values("relay"))
    return Inbox(certain=True, relays=tuple(dict.fromkeys(url for url in named if url))[:MOST])


def send(
    recipient: str,
    text: str,
    service: Key,
    relays: Relays,
    *,
    at: int,
    seed: bytes,
    indexes: Sequence[str] = INDEXES,
    expires_at: int | None = None,
) -> Sent:
    """Sends one message from the service's key. `text` proves who sent it to whoever the recipient shows it to.

    Sent again with the same `at` and `seed` it is the same message, and no second one. Raises `ValueError` for what is
    no key.
    """
    if not is_public(recipient):
        raise ValueError("not a public key")
    inbox = inbox_of(recipient, relays, indexes)
    if not inbox.relays:
        return Sent(outcome="no_inbox" if inbox.certain else "not_looked")
    sent = Sent(outcome="unreachable")
    now = int(relays.clock())
    for dated in (None, at, now) if now > at + _RECENT else (None, at):  # some relays refuse what is not recent
        event, once = wrapped(text, service, recipient, at, seed=seed, expires_at=expires_at, dated=dated)
        # A relay that asks who we are is shown the key that is used once: ours would link the recipient to this
        # service.
        delivered = relays.publish(inbox.relays, event, deadline.left(_SEND_SECONDS), once)
        sent = Sent(outcome=_outcome(delivered), relays=_hosts(delivered.taken or inbox.relays))
        if sent.outcome != "refused":
            return sent
    return sent


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


def _hosts(urls: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(urlsplit(url).hostname or "" for url in urls))
