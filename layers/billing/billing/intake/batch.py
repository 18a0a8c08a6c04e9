"""A batch of the queue: each message takes effect once, waits for its next try, or goes to the dead-letter queue.

A message that fails because the provider or AWS is down is retried, with growing pauses, for as long as the outage
takes. One that fails for a reason of its own is tried a few times and then put into the dead-letter queue, with its
cause on record.
"""

import random
import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from billing import deadline
from billing.aws import Aws, AwsError
from billing.data import dataclass
from billing.intake.processing import Delivery, Processor, cause_of, passes
from billing.intake.webhook import decode
from billing.log import Log
from billing.providers.interface import Notification

# Tries of an event that fails by itself. The queue's own limit is higher: it has to outlast an outage.
TRIES = 5
# Seconds until the next try while a provider or AWS is away, the first time; doubled each time, at most so many times
# as long, and up to a fifth less.
FIRST_WAIT, LONGEST = 60, 15


@dataclass(frozen=True, slots=True)
class _Message:
    """One decoded message; `attempts`: how often the queue has delivered it."""

    message_id: str
    receipt_handle: str
    body: str
    attempts: int


class Batch:
    """`first_wait`: seconds until the second try of a message that a provider's or AWS's trouble holds up."""

    def __init__(
        self,
        processor: Processor,
        aws: Aws,
        queue_url: str,
        dead_letters_url: str,
        logger: Log,
        first_wait: int = FIRST_WAIT,
    ) -> None:
        self._first_wait = first_wait
        self._processor = processor
        self._aws = aws
        self._queue_url = queue_url
        self._dead_letters_url = dead_letters_url
        self._logger = logger

    def process(self, records: Iterable[Mapping[str, Any]], now: int) -> dict[str, Any]:
        """Processes a batch. The answer names the messages that failed, and only those come again. Those tried least
        come first: a message that crashes the process cannot hold up the others for ever."""
        again = []
        messages = sorted(map(_message, records), key=lambda message: message.attempts)
        for place, message in enumerate(messages):
            if deadline.over():
                rest = messages[place:]
                self._logger.warning("out of time", extra={"left_over": len(rest)})
                again += [message.message_id for message in rest]
                break
            if not self._process(message, now):
                again.append(message.message_id)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}

    def _process(self, message: _Message, now: int) -> bool:
        """Whether the queue may delete it."""
        try:
            notification, seen = decode(message.body)
            delivery = Delivery(**seen, attempts=message.attempts)
        except (ValueError, KeyError, TypeError) as unreadable:  # no message of ours
            reason = type(unreadable).__name__
            self._logger.error("unreadable", extra={"message_id": message.message_id, "reason": reason})
            return message.attempts >= TRIES and self._set_aside(message, {"message_id": message.message_id})
        where = {"event_id": notification.key, "type": notification.type}
        try:
            outcome = self._processor.process(notification, delivery, now)
        except Exception as error:  # noqa: BLE001 one poisoned event must not hold back the batch
            return self._failed(message, notification, delivery, error, now, where)
        self._logger.info("processed", extra={**where, "outcome": outcome, "waited": now - delivery.received_at})
        return True

    def _failed(
        self,
        message: _Message,
        notification: Notification,
        delivery: Delivery,
        error: Exception,
        now: int,
        where: Mapping[str, str],
    ) -> bool:
        passing, (reason, code) = passes(error), cause_of(error)
        what = {**where, "reason": reason, "code": code}
        if passing:
            self._logger.warning("waiting", extra={**what, "provider": notification.provider})
        else:
            self._logger.error("failed", extra={**what, "frames": _frames(error)})
        faults = 0
        try:
            faults = self._processor.record_failure(notification, delivery, now, error)
        except Exception as lost:  # noqa: BLE001 as above: the queue still has the message
            self._logger.error("failure not recorded", extra={**where, "reason": cause_of(lost)[0]})
        if passing:
            self._wait(message, where)
            return False
        # Counted over the event's whole life; when an operator sends it back, it gets as many tries again.
        return faults > 0 and faults % TRIES == 0 and self._set_aside(message, where)

    def _wait(self, message: _Message, where: Mapping[str, str]) -> None:
        """Hides the message for longer than the queue would; if that call fails, the queue's own time holds."""
        hidden = {
            "ReceiptHandle": message.receipt_handle,
            "VisibilityTimeout": wait(message.attempts, self._first_wait),
        }
        self._ask("change_message_visibility", where, self._queue_url, **hidden)

    def _set_aside(self, message: _Message, where: Mapping[str, str]) -> bool:
        """Puts it into the dead-letter queue; False when that failed, so that it comes again."""
        if not self._ask("send_message", where, self._dead_letters_url, MessageBody=message.body):
            return False
        self._logger.error("set aside", extra=dict(where))
        return True

    def _ask(self, operation: str, where: Mapping[str, str], queue_url: str, **request: Any) -> bool:
        try:
            self._aws.call("sqs", operation, QueueUrl=queue_url, **request)
        except AwsError as lost:
            self._logger.warning("queue not reached", extra={**where, "reason": cause_of(lost)[0]})
            return False
        return True


def wait(attempts: int, first: int = FIRST_WAIT) -> int:
    """Seconds until the next try, after so many."""
    longest: int = first * min(1 << min(attempts - 1, 10), LONGEST)
    return max(1, round(longest * random.uniform(0.8, 1.0)))  # noqa: S311 spread, not a secret


def _message(record: Mapping[str, Any]) -> _Message:
    attempts = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
    return _Message(record["messageId"], record.get("receiptHandle", ""), record["body"], attempts)


def _frames(error: Exception) -> Sequence[str]:
    """Where it failed, the innermost call last. Not the usual traceback: that ends in the error's text, which could
    quote a payload."""
    return [f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
