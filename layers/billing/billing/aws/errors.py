"""Calls that AWS refused, and calls of which nobody knows whether they took effect."""

from collections.abc import Mapping, Sequence
from typing import Any

# What AWS will refuse the next time too, because it is about what was asked.
OUR_FAULT = frozenset({"ValidationException", "ItemCollectionSizeLimitExceededException", "SerializationException"})


class AwsError(Exception):
    """What AWS refused. `code` is AWS's own and what a decision may rest on; `message` is for people.

    `reasons` are those of a cancelled transaction, in the order of its writes; `item` is what stood in the way of a
    condition, where the call asked for it.
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
    """AWS was not reached, or its answer was not whole: unless `code` says otherwise, the call may have had effect."""

    _VERB = "did not answer"


def trouble(error: Exception) -> str | None:
    """What an error of AWS says, in words that quote no request; None when it is another's."""
    if isinstance(error, NoAnswer):
        return f"AWS did not answer: {error.code}"
    return f"AWS refused {error.operation}: {error.code}" if isinstance(error, AwsError) else None
