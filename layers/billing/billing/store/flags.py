"""Flags: one small item beside the plans, changed at its version."""

import json
import secrets
from dataclasses import replace

from botocore.exceptions import ClientError

from billing.aws import Aws
from billing.errors import Conflict
from billing.rollout import Flag, Flags
from billing.store.codec import Item, item, values

# No plan can have this id: "#" is not allowed in one.
_KEY: Item = {"plan_id": {"S": "#flags"}, "version": {"N": "0"}}


class FlagStore:
    def __init__(self, aws: Aws, plans_table: str) -> None:
        self._aws = aws
        self._table = plans_table

    def read(self) -> Flags:
        answer = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=_KEY)
        if "Item" not in answer:
            return Flags()
        found = values(answer["Item"])
        flags = {name: Flag(f["percent"], tuple(f["allow"])) for name, f in json.loads(found["flags"]).items()}
        return Flags(found["revision"], found["salt"], flags)

    def put(self, name: str, flag: Flag) -> Flags:
        """Sets one flag and returns all. Raises `Conflict` when another was set meanwhile."""
        before = self.read()
        after = replace(
            before,
            version=before.version + 1,
            salt=before.salt or secrets.token_hex(8),
            flags={**before.flags, name: flag},
        )
        first = "attribute_not_exists(plan_id)"
        unchanged_since_read = "revision = :revision"
        content = {"revision": after.version, "salt": after.salt, "flags": after.to_json()["flags"]}
        put = {"TableName": self._table, "Item": {**_KEY, **item(content)}}
        if before.version:
            put |= {
                "ConditionExpression": unchanged_since_read,
                "ExpressionAttributeValues": item({":revision": before.version}),
            }
        else:
            put["ConditionExpression"] = first
        try:
            self._aws.call("dynamodb", "put_item", **put)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            raise Conflict("the flags were changed meanwhile: read them again", code="version_conflict") from error
        return after
