"""The audit log: what admins did, with the state before and after; written with the change, never altered.

The entries of one month lie in one item collection of the Accounts table, so reading them is one Query.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from billing.aws import Aws
from billing.history import By
from billing.records import Account
from billing.store.codec import Item, item, record_to_item, values

# Entries name a user by the pseudonymous id, so they do not stay for ever.
RETENTION_SECONDS = 400 * 86_400


def audit_item(before: Account, after: Account, now: int, by: By) -> Item:
    """An admin's change of an account: the records that differ, as they were and as they are."""
    keys = [key for key, record in after.records.items() if before.records.get(key) != record]

    def shown(account: Account) -> dict[str, Any]:
        return {key: values(record_to_item("", account.records[key])) for key in keys if key in account.records}

    return _entry(now, by, after.user_id, shown(before), shown(after))


def _entry(now: int, by: By, user_id: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Item:
    return item(
        {
            "user_id": _month(now),
            "record": f"~audit#{now:012d}#{uuid.uuid4().hex}",
            "at": now,
            "actor": by.actor,
            "action": by.action,
            "reason": by.reason or None,
            "subject": by.subject or user_id,
            "before": before,
            "after": after,
            "ttl": now + RETENTION_SECONDS,
        }
    )


def _month(at: int) -> str:
    return f"audit#{datetime.fromtimestamp(at, UTC):%Y-%m}"


class AuditLog:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def note(self, by: By, now: int, before: Mapping[str, Any] | None = None, after: Any = None) -> None:
        """An act that changes no account: of a plan, of the queues."""
        entry = _entry(now, by, "", before or {}, {} if after is None else after)
        self._aws.call("dynamodb", "put_item", TableName=self._table, Item=entry)

    def month(self, at: int, limit: int = 100) -> list[dict[str, Any]]:
        """The newest entries of the month in which `at` lies."""
        answer = self._aws.call(
            "dynamodb",
            "query",
            TableName=self._table,
            KeyConditionExpression="user_id = :month",
            ExpressionAttributeValues=item({":month": _month(at)}),
            ScanIndexForward=False,
            Limit=limit,
        )
        found = [values(stored) for stored in answer["Items"]]
        return [{**entry, **{n: json.loads(entry[n]) for n in ("before", "after")}} for entry in found]
