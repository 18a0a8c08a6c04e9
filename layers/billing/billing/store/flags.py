"""Flags: one small item beside the plans, changed at its version."""

import json
from typing import Any

from billing.aws import Aws
from billing.rules.rollout import Flag, Flags
from billing.store.codec import Item, item, values
from billing.store.dynamodb import transact

# No plan can have this id: "#" is not allowed in one.
_KEY: Item = {"plan_id": {"S": "#flags"}, "version": {"N": "0"}}


class FlagStore:
    def __init__(self, aws: Aws, plans_table: str) -> None:
        self._aws = aws
        self._table = plans_table

    def read(self, *, fresh: bool = False) -> Flags:
        answer = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=_KEY, ConsistentRead=fresh)
        if "Item" not in answer:
            return Flags()
        stored = values(answer["Item"])
        flags = {name: Flag(f["percent"], tuple(f["allow"])) for name, f in json.loads(stored["flags"]).items()}
        return Flags(stored["revision"], stored["salt"], flags)

    def replace(self, before: Flags, after: Flags, *besides: dict[str, Any]) -> None:
        """Writes `after` where `before` still stands, and `besides` with it. Raises `LostRace` when it does not."""
        content = {"revision": after.version, "salt": after.salt, "flags": after.to_json()["flags"]}
        put: dict[str, Any] = {"TableName": self._table, "Item": {**_KEY, **item(content)}}
        if before.version:
            unchanged_since_read = "revision = :revision"
            put["ConditionExpression"] = unchanged_since_read
            put["ExpressionAttributeValues"] = item({":revision": before.version})
        else:
            first = "attribute_not_exists(plan_id)"
            put["ConditionExpression"] = first
        transact(self._aws, [{"Put": put}, *besides])
