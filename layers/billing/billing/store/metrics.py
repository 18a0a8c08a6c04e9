"""Metrics: rollups of the ledger, each line folded exactly once; and counters of page views, which have no identity.

Folding a line is one transaction: the line's item gets the mark `folded`, under the condition that it had none, and
the counters of its cells grow. So a line is in the rollups if and only if it says so itself, however often and in
whatever batches the stream brings it; no marker has to be kept elsewhere, or long enough.

The mark is a generation. To rebuild, the generation that is folded into is raised, every line marked with an older one
is folded again, into new cells, and then the generation that is read is raised too. The control item that holds both
takes part in every fold, so none can end in a generation that has been left.

The mark also enters the line into the index `by_day`, so that whoever asks what a day's figure is made of finds
exactly the lines that are in it. Payments never wait for that index: what they write is not in it yet.
"""

import heapq
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from billing.aws import Aws, AwsError
from billing.data import dataclass
from billing.rules.ledger import LedgerEntry
from billing.rules.rollups import COHORTS, Cell, counters, day_series, month_series
from billing.rules.times import day_of
from billing.store.accounts import LEDGER, ledger_entry
from billing.store.codec import Item, item, values
from billing.store.dynamodb import all_items, pages

# One transaction holds at most 100 writes: a line is one, and adds to at most three cells.
_CHUNK = 20
_ATTEMPTS = 12
_CONTROL: Item = item({"metric": "#control", "day": "-"})
# The lines of a busy day are spread over a few partitions of the index.
_LINE_SHARDS = 4
_LINES_PER_QUERY = 100
# Page views of everybody meet here: spread over a few items, none of them gets hot.
_TRACK_SHARDS = 4

Stored = tuple[str, LedgerEntry]
"""A ledger line and the partition it lies in: a user, or what is left of an erased one."""


@dataclass(frozen=True, slots=True)
class Generations:
    folding: int = 1
    reading: int = 1
    currencies: tuple[str, ...] = ()


class MetricsStore:
    def __init__(
        self, aws: Aws, metrics_table: str, accounts_table: str = "", sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._aws = aws
        self._table = metrics_table
        self._accounts_table = accounts_table
        self._sleep = sleep

    # --- reading -----------------------------------------------------------------------------------------------------

    def generations(self) -> Generations:
        request = {"TableName": self._table, "Key": _CONTROL, "ConsistentRead": True}
        stored = self._aws.call("dynamodb", "get_item", **request).get("Item")
        if stored is None:
            return Generations()
        currencies = stored.get("currencies", {}).get("SS", [])
        return Generations(int(stored["folding"]["N"]), int(stored["reading"]["N"]), tuple(sorted(currencies)))

    def days(self, currency: str, first: str, last: str) -> dict[str, Counter[str]]:
        """The counters of each day from `first` to `last` that has any (2026-11-22)."""
        return self._cells(self.generations().reading, day_series(currency), first, last)

    def months(self, currency: str, first: str, last: str) -> dict[str, Counter[str]]:
        return self._cells(self.generations().reading, month_series(currency), first, last)

    def cohorts(self) -> dict[str, Counter[str]]:
        """The counters of cohorts, by the month in which they changed."""
        return self._cells(self.generations().reading, COHORTS, "0", "9")

    def everything(self, generation: int) -> dict[Cell, Counter[str]]:
        """Every cell of a generation."""
        series = [name(c) for c in self.generations().currencies for name in (day_series, month_series)]
        return {
            (s, day): cell for s in (*series, COHORTS) for day, cell in self._cells(generation, s, "0", "9").items()
        }

    def lines(self, currency: str, day: str, after: str = "") -> Iterator[tuple[str, Stored]]:
        """The lines that a day's figures are made of, oldest first, each with its place; `after` a place, the rest."""
        shards = (self._lines_of(f"{currency}#{day}#{number}", after) for number in range(_LINE_SHARDS))
        return heapq.merge(*shards, key=lambda line: line[0])

    def _lines_of(self, shard: str, after: str) -> Iterator[tuple[str, Stored]]:
        request: dict[str, Any] = {
            "TableName": self._accounts_table,
            "IndexName": "by_day",
            "KeyConditionExpression": "line_day = :day AND line_place > :after",
            "ExpressionAttributeValues": item({":day": shard, ":after": after or "0"}),
            "Limit": _LINES_PER_QUERY,
        }
        for line in map(values, all_items(self._aws, request)):
            yield line["line_place"], (line["user_id"], ledger_entry(line))

    def _cells(self, generation: int, series: str, first: str, last: str) -> dict[str, Counter[str]]:
        return dict(self._query(f"{generation}#{series}", first, last))

    def _query(self, metric: str, first: str, last: str) -> Iterator[tuple[str, Counter[str]]]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "metric = :metric AND #day BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#day": "day"},
            "ExpressionAttributeValues": item({":metric": metric, ":first": first, ":last": last}),
        }
        for row in map(values, all_items(self._aws, request)):
            day = row.pop("day")
            yield day, Counter({name: v for name, v in row.items() if name != "metric" and v})

    # --- folding -----------------------------------------------------------------------------------------------------

    def fold(self, lines: Sequence[Stored]) -> int:
        """Adds lines that are not in the rollups yet; returns how many there were. Raises when it cannot."""
        distinct = list({(user_id, line.record): (user_id, line) for user_id, line in lines}.values())
        return sum(self._fold_chunk(distinct[start : start + _CHUNK]) for start in range(0, len(distinct), _CHUNK))

    def _fold_chunk(self, chunk: list[Stored]) -> int:
        for attempt in range(_ATTEMPTS):
            if not chunk:
                return 0
            writes = self._fold_writes(chunk, self.generations().folding)
            try:
                self._aws.call("dynamodb", "transact_write_items", TransactItems=writes)
            except AwsError as error:
                failed = _failed(error)
                chunk = [line for number, line in enumerate(chunk, start=1) if number not in failed]
                if not failed:
                    self._sleep(random.uniform(0, 0.05 * 2 ** min(attempt, 6)))  # noqa: S311 jitter, not a secret
            else:
                return len(chunk)
        raise TimeoutError(f"the rollups were changed by others {_ATTEMPTS} times in a row")

    def _fold_writes(self, chunk: Sequence[Stored], generation: int) -> list[dict[str, Any]]:
        lines = [line for _, line in chunk]
        marks = [self._mark(user_id, line, generation) for user_id, line in chunk]
        adds = [self._add(f"{generation}#{series}", day, add) for (series, day), add in counters(lines).items()]
        return [{"Update": write} for write in (self._hold(lines, generation), *marks, *adds)]

    def _hold(self, lines: Sequence[LedgerEntry], generation: int) -> dict[str, Any]:
        """No fold into a generation that is not, or no longer, the one to fold into."""
        current = "folding = :generation"
        first = "attribute_not_exists(folding)"
        return {
            "TableName": self._table,
            "Key": _CONTROL,
            "UpdateExpression": (
                "SET folding = :generation, reading = if_not_exists(reading, :one) ADD currencies :these"
            ),
            "ConditionExpression": f"{current} OR {first}" if generation == 1 else current,
            "ExpressionAttributeValues": {
                ":generation": {"N": str(generation)},
                ":one": {"N": "1"},
                ":these": {"SS": sorted({line.currency for line in lines})},
            },
        }

    def _mark(self, user_id: str, line: LedgerEntry, generation: int) -> dict[str, Any]:
        still_there = "attribute_exists(#record)"
        not_folded_yet = "(attribute_not_exists(folded) OR folded < :generation)"
        return {
            "TableName": self._accounts_table,
            "Key": item({"user_id": user_id, "record": line.record}),
            "UpdateExpression": "SET folded = :generation, line_day = :day, line_place = :place",
            "ConditionExpression": f"{still_there} AND {not_folded_yet}",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":generation": generation, **_place(line)}),
        }

    def _add(self, metric: str, day: str, added: Mapping[str, int]) -> dict[str, Any]:
        names = sorted(added)
        return {
            "TableName": self._table,
            "Key": item({"metric": metric, "day": day}),
            "UpdateExpression": "ADD " + ", ".join(f"#n{i} :v{i}" for i in range(len(names))),
            "ExpressionAttributeNames": {f"#n{i}": name for i, name in enumerate(names)},
            "ExpressionAttributeValues": item({f":v{i}": added[name] for i, name in enumerate(names)}),
        }

    # --- rebuilding: an operator's work; the only reads of the whole table --------------------------------------------

    def ledger(self, older_than: int | None = None) -> Iterator[list[Stored]]:
        """Every ledger line, page by page; with `older_than` those not folded into that generation yet."""
        request: dict[str, Any] = {
            "TableName": self._accounts_table,
            "FilterExpression": "begins_with(#record, :ledger)",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":ledger": LEDGER, ":generation": older_than}),
            "ConsistentRead": True,
        }
        if older_than is not None:
            request["FilterExpression"] += " AND (attribute_not_exists(folded) OR folded < :generation)"
        for page in pages(self._aws, request, "scan"):
            yield [(line["user_id"], ledger_entry(line)) for line in map(values, page)]

    def begin(self) -> int:
        """The generation to rebuild into: a new one, or the one whose rebuild was interrupted."""
        stored = self.generations()
        if stored.folding > stored.reading:
            return stored.folding
        self._turn(stored.folding, "SET folding = :next, reading = if_not_exists(reading, :known)", stored.folding + 1)
        return stored.folding + 1

    def finish(self, generation: int) -> None:
        """From now on this generation is read; the cells of the one before it are dropped."""
        old = self.generations().reading
        self._turn(generation, "SET reading = :next", generation)
        for series, day in self.everything(old) if old < generation else ():
            key = item({"metric": f"{old}#{series}", "day": day})
            self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=key)

    def _turn(self, folding: int, change: str, to: int) -> None:
        unchanged = "folding = :known OR attribute_not_exists(folding)"
        self._aws.call(
            "dynamodb",
            "update_item",
            TableName=self._table,
            Key=_CONTROL,
            UpdateExpression=change,
            ConditionExpression=unchanged,
            ExpressionAttributeValues=item({":known": folding, ":next": to}),
        )

    # --- page views --------------------------------------------------------------------------------------------------

    def track(self, name: str, day: str) -> None:
        """Counts a page view: which, and on what day; nothing else is known of it."""
        metric = f"track#{random.randrange(_TRACK_SHARDS)}"  # noqa: S311 spreads writes, no secret
        self._aws.call("dynamodb", "update_item", **self._add(metric, day, {name: 1}))

    def tracked(self, first: str, last: str) -> Counter[str]:
        """Page views from `first` to `last` day, by name."""
        total: Counter[str] = Counter()
        for number in range(_TRACK_SHARDS):
            for _, cell in self._query(f"track#{number}", first, last):
                total += cell
        return total


def _place(line: LedgerEntry) -> dict[str, str]:
    """A line's key in the index: its time and a random number, which identifies nobody."""
    number = os.urandom(16)
    return {
        ":day": f"{line.currency}#{day_of(line.at)}#{int.from_bytes(number) % _LINE_SHARDS}",
        ":place": f"{line.at:012d}#{number.hex()[:16]}",
    }


def _failed(error: AwsError) -> set[int]:
    """The positions of the writes whose condition failed; none when others were merely in the way. Else raises."""
    code = error.code
    if code != "TransactionCanceledException":
        if code in _PATIENCE:
            return set()
        raise error
    reasons = [r.get("Code", "None") for r in error.reasons]
    unexpected = {*reasons} - {"None", "ConditionalCheckFailed", *_PATIENCE}
    if unexpected or not reasons:
        raise error
    return {number for number, reason in enumerate(reasons) if reason == "ConditionalCheckFailed"}


_PATIENCE = frozenset(
    {
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
        "ThrottlingError",
        "ThrottlingException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "InternalServerError",
    }
)
