"""Accounts: one user's records, what follows from them, and the one transaction for all of it.

What follows are the entitlement snapshot, the ledger lines and a line of history. The snapshot's `version` is the
optimistic lock of the whole account: whoever read version n may write n + 1, once. Everything written by that
transaction carries it as `account_version`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from billing.aws import Aws
from billing.rules.entitlements import Snapshot, Source, sources, sources_from_json, sources_to_json
from billing.rules.history import By, Change, changes
from billing.rules.ledger import LedgerEntry, book
from billing.rules.plans import Catalogue
from billing.rules.records import Account, Purchase, Subscription
from billing.store.audit import audit_item
from billing.store.codec import Item, item, record_from_item, record_to_item, values
from billing.store.payment_events import PaymentEvent, marker
from billing.store.transactions import transact

SNAPSHOT = "entitlements"
# On a snapshot: the account is being erased, its records are on their way; nobody writes it until they have arrived.
LOCKED = "locked"
# The records that decide access lie between these keys; ledger, history and usage ("~…") lie behind them.
_FIRST, _LAST = "checkout#", "term#~"
LEDGER, HISTORY = "~ledger#", "~history#"


class AccountStore:
    def __init__(self, aws: Aws, accounts_table: str, payment_events_table: str = "") -> None:
        self._aws = aws
        self._table = accounts_table
        self._events_table = payment_events_table

    def load(self, user_id: str) -> Account:
        """All that decides access of a user: one consistent Query. An unknown user has version 0 and no records."""
        records = {}
        version = 0
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :user AND #record BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":user": user_id, ":first": _FIRST, ":last": _LAST}),
            "ConsistentRead": True,
        }
        while True:
            page = self._aws.call("dynamodb", "query", **request)
            for stored in page["Items"]:
                if stored["record"]["S"] == SNAPSHOT:
                    version = int(stored["version"]["N"])
                else:
                    record = record_from_item(stored)
                    records[record.record] = record
            if "LastEvaluatedKey" not in page:
                return Account(user_id, version, records)
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def snapshot(self, user_id: str, *, consistent: bool = False) -> Snapshot:
        """What the gate needs: one GetItem. Version 0 without sources for a user who never bought anything."""
        answer = self._aws.call(
            "dynamodb",
            "get_item",
            TableName=self._table,
            Key=item({"user_id": user_id, "record": SNAPSHOT}),
            ConsistentRead=consistent,
        )
        if "Item" not in answer:
            return Snapshot(user_id, 0, ())
        stored = values(answer["Item"])
        return Snapshot(user_id, stored["version"], sources_from_json(json.loads(stored["sources"])))

    def commit(
        self,
        before: Account,
        after: Account,
        catalogue: Catalogue,
        now: int,
        event: PaymentEvent | None = None,
        by: By | None = None,
    ) -> Account:
        """Writes everything that follows from one change in one transaction, and returns the account as stored.

        `by`: the admin who made the change, for the history and the audit log. Raises `LostRace` when somebody else
        wrote this account meanwhile, and `Duplicate` when the event was already processed: then nothing was written,
        now or ever, by this call.
        """
        writes = []
        if event is not None:
            writes.append(marker(self._events_table, event))
        after, lines = book(before, after, catalogue, now)
        changed = [r for key, r in after.records.items() if before.records.get(key) != r]
        if changed or lines:
            after = replace(after, version=before.version + 1)
            given = sources(after, catalogue)
            writes.append(self._snapshot_write(before.version, after, given, now))
            writes += [self._put(after, record_to_item(after.user_id, r)) for r in changed]
            writes += [self._put(after, ledger_item(after.user_id, e)) for e in lines]
            if told := changes(before, after):
                writes.append(self._put(after, _history_item(after, told, given, now, event, by)))
            writes += self._link_writes(before, after)
        if by is not None:
            writes.append({"Put": {"TableName": self._table, "Item": audit_item(before, after, now, by)}})
        if writes:
            transact(self._aws, writes)
        return after

    def _put(self, after: Account, stored: Item) -> dict[str, Any]:
        return {"Put": {"TableName": self._table, "Item": {**stored, **item({"account_version": after.version})}}}

    def past(self, user_id: str, prefix: str, limit: int, until: int | None = None) -> list[dict[str, Any]]:
        """The newest lines of an account's ledger or history (`LEDGER`, `HISTORY`), up to a time: their values."""
        last = f"{prefix}~" if until is None else f"{prefix}{until:012d}#~"
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :user AND #record BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":user": user_id, ":first": prefix, ":last": last}),
            "ScanIndexForward": False,
        }
        found: list[dict[str, Any]] = []
        while len(found) < limit:
            page = self._aws.call("dynamodb", "query", **request, Limit=limit - len(found))
            found += map(values, page["Items"])
            if "LastEvaluatedKey" not in page:
                break
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return [{**line, "changes": json.loads(line["changes"])} if "changes" in line else line for line in found]

    def sources_at(self, user_id: str, at: int) -> tuple[Source, ...] | None:
        """What the snapshot held at a time (Unix seconds); None before the account's history begins."""
        found = self.past(user_id, HISTORY, 1, at)
        return sources_from_json(json.loads(found[0]["sources"])) if found else None

    def owner(self, provider: str, object_ids: Iterable[str]) -> str | None:
        """The user a provider's customer, subscription or payment belongs to, as once written; None when unknown."""
        for object_id in object_ids:
            key = item({"user_id": f"link#{provider}#{object_id}", "record": "link"})
            answer = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=key, ConsistentRead=True)
            if "Item" in answer:
                owner: str = answer["Item"]["owner"]["S"]
                return owner
        return None

    def _snapshot_write(self, version: int, after: Account, sources: Iterable[Source], now: int) -> dict[str, Any]:
        snapshot = item(
            {
                "user_id": after.user_id,
                "record": SNAPSHOT,
                "version": after.version,
                "sources": sources_to_json(sources),
                "updated_at": now,
            }
        )
        never_written = "attribute_not_exists(#record)"
        unchanged_since_read = "version = :version"
        not_being_moved = f"attribute_not_exists({LOCKED})"
        put: dict[str, Any] = {"TableName": self._table, "Item": snapshot}
        if version == 0:
            put |= {"ConditionExpression": never_written, "ExpressionAttributeNames": {"#record": "record"}}
        else:
            put |= {
                "ConditionExpression": f"{unchanged_since_read} AND {not_being_moved}",
                "ExpressionAttributeValues": item({":version": version}),
            }
        return {"Put": put}

    def _link_writes(self, before: Account, after: Account) -> list[dict[str, Any]]:
        """A link per provider id that is new to the account. An id that belongs to somebody else cancels the whole."""
        unowned = "attribute_not_exists(#owner)"
        ours = "#owner = :user"
        return [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": item({"user_id": f"link#{link}", "record": "link", "owner": after.user_id}),
                    "ConditionExpression": f"{unowned} OR {ours}",
                    "ExpressionAttributeNames": {"#owner": "owner"},
                    "ExpressionAttributeValues": item({":user": after.user_id}),
                }
            }
            for link in sorted(links_of(after) - links_of(before))
        ]


def links_of(account: Account) -> set[str]:
    """The provider ids by which later events may name this account: <provider>#<id>."""
    found: set[str] = set()
    for record in account.records.values():
        if isinstance(record, Subscription):
            ids = [record.subscription_id, record.customer_id]
            for payment in record.payments.values():
                ids += [payment.payment_id, *payment.refs]
        elif isinstance(record, Purchase):
            ids = [record.purchase_id, record.customer_id, *(record.payment.refs if record.payment else ())]
        else:
            continue
        found |= {f"{record.provider}#{i}" for i in ids if i}
    return found


def ledger_item(user_id: str, entry: LedgerEntry) -> Item:
    """A ledger line as stored; counts of 0 are left out."""
    told = {name: getattr(entry, name) for name in LedgerEntry.__dataclass_fields__}
    counts = {name: told[name] or None for name in ("users", "subscribers")}
    return item({"user_id": user_id, "record": entry.record, **told, **counts})


def ledger_entry(found: Mapping[str, Any]) -> LedgerEntry:
    """A ledger line from the values of its item, for the stream and for reports."""
    known: dict[str, Any] = {name: found[name] for name in LedgerEntry.__dataclass_fields__ if name in found}
    return LedgerEntry(**known)


def _history_item(
    after: Account,
    told: Sequence[Change],
    given: Sequence[Source],
    now: int,
    event: PaymentEvent | None,
    by: By | None,
) -> Item:
    return item(
        {
            "user_id": after.user_id,
            "record": f"{HISTORY}{now:012d}#{after.version:08d}",
            "at": now,
            "changes": [change.as_dict() for change in told],
            "sources": sources_to_json(given),
            "event_id": event.event_id if event else None,
            "actor": by.actor if by else None,
            "reason": by.reason if by else None,
        }
    )
