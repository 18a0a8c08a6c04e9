"""Payment events for admins: list them, show why they failed and what to do, send them back, set them aside."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from billing.admin.event_subjects import Subject, Subjects
from billing.aws import Aws
from billing.data import replace
from billing.errors import invalid_cursor, invalid_field
from billing.intake.dead_letters import DeadLetter, DeadLetters
from billing.intake.processing import notification_of
from billing.intake.webhook import encode
from billing.providers import PROVIDERS
from billing.rules.history import By
from billing.rules.records import Account
from billing.rules.times import rfc3339
from billing.store.audit import AuditLog
from billing.store.payment_events import Listed, PaymentEvent, PaymentEventStore

View = dict[str, Any]
_PAGE = 25
_LISTS: tuple[Listed, ...] = ("processed", "failed", "quarantined", "set_aside")
# Events of a kind are counted up to so many.
_COUNTED = 1_000
_CURSOR = re.compile(r"\d{12}#.{1,200}")
# So many letters one request has time for. For more, ask again, or use `billing dlq redrive`.
REDRIVEN_AT_ONCE = 100

# What helps, by the code of a cause. `Parked` names the codes of what could not be applied yet.
_LOOK_UP = "Look the object up at the provider; once it is there, send the event again."
REMEDIES: Mapping[str, str] = {
    "unknown_plan": "Add the price to the plan it stands for (provider ids), then send the event again.",
    "unknown_user": "Look the object up at the provider. If we sold it, set user_id in its metadata there and send the "
    "event again; if not, it is none of ours and can stay.",
    "several_owners": "Look the object up at the provider and correct the user_id in its metadata; then send the event "
    "again.",
    "other_mode": "Nothing is lost. A webhook of the other mode points here: correct its address at the provider.",
    "not_known_yet": _LOOK_UP,
    "not_ordered_here": "Nobody opened this invoice here. Look at it at the provider, and give back there what came.",
    "order_differs": "Somebody changed the invoice at the provider. Compare it with the order before deciding.",
    "double_left": "See what the provider says (a refund needs a balance), mend that, then send the event again. "
    "Reconciliation tries it every night as well.",
    "seal_unknown": "Bring back the secret that sealed it, then send the event again.",
    "amount_out_of_bounds": "No payment is that large: look the object up at the provider. Nothing was booked.",
    "try_again": "The account was busy. Send the event again.",
    "aws_refused": "Throttled, or down: send the event again. If it is a permission: correct the policy first.",
    "aws_silent": "Send the event again when AWS answers.",
    "provider_unavailable": "The provider was down. Send the event again when it answers.",
    "provider_error": "The provider refused: see what it says, mend that, then send the event again.",
    "unexpected": "A fault of ours: find the event's id in the processor's log, mend it, deploy, send it again.",
    "never_finished": "The processor died or ran out of time: see its log, then send the event again.",
    "unreadable": "Find out who writes to the queue. It leaves by itself; sending it again changes nothing.",
    "processed_meanwhile": "Nothing is left to do; sending it again changes nothing.",
    "set_aside": "Nothing is left to do. Take the event back first, should it be ours after all.",
}
_ANY_REMEDY = "Mend what the cause says, then send the event again."


def remedy(code: str) -> str:
    """What to do about a failure, by the code of its cause."""
    return REMEDIES.get(code, _ANY_REMEDY)


def redrive_letters(
    letters: DeadLetters,
    audit: AuditLog,
    event_ids: Sequence[str] | None,
    *,
    dry_run: bool,
    by: str,
    now: int,
    limit: int | None = None,
    pause: Callable[[], None] = lambda: None,
    on_sent: Callable[[DeadLetter], None] = lambda letter: None,
) -> Sequence[DeadLetter]:
    """`DeadLetters.redrive`; what was sent is in the audit log under the name `by`, even after an interruption."""
    sent: list[str] = []

    def went(letter: DeadLetter) -> None:
        sent.append(letter.event_id)
        on_sent(letter)

    try:
        return letters.redrive(event_ids, dry_run=dry_run, limit=limit, pause=pause, on_sent=went)
    finally:
        if sent:
            ids = list(dict.fromkeys(sent))
            audit.note(By(actor=by, action="redrive", subject=f"{len(ids)} payment events"), now, after=ids)


class AdminEvents:
    def __init__(
        self,
        aws: Aws,
        letters: DeadLetters,
        events: PaymentEventStore,
        audit: AuditLog,
        subjects: Subjects,
        queue_url: str,
        dlq_url: str,
    ) -> None:
        self._aws = aws
        self._subjects = subjects
        self._letters = letters
        self._events = events
        self._audit = audit
        self._queue_url = queue_url
        self._dlq_url = dlq_url

    def find(self, text: str) -> Mapping[str, Any]:
        """The event with this id, with or without the provider's name before it, from the queue or our records."""
        if not 1 <= len(text) <= 200:
            raise invalid_field("q", "1 to 200 characters", "search for an id")
        ids = [text, *(f"{provider}#{text}" for provider in PROVIDERS)]
        dead = [letter for letter in self._letters.waiting(REDRIVEN_AT_ONCE) if letter.event_id in ids]
        accounts: dict[str, Account] = {}
        views = [self._dead(letter, accounts) for letter in dead[:1]]
        if not views:
            views = [self._view(event, accounts) for event in map(self._events.get, ids) if event is not None]
        return {"events": views, "queue": self._depth(), "next": None}

    def list(self, status: str, cursor: str | None) -> Mapping[str, Any]:
        """A page of events: `processed`, `failed`, `quarantined` or `set_aside`, newest first, or `dead`, oldest
        first and all at once."""
        if cursor and not _CURSOR.fullmatch(cursor):
            raise invalid_cursor()
        following = None
        accounts: dict[str, Account] = {}
        if status == "dead":
            views = [self._dead(letter, accounts) for letter in self._letters.waiting(REDRIVEN_AT_ONCE)]
        elif kind := next((kind for kind in _LISTS if kind == status), None):
            events, following = self._events.newest(kind, _PAGE, cursor or None)
            views = [self._view(event, accounts) for event in events]
        else:
            message = "processed, failed, quarantined, set_aside or dead"
            raise invalid_field("status", message, "this status is not known")
        return {"events": views, "queue": self._depth(), "next": following}

    def redrive(self, event_ids: Sequence[str] | None, *, dry_run: bool, admin: str, now: int) -> Mapping[str, Any]:
        """Sends dead letters back to be processed, or says which would go. What goes is in the audit log."""
        chosen = redrive_letters(
            self._letters, self._audit, event_ids, dry_run=dry_run, by=admin, now=now, limit=REDRIVEN_AT_ONCE
        )
        outcome: Literal["would_redrive", "redriven"] = "would_redrive" if dry_run else "redriven"
        items = [{"event_id": c.event_id, "outcome": outcome, "reason": c.cause} for c in chosen]
        absent = [event_id for event_id in event_ids or () if event_id not in {c.event_id for c in chosen}]
        items += [
            {"event_id": event_id, "outcome": "skipped", "reason": "it is not in the dead-letter queue"}
            for event_id in absent
        ]
        return {"dry_run": dry_run, "items": items}

    def set_aside(self, event_ids: Sequence[str], reason: str, *, admin: str, now: int) -> Mapping[str, Any]:
        """Settles events that will never be ours, with the reason: they leave their list, the queue and the alarms."""
        dead = self._letters.named(event_ids)
        items: list[View] = []
        done: list[str] = []
        for event_id in dict.fromkeys(event_ids):
            letters = dead.get(event_id, [])
            event = self._events.get(event_id) or (letters[0].event if letters and _readable(letters[0]) else None)
            if event is None:
                message = "it cannot be read; it leaves by itself" if letters else "there is no such event"
                items.append({"event_id": event_id, "outcome": "skipped", "reason": message})
            elif event.status in ("failed", "quarantined") and self._events.set_aside(event, admin, reason):
                done.append(event_id)
                items.append({"event_id": event_id, "outcome": "set_aside", "reason": None})
            else:
                items.append({"event_id": event_id, "outcome": "skipped", "reason": "it is settled already"})
        self._note(By(actor=admin, action="set_aside", reason=reason), done, now)
        # A letter leaves the queue only after its event is settled. If this is cut off in between, the letter is a
        # harmless repeat.
        gone = [item["event_id"] for item in items if item["reason"] in (None, "it is settled already")]
        self._letters.drop([letter for event_id in gone for letter in dead.get(event_id, [])])
        return {"items": items}

    def take_back(self, event_ids: Sequence[str], *, admin: str, now: int) -> Mapping[str, Any]:
        """Sends events that were set aside to be processed after all."""
        items: list[View] = []
        done: list[str] = []
        for event_id in dict.fromkeys(event_ids):
            event = self._events.get(event_id)
            if event is None or not event.aside_reason or not event.payload or not self._events.take_back(event):
                items.append({"event_id": event_id, "outcome": "skipped", "reason": "it is not set aside"})
                continue
            self._aws.call("sqs", "send_message", QueueUrl=self._queue_url, MessageBody=_message(event))
            done.append(event_id)
            items.append({"event_id": event_id, "outcome": "taken_back", "reason": None})
        self._note(By(actor=admin, action="take_back"), done, now)
        return {"items": items}

    def _note(self, by: By, done: Sequence[str], now: int) -> None:
        if done:
            subject = done[0] if len(done) == 1 else f"{len(done)} payment events"
            self._audit.note(replace(by, subject=subject), now, after=done)

    def _depth(self) -> View:
        waiting, in_flight = self._counts(self._queue_url)
        dead, looked_at = self._counts(self._dlq_url)
        dead += looked_at
        return {
            "waiting": waiting,
            "in_flight": in_flight,
            "dead": dead,
            # A dead letter is listed as failed too. The others that failed are tried again by themselves.
            "failing": max(0, self._events.count("failed", _COUNTED) - dead),
            "quarantined": self._events.count("quarantined", _COUNTED),
            "set_aside": self._events.count("set_aside", _COUNTED),
        }

    def _counts(self, url: str) -> tuple[int, int]:
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        answer = self._aws.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=list(names))
        return int(answer["Attributes"][names[0]]), int(answer["Attributes"][names[1]])

    def _dead(self, letter: DeadLetter, accounts: dict[str, Account]) -> View:
        recorded = self._events.get(letter.event_id)
        event = recorded or (letter.event if _readable(letter) else None)
        return {
            "event_id": letter.event_id,
            "provider": letter.provider,
            "type": letter.type,
            "status": "dead",
            "outcome": None,
            "cause": letter.cause,
            "code": letter.code or None,
            "remedy": remedy(letter.code),
            "attempts": recorded.attempts if recorded else 0,
            "received_at": rfc3339(letter.received_at),
            "processed_at": None,
            **self._about(event, accounts),
            "payload": dict(letter.payload),
        }

    def _view(self, event: PaymentEvent, accounts: dict[str, Account]) -> View:
        attention = event.status in ("failed", "quarantined")
        return {
            "event_id": event.event_id,
            "provider": event.provider,
            "type": event.type,
            "status": "processed" if event.status in ("processed", "ignored") else event.status,
            "outcome": event.outcome or (None if event.status in ("failed", "set_aside") else event.status),
            "cause": event.reason or None,
            "code": event.code or None,
            "remedy": remedy(event.code) if attention else None,
            "attempts": event.attempts,
            "received_at": rfc3339(event.received_at),
            "processed_at": rfc3339(event.processed_at),
            **self._about(event, accounts),
            "payload": dict(event.payload),
        }

    def _about(self, event: PaymentEvent | None, accounts: dict[str, Account]) -> View:
        subject = Subject() if event is None else self._subjects.of(event, accounts)
        return {
            "user_id": subject.user_id,
            "plan_id": subject.plan_id,
            "amount_cents": subject.amount_cents,
            "currency": subject.currency,
            "aside_by": (event and event.aside_by) or None,
            "aside_reason": (event and event.aside_reason) or None,
        }


def _readable(letter: DeadLetter) -> bool:
    return letter.code != "unreadable"


def _message(event: PaymentEvent) -> str:
    """The event as its webhook queued it."""
    return encode(notification_of(event), event.received_at, event.secret_label, event.body_sha256)
