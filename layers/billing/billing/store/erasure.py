"""Everything stored about a user: handed out whole, or taken away from the person, with the books left behind.

Erasing moves what is money (subscriptions, purchases, terms, ledger lines) to a pseudonym that nothing leads to, turns
the links of the provider's objects to it, so that a later refund or chargeback still finds its payment, and deletes the
rest. While records are on their way both accounts are locked: what is told meanwhile waits, and is told again. Each
step can be repeated; an interrupted erasure is finished by asking again.
"""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from billing.aws import Aws
from billing.data import asdict
from billing.errors import Conflict
from billing.rules.consequences import links_of
from billing.rules.records import ERASED
from billing.store.accounts import LEDGER, LOCKED, SNAPSHOT
from billing.store.codec import Item, item, record_from_item, values
from billing.store.payment_events import PaymentEventStore
from billing.store.queries import all_items
from billing.store.transactions import LostRace, transact

_LINKED = ("subscription#", "purchase#", "term#")
_KEPT = (*_LINKED, "mrr", LEDGER)
_TOMBSTONE, _IDENTITY = "~erasure", "~identity#"
_PASSES = 5
# What tells that a record was changed, or a line folded, since it was read.
_CHANGING = ("account_version", "folded")
# Attributes that lead back to the person, or that say when a line was told.
_PERSONAL = ("customer_id", "checkout_id", "account_version")


class ErasureStore:
    def __init__(self, aws: Aws, accounts_table: str, events: PaymentEventStore) -> None:
        self._aws = aws
        self._table = accounts_table
        self._events = events

    def everything(self, user_id: str) -> list[dict[str, Any]]:
        """Every record and payment event of a user as plain values."""
        stored = [_readable(found) for found in self._items(user_id)]
        return [*stored, *({"record": "payment_event", **asdict(event)} for event in self._events.all_of_user(user_id))]

    def erase(self, user_id: str, now: int) -> tuple[str, int, int]:
        """Takes the person away: the pseudonym, how many records were deleted, how many ledger lines were kept.

        Raises `Conflict` while others keep writing: then some of it is done, and asking again does the rest.
        """
        pseudonym = self._pseudonym(user_id, now)
        erased = kept = 0
        self._lock(user_id, pseudonym, now)
        for _ in range(_PASSES):  # what is written or folded meanwhile is taken by the next pass
            found = [stored for stored in self._items(user_id) if stored["record"]["S"] not in (_TOMBSTONE, SNAPSHOT)]
            if not found:
                break
            for stored in found:
                record = stored["record"]["S"]
                if record.startswith(_KEPT):
                    self._turn_links(stored, user_id, pseudonym)
                    kept += self._move(stored, pseudonym) and record.startswith(LEDGER)
                else:
                    self._delete_with_identity(user_id, record)
                    erased += 1
        else:
            raise _busy(user_id)
        self._unlock(user_id, pseudonym)
        for event in list(self._events.all_of_user(user_id)):
            self._events.forget_person(event.event_id, pseudonym)
        self._delete(user_id, _TOMBSTONE)
        return pseudonym, erased, kept

    def _lock(self, user_id: str, pseudonym: str, now: int) -> None:
        """From here on nobody can write what they read of the account, or will read of what its pseudonym has yet."""
        expression = (
            f"SET {LOCKED} = :yes, version = if_not_exists(version, :none), "
            "sources = if_not_exists(sources, :nothing), updated_at = if_not_exists(updated_at, :now)"
        )
        given = item({":yes": True, ":none": 0, ":nothing": "[]", ":now": now})
        locks = [self._on_snapshot(u, expression, given) for u in (user_id, pseudonym)]
        self._together(user_id, [{"Update": lock} for lock in locks])

    def _unlock(self, user_id: str, pseudonym: str) -> None:
        """The pseudonym has everything: what waited may be written there."""
        opened = self._on_snapshot(pseudonym, f"REMOVE {LOCKED} ADD version :one", item({":one": 1}))
        ours = {"TableName": self._table, "Key": item({"user_id": user_id, "record": SNAPSHOT})}
        self._together(user_id, [{"Update": opened}, {"Delete": ours}])

    def _on_snapshot(self, user_id: str, expression: str, given: Item) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": item({"user_id": user_id, "record": SNAPSHOT}),
            "UpdateExpression": expression,
            "ExpressionAttributeValues": given,
        }

    def _together(self, user_id: str, writes: list[dict[str, Any]]) -> None:
        for _ in range(_PASSES):
            try:
                return transact(self._aws, writes)
            except LostRace:
                continue
        raise _busy(user_id)

    def _pseudonym(self, user_id: str, now: int) -> str:
        """A name for what is left; the one already given, should an erasure have been interrupted."""
        key = item({"user_id": user_id, "record": _TOMBSTONE})
        tombstone = {**key, **item({"pseudonym": f"{ERASED}{uuid.uuid4().hex}", "at": now})}
        known = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if known is None:
            self._aws.call("dynamodb", "put_item", TableName=self._table, Item=tombstone)
            known = tombstone
        return str(known["pseudonym"]["S"])

    def _move(self, stored: Item, pseudonym: str) -> bool:
        """In one transaction, and only as it was read: whoever changes or folds it just now comes first."""
        key = {name: stored[name] for name in ("user_id", "record")}
        kept = {name: value for name, value in stored.items() if name not in _PERSONAL}
        unchanged = " AND ".join(
            f"{name} = :{name}" if name in stored else f"attribute_not_exists({name})" for name in _CHANGING
        )
        delete: dict[str, Any] = {"TableName": self._table, "Key": key, "ConditionExpression": unchanged}
        if seen := {f":{name}": stored[name] for name in _CHANGING if name in stored}:
            delete["ExpressionAttributeValues"] = seen
        put = {"TableName": self._table, "Item": {**kept, "user_id": {"S": pseudonym}}}
        try:
            transact(self._aws, [{"Put": put}, {"Delete": delete}])
        except LostRace:
            return False
        return True

    def _turn_links(self, stored: Item, user_id: str, pseudonym: str) -> None:
        """The provider's objects lead to the pseudonym from now on, and its customer to nobody."""
        if not stored["record"]["S"].startswith(_LINKED):
            return
        record = record_from_item(stored)
        provider, customer = stored["provider"]["S"], stored.get("customer_id", {}).get("S")
        for link in links_of([record]):
            key = item({"user_id": f"link#{link}", "record": "link"})
            if link == f"{provider}#{customer}":
                self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=key)
            else:
                turned = {**key, **item({"owner": pseudonym})}
                self._aws.call("dynamodb", "put_item", TableName=self._table, Item=turned)

    def _delete_with_identity(self, user_id: str, record: str) -> None:
        """A way to sign in is an item of its own besides: neither leads anywhere any more."""
        if record.startswith(_IDENTITY):
            self._delete(record.removeprefix("~"), "identity")
        self._delete(user_id, record)

    def _delete(self, user_id: str, record: str) -> None:
        key = item({"user_id": user_id, "record": record})
        self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=key)

    def _items(self, user_id: str) -> Iterator[Item]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :user",
            "ExpressionAttributeValues": item({":user": user_id}),
            "ConsistentRead": True,
        }
        return all_items(self._aws, request)


def _busy(user_id: str) -> Conflict:
    return Conflict(f"{user_id} is being changed at this moment: try again", code="account_busy")


def _readable(stored: Item) -> dict[str, Any]:
    """Plain values, with JSON attributes as what they hold."""
    found = values(stored)
    return {n: json.loads(v) if isinstance(v, str) and v[:1] in ("{", "[") else v for n, v in found.items()}
