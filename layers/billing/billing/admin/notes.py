"""Notes about a customer, for the next who helps them. Each says who wrote it and when, and is in the audit log."""

from collections.abc import Mapping
from typing import Any

from billing.errors import NotFound
from billing.rules.history import By
from billing.rules.times import rfc3339
from billing.store.accounts import AccountStore
from billing.store.audit import AuditLog
from billing.store.notes import Note, NoteStore


class Notes:
    def __init__(self, accounts: AccountStore, notes: NoteStore, audit: AuditLog) -> None:
        self._accounts = accounts
        self._notes = notes
        self._audit = audit

    def add(self, user_id: str, admin: str, now: int, text: str) -> Mapping[str, Any]:
        self._accounts.existing(user_id)
        note = self._notes.add(user_id, text, admin, now)
        # The words are not repeated in the log, which outlives the note and the customer.
        self._audit.note(By(actor=admin, action="add_note", subject=user_id), now, after={"note": note.note_id})
        return view(note)

    def remove(self, user_id: str, admin: str, now: int, note_id: str) -> None:
        if all(note.note_id != note_id for note in self._notes.of(user_id, now)):
            raise NotFound(f"this user has no note {note_id}")
        # Before it is gone: should the answer of its deletion be lost, nobody could tell any more.
        self._audit.note(By(actor=admin, action="remove_note", subject=user_id), now, {"note": note_id})
        self._notes.remove(user_id, note_id)


def view(note: Note) -> Mapping[str, Any]:
    return {
        "note_id": note.note_id,
        "text": note.text,
        "at": rfc3339(note.at),
        "author": note.author,
        "subscription_id": note.about,
        "kept_until": rfc3339(note.ttl),
    }
