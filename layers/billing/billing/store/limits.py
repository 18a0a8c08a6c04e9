"""Rate limits per user: a counter per window, one conditional write per call, gone by itself."""

from billing.aws import Aws, AwsError
from billing.errors import TooManyRequests
from billing.store.codec import item


class Limits:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def count(self, what: str, who: str, limit: int, window: int, now: int) -> None:
        """Counts one call. Raises `TooManyRequests` when there were `limit` in this window of so many seconds."""
        first = "attribute_not_exists(calls)"
        below_the_limit = "calls < :limit"
        begun = now - now % window
        try:
            self._aws.call(
                "dynamodb",
                "update_item",
                TableName=self._table,
                Key=item({"user_id": f"rate#{what}#{who}", "record": str(begun)}),
                UpdateExpression="ADD calls :one SET #ttl = :ttl",
                ConditionExpression=f"{first} OR {below_the_limit}",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=item({":one": 1, ":limit": limit, ":ttl": begun + 2 * window}),
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            retry_after = begun + window - now
            raise TooManyRequests(f"too many calls: wait {retry_after} seconds", retry_after=retry_after) from error
