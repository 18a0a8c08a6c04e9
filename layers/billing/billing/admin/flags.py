"""Rollout flags as admins and operators change them: one at a time, at the version they saw, and in the audit log."""

import secrets

from billing.data import replace
from billing.errors import Conflict
from billing.rules.history import By
from billing.rules.rollout import Flag, Flags
from billing.store.audit import AuditLog
from billing.store.dynamodb import LostRace
from billing.store.flags import FlagStore


class AdminFlags:
    def __init__(self, flags: FlagStore, audit: AuditLog) -> None:
        self._flags = flags
        self._audit = audit

    def list(self) -> Flags:
        return self._flags.read(fresh=True)

    def set(self, name: str, flag: Flag, *, admin: str, now: int, version: int | None = None) -> Flags:
        """Sets one flag and returns all; one that is so already stays untouched.

        `version`: what the admin was looking at, None for whatever is in force. Raises `Conflict` with the newest
        flags when somebody else came first.
        """
        before = self.list()
        if version not in (None, before.version):
            raise _conflict(before)
        if before.flags.get(name) == flag:
            return before
        after = replace(before.with_flag(name, flag), salt=before.salt or secrets.token_hex(8))
        was = before.flags.get(name)
        note = self._audit.entry(
            By(actor=admin, action="set_flag", subject=name),
            now,
            before=was.to_json() if was else None,
            after=flag.to_json(),
        )
        try:
            self._flags.replace(before, after, note)
        except LostRace as race:
            raise _conflict(self.list()) from race
        return after


def _conflict(newest: Flags) -> Conflict:
    return Conflict(
        f"the flags were changed meanwhile, version {newest.version} is the newest: look at them again",
        code="version_conflict",
        newest=newest.to_json(),
    )
