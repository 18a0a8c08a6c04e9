"""The outbox of host events: what is still to be delivered to each endpoint, in order per account, and the results.

Lanes: `endpoints` holds the endpoints and their health; `<endpoint>#<account>` the events of one account for one
endpoint, and its head: the next event, when it is due, and who works on it. A lane without undelivered events is not in
the index of what is due. Delivered events stay for a month, to be listed and sent again. `deleted` names deleted
endpoints for as long as events of theirs may be stored: an erasure deletes those, too.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from billing import deadline
from billing.aws import Aws, AwsError
from billing.data import dataclass, fields
from billing.rules.host_events import HostEvent
from billing.rules.times import DAY
from billing.store.codec import Item, item, values
from billing.store.dynamodb import CONFLICT, LostRace, all_items, retry, transact

KEPT_SECONDS = 30 * DAY
# Longer than any event of it: a head that is gone would begin its lane anew.
HEAD_KEPT_SECONDS = 2 * KEPT_SECONDS
SHARDS = 4
# Of one transaction: a hundred writes, one of them the head's.
_MOST_WRITES = 50
ENDPOINTS, DELETED, HEAD, EVENT = "endpoints", "deleted", "head", "event#"
HEALTH = "#health"
_CONDITION = "ConditionalCheckFailed"

State = Literal["waiting", "delivered", "failed"]
STATES: tuple[State, ...] = ("waiting", "delivered", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`generations` name its secrets, the newest first; while there are two, both sign.

    `paused_for`: "admin", "failing" or "gone"; empty while it is enabled. `pause_reported`: an admin has been told.
    """

    endpoint_id: str
    url: str
    description: str
    event_types: tuple[str, ...]
    generations: tuple[str, ...]
    created_at: int
    version: int = 1
    paused_for: str = ""
    paused_at: int | None = None
    pause_reported: bool = True

    @property
    def enabled(self) -> bool:
        return not self.paused_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How an endpoint does: failures in a row over all its lanes, since when, and until when it is left alone."""

    failures: int = 0
    failing_since: int | None = None
    held_until: int = 0
    last_status: int = 0
    last_error: str = ""
    succeeded_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one endpoint, and how its newest try went. `status` is the answer's, 0 for none.

    `ttl`: when it goes by itself. What is sent again goes with what it repeats.
    """

    lane: str
    place: str
    event_id: str
    type: str
    body: str
    accepted_at: int
    ttl: int
    state: State = "waiting"
    tries: int = 0
    status: int = 0
    error: str = ""
    tried_at: int | None = None
    took_ms: int = 0


def lane_of(endpoint_id: str, lane: str) -> str:
    return f"{endpoint_id}#{lane}"


def endpoint_of(lane: str) -> str:
    return lane.partition("#")[0]


class Outbox:
    """What was committed is put here. `HostEventStore` does the rest."""

    def __init__(self, aws: Aws, table: str) -> None:
        self._aws = aws
        self._table = table

    def endpoints(self) -> list[tuple[Endpoint, Health]]:
        """All of them, the oldest first."""
        stored = list(self._query({":lane": ENDPOINTS}, "lane = :lane", ConsistentRead=True))
        health = {i["place"].removesuffix(HEALTH): health_from(i) for i in stored if i["place"].endswith(HEALTH)}
        listed = [endpoint_from(i) for i in stored if not i["place"].endswith(HEALTH)]
        pairs = [(endpoint, health.get(endpoint.endpoint_id, Health())) for endpoint in listed]
        return sorted(pairs, key=lambda pair: (pair[0].created_at, pair[0].endpoint_id))

    # --- adding ------------------------------------------------------------------------------------------------------

    def add(self, endpoint_id: str, events: Sequence[HostEvent], now: int) -> list[str]:
        """Stores events, each once however often it comes; returns the lanes that are due now."""
        by_lane: dict[str, list[Delivery]] = {}
        for event in events:
            delivery = Delivery(
                lane=lane_of(endpoint_id, event.lane),
                place=EVENT + event.place,
                event_id=event.event_id,
                type=event.type,
                body=event.body,
                accepted_at=now,
                ttl=now + KEPT_SECONDS,
            )
            by_lane.setdefault(delivery.lane, []).append(delivery)
        for deliveries in by_lane.values():
            for start in range(0, len(deliveries), _MOST_WRITES):
                self._add(deliveries[start : start + _MOST_WRITES], now)
        return list(by_lane)

    # --- taking away -------------------------------------------------------------------------------------------------

    def forget(self, account: str) -> bool:
        """Deletes an account's events, delivered or not, of every endpoint, deleted ones too.

        False: no time for the rest; the next call goes on. A delivery that is under way loses its lease.
        """
        for lane in (ENDPOINTS, DELETED):
            for endpoint in list(self._query({":lane": lane}, "lane = :lane", ConsistentRead=True)):
                if not endpoint["place"].endswith(HEALTH) and not self._forget(endpoint["place"], account):
                    return False
        return True

    def _forget(self, endpoint_id: str, account: str) -> bool:
        ours = self._whole(lane_of(endpoint_id, account))
        again = [lane_of(endpoint_id, f"again#{i['event_id']}") for i in ours if i.get("again")]
        # The lane itself last: it names the others, should this be cut off.
        left = [*(stored for lane in again for stored in self._whole(lane)), *ours]
        while left:
            if deadline.over():
                return False
            keys = [item({"lane": i["lane"], "place": i["place"]}) for i in left[:_MOST_WRITES]]
            deletes = [{"Delete": {"TableName": self._table, "Key": key}} for key in keys]
            retry(partial(transact, self._aws, deletes))
            left = left[_MOST_WRITES:]
        return True

    def _whole(self, lane: str) -> list[dict[str, Any]]:
        return list(self._query({":lane": lane}, "lane = :lane", ConsistentRead=True))

    def _add(self, deliveries: Sequence[Delivery], now: int) -> None:
        left = list(deliveries)

        def attempt() -> None:
            nonlocal left
            while left and (there := self._add_all(left, now)):
                left = [delivery for number, delivery in enumerate(left) if number not in there]

        retry(attempt)

    def _add_all(self, deliveries: Sequence[Delivery], now: int, *, late: bool = False) -> set[int]:
        """Adds all of one lane, or none: then the numbers of those that are there already. Raises `LostRace`.

        `late`: the lane stands behind them, so it goes back to them, and what follows is told again.
        """
        lane, first = deliveries[0].lane, min(delivery.place for delivery in deliveries)
        puts = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": _delivery_item(delivery),
                    "ConditionExpression": "attribute_not_exists(place)",
                }
            }
            for delivery in deliveries
        ]
        start = ":first" if late else "if_not_exists(#following, :start)"
        behind = "#following > :first"
        head = {
            "TableName": self._table,
            "Key": item({"lane": lane, "place": HEAD}),
            # Whoever waits already keeps its time: what failed is not tried sooner for what comes behind it.
            "UpdateExpression": "SET due_at = if_not_exists(due_at, :now), due_shard = if_not_exists(due_shard, "
            f":shard), #following = {start}, #ttl = :ttl ADD news :count",
            "ConditionExpression": behind if late else f"attribute_not_exists(#following) OR NOT ({behind})",
            "ExpressionAttributeNames": {"#following": "following", "#ttl": "ttl"},
            "ExpressionAttributeValues": item(
                {
                    ":now": now,
                    ":shard": due_shard(lane),
                    ":first": first,
                    ":start": None if late else EVENT,
                    ":ttl": now + HEAD_KEPT_SECONDS,
                    ":count": len(deliveries),
                }
            ),
        }
        try:
            self._aws.call("dynamodb", "transact_write_items", TransactItems=[*puts, {"Update": head}])
        except AwsError as error:
            if error.code in (CONFLICT, "TransactionInProgressException"):
                raise LostRace(error.code) from error
            if error.code != "TransactionCanceledException":
                raise
            refused = {n for n, reason in enumerate(error.reasons) if reason.get("Code") == _CONDITION}
            if there := refused - {len(puts)}:
                return there
            if refused and not late:
                return self._add_all(deliveries, now, late=True)
            raise LostRace(error.code) from error
        return set()

    # --- the table ---------------------------------------------------------------------------------------------------

    def _request(self, params: Mapping[str, object], condition: str) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": item(params),
        }

    def _query(self, params: Mapping[str, object], condition: str, **more: Any) -> Iterator[dict[str, Any]]:
        return map(values, all_items(self._aws, {**self._request(params, condition), **more}))

    def _update(
        self,
        lane: str,
        place: str,
        update: str,
        params: Mapping[str, object],
        names: Mapping[str, str] | None = None,
        condition: str | None = None,
    ) -> dict[str, Any]:
        """The item after it. Raises `LostRace` where the condition does not hold."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": item({"lane": lane, "place": place}),
            "UpdateExpression": update,
            "ExpressionAttributeValues": item(params),
            "ReturnValues": "ALL_NEW",
            **({"ExpressionAttributeNames": dict(names)} if names else {}),
            **({"ConditionExpression": condition} if condition else {}),
        }
        return values(self._write("update_item", request)["Attributes"])

    def _write(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        def attempt() -> dict[str, Any]:
            try:
                return self._aws.call("dynamodb", operation, **request)
            except AwsError as error:
                if error.code == CONFLICT:
                    raise LostRace(error.code) from error
                raise

        try:
            return retry(attempt)
        except AwsError as error:
            if error.code == "ConditionalCheckFailedException":
                raise LostRace(error.code) from error
            raise


def due_shard(lane: str) -> str:
    return f"due#{shard_number(lane)}"


def shard_number(text: str) -> int:
    return zlib.crc32(text.encode()) % SHARDS


def listed(delivery: Delivery) -> dict[str, str]:
    """Where a delivery is listed: by its endpoint and state, the newest first, spread over a few partitions."""
    endpoint_id = endpoint_of(delivery.lane)
    return {
        "listed": f"{endpoint_id}#{delivery.state}#{shard_number(delivery.event_id)}",
        "listed_at": f"{delivery.accepted_at:012d}#{delivery.event_id}",
    }


def _delivery_item(delivery: Delivery) -> Item:
    stored = {f.name: getattr(delivery, f.name) for f in fields(Delivery)}
    return item({**stored, **listed(delivery)})


def endpoint_from(stored: Mapping[str, Any]) -> Endpoint:
    if "told" in stored:  # as it was called before
        stored = {**stored, "pause_reported": stored["told"]}
    fields = fields_of(Endpoint, stored)
    return Endpoint(**{**fields, **{n: tuple(json.loads(fields[n])) for n in ("event_types", "generations")}})


def health_from(stored: Mapping[str, Any]) -> Health:
    return Health(**fields_of(Health, stored))


def fields_of(kind: type[Endpoint | Health | Delivery], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {f.name: stored[f.name] for f in fields(kind) if f.name in stored}
