"""Rebuilds a user's state from the audit records alone, and compares it with the live one."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from billing.data import replace
from billing.errors import NotFound, Parked
from billing.intake.applier import Applier
from billing.intake.processing import Processor, notification_of
from billing.rules.past import whole
from billing.rules.records import Account, Purchase, Record, Subscription
from billing.store.accounts import AccountStore
from billing.store.payment_events import PaymentEventStore

# These differ by the way an event arrived: when something was read or will be, and what is read of a payment besides
# (its fee, its other names).
_INCIDENTAL = frozenset({"observed_at", "poll_at", "refs", "fee_cents"})


class Rebuilder:
    """Reads the provider where an event says too little, as processing did; writes nothing."""

    def __init__(
        self, accounts: AccountStore, events: PaymentEventStore, applier: Applier, processor: Processor
    ) -> None:
        self._accounts = accounts
        self._events = events
        self._applier = applier
        self._processor = processor

    def compare(self, user_id: str, now: int) -> list[str]:
        """The differences between the live state and the audit records, one line each.

        Raises `NotFound` if there is nothing to compare.
        """
        rebuilt = _objects(self.rebuild(user_id, now))
        live = _objects(self._accounts.load(user_id, whole=True))
        if not rebuilt and not live:
            raise NotFound(f"no subscription or purchase of {user_id} is on record")
        lines = [f"{key}: only in the audit records" for key in sorted(rebuilt.keys() - live.keys())]
        lines += [f"{key}: in no audit record" for key in sorted(live.keys() - rebuilt.keys())]
        for key in sorted(rebuilt.keys() & live.keys()):
            lines += [f"{key} {difference}" for difference in differences(live[key], rebuilt[key])]
        return lines

    def rebuild(self, user_id: str, now: int) -> Account:
        """The account that the user's processed events make, oldest first."""
        account = Account(user_id)
        events = [e for e in self._events.all_of_user(user_id) if e.status == "processed" and e.payload]
        for event in sorted(events, key=lambda event: (event.created_at, event.event_id)):
            facts = self._processor.facts(notification_of(event), now)
            try:
                account = self._applier.account_after(account, event.provider, facts, now)
            except Parked:
                continue  # it names something that a later event brings, and that one is applied too
        return account


def _objects(account: Account) -> dict[str, Record]:
    """The records that come from the provider, by key; a subscription with all of its payments."""
    return {
        key: replace(r, payments=whole(account, r), past_until=None) if isinstance(r, Subscription) else r
        for key, r in account.records.items()
        if isinstance(r, Subscription | Purchase)
    }


def differences(live: Record, rebuilt: Record) -> Iterator[str]:
    """The fields of two records of one object that differ, as `path: live → rebuilt`."""
    yield from _compare("", live, rebuilt)


def _compare(path: str, live: object, rebuilt: object) -> Iterator[str]:
    if is_dataclass(live) and type(live) is type(rebuilt):
        for f in fields(live):
            if f.name not in _INCIDENTAL:
                yield from _compare(f"{path}.{f.name}", getattr(live, f.name), getattr(rebuilt, f.name))
    elif isinstance(live, dict) and isinstance(rebuilt, dict):
        for key in sorted({*live, *rebuilt}):
            yield from _compare(f"{path}.{key}", live.get(key), rebuilt.get(key))
    elif live != rebuilt:
        yield f"{path.removeprefix('.')}: {live} → {rebuilt}"
