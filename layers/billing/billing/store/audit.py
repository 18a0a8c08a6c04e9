"""The audit log: what admins did, with the state before and after; written with the change, never altered.

The entries of one month lie in one item collection of the Accounts table, so reading them is one Query.
"""

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from billing.aws import Aws
from billing.rules.consequences import Consequences
from billing.rules.history import By
from billing.rules.records import Account
from billing.store.codec import Item, item, record_to_item, values
from billing.store.dynamodb import all_items

# Entries name users (by pseudonymous ids), so they are not kept for ever.
RETENTION_SECONDS = 400 * 86_400


def audit_item(decided: Consequences, by: By) -> Item:
    """An admin's change of an account: the records that differ, as they were and as they are."""

    def shown(account: Account) -> dict[str, Any]:
        keys = [r.record for r in decided.records if r.record in account.records]
        return {key: values(record_to_item("", account.records[key])) for key in keys}

    return _entry(decided.at, by, decided.after.user_id, shown(decided.before), shown(decided.after))


def _entry(now: int, by: By, user_id: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Item:
    return item(
        {
            "user_id": _month(now),
            # Entries of one second keep the order in which they were made.
            "record": f"~audit#{now:012d}#{time.time_ns():x}-{os.urandom(4).hex()}",
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

    def entry(self, by: By, now: int, before: Mapping[str, Any] | None = None, after: Any = None) -> dict[str, Any]:
        """The entry of an act that changes no account, as a write to commit together with the act."""
        entry = _entry(now, by, "", before or {}, {} if after is None else after)
        return {"Put": {"TableName": self._table, "Item": entry}}

    def note(self, by: By, now: int, before: Mapping[str, Any] | None = None, after: Any = None) -> None:
        """Writes the entry of an act that changes no account: of a plan, of the queues."""
        self._aws.call("dynamodb", "put_item", **self.entry(by, now, before, after)["Put"])

    def month(
        self, at: int, subject: str | None = None, actor: str | None = None, action: str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """The newest entries of the month in which `at` lies: all, or those about a subject, by an actor, of an
        action."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :month",
            "ExpressionAttributeValues": item({":month": _month(at)}),
            "ScanIndexForward": False,
        }
        wanted = {name: value for name, value in (("subject", subject), ("actor", actor), ("action", action)) if value}
        if wanted:
            request["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in wanted)
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in wanted}
            request["ExpressionAttributeValues"] |= item({f":{name}": value for name, value in wanted.items()})
        newest = islice(all_items(self._aws, {**request, "Limit": limit}), limit)
        entries = map(values, newest)
        return [{**entry, **{n: json.loads(entry[n]) for n in ("before", "after")}} for entry in entries]
