"""Payment events: one item per verified delivery, for audit, replay and the guard against repeats."""

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from billing.aws import Aws, AwsError
from billing.data import dataclass, replace
from billing.store.codec import item, values
from billing.store.dynamodb import all_items, conditional_write

EventStatus = Literal["processed", "ignored", "quarantined", "failed", "set_aside"]
# Processed events stay long enough for every late repeat and dispute of a year, then time out.
RETENTION_SECONDS = 400 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentEvent:
    """`outcome` says what it changed, `reason` (for a failed one) the cause in plain words, `code` as one word.

    `payload` is the minimal, allow-listed part of the delivery: what a replay needs and no more. `aside_by` and
    `aside_reason`: who set it aside, as something that will never be ours, and why.
    """

    event_id: str
    provider: str
    provider_event_id: str
    type: str
    created_at: int
    received_at: int
    processed_at: int
    status: EventStatus
    payload: Mapping[str, Any]
    livemode: bool | None = None
    user_id: str | None = None
    outcome: str = ""
    reason: str = ""
    code: str = ""
    secret_label: str = ""
    body_sha256: str = ""
    attempts: int = 1
    aside_by: str = ""
    aside_reason: str = ""


Listed = Literal["processed", "failed", "quarantined", "set_aside"]
"""How events are listed: settled ones, those that fail, those that are kept from having an effect, and those that
somebody set aside. (Before there were several, what is quarantined was listed with what fails; it still says so
itself.)"""
# Every event goes into the list of its kind, so each list is spread over a few partitions.
_LIST_SHARDS = 4


def _listed(event: PaymentEvent) -> dict[str, str]:
    """Where an event is listed, newest first."""
    kind: Listed = event.status if event.status in ("failed", "quarantined", "set_aside") else "processed"
    shard = zlib.crc32(event.event_id.encode()) % _LIST_SHARDS
    return {"listed": f"{kind}#{shard}", "listed_at": f"{event.received_at:012d}#{event.event_id}"}


def _item(event: PaymentEvent) -> dict[str, Any]:
    return item(
        {
            **{name: getattr(event, name) for name in PaymentEvent.__dataclass_fields__},
            "payload": json.dumps(event.payload, separators=(",", ":"), sort_keys=True),
            "expires_at": event.processed_at + RETENTION_SECONDS,
            **_listed(event),
        }
    )


def from_item(stored: Mapping[str, Any]) -> PaymentEvent:
    attributes = values(stored)
    attributes["payload"] = json.loads(attributes["payload"])
    return PaymentEvent(**{name: attributes[name] for name in PaymentEvent.__dataclass_fields__ if name in attributes})


def marker(table: str, event: PaymentEvent) -> dict[str, Any]:
    """The write that lets an event have its effect once: a processed one is never written again."""
    never_seen = "attribute_not_exists(event_id)"
    not_settled_before = "#status IN (:failed, :quarantined)"
    return {
        "Put": {
            "TableName": table,
            "Item": _item(event),
            "ConditionExpression": f"{never_seen} OR {not_settled_before}",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": item({":failed": "failed", ":quarantined": "quarantined"}),
        }
    }


class PaymentEventStore:
    def __init__(self, aws: Aws, table: str) -> None:
        self._aws = aws
        self._table = table

    def record(self, event: PaymentEvent) -> bool:
        """Writes an event that changes no account; False when it was already settled."""
        return conditional_write(self._aws, "put_item", **marker(self._table, event)["Put"])

    def record_failure(self, event: PaymentEvent, *, passing: bool) -> int:
        """Writes a failed try, and counts it unless its cause passes; how many were counted. 0 for a settled event.

        A try whose answer was lost may be counted twice: an event is then set aside one try too early, no worse.
        """
        attributes = {name: value for name, value in _item(event).items() if name != "event_id"}
        condition = marker(self._table, event)["Put"]
        try:
            answer = self._aws.call(
                "dynamodb",
                "update_item",
                TableName=self._table,
                Key=item({"event_id": event.event_id}),
                UpdateExpression=f"SET {', '.join(f'#{name} = :{name}' for name in attributes)} ADD faults :faults",
                ConditionExpression=condition["ConditionExpression"].replace(":failed", ":status"),
                ExpressionAttributeNames={f"#{name}": name for name in attributes},
                ExpressionAttributeValues={
                    **{f":{name}": value for name, value in attributes.items()},
                    **item({":faults": 0 if passing else 1, ":quarantined": "quarantined"}),
                },
                ReturnValues="ALL_NEW",
            )
        except AwsError as error:
            if error.code == "ConditionalCheckFailedException":
                return 0
            raise
        counted: int = values(answer["Attributes"])["faults"]
        return counted

    def set_aside(self, event: PaymentEvent, by: str, reason: str) -> bool:
        """Settles an event that failed or is quarantined as none of ours: whatever comes of it later is a repeat.

        False when it was settled meanwhile.
        """
        return self.record(replace(event, status="set_aside", aside_by=by, aside_reason=reason))

    def take_back(self, event: PaymentEvent) -> bool:
        """Counts an event that was set aside as failed again; True as well when it was taken back just before."""
        back = replace(event, status="failed")
        was_aside = "#status = :aside OR (#status = :failed AND aside_reason <> :none)"
        return conditional_write(
            self._aws,
            "put_item",
            TableName=self._table,
            Item=_item(back),
            ConditionExpression=was_aside,
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=item({":aside": "set_aside", ":failed": "failed", ":none": ""}),
        )

    def get(self, event_id: str) -> PaymentEvent | None:
        answer = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=item({"event_id": event_id}))
        return from_item(answer["Item"]) if "Item" in answer else None

    def of_user(self, user_id: str, until: int, limit: int = 50) -> list[PaymentEvent]:
        """The newest events of a user that happened at `until` or before; one Query of the index."""
        answer = self._aws.call(
            "dynamodb",
            "query",
            TableName=self._table,
            IndexName="by_user",
            KeyConditionExpression="user_id = :user AND created_at <= :until",
            ExpressionAttributeValues=item({":user": user_id, ":until": until}),
            ScanIndexForward=False,
            Limit=limit,
        )
        return [from_item(stored) for stored in answer["Items"]]

    def newest(self, kind: Listed, limit: int, cursor: str | None = None) -> tuple[list[PaymentEvent], str | None]:
        """A page of a list, newest first, and the cursor of the next one; None: there is none."""
        keys: list[tuple[str, str]] = []
        for shard in range(_LIST_SHARDS):
            request: dict[str, Any] = {
                "TableName": self._table,
                "IndexName": "by_listing",
                "KeyConditionExpression": f"listed = :listed{'' if cursor is None else ' AND listed_at < :cursor'}",
                "ExpressionAttributeValues": item({":listed": f"{kind}#{shard}", ":cursor": cursor}),
                "ScanIndexForward": False,
                "Limit": limit + 1,
            }
            items = self._aws.call("dynamodb", "query", **request)["Items"]
            keys += [(stored["listed_at"]["S"], stored["event_id"]["S"]) for stored in items]
        keys.sort(reverse=True)
        page = keys[:limit]
        events = [event for _, event_id in page if (event := self.get(event_id)) is not None]
        return events, page[-1][0] if len(keys) > limit else None

    def count(self, kind: Listed, most: int) -> int:
        """How many there are in a list, counted to about `most`."""
        counted = 0
        for shard in range(_LIST_SHARDS):
            request: dict[str, Any] = {
                "TableName": self._table,
                "IndexName": "by_listing",
                "KeyConditionExpression": "listed = :listed",
                "ExpressionAttributeValues": item({":listed": f"{kind}#{shard}"}),
                "Select": "COUNT",
                "Limit": most // _LIST_SHARDS,
            }
            counted += self._aws.call("dynamodb", "query", **request)["Count"]
        return counted

    def all_of_user(self, user_id: str) -> Iterator[PaymentEvent]:
        """Every event of a user, the oldest first."""
        return map(from_item, all_items(self._aws, self.query_of_user(user_id)))

    def query_of_user(self, user_id: str) -> dict[str, Any]:
        """Finds every event of a user, the oldest first."""
        return {
            "TableName": self._table,
            "IndexName": "by_user",
            "KeyConditionExpression": "user_id = :user",
            "ExpressionAttributeValues": item({":user": user_id}),
        }

    def forget_person(self, event_id: str, user_id: str) -> None:
        """Drops what an event said and puts a pseudonym in the user's place; that it was processed stays known."""
        self._aws.call(
            "dynamodb",
            "update_item",
            TableName=self._table,
            Key=item({"event_id": event_id}),
            UpdateExpression="SET payload = :nothing, user_id = :user",
            ConditionExpression="attribute_exists(event_id)",
            ExpressionAttributeValues=item({":nothing": "{}", ":user": user_id}),
        )
