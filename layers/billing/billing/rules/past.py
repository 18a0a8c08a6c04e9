"""What is past: payments that no longer decide access, in records of their own.

They lie behind the range that every request reads, so that an event costs in the fifth year what it costs in the first
month. A subscription keeps what covers its running period, is charged back or waits for a person, and what its next
dates follow from; the rest is only read when something speaks of it (`PastNeeded`).

Where a payment belongs follows from the subscription and from all of its payments, not from the way to it. Of an
account that is not whole, what was not read stays where it is: no newer payment, and no later period, brings one back.
What may, asks for the whole first.
"""

from collections.abc import Iterator, Mapping, Sequence

from billing.data import replace
from billing.errors import PastNeeded
from billing.rules.records import Account, PastPayment, Payment, Subscription

# At most so many move with one change, because a transaction holds a hundred items. The rest moves with the next.
MOVED_AT_ONCE = 25
# At most so many payments of the running period stay with it: DynamoDB refuses items of more than 400 KB.
COVERING_KEPT = 290


def filed(account: Account, subscription: Subscription, *new: Payment) -> Account:
    """The account with this subscription and these payments of it, each stored where it belongs: with it, or as
    past."""
    past = {r.payment.payment_id: r for r in _past_of(account, subscription)}
    every = {**{i: r.payment for i, r in past.items()}, **subscription.payments, **{p.payment_id: p for p in new}}
    ordered = sorted(every.values(), key=_age)
    stays = _staying(subscription, ordered)
    moved: list[PastPayment] = []
    for payment in ordered:
        if payment.payment_id in stays:
            continue
        record = PastPayment(
            provider=subscription.provider, subscription_id=subscription.subscription_id, payment=payment
        )
        if past.get(payment.payment_id) == record:
            continue
        if len(moved) == MOVED_AT_ONCE and payment.payment_id not in past:
            stays.add(payment.payment_id)
        else:
            moved.append(record)
    behind = [p.paid_at for p in ordered if p.payment_id not in stays]
    if not account.whole and subscription.past_until is not None:
        behind.append(subscription.past_until)
    back = {past[i].record for i in stays & past.keys()}
    if back:
        account = replace(account, records={k: r for k, r in account.records.items() if k not in back})
    return account.put(
        replace(
            subscription,
            payments={p.payment_id: p for p in ordered if p.payment_id in stays},
            past_until=max(behind, default=None),
        ),
        *moved,
    )


def known_payment(account: Account, subscription: Subscription, payment_id: str, at: int) -> Payment | None:
    """A payment by its id, if it is on record. `at`: when it was paid, or the time of an event before that. Raises
    `PastNeeded` where it may be among those that were not read."""
    at_hand = subscription.payments.get(payment_id)
    if at_hand is not None:
        return at_hand
    for record in _past_of(account, subscription):
        if record.payment.payment_id == payment_id:
            return record.payment
    if not account.whole and subscription.past_until is not None and at <= subscription.past_until:
        raise PastNeeded
    return None


def check_past(account: Account, old: Subscription, new: Subscription) -> None:
    """Raises `PastNeeded` where the subscription's new state makes a past payment count again: it was paid after the
    end that is known now, or its period is the running one again."""
    if account.whole or old.past_until is None:
        return
    if _since(new) < _since(old) or (new.ended_at is not None and new.ended_at < old.past_until):
        raise PastNeeded


def whole(account: Account, subscription: Subscription) -> Mapping[str, Payment]:
    """All payments of a subscription by id, wherever they are stored, as far as they were read."""
    return {**{r.payment.payment_id: r.payment for r in _past_of(account, subscription)}, **subscription.payments}


def _past_of(account: Account, subscription: Subscription) -> Iterator[PastPayment]:
    of = subscription.provider, subscription.subscription_id
    for record in account.records.values():
        if isinstance(record, PastPayment) and (record.provider, record.subscription_id) == of:
            yield record


def _age(payment: Payment) -> tuple[int, str]:
    return payment.paid_at, payment.payment_id


def _since(subscription: Subscription) -> int:
    """When the running period began; of several items the earliest."""
    return min([subscription.current_period_start, *(item.current_period_start for item in subscription.others)])


def _staying(subscription: Subscription, ordered: Sequence[Payment]) -> set[str]:
    """The payments that stay with their subscription, of all of them, the oldest first. A payment without a period
    counts as over once another one was paid."""
    if not ordered:
        return set()
    since = _since(subscription)
    stays = [p for p in ordered if _end(p) > since][-COVERING_KEPT:]
    stays += (p for p in ordered if p.suspended or p.accepted_by is not None or subscription.undecided(p))
    # These decide whether it was ever paid, since when something is owed, and what it costs.
    stays.append(ordered[-1])
    stays += [p for p in ordered if p.amount_cents > 0][-1:]
    stays.append(max(ordered, key=lambda p: (p.period_start or 0, _age(p))))
    stays.append(max(ordered, key=lambda p: (p.period_end or 0, _age(p))))
    return {p.payment_id for p in stays}


def _end(payment: Payment) -> int:
    """Until when it was paid for, the latest of all it bought; 0 where that is unknown."""
    return max([payment.period_end or 0, *(bought.end for bought in payment.also)])
