"""Rollout: flags that are on for a share of the users and for a list of them, evaluated by each client alone.

A user's place on the scale of 0 to 99 follows from the salt, the flag and the user id, so it never changes while the
percentage grows, and different flags reach different users first. The TypeScript package computes the same.
"""

import re
from collections.abc import Mapping

from billing.data import dataclass, field, replace
from billing.errors import InvalidRequest, invalid_field

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Flag:
    """On for `percent` of the users (0 to 100), and for the user ids in `allow` whatever the percentage."""

    percent: int = 0
    allow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 100:
            raise InvalidRequest("a percentage is between 0 and 100")

    def to_json(self) -> dict[str, object]:
        return {"percent": self.percent, "allow": list(self.allow)}


@dataclass(frozen=True, slots=True)
class Flags:
    """All flags. One that is not listed is off: a new installation changes nothing at its host."""

    version: int = 0
    salt: str = ""
    flags: Mapping[str, Flag] = field(default_factory=dict)

    def is_on(self, name: str, user_id: str) -> bool:
        flag = self.flags.get(name)
        return flag is not None and (user_id in flag.allow or place(self.salt, name, user_id) < flag.percent)

    def with_flag(self, name: str, flag: Flag) -> "Flags":
        """These flags with one of them set, as the next version."""
        if not _NAME.fullmatch(name):
            message = "lower-case letters, digits, dots, dashes and underscores; at most 64"
            raise invalid_field("name", message, "the name of the flag is not valid")
        return replace(self, version=self.version + 1, flags={**self.flags, name: flag})

    def to_json(self) -> dict[str, object]:
        return {
            "version": self.version,
            "salt": self.salt,
            "flags": {name: flag.to_json() for name, flag in self.flags.items()},
        }


def place(salt: str, flag: str, user_id: str) -> int:
    """0 to 99, evenly spread: FNV-1a of "salt:flag:user" with a final mix, because it must be synchronous in pages."""
    mixed = 0x811C9DC5
    for byte in f"{salt}:{flag}:{user_id}".encode():
        mixed = (mixed ^ byte) * 0x01000193 & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return (mixed ^ mixed >> 16) % 100
