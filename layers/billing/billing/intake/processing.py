"""Processing of verified notifications: each takes effect once."""

from collections.abc import Callable, Sequence
from typing import Literal

from billing.aws import OUR_FAULT, AwsError, NoAnswer, trouble
from billing.data import dataclass, replace
from billing.errors import BillingError, NotOurs, ProviderUnavailable, TryAgain, Unordered
from billing.intake.applier import Applier
from billing.providers import load
from billing.providers.interface import Notification
from billing.rules.facts import CheckoutFact, DunningFact, Fact, SubscriptionFact, Translation
from billing.rules.records import ERASED
from billing.store.payment_events import EventStatus, PaymentEvent, PaymentEventStore

Outcome = Literal["applied", "unchanged", "duplicate", "ignored", "quarantined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a delivery was received, for the audit record. `received_at` in Unix seconds. `attempts`: how
    often the queue has delivered it, this time included."""

    received_at: int
    secret_label: str = ""
    body_sha256: str = ""
    attempts: int = 1


class Processor:
    """`livemode`: whether this stack takes real money; events of the other mode are quarantined.

    `aftercare(user_id, now)` does what is left to do when a subscription begins, fails to begin, or is left while a
    payment is open; when it raises, the event is not settled, and comes again. `keep_comment(user_id, subscription_id,
    text, at, now)` keeps what a customer wrote on canceling.
    """

    def __init__(
        self,
        applier: Applier,
        events: PaymentEventStore,
        *,
        livemode: bool,
        aftercare: Callable[[str, int], object] = lambda user_id, now: None,
        keep_comment: Callable[[str, str, str, int, int], object] = lambda *_: None,
    ) -> None:
        self._aftercare = aftercare
        self._keep_comment = keep_comment
        self._applier = applier
        self._events = events
        self._livemode = livemode

    def process(self, notification: Notification, delivery: Delivery, now: int) -> Outcome:
        """Gives a notification its effect, exactly once. Raises when it must be tried again; then nothing was written:
        `Parked` says what is missing, `ProviderUnavailable` that a read failed."""
        if notification.livemode is not None and notification.livemode != self._livemode:
            mode = "live" if notification.livemode else "test"
            reason = f"a {mode}-mode event on a stack of the other mode"
            return self._settle(_event(notification, delivery, now, "quarantined", reason, "other_mode"), "quarantined")
        translation = load(notification.provider).translate(notification)
        try:
            facts = self._facts_of(notification, translation, now)
            user_id = self._applier.user_of(notification.provider, facts, now)
            outcome = self._apply(notification, translation, facts, user_id, delivery, now)
            self._keep_comments(user_id, facts, now)
            return outcome
        except Unordered as odd:
            return self._settle(
                _event(notification, delivery, now, "quarantined", str(odd), "not_ordered_here"), "quarantined"
            )
        except NotOurs as foreign:
            return self._settle(_event(notification, delivery, now, "ignored", str(foreign)), "ignored")

    def _apply(
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
        if not any(map(_calls_for_care, facts)):
            outcome = self._applier.apply(user_id, notification.provider, facts, now, event)
            if outcome == "duplicate" and not translation.facts:
                # Where the event only names an object to read, a repeat is processed again: the object may have changed
                # since.
                self._applier.apply(user_id, notification.provider, facts, now)
            return outcome
        # Until the aftercare is done, the event counts as failed, although its effect is written.
        open_event = replace(event, status="failed", reason="what follows at the provider is being looked at")
        outcome = self._applier.apply(user_id, notification.provider, facts, now, open_event)
        if outcome == "duplicate":
            return outcome
        self._aftercare(user_id, now)
        return self._settle(self._applier.event_of(user_id, event, outcome), outcome)

    def _keep_comments(self, user_id: str, facts: Sequence[Fact], now: int) -> None:
        """When it raises, the event comes again, as a repeat, and the comments are kept then."""
        if user_id.startswith(ERASED):
            return
        for fact in facts:
            if isinstance(fact, SubscriptionFact) and fact.comment:
                self._keep_comment(user_id, fact.subscription_id, fact.comment, fact.canceled_at or now, now)

    def replay(self, notification: Notification, now: int) -> Outcome:
        """Gives an event its effect again although it is settled; the rules judge it against the account as it is
        now."""
        try:
            facts = self._facts_of(notification, load(notification.provider).translate(notification), now)
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
            return self._facts_of(notification, load(notification.provider).translate(notification), now)
        except NotOurs:
            return []

    def _facts_of(self, notification: Notification, translation: Translation, now: int) -> list[Fact]:
        """What a notification means, after reading what has to be read. Raises `NotOurs`, with the reason, where it
        means nothing to us."""
        facts: list[Fact] = list(translation.facts)
        reason = translation.reason or "nothing to us"
        for ref in reversed(translation.rereads):
            try:
                facts[:0] = self._applier.read(notification.provider, ref, notification.created_at, now)
            except Unordered:
                raise
            except NotOurs as gone:  # the other facts of the event may still be ours
                reason = str(gone)
        if not facts:
            raise NotOurs(reason)
        return facts

    def record_failure(self, notification: Notification, delivery: Delivery, now: int, error: Exception) -> int:
        """Stores the cause of a failure, unless the event has been settled meanwhile. Returns how often the event has
        failed by itself, not counting causes that pass (a provider that is away)."""
        event = _event(notification, delivery, now, "failed", *cause_of(error))
        return self._events.record_failure(event, passing=passes(error))

    def _settle(self, event: PaymentEvent, outcome: Outcome) -> Outcome:
        return outcome if self._events.record(event) else "duplicate"


def passes(error: Exception) -> bool:
    """Whether the cause lies elsewhere and goes away by itself: the provider, AWS, or others who write the same
    account."""
    if isinstance(error, AwsError):
        return error.code not in OUR_FAULT
    return isinstance(error, ProviderUnavailable | TryAgain)


def cause_of(error: Exception) -> tuple[str, str]:
    """A failure in plain words for an operator, and as a code that leads to a remedy. Of an unexpected error only its
    class is given: its text might quote a payload."""
    if isinstance(error, BillingError):
        return str(error), error.code
    if reason := trouble(error):
        return reason, "aws_silent" if isinstance(error, NoAnswer) else "aws_refused"
    return f"unexpected {type(error).__name__}: see the function's log", "unexpected"


def notification_of(event: PaymentEvent) -> Notification:
    """The notification, from the audit record: a replay needs no more."""
    return Notification(
        provider=event.provider,
        event_id=event.provider_event_id,
        type=event.type,
        created_at=event.created_at,
        livemode=event.livemode,
        payload=event.payload,
    )


def _calls_for_care(fact: Fact) -> bool:
    """Whether something may be left to do at the provider: a subscription was bought, its first payment failed, or it
    ends while a payment is open."""
    if isinstance(fact, CheckoutFact):
        return fact.subscription_id is not None
    if isinstance(fact, SubscriptionFact):
        return fact.status == "past_due" and (fact.cancel_at_period_end or fact.cancel_at is not None)
    return isinstance(fact, DunningFact) and fact.first and fact.state != "open"


def _event(
    notification: Notification, delivery: Delivery, now: int, status: EventStatus, reason: str = "", code: str = ""
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
