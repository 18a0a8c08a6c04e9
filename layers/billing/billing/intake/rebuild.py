"""A user's state made again from the audit records alone, and held against the live one."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from billing.data import replace
from billing.errors import Parked
from billing.intake.applier import Applier
from billing.intake.processing import Processor, notification_of
from billing.rules.past import whole
from billing.rules.records import Account, Purchase, Record, Subscription
from billing.store.accounts import AccountStore
from billing.store.payment_events import PaymentEventStore

# When something was last looked at, or will be, follows from how we were told; and what we ask of a payment beside
# that (its fee, its other names) is not in every telling.
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
        """Where the live state is not what the audit records make, in words; empty when it is the same."""
        told = _objects(self.rebuild(user_id, now))
        known = _objects(self._accounts.load(user_id, whole=True))
        found = [f"{key}: only in the audit records" for key in sorted(told.keys() - known.keys())]
        found += [f"{key}: in no audit record" for key in sorted(known.keys() - told.keys())]
        for key in sorted(told.keys() & known.keys()):
            found += [f"{key} {difference}" for difference in differences(known[key], told[key])]
        return found

    def rebuild(self, user_id: str, now: int) -> Account:
        """The account that the user's processed events make, oldest first."""
        account = Account(user_id)
        told = [e for e in self._events.all_of_user(user_id) if e.status == "processed" and e.payload]
        for event in sorted(told, key=lambda event: (event.created_at, event.event_id)):
            facts = self._processor.facts(notification_of(event), now)
            try:
                account = self._applier.account_after(account, event.provider, facts, now)
            except Parked:
                continue  # told of something later events bring; they are read in full
        return account


def _objects(account: Account) -> dict[str, Record]:
    """What the provider has told of, each subscription with all of its payments, wherever they are kept."""
    return {
        key: replace(r, payments=whole(account, r), past_until=None) if isinstance(r, Subscription) else r
        for key, r in account.records.items()
        if isinstance(r, Subscription | Purchase)
    }


def differences(live: Record, told: Record) -> Iterator[str]:
    """The fields of two records of one object that differ, as `path: live → told`."""
    yield from _compare("", live, told)


def _compare(path: str, live: object, told: object) -> Iterator[str]:
    if is_dataclass(live) and type(live) is type(told):
        for f in fields(live):
            if f.name not in _INCIDENTAL:
                yield from _compare(f"{path}.{f.name}", getattr(live, f.name), getattr(told, f.name))
    elif isinstance(live, dict) and isinstance(told, dict):
        for key in sorted({*live, *told}):
            yield from _compare(f"{path}.{key}", live.get(key), told.get(key))
    elif live != told:
        yield f"{path.removeprefix('.')}: {live} → {told}"
