"""Plans: immutable versions, and the index item that lists them, so that the catalogue needs no Scan."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from billing.aws import Aws, AwsError
from billing.errors import Conflict
from billing.log import Log
from billing.rules.plans import Catalogue, Plan, PlanStatus, features_from_json, features_to_json
from billing.store.codec import Item, item, values
from billing.store.dynamodb import LostRace, transact

# No plan can have this id: "#" is not allowed in one.
_INDEX: Item = {"plan_id": {"S": "#index"}, "version": {"N": "0"}}
_BATCH = 100  # BatchGetItem's limit
# How long an environment trusts its copy of the catalogue, in seconds.
CATALOGUE_TTL = 60

_log = Log()
# The revision of the catalogue, and the newest version of each plan.
_Index = tuple[int, dict[str, int]]


class PlanStore:
    """`catalogue()` answers from memory for `ttl` seconds; two calls to DynamoDB when it is read afresh.

    A copy that cannot be refreshed goes on being used: what was for sale a minute ago is no worse than no answer. A
    write holds only for the catalogue that was read last: what was decided by it may not be true of a newer one.
    """

    def __init__(
        self, aws: Aws, table: str, ttl: int = CATALOGUE_TTL, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._aws = aws
        self._table = table
        self._ttl = ttl
        self._clock = clock
        self._kept: tuple[float, Catalogue, _Index] | None = None

    def catalogue(self, *, fresh: bool = False) -> Catalogue:
        if fresh or self._kept is None:
            return self._read()
        if self._clock() - self._kept[0] <= self._ttl:
            return self._kept[1]
        try:
            return self._read()
        except AwsError as lost:
            _log.warning("catalogue not refreshed", extra={"reason": lost.code})
            return self._kept[1]

    def _read(self) -> Catalogue:
        index = self._index()
        catalogue = Catalogue(tuple(self._versions(index[1])))
        self._kept = (self._clock(), catalogue, index)
        return catalogue

    def add_version(self, plan: Plan) -> None:
        """Puts a plan version on record. `Conflict` when that version exists or the catalogue moved meanwhile."""
        self.add_versions([plan])

    def add_versions(self, plans: Sequence[Plan]) -> None:
        """Puts versions of several plans on record, all or none."""
        revision, versions = self._as_read()
        for plan in plans:
            newest = versions.get(plan.plan_id, 0)
            if newest != plan.version - 1:
                message = f"plan {plan.plan_id} is at version {newest}"
                raise Conflict(message, code="version_conflict", plan_id=plan.plan_id, version=newest)
        puts = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": _plan_item(plan),
                    "ConditionExpression": "attribute_not_exists(plan_id)",
                }
            }
            for plan in plans
        ]
        self._write(puts, revision, {**versions, **{plan.plan_id: plan.version for plan in plans}})

    def set_status(self, plan: Plan, status: PlanStatus) -> None:
        """Shows, hides or archives a version; what it grants and costs never changes."""
        revision, versions = self._as_read()
        update = {
            "TableName": self._table,
            "Key": item({"plan_id": plan.plan_id, "version": plan.version}),
            "UpdateExpression": "SET #status = :status",
            "ConditionExpression": "attribute_exists(plan_id)",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": item({":status": status}),
        }
        self._write([{"Update": update}], revision, versions)

    def link_price(self, plan: Plan, provider: str, price_id: str) -> None:
        """Notes by which price a provider sells a version. Buyers of another price are not touched."""
        revision, versions = self._as_read()
        prices = {**plan.provider_plan_ids, provider: price_id}
        update = {
            "TableName": self._table,
            "Key": item({"plan_id": plan.plan_id, "version": plan.version}),
            "UpdateExpression": "SET provider_plan_ids = :prices",
            "ConditionExpression": "attribute_exists(plan_id)",
            "ExpressionAttributeValues": item({":prices": prices}),
        }
        self._write([{"Update": update}], revision, versions)

    def _write(self, writes: list[dict[str, Any]], revision: int, versions: dict[str, int]) -> None:
        first = "attribute_not_exists(plan_id)"
        unchanged_since_read = "revision = :revision"
        index = {
            "TableName": self._table,
            "Item": {**_INDEX, **item({"revision": revision + 1, "versions": versions})},
            "ConditionExpression": unchanged_since_read if revision else first,
        }
        if revision:
            index["ExpressionAttributeValues"] = item({":revision": revision})
        self._kept = None
        try:
            transact(self._aws, [*writes, {"Put": index}])
        except LostRace as error:
            raise Conflict("the catalogue was changed meanwhile: read it again", code="version_conflict") from error

    def _as_read(self) -> _Index:
        return self._kept[2] if self._kept else self._index()

    def _index(self) -> _Index:
        answer = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=_INDEX, ConsistentRead=True)
        if "Item" not in answer:
            return 0, {}
        return int(answer["Item"]["revision"]["N"]), json.loads(answer["Item"]["versions"]["S"])

    def _versions(self, newest: dict[str, int]) -> list[Plan]:
        keys = [
            item({"plan_id": plan_id, "version": version})
            for plan_id, last in newest.items()
            for version in range(1, last + 1)
        ]
        plans = []
        while keys:
            batch, keys = keys[:_BATCH], keys[_BATCH:]
            request = {self._table: {"Keys": batch, "ConsistentRead": True}}
            answer = self._aws.call("dynamodb", "batch_get_item", RequestItems=request)
            plans += [_plan(stored) for stored in answer["Responses"].get(self._table, [])]
            keys += answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        return plans


def _plan_item(plan: Plan) -> Item:
    stored = {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
    stored["features"] = features_to_json(plan.features)
    stored["provider_plan_ids"] = dict(plan.provider_plan_ids)
    return item(stored)


def _plan(stored: Item) -> Plan:
    attributes = values(stored)
    attributes["features"] = features_from_json(json.loads(attributes["features"]))
    attributes["provider_plan_ids"] = json.loads(attributes["provider_plan_ids"])
    return Plan(**{name: attributes[name] for name in Plan.__dataclass_fields__ if name in attributes})
