"""Sends the reminders that are due to buyers who asked for messages: each is noted, sent, and its result stored.

Noted first, under the recipient's revision, so of two rounds at once one sends. What was noted and not settled (a
crash, an answer that was lost) is made again with its own time and seed: the same message, which a relay takes once.
"""

import secrets
from collections.abc import Callable

from billing import deadline
from billing.data import dataclass, replace
from billing.errors import TryAgain
from billing.log import Log
from billing.rules.ends import ahead
from billing.rules.reminders import Reminder, ReminderSettings, due, forgotten, look_again, reminders, settled, trying
from billing.rules.times import DAY
from billing.sealing import CannotOpen
from billing.selling.message_texts import text_of
from billing.selling.messages import Envelopes, Writer
from billing.store.accounts import AccountStore
from billing.store.due import Due, DueStore
from billing.store.messages import MessageStore, Recipient
from billing.store.plans import PlanStore

# One message may take so long: the look-up of the inbox, and three ways of sending. With less time left none is begun.
_EACH_SECONDS = 60
# More messages to one account in one round would be an endless loop.
_MOST = 8


@dataclass(slots=True)
class Done:
    looked: int = 0
    sent: int = 0
    failed: int = 0


class MessageRound:
    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        due_store: DueStore,
        store: MessageStore,
        envelopes: Envelopes,
        writer: Writer,
        url: str,
        clock: Callable[[], int],
        logger: Log,
    ) -> None:
        self._accounts, self._plans, self._due, self._store = accounts, plans, due_store, store
        self._envelopes, self._writer, self._url, self._clock, self._logger = envelopes, writer, url, clock, logger

    def run(self, limit: int) -> Done:
        """Does nothing when the service has no key to write with."""
        done = Done()
        if not self._writer.available:
            return done
        for account in self._due.due("message", self._clock(), limit):
            if deadline.left() < _EACH_SECONDS:
                break
            done.looked += 1
            try:
                self._look(account, done)
            except TryAgain:  # others are writing this account: the next round looks at it again
                continue
        return done

    def _look(self, due: Due, done: Done) -> None:
        recipient = self._store.due_at(due)
        for _ in range(_MOST):
            if recipient is None or deadline.left() < _EACH_SECONDS:
                return
            recipient = self._one(due.user_id, recipient, done)

    def _one(self, user_id: str, recipient: Recipient, done: Done) -> Recipient | None:
        """Sends what is due, or notes when to look again; None: that is all."""
        now = self._clock()
        settings = forgotten(recipient.settings, now)
        account = self._accounts.load(user_id)
        planned = reminders(settings, ahead(account, self._plans.catalogue(), now), account)
        reminder = due(settings, planned, now)
        if reminder is None:
            self._write(user_id, recipient, settings, look_again(settings, planned, now))
            return None
        noted = trying(settings, reminder, secrets.token_hex(32), now)
        claimed = self._write(user_id, recipient, noted, look_again(noted, planned, now))
        if claimed is None:
            return None  # somebody else has it, or it was taken back or changed just now
        return self._send(user_id, claimed, reminder, done)

    def _send(self, user_id: str, recipient: Recipient, reminder: Reminder, done: Done) -> Recipient | None:
        sending = recipient.settings.sendings[reminder.id]
        assert sending.seed is not None
        try:
            key, _ = self._envelopes.open(user_id, recipient)
        except CannotOpen:
            self._logger.error("a key that is written to cannot be opened", extra={"recipient": recipient.id})
            done.failed += 1
            return None
        text = text_of(reminder.subject, sending.language, self._url, at=reminder.ends_at)
        expires_at = max(reminder.ends_at, sending.at) + DAY
        sent = self._writer.send(key, text, at=sending.at, seed=bytes.fromhex(sending.seed), expires_at=expires_at)
        done.sent += sent.outcome == "sent"
        done.failed += sent.outcome != "sent"
        extra = {"recipient": recipient.id, "outcome": sent.outcome, "tries": sending.tries}
        if sent.outcome == "sent":
            self._logger.info("reminder by message", extra=extra)
        else:
            self._logger.warning("reminder not sent", extra=extra)

        def settle(current: Recipient) -> Recipient:
            now = self._clock()
            return replace(current, settings=settled(current.settings, reminder.id, sent.outcome, now), due_at=now)

        return self._store.change(user_id, recipient.id, settle)

    def _write(self, user_id: str, read: Recipient, settings: ReminderSettings, due_at: int) -> Recipient | None:
        """Writes nothing if another round or the buyer has changed it since it was read."""
        new = replace(read, settings=settings, due_at=due_at)
        return self._store.change(user_id, read.id, lambda now: new if now.revision == read.revision else None)
