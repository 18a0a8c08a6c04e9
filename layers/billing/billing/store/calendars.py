"""A buyer's calendar: one item behind the records that decide access, and a link from the hash of its address to it.
The address itself is not stored, so whoever reads the table cannot read the calendar."""

from typing import Any

from billing.aws import Aws
from billing.data import asdict, dataclass
from billing.store.accounts import LOCKED, SNAPSHOT
from billing.store.codec import Item, item
from billing.store.dynamodb import read_item, transact

CALENDAR = "~calendar"
# Attributes that an export leaves out; that there is a feed stays in it.
UNTOLD = ("address_hash", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """`seed`: random; the entries' ids are made from it, so that they stay the same. Of the feed: its language, since
    when, and the hash of its address; None: there is no feed."""

    seed: str
    language: str | None = None
    made_at: int | None = None
    address_hash: str | None = None


class CalendarStore:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def find(self, user_id: str) -> Calendar | None:
        stored = self._get(_key(user_id))
        if stored is None:
            return None
        feed = {name: stored.get(name) for name in ("language", "made_at", "address_hash")}
        return Calendar(seed=stored["seed"], **feed)

    def owner(self, address_hash: str) -> str | None:
        """Whose feed has the address; None: nobody's (any more)."""
        link = self._get(link_key(address_hash))
        return None if link is None else str(link["owner"])

    def changed_at(self, user_id: str) -> int:
        """When the account was last written; 0: never."""
        snapshot = self._get(item({"user_id": user_id, "record": SNAPSHOT}))
        return int(snapshot["updated_at"]) if snapshot else 0

    def put(self, user_id: str, before: Calendar | None, after: Calendar) -> None:
        """Replaces the calendar that was read; the old address ends as the new one begins. Raises `LostRace` when
        another one is stored by now, or while the account is being erased."""
        stored = item({"user_id": user_id, "record": CALENDAR, **asdict(after)})
        put: dict[str, Any] = {"TableName": self._table, "Item": stored}
        if before is None:
            put["ConditionExpression"] = "attribute_not_exists(seed)"
        else:
            same_feed = "address_hash = :hash" if before.address_hash else "attribute_not_exists(address_hash)"
            put["ConditionExpression"] = f"seed = :seed AND {same_feed}"
            put["ExpressionAttributeValues"] = item({":seed": before.seed, ":hash": before.address_hash})
        writes: list[dict[str, Any]] = [{"Put": put}]
        if before is not None and before.address_hash is not None:
            writes.append({"Delete": {"TableName": self._table, "Key": link_key(before.address_hash)}})
        if after.address_hash is not None:
            link = {**link_key(after.address_hash), **item({"owner": user_id})}
            writes.append({"Put": {"TableName": self._table, "Item": link}})
        not_being_erased = {
            "TableName": self._table,
            "Key": item({"user_id": user_id, "record": SNAPSHOT}),
            "ConditionExpression": f"attribute_not_exists({LOCKED})",
        }
        transact(self._aws, [*writes, {"ConditionCheck": not_being_erased}])

    def _get(self, key: Item) -> dict[str, Any] | None:
        return read_item(self._aws, self._table, key)


def link_key(address_hash: str) -> Item:
    return item({"user_id": f"calendar#{address_hash}", "record": "calendar"})


def _key(user_id: str) -> Item:
    return item({"user_id": user_id, "record": CALENDAR})
