"""Calls that AWS refused, and calls with an unknown outcome."""

from collections.abc import Mapping, Sequence
from typing import Any

# Errors in the request itself, so that a retry would fail too.
OUR_FAULT = frozenset({"ValidationException", "ItemCollectionSizeLimitExceededException", "SerializationException"})


class AwsError(Exception):
    """AWS refused a call. Decide by `code`, which is AWS's own; `message` is for people.

    `reasons`: of a cancelled transaction, in the order of its writes. `item`: the existing item of a failed condition,
    if the call requested it.
    """

    _VERB = "refused"

    def __init__(
        self,
        operation: str,
        code: str,
        message: str = "",
        reasons: Sequence[Mapping[str, Any]] = (),
        item: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"AWS {self._VERB} {operation}: {code}" + (f": {message}" if message else ""))
        self.operation = operation
        self.code = code
        self.message = message
        self.reasons = reasons
        self.item = item


class NoAnswer(AwsError):
    """AWS was not reached, or its answer was incomplete. Unless `code` is NotSent, the call may have had an effect."""

    _VERB = "did not answer"


def trouble(error: Exception) -> str | None:
    """The text of an AWS error without any request data; None for any other error."""
    if isinstance(error, NoAnswer):
        return f"AWS did not answer: {error.code}"
    return f"AWS refused {error.operation}: {error.code}" if isinstance(error, AwsError) else None
