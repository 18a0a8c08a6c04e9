"""Usage counters: one item per user and metered feature, changed by one conditional write.

`version` grows with every write: whoever computed a new counter from version n may store it as n + 1, once.
"""

import json
from collections.abc import Mapping
from typing import Any

from billing.aws import Aws, AwsError
from billing.data import asdict, dataclass
from billing.rules.allowances import Counter, Quota, Reservation
from billing.store.codec import Item, item, values
from billing.store.dynamodb import CONFLICT, LostRace, beginning, read_item, transact

_PREFIX = "usage#"
# How long an idempotency key is remembered, in seconds.
KEY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Stored:
    """A counter as read; version 0 is one that was never written."""

    version: int
    counter: Counter


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered to an idempotency key: a digest of the request, and the result."""

    request: str
    result: Mapping[str, Any]


class CounterStore:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def read(self, user_id: str, feature: str) -> Stored:
        return _stored(read_item(self._aws, self._table, _key(user_id, feature)))

    def read_all(self, user_id: str) -> dict[str, Counter]:
        """Every counter of a user, by feature: one Query."""
        found = beginning(self._aws, self._table, user_id, _PREFIX, ConsistentRead=True)
        return {i["record"].removeprefix(_PREFIX): _stored(i).counter for i in map(values, found)}

    def add_use(self, user_id: str, feature: str, quota: Quota, amount: int) -> tuple[bool, Stored]:
        """Takes `amount` from the period's allowance if it fits: one write, whoever else writes at the time. Returns
        whether it fitted, and the counter: after it, or as it stood in the way."""
        same_period = "#period = :period"
        enough_left = "#used <= :room"
        numbers = {":period": quota.period, ":room": quota.limit - amount, ":amount": amount, ":one": 1}
        try:
            answer = self._aws.call(
                "dynamodb",
                "update_item",
                TableName=self._table,
                Key=_key(user_id, feature),
                UpdateExpression="ADD #used :amount, version :one",
                ConditionExpression=f"{same_period} AND {enough_left}",
                ExpressionAttributeNames={"#period": "period", "#used": "used"},
                ExpressionAttributeValues=item(numbers),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            if error.code == CONFLICT:
                raise LostRace(CONFLICT) from error
            if error.code != "ConditionalCheckFailedException":
                raise
            return False, _stored(values(error.item) if error.item else None)
        return True, _stored(values(answer["Attributes"]))

    def replace(
        self,
        user_id: str,
        feature: str,
        before: Stored,
        counter: Counter,
        now: int,
        key: str | None = None,
        answered: Answered | None = None,
    ) -> None:
        """Stores a counter computed from `before`, and with it the answer to an idempotency key.

        Raises `LostRace` when somebody else wrote meanwhile, or answered the same key.
        """
        put = {"TableName": self._table, "Item": _item(user_id, feature, before.version + 1, counter)}
        if before.version:
            put |= {
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": item({":version": before.version}),
            }
        else:
            put["ConditionExpression"] = "attribute_not_exists(user_id)"
        if key is not None and answered is not None:
            transact(self._aws, [{"Put": put}, {"Put": self._answer_write(user_id, key, answered, now)}])
            return
        try:
            self._aws.call("dynamodb", "put_item", **put)
        except AwsError as error:
            if error.code not in ("ConditionalCheckFailedException", CONFLICT):
                raise
            raise LostRace("the counter was changed meanwhile") from error

    def answered(self, user_id: str, key: str, now: int) -> Answered | None:
        """What was answered to this key within its lifetime."""
        stored = read_item(self._aws, self._table, _answer_key(user_id, key))
        if stored is None:
            return None
        return Answered(stored["request"], json.loads(stored["result"])) if stored["ttl"] > now else None

    def _answer_write(self, user_id: str, key: str, answered: Answered, now: int) -> dict[str, Any]:
        never_used = "attribute_not_exists(user_id)"
        forgotten = "#ttl <= :now"
        stored = {"request": answered.request, "result": dict(answered.result), "ttl": now + KEY_SECONDS}
        return {
            "TableName": self._table,
            "Item": {**_answer_key(user_id, key), **item(stored)},
            "ConditionExpression": f"{never_used} OR {forgotten}",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": item({":now": now}),
        }


def _key(user_id: str, feature: str) -> Item:
    return item({"user_id": user_id, "record": f"{_PREFIX}{feature}"})


def _answer_key(user_id: str, key: str) -> Item:
    return item({"user_id": user_id, "record": f"~usage-key#{key}"})


def _item(user_id: str, feature: str, version: int, counter: Counter) -> Item:
    held = {name: asdict(reservation) for name, reservation in counter.reservations.items()}
    return {
        **_key(user_id, feature),
        **item(
            {
                "version": version,
                "period": counter.period,
                "used": counter.used,
                "spent": dict(counter.spent) or None,
                "reservations": held or None,
            }
        ),
    }


def _stored(read: Mapping[str, Any] | None) -> Stored:
    if read is None:
        return Stored(0, Counter())
    held = json.loads(read.get("reservations", "{}"))
    reservations = {name: _reservation(reservation) for name, reservation in held.items()}
    spent = json.loads(read.get("spent", "{}"))
    return Stored(read["version"], Counter(read["period"], read["used"], spent, reservations))


def _reservation(stored: Mapping[str, Any]) -> Reservation:
    return Reservation(**{**stored, "packs": tuple((source, units) for source, units in stored["packs"])})
