"""`apply`: what a fact changes in an account. Pure, and the only place where order, repeats and ties are settled.

The rules: the newest provider time wins per object; a terminal state is never left; refunds and disputes are kept by
their own id; two different states of the same second cannot be ordered, so the object has to be read again. Whatever
the order, the number of repeats and the interleaving of facts, the end state is the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from billing.access import term_runs
from billing.errors import Parked
from billing.facts import (
    CheckoutFact,
    CustomerDeletedFact,
    DisputeFact,
    DunningFact,
    Fact,
    FraudWarningFact,
    PaymentFact,
    PurchaseFact,
    Ref,
    RefundFact,
    SubscriptionFact,
)
from billing.plans import Catalogue, Plan
from billing.polling import next_poll
from billing.records import (
    PURCHASE_STATES,
    TERMINAL,
    Account,
    Checkout,
    Dispute,
    Dunning,
    Payment,
    Purchase,
    Record,
    Refund,
    Renewal,
    Subscription,
    Term,
)
from billing.terms import DAY, Run

# Payments kept on a subscription's record: refunds and disputes reach back about two years of monthly invoices.
PAYMENTS_KEPT = 24
_REFUND_RANK = {"pending": 0, "succeeded": 1, "failed": 2}
_DISPUTE_RANK = {"inquiry": 0, "open": 1, "won": 2, "lost": 3}


def apply(account: Account, fact: Fact, catalogue: Catalogue) -> Account | Ref:
    """The account after the fact, or the object that must be read from the provider before it can be judged.

    Returns the same object when nothing changes. Raises `Parked` when the fact speaks of something no one knows yet
    (a price of no plan, a refund of an unknown payment): its event waits, and is not lost.
    """
    return _RULES[type(fact)](account, fact, catalogue)


def _put(account: Account, *records: Record) -> Account:
    changed = {r.record: r for r in records if account.records.get(r.record) != r}
    return replace(account, records={**account.records, **changed}) if changed else account


# --- subscriptions -------------------------------------------------------------------------------------------------


def _subscription(account: Account, fact: SubscriptionFact, catalogue: Catalogue) -> Account | Ref:
    key = f"subscription#{fact.provider}#{fact.subscription_id}"
    old = account.records.get(key)
    if not isinstance(old, Subscription):
        return _put(account, _subscription_from(fact, catalogue, None))
    known, told = _subscription_rank(old), _subscription_rank(fact)
    if told < known:
        return account
    new = _subscription_from(fact, catalogue, old)
    if told == known and new != old and not fact.reread:
        return Ref("subscription", fact.subscription_id)
    return _put(account, new)


def _subscription_rank(seen: Subscription | SubscriptionFact) -> tuple[bool, int]:
    """A terminal state is never left, whatever time another one carries; among equals the newest wins."""
    return seen.status in TERMINAL, seen.observed_at


def _subscription_from(fact: SubscriptionFact, catalogue: Catalogue, old: Subscription | None) -> Subscription:
    plan = _plan_of(fact, catalogue)
    scheduled = catalogue.by_price(fact.provider, fact.scheduled_price_id) if fact.scheduled_price_id else None
    return Subscription(
        provider=fact.provider,
        subscription_id=fact.subscription_id,
        plan_id=plan.plan_id,
        plan_version=plan.version,
        status=fact.status,
        current_period_start=fact.current_period_start,
        current_period_end=fact.current_period_end,
        observed_at=fact.observed_at,
        created_at=fact.created_at,
        # It never changes; one that was forgotten (see `_customer_deleted`) stays so.
        customer_id=old.customer_id if old else fact.customer_id,
        price_id=fact.price_id,
        item_id=fact.item_id,
        quantity=fact.quantity,
        trial_end=fact.trial_end,
        cancel_at=fact.cancel_at,
        cancel_at_period_end=fact.cancel_at_period_end,
        canceled_at=fact.canceled_at,
        ended_at=fact.ended_at,
        cancel_reason=fact.cancel_reason,
        collection_paused=fact.collection_paused,
        scheduled_plan_id=scheduled.plan_id if scheduled else fact.scheduled_plan_id,
        dunning=old.dunning if old else None,
        payments=old.payments if old else {},
    )


def _plan_of(fact: SubscriptionFact, catalogue: Catalogue) -> Plan:
    """The plan follows the price on the item; our metadata only tells apart versions that share a price."""
    named = catalogue.get(fact.plan_id, fact.plan_version) if fact.plan_id and fact.plan_version else None
    named_price = named.provider_plan_ids.get(fact.provider) if named else None
    if named and named_price == fact.price_id:
        return named
    plan = catalogue.by_price(fact.provider, fact.price_id) or (named if named_price is None else None)
    if plan is None:
        raise Parked(
            f"{fact.provider} price {fact.price_id} of subscription {fact.subscription_id} belongs to no plan: "
            "add it to a plan's provider_plan_ids, then redrive this event"
        )
    return plan


def _payment(account: Account, fact: PaymentFact, _catalogue: Catalogue) -> Account | Ref:
    subscription = account.records.get(f"subscription#{fact.provider}#{fact.subscription_id}")
    if not isinstance(subscription, Subscription):
        return Ref("subscription", fact.subscription_id)
    old = subscription.payments.get(fact.payment_id)
    payment = Payment(
        payment_id=fact.payment_id,
        amount_cents=fact.amount_cents,
        currency=fact.currency,
        paid_at=fact.paid_at,
        refs=fact.refs,
        period_start=fact.period_start,
        period_end=fact.period_end,
        fee_cents=fact.fee_cents,
    )
    if old is not None:
        # The same payment told twice: what is booked stays, what was missing is filled in.
        payment = replace(
            old,
            refs=tuple(sorted({*old.refs, *fact.refs})),
            period_start=_known(old.period_start, fact.period_start),
            period_end=_known(old.period_end, fact.period_end),
            fee_cents=_known(old.fee_cents, fact.fee_cents),
        )
    kept = sorted({**subscription.payments, fact.payment_id: payment}.values(), key=lambda p: (p.paid_at, p.payment_id))
    return _put(account, replace(subscription, payments={p.payment_id: p for p in kept[-PAYMENTS_KEPT:]}))


def _known(first: int | None, second: int | None) -> int | None:
    return second if first is None else first


def _dunning(account: Account, fact: DunningFact, _catalogue: Catalogue) -> Account | Ref:
    subscription = account.records.get(f"subscription#{fact.provider}#{fact.subscription_id}")
    if not isinstance(subscription, Subscription):
        return Ref("subscription", fact.subscription_id)
    new = Dunning(
        invoice_id=fact.invoice_id,
        attempt_count=fact.attempt_count,
        next_attempt_at=fact.next_attempt_at,
        observed_at=fact.observed_at,
        action_required=fact.action_required,
    )
    if subscription.dunning is not None and _dunning_rank(subscription.dunning) >= _dunning_rank(new):
        return account
    return _put(account, replace(subscription, dunning=new))


def _dunning_rank(dunning: Dunning) -> tuple[int, int, bool, int, str]:
    """A total order, so that facts of one second end the same whichever comes first."""
    return (
        dunning.observed_at,
        dunning.attempt_count,
        dunning.action_required,
        dunning.next_attempt_at or 0,
        dunning.invoice_id,
    )


# --- purchases and prepaid terms -----------------------------------------------------------------------------------


def _purchase(account: Account, fact: PurchaseFact, catalogue: Catalogue) -> Account | Ref:
    plan = catalogue.get(fact.plan_id, fact.plan_version)
    if plan is None:
        raise Parked(f"purchase {fact.purchase_id} is of plan {fact.plan_id} version {fact.plan_version}, unknown here")
    kind = Term if plan.recurring else Purchase
    key = f"{'term' if plan.recurring else 'purchase'}#{fact.provider}#{fact.purchase_id}"
    known = account.records.get(key)
    old = known if isinstance(known, Purchase) else None
    new = kind(
        provider=fact.provider,
        purchase_id=fact.purchase_id,
        plan_id=fact.plan_id,
        plan_version=fact.plan_version,
        state=fact.state,
        amount_cents=fact.amount_cents,
        currency=fact.currency,
        observed_at=fact.observed_at,
        created_at=fact.created_at or fact.observed_at,
        checkout_id=fact.checkout_id,
        customer_id=fact.customer_id,
        due_cents=fact.due_cents,
        surplus_cents=fact.surplus_cents,
        expires_at=fact.expires_at,
        poll_at=next_poll(fact.state, fact.created_at or fact.observed_at, fact.observed_at) if fact.poll else None,
    )
    if isinstance(new, Term):
        new = replace(new, bonus_seconds=fact.trial_days * DAY)
    if old is not None:
        if fact.poll:
            _check_same_order(old, fact)
        created_at = min(old.created_at, new.created_at)
        if _purchase_rank(new) <= _purchase_rank(old):
            return _put(account, replace(old, created_at=created_at, payment=_named(old.payment, fact)))
        new = replace(
            old,
            state=fact.state,
            amount_cents=fact.amount_cents,
            observed_at=fact.observed_at,
            created_at=created_at,
            customer_id=fact.customer_id or old.customer_id,
            due_cents=fact.due_cents,
            surplus_cents=fact.surplus_cents,
            expires_at=_known(fact.expires_at, old.expires_at),
            poll_at=new.poll_at,
        )
    new = replace(new, payment=_money_in(fact, old))
    return _renew(_complete_checkout(_put(account, new), new), catalogue)


def _check_same_order(old: Purchase, fact: PurchaseFact) -> None:
    """An invoice is what we opened, for as long as it lives."""
    opened = (old.plan_id, old.plan_version, old.amount_cents, old.currency)
    told = (fact.plan_id, fact.plan_version, fact.amount_cents, fact.currency)
    if opened != told:
        raise Parked(f"{fact.provider} invoice {fact.purchase_id} was opened for {opened}, but now says {told}")


def _money_in(fact: PurchaseFact, old: Purchase | None) -> Payment | None:
    """What was booked stays as it was booked; before that, the newest word on what has been seen."""
    kept = old.payment if old else None
    if old is not None and kept is not None and (old.paid or not fact.poll or kept.refunds):
        return _named(kept, fact)
    if fact.paid_at is None and fact.state != "paid":
        return None
    return Payment(
        payment_id=fact.purchase_id,
        amount_cents=fact.amount_cents - fact.due_cents,
        currency=fact.currency,
        paid_at=fact.paid_at or fact.observed_at,
        refs=fact.refs,
        fee_cents=fact.fee_cents,
    )


def _named(payment: Payment | None, fact: PurchaseFact) -> Payment | None:
    """A payment told again, by its charge or session: it gains their names, and is never a second one."""
    if payment is None or fact.state != "paid" or fact.poll:
        return payment
    return replace(
        payment,
        paid_at=min(payment.paid_at, fact.paid_at or fact.observed_at),
        refs=tuple(sorted({*payment.refs, *fact.refs})),
        fee_cents=_known(payment.fee_cents, fact.fee_cents),
    )


def accept(account: Account, purchase: Purchase, admin: str, catalogue: Catalogue, now: int) -> Account:
    """A person lets an underpaid or late payment count. What a term lost by waiting for that is added to it."""
    accepted = replace(purchase, accepted_by=admin)
    if isinstance(accepted, Term) and accepted.payment is not None:
        waited = max(0, now - accepted.payment.paid_at)
        accepted = replace(accepted, bonus_seconds=accepted.bonus_seconds + waited)
    return _renew(_complete_checkout(_put(account, accepted), accepted), catalogue)


def _purchase_rank(purchase: Purchase) -> tuple[int, int]:
    return purchase.observed_at, PURCHASE_STATES.index(purchase.state)


def _complete_checkout(account: Account, purchase: Purchase) -> Account:
    if not purchase.paid:
        return account
    done = [
        replace(c, status="completed", url=None) for c in account.checkouts if c.checkout_id == purchase.checkout_id
    ]
    return _put(account, *done)


# A look this long before the end is early enough for every reminder anybody would set (seconds).
LONGEST_LEAD = 30 * DAY


def _renew(account: Account, catalogue: Catalogue) -> Account:
    """Keeps the end of what is prepaid, group by group, for the reminders; a new end is reminded of anew."""
    last: dict[str, Run] = {}
    for run in term_runs(account, catalogue):
        if run.term.paid and (run.plan.group not in last or run.end > last[run.plan.group].end):
            last[run.plan.group] = run
    renewals = {r.group: r for r in account.renewals}
    changed = []
    for group, run in last.items():
        old = renewals.get(group)
        if old is None or old.ends_at != run.end or old.purchase_id != run.term.purchase_id:
            changed.append(
                Renewal(
                    group=group,
                    plan_id=run.plan.plan_id,
                    plan_version=run.plan.version,
                    provider=run.term.provider,
                    purchase_id=run.term.purchase_id,
                    ends_at=run.end,
                    wanted=old.wanted if old else True,
                    remind_at=run.end - LONGEST_LEAD,
                )
            )
    # Nothing prepaid is left (returned, or turned invalid): there is no end to remind of.
    changed += [replace(old, remind_at=None) for group, old in renewals.items() if group not in last]
    return _put(account, *changed)


def _checkout(account: Account, fact: CheckoutFact, _catalogue: Catalogue) -> Account | Ref:
    ended = [
        replace(c, status=fact.status, url=None)
        for c in account.checkouts
        if c.session_id == fact.session_id and c.status != "completed"
    ]
    account = _put(account, *ended)
    if fact.subscription_id and f"subscription#{fact.provider}#{fact.subscription_id}" not in account.records:
        return Ref("subscription", fact.subscription_id)
    return account


# --- refunds, disputes and warnings: kept by their own id on the payment they name ----------------------------------


def _refund(account: Account, fact: RefundFact, catalogue: Catalogue) -> Account | Ref:
    new = Refund(
        refund_id=fact.refund_id,
        amount_cents=fact.amount_cents,
        status=fact.status,
        observed_at=fact.observed_at,
        reason=fact.reason,
    )

    def change(payment: Payment) -> Payment:
        old = payment.refunds.get(new.refund_id)
        if old and (old.observed_at, _REFUND_RANK[old.status]) >= (new.observed_at, _REFUND_RANK[new.status]):
            return payment
        told = replace(new, reason=new.reason or (old.reason if old else None))
        return replace(payment, refunds={**payment.refunds, new.refund_id: told})

    changed = _on_payment(account, fact.provider, fact.payment_ref, change)
    return _renew(changed, catalogue) if isinstance(changed, Account) else changed


def _dispute(account: Account, fact: DisputeFact, _catalogue: Catalogue) -> Account | Ref:
    new = Dispute(
        dispute_id=fact.dispute_id,
        amount_cents=fact.amount_cents,
        status=fact.status,
        observed_at=fact.observed_at,
        reason=fact.reason,
    )

    def change(payment: Payment) -> Payment:
        old = payment.disputes.get(new.dispute_id)
        if old and (old.observed_at, _DISPUTE_RANK[old.status]) >= (new.observed_at, _DISPUTE_RANK[new.status]):
            return payment
        return replace(payment, disputes={**payment.disputes, new.dispute_id: new})

    return _on_payment(account, fact.provider, fact.payment_ref, change)


def _fraud_warning(account: Account, fact: FraudWarningFact, _catalogue: Catalogue) -> Account | Ref:
    return _on_payment(account, fact.provider, fact.payment_ref, lambda p: replace(p, fraud_warning=True))


def _on_payment(
    account: Account, provider: str, payment_ref: str, change: Callable[[Payment], Payment]
) -> Account | Ref:
    for record, payment in _payments(account, provider):
        if payment_ref == payment.payment_id or payment_ref in payment.refs:
            changed = change(payment)
            if isinstance(record, Subscription):
                return _put(account, replace(record, payments={**record.payments, payment.payment_id: changed}))
            return _put(account, replace(record, payment=changed))
    return Ref("payment", payment_ref)


def _payments(account: Account, provider: str) -> Iterator[tuple[Subscription | Purchase, Payment]]:
    for record in account.records.values():
        if isinstance(record, Subscription) and record.provider == provider:
            yield from ((record, payment) for payment in record.payments.values())
        elif isinstance(record, Purchase) and record.provider == provider and record.payment is not None:
            yield record, record.payment


def _customer_deleted(account: Account, fact: CustomerDeletedFact, _catalogue: Catalogue) -> Account | Ref:
    """The provider forgot the customer: there is no portal to open any more. Subscriptions end by their own events."""
    forgotten = [
        replace(r, customer_id=None)
        for r in account.records.values()
        if isinstance(r, Subscription | Purchase) and r.provider == fact.provider and r.customer_id == fact.customer_id
    ]
    return _put(account, *forgotten)


def checkout_of(account: Account, group: str) -> Checkout | None:
    """The checkout a user last opened in a group of plans."""
    found = account.records.get(f"checkout#{group}")
    return found if isinstance(found, Checkout) else None


_RULES: dict[type, Callable[[Account, Any, Catalogue], Account | Ref]] = {
    SubscriptionFact: _subscription,
    PaymentFact: _payment,
    DunningFact: _dunning,
    PurchaseFact: _purchase,
    RefundFact: _refund,
    DisputeFact: _dispute,
    FraudWarningFact: _fraud_warning,
    CheckoutFact: _checkout,
    CustomerDeletedFact: _customer_deleted,
}
