"""Moves of subscribers to a newer version of their plan: one item per plan, and one per subscription it touched.

What is about to be touched is on record before the provider is asked, so that an undo knows all of it. Each change of
an entry and of the move's counts is one transaction, under the condition that the move is as it was read: whoever
stops a move stops it before the next subscription.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Literal

from billing.aws import Aws
from billing.data import dataclass, replace
from billing.errors import Conflict
from billing.store.codec import item, values
from billing.store.dynamodb import LostRace, between, conditional_write, read_item, transact

MoveStatus = Literal["running", "stopped", "done", "undoing", "undone"]
# `moving`: the provider is being asked. `not_undone`: an undo found that the customer has gone on by themselves.
MoveOutcome = Literal["moving", "moved", "refused", "undone", "not_undone"]
COUNTED: tuple[MoveOutcome, ...] = ("moving", "moved", "refused", "undone", "not_undone")
# The outcome `not_undone`, and its count, in what was written earlier.
_NOT_UNDONE_BEFORE = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """`cursor` is where the run that goes on begins, `waiting` how many this round has put off, `swept_at` when the
    last round ended. `moving` … `not_undone` count the entries by outcome.
    """

    plan_id: str
    to_version: int
    status: MoveStatus
    percent: int
    per_hour: int
    notice_days: int
    started_at: int
    started_by: str
    cursor: str | None = None
    waiting: int = 0
    swept_at: int = 0
    moving: int = 0
    moved: int = 0
    refused: int = 0
    undone: int = 0
    not_undone: int = 0

    @property
    def name(self) -> str:
        return f"{self.plan_id}@{self.to_version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A subscription that a move touched; `reason` says why the provider, or an undo, left it as it was.

    Whose it is, the link of its id knows: so an erasure finds nothing to erase here.
    """

    provider: str
    subscription_id: str
    from_version: int
    outcome: MoveOutcome
    at: int
    reason: str | None = None

    @property
    def key(self) -> str:
        return f"{self.provider}#{self.subscription_id}"


class MoveStore:
    """Under keys of the accounts table that are no user's: `moves`, and `move#<plan>@<version>`."""

    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def all(self) -> list[Move]:
        return [_move(stored) for stored in self._query("moves", "~move#")]

    def get(self, plan_id: str) -> Move | None:
        """The plan's newest move."""
        stored = read_item(self._aws, self._table, item(_head(plan_id)))
        return _move(stored) if stored else None

    def start(self, move: Move, before: Move | None) -> None:
        """Puts a move on record, in place of the plan's last one. `Conflict` when that has changed meanwhile."""
        put = {"TableName": self._table, "Item": item({**_head(move.plan_id), **_plain(move)})}
        put |= _as_read(before) if before else {"ConditionExpression": "attribute_not_exists(#status)", **_NAMES}
        self._write("put_item", put)

    def change(self, move: Move, **changed: str | int | None) -> Move:
        """Notes how far a move has come, or that it is stopped or undone. `Conflict` when it changed meanwhile."""
        sets = ", ".join(f"#{name} = :new_{name}" for name, value in changed.items() if value is not None)
        removes = ", ".join(f"#{name}" for name, value in changed.items() if value is None)
        expression = f"SET {sets}" + (f" REMOVE {removes}" if removes else "")
        written = {f":new_{name}": value for name, value in changed.items()}
        update: dict[str, Any] = _as_read(move)
        update["ExpressionAttributeNames"] |= {f"#{name}": name for name in changed}
        update["ExpressionAttributeValues"] |= item(written)
        key = {"TableName": self._table, "Key": item(_head(move.plan_id))}
        self._write("update_item", {**key, "UpdateExpression": expression, **update})
        return replace(move, **changed)  # type: ignore[arg-type] # the names are fields, as the callers' tests hold

    def entry(self, move: Move, key: str) -> Entry | None:
        stored = read_item(self._aws, self._table, item(_entry_key(move, key)))
        return _entry(stored) if stored else None

    def entries(self, move: Move, after: str | None, limit: int) -> list[Entry]:
        """A page of what the move touched, by provider and id; `after` is the last entry's key."""
        page = self._query(f"move#{move.name}", f"~entry#{after}\0" if after else "~entry#", limit)
        return [_entry(stored) for stored in page]

    def note(self, move: Move, entry: Entry, was: Entry | None) -> Move:
        """Notes what happened to a subscription, and counts it. `Conflict` when the move or the entry changed."""
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": item({**_entry_key(move, entry.key), **_plain(entry)}),
        }
        if was is None:
            put["ConditionExpression"] = "attribute_not_exists(outcome)"
        else:
            before = _NOT_UNDONE_BEFORE if was.outcome == "not_undone" else was.outcome
            put["ConditionExpression"] = "outcome IN (:was, :before)"
            put["ExpressionAttributeValues"] = item({":was": was.outcome, ":before": before})
        counted = {entry.outcome: 1}
        if was is not None:
            counted[was.outcome] = counted.get(was.outcome, 0) - 1
        update: dict[str, Any] = {"TableName": self._table, "Key": item(_head(move.plan_id)), **_as_read(move)}
        update["UpdateExpression"] = "ADD " + ", ".join(f"#{name} :{name}" for name in counted)
        update["ExpressionAttributeNames"] |= {f"#{name}": name for name in counted}
        update["ExpressionAttributeValues"] |= item({f":{name}": by for name, by in counted.items()})
        try:
            transact(self._aws, [{"Put": put}, {"Update": update}])
        except LostRace as error:
            raise Conflict("this move was changed meanwhile", code="move_changed") from error
        counts = {str(name): getattr(move, name) + by for name, by in counted.items()}
        return replace(move, **counts)

    def _write(self, operation: str, request: Mapping[str, Any]) -> None:
        if not conditional_write(self._aws, operation, **request):
            raise Conflict("this move was changed meanwhile: read it again", code="move_changed")

    def _query(self, partition: str, first: str, limit: int = 100) -> list[dict[str, Any]]:
        stored = between(self._aws, self._table, partition, first, "~z", ConsistentRead=True, Limit=limit)
        return list(map(values, islice(stored, limit)))


_NAMES: Mapping[str, Any] = {"ExpressionAttributeNames": {"#status": "status"}}


def _as_read(move: Move) -> dict[str, Any]:
    """The condition that nobody stopped, undid or replaced it since it was read."""
    unchanged = "#status = :status AND started_at = :started_at AND to_version = :to_version"
    state = {":status": move.status, ":started_at": move.started_at, ":to_version": move.to_version}
    return {
        "ConditionExpression": unchanged,
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": item(state),
    }


def _head(plan_id: str) -> dict[str, object]:
    return {"user_id": "moves", "record": f"~move#{plan_id}"}


def _entry_key(move: Move, key: str) -> dict[str, object]:
    return {"user_id": f"move#{move.name}", "record": f"~entry#{key}"}


def _plain(value: Move | Entry) -> dict[str, object]:
    return {name: getattr(value, name) for name in type(value).__dataclass_fields__}


def _move(attributes: dict[str, Any]) -> Move:
    # A move that was being undone may have both.
    attributes["not_undone"] = attributes.get("not_undone", 0) + attributes.get(_NOT_UNDONE_BEFORE, 0)
    return Move(**{name: attributes[name] for name in Move.__dataclass_fields__ if name in attributes})


def _entry(attributes: dict[str, Any]) -> Entry:
    if attributes["outcome"] == _NOT_UNDONE_BEFORE:
        attributes["outcome"] = "not_undone"
    return Entry(**{name: attributes[name] for name in Entry.__dataclass_fields__ if name in attributes})
