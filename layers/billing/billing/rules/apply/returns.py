"""Refunds, disputes and warnings: kept by their own id on the payment they name."""

from collections.abc import Callable, Mapping

from billing.data import replace
from billing.rules.apply.purchases import mark_duplicates, renew, with_beyond
from billing.rules.facts import CustomerDeletedFact, DisputeFact, FraudWarningFact, Ref, RefundFact
from billing.rules.past import filed
from billing.rules.plans import Catalogue
from billing.rules.polling import next_poll
from billing.rules.records import Account, DeletedCustomer, Dispute, Payment, Purchase, Refund, Subscription
from billing.rules.refunds import settled

_REFUND_RANK = {"pending": 0, "succeeded": 1, "failed": 2}
# Whose turn it is with a refund that is on its way, in the order of its steps.
_TURNS = (None, "claim", "approval", "payment")
_TAKING = frozenset({"pending", "succeeded", "open", "lost"})
_DISPUTE_RANK = {"inquiry": 0, "open": 1, "won": 2, "lost": 3}


def refund(account: Account, fact: RefundFact, catalogue: Catalogue) -> Account | Ref:
    """One refund by its own id: pending counts, failed gives back."""
    reported = Refund(
        refund_id=fact.refund_id,
        amount_cents=fact.amount_cents,
        status=fact.status,
        observed_at=fact.observed_at,
        reason=fact.reason,
        request_id=fact.request_id,
        exact_amount=fact.exact_amount,
        waits_for=fact.waits_for,
        since=fact.made_at,
        paid_cents=fact.paid_cents,
    )
    told = _withdrawn(reported, fact.paid_cents)

    def change(payment: Payment) -> Payment:
        merged = _merged(payment.refunds.get(told.refund_id, told), told)
        return replace(payment, refunds={**payment.refunds, told.refund_id: merged})

    changed = _on_payment(account, fact.provider, fact.payment_ref, change)
    if isinstance(changed, Ref):
        return changed
    return _followed(account, settled(changed, fact.provider, fact.request_id), fact.observed_at, catalogue)


def _merged(old: Refund, new: Refund) -> Refund:
    """The newest state. Not every event names the reason, our request, or what was paid out before."""
    newer, older = (old, new) if _stands(old, new, _REFUND_RANK) else (new, old)
    merged = replace(
        newer,
        reason=newer.reason or older.reason,
        request_id=newer.request_id or older.request_id,
        since=_since(newer, older),
    )
    return _withdrawn(merged, older.paid_cents)


def _withdrawn(refund: Refund, paid: int) -> Refund:
    """Of a claim that was withdrawn, what had been paid out still counts; its server may list it no more."""
    if refund.status != "failed" or not paid:
        return refund
    exact = refund.exact_amount if refund.amount_cents == paid else None
    return replace(refund, status="succeeded", amount_cents=paid, paid_cents=paid, exact_amount=exact)


def _followed(before: Account, changed: Account, now: int, catalogue: Catalogue) -> Account:
    """What else is another when a payment counts no more, or counts again."""
    for purchase in (*changed.purchases, *changed.terms, *changed.gifts):
        if before.records[purchase.record] != purchase:
            changed = _weighed(changed, purchase, now, catalogue)
    return renew(changed, catalogue)


def _weighed(account: Account, purchase: Purchase, now: int, catalogue: Catalogue) -> Account:
    """What is left of an invoice in bitcoin after a refund, when to look whether that goes on, and what it doubles."""
    if purchase.received_cents is not None and purchase.payment is not None:
        again = next_poll(purchase, now)
        sooner = min((at for at in (purchase.poll_at, again) if at is not None), default=None)
        payment = with_beyond(purchase.payment, purchase.received_cents)
        account = account.put(replace(purchase, payment=payment, poll_at=sooner))
    plan = catalogue.get(purchase.plan_id, purchase.plan_version)
    return mark_duplicates(account, plan) if plan else account


def dispute(account: Account, fact: DisputeFact, catalogue: Catalogue) -> Account | Ref:
    """One dispute by its own id."""
    new = Dispute(
        dispute_id=fact.dispute_id,
        amount_cents=fact.amount_cents,
        status=fact.status,
        observed_at=fact.observed_at,
        reason=fact.reason,
    )

    def change(payment: Payment) -> Payment:
        # What an amount in another currency takes of this one is not told; usually it is all of the payment.
        told = new if fact.currency == payment.currency else replace(new, amount_cents=payment.amount_cents)
        old = payment.disputes.get(told.dispute_id, told)
        newer, older = (old, told) if _stands(old, told, _DISPUTE_RANK) else (told, old)
        merged = replace(newer, since=_since(newer, older))
        return replace(payment, disputes={**payment.disputes, told.dispute_id: merged})

    changed = _on_payment(account, fact.provider, fact.payment_ref, change)
    return changed if isinstance(changed, Ref) else _followed(account, changed, fact.observed_at, catalogue)


def _stands(stored: Refund | Dispute, new: Refund | Dispute, rank: Mapping[str, int]) -> bool:
    """Whether the stored state stays: the newer observation wins, and of one second the stronger status."""

    def place(seen: Refund | Dispute) -> tuple[int, int, int]:
        turn = seen.waits_for if isinstance(seen, Refund) else None
        return seen.observed_at, rank[seen.status], _TURNS.index(turn) if turn in _TURNS else 0

    return place(stored) >= place(new)


def _since(newer: Refund | Dispute, older: Refund | Dispute) -> int | None:
    """When it first took money, if that was before the newest news of it."""
    taking = [seen for seen in (newer, older) if seen.since is not None or seen.status in _TAKING]
    first = min((seen.taken_at for seen in taking), default=None)
    return None if newer.status in _TAKING and first == newer.observed_at else first


def fraud_warning(account: Account, fact: FraudWarningFact, _catalogue: Catalogue) -> Account | Ref:
    """Flags the payment and changes no access."""
    return _on_payment(account, fact.provider, fact.payment_ref, lambda p: replace(p, fraud_warning=True))


def _on_payment(
    account: Account, provider: str, payment_ref: str, change: Callable[[Payment], Payment]
) -> Account | Ref:
    owner_and_payment = account.payment(provider, payment_ref)
    if owner_and_payment is None:
        return Ref("payment", payment_ref)
    record, payment = owner_and_payment
    changed = change(payment)
    if isinstance(record, Subscription):
        return filed(account, record, changed)
    return account.put(replace(record, payment=changed))


def customer_deleted(account: Account, fact: CustomerDeletedFact, _catalogue: Catalogue) -> Account | Ref:
    """The provider forgot the customer: there is no portal to open any more. Subscriptions end by their own events.

    One record says so, however many records have that customer: see `Account.living_customer`. Nothing is stored of a
    user who has no records (any more).
    """
    if not account.records:
        return account
    return account.put(DeletedCustomer(provider=fact.provider, customer_id=fact.customer_id))
