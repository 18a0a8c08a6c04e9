"""What is written about a customer: notes by the staff, and the customer's own comments on canceling.

They are items of the customer's collection, sorted after the records that decide access: an export includes them, an
erasure deletes them. Comments expire.
"""

import hashlib
import uuid
from collections.abc import Iterator
from typing import Any

from billing.aws import Aws
from billing.data import asdict, dataclass
from billing.rules.times import DAY
from billing.store.codec import item, values
from billing.store.dynamodb import beginning, conditional_write

# How long a comment is kept: long enough to be read and counted.
LEAVING_SECONDS = 180 * DAY
_NOTES = "~note#"
_READ = 100
# A provider's form may take longer comments than our own.
_LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """`author`: a staff member's user id; None: the customer, on canceling the subscription `about`."""

    note_id: str
    text: str
    at: int
    author: str | None = None
    about: str | None = None
    ttl: int | None = None


class NoteStore:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def add(self, user_id: str, text: str, author: str, now: int) -> Note:
        return self._put(user_id, Note(note_id=f"note_{uuid.uuid4().hex[:16]}", text=text, at=now, author=author))

    def add_comment(self, user_id: str, subscription_id: str, text: str, at: int, now: int) -> None:
        """The customer's comment on canceling at `at`. A repeat of it is the same note, and is not kept longer."""
        text = text[:_LONGEST]
        digest = hashlib.sha256(f"{subscription_id}\n{text}".encode()).hexdigest()[:16]
        ends = at + LEAVING_SECONDS
        if now >= ends:
            return
        note = Note(note_id=f"left_{digest}", text=text, at=at, about=subscription_id, ttl=ends)
        self._put(
            *(user_id, note),
            ConditionExpression="attribute_not_exists(#record) OR #at < :at",
            ExpressionAttributeNames={"#record": "record", "#at": "at"},
            ExpressionAttributeValues=item({":at": at}),
        )

    def of(self, user_id: str, now: int) -> list[Note]:
        """The newest first. What has ended is gone, although the table tidies up later."""
        return sorted((note for note in self._all(user_id) if now < (note.ttl or now + 1)), key=lambda n: -n.at)

    def remove(self, user_id: str, note_id: str) -> None:
        key = item({"user_id": user_id, "record": f"{_NOTES}{note_id}"})
        self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=key)

    def _put(self, user_id: str, note: Note, **condition: Any) -> Note:
        stored = {"user_id": user_id, "record": f"{_NOTES}{note.note_id}", **asdict(note)}
        conditional_write(self._aws, "put_item", TableName=self._table, Item=item(stored), **condition)
        return note

    def _all(self, user_id: str) -> Iterator[Note]:
        for stored in map(values, beginning(self._aws, self._table, user_id, _NOTES, Limit=_READ)):
            fields: dict[str, Any] = {name: stored.get(name) for name in Note.__dataclass_fields__}
            yield Note(**fields)
