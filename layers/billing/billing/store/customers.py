"""The list of customers and the search among them, without a scan: an index that follows the accounts.

The stream's consumer calls `refresh` for every account that changed. It reads the account as it is now and writes what
differs, so a repeat changes nothing and the newest state wins whatever the order. What an account has in the index is
noted beside (`customer_of#<user>`), so that what no longer holds is found and removed. The ids of a payment hold for
good: once it is past (see `rules.past`) they have a note of their own, so that no note grows with what was ever paid.

A list (all, a plan, a status, a rail, at risk, with credits, by their end) lies in four partitions, each sorted by
time; an id that can be searched lies in one of four, as it is written and once more from its end. A page reads a
bounded number of items, however many customers there are.
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
from billing.rules.customers import Customer, IdKind, customer, past_ids
from billing.rules.records import ERASED, PastPayment
from billing.store.accounts import AccountStore
from billing.store.codec import SHARDS, Item, item, values
from billing.store.queries import all_items, pages
from billing.store.transactions import retry, transact

_ALL, _ENDS = "all", "ends"
_STATE: Item = item({"user_id": "customers#state", "record": "customers"})
# One transaction holds at most 100 writes; ids are only ever added before, so that none of them can be too many.
_WRITES = 90
# The length of a mark, and how that of an id begins that leads to a payment.
_MARK, _FOR_GOOD = 8, "+"
# What a page reads at most before it says that there is more, when few of what it reads fit the filters.
_READ = 1_000
_PER_QUERY = 100
# Fewer characters than these are the end of too many ids.
SHORTEST_END = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is asked of the list; None or False: everything. `ends_by` (Unix seconds): all they have ends by then."""

    plan: str | None = None
    status: str | None = None
    rail: str | None = None
    at_risk: bool = False
    has_credits: bool = False
    ends_by: int | None = None

    @property
    def list(self) -> str:
        """The list to read: the one that is likely the shortest. What it does not say itself is compared."""
        if self.ends_by is not None:
            return _ENDS
        if self.at_risk:
            return "at_risk"
        if self.has_credits:
            return "credits"
        for name, value in (("status", self.status), ("rail", self.rail), ("plan", self.plan)):
            if value is not None:
                return f"{name}={value}"
        return _ALL

    def fit(self, found: Mapping[str, Any]) -> bool:
        return (
            (self.plan is None or self.plan in found["plans"])
            and (self.status is None or found["status"] == self.status)
            and (self.rail is None or self.rail in found["rails"])
            and (not self.at_risk or bool(found["at_risk"]))
            and (not self.has_credits or bool(found["has_credits"]))
        )


@dataclass(frozen=True, slots=True)
class Found:
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
        for record in self._accounts.load(user_id, whole=True).records.values() if whole else ():
            if isinstance(record, PastPayment):
                self.keep(user_id, record)
        return changed

    def _refresh(self, user_id: str, now: int) -> bool:
        known = self._known(user_id)
        had = known["keys"] if known else {}
        # Before there were marks of what holds for good, every id was in this note.
        unmarked = any(key.startswith("found") and len(mark) == _MARK for key, mark in had.items())
        account = self._accounts.load(user_id, whole=unmarked)
        past = [r for r in account.records.values() if isinstance(r, PastPayment)]
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
        if known is None and not wanted:
            return False
        keys = {key: _print(stored) for key, stored in wanted.items()}
        if keys == had and not gone:
            return False
        puts = [{"Put": {"TableName": self._table, "Item": stored}} for stored in fresh.values()]
        deletes = [{"Delete": {"TableName": self._table, "Key": _key(key)}} for key in gone]
        writes = [*puts, *deletes]
        while len(writes) > _WRITES:  # of an account with very many ids; each write stands for itself
            transact(self._aws, writes[:_WRITES])
            writes = writes[_WRITES:]
        transact(self._aws, [*writes, self._note(user_id, account.version, keys, known)])
        return True

    def keep(self, user_id: str, record: PastPayment) -> None:
        """Sees to it that a payment is found once it is past, and noted where an erasure finds it."""
        if user_id.startswith(ERASED):
            return
        found = _past_items(user_id, record)
        note = {"user_id": f"customer_of#{user_id}", "record": record.record, "keys": [_key_of(one) for one in found]}
        writes = [{"Put": {"TableName": self._table, "Item": item(one)}} for one in (*found, note)]
        retry(lambda: transact(self._aws, writes), self._sleep)

    def _past(self, user_id: str) -> list[str]:
        """All that was kept of what is past, and the notes of it."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :noted AND begins_with(#record, :past)",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":noted": f"customer_of#{user_id}", ":past": "~payment#"}),
        }
        found = []
        for note in map(values, all_items(self._aws, request)):
            found += [*json.loads(note["keys"]), f"{note['user_id']}|{note['record']}"]
        return found

    def _known(self, user_id: str) -> dict[str, Any] | None:
        key = item({"user_id": f"customer_of#{user_id}", "record": "customer"})
        stored = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if stored is None:
            return None
        found = values(stored)
        return {"account": found["account"], "keys": json.loads(found["keys"]), "turn": found["turn"]}

    def _note(
        self, user_id: str, version: int, keys: Mapping[str, str], known: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """What the index has of an account; whoever read an older note begins again."""
        key = {"user_id": f"customer_of#{user_id}", "record": "customer"}
        unseen = "attribute_not_exists(#record)"
        as_read = "turn = :turn"
        guarded: dict[str, Any] = (
            {"ConditionExpression": as_read, "ExpressionAttributeValues": item({":turn": known["turn"]})}
            if known
            else {"ConditionExpression": unseen, "ExpressionAttributeNames": {"#record": "record"}}
        )
        if not keys and known:
            return {"Delete": {"TableName": self._table, "Key": item(key), **guarded}}
        turn = known["turn"] + 1 if known else 1
        noted = item({**key, "account": version, "keys": dict(keys), "turn": turn})
        return {"Put": {"TableName": self._table, "Item": noted, **guarded}}

    def taken_in(self, changed_at: int, now: int) -> None:
        """Notes that changes until `changed_at` are in the index, for whoever asks how old it is."""
        stored = {**_STATE, **item({"changed_at": changed_at, "taken_in_at": now})}
        self._aws.call("dynamodb", "put_item", TableName=self._table, Item=stored)

    def state(self) -> dict[str, int] | None:
        """`changed_at` of the newest change that is in the index, and `taken_in_at`; None before the first."""
        stored = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=_STATE).get("Item")
        if stored is None:
            return None
        found = values(stored)
        return {name: found[name] for name in ("changed_at", "taken_in_at")}

    # --- asking ------------------------------------------------------------------------------------------------------

    def page(self, asked: Filters, cursor: str, limit: int, now: int) -> tuple[list[dict[str, Any]], str | None]:
        """Customers that fit, the newest first (by their end: the next end first), and the cursor of the next page.

        A page may hold fewer than `limit`, and still have a next one: it reads no more than so many customers.
        """
        last = None
        found: list[dict[str, Any]] = []
        for number, (place, stored) in enumerate(self._list(asked, cursor, now)):
            if len(found) == limit or number == _READ:
                return found, last
            last = place
            if asked.fit(stored):
                found.append(stored)
        return found, None

    def _list(self, asked: Filters, cursor: str, now: int) -> Iterator[tuple[str, dict[str, Any]]]:
        forward = asked.list == _ENDS
        if forward:
            first = cursor or f"{now:012d}"
            between = (f"{first}\x7f" if cursor else first, f"{asked.ends_by:012d}~")
        else:
            between = ("0", cursor or "9")
        shards = (self._shard(f"customers#{asked.list}#{n}", between, forward) for n in range(SHARDS))
        found = heapq.merge(*shards, key=lambda pair: pair[0], reverse=not forward)
        return (pair for pair in found if pair[0] != cursor)

    def _shard(self, shard: str, between: tuple[str, str], forward: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :list AND #record BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":list": shard, ":first": between[0], ":last": between[1]}),
            "ScanIndexForward": forward,
            "Limit": _PER_QUERY,
        }
        for found in map(values, all_items(self._aws, request)):
            yield found["record"], json.loads(found["customer"])

    def search(self, text: str, limit: int) -> list[Found]:
        """Whose ids begin with a text, or (four characters and more) end with it; capital letters do not matter."""
        wanted = text.lower()
        found: dict[tuple[str, str], Found] = {}
        ways = [("found", wanted)]
        if len(wanted) >= SHORTEST_END:
            ways.append(("found_back", wanted[::-1]))
        for kind, start in ways:
            for number in range(SHARDS):
                for one in islice(self._begins(f"{kind}#{number}", start), limit):
                    found.setdefault((one.user_id, one.id), one)
        ordered = sorted(found.values(), key=lambda one: (one.id.lower() != wanted, one.id, one.user_id))
        return ordered[:limit]

    def _begins(self, shard: str, start: str) -> Iterator[Found]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :ids AND begins_with(#record, :start)",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":ids": shard, ":start": start}),
            "Limit": _PER_QUERY,
        }
        for found in map(values, all_items(self._aws, request)):
            yield Found(found["owner"], found["id"], found["what"])

    def of(self, user_id: str, now: int) -> dict[str, Any] | None:
        """One customer, as the list shows them; from the account itself."""
        seen = self._accounts.snapshot(user_id)
        found = customer(self._accounts.load(user_id), seen.sources, now) if seen.version else None
        return _shown(found) if found else None

    # --- rebuilding: an operator's work, which reads the whole table --------------------------------------------------

    def everybody(self) -> Iterator[list[str]]:
        """All users with an account, and all that the index knows, page by page."""
        request = {
            "TableName": self._table,
            "FilterExpression": "#record = :snapshot OR begins_with(user_id, :noted)",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":snapshot": "entitlements", ":noted": "customer_of#"}),
            "ProjectionExpression": "user_id",
        }
        for page in pages(self._aws, request, "scan"):
            yield sorted({stored["user_id"]["S"].removeprefix("customer_of#") for stored in page})


def _items(found: Customer | None) -> dict[str, Item]:
    """Everything that the index holds of a customer, by its key."""
    if found is None:
        return {}
    number = zlib.crc32(found.user_id.encode()) % SHARDS
    lists = [_ALL, f"status={found.status}", *(f"plan={p}" for p in found.plans), *(f"rail={r}" for r in found.rails)]
    lists += [name for name, holds in (("at_risk", found.at_risk), ("credits", found.has_credits)) if holds]
    places = [(name, found.since) for name in lists]
    if found.ends_at is not None:
        places.append((_ENDS, found.ends_at))
    shown = _shown(found)
    stored = [
        {"user_id": f"customers#{name}#{number}", "record": f"{at:012d}#{found.user_id}", "customer": shown}
        for name, at in places
    ]
    for text, what in found.ids:
        stored += _ways(found.user_id, text, what)
    return {_key_of(one): item(one) for one in stored}


def _ways(user_id: str, text: str, what: IdKind) -> list[dict[str, Any]]:
    """By its beginning, and by its end."""
    number = zlib.crc32(user_id.encode()) % SHARDS
    named = {"owner": user_id, "id": text, "what": what}
    return [
        {"user_id": f"found#{number}", "record": f"{text.lower()}#{user_id}", **named},
        {"user_id": f"found_back#{number}", "record": f"{text.lower()[::-1]}#{user_id}", **named},
    ]


def _past_items(user_id: str, record: PastPayment) -> list[dict[str, Any]]:
    return [one for name, what in past_ids(record) for one in _ways(user_id, name, what)]


def _key_of(stored: Mapping[str, Any]) -> str:
    return f"{stored['user_id']}|{stored['record']}"


def _shown(found: Customer) -> dict[str, Any]:
    return {name: value for name, value in asdict(found).items() if name != "ids"}


def _key(key: str) -> Item:
    user_id, _, record = key.partition("|")
    return item({"user_id": user_id, "record": record})


def _print(stored: Item) -> str:
    """A short mark of what an item holds, to see whether it has to be written again, and whether it holds for good."""
    lasting = _FOR_GOOD if stored.get("what", {}).get("S") in ("invoice", "transaction") else "-"
    sort = lasting if "what" in stored else ""
    return f"{sort}{zlib.crc32(json.dumps(stored, sort_keys=True).encode()):0{_MARK}x}"
