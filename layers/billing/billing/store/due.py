"""What is due: records that need attention at a time, found by an index that holds nothing else.

What waits for a person has an index of its own (`waiting`), so that nothing else can stand before it. The index (`due`)
is spread over a few partitions by user, so that it takes a handful of queries however many users there are. It may lag
behind the table, so a record is claimed before anybody acts on it.
"""

from collections.abc import Iterator
from typing import Any, Literal

from billing.aws import Aws, AwsError
from billing.data import dataclass
from billing.store.codec import SHARDS, item, shard, values
from billing.store.dynamodb import CONFLICT

INDEX, WAITING = "due", "waiting"
DueKind = Literal["poll", "remind", "renew", "review", "settle", "decide", "erase", "message"]
# The attribute of each kind of record that holds the time it is due.
FIELDS: dict[DueKind, str] = {"poll": "poll_at", "remind": "remind_at", "review": "review_at", "settle": "settle_at"}
FIELDS["renew"] = "act_at"
# These stay due until they are done: when a person has decided, or when nothing is left of the erased user.
FIELDS |= {"decide": "due_at", "erase": "due_at"}


@dataclass(frozen=True, slots=True)
class Due:
    """A record that was due when the index was read. A claim succeeds only while its `due_at` is the same."""

    kind: DueKind
    user_id: str
    record: str
    due_at: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that a person has to decide about."""

    user_id: str
    record: str


class DueStore:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def due(self, kind: DueKind, until: int | None, limit: int) -> list[Due]:
        """The records of a kind that are due by `until` (None: whenever), each partition's most overdue first.

        At most `limit` from each partition.
        """
        return [due for number in range(SHARDS) for due in self._partition(kind, number, until, limit)]

    def _partition(self, kind: DueKind, number: int, until: int | None, limit: int) -> Iterator[Due]:
        in_time = "" if until is None else " AND due_at <= :until"
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": f"due_shard = :shard{in_time}",
            "ExpressionAttributeValues": item({":shard": shard(kind, number), ":until": until}),
            "Limit": limit,
        }
        for stored in self._aws.call("dynamodb", "query", **request)["Items"]:
            record = values(stored)
            yield Due(kind, record["user_id"], record["record"], record["due_at"])

    def waiting(self, limit: int) -> list[Waiting]:
        """The invoices that wait for a person, each partition's oldest first; at most `limit` from each."""
        invoices = []
        for number in range(SHARDS):
            request: dict[str, Any] = {
                "TableName": self._table,
                "IndexName": WAITING,
                "KeyConditionExpression": "waits_shard = :shard",
                "ExpressionAttributeValues": item({":shard": shard("invoice", number)}),
                "Limit": limit,
            }
            stored = map(values, self._aws.call("dynamodb", "query", **request)["Items"])
            invoices += [Waiting(one["user_id"], one["record"]) for one in stored]
        return invoices

    def claim(self, due: Due, next_at: int | None, **also: int) -> bool:
        """Moves a record to its next time, or out of the index; False when it is not due as it was read, or is being
        written just now. `also` sets further attributes with it."""
        field = FIELDS[due.kind]
        sets = dict(also)
        remove = ""
        if next_at is None:
            remove = f" REMOVE due_shard, due_at, {field}"
        else:
            sets |= {"due_at": next_at, field: next_at}
        changes = ", ".join(f"{name} = :{name}" for name in sets)
        try:
            self._aws.call(
                "dynamodb",
                "update_item",
                TableName=self._table,
                Key=item({"user_id": due.user_id, "record": due.record}),
                UpdateExpression=(f"SET {changes}" if sets else "") + remove,
                ConditionExpression="due_at = :seen",
                ExpressionAttributeValues=item({":seen": due.due_at, **{f":{k}": v for k, v in sets.items()}}),
            )
        except AwsError as error:
            if error.code in ("ConditionalCheckFailedException", CONFLICT):
                return False
            raise
        return True
