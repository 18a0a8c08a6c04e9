"""Everything stored about a user: exported whole, or erased, with the books left behind.

Erasing moves what is money (subscriptions, purchases, terms, ledger lines) to a pseudonym that nothing leads to, links
the provider's objects to that, so that a later refund or chargeback still finds its payment, and deletes the rest.
While records move, both accounts are locked: events wait and come again. Each step can be repeated: an erasure that was
cut off is due in the index until it is done, and asking again continues it too.
"""

import re
import uuid
from collections.abc import Iterator
from typing import Any

from billing import deadline
from billing.aws import Aws
from billing.data import asdict, dataclass
from billing.errors import Conflict, invalid_cursor
from billing.rules.consequences import links_of
from billing.rules.history import By
from billing.rules.records import ENDED, ERASED
from billing.store.accounts import LEDGER, LOCKED, PAST, SNAPSHOT
from billing.store.audit import AuditLog
from billing.store.calendars import CALENDAR, UNTOLD, link_key
from billing.store.codec import Item, item, place_of, record_from_item, shard, unpacked, values
from billing.store.dynamodb import LostRace, all_items, read_item, transact
from billing.store.payment_events import PaymentEventStore, from_item
from billing.store.wallets import SEALED

_LINKED = ("subscription#", "purchase#", "term#", "gift#", *PAST)
_KEPT = (*_LINKED, "mrr", ENDED, LEDGER)
_TOMBSTONE, _IDENTITY = "~erasure", "~identity#"
_PASSES = 5
# The attributes by which a record shows that it was changed, or a line folded, since it was read.
_CHANGING = ("account_version", "folded")
# Attributes that lead back to the person, or that tell when a line was written.
_PERSONAL = ("customer_id", "checkout_id", "account_version", "transactions")
# Seconds after which an erasure that is not done was cut off: longer than any function that erases may run.
_CUT_OFF = 600
# A page of an export is what the store reads at once, 1 MB at most: as JSON well below the 6 MB of an answer.
_PAGE = 500
# The cursor of the first page of events; of a later one it also names the last event before.
_EVENTS = "events@"
_PLACE = re.compile(rf"{_EVENTS}(\d{{1,12}})#(.{{1,400}})")
_LONGEST = 512


@dataclass(frozen=True, slots=True)
class Erased:
    """What one run of an erasure did. `done` is false when its time ran out: the rest follows by schedule."""

    pseudonym: str
    records: int
    ledger_lines: int
    """Kept, under the pseudonym."""
    done: bool


class ErasureStore:
    def __init__(self, aws: Aws, accounts_table: str, events: PaymentEventStore) -> None:
        self._aws = aws
        self._table = accounts_table
        self._events = events
        self._audit = AuditLog(aws, accounts_table)

    def page(self, user_id: str, cursor: str = "") -> tuple[list[dict[str, Any]], str | None]:
        """Of a user the records, then the payment events, as plain values, and the cursor of the next page; None: that
        is all.

        Raises `InvalidRequest` for a cursor that no page gave.
        """
        if cursor.startswith(_EVENTS):
            return self._page_of_events(user_id, cursor)
        if len(cursor) > _LONGEST:
            raise invalid_cursor()
        request = self._account(user_id)
        if cursor:
            request["ExclusiveStartKey"] = item({"user_id": user_id, "record": cursor})
        page = self._aws.call("dynamodb", "query", **request, Limit=_PAGE)
        last = page.get("LastEvaluatedKey")
        return list(map(_readable, page["Items"])), last["record"]["S"] if last else _EVENTS

    def _page_of_events(self, user_id: str, cursor: str) -> tuple[list[dict[str, Any]], str | None]:
        request = self._events.query_of_user(user_id)
        if cursor != _EVENTS:
            place = _PLACE.fullmatch(cursor)
            if place is None:
                raise invalid_cursor()
            key = {"user_id": user_id, "created_at": int(place[1]), "event_id": place[2]}
            request["ExclusiveStartKey"] = item(key)
        page = self._aws.call("dynamodb", "query", **request, Limit=_PAGE)
        events = [{"record": "payment_event", **asdict(from_item(stored))} for stored in page["Items"]]
        last = page.get("LastEvaluatedKey")
        return events, f"{_EVENTS}{last['created_at']['N']}#{last['event_id']['S']}" if last else None

    def erase(self, user_id: str, actor: str, now: int) -> Erased:
        """Takes the person away, as far as this invocation's time reaches; the audit log has it from the start.

        Raises `Conflict` while others keep writing: then some of it is done, and the schedule does the rest.
        """
        return self._go_on(user_id, self._pseudonym(user_id) or self._begin(user_id, actor, now), now)

    def go_on(self, user_id: str, now: int) -> Erased | None:
        """What `erase` began; None: it is done."""
        pseudonym = self._pseudonym(user_id)
        return None if pseudonym is None else self._go_on(user_id, pseudonym, now)

    def _go_on(self, user_id: str, pseudonym: str, now: int) -> Erased:
        erased = moved = 0
        self._lock(user_id, pseudonym, now)
        for _ in range(_PASSES):  # what is written or folded meanwhile is taken by the next pass
            left = [stored for stored in self._items(user_id) if stored["record"]["S"] not in (_TOMBSTONE, SNAPSHOT)]
            if not left:
                break
            for stored in left:
                if deadline.over():
                    return Erased(pseudonym, erased, moved, done=False)
                record = stored["record"]["S"]
                if record.startswith(_KEPT):
                    self._turn_links(stored, pseudonym)
                    moved += self._move(stored, pseudonym) and record.startswith(LEDGER)
                else:
                    if record == CALENDAR and "address_hash" in stored:
                        address = link_key(stored["address_hash"]["S"])
                        self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=address)
                    self._delete_with_identity(user_id, record)
                    erased += 1
        else:
            raise _busy(user_id)
        self._unlock(user_id, pseudonym)
        for event in self._events.all_of_user(user_id):
            if deadline.over():
                return Erased(pseudonym, erased, moved, done=False)
            self._events.forget_person(event.event_id, pseudonym)
        self._delete(user_id, _TOMBSTONE)
        return Erased(pseudonym, erased, moved, done=True)

    def _begin(self, user_id: str, actor: str, now: int) -> str:
        """Returns the pseudonym."""
        pseudonym = f"{ERASED}{uuid.uuid4().hex}"
        begun = {"pseudonym": pseudonym, "at": now, **_due(user_id, now)}
        tombstone = {
            "TableName": self._table,
            "Item": item({"user_id": user_id, "record": _TOMBSTONE, **begun}),
            "ConditionExpression": "attribute_not_exists(user_id)",
        }
        note = self._audit.entry(By(actor=actor, action="erase", subject=pseudonym), now)
        try:
            transact(self._aws, [{"Put": tombstone}, note])
        except LostRace:  # somebody else has just begun, and may be done already
            theirs = self._pseudonym(user_id)
            if theirs is None:
                raise _busy(user_id) from None
            return theirs
        return pseudonym

    def _pseudonym(self, user_id: str) -> str | None:
        """The name for what is left; None when no erasure is under way."""
        begun = read_item(self._aws, self._table, item({"user_id": user_id, "record": _TOMBSTONE}))
        return None if begun is None else str(begun["pseudonym"])

    def _lock(self, user_id: str, pseudonym: str, now: int) -> None:
        """From here on nobody can write what they read of the account, or will read of what its pseudonym has yet.

        Only while the erasure is under way: one that another run has ended meanwhile would never be unlocked.
        """
        expression = (
            f"SET {LOCKED} = :yes, version = if_not_exists(version, :none), "
            "sources = if_not_exists(sources, :nothing), updated_at = if_not_exists(updated_at, :now)"
        )
        defaults = item({":yes": True, ":none": 0, ":nothing": "[]", ":now": now})
        locks = [self._on_snapshot(u, expression, defaults) for u in (user_id, pseudonym)]
        due = _due(user_id, now)
        goes_on = {
            "TableName": self._table,
            "Key": item({"user_id": user_id, "record": _TOMBSTONE}),
            "UpdateExpression": "SET due_shard = :shard, due_at = :at",
            "ConditionExpression": "attribute_exists(pseudonym)",
            "ExpressionAttributeValues": item({":shard": due["due_shard"], ":at": due["due_at"]}),
        }
        self._together(user_id, [{"Update": update} for update in (*locks, goes_on)])

    def _unlock(self, user_id: str, pseudonym: str) -> None:
        """The pseudonym has everything: what waited may be written there."""
        opened = self._on_snapshot(pseudonym, f"REMOVE {LOCKED} ADD version :one", item({":one": 1}))
        ours = {"TableName": self._table, "Key": item({"user_id": user_id, "record": SNAPSHOT})}
        self._together(user_id, [{"Update": opened}, {"Delete": ours}])

    def _on_snapshot(self, user_id: str, expression: str, params: Item) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": item({"user_id": user_id, "record": SNAPSHOT}),
            "UpdateExpression": expression,
            "ExpressionAttributeValues": params,
        }

    def _together(self, user_id: str, writes: list[dict[str, Any]]) -> None:
        for _ in range(_PASSES):
            try:
                return transact(self._aws, writes)
            except LostRace:
                continue
        raise _busy(user_id)

    def _move(self, stored: Item, pseudonym: str) -> bool:
        """In one transaction, and only as it was read: whoever changes or folds it just now comes first."""
        key = {name: stored[name] for name in ("user_id", "record")}
        impersonal = {name: value for name, value in stored.items() if name not in _PERSONAL}
        unchanged = " AND ".join(
            f"{name} = :{name}" if name in stored else f"attribute_not_exists({name})" for name in _CHANGING
        )
        delete: dict[str, Any] = {"TableName": self._table, "Key": key, "ConditionExpression": unchanged}
        if seen := {f":{name}": stored[name] for name in _CHANGING if name in stored}:
            delete["ExpressionAttributeValues"] = seen
        put = {"TableName": self._table, "Item": {**impersonal, "user_id": {"S": pseudonym}}}
        try:
            transact(self._aws, [{"Put": put}, {"Delete": delete}])
        except LostRace:
            return False
        return True

    def _turn_links(self, stored: Item, pseudonym: str) -> None:
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
        return all_items(self._aws, self._account(user_id))

    def _account(self, user_id: str) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :user",
            "ExpressionAttributeValues": item({":user": user_id}),
            "ConsistentRead": True,
        }


def _busy(user_id: str) -> Conflict:
    return Conflict(f"{user_id} is being changed at this moment: try again", code="account_busy")


def _readable(stored: Item) -> dict[str, Any]:
    """Plain values, with JSON attributes as what they hold; without what could pay from somebody's wallet, and what a
    calendar's address and entries could be known by."""
    plain = {name: value for name, value in values(stored).items() if name not in (*SEALED, *UNTOLD)}
    nested = {n for n, v in plain.items() if isinstance(v, str) and (v[:1] in ("{", "[") or n == "sources")}
    return {n: unpacked(v) if n in nested else v for n, v in plain.items()}


def _due(user_id: str, now: int) -> dict[str, Any]:
    """When to go on with an erasure that is not done, or that a function was killed in."""
    return {"due_shard": shard("erase", place_of(user_id)), "due_at": now + _CUT_OFF}
