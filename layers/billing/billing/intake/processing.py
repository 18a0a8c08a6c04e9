"""From a verified notification to its one effect, and from a batch of the queue to what must be tried again."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from billing.aws import NoAnswer, trouble
from billing.data import dataclass, replace
from billing.errors import BillingError, NotOurs, Unordered
from billing.intake.applier import Applier
from billing.intake.webhook import decode
from billing.log import Log
from billing.providers import load
from billing.providers.interface import Notification
from billing.rules.facts import CheckoutFact, DunningFact, Fact, Translation
from billing.store.payment_events import PaymentEvent, PaymentEventStore, Status

Outcome = Literal["applied", "unchanged", "duplicate", "ignored", "quarantined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the webhook saw beside the payload, for the audit record. `received_at` in Unix seconds.

    `attempts` is how often the queue has handed it out, this time included.
    """

    received_at: int
    secret_label: str = ""
    body_sha256: str = ""
    attempts: int = 1


class Processor:
    """`livemode`: whether this stack takes real money; events of the other mode are quarantined.

    `settle_doubles(user_id, now)` looks after every subscription that begins, or fails to; when it raises, the event
    that told of that is not settled, and comes again.
    """

    def __init__(
        self,
        applier: Applier,
        events: PaymentEventStore,
        *,
        livemode: bool,
        settle_doubles: Callable[[str, int], object] = lambda user_id, now: None,
    ) -> None:
        self._settle_doubles = settle_doubles
        self._applier = applier
        self._events = events
        self._livemode = livemode

    def process(self, notification: Notification, delivery: Delivery, now: int) -> Outcome:
        """Gives a notification its effect, exactly once. Raises when it must be tried again; then nothing was written.

        `Parked` says what is missing; `ProviderUnavailable` that a read failed.
        """
        if notification.livemode is not None and notification.livemode != self._livemode:
            mode = "live" if notification.livemode else "test"
            reason = f"a {mode}-mode event on a stack of the other mode"
            return self._settle(_event(notification, delivery, now, "quarantined", reason, "other_mode"), "quarantined")
        translation = load(notification.provider).translate(notification)
        try:
            facts = self._told(notification, translation, now)
            user_id = self._applier.user_of(notification.provider, facts, now)
            return self._given_effect(notification, translation, facts, user_id, delivery, now)
        except Unordered as odd:
            return self._settle(
                _event(notification, delivery, now, "quarantined", str(odd), "not_ordered_here"), "quarantined"
            )
        except NotOurs as foreign:
            return self._settle(_event(notification, delivery, now, "ignored", str(foreign)), "ignored")

    def _given_effect(
        self,
        notification: Notification,
        translation: Translation,
        facts: Sequence[Fact],
        user_id: str,
        delivery: Delivery,
        now: int,
    ) -> Outcome:
        event = _event(notification, delivery, now, "processed")
        outcome: Outcome
        if not any(map(_begins, facts)):
            outcome = self._applier.apply(user_id, notification.provider, facts, now, event)
            if outcome == "duplicate" and not translation.facts:
                # A hint told again is no repeat of what was read for it: the object may have changed since.
                self._applier.apply(user_id, notification.provider, facts, now)
            return outcome
        # Until what the user has twice is undone this counts as failed: with its effect, but not at its end.
        open_event = replace(event, status="failed", reason="whether this is a second subscription is being looked at")
        outcome = self._applier.apply(user_id, notification.provider, facts, now, open_event)
        if outcome == "duplicate":
            return outcome
        self._settle_doubles(user_id, now)
        return self._settle(self._applier.event_of(user_id, event, outcome), outcome)

    def replay(self, notification: Notification, now: int) -> Outcome:
        """Gives an event its effect again although it is settled: what it says is judged against what is known."""
        try:
            facts = self._told(notification, load(notification.provider).translate(notification), now)
            user_id = self._applier.user_of(notification.provider, facts, now)
            outcome: Outcome = self._applier.apply(user_id, notification.provider, facts, now)
        except Unordered:
            return "quarantined"
        except NotOurs:
            return "ignored"
        return outcome

    def facts(self, notification: Notification, now: int) -> list[Fact]:
        """What a notification means, as facts; none when it means nothing to us."""
        try:
            return self._told(notification, load(notification.provider).translate(notification), now)
        except NotOurs:
            return []

    def _told(self, notification: Notification, translation: Translation, now: int) -> list[Fact]:
        """What a notification means, after reading what has to be read. Raises `NotOurs`, saying why, for nothing."""
        facts: list[Fact] = list(translation.facts)
        reason = translation.reason or "nothing to us"
        for ref in reversed(translation.rereads):
            try:
                facts[:0] = self._applier.read(notification.provider, ref, notification.created_at, now)
            except Unordered:
                raise
            except NotOurs as gone:  # what else the event says may be ours all the same
                reason = str(gone)
        if not facts:
            raise NotOurs(reason)
        return facts

    def record_failure(self, notification: Notification, delivery: Delivery, now: int, error: Exception) -> None:
        """Keeps the cause of a failure, unless the event has been settled meanwhile."""
        self._events.record(_event(notification, delivery, now, "failed", *cause_of(error)))

    def _settle(self, event: PaymentEvent, outcome: Outcome) -> Outcome:
        return outcome if self._events.record(event) else "duplicate"


def process_batch(processor: Processor, messages: Sequence[Mapping[str, Any]], now: int, logger: Log) -> dict[str, Any]:
    """Processes a batch of the queue; the messages that failed are named, so that only they come again."""
    failed = []
    for message in messages:
        try:
            notification, seen = decode(message["body"])
            attempts = int(message.get("attributes", {}).get("ApproximateReceiveCount", 1))
            delivery = Delivery(**seen, attempts=attempts)
        except (ValueError, KeyError, TypeError) as unreadable:
            # Nothing of ours. It must not hold back the others of its batch: it goes to the dead-letter queue alone.
            kind = type(unreadable).__name__
            logger.error("unreadable", extra={"message_id": message["messageId"], "reason": kind})
            failed.append({"itemIdentifier": message["messageId"]})
            continue
        if not _process_one(processor, notification, delivery, now, logger):
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def _process_one(processor: Processor, notification: Notification, delivery: Delivery, now: int, logger: Log) -> bool:
    """Whether it is settled; the cause of a failure is kept with the event."""
    where = {"event_id": notification.key, "type": notification.type}
    try:
        outcome = processor.process(notification, delivery, now)
    except Exception as error:  # noqa: BLE001 one poisoned event must not hold back the batch
        reason, code = cause_of(error)
        logger.error("failed", extra={**where, "reason": reason, "code": code, "frames": _frames(error)})
        try:
            processor.record_failure(notification, delivery, now, error)
        except Exception as lost:  # noqa: BLE001 as above: the queue still has the message
            logger.error("failure not recorded", extra={**where, "reason": cause_of(lost)[0]})
        return False
    logger.info("processed", extra={**where, "outcome": outcome, "waited": now - delivery.received_at})
    return True


def cause_of(error: Exception) -> tuple[str, str]:
    """A failure in plain words for an operator, and as a code by which a remedy is found.

    Of an unexpected error the words are its kind alone: its text might quote a payload.
    """
    if isinstance(error, BillingError):
        return str(error), error.code
    if told := trouble(error):
        return told, "aws_silent" if isinstance(error, NoAnswer) else "aws_refused"
    return f"unexpected {type(error).__name__}: see the function's log", "unexpected"


def _frames(error: Exception) -> list[str]:
    """Where it failed, the innermost last. The traceback as text would end in the error's own, and could quote."""
    return [f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]


def notification_of(event: PaymentEvent) -> Notification:
    """What was told, from the audit record: a replay needs no more."""
    return Notification(
        provider=event.provider,
        event_id=event.provider_event_id,
        type=event.type,
        created_at=event.created_at,
        livemode=event.livemode,
        payload=event.payload,
    )


def _begins(fact: Fact) -> bool:
    """Whether it is about how a subscription begins: that it was bought, or that its first payment came to nothing."""
    if isinstance(fact, CheckoutFact):
        return fact.subscription_id is not None
    return isinstance(fact, DunningFact) and fact.first and fact.state != "open"


def _event(
    notification: Notification, delivery: Delivery, now: int, status: Status, reason: str = "", code: str = ""
) -> PaymentEvent:
    return PaymentEvent(
        event_id=notification.key,
        provider=notification.provider,
        provider_event_id=notification.event_id,
        type=notification.type,
        created_at=notification.created_at,
        received_at=delivery.received_at,
        processed_at=now,
        status=status,
        payload=notification.payload,
        livemode=notification.livemode,
        reason=reason,
        code=code,
        secret_label=delivery.secret_label,
        body_sha256=delivery.body_sha256,
        attempts=delivery.attempts,
    )
