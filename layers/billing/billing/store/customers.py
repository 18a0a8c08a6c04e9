"""The list of customers and the search among them, without a scan: an index that follows the accounts.

The stream's consumer calls `refresh` for every account that changed. It reads the account as it is now and writes what
differs, so a repeat changes nothing and the newest state wins whatever the order. A note (`customer_of#<user>`) lists
the account's entries, so that outdated ones are found and removed. The ids of a payment lead to its owner for good:
those of past ones (see `rules.past`) stand in notes of their own, so that no note grows with the payments.

A list (all, a plan, a version of one, a status, a rail, at risk, with credits, by their end) lies in four partitions,
each sorted by time; an id that can be searched lies in one of four, as it is written and once more from its end. A
page reads a bounded number of items, however many customers there are.
"""

import heapq
import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from billing.aws import Aws
from billing.data import asdict, dataclass
from billing.rules.customers import Customer, IdKind, customer, past_ids, version_of
from billing.rules.records import ERASED, Account, PastPayment, Purchase
from billing.store.accounts import AccountStore
from billing.store.codec import SHARDS, Item, item, values
from billing.store.dynamodb import beginning, between, pages, read_item, retry, transact

_ALL, _ENDS = "all", "ends"
_STATE: Item = item({"user_id": "customers#state", "record": "customers"})
# One transaction holds at most 100 writes. Entries beyond that are written before it, in transactions of their own.
_WRITES = 90
# The length of an entry's checksum, and the sign before it for an id that is never removed.
_MARK, _FOR_GOOD = 8, "+"
# The kinds of id that lead to an account for as long as it exists.
_LASTING = ("invoice", "transaction", "purchase")
# How the notes of past payments and purchases begin: unlike the records, or the stream would take a note for a record.
# An earlier version's notes began as those do ("~payment#"); a query for the shared beginning finds both.
_NOTE, _NOTES = "~pastnote#", "~pa"
# A page reads at most so many customers, however few of them fit the filters; then it says that there is more.
_READ = 1_000
_PER_QUERY = 100
# A shorter text is not searched for at the end of ids: too many would match.
SHORTEST_END = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which customers to list; None or False: no filter. `version`: of the plan. `ends_by` (Unix seconds): those all of
    whose access ends by then."""

    plan: str | None = None
    version: int | None = None
    status: str | None = None
    rail: str | None = None
    at_risk: bool = False
    has_credits: bool = False
    ends_by: int | None = None

    @property
    def list(self) -> str:
        """The list to read, likely the shortest of those asked for. `fit` compares the other filters."""
        if self.ends_by is not None:
            return _ENDS
        if self.at_risk:
            return "at_risk"
        if self.has_credits:
            return "credits"
        for name, value in (
            ("version", self._version),
            ("status", self.status),
            ("rail", self.rail),
            ("plan", self.plan),
        ):
            if value is not None:
                return f"{name}={value}"
        return _ALL

    @property
    def _version(self) -> str | None:
        return version_of(self.plan, self.version) if self.plan and self.version else None

    def fit(self, customer: Mapping[str, Any]) -> bool:
        return (
            (self.plan is None or self.plan in customer["plans"])
            and (self._version is None or self._version in customer.get("versions", ()))
            and (self.status is None or customer["status"] == self.status)
            and (self.rail is None or self.rail in customer["rails"])
            and (not self.at_risk or bool(customer["at_risk"]))
            and (not self.has_credits or bool(customer["has_credits"]))
        )


@dataclass(frozen=True, slots=True)
class Match:
    user_id: str
    id: str
    what: IdKind


class CustomerIndex:
    """`accounts` reads what is indexed."""

    def __init__(
        self, aws: Aws, accounts_table: str, accounts: AccountStore, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._aws = aws
        self._table = accounts_table
        self._accounts = accounts
        self._sleep = sleep

    # --- keeping -----------------------------------------------------------------------------------------------------

    def refresh(self, user_id: str, now: int, *, whole: bool = False) -> bool:
        """Brings what the index has of an account to what the account is; whether anything had to be written.

        `whole`: with the ids of what is past, which are there already unless the index was lost.
        """
        if user_id.startswith(ERASED):
            return False
        changed = retry(lambda: self._refresh(user_id, now), self._sleep)
        for record in _past_of(self._accounts.load(user_id, whole=True)) if whole else ():
            self.keep(user_id, record)
        return changed

    def _refresh(self, user_id: str, now: int) -> bool:
        note = self._noted(user_id)
        had = note["keys"] if note else {}
        # In a note of an earlier version the ids of past payments are not marked as lasting: read them all once.
        unmarked = any(key.startswith("found") and len(mark) == _MARK for key, mark in had.items())
        account = self._accounts.load(user_id, whole=unmarked)
        past = _past_of(account)
        for record in past:
            self.keep(user_id, record)
        seen = self._accounts.snapshot(user_id, consistent=True)
        wanted = _items(customer(account, seen.sources, now)) if account.version else {}
        fresh = {key: stored for key, stored in wanted.items() if had.get(key) != _print(stored)}
        hold = {_key_of(one) for record in past for one in _past_items(user_id, record)}
        if wanted:
            hold |= {key for key, mark in had.items() if mark.startswith(_FOR_GOOD)}
        gone = [key for key in had if key not in wanted and key not in hold]
        if not wanted:
            gone += self._past(user_id)
        if note is None and not wanted:
            return False
        keys = {key: _print(stored) for key, stored in wanted.items()}
        if keys == had and not gone:
            return False
        puts = [{"Put": {"TableName": self._table, "Item": stored}} for stored in fresh.values()]
        deletes = [{"Delete": {"TableName": self._table, "Key": _key(key)}} for key in gone]
        writes = [*puts, *deletes]
        while len(writes) > _WRITES:  # an account with very many ids; these writes need no order among each other
            transact(self._aws, writes[:_WRITES])
            writes = writes[_WRITES:]
        transact(self._aws, [*writes, self._note_write(user_id, account.version, keys, note)])
        return True

    def keep(self, user_id: str, record: PastPayment | Purchase) -> None:
        """Indexes the ids of a past payment or purchase, and notes them where an erasure finds them."""
        if user_id.startswith(ERASED):
            return
        entries = _past_items(user_id, record)
        note = {
            "user_id": f"customer_of#{user_id}",
            "record": f"{_NOTE}{record.record}",
            "keys": [_key_of(one) for one in entries],
        }
        writes = [{"Put": {"TableName": self._table, "Item": item(one)}} for one in (*entries, note)]
        retry(lambda: transact(self._aws, writes), self._sleep)

    def _past(self, user_id: str) -> list[str]:
        """The keys of all entries of past payments and purchases, and of the notes that list them."""
        keys = []
        for note in map(values, beginning(self._aws, self._table, f"customer_of#{user_id}", _NOTES)):
            keys += [*json.loads(note["keys"]), f"{note['user_id']}|{note['record']}"]
        return keys

    def _noted(self, user_id: str) -> dict[str, Any] | None:
        note = read_item(self._aws, self._table, item({"user_id": f"customer_of#{user_id}", "record": "customer"}))
        if note is None:
            return None
        return {"account": note["account"], "keys": json.loads(note["keys"]), "turn": note["turn"]}

    def _note_write(
        self, user_id: str, version: int, keys: Mapping[str, str], old: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """The write of the note that lists an account's entries. It fails where another run wrote it since."""
        key = {"user_id": f"customer_of#{user_id}", "record": "customer"}
        unseen = "attribute_not_exists(#record)"
        as_read = "turn = :turn"
        guarded: dict[str, Any] = (
            {"ConditionExpression": as_read, "ExpressionAttributeValues": item({":turn": old["turn"]})}
            if old
            else {"ConditionExpression": unseen, "ExpressionAttributeNames": {"#record": "record"}}
        )
        if not keys and old:
            return {"Delete": {"TableName": self._table, "Key": item(key), **guarded}}
        turn = old["turn"] + 1 if old else 1
        noted = item({**key, "account": version, "keys": dict(keys), "turn": turn})
        return {"Put": {"TableName": self._table, "Item": noted, **guarded}}

    def taken_in(self, changed_at: int, now: int) -> None:
        """Notes that changes until `changed_at` are in the index, for whoever asks how old it is."""
        stored = {**_STATE, **item({"changed_at": changed_at, "taken_in_at": now})}
        self._aws.call("dynamodb", "put_item", TableName=self._table, Item=stored)

    def state(self) -> dict[str, int] | None:
        """`changed_at` of the newest change that is in the index, and `taken_in_at`; None before the first."""
        stored = read_item(self._aws, self._table, _STATE, consistent=False)
        return None if stored is None else {name: stored[name] for name in ("changed_at", "taken_in_at")}

    # --- asking ------------------------------------------------------------------------------------------------------

    def page(self, filters: Filters, cursor: str, limit: int, now: int) -> tuple[list[dict[str, Any]], str | None]:
        """Customers that fit, the newest first (by their end: the next end first), and the cursor of the next page.

        A page may hold fewer than `limit` and still have a next one, because it reads a bounded number of customers.
        """
        last = None
        fitting: list[dict[str, Any]] = []
        for number, (place, stored) in enumerate(self._list(filters, cursor, now)):
            if len(fitting) == limit or number == _READ:
                return fitting, last
            last = place
            if filters.fit(stored):
                fitting.append(stored)
        return fitting, None

    def _list(self, filters: Filters, cursor: str, now: int) -> Iterator[tuple[str, dict[str, Any]]]:
        forward = filters.list == _ENDS
        if forward:
            first = cursor or f"{now:012d}"
            ends = (f"{first}\x7f" if cursor else first, f"{filters.ends_by:012d}~")
        else:
            ends = ("0", cursor or "9")
        shards = (self._shard(f"customers#{filters.list}#{n}", ends, forward) for n in range(SHARDS))
        merged = heapq.merge(*shards, key=lambda pair: pair[0], reverse=not forward)
        return (pair for pair in merged if pair[0] != cursor)

    def _shard(self, shard: str, ends: tuple[str, str], forward: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        stored = between(self._aws, self._table, shard, *ends, ScanIndexForward=forward, Limit=_PER_QUERY)
        for entry in map(values, stored):
            yield entry["record"], json.loads(entry["customer"])

    def search(self, text: str, limit: int) -> list[Match]:
        """Whose ids begin with a text, or (four characters and more) end with it; capital letters do not matter."""
        wanted = text.lower()
        by_id: dict[tuple[str, str], Match] = {}
        ways = [("found", wanted)]
        if len(wanted) >= SHORTEST_END:
            ways.append(("found_back", wanted[::-1]))
        for kind, start in ways:
            for number in range(SHARDS):
                for one in islice(self._begins(f"{kind}#{number}", start), limit):
                    by_id.setdefault((one.user_id, one.id), one)
        ordered = sorted(by_id.values(), key=lambda one: (one.id.lower() != wanted, one.id, one.user_id))
        return ordered[:limit]

    def _begins(self, shard: str, start: str) -> Iterator[Match]:
        for entry in map(values, beginning(self._aws, self._table, shard, start, Limit=_PER_QUERY)):
            yield Match(entry["owner"], entry["id"], entry["what"])

    def of(self, user_id: str, now: int) -> dict[str, Any] | None:
        """One customer, as the list shows them; from the account itself."""
        seen = self._accounts.snapshot(user_id)
        current = customer(self._accounts.load(user_id), seen.sources, now) if seen.version else None
        return _shown(current) if current else None

    # --- rebuilding: an operator's work, which reads the whole table --------------------------------------------------

    def everybody(self) -> Iterator[list[str]]:
        """All users that have an account or are in the index, page by page."""
        request = {
            "TableName": self._table,
            "FilterExpression": "#record = :snapshot OR begins_with(user_id, :noted)",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":snapshot": "entitlements", ":noted": "customer_of#"}),
            "ProjectionExpression": "user_id",
        }
        for page in pages(self._aws, request, "scan"):
            yield sorted({stored["user_id"]["S"].removeprefix("customer_of#") for stored in page})


def _items(customer: Customer | None) -> dict[str, Item]:
    """Everything that the index holds of a customer, by its key."""
    if customer is None:
        return {}
    number = zlib.crc32(customer.user_id.encode()) % SHARDS
    lists = [_ALL, f"status={customer.status}", *(f"plan={p}" for p in customer.plans)]
    lists += [*(f"rail={r}" for r in customer.rails), *(f"version={v}" for v in customer.versions)]
    lists += [name for name, holds in (("at_risk", customer.at_risk), ("credits", customer.has_credits)) if holds]
    places = [(name, customer.since) for name in lists]
    if customer.ends_at is not None:
        places.append((_ENDS, customer.ends_at))
    shown = _shown(customer)
    stored = [
        {"user_id": f"customers#{name}#{number}", "record": f"{at:012d}#{customer.user_id}", "customer": shown}
        for name, at in places
    ]
    for text, what in customer.ids:
        stored += _ways(customer.user_id, text, what)
    return {_key_of(one): item(one) for one in stored}


def _ways(user_id: str, text: str, what: IdKind) -> list[dict[str, Any]]:
    """The two entries of an id: to be found by its beginning, and by its end."""
    number = zlib.crc32(user_id.encode()) % SHARDS
    named = {"owner": user_id, "id": text, "what": what}
    return [
        {"user_id": f"found#{number}", "record": f"{text.lower()}#{user_id}", **named},
        {"user_id": f"found_back#{number}", "record": f"{text.lower()[::-1]}#{user_id}", **named},
    ]


def _past_of(account: Account) -> list[PastPayment | Purchase]:
    """The payments and purchases of an account that are stored as past, as far as they were read."""
    every = ((key, r) for key, r in account.records.items() if isinstance(r, PastPayment | Purchase))
    return [r for key, r in every if isinstance(r, PastPayment) or key in account.behind]


def _past_items(user_id: str, record: PastPayment | Purchase) -> list[dict[str, Any]]:
    return [one for name, what in past_ids(record) for one in _ways(user_id, name, what)]


def _key_of(stored: Mapping[str, Any]) -> str:
    return f"{stored['user_id']}|{stored['record']}"


def _shown(customer: Customer) -> dict[str, Any]:
    return {name: value for name, value in asdict(customer).items() if name != "ids"}


def _key(key: str) -> Item:
    user_id, _, record = key.partition("|")
    return item({"user_id": user_id, "record": record})


def _print(stored: Item) -> str:
    """A checksum of an item, to see whether it has to be written again; before it, whether the id is never removed."""
    lasting = _FOR_GOOD if stored.get("what", {}).get("S") in _LASTING else "-"
    sort = lasting if "what" in stored else ""
    return f"{sort}{zlib.crc32(json.dumps(stored, sort_keys=True).encode()):0{_MARK}x}"
