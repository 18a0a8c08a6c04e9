"""Vouchers as they are stored: one item each under a hash of its code, and what was made together as a batch.

Nothing here holds a code. A batch's vouchers are listed by the ids that were written with it.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from billing.aws import Aws
from billing.data import fields
from billing.rules.vouchers import Batch, Issued, Taken, Voucher, VoucherChange
from billing.store.codec import Item, item, values
from billing.store.dynamodb import LostRace, beginning, read_item, transact

RECORD = "voucher"
_BATCHES = "vouchers"
# Items of one transaction, and keys of one read of many.
_TOGETHER = 100


class VoucherStore:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def get(self, voucher_id: str) -> Voucher | None:
        """As it is now."""
        stored = read_item(self._aws, self._table, _key(voucher_id))
        return None if stored is None else _voucher(stored)

    def many(self, voucher_ids: Sequence[str]) -> dict[str, Voucher]:
        """Those that there are, by id; as they were a moment ago at least."""
        by_id: dict[str, Voucher] = {}
        for start in range(0, len(voucher_ids), _TOGETHER):
            keys = [_key(name) for name in voucher_ids[start : start + _TOGETHER]]
            while keys:
                answer = self._aws.call(
                    "dynamodb", "batch_get_item", RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
                )
                read = map(_voucher, map(values, answer["Responses"].get(self._table, ())))
                by_id |= {voucher.voucher_id: voucher for voucher in read}
                keys = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        return by_id

    def make(self, batch: Batch, vouchers: Sequence[Voucher], noted: dict[str, Any]) -> bool:
        """Puts a batch on record, with the entry of the audit log; whether it was made now.

        Vouchers first: until the batch is written nobody is told a code. What an interrupted call left behind is taken
        as it is, never written again: one of them might have been redeemed since.
        """
        for start in range(0, len(vouchers), _TOGETHER):
            puts = [
                {"Put": {"TableName": self._table, "Item": _item(v), **_UNKNOWN}}
                for v in vouchers[start : start + _TOGETHER]
            ]
            try:
                transact(self._aws, puts)
            except LostRace:
                if len(self.many([v.voucher_id for v in vouchers[start : start + _TOGETHER]])) < len(puts):
                    raise
        ids = json.dumps([v.voucher_id for v in vouchers])
        stored = item({"user_id": _BATCHES, "record": f"batch#{batch.batch_id}", **_plain(batch)})
        listed = item({"user_id": _BATCHES, "record": f"ids#{batch.batch_id}", "ids": ids})
        try:
            transact(
                self._aws,
                [{"Put": {"TableName": self._table, "Item": i, **_UNKNOWN}} for i in (stored, listed)] + [noted],
            )
        except LostRace:
            if self.batch(batch.batch_id) is None:
                raise
            return False
        return True

    def batch(self, batch_id: str) -> Batch | None:
        stored = self._of_batch(f"batch#{batch_id}")
        return Batch(**_fields(Batch, stored)) if stored else None

    def batches(self) -> Iterator[Batch]:
        stored = beginning(self._aws, self._table, _BATCHES, "batch#")
        return (Batch(**_fields(Batch, values(batch))) for batch in stored)

    def of_batch(self, batch_id: str) -> list[Voucher]:
        """In the order of their numbers."""
        stored = self._of_batch(f"ids#{batch_id}")
        ids: list[str] = json.loads(stored["ids"]) if stored else []
        vouchers = self.many(ids)
        return [vouchers[name] for name in ids if name in vouchers]

    def close(self, voucher: Voucher, *, returned: bool) -> bool:
        """Revokes one, as it was read; whether it was still so. What is redeemed is followed by its account."""
        closed = {":closed": "revoked", **({":returned": True} if returned else {})}
        as_read = "attribute_not_exists(closed)" if voucher.closed is None else "closed = :closed"
        as_read += " AND " + ("attribute_not_exists(holder)" if voucher.holder is None else "holder = :holder")
        if voucher.holder is not None:
            closed[":holder"] = voucher.holder
        update = {
            "TableName": self._table,
            "Key": _key(voucher.voucher_id),
            "UpdateExpression": "SET closed = :closed" + (", returned = :returned" if returned else ""),
            "ConditionExpression": as_read,
            "ExpressionAttributeValues": item(closed),
        }
        try:
            transact(self._aws, [{"Update": update}])
        except LostRace:
            return False
        return True

    def close_unused(self, vouchers: Sequence[Voucher]) -> set[str]:
        """Revokes many that nobody has redeemed, so many at once as one transaction takes; the ids of those that are.

        Those of a transaction in which one was redeemed meanwhile are left to be closed one by one.
        """
        closed: set[str] = set()
        for start in range(0, len(vouchers), _TOGETHER):
            chunk = vouchers[start : start + _TOGETHER]
            unused = {
                "UpdateExpression": "SET closed = :closed",
                "ConditionExpression": "attribute_not_exists(closed) AND attribute_not_exists(holder)",
                "ExpressionAttributeValues": item({":closed": "revoked"}),
            }
            try:
                transact(
                    self._aws,
                    [{"Update": {"TableName": self._table, "Key": _key(v.voucher_id), **unused}} for v in chunk],
                )
            except LostRace:
                continue
            closed |= {voucher.voucher_id for voucher in chunk}
        return closed

    def _of_batch(self, record: str) -> dict[str, Any] | None:
        return read_item(self._aws, self._table, item({"user_id": _BATCHES, "record": record}))


def voucher_write(table: str, change: VoucherChange) -> dict[str, Any]:
    """What an account's change means for a voucher, as part of the transaction that writes it."""
    on: dict[str, Any] = {"TableName": table, "Key": _key(change.voucher_id)}
    if isinstance(change, Issued):
        sold = {"plan_id": change.plan_id, "plan_version": change.plan_version, "currency": change.currency}
        expression = "SET " + ", ".join(f"{name} = :{name}" for name in sold)
        params = {f":{name}": value for name, value in sold.items()}
        if change.closed is None:
            expression += " REMOVE closed"
        else:
            expression, params = f"{expression}, closed = :closed", {**params, ":closed": change.closed}
        return {"Update": {**on, "UpdateExpression": expression, "ExpressionAttributeValues": item(params)}}
    if isinstance(change, Taken):
        made, free, open_ = "attribute_exists(#record)", "attribute_not_exists(holder)", "attribute_not_exists(closed)"
        return {
            "Update": {
                **on,
                "UpdateExpression": "SET holder = :holder",
                "ConditionExpression": f"{made} AND {free} AND {open_}",
                "ExpressionAttributeNames": {"#record": "record"},
                "ExpressionAttributeValues": item({":holder": change.holder}),
            }
        }
    same = "attribute_not_exists(closed)" if change.closed is None else "closed = :closed"
    same += " AND " + ("returned = :yes" if change.returned else "attribute_not_exists(returned)")
    params = {**({":closed": change.closed} if change.closed else {}), **({":yes": True} if change.returned else {})}
    check = {**on, "ConditionExpression": same}
    return {"ConditionCheck": {**check, "ExpressionAttributeValues": item(params)} if params else check}


_UNKNOWN = {
    "ConditionExpression": "attribute_not_exists(#record)",
    "ExpressionAttributeNames": {"#record": "record"},
}


def _key(voucher_id: str) -> Item:
    return item({"user_id": f"voucher#{voucher_id}", "record": RECORD})


def _item(voucher: Voucher) -> Item:
    fields = {name: value for name, value in _plain(voucher).items() if name != "voucher_id"}
    return {**_key(voucher.voucher_id), **item(fields)}


def _voucher(stored: dict[str, Any]) -> Voucher:
    return Voucher(voucher_id=stored["user_id"].removeprefix("voucher#"), **_fields(Voucher, stored))


def _plain(thing: Any) -> dict[str, Any]:
    """Without what is empty or off; None is left out when it becomes an item."""
    attributes = {f.name: getattr(thing, f.name) for f in fields(thing)}
    return {name: value for name, value in attributes.items() if value is not False and value != {}}


def _fields(kind: type, stored: dict[str, Any]) -> dict[str, Any]:
    decoded = {f.name: stored[f.name] for f in fields(kind) if f.name in stored}
    if "features" in decoded:
        decoded["features"] = json.loads(decoded["features"])
    return decoded
