"""What facts about subscriptions, their payments and their dunning change."""

from dataclasses import replace

from billing.errors import Parked
from billing.rules.facts import DunningFact, PaymentFact, Ref, SubscriptionFact
from billing.rules.plans import Catalogue
from billing.rules.records import TERMINAL, Account, Dunning, Payment, Subscription, first_known

# Payments kept on a subscription's record, so that money back and news of any of them still count: fifty years of
# months. It is a bound, because an account whose item outgrows DynamoDB's 400 KB could never be written again.
PAYMENTS_KEPT = 600


def subscription(account: Account, fact: SubscriptionFact, catalogue: Catalogue) -> Account | Ref:
    """The newest state of a subscription wins; a tie of two different states asks for the subscription."""
    key = f"subscription#{fact.provider}#{fact.subscription_id}"
    old = account.records.get(key)
    if not isinstance(old, Subscription):
        customer_id = account.living_customer(fact.provider, fact.customer_id)
        return account.put(replace(_subscription_from(fact, catalogue, None), customer_id=customer_id))
    known, told = _subscription_rank(old), _subscription_rank(fact)
    if told < known:
        return account
    new = _subscription_from(fact, catalogue, old)
    if told == known and new != old and not fact.reread:
        return Ref("subscription", fact.subscription_id)
    return account.put(new)


def _subscription_rank(seen: Subscription | SubscriptionFact) -> tuple[bool, int]:
    """A terminal state is never left, whatever time another one carries; among equals the newest wins."""
    return seen.status in TERMINAL, seen.observed_at


def _subscription_from(fact: SubscriptionFact, catalogue: Catalogue, old: Subscription | None) -> Subscription:
    plan = catalogue.behind(fact.provider, fact.price_id, fact.plan_id, fact.plan_version)
    if plan is None:
        raise Parked(
            f"{fact.provider} price {fact.price_id} of subscription {fact.subscription_id} belongs to no plan: "
            "add it to a plan's provider_plan_ids, then redrive this event"
        )
    # None also where a price was scheduled by hand that belongs to no plan.
    scheduled = fact.scheduled_price_id and catalogue.behind(
        fact.provider, fact.scheduled_price_id, fact.scheduled_plan_id, fact.scheduled_plan_version
    )
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
        # It never changes; one that was forgotten (see `customer_deleted`) stays so.
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
        scheduled_plan_id=scheduled.plan_id if scheduled else None,
        scheduled_plan_version=scheduled.version if scheduled else None,
        dunning=old.dunning if old else None,
        payments=old.payments if old else {},
    )


def payment(account: Account, fact: PaymentFact, catalogue: Catalogue) -> Account | Ref:
    """An invoice was paid: booked once, under whichever of its events comes first."""
    subscription = account.records.get(f"subscription#{fact.provider}#{fact.subscription_id}")
    if not isinstance(subscription, Subscription):
        return Ref("subscription", fact.subscription_id)
    old = subscription.payments.get(fact.payment_id)
    plan = catalogue.behind(fact.provider, fact.price_id, fact.plan_id, fact.plan_version) if fact.price_id else None
    payment = Payment(
        payment_id=fact.payment_id,
        amount_cents=fact.amount_cents,
        currency=fact.currency,
        paid_at=fact.paid_at,
        refs=fact.refs,
        period_start=fact.period_start,
        period_end=fact.period_end,
        fee_cents=fact.fee_cents,
        plan_id=plan.plan_id if plan else None,
        plan_version=plan.version if plan else None,
    )
    if old is not None:
        # The same payment told twice: what is booked stays, what was missing is filled in.
        payment = replace(
            old,
            refs=tuple(sorted({*old.refs, *fact.refs})),
            period_start=first_known(old.period_start, fact.period_start),
            period_end=first_known(old.period_end, fact.period_end),
            fee_cents=first_known(old.fee_cents, fact.fee_cents),
        )
    kept = sorted({**subscription.payments, fact.payment_id: payment}.values(), key=lambda p: (p.paid_at, p.payment_id))
    return account.put(replace(subscription, payments={p.payment_id: p for p in kept[-PAYMENTS_KEPT:]}))


def dunning(account: Account, fact: DunningFact, _catalogue: Catalogue) -> Account | Ref:
    """The newest failed attempt to collect."""
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
    return account.put(replace(subscription, dunning=new))


def _dunning_rank(dunning: Dunning) -> tuple[int, int, bool, int, str]:
    """A total order, so that facts of one second end the same whichever comes first."""
    return (
        dunning.observed_at,
        dunning.attempt_count,
        dunning.action_required,
        dunning.next_attempt_at or 0,
        dunning.invoice_id,
    )
