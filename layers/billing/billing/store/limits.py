"""Rate limits per user: a counter per window, one conditional write per call, expired by TTL."""

import secrets

from billing.aws import Aws, AwsError
from billing.errors import TooManyRequests
from billing.rules.times import DAY
from billing.store.codec import item


class Limits:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

        self._salt = ("", "")

    def salt(self, now: int) -> str:
        """The day's salt, random and gone after two days: what was hashed with it leads to nobody then."""
        day = str(now // DAY)
        if self._salt[0] != day:
            answer = self._aws.call(
                "dynamodb",
                "update_item",
                TableName=self._table,
                Key=item({"user_id": "rate#salt", "record": day}),
                UpdateExpression="SET salt = if_not_exists(salt, :new), #ttl = :ttl",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=item({":new": secrets.token_hex(16), ":ttl": now + 2 * DAY}),
                ReturnValues="ALL_NEW",
            )
            self._salt = (day, answer["Attributes"]["salt"]["S"])
        return self._salt[1]

    def count(self, what: str, who: str, limit: int, window: int, now: int, cost: int = 1) -> None:
        """Counts one call, or what it costs, in a window of so many seconds; a negative cost gives back.

        Raises `TooManyRequests` where that would be more than `limit`.
        """
        first = "attribute_not_exists(calls)"
        below_the_limit = "calls <= :room"
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
                ExpressionAttributeValues=item({":one": cost, ":room": limit - cost, ":ttl": begun + 2 * window}),
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            retry_after = begun + window - now
            raise TooManyRequests(f"too many calls: wait {retry_after} seconds", retry_after=retry_after) from error
