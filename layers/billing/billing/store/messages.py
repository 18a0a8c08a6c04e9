"""Buyers who asked for reminders by direct message: their key, sealed, and what became of each reminder.

One item holds it all, behind the records that decide access: what removes it leaves nothing. Every write says which
state it follows, so that nobody undoes what another did, and reminders that were switched off stay off.
"""

import json
from collections.abc import Callable
from typing import Any

from billing.aws import Aws, AwsError
from billing.data import asdict, dataclass, replace
from billing.rules.reminders import ReminderSettings, Sending
from billing.rules.times import DAY
from billing.store.codec import item, place_of, shard
from billing.store.due import Due
from billing.store.dynamodb import CONFLICT, LostRace, conditional_write, read_item, retry

MESSAGES, CODE = "~messages", "~messages_asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A buyer who confirmed. `sealed`, `data_key`: the Nostr key that is written to. `revision` counts the changes."""

    id: str
    sealed: str
    data_key: str
    settings: ReminderSettings
    due_at: int
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCode:
    """A key that somebody named, and a code that was sent to it, both sealed; not confirmed. `tries`: codes typed."""

    id: str
    sealed: str
    data_key: str
    days: tuple[int, ...]
    language: str
    expires_at: int
    tries: int = 0


class MessageStore:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def find(self, user_id: str) -> Recipient | None:
        stored = self._get(user_id, MESSAGES)
        return None if stored is None else _from_values(stored)

    def put(self, user_id: str, recipient: Recipient) -> None:
        """Replaces the stored one."""
        self._aws.call("dynamodb", "put_item", TableName=self._table, Item=item(_written(user_id, recipient)))

    def change(self, user_id: str, id: str, decide: Callable[[Recipient], Recipient | None]) -> Recipient | None:
        """Writes what `decide` makes of the recipient as stored. Where it returns None, or there is none of this `id`
        any more, nothing is written, and the answer is None."""

        def write() -> Recipient | None:
            current = self.find(user_id)
            if current is None or current.id != id:
                return None
            decided = decide(current)
            if decided is None:
                return None
            new = replace(decided, revision=current.revision + 1)
            same = "wish_id = :wish AND revision = :revision"
            bound = item({":wish": id, ":revision": current.revision})
            put = {"TableName": self._table, "Item": item(_written(user_id, new))}
            try:
                self._aws.call("dynamodb", "put_item", **put, ConditionExpression=same, ExpressionAttributeValues=bound)
            except AwsError as error:
                if error.code in ("ConditionalCheckFailedException", CONFLICT):
                    raise LostRace(error.code) from error
                raise
            return new

        return retry(write)

    def due_at(self, due: Due) -> Recipient | None:
        """The recipient that the index named, if still due."""
        recipient = self.find(due.user_id)
        return recipient if recipient is not None and recipient.due_at == due.due_at else None

    def put_code(self, user_id: str, pending: PendingCode) -> None:
        written = {
            **_key(user_id, CODE),
            "wish_id": pending.id,
            "sealed": pending.sealed,
            "data_key": pending.data_key,
            "days": list(pending.days),
            "language": pending.language,
            "expires_at": pending.expires_at,
            "tries": pending.tries,
            "ttl": pending.expires_at + DAY,
        }
        self._aws.call("dynamodb", "put_item", TableName=self._table, Item=item(written))

    def pending_code(self, user_id: str, now: int) -> PendingCode | None:
        """None when there is none, or none any more: TTL deletes late, so the time is compared here."""
        stored = self._get(user_id, CODE)
        if stored is None or stored["expires_at"] <= now:
            return None
        return PendingCode(
            id=stored["wish_id"],
            sealed=stored["sealed"],
            data_key=stored["data_key"],
            days=tuple(json.loads(stored["days"])),
            language=stored["language"],
            expires_at=stored["expires_at"],
            tries=stored["tries"],
        )

    def count_try(self, user_id: str, pending: PendingCode, most: int) -> bool:
        """Counts a code that was typed, before it is looked at; False when there were too many, or it was replaced."""
        return conditional_write(
            self._aws,
            "update_item",
            TableName=self._table,
            Key=item(_key(user_id, CODE)),
            UpdateExpression="SET tries = tries + :one",
            ConditionExpression="wish_id = :wish AND tries < :most",
            ExpressionAttributeValues=item({":one": 1, ":wish": pending.id, ":most": most}),
        )

    def forget_code(self, user_id: str) -> None:
        self._delete(user_id, CODE)

    def remove(self, user_id: str) -> None:
        """The settings, the key and what became of each reminder."""
        self._delete(user_id, MESSAGES)
        self._delete(user_id, CODE)

    def _get(self, user_id: str, record: str) -> dict[str, Any] | None:
        return read_item(self._aws, self._table, item(_key(user_id, record)))

    def _delete(self, user_id: str, record: str) -> None:
        self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=item(_key(user_id, record)))


def _key(user_id: str, record: str) -> dict[str, object]:
    return {"user_id": user_id, "record": record}


def _written(user_id: str, recipient: Recipient) -> dict[str, object]:
    settings = recipient.settings
    sendings = {key: {n: v for n, v in asdict(one).items() if v is not None} for key, one in settings.sendings.items()}
    return {
        **_key(user_id, MESSAGES),
        "wish_id": recipient.id,
        "sealed": recipient.sealed,
        "data_key": recipient.data_key,
        "days": list(settings.days),
        "language": settings.language,
        "since": settings.since,
        "sendings": sendings,
        "revision": recipient.revision,
        "due_shard": shard("message", place_of(user_id)),
        "due_at": recipient.due_at,
    }


def _from_values(stored: dict[str, Any]) -> Recipient:
    sendings = stored["sendings" if "sendings" in stored else "told"]  # as it was called before
    return Recipient(
        id=stored["wish_id"],
        sealed=stored["sealed"],
        data_key=stored["data_key"],
        settings=ReminderSettings(
            days=tuple(json.loads(stored["days"])),
            language=stored["language"],
            since=stored["since"],
            sendings={key: Sending(**one) for key, one in json.loads(sendings).items()},
        ),
        due_at=stored["due_at"],
        revision=stored["revision"],
    )
