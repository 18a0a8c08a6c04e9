"""Events of Nostr (NIP-01): their ids, signing, and reading those of others, who are not to be trusted."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from billing.data import dataclass
from billing.nostr.keys import Key, is_hex, verified

Tags = Sequence[Sequence[str]]

_MOST_TAGS = 2000


class BadEvent(ValueError):
    """Not a well-formed event, or its id or signature is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A signed event; whose `id` and `sig` were not looked at before `check`."""

    id: str
    pubkey: str
    created_at: int
    kind: int
    tags: list[list[str]]
    content: str
    sig: str

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def values(self, tag: str) -> list[str]:
        """The first value of each tag of this name."""
        return [one[1] for one in self.tags if len(one) > 1 and one[0] == tag]

    def check(self) -> "Event":
        """Itself, when the author signed exactly this. Raises `BadEvent`."""
        digest = digest_of(self.pubkey, self.created_at, self.kind, self.tags, self.content)
        if digest.hex() != self.id or not verified(self.pubkey, digest, self.sig):
            raise BadEvent("the signature does not match the event")
        return self


def digest_of(pubkey: str, created_at: int, kind: int, tags: Tags, content: str) -> bytes:
    """The hash that is an event's id. Raises `BadEvent` for half a surrogate pair, which no UTF-8 can hold."""
    text = json.dumps([0, pubkey, created_at, kind, tags, content], separators=(",", ":"), ensure_ascii=False)
    try:
        return hashlib.sha256(text.encode()).digest()
    except UnicodeEncodeError:
        raise BadEvent("not text that can be written as UTF-8") from None


def signed(key: Key, kind: int, content: str, tags: Tags, created_at: int) -> Event:
    digest = digest_of(key.public, created_at, kind, tags, content)
    return Event(
        id=digest.hex(),
        pubkey=key.public,
        created_at=created_at,
        kind=kind,
        tags=[list(tag) for tag in tags],
        content=content,
        sig=key.sign(digest),
    )


def read(parsed: Any) -> Event:
    """An event out of decoded JSON, checked for its shape and its signature. Raises `BadEvent`."""
    well_formed = (
        isinstance(parsed, dict)
        and all(is_hex(parsed.get(name), chars) for name, chars in (("id", 64), ("pubkey", 64), ("sig", 128)))
        and all(type(parsed.get(name)) is int and 0 <= parsed[name] < 2**53 for name in ("created_at", "kind"))
        and isinstance(parsed.get("content"), str)
        and isinstance(parsed.get("tags"), list)
        and len(parsed["tags"]) <= _MOST_TAGS
        and all(isinstance(tag, list) and all(isinstance(part, str) for part in tag) for tag in parsed["tags"])
    )
    if not well_formed:
        raise BadEvent("not a Nostr event")
    return Event(**{name: parsed[name] for name in Event.__dataclass_fields__}).check()
