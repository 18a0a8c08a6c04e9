"""The one way to read an item, and to read a Query or a Scan to its end."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from billing.aws import Aws
from billing.store.codec import Item, values


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
