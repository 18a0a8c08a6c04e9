"""A customer as the list of customers shows them: what of an account one can filter by, and the ids that lead to it.

Made of the account's records and the windows that its snapshot holds, at a moment. What only the clock changes (a grant
that runs out) shows with the account's next change, or when the index is rebuilt; `ends_at` is compared when asked.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from billing.data import dataclass
from billing.rules.entitlements import Source
from billing.rules.plans import Credits
from billing.rules.records import LIVE, Account, PastPayment, Purchase, Subscription, Term

IdKind = Literal["user", "customer", "subscription", "purchase", "invoice", "transaction"]
# A customer's status is that of the open source of the highest rank.
_RANKS = {"subscription": 3, "term": 2, "purchase": 1, "voucher": 1, "grant": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """`since`: when the first of it was opened. `ends_at`: when what they have ends and nothing renews it.

    `status` is the reason of the best window that is open (active, past_due, paid, granted, …), else the newest
    subscription's status, else free. `plans` are those that they have, or have paid for ahead, and `versions` the
    same with their versions (`version_of`); `rails` are where they ever bought.
    """

    user_id: str
    since: int
    status: str
    plans: tuple[str, ...]
    versions: tuple[str, ...]
    rails: tuple[str, ...]
    at_risk: bool
    ends_at: int | None
    has_credits: bool
    ids: tuple[tuple[str, IdKind], ...]


def version_of(plan_id: str, version: int) -> str:
    """pro-month@2"""
    return f"{plan_id}@{version}"


def customer(account: Account, sources: Sequence[Source], now: int) -> Customer | None:
    """None for an account with nothing to list: erased, or never more than an empty snapshot."""
    begun = sorted(_begun(account))
    if account.erased or not begun:
        return None
    ahead = [s for s in sources if s.until is None or now < s.until]
    live = [s for s in ahead if s.open_at(now)]
    best = max(live, key=lambda s: _RANKS.get(s.kind, 0), default=None)
    newest = max(account.subscriptions, key=lambda s: s.created_at, default=None)
    return Customer(
        user_id=account.user_id,
        since=begun[0],
        status=best.reason if best else newest.status if newest else "free",
        plans=tuple(sorted({s.plan_id for s in ahead if s.plan_id})),
        versions=tuple(sorted({version_of(s.plan_id, s.plan_version) for s in ahead if s.plan_id and s.plan_version})),
        rails=tuple(sorted(_rails(account))),
        at_risk=any(_at_risk(s) for s in account.subscriptions),
        ends_at=_ends_at(account, ahead),
        has_credits=any(isinstance(value, Credits) for s in live for value in s.features.values()),
        ids=tuple(dict.fromkeys(_ids(account))),
    )


def _rails(account: Account) -> set[str]:
    bought = {r.provider for r in account.records.values() if isinstance(r, Subscription | Purchase)}
    return bought | set(account.ended.rails if account.ended else ())


def _begun(account: Account) -> Iterator[int]:
    if account.ended is not None and account.ended.rails:
        yield account.ended.since
    for record in account.records.values():
        if isinstance(record, Subscription | Purchase):
            yield record.created_at
    yield from (checkout.created_at for checkout in account.checkouts)
    yield from (redemption.redeemed_at for redemption in account.redemptions)
    yield from (grant.granted_at for grant in account.grants)


def _at_risk(subscription: Subscription) -> bool:
    """Still paying, but a payment is missing, or they have cancelled."""
    if subscription.status not in LIVE:
        return False
    return subscription.status in ("past_due", "unpaid") or bool(subscription.owed) or subscription.ends_at is not None


def _ends_at(account: Account, ahead: Sequence[Source]) -> int | None:
    """The last end of all that recurs or was prepaid; None while something renews it, or there is nothing."""
    ends = []
    for subscription in account.subscriptions:
        if subscription.status in LIVE:
            if subscription.ends_at is None:
                return None
            ends.append(subscription.ends_at)
    ends += [s.until for s in ahead if s.kind == "term" and s.until is not None]
    # A voucher has a period only where its plan recurs; then it runs in the chain of the terms.
    ends += [s.until for s in ahead if s.kind == "voucher" and s.period is not None and s.until is not None]
    return max(ends, default=None)


def _ids(account: Account) -> Iterator[tuple[str, IdKind]]:
    """Every id that a person may be asked about: ours, a provider's, a bank's or a wallet's; without `past_ids`."""
    yield account.user_id, "user"
    for record in account.records.values():
        if not isinstance(record, Subscription | Purchase):
            continue
        if record.customer_id:
            yield record.customer_id, "customer"
        if isinstance(record, Purchase):
            yield from past_ids(record)
            continue
        yield record.subscription_id, "subscription"
        for payment in record.payments.values():
            yield payment.payment_id, "invoice"
            yield from ((ref, "transaction") for ref in payment.refs)


def past_ids(record: PastPayment | Purchase) -> Iterator[tuple[str, IdKind]]:
    """The ids that lead to a payment or purchase for as long as there is an account."""
    if isinstance(record, Purchase):
        yield record.purchase_id, "invoice" if isinstance(record, Term) else "purchase"
        yield from ((txid, "transaction") for txid in record.transactions)
    else:
        yield record.payment.payment_id, "invoice"
    if record.payment is not None:
        yield from ((ref, "transaction") for ref in record.payment.refs)
