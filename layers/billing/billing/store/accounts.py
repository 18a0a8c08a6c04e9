"""Accounts: one user's records, and the one transaction that writes a change with all that follows from it.

The snapshot's `version` is the optimistic lock of the whole account: whoever read version n may write n + 1, once.
Everything written by that transaction carries it as `account_version`.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from billing.aws import Aws
from billing.data import replace
from billing.errors import NotFound, PastNeeded
from billing.rules.entitlements import Snapshot, Source, sources_from_json, sources_to_json
from billing.rules.records import ENDED, Account, Ended, PastPayment, Purchase, Record, Subscription
from billing.store.codec import BEHIND, Item, item, packed, record_from_item, record_to_item, unpacked, values
from billing.store.dynamodb import ForeignLink, between, put_event, read_item, retry, transact

if TYPE_CHECKING:  # only writers load the rules of what follows from a change
    from billing.rules.consequences import Consequences
    from billing.rules.ledger import LedgerEntry
    from billing.store.payment_events import PaymentEvent

Result = TypeVar("Result")

SNAPSHOT = "entitlements"
# Marks a snapshot whose account is being erased: nobody may write it until its records have moved.
LOCKED = "locked"
# Marks a record that was only moved, so that the stream does not take it for news.
MOVED = "moved"
# The records that decide access lie between these keys; past records, ledger, history and usage ("~…") lie behind them.
_FIRST, _LAST = "checkout#", "term#~"
PAST, LEDGER, HISTORY = (BEHIND, "~payment#"), "~ledger#", "~history#"


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
        `whole`: with past records, by a second Query where there are any."""
        records: dict[str, Record] = {}
        version, recent_events = 0, ()
        for stored in self._between(user_id, _FIRST, _LAST):
            if stored["record"]["S"] == SNAPSHOT:
                version = int(stored["version"]["N"])
                recent = stored.get("recent_events") or stored.get("told")  # as it was called before
                recent_events = tuple(recent["S"].split()) if recent else ()
            else:
                record = record_from_item(stored)
                records[record.record] = record
        if nothing_past(records):
            return Account(user_id, version, records, recent_events=recent_events)
        # A write between the two reads does no harm: it changes the version, so a change based on this read fails and
        # is tried again.
        whole = whole or lacking(records)
        past = map(record_from_item, self._between(user_id, PAST[0], f"{PAST[1]}~")) if whole else ()
        return with_past(Account(user_id, version, records, whole=whole, recent_events=recent_events), past)

    def _between(self, user_id: str, first: str, last: str) -> Iterator[Item]:
        return between(self._aws, self._table, user_id, first, last, ConsistentRead=True)

    def evaluate(self, user_id: str, judge: Callable[[Account], Result]) -> Result:
        """What `judge` says of an account. Where it needs past records, it is called again with them."""
        try:
            return judge(self.load(user_id))
        except PastNeeded:
            return judge(self.load(user_id, whole=True))

    def existing(self, user_id: str, *, whole: bool = False) -> Account:
        """As `load`. Raises `NotFound` for a user of whom nothing is stored."""
        account = self.load(user_id, whole=whole)
        if account.version == 0:
            raise NotFound("nothing is stored about this user")
        return account

    def snapshot(self, user_id: str, *, consistent: bool = False) -> Snapshot:
        """What the gate needs: one GetItem. Version 0 without sources for a user who never bought anything."""
        key = item({"user_id": user_id, "record": SNAPSHOT})
        stored = read_item(self._aws, self._table, key, consistent=consistent)
        if stored is None:
            return Snapshot(user_id, 0, ())
        return Snapshot(user_id, stored["version"], sources_from_json(unpacked(stored["sources"])))

    def change(
        self,
        user_id: str,
        decide: "Callable[[Account], Consequences | None]",
        event_of: "Callable[[Consequences], PaymentEvent] | None" = None,
    ) -> Account:
        """Reads an account, lets `decide` say what becomes of it, and writes that; the account as it is then.

        Where somebody else wrote meanwhile it begins again, so `decide` may be called several times, also with past
        records where it needs them. None from it: nothing is written. `event_of` gives the event that is settled with
        the change. Raises `TryAgain` when others were faster every time, and what `commit` raises.
        """

        def write(account: Account) -> Account:
            decided = decide(account)
            return account if decided is None else self.commit(decided, event_of(decided) if event_of else None)

        return retry(lambda: self.evaluate(user_id, write), self._sleep)

    def commit(self, decided: "Consequences", event: "PaymentEvent | None" = None) -> Account:
        """Writes one change whole, in one transaction, and returns the account as stored.

        Raises `LostRace` when somebody else wrote this account meanwhile, `PastNeeded` when a payment is among those
        that were not read, and `Duplicate` when the event was already processed: then nothing was written, now or ever,
        by this call.
        """
        writes = []
        after = after_event(decided, event)
        if event is not None:
            from billing.store.payment_events import marker

            writes.append(marker(self._events_table, event))
        if decided.changed:
            sources = packed(sources_to_json(decided.sources))
            writes.append(self._snapshot_write(decided, after, sources))
            items = [*self._record_items(decided, after), *(ledger_item(after.user_id, e) for e in decided.lines)]
            if decided.history:
                items.append(_history_item(decided, event, sources))
            version = item({"account_version": after.version})
            writes += [{"Put": {"TableName": self._table, "Item": {**stored, **version}}} for stored in items]
            writes += self._deletions(decided)
            writes += self._link_writes(decided)
        if decided.vouchers:
            from billing.store.vouchers import voucher_write

            writes += [voucher_write(self._table, change) for change in decided.vouchers]
        if decided.own_key and decided.before.version == 0:
            from billing.store.identities import own_key_stays  # only a buyer's first write needs it

            writes.append(own_key_stays(self._table, after.user_id))
        if decided.by is not None:
            from billing.store.audit import audit_item

            writes.append({"Put": {"TableName": self._table, "Item": audit_item(decided, decided.by)}})
        if event is not None and len(writes) == 1:
            put_event(self._aws, writes[0]["Put"])
        elif writes:
            self._transact(writes, decided)
        return after

    def _transact(self, writes: list[dict[str, Any]], decided: "Consequences") -> None:
        try:
            transact(self._aws, writes)
        except ForeignLink as foreign:
            provider, _, object_id = foreign.link.partition("#")
            if foreign.link in decided.once and self.owner(provider, [object_id]) == decided.after.user_id:
                raise PastNeeded from foreign
            raise

    def _record_items(self, decided: "Consequences", after: Account) -> Iterator[Item]:
        """Each record at its place. One that only moved is marked, because it is no news. The past copy of one that
        came back stays as it was: the one in the range counts."""
        changed = {r.record: r for r in decided.records}
        behind = after.behind | {r.record for r in decided.left}
        for key, record in {**changed, **{r.record: r for r in (*decided.left, *decided.back)}}.items():
            stored = record_to_item(after.user_id, record, behind=key in behind)
            yield stored if key in changed else {**stored, MOVED: {"BOOL": True}}

    def _deletions(self, decided: "Consequences") -> Iterator[dict[str, Any]]:
        """Of records that leave the range: what stands in it."""
        for record in decided.left:
            if record.record in decided.before.records:
                old = item({"user_id": decided.after.user_id, "record": record.record})
                yield {"Delete": {"TableName": self._table, "Key": old}}

    def past(self, user_id: str, prefix: str, limit: int, until: int | None = None) -> list[dict[str, Any]]:
        """The newest lines of a ledger or history (`LEDGER`, `HISTORY`) up to a time, as values. Their sources are
        `packed`."""
        last = f"{prefix}~" if until is None else f"{prefix}{until:012d}#~"
        stored = between(self._aws, self._table, user_id, prefix, last, ScanIndexForward=False, Limit=limit)
        lines = map(values, islice(stored, limit))
        return [{**line, "changes": json.loads(line["changes"])} if "changes" in line else line for line in lines]

    def sources_at(self, user_id: str, at: int) -> tuple[Source, ...] | None:
        """What the snapshot held at a time (Unix seconds); None before the account's history begins."""
        newest = self.past(user_id, HISTORY, 1, at)
        return sources_from_json(unpacked(newest[0]["sources"])) if newest else None

    def owner(self, provider: str, object_ids: Iterable[str]) -> str | None:
        """The user whose account a provider's id was linked to; None when unknown."""
        for object_id in object_ids:
            link = read_item(
                self._aws, self._table, item({"user_id": f"link#{provider}#{object_id}", "record": "link"})
            )
            if link is not None:
                return str(link["owner"])
        return None

    def _snapshot_write(self, decided: "Consequences", after: Account, sources: str) -> dict[str, Any]:
        version = decided.before.version
        snapshot = item(
            {
                "user_id": after.user_id,
                "record": SNAPSHOT,
                "version": after.version,
                "sources": sources,
                "updated_at": decided.at,
                "recent_events": " ".join(after.recent_events) or None,
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

    def _link_writes(self, decided: "Consequences") -> Iterator[dict[str, Any]]:
        """Links provider ids to the account. An id that belongs to somebody else cancels the whole transaction; one of
        `once` also if it belongs to this account already."""
        user_id = decided.after.user_id
        unowned = "attribute_not_exists(#owner)"
        ours = item({":user": user_id})
        for link in sorted(decided.links | decided.once):
            put: dict[str, Any] = {
                "TableName": self._table,
                "Item": item({"user_id": f"link#{link}", "record": "link", "owner": user_id}),
                "ConditionExpression": unowned,
                "ExpressionAttributeNames": {"#owner": "owner"},
            }
            if link not in decided.once:
                put |= {"ConditionExpression": f"{unowned} OR #owner = :user", "ExpressionAttributeValues": ours}
            yield {"Put": put}


def after_event(decided: "Consequences", event: "PaymentEvent | None") -> Account:
    """The account as it is written with an event: it remembers an event that this settles."""
    if event is None or event.status != "processed" or not decided.changed:
        return decided.after
    return decided.after.after_event(event.event_id)


def nothing_past(records: Mapping[str, Record]) -> bool:
    return ENDED not in records and all(r.past_until is None for r in records.values() if isinstance(r, Subscription))


def lacking(records: Mapping[str, Record]) -> bool:
    """Whether these records mean nothing without the past ones."""
    ended = records.get(ENDED)
    return isinstance(ended, Ended) and ended.lacking


def with_past(account: Account, past: Iterable[Record]) -> Account:
    """The account with its past records. Where a record is in the range again, that one counts, as written later."""
    here = {(of.provider, p.payment_id) for of, p in account.at_hand if isinstance(of, Subscription)}
    added = {r.record: r for r in past if r.record not in account.records}
    added = {
        key: r
        for key, r in added.items()
        if not isinstance(r, PastPayment) or (r.provider, r.payment.payment_id) not in here
    }
    behind = frozenset(key for key, r in added.items() if isinstance(r, Purchase))
    # In the table's order: views list records of the same age in it.
    return replace(account, records=dict(sorted({**account.records, **added}.items())), behind=behind)


def ledger_item(user_id: str, entry: "LedgerEntry") -> Item:
    """A ledger line as stored; counts of 0 are left out."""
    fields = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
    counts = {name: fields[name] or None for name in ("users", "subscribers", "tax_cents")}
    return item({"user_id": user_id, "record": entry.record, **fields, **counts})


def ledger_entry(stored: Mapping[str, Any]) -> "LedgerEntry":
    """A ledger line from the values of its item, for the stream and for reports."""
    from billing.rules.ledger import LedgerEntry  # the gates and most pages never load this

    fields: dict[str, Any] = {name: stored[name] for name in LedgerEntry.__dataclass_fields__ if name in stored}
    return LedgerEntry(**fields)


def _history_item(decided: "Consequences", event: "PaymentEvent | None", sources: str) -> Item:
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
