"""What follows from a change of an account: everything that has to be written with it, decided before anything is.

The use case decides what an account becomes; `consequences` adds what that means for the books, for access, for the
history and for finding the account again. The store writes the whole in one transaction.
"""

from collections.abc import Iterable

from billing.data import dataclass, replace
from billing.rules.ended import Settled, check_ended, settled
from billing.rules.entitlements import Source, remembered, sources
from billing.rules.history import By, Change, changes
from billing.rules.ledger import LedgerEntry, book
from billing.rules.plans import Catalogue
from billing.rules.records import Account, PastPayment, Purchase, Record, Subscription
from billing.rules.vouchers import VoucherChange, gifts_changed

# A transaction holds a hundred writes: so many remain besides the snapshot, the event and other single items.
ROOM = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """One change of one account. `after` has the version that it gets when this is written.

    `records` are those that differ, `lines` what the ledger books, `sources` what gives access from now on, `history`
    what a person would say happened, `links` the provider ids (<provider>#<id>) that lead to this account from now on.
    `vouchers`: what is written of vouchers with it, or must not have changed meanwhile. `by`: the admin who made the
    change, for the history and the audit log. `at` is in Unix seconds. `once`: those of the links that must be new,
    because an existing one means a payment that we had not read. `own_key`: a new account is only written while its own
    key opens it. `left` are the records that become past (are no longer read with every request), `back` those that are
    read again (see `ended`).
    """

    before: Account
    after: Account
    at: int
    by: By | None
    records: tuple[Record, ...]
    lines: tuple[LedgerEntry, ...]
    sources: tuple[Source, ...]
    history: tuple[Change, ...]
    links: frozenset[str]
    vouchers: tuple[VoucherChange, ...] = ()
    once: frozenset[str] = frozenset()
    own_key: bool = False
    left: tuple[Record, ...] = ()
    back: tuple[Record, ...] = ()

    @property
    def changed(self) -> bool:
        return self.after.version != self.before.version


def consequences(
    before: Account,
    after: Account,
    catalogue: Catalogue,
    now: int,
    by: By | None = None,
    vouchers: tuple[VoucherChange, ...] = (),
    *,
    moves: bool = False,
) -> Consequences:
    """All that follows when `before` becomes `after`. Booking may be due although no record differs: time passed.
    `moves`: whether records that are over may leave the range that is read, which takes the right to delete."""
    if after is before and not vouchers and not _review_is_due(before, now):
        return _nothing(before, now, by)
    after, lines = book(before, after, catalogue, now)
    records = tuple(r for key, r in after.records.items() if before.records.get(key) != r)
    new_sources = sources(after, catalogue)
    check_ended(before, after, new_sources, now)
    filed, links = Settled(after), links_of(after.records.values()) - links_of(before.records.values())
    if records or lines:
        after = replace(after, version=before.version + 1)
        room = ROOM - len(records) - len(lines) - len(links)
        filed = settled(after, catalogue, now, moves=moves, room=room)
        records += tuple(r for key, r in filed.account.records.items() if after.records.get(key) is not r)
    return Consequences(
        before=before,
        after=filed.account,
        at=now,
        by=by,
        records=records,
        lines=tuple(lines),
        sources=remembered(new_sources, now),
        history=tuple(changes(before, after)),
        links=links,
        vouchers=(*vouchers, *gifts_changed(before, after)),
        once=frozenset() if before.whole else _named_again(after) - _named_again(before),
        left=filed.left,
        back=filed.back,
    )


def _review_is_due(account: Account, now: int) -> bool:
    """Whether a prepaid term began or ended since the books were written."""
    return account.booked.review_at is not None and account.booked.review_at <= now


def _nothing(account: Account, now: int, by: By | None) -> Consequences:
    """What follows from a repeat: nothing."""
    return Consequences(
        before=account,
        after=account,
        at=now,
        by=by,
        records=(),
        lines=(),
        sources=(),
        history=(),
        links=frozenset(),
    )


def _named_again(account: Account) -> frozenset[str]:
    """The links that later events may name again once they are past: purchases, and payments of subscriptions."""
    bought = (f"{r.provider}#{r.purchase_id}" for r in account.records.values() if isinstance(r, Purchase))
    paid = (f"{of.provider}#{p.payment_id}" for of, p in account.at_hand if isinstance(of, Subscription))
    return frozenset((*bought, *paid))


def links_of(records: Iterable[Record]) -> frozenset[str]:
    """The provider ids by which later events may name an account with these records: <provider>#<id>."""
    links: set[str] = set()
    for record in records:
        if isinstance(record, Subscription):
            ids: list[str | None] = [record.subscription_id, record.customer_id]
            for payment in record.payments.values():
                ids += [payment.payment_id, *payment.refs]
        elif isinstance(record, PastPayment):
            ids = [record.payment.payment_id, *record.payment.refs]
        elif isinstance(record, Purchase):
            ids = [record.purchase_id, record.customer_id, *(record.payment.refs if record.payment else ())]
        else:
            continue
        links |= {f"{record.provider}#{i}" for i in ids if i}
    return frozenset(links)
