"""Endpoints of hosts, the lanes of events to them and what was delivered: what the outbox alone does not need."""

from collections.abc import Iterator, Mapping
from typing import Any

from billing.data import dataclass, fields
from billing.store.codec import item, values
from billing.store.dynamodb import LostRace, retry
from billing.store.outbox import (
    DELETED,
    ENDPOINTS,
    EVENT,
    HEAD,
    HEAD_KEPT_SECONDS,
    HEALTH,
    SHARDS,
    STATES,
    Delivery,
    Endpoint,
    Health,
    Outbox,
    State,
    due_shard,
    endpoint_from,
    endpoint_of,
    fields_of,
    health_from,
    lane_of,
    listed,
    shard_number,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lane that is ours until `until`; `news` counts what was ever added, `following` is where to go on."""

    lane: str
    token: str
    following: str
    news: int
    failures: int


class HostEventStore(Outbox):
    # --- endpoints ---------------------------------------------------------------------------------------------------

    def endpoint(self, endpoint_id: str) -> tuple[Endpoint, Health] | None:
        by_place = {
            i["place"]: i
            for i in self._query(
                {":lane": ENDPOINTS, ":from": endpoint_id, ":to": endpoint_id + HEALTH},
                "lane = :lane AND place BETWEEN :from AND :to",
                ConsistentRead=True,
            )
        }
        if endpoint_id not in by_place:
            return None
        return endpoint_from(by_place[endpoint_id]), health_from(by_place.get(endpoint_id + HEALTH, {}))

    def put_endpoint(self, endpoint: Endpoint, *, expected: int) -> None:
        """Writes it where its version is still the expected one, 0 for a new one. Raises `LostRace`."""
        stored = {f.name: getattr(endpoint, f.name) for f in fields(Endpoint)}
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": item({"lane": ENDPOINTS, "place": endpoint.endpoint_id, **stored}),
        }
        if expected:
            put["ConditionExpression"] = "version = :expected"
            put["ExpressionAttributeValues"] = item({":expected": expected})
        else:
            put["ConditionExpression"] = "attribute_not_exists(place)"
        self._write("put_item", put)

    def delete_endpoint(self, endpoint_id: str, now: int) -> None:
        """Its lanes are emptied by whoever claims them next, and its deliveries expire by TTL."""
        was_there = item({"lane": DELETED, "place": endpoint_id, "ttl": now + HEAD_KEPT_SECONDS})
        self._write("put_item", {"TableName": self._table, "Item": was_there})
        for place in (endpoint_id, endpoint_id + HEALTH):
            key = item({"lane": ENDPOINTS, "place": place})
            self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=key)

    def answered(self, endpoint_id: str, now: int) -> None:
        """An endpoint accepted an event: its failures are over."""
        self._update(
            ENDPOINTS,
            endpoint_id + HEALTH,
            "SET succeeded_at = :now REMOVE failures, failing_since, held_until, last_status, last_error",
            {":now": now},
        )

    def failed(self, endpoint_id: str, now: int, status: int, error: str) -> Health:
        """Counts a delivery that an endpoint did not accept; its health after it."""
        health = self._update(
            ENDPOINTS,
            endpoint_id + HEALTH,
            "SET failing_since = if_not_exists(failing_since, :now), last_status = :status, last_error = :error "
            "ADD failures :one",
            {":now": now, ":status": status, ":error": error, ":one": 1},
        )
        return health_from(health)

    def hold(self, endpoint_id: str, until: int) -> None:
        """Leaves it alone until then, unless it is for longer already."""
        longer = "attribute_not_exists(held_until) OR held_until < :until"
        try:
            self._update(
                ENDPOINTS, endpoint_id + HEALTH, "SET held_until = :until", {":until": until}, condition=longer
            )
        except LostRace:
            return

    def add_again(self, delivery: Delivery, now: int) -> str | None:
        """Sends one event again, under its own id, in a lane of its own, so that no later event is repeated.

        None: it has expired. The first delivery is marked, so that an erasure of it finds this one too.
        """
        try:
            self._update(
                delivery.lane, delivery.place, "SET again = :yes", {":yes": True}, condition="attribute_exists(place)"
            )
        except LostRace:
            return None
        lane = lane_of(endpoint_of(delivery.lane), f"again#{delivery.event_id}")
        place = f"{EVENT}{now:012d}"
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

    # --- a lane and its head -----------------------------------------------------------------------------------------

    def claim(self, lane: str, token: str, now: int, until: int) -> Claim | None:
        """Takes a lane that is due. Should we crash, it is due again at `until`. None: not due, or another has it."""
        try:
            head = self._update(
                lane,
                HEAD,
                "SET due_at = :until, lease = :token",
                {":until": until, ":token": token, ":now": now},
                condition="due_at <= :now",
            )
        except LostRace:
            return None
        return Claim(
            lane=lane,
            token=token,
            following=head["following"],
            news=head["news"],
            failures=head.get("failures", 0),
        )

    def following(self, lane: str, place: str, limit: int) -> list[Delivery]:
        """The next deliveries of a lane, in order."""
        request = {
            **self._request(
                {":lane": lane, ":from": place, ":to": EVENT + "~"}, "lane = :lane AND place BETWEEN :from AND :to"
            ),
            "ConsistentRead": True,
            "Limit": limit,
        }
        return [_delivery(values(i)) for i in self._aws.call("dynamodb", "query", **request)["Items"]]

    def note(self, delivery: Delivery) -> None:
        """How the newest try went. An event that has gone by itself meanwhile stays gone."""
        fields: dict[str, object] = {
            "state": delivery.state,
            "tries": delivery.tries,
            "status": delivery.status,
            "error": delivery.error,
            "tried_at": delivery.tried_at,
            "took_ms": delivery.took_ms,
            **listed(delivery),
        }
        try:
            self._update(
                delivery.lane,
                delivery.place,
                "SET " + ", ".join(f"#{name} = :{name}" for name in fields),
                {f":{name}": value for name, value in fields.items()},
                names={f"#{name}": name for name in fields},
                condition="attribute_exists(place)",
            )
        except LostRace:
            return

    def release(self, claim: Claim, following: str) -> bool:
        """All is delivered: the lane leaves the index. False: an event came meanwhile, or the lease was lost."""
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
        shard = paused_shard(endpoint_of(claim.lane)) if paused else due_shard(claim.lane)

        def attempt() -> bool:
            head = self._head(claim.lane)
            if head is None or head.get("lease") != claim.token:
                return False
            params = {":following": following, ":due_at": due_at, ":shard": shard, ":failures": failures}
            if head["news"] != claim.news:
                params[":following"] = self._first_waiting(claim, head["following"], following)
            self._update(
                claim.lane,
                HEAD,
                "SET #following = :following, due_at = :due_at, due_shard = :shard, failures = :failures REMOVE lease",
                {**params, ":token": claim.token, ":news": head["news"]},
                names={"#following": "following"},
                condition="lease = :token AND news = :news",
            )
            return True

        return retry(attempt)

    def _head(self, lane: str) -> dict[str, Any] | None:
        heads = self._query({":lane": lane, ":head": HEAD}, "lane = :lane AND place = :head", ConsistentRead=True)
        return next(iter(heads), None)

    def _first_waiting(self, claim: Claim, stands: str, following: str) -> str:
        """The first event before `following` that still waits: it came while the lane was being delivered."""
        start = min(claim.following, stands)
        if start >= following:
            return following
        between = {":lane": claim.lane, ":from": start, ":to": following}
        deliveries = self._query(between, "lane = :lane AND place BETWEEN :from AND :to", ConsistentRead=True)
        late = (i["place"] for i in deliveries if i["place"] < following and i["state"] == "waiting")
        return next(late, following)

    def _if_ours(self, claim: Claim, update: str, params: Mapping[str, object], condition: str) -> bool:
        try:
            self._update(
                claim.lane,
                HEAD,
                update,
                {**params, ":token": claim.token},
                names={"#following": "following"},
                condition=condition,
            )
        except LostRace:
            return False
        return True

    def rewind(self, lane: str, place: str, now: int) -> bool:
        """Delivers a lane again from `place` on, unless it is not past that yet; whether it does."""
        try:
            self._update(
                lane,
                HEAD,
                "SET #following = :place, due_at = :now, due_shard = :shard, #ttl = :ttl REMOVE lease, failures "
                "ADD news :one",
                {
                    ":place": place,
                    ":now": now,
                    ":shard": due_shard(lane),
                    ":ttl": now + HEAD_KEPT_SECONDS,
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
                HEAD,
                "SET due_at = :now, due_shard = :shard",
                {":now": now, ":shard": due_shard(lane), ":paused": paused_shard(endpoint_of(lane))},
                condition="due_shard = :paused",
            )
        except LostRace:
            return

    # --- lists -------------------------------------------------------------------------------------------------------

    def due(self, until: int, limit: int) -> Iterator[str]:
        """Lanes that were due at `until` or before, the longest first, at most so many of each partition."""
        for number in range(SHARDS):
            yield from self.in_shard(f"due#{number}", until, limit)

    def in_shard(self, shard: str, until: int, limit: int) -> list[str]:
        request = self._request({":shard": shard, ":until": until}, "due_shard = :shard AND due_at <= :until")
        answer = self._aws.call("dynamodb", "query", **request, IndexName="due", Limit=limit)
        return [head["lane"]["S"] for head in answer["Items"]]

    def newest(
        self, endpoint_id: str, state: State, limit: int, cursor: str | None = None
    ) -> tuple[list[Delivery], str | None]:
        """A page of an endpoint's deliveries, the newest first, and the cursor of the next; None: there is none."""
        deliveries: list[tuple[str, Delivery]] = []
        for number in range(SHARDS):
            before = "" if cursor is None else " AND listed_at < :cursor"
            request = self._request(
                {":listed": f"{endpoint_id}#{state}#{number}", ":cursor": cursor}, f"listed = :listed{before}"
            )
            answer = self._aws.call(
                "dynamodb", "query", **request, IndexName="by_listing", ScanIndexForward=False, Limit=limit + 1
            )
            deliveries += [(i["listed_at"]["S"], _delivery(values(i))) for i in answer["Items"]]
        deliveries.sort(key=lambda pair: pair[0], reverse=True)
        page = deliveries[:limit]
        return [delivery for _, delivery in page], page[-1][0] if len(deliveries) > limit else None

    def since(self, endpoint_id: str, at: int, until: int) -> Iterator[Delivery]:
        """Every event that was taken in for an endpoint between two moments, in no order."""
        for state in STATES:
            for number in range(SHARDS):
                deliveries = self._query(
                    {
                        ":listed": f"{endpoint_id}#{state}#{number}",
                        ":from": f"{at:012d}",
                        ":to": f"{until:012d}~",
                    },
                    "listed = :listed AND listed_at BETWEEN :from AND :to",
                    IndexName="by_listing",
                )
                yield from map(_delivery, deliveries)

    def find(self, endpoint_id: str, event_id: str, accepted_at: int) -> Delivery | None:
        """One event of an endpoint, by its id and when it was taken in: its place in the list."""
        for state in STATES:
            request = self._request(
                {
                    ":listed": f"{endpoint_id}#{state}#{shard_number(event_id)}",
                    ":at": f"{accepted_at:012d}#{event_id}",
                },
                "listed = :listed AND listed_at = :at",
            )
            stored = self._aws.call("dynamodb", "query", **request, IndexName="by_listing", Limit=1)["Items"]
            if stored:
                return _delivery(values(stored[0]))
        return None

    # --- what was raised ---------------------------------------------------------------------------------------------

    def raised(self) -> set[str]:
        """The alerts that stand now, by name."""
        return {alert["place"] for alert in self._query({":lane": "alerts"}, "lane = :lane")}

    def set_raised(self, name: str, now: int, *, up: bool) -> None:
        key = item({"lane": "alerts", "place": name})
        if up:
            self._aws.call("dynamodb", "put_item", TableName=self._table, Item={**key, **item({"since": now})})
        else:
            self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=key)


def paused_shard(endpoint_id: str) -> str:
    return f"paused#{endpoint_id}"


def _delivery(stored: Mapping[str, Any]) -> Delivery:
    return Delivery(**fields_of(Delivery, stored))
