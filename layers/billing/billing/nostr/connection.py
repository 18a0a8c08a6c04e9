"""A wallet's connection string (NIP-47): who the wallet is, where it listens, and the key that it lets pay.

The string is a bearer's secret: no error and no log line repeats any part of it.
"""

import re
from urllib.parse import parse_qsl, quote

from billing.data import dataclass, field
from billing.errors import InvalidRequest
from billing.nostr.keys import Key, is_public, pasted, plain
from billing.nostr.relay import relay_url
from billing.nostr.relays import MOST

_SCHEME = re.compile(r"nostr\+?walletconnect:(?://)?", re.IGNORECASE)
_LONGEST = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """`wallet` is the wallet's public key; `key` is ours for this wallet alone. Nothing else of the string is kept: a
    lightning address in it (`lud16`) would name the buyer."""

    wallet: str
    relays: tuple[str, ...]
    key: Key = field(repr=False)

    @classmethod
    def parse(cls, text: str, *, local: bool = False) -> "Connection":
        """Out of what was pasted or scanned. Raises `InvalidRequest`; its code says what is wrong."""
        text = pasted(text)
        scheme = _SCHEME.match(text)
        if scheme is None or len(text) > _LONGEST:
            raise InvalidRequest("this is no connection string of a wallet", code="wallet_connection_unreadable")
        named, _, query = text[scheme.end() :].partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        values = dict(pairs)
        wallet, secret = named.strip("/") or values.get("pubkey", ""), values.get("secret", "")
        relays = [value for name, value in pairs if name == "relay"]
        if not wallet or not secret or not relays:
            raise InvalidRequest(
                "the connection string lacks its wallet, its secret or its relay", code="wallet_connection_incomplete"
            )
        try:
            wallet, key = plain(wallet, "npub"), Key(bytes.fromhex(plain(secret, "nsec")))
        except ValueError:
            raise InvalidRequest(
                "a key of the connection string is damaged", code="wallet_connection_unreadable"
            ) from None
        if not is_public(wallet):
            raise InvalidRequest("a key of the connection string is damaged", code="wallet_connection_unreadable")
        usable = [url for url in (relay_url(relay.strip(), local=local) for relay in relays) if url]
        if not usable:
            raise InvalidRequest(
                "the wallet's relay cannot be used: it must be a wss:// address of the public internet",
                code="wallet_relay_refused",
            )
        return cls(wallet=wallet, relays=tuple(dict.fromkeys(usable))[:MOST], key=key)

    def text(self) -> str:
        """The whole as one string again, in one spelling: to be kept encrypted, and shown to nobody."""
        relays = "".join(f"relay={quote(url, safe='')}&" for url in self.relays)
        return f"nostr+walletconnect://{self.wallet}?{relays}secret={self.key.secret}"
