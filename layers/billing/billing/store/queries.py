"""The one way to read a Query, or a Scan, to its end."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from billing.aws import Aws
from billing.store.codec import Item


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
