"""The outbox of host events: what each endpoint is still to be told, in order per account, and how that went.

Lanes: `endpoints` holds the endpoints and how they do; `<endpoint>#<account>` the events of one account for one
endpoint, and its head: where it stands, when it is due, and who works on it. A lane that has nothing to tell is not in
the index of what is due. Delivered events stay for a month, to be listed and sent again. `deleted` names the endpoints
that are gone for as long as something of theirs may be left: an erasure takes that away, too.
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
from billing.store.queries import all_items
from billing.store.transactions import CONFLICT, LostRace, retry, transact

KEPT_SECONDS = 30 * DAY
# Longer than any event of it: a head that is gone would begin its lane anew.
_HEAD_KEPT_SECONDS = 2 * KEPT_SECONDS
_SHARDS = 4
# Of one transaction: a hundred writes, one of them the head's.
_MOST_WRITES = 50
_ENDPOINTS, _DELETED, _HEAD, _EVENT = "endpoints", "deleted", "head", "event#"
_HEALTH = "#health"
_CONDITION = "ConditionalCheckFailed"

State = Literal["waiting", "delivered", "failed"]
STATES: tuple[State, ...] = ("waiting", "delivered", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`generations` name its secrets, the newest first; while there are two, both sign.

    `paused_for`: "admin", "failing" or "gone"; empty while it is enabled. `told`: an admin has been told of the pause.
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
    told: bool = True

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lane that is ours until `until`; `news` counts what was ever added, `following` is where to go on."""

    lane: str
    token: str
    following: str
    news: int
    failures: int


def lane_of(endpoint_id: str, lane: str) -> str:
    return f"{endpoint_id}#{lane}"


def endpoint_of(lane: str) -> str:
    return lane.partition("#")[0]


class HostEventStore:
    def __init__(self, aws: Aws, table: str) -> None:
        self._aws = aws
        self._table = table

    # --- endpoints ---------------------------------------------------------------------------------------------------

    def endpoints(self) -> list[tuple[Endpoint, Health]]:
        """All of them, the oldest first."""
        found = list(self._query({":lane": _ENDPOINTS}, "lane = :lane", ConsistentRead=True))
        health = {i["place"].removesuffix(_HEALTH): _health(i) for i in found if i["place"].endswith(_HEALTH)}
        listed = [_endpoint(i) for i in found if not i["place"].endswith(_HEALTH)]
        pairs = [(endpoint, health.get(endpoint.endpoint_id, Health())) for endpoint in listed]
        return sorted(pairs, key=lambda pair: (pair[0].created_at, pair[0].endpoint_id))

    def endpoint(self, endpoint_id: str) -> tuple[Endpoint, Health] | None:
        found = {
            i["place"]: i
            for i in self._query(
                {":lane": _ENDPOINTS, ":from": endpoint_id, ":to": endpoint_id + _HEALTH},
                "lane = :lane AND place BETWEEN :from AND :to",
                ConsistentRead=True,
            )
        }
        if endpoint_id not in found:
            return None
        return _endpoint(found[endpoint_id]), _health(found.get(endpoint_id + _HEALTH, {}))

    def put_endpoint(self, endpoint: Endpoint, *, expected: int) -> None:
        """Writes it where its version is still the expected one, 0 for a new one. Raises `LostRace`."""
        stored = {f.name: getattr(endpoint, f.name) for f in fields(Endpoint)}
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": item({"lane": _ENDPOINTS, "place": endpoint.endpoint_id, **stored}),
        }
        if expected:
            put["ConditionExpression"] = "version = :expected"
            put["ExpressionAttributeValues"] = item({":expected": expected})
        else:
            put["ConditionExpression"] = "attribute_not_exists(place)"
        self._write("put_item", put)

    def delete_endpoint(self, endpoint_id: str, now: int) -> None:
        """Its lanes are emptied by whoever comes to them, and its deliveries go by themselves."""
        was_there = item({"lane": _DELETED, "place": endpoint_id, "ttl": now + _HEAD_KEPT_SECONDS})
        self._write("put_item", {"TableName": self._table, "Item": was_there})
        for place in (endpoint_id, endpoint_id + _HEALTH):
            key = item({"lane": _ENDPOINTS, "place": place})
            self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=key)

    def answered(self, endpoint_id: str, now: int) -> None:
        """An endpoint took an event in: it is well again."""
        self._update(
            _ENDPOINTS,
            endpoint_id + _HEALTH,
            "SET succeeded_at = :now REMOVE failures, failing_since, held_until, last_status, last_error",
            {":now": now},
        )

    def failed(self, endpoint_id: str, now: int, status: int, error: str) -> Health:
        """An endpoint did not take an event in; how it does now."""
        found = self._update(
            _ENDPOINTS,
            endpoint_id + _HEALTH,
            "SET failing_since = if_not_exists(failing_since, :now), last_status = :status, last_error = :error "
            "ADD failures :one",
            {":now": now, ":status": status, ":error": error, ":one": 1},
        )
        return _health(found)

    def hold(self, endpoint_id: str, until: int) -> None:
        self._update(_ENDPOINTS, endpoint_id + _HEALTH, "SET held_until = :until", {":until": until})

    # --- adding ------------------------------------------------------------------------------------------------------

    def add(self, endpoint_id: str, events: Sequence[HostEvent], now: int) -> list[str]:
        """Takes events in, each once however often it comes; the lanes that have something to tell now."""
        by_lane: dict[str, list[Delivery]] = {}
        for event in events:
            delivery = Delivery(
                lane=lane_of(endpoint_id, event.lane),
                place=_EVENT + event.place,
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

    def add_again(self, delivery: Delivery, now: int) -> str | None:
        """An event once more, under its own id, beside its lane: nothing that comes after it is told again.

        None: it is gone. What is repeated says so, so that whoever takes it away finds the other, too.
        """
        try:
            self._update(
                delivery.lane, delivery.place, "SET again = :yes", {":yes": True}, condition="attribute_exists(place)"
            )
        except LostRace:
            return None
        lane = lane_of(endpoint_of(delivery.lane), f"again#{delivery.event_id}")
        place = f"{_EVENT}{now:012d}"
        again = Delivery(
            lane=lane,
            place=place,
            event_id=delivery.event_id,
            type=delivery.type,
            body=delivery.body,
            accepted_at=now,
            ttl=delivery.ttl,
        )
        self._add([again], now)
        return lane

    # --- taking away -------------------------------------------------------------------------------------------------

    def forget(self, account: str) -> bool:
        """Takes away what was kept of an account, told or not, for each endpoint that is there or was.

        False: there is no time for the rest; called again it goes on. Whoever delivers one of them just now finds that
        the lane is not theirs any more.
        """
        for known in (_ENDPOINTS, _DELETED):
            for found in list(self._query({":lane": known}, "lane = :lane", ConsistentRead=True)):
                if not found["place"].endswith(_HEALTH) and not self._forget(found["place"], account):
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
            "Key": item({"lane": lane, "place": _HEAD}),
            # Whoever waits already keeps its time: what failed is not tried sooner for what comes behind it.
            "UpdateExpression": "SET due_at = if_not_exists(due_at, :now), due_shard = if_not_exists(due_shard, "
            f":shard), #following = {start}, #ttl = :ttl ADD news :count",
            "ConditionExpression": behind if late else f"attribute_not_exists(#following) OR NOT ({behind})",
            "ExpressionAttributeNames": {"#following": "following", "#ttl": "ttl"},
            "ExpressionAttributeValues": item(
                {
                    ":now": now,
                    ":shard": _shard(lane),
                    ":first": first,
                    ":start": None if late else _EVENT,
                    ":ttl": now + _HEAD_KEPT_SECONDS,
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

    # --- a lane and its head -----------------------------------------------------------------------------------------

    def claim(self, lane: str, token: str, now: int, until: int) -> Claim | None:
        """Makes a lane ours if it is due; it is due again at `until`, should we be lost. None: not now, or not ours."""
        try:
            found = self._update(
                lane,
                _HEAD,
                "SET due_at = :until, lease = :token",
                {":until": until, ":token": token, ":now": now},
                condition="due_at <= :now",
            )
        except LostRace:
            return None
        return Claim(
            lane=lane,
            token=token,
            following=found["following"],
            news=found["news"],
            failures=found.get("failures", 0),
        )

    def following(self, lane: str, place: str, limit: int) -> list[Delivery]:
        """What a lane is to tell next, in order."""
        request = {
            **self._request(
                {":lane": lane, ":from": place, ":to": _EVENT + "~"}, "lane = :lane AND place BETWEEN :from AND :to"
            ),
            "ConsistentRead": True,
            "Limit": limit,
        }
        return [_delivery(values(i)) for i in self._aws.call("dynamodb", "query", **request)["Items"]]

    def note(self, delivery: Delivery) -> None:
        """How the newest try went. An event that has gone by itself meanwhile stays gone."""
        told: dict[str, object] = {
            "state": delivery.state,
            "tries": delivery.tries,
            "status": delivery.status,
            "error": delivery.error,
            "tried_at": delivery.tried_at,
            "took_ms": delivery.took_ms,
            **_listed(delivery),
        }
        try:
            self._update(
                delivery.lane,
                delivery.place,
                "SET " + ", ".join(f"#{name} = :{name}" for name in told),
                {f":{name}": value for name, value in told.items()},
                names={f"#{name}": name for name in told},
                condition="attribute_exists(place)",
            )
        except LostRace:
            return

    def release(self, claim: Claim, following: str) -> bool:
        """All is told: the lane leaves the index. False: something came meanwhile, or the lane is not ours any more."""
        return self._if_ours(
            claim,
            "SET #following = :following REMOVE due_at, due_shard, lease, failures",
            {":following": following, ":news": claim.news},
            condition="lease = :token AND news = :news",
        )

    def put_off(self, claim: Claim, following: str, due_at: int, failures: int, *, paused: bool = False) -> bool:
        """The lane is due again at `due_at`; or, of a paused endpoint, when that is enabled again.

        It goes on at `following`, or before it, where something came in late while the lane was ours.
        """
        shard = paused_shard(endpoint_of(claim.lane)) if paused else _shard(claim.lane)

        def attempt() -> bool:
            found = self._head(claim.lane)
            if found is None or found.get("lease") != claim.token:
                return False
            given = {":following": following, ":due_at": due_at, ":shard": shard, ":failures": failures}
            if found["news"] != claim.news:
                given[":following"] = self._untold(claim, found["following"], following)
            self._update(
                claim.lane,
                _HEAD,
                "SET #following = :following, due_at = :due_at, due_shard = :shard, failures = :failures REMOVE lease",
                {**given, ":token": claim.token, ":news": found["news"]},
                names={"#following": "following"},
                condition="lease = :token AND news = :news",
            )
            return True

        return retry(attempt)

    def _head(self, lane: str) -> dict[str, Any] | None:
        found = self._query({":lane": lane, ":head": _HEAD}, "lane = :lane AND place = :head", ConsistentRead=True)
        return next(iter(found), None)

    def _untold(self, claim: Claim, stands: str, following: str) -> str:
        """The first place before `following` that nobody came to: it was taken in while the lane was being told."""
        start = min(claim.following, stands)
        if start >= following:
            return following
        between = {":lane": claim.lane, ":from": start, ":to": following}
        found = self._query(between, "lane = :lane AND place BETWEEN :from AND :to", ConsistentRead=True)
        late = (i["place"] for i in found if i["place"] < following and i["state"] == "waiting")
        return next(late, following)

    def _if_ours(self, claim: Claim, update: str, given: Mapping[str, object], condition: str) -> bool:
        try:
            self._update(
                claim.lane,
                _HEAD,
                update,
                {**given, ":token": claim.token},
                names={"#following": "following"},
                condition=condition,
            )
        except LostRace:
            return False
        return True

    def rewind(self, lane: str, place: str, now: int) -> bool:
        """Tells a lane again from `place` on, unless it stands before it; whether it does."""
        try:
            self._update(
                lane,
                _HEAD,
                "SET #following = :place, due_at = :now, due_shard = :shard, #ttl = :ttl REMOVE lease, failures "
                "ADD news :one",
                {
                    ":place": place,
                    ":now": now,
                    ":shard": _shard(lane),
                    ":ttl": now + _HEAD_KEPT_SECONDS,
                    ":one": 1,
                },
                names={"#following": "following", "#ttl": "ttl"},
                condition="#following > :place",
            )
        except LostRace:
            return False
        return True

    def awaken(self, lane: str, now: int) -> None:
        """A lane that waited for its endpoint to be enabled is due."""
        try:
            self._update(
                lane,
                _HEAD,
                "SET due_at = :now, due_shard = :shard",
                {":now": now, ":shard": _shard(lane), ":paused": paused_shard(endpoint_of(lane))},
                condition="due_shard = :paused",
            )
        except LostRace:
            return

    # --- lists -------------------------------------------------------------------------------------------------------

    def due(self, until: int, limit: int) -> Iterator[str]:
        """Lanes that were due at `until` or before, the longest first, at most so many of each partition."""
        for number in range(_SHARDS):
            yield from self.in_shard(f"due#{number}", until, limit)

    def in_shard(self, shard: str, until: int, limit: int) -> list[str]:
        request = self._request({":shard": shard, ":until": until}, "due_shard = :shard AND due_at <= :until")
        answer = self._aws.call("dynamodb", "query", **request, IndexName="due", Limit=limit)
        return [found["lane"]["S"] for found in answer["Items"]]

    def newest(
        self, endpoint_id: str, state: State, limit: int, cursor: str | None = None
    ) -> tuple[list[Delivery], str | None]:
        """A page of an endpoint's deliveries, the newest first, and the cursor of the next; None: there is none."""
        found: list[tuple[str, Delivery]] = []
        for number in range(_SHARDS):
            before = "" if cursor is None else " AND listed_at < :cursor"
            request = self._request(
                {":listed": f"{endpoint_id}#{state}#{number}", ":cursor": cursor}, f"listed = :listed{before}"
            )
            answer = self._aws.call(
                "dynamodb", "query", **request, IndexName="by_listing", ScanIndexForward=False, Limit=limit + 1
            )
            found += [(i["listed_at"]["S"], _delivery(values(i))) for i in answer["Items"]]
        found.sort(key=lambda pair: pair[0], reverse=True)
        page = found[:limit]
        return [delivery for _, delivery in page], page[-1][0] if len(found) > limit else None

    def since(self, endpoint_id: str, at: int, until: int) -> Iterator[Delivery]:
        """Every event that was taken in for an endpoint between two moments, in no order."""
        for state in STATES:
            for number in range(_SHARDS):
                found = self._query(
                    {
                        ":listed": f"{endpoint_id}#{state}#{number}",
                        ":from": f"{at:012d}",
                        ":to": f"{until:012d}~",
                    },
                    "listed = :listed AND listed_at BETWEEN :from AND :to",
                    IndexName="by_listing",
                )
                yield from map(_delivery, found)

    def find(self, endpoint_id: str, event_id: str, accepted_at: int) -> Delivery | None:
        """One event of an endpoint, by its id and when it was taken in: its place in the list."""
        for state in STATES:
            request = self._request(
                {
                    ":listed": f"{endpoint_id}#{state}#{_number(event_id)}",
                    ":at": f"{accepted_at:012d}#{event_id}",
                },
                "listed = :listed AND listed_at = :at",
            )
            found = self._aws.call("dynamodb", "query", **request, IndexName="by_listing", Limit=1)["Items"]
            if found:
                return _delivery(values(found[0]))
        return None

    # --- what was raised ---------------------------------------------------------------------------------------------

    def raised(self) -> set[str]:
        """The alerts that stand now, by name."""
        return {found["place"] for found in self._query({":lane": "alerts"}, "lane = :lane")}

    def set_raised(self, name: str, now: int, *, up: bool) -> None:
        key = item({"lane": "alerts", "place": name})
        if up:
            self._aws.call("dynamodb", "put_item", TableName=self._table, Item={**key, **item({"since": now})})
        else:
            self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=key)

    # --- the table ---------------------------------------------------------------------------------------------------

    def _request(self, given: Mapping[str, object], condition: str) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": item(given),
        }

    def _query(self, given: Mapping[str, object], condition: str, **more: Any) -> Iterator[dict[str, Any]]:
        return map(values, all_items(self._aws, {**self._request(given, condition), **more}))

    def _update(
        self,
        lane: str,
        place: str,
        update: str,
        given: Mapping[str, object],
        names: Mapping[str, str] | None = None,
        condition: str | None = None,
    ) -> dict[str, Any]:
        """The item after it. Raises `LostRace` where the condition does not hold."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": item({"lane": lane, "place": place}),
            "UpdateExpression": update,
            "ExpressionAttributeValues": item(given),
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


def paused_shard(endpoint_id: str) -> str:
    return f"paused#{endpoint_id}"


def _shard(lane: str) -> str:
    return f"due#{_number(lane)}"


def _number(text: str) -> int:
    return zlib.crc32(text.encode()) % _SHARDS


def _listed(delivery: Delivery) -> dict[str, str]:
    """Where a delivery is listed: by its endpoint and state, the newest first, spread over a few partitions."""
    endpoint_id = endpoint_of(delivery.lane)
    return {
        "listed": f"{endpoint_id}#{delivery.state}#{_number(delivery.event_id)}",
        "listed_at": f"{delivery.accepted_at:012d}#{delivery.event_id}",
    }


def _delivery_item(delivery: Delivery) -> Item:
    stored = {f.name: getattr(delivery, f.name) for f in fields(Delivery)}
    return item({**stored, **_listed(delivery)})


def _delivery(stored: Mapping[str, Any]) -> Delivery:
    return Delivery(**_known(Delivery, stored))


def _endpoint(stored: Mapping[str, Any]) -> Endpoint:
    known = _known(Endpoint, stored)
    return Endpoint(**{**known, **{n: tuple(json.loads(known[n])) for n in ("event_types", "generations")}})


def _health(stored: Mapping[str, Any]) -> Health:
    return Health(**_known(Health, stored))


def _known(kind: type[Endpoint | Health | Delivery], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {f.name: stored[f.name] for f in fields(kind) if f.name in stored}
