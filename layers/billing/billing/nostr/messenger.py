"""Sending direct messages: the service's own key, and the relays it uses."""

import hmac
import re
from collections.abc import Callable, Sequence

from billing.data import dataclass
from billing.errors import InvalidRequest, NotConfigured
from billing.nostr.keys import Key, is_public, pasted, plain
from billing.nostr.messages import INDEXES, Sent, send
from billing.nostr.relays import Relays
from billing.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Messenger:
    """`secret` gives the key's text, or "" where there is none: then nobody can be written to."""

    secret: Callable[[], str]
    relays: Relays
    indexes: Sequence[str] = INDEXES

    @classmethod
    def of(cls, settings: Settings) -> "Messenger":
        """From NOSTR_SERVICE_KEY and NOSTR_INDEXES."""
        named = [url.strip() for url in settings.optional("NOSTR_INDEXES").split(",") if url.strip()]
        secret = lambda: settings.optional_secret("NOSTR_SERVICE_KEY")  # noqa: E731
        return cls(secret=secret, relays=Relays.of(settings), indexes=named or INDEXES)

    @property
    def available(self) -> bool:
        return self.secret() != ""

    @property
    def key(self) -> Key:
        """Raises `NotConfigured` for what is no key; the error does not show the value."""
        try:
            return Key(bytes.fromhex(plain(self.secret(), "nsec")))
        except ValueError:
            raise NotConfigured("NOSTR_SERVICE_KEY holds no key: 64 hex digits, or nsec1…") from None

    def parse(self, text: str) -> str:
        """The public key that somebody typed, in hex. Raises `InvalidRequest`."""
        try:
            key = plain(re.sub("^nostr:", "", pasted(text), flags=re.IGNORECASE), "npub")
        except ValueError:
            key = ""
        if not is_public(key):
            fault = {"path": "key", "message": "a public key of Nostr: it begins with npub1"}
            raise InvalidRequest("this is no public key of Nostr", code="message_key_unreadable", errors=[fault])
        return key

    def name_of(self, recipient: str) -> str:
        """A name for a recipient that nobody without our key can compute, to count by."""
        return hmac.digest(bytes.fromhex(self.key.secret), f"recipient|{recipient}".encode(), "sha256").hex()[:32]

    def send(self, recipient: str, text: str, *, at: int, seed: bytes, expires_at: int) -> Sent:
        return send(
            recipient,
            text,
            self.key,
            self.relays,
            at=at,
            seed=seed,
            indexes=self.indexes,
            expires_at=expires_at,
        )
