"""Dead letters: verified deliveries that could not be processed; listed with their cause, and sent back.

Sending back is receive, filter, send, delete. Interrupted anywhere, a message is in one of the two queues or in both,
never in none; processing it twice has no effect, because every event has its effect once.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from billing.aws import Aws, AwsError
from billing.data import dataclass
from billing.intake.webhook import decode
from billing.store.payment_events import PaymentEvent, PaymentEventStore

# For how long a function hides what it looks at. What is not sent back becomes visible again at its end, or after this.
_HIDDEN_SECONDS = 60
_BATCH = 10
# A letter that is visible already, or was sent back by somebody else.
_GONE = frozenset({"MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"})
# A short poll asks only some of the servers that hold a queue; a long one asks all.
_WAIT_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """`cause`: why the last try failed, in plain words; `code`: the same as one word. `received_at` (Unix seconds):
    when our webhook received it."""

    event_id: str
    provider: str
    type: str
    created_at: int
    received_at: int
    cause: str
    code: str
    payload: Mapping[str, Any]
    body: str
    handle: str

    @property
    def event(self) -> PaymentEvent:
        """The event as far as the letter has it, where the processor never stored it."""
        notification, seen = decode(self.body)
        return PaymentEvent(
            event_id=self.event_id,
            provider=self.provider,
            provider_event_id=notification.event_id,
            type=self.type,
            created_at=self.created_at,
            received_at=self.received_at,
            processed_at=self.received_at,
            status="failed",
            payload=self.payload,
            livemode=notification.livemode,
            reason=self.cause,
            code=self.code,
            secret_label=str(seen.get("secret_label", "")),
            body_sha256=str(seen.get("body_sha256", "")),
        )


class DeadLetters:
    """`hidden_seconds`: at least as long as it takes to look through the queue, or letters are overlooked."""

    def __init__(
        self,
        aws: Aws,
        dlq_url: str,
        queue_url: str,
        events: PaymentEventStore,
        hidden_seconds: int = _HIDDEN_SECONDS,
    ) -> None:
        self._aws = aws
        self._hidden_seconds = hidden_seconds
        self._dlq_url = dlq_url
        self._queue_url = queue_url
        self._events = events

    def waiting(self, limit: int = 100) -> list[DeadLetter]:
        """The letters waiting now, the oldest first; they stay where they are."""
        hidden: set[str] = set()
        try:
            letters = list(islice(self._receive(hidden), limit))
        finally:
            self._release(hidden)
        return sorted(letters, key=lambda letter: letter.created_at)

    def hidden(self) -> int:
        """About how many letters cannot be seen, because somebody looks at them now or was killed doing so."""
        name = "ApproximateNumberOfMessagesNotVisible"
        answer = self._aws.call("sqs", "get_queue_attributes", QueueUrl=self._dlq_url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def redrive(
        self,
        event_ids: Sequence[str] | None = None,
        *,
        dry_run: bool,
        limit: int | None = None,
        pause: Callable[[], None] = lambda: None,
        on_sent: Callable[[DeadLetter], None] = lambda letter: None,
    ) -> list[DeadLetter]:
        """Sends letters back to be processed again: those named, or all, at most `limit`.

        `pause` is called after each, for the rate.

        Returns what was sent, or with `dry_run` what would be. Repeats of one event are sent once and dropped after.
        """
        wanted = None if event_ids is None else set(event_ids)
        hidden: set[str] = set()
        chosen: list[DeadLetter] = []
        sent: set[str] = set()
        try:
            for letter in self._receive(hidden):
                if wanted is not None and letter.event_id not in wanted:
                    continue
                if letter.event_id not in sent:
                    if len(chosen) == limit:
                        break
                    chosen.append(letter)
                    sent.add(letter.event_id)
                if dry_run:
                    continue
                if letter is chosen[-1]:
                    self._aws.call("sqs", "send_message", QueueUrl=self._queue_url, MessageBody=letter.body)
                self._aws.call("sqs", "delete_message", QueueUrl=self._dlq_url, ReceiptHandle=letter.handle)
                hidden.discard(letter.handle)
                on_sent(letter)
                pause()
        finally:
            self._release(hidden)
        return chosen

    def named(self, event_ids: Collection[str]) -> dict[str, list[DeadLetter]]:
        """The letters of some events, by event. They are hidden from others for a minute, to be dropped or left."""
        by_event: dict[str, list[DeadLetter]] = {}
        hidden: set[str] = set()
        try:
            for letter in self._receive(hidden):
                if letter.event_id in event_ids:
                    by_event.setdefault(letter.event_id, []).append(letter)
                    hidden.discard(letter.handle)
        finally:
            self._release(hidden)
        return by_event

    def drop(self, letters: Sequence[DeadLetter]) -> None:
        """Takes letters out of the queue for good; what they say must be on record before."""
        for letter in letters:
            self._aws.call("sqs", "delete_message", QueueUrl=self._dlq_url, ReceiptHandle=letter.handle)

    def _receive(self, hidden: set[str]) -> Iterator[DeadLetter]:
        """Every message that is visible, each once. `hidden` gets the handles of all that others do not see meanwhile,
        those of a batch before the first is looked at: whoever stops early releases them too."""
        seen: set[str] = set()
        while True:
            answer = self._aws.call(
                "sqs",
                "receive_message",
                QueueUrl=self._dlq_url,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=self._hidden_seconds,
                WaitTimeSeconds=_WAIT_SECONDS,
                AttributeNames=["SentTimestamp"],
            )
            messages = answer.get("Messages", [])
            hidden.update(message["ReceiptHandle"] for message in messages)
            fresh = [m for m in messages if m["MessageId"] not in seen]
            if not fresh:
                return
            for message in fresh:
                seen.add(message["MessageId"])
                try:
                    yield self._letter(message["Body"], message["ReceiptHandle"])
                except (ValueError, KeyError, TypeError):
                    yield _unreadable(message)

    def _letter(self, body: str, handle: str) -> DeadLetter:
        notification, seen = decode(body)
        cause, code = _cause(self._events.get(notification.key))
        return DeadLetter(
            event_id=notification.key,
            provider=notification.provider,
            type=notification.type,
            created_at=notification.created_at,
            received_at=seen["received_at"],
            cause=cause,
            code=code,
            payload=notification.payload,
            body=body,
            handle=handle,
        )

    def _release(self, handles: Collection[str]) -> None:
        for handle in handles:
            try:
                self._aws.call(
                    "sqs",
                    "change_message_visibility",
                    QueueUrl=self._dlq_url,
                    ReceiptHandle=handle,
                    VisibilityTimeout=0,
                )
            except AwsError as error:
                if error.code not in _GONE:
                    raise


def _unreadable(message: Mapping[str, Any]) -> DeadLetter:
    """A message that is no delivery of ours; it is listed like the others."""
    sent = int(message["Attributes"]["SentTimestamp"]) // 1000
    return DeadLetter(
        event_id=f"unreadable#{message['MessageId']}",
        provider="unknown",
        type="unreadable",
        created_at=sent,
        received_at=sent,
        cause="no delivery of ours: it cannot be read",
        code="unreadable",
        payload={},
        body=message["Body"],
        handle=message["ReceiptHandle"],
    )


def _cause(event: PaymentEvent | None) -> tuple[str, str]:
    if event is None:
        return "not recorded: the processor never finished a try", "never_finished"
    if event.status == "processed":
        return "processed meanwhile: sending it back changes nothing", "processed_meanwhile"
    if event.status == "set_aside":
        return f"set aside: {event.aside_reason}", "set_aside"
    return event.reason or event.status, event.code
