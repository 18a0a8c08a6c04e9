"""The calls to DynamoDB that all stores make: read an item, read a Query or a Scan to its end, write one transaction.

A transaction's cancellation is told apart: duplicate, lost race, foreign link, conflict, throttled.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar

from billing.aws import Aws, AwsError
from billing.errors import TryAgain
from billing.store.codec import Item, values

Result = TypeVar("Result")

# What a plain write is told while a transaction writes the same item; botocore does not try that again.
CONFLICT = "TransactionConflictException"
# What a failed condition means, by the kind of item it stands on (the first that failed decides).
_CONFLICTS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_RETRYABLE = frozenset(
    {
        CONFLICT,
        "TransactionInProgressException",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "InternalServerError",
    }
)


def read_item(aws: Aws, table: str, key: Item, *, consistent: bool = True) -> dict[str, Any] | None:
    """The values of one item; None when there is none."""
    answer = aws.call("dynamodb", "get_item", TableName=table, Key=key, ConsistentRead=consistent)
    return values(answer["Item"]) if "Item" in answer else None


def pages(aws: Aws, request: Mapping[str, Any], operation: str = "query") -> Iterator[list[Item]]:
    """Page after page, each read only when it is asked for. A `Limit` in the request is the size of a page."""
    following: dict[str, Any] = {}
    while True:
        page = aws.call("dynamodb", operation, **request, **following)
        yield page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        following = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def all_items(aws: Aws, request: Mapping[str, Any]) -> Iterator[Item]:
    """Every item of a Query."""
    return chain.from_iterable(pages(aws, request))


def beginning(aws: Aws, table: str, user_id: str, prefix: str, **options: Any) -> Iterator[Item]:
    """One partition's records in the Accounts table that begin with `prefix`. `options`: of the Query."""
    condition = "user_id = :user AND begins_with(#record, :prefix)"
    return _records(aws, table, condition, {":user": user_id, ":prefix": prefix}, options)


def between(aws: Aws, table: str, user_id: str, first: str, last: str, **options: Any) -> Iterator[Item]:
    """As `beginning`, from `first` to `last`."""
    condition = "user_id = :user AND #record BETWEEN :first AND :last"
    return _records(aws, table, condition, {":user": user_id, ":first": first, ":last": last}, options)


def _records(
    aws: Aws, table: str, condition: str, keys: Mapping[str, str], options: Mapping[str, Any]
) -> Iterator[Item]:
    request = {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": {"#record": "record"},
        "ExpressionAttributeValues": {name: {"S": value} for name, value in keys.items()},
    }
    return all_items(aws, {**request, **options})


def conditional_write(aws: Aws, operation: str, **request: Any) -> bool:
    """One write with a condition; False when the condition fails, and nothing was written."""
    try:
        aws.call("dynamodb", operation, **request)
    except AwsError as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        return False
    return True


class Duplicate(Exception):
    """The event was processed before: its effects are all there, nothing was written now."""


class LostRace(Exception):
    """Somebody else wrote first, or the table asks for patience: read again and try again."""


class ForeignLink(Exception):
    """A provider's id in this change belongs to another user. `link` is <provider>#<id>."""

    def __init__(self, link: str) -> None:
        super().__init__(f"{link} belongs to another user")
        self.link = link


def retry(
    attempt: Callable[[], Result],
    sleep: Callable[[float], None] = time.sleep,
    *,
    attempts: int = 7,
    first: float = 0.05,
    longest: float = 3.2,
) -> Result:
    """What `attempt` returns, begun again after each lost race, until it was lost `attempts` times: then `TryAgain`.

    Lost races are rare and short: with jitter, seven tries outlast any burst of events of one user. `first` and
    `longest` bound the waits in between (seconds).
    """
    for tried in range(attempts):
        try:
            return attempt()
        except LostRace:
            import random  # most processes lose none

            sleep(random.uniform(0, min(longest, first * 2**tried)))  # noqa: S311 jitter, not a secret
    raise TryAgain(f"the records were changed by other calls {attempts} times in a row: try again")


def transact(aws: Aws, writes: list[dict[str, Any]]) -> None:
    """All writes or none."""
    try:
        aws.call("dynamodb", "transact_write_items", TransactItems=writes)
    except AwsError as error:
        code = error.code
        if code in _RETRYABLE:
            raise LostRace(code) from error
        if code != "TransactionCanceledException":
            raise
        _tell_apart(writes, error)
        raise


def put_event(aws: Aws, put: dict[str, Any]) -> None:
    """The marker of an event that changes nothing else: half of what a transaction costs. Raises as `transact` does."""
    try:
        aws.call("dynamodb", "put_item", **put)
    except AwsError as error:
        if error.code == "ConditionalCheckFailedException":
            raise Duplicate from error
        if error.code in _RETRYABLE:
            raise LostRace(error.code) from error
        raise


def _tell_apart(writes: list[dict[str, Any]], error: AwsError) -> None:
    reasons = [r.get("Code", "None") for r in error.reasons]
    failed = [w for w, reason in zip(writes, reasons, strict=False) if reason == "ConditionalCheckFailed"]
    keys = [next(iter(w.values())).get("Item", {}) for w in failed]
    if any("event_id" in key for key in keys):
        raise Duplicate from error
    for key in keys:
        if key.get("record", {}).get("S") == "link":
            raise ForeignLink(key["user_id"]["S"].removeprefix("link#")) from error
    if failed or any(reason in _CONFLICTS for reason in reasons):
        raise LostRace(", ".join(sorted(set(reasons) - {"None"}))) from error
