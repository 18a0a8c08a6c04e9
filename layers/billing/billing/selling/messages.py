"""Reminders by direct message to a buyer's own Nostr key: ask, confirm, test, change, remove.

A key is written to only after a code that was sent to it came back: so nobody can have us write to a stranger, and
whoever wants reminders has seen that they arrive. The key is stored sealed and shown to nobody, the buyer included.
"""

import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from billing.data import dataclass, replace
from billing.errors import Conflict, NotFound, account_moved
from billing.nostr.messages import Sent
from billing.rules.ends import ahead
from billing.rules.reminders import ReminderSettings, Sending, reminders
from billing.rules.times import DAY, rfc3339
from billing.sealing import CannotOpen, Sealed, Sealer
from billing.selling.message_texts import text_of
from billing.store.accounts import AccountStore
from billing.store.limits import Limits
from billing.store.messages import MessageStore, PendingCode, Recipient
from billing.store.plans import PlanStore

CODE_SECONDS = 1800
_MOST_TRIES = 5
# At most so many codes are sent to one key in a day, whoever asks.
_CODES_PER_KEY = 3
# After that relays may delete a test message.
_KEPT_BY_RELAYS = 7 * DAY


class Writer(Protocol):
    """The sender: `nostr/messenger.py`."""

    @property
    def available(self) -> bool: ...

    def parse(self, text: str) -> str: ...

    def name_of(self, recipient: str) -> str: ...

    def send(self, recipient: str, text: str, *, at: int, seed: bytes, expires_at: int) -> Sent: ...


class Envelopes:
    """The keys that are written to, each sealed for one user and one recipient's id."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal(self, user_id: str, recipient_id: str, key: str, code: str = "") -> Sealed:
        return self._sealer.seal(json.dumps([key, code]), _about(user_id, recipient_id))

    def open(self, user_id: str, envelope: Recipient | PendingCode) -> tuple[str, str]:
        """The key, and the code where one was sealed with it. Raises `CannotOpen`."""
        text = self._sealer.open(Sealed(envelope.sealed, envelope.data_key), _about(user_id, envelope.id))
        key, code = json.loads(text)
        return key, code


def _about(user_id: str, recipient_id: str) -> dict[str, str]:
    return {"purpose": "messages", "user": user_id, "wish": recipient_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the buyer chose: how many days before an end, and the language."""

    days: Sequence[int]
    language: str

    @property
    def sorted_days(self) -> tuple[int, ...]:
        return tuple(sorted(set(self.days), reverse=True))


class Messages:
    """`url`: the buyer's page, named in each message. `days`: the default days before an end."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        store: MessageStore,
        envelopes: Envelopes,
        writer: Writer,
        limits: Limits,
        url: str,
        days: Sequence[int],
        moved: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._accounts, self._plans, self._store, self._envelopes = accounts, plans, store, envelopes
        self._writer, self._limits, self._url, self._moved = writer, limits, url, moved
        # A message at the end itself would come too late.
        self._days = [n for n in days if n > 0] or [1]

    def show(self, user_id: str, now: int) -> dict[str, Any]:
        recipient = self._store.find(user_id)
        pending = self._store.pending_code(user_id, now)
        return {
            "available": self._writer.available,
            "default_days": self._days,
            "on": recipient and self._view(user_id, recipient, now),
            "asked_until": rfc3339(pending.expires_at) if pending is not None else None,
        }

    def ask(self, user_id: str, text: str, chosen: Chosen, now: int) -> dict[str, Any]:
        """Sends a code to the key. Until it is confirmed, reminders go on to the previous key."""
        self._able()
        if self._moved(user_id):
            raise account_moved()
        key, code = self._writer.parse(text), f"{secrets.randbelow(10**6):06d}"
        name = self._writer.name_of(key)
        self._limits.count("message-code", name, _CODES_PER_KEY, DAY, now)
        recipient_id = f"msg_{secrets.token_hex(16)}"
        sealed = self._envelopes.seal(user_id, recipient_id, key, code)
        pending = PendingCode(
            id=recipient_id,
            sealed=sealed.content,
            data_key=sealed.data_key,
            days=chosen.sorted_days,
            language=chosen.language,
            expires_at=now + CODE_SECONDS,
        )
        # Stored before it is sent, so that any code that arrives can be typed in.
        self._store.put_code(user_id, pending)
        message = text_of("code", chosen.language, self._url, code=code)
        sent = self._writer.send(key, message, at=now, seed=secrets.token_bytes(32), expires_at=now + DAY)
        if sent.outcome not in ("sent", "unsure"):
            self._store.forget_code(user_id)
            self._limits.count("message-code", name, _CODES_PER_KEY, DAY, now, cost=-1)
        return {**_sent(sent), **self.show(user_id, now)}

    def confirm(self, user_id: str, code: str, now: int) -> dict[str, Any]:
        pending = self._store.pending_code(user_id, now)
        if pending is None or not self._store.count_try(user_id, pending, _MOST_TRIES):
            raise Conflict("this code has ended: have another one sent", code="message_code_ended")
        try:
            key, right = self._envelopes.open(user_id, pending)
        except CannotOpen as lost:
            raise Conflict("this code has ended: have another one sent", code="message_code_ended") from lost
        if not hmac.compare_digest(right.encode(), code.strip().encode()):
            raise Conflict("this is not the code that was sent", code="message_code_wrong")
        sealed = self._envelopes.seal(user_id, pending.id, key)
        settings = ReminderSettings(days=pending.days, language=pending.language, since=now)
        new = Recipient(id=pending.id, sealed=sealed.content, data_key=sealed.data_key, settings=settings, due_at=now)
        self._store.put(user_id, new)
        self._store.forget_code(user_id)
        return self.show(user_id, now)

    def set(self, user_id: str, chosen: Chosen, now: int) -> dict[str, Any]:
        """Changes days and language from now on; a reminder whose day has passed is not sent."""
        stored = self._find(user_id)

        def decide(recipient: Recipient) -> Recipient:
            since = recipient.settings.since if set(chosen.days) <= set(recipient.settings.days) else now
            settings = replace(recipient.settings, days=chosen.sorted_days, language=chosen.language, since=since)
            return replace(recipient, settings=settings, due_at=now)

        if self._store.change(user_id, stored.id, decide) is None:
            raise _none()
        return self.show(user_id, now)

    def test(self, user_id: str, now: int) -> dict[str, Any]:
        """Sends a test message now and returns the result."""
        self._able()
        recipient = self._find(user_id)
        try:
            key, _ = self._envelopes.open(user_id, recipient)
        except CannotOpen as lost:
            raise Conflict("your key cannot be read any more: name it again", code="message_key_lost") from lost
        text = text_of("test", recipient.settings.language, self._url)
        sent = self._writer.send(key, text, at=now, seed=secrets.token_bytes(32), expires_at=now + _KEPT_BY_RELAYS)
        return {**_sent(sent), **self.show(user_id, now)}

    def remove(self, user_id: str) -> None:
        self._store.remove(user_id)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _able(self) -> None:
        if not self._writer.available:
            raise Conflict("this shop writes no messages", code="messages_not_offered")

    def _find(self, user_id: str) -> Recipient:
        recipient = self._store.find(user_id)
        if recipient is None:
            raise _none()
        return recipient

    def _view(self, user_id: str, recipient: Recipient, now: int) -> dict[str, Any]:
        account, catalogue = self._accounts.load(user_id), self._plans.catalogue()
        planned = reminders(recipient.settings, ahead(account, catalogue, now), account)
        following = next((r for r in planned if r.at > now), None)
        tries = [sending for sending in recipient.settings.sendings.values() if sending.outcome != "trying"]
        last = max(tries, key=lambda sending: sending.at, default=None)
        return {
            "days": list(recipient.settings.days),
            "language": recipient.settings.language,
            "since": rfc3339(recipient.settings.since),
            "next_at": rfc3339(following.at) if following else None,
            "next_end": rfc3339(following.ends_at) if following else None,
            "last": last and _last(last),
        }


def _none() -> NotFound:
    return NotFound("you have asked for no messages")


def _sent(sent: Sent) -> dict[str, Any]:
    return {"outcome": sent.outcome, "relays": list(sent.relays)}


def _last(last: Sending) -> dict[str, Any]:
    return {"at": rfc3339(last.at), "outcome": last.outcome, "tries": last.tries, "retry_at": rfc3339(last.retry_at)}
