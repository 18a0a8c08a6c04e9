"""Accounts: one user's records, and the one transaction that writes a change with all that follows from it.

The snapshot's `version` is the optimistic lock of the whole account: whoever read version n may write n + 1, once.
Everything written by that transaction carries it as `account_version`.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from billing.aws import Aws
from billing.data import replace
from billing.errors import PastNeeded
from billing.rules.consequences import Consequences
from billing.rules.entitlements import Snapshot, Source, sources_from_json, sources_to_json
from billing.rules.ledger import LedgerEntry
from billing.rules.records import Account, PastPayment, Record, Subscription
from billing.store.audit import audit_item
from billing.store.codec import Item, item, packed, record_from_item, record_to_item, unpacked, values
from billing.store.payment_events import PaymentEvent, marker
from billing.store.queries import all_items
from billing.store.transactions import ForeignLink, put_event, retry, transact
from billing.store.vouchers import voucher_write

Result = TypeVar("Result")

SNAPSHOT = "entitlements"
# On a snapshot: the account is being erased, its records are on their way; nobody writes it until they have arrived.
LOCKED = "locked"
# The records that decide access lie between these keys; what is past, ledger, history and usage ("~…") lie behind them.
_FIRST, _LAST = "checkout#", "term#~"
PAST, LEDGER, HISTORY = "~payment#", "~ledger#", "~history#"


class AccountStore:
    """`sleep` waits (seconds) before a change is tried again."""

    def __init__(
        self,
        aws: Aws,
        accounts_table: str,
        payment_events_table: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._aws = aws
        self._sleep = sleep
        self._table = accounts_table
        self._events_table = payment_events_table

    def load(self, user_id: str, *, whole: bool = False) -> Account:
        """All that decides access of a user: one consistent Query. An unknown user has version 0 and no records.

        `whole`: with what is past, by a second Query where there is something.
        """
        records: dict[str, Record] = {}
        version, told = 0, ()
        for stored in self._between(user_id, _FIRST, _LAST):
            if stored["record"]["S"] == SNAPSHOT:
                version = int(stored["version"]["N"])
                told = tuple(stored["told"]["S"].split()) if "told" in stored else ()
            else:
                record = record_from_item(stored)
                records[record.record] = record
        if nothing_past(records):
            return Account(user_id, version, records, told=told)
        # What is written between the two reads is no harm: it leaves another version, and is read again before a write.
        past = [record_from_item(s) for s in self._between(user_id, PAST, f"{PAST}~")] if whole else []
        return with_past(Account(user_id, version, records, whole=whole, told=told), past)

    def _between(self, user_id: str, first: str, last: str) -> Iterator[Item]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :user AND #record BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":user": user_id, ":first": first, ":last": last}),
            "ConsistentRead": True,
        }
        return all_items(self._aws, request)

    def given(self, user_id: str, judge: Callable[[Account], Result]) -> Result:
        """What `judge` says of an account. Where it needs what is past, it is asked again with that."""
        try:
            return judge(self.load(user_id))
        except PastNeeded:
            return judge(self.load(user_id, whole=True))

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
        return Snapshot(user_id, stored["version"], sources_from_json(unpacked(stored["sources"])))

    def change(
        self,
        user_id: str,
        decide: Callable[[Account], Consequences | None],
        event_of: Callable[[Consequences], PaymentEvent] | None = None,
    ) -> Account:
        """Reads an account, lets `decide` say what is to become of it, and writes that; the account as it then stands.

        Where somebody else wrote meanwhile it begins again, so `decide` may be called several times; None from it means
        that nothing is to be written. Where it needs what is past, it is called again with that. `event_of` gives the
        event that told us, to be settled with the change. Raises `TryAgain` when others were faster every time, and
        what `commit` raises.
        """

        def write(account: Account) -> Account:
            decided = decide(account)
            return account if decided is None else self.commit(decided, event_of(decided) if event_of else None)

        return retry(lambda: self.given(user_id, write), self._sleep)

    def commit(self, decided: Consequences, event: PaymentEvent | None = None) -> Account:
        """Writes one change whole, in one transaction, and returns the account as stored.

        Raises `LostRace` when somebody else wrote this account meanwhile, `PastNeeded` when a payment is among those
        that were not read, and `Duplicate` when the event was already processed: then nothing was written, now or ever,
        by this call.
        """
        writes = []
        after = after_event(decided, event)
        if event is not None:
            writes.append(marker(self._events_table, event))
        if decided.changed:
            sources = packed(sources_to_json(decided.sources))
            writes.append(self._snapshot_write(decided, after, sources))
            writes += [self._put(after, record_to_item(after.user_id, r)) for r in decided.records]
            writes += [self._put(after, ledger_item(after.user_id, e)) for e in decided.lines]
            if decided.history:
                writes.append(self._put(after, _history_item(decided, event, sources)))
            links = sorted(decided.links | decided.once)
            writes += [self._link_write(after.user_id, link, once=link in decided.once) for link in links]
        writes += [voucher_write(self._table, change) for change in decided.vouchers]
        if decided.by is not None:
            writes.append({"Put": {"TableName": self._table, "Item": audit_item(decided, decided.by)}})
        if event is not None and len(writes) == 1:
            put_event(self._aws, writes[0]["Put"])
        elif writes:
            self._transact(writes, decided)
        return after

    def _transact(self, writes: list[dict[str, Any]], decided: Consequences) -> None:
        try:
            transact(self._aws, writes)
        except ForeignLink as foreign:
            provider, _, object_id = foreign.link.partition("#")
            if foreign.link in decided.once and self.owner(provider, [object_id]) == decided.after.user_id:
                raise PastNeeded from foreign
            raise

    def _put(self, after: Account, stored: Item) -> dict[str, Any]:
        return {"Put": {"TableName": self._table, "Item": {**stored, **item({"account_version": after.version})}}}

    def past(self, user_id: str, prefix: str, limit: int, until: int | None = None) -> list[dict[str, Any]]:
        """The newest lines of a ledger or history (`LEDGER`, `HISTORY`), up to a time: their values. Sources in
        them are `packed`."""
        last = f"{prefix}~" if until is None else f"{prefix}{until:012d}#~"
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :user AND #record BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":user": user_id, ":first": prefix, ":last": last}),
            "ScanIndexForward": False,
            "Limit": limit,
        }
        found = map(values, islice(all_items(self._aws, request), limit))
        return [{**line, "changes": json.loads(line["changes"])} if "changes" in line else line for line in found]

    def sources_at(self, user_id: str, at: int) -> tuple[Source, ...] | None:
        """What the snapshot held at a time (Unix seconds); None before the account's history begins."""
        found = self.past(user_id, HISTORY, 1, at)
        return sources_from_json(unpacked(found[0]["sources"])) if found else None

    def owner(self, provider: str, object_ids: Iterable[str]) -> str | None:
        """The user a provider's customer, subscription or payment belongs to, as once written; None when unknown."""
        for object_id in object_ids:
            key = item({"user_id": f"link#{provider}#{object_id}", "record": "link"})
            answer = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=key, ConsistentRead=True)
            if "Item" in answer:
                owner: str = answer["Item"]["owner"]["S"]
                return owner
        return None

    def _snapshot_write(self, decided: Consequences, after: Account, sources: str) -> dict[str, Any]:
        version = decided.before.version
        snapshot = item(
            {
                "user_id": after.user_id,
                "record": SNAPSHOT,
                "version": after.version,
                "sources": sources,
                "updated_at": decided.at,
                "told": " ".join(after.told) or None,
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

    def _link_write(self, user_id: str, link: str, *, once: bool) -> dict[str, Any]:
        """A provider's id that is new to the account. One that belongs to somebody else cancels the whole; with `once`,
        also one that belongs to the account already."""
        unowned = "attribute_not_exists(#owner)"
        ours = "#owner = :user"
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": item({"user_id": f"link#{link}", "record": "link", "owner": user_id}),
            "ConditionExpression": unowned if once else f"{unowned} OR {ours}",
            "ExpressionAttributeNames": {"#owner": "owner"},
        }
        if not once:
            put["ExpressionAttributeValues"] = item({":user": user_id})
        return {"Put": put}


def after_event(decided: Consequences, event: PaymentEvent | None) -> Account:
    """The account as it is written with an event: one that is settled by this will be known for a repeat."""
    if event is None or event.status != "processed" or not decided.changed:
        return decided.after
    return decided.after.after_event(event.event_id)


def nothing_past(records: Mapping[str, Record]) -> bool:
    return all(r.past_until is None for r in records.values() if isinstance(r, Subscription))


def with_past(account: Account, past: Iterable[Record]) -> Account:
    """The account with what is past. What is on a subscription (again) was written later than its own record."""
    here = {(of.provider, p.payment_id) for of, p in account.at_hand if isinstance(of, Subscription)}
    behind = (r for r in past if isinstance(r, PastPayment) and (r.provider, r.payment.payment_id) not in here)
    return replace(account, records={**account.records, **{r.record: r for r in behind}})


def ledger_item(user_id: str, entry: LedgerEntry) -> Item:
    """A ledger line as stored; counts of 0 are left out."""
    told = {name: getattr(entry, name) for name in LedgerEntry.__dataclass_fields__}
    counts = {name: told[name] or None for name in ("users", "subscribers", "tax_cents")}
    return item({"user_id": user_id, "record": entry.record, **told, **counts})


def ledger_entry(found: Mapping[str, Any]) -> LedgerEntry:
    """A ledger line from the values of its item, for the stream and for reports."""
    known: dict[str, Any] = {name: found[name] for name in LedgerEntry.__dataclass_fields__ if name in found}
    return LedgerEntry(**known)


def _history_item(decided: Consequences, event: PaymentEvent | None, sources: str) -> Item:
    by = decided.by
    return item(
        {
            "user_id": decided.after.user_id,
            "record": f"{HISTORY}{decided.at:012d}#{decided.after.version:08d}",
            "at": decided.at,
            "changes": [change.as_dict() for change in decided.history],
            "sources": sources,
            "event_id": event.event_id if event else None,
            "actor": by.actor if by else None,
            "reason": by.reason if by else None,
        }
    )
