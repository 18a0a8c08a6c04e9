"""What facts about subscriptions, their payments and their dunning change."""

from billing.data import replace
from billing.errors import Parked
from billing.rules.facts import DunningFact, ItemFact, PaymentFact, Ref, SubscriptionFact
from billing.rules.past import check_past, filed, known_payment
from billing.rules.plans import Catalogue, Plan
from billing.rules.records import (
    INVOICE_STATES,
    TERMINAL,
    Account,
    Bought,
    Dunning,
    Item,
    Payment,
    Subscription,
    first_known,
)

# Invoices that are not paid, of a subscription: it is a bound, because an item that outgrows DynamoDB's 400 KB could
# never be written again.
UNPAID_KEPT = 24


def subscription(account: Account, fact: SubscriptionFact, catalogue: Catalogue) -> Account | Ref:
    """The newest state of a subscription wins; a tie of two different states asks for the subscription."""
    key = f"subscription#{fact.provider}#{fact.subscription_id}"
    old = account.records.get(key)
    if not isinstance(old, Subscription):
        return account.put(_subscription_from(fact, catalogue, None))
    old_rank, new_rank = _subscription_rank(old), _subscription_rank(fact)
    if new_rank < old_rank:
        return account
    if old.customer_discount and fact.customer_discount is None and fact.status not in TERMINAL:
        return Ref("subscription", fact.subscription_id)  # what it costs is not in the event
    new = _subscription_from(fact, catalogue, old)
    if new_rank == old_rank and new != old and not fact.reread:
        return Ref("subscription", fact.subscription_id)
    check_past(account, old, new)
    return filed(account, new)


def _subscription_rank(seen: Subscription | SubscriptionFact) -> tuple[bool, int]:
    """A terminal state is never left, whatever time another fact carries; else the newest wins."""
    return seen.status in TERMINAL, seen.observed_at


Sold = tuple[ItemFact, Plan]


def sold(fact: SubscriptionFact, catalogue: Catalogue) -> list[Sold]:
    """The items of a subscription that are plans of ours, the one first that stands for the whole.

    The catalogue tells them from what else is sold in it. Only where it knows none of the prices does our metadata
    say, of a plan that has no price of its own yet.
    """

    def plan_of(item: ItemFact) -> Plan | None:
        return catalogue.sold_at(fact.provider, item.price_id, fact.plan_id, fact.plan_version)

    ours = [(item, plan) for item in fact.every_item if (plan := plan_of(item)) is not None]
    if ours:
        named = [pair for pair in ours if pair[1].plan_id == fact.plan_id]
        first = named[0] if named else ours[0]
        return [first, *(pair for pair in ours if pair is not first)]
    item = fact.every_item[0]
    plan = catalogue.behind(fact.provider, item.price_id, fact.plan_id, fact.plan_version)
    return [(item, plan)] if plan else []


def _subscription_from(fact: SubscriptionFact, catalogue: Catalogue, old: Subscription | None) -> Subscription:
    ours = sold(fact, catalogue)
    if not ours:
        raise Parked(
            f"{fact.provider} price {fact.price_id} of subscription {fact.subscription_id} belongs to no plan: "
            "add it to a plan's provider_plan_ids, then redrive this event",
            "unknown_plan",
        )
    item, plan = ours[0]
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
        current_period_start=item.current_period_start,
        current_period_end=item.current_period_end,
        observed_at=fact.observed_at,
        created_at=fact.created_at,
        # A subscription's customer never changes.
        customer_id=old.customer_id if old else fact.customer_id,
        price_id=item.price_id,
        item_id=item.item_id,
        quantity=item.quantity,
        trial_end=fact.trial_end,
        cancel_at=fact.cancel_at,
        cancel_at_period_end=fact.cancel_at_period_end,
        canceled_at=fact.canceled_at,
        ended_at=fact.ended_at,
        cancel_reason=fact.cancel_reason,
        collection_paused=fact.collection_paused,
        scheduled_plan_id=scheduled.plan_id if scheduled else None,
        scheduled_plan_version=scheduled.version if scheduled else None,
        currency=fact.currency,
        recurring_cents=item.recurring_cents,
        customer_discount=bool(fact.customer_discount),
        others=tuple(_item(*pair) for pair in ours[1:]),
        unpaid=old.unpaid if old else {},
        payments=old.payments if old else {},
        past_until=old.past_until if old else None,
    )


def _item(item: ItemFact, plan: Plan) -> Item:
    return Item(
        plan_id=plan.plan_id,
        plan_version=plan.version,
        item_id=item.item_id,
        price_id=item.price_id,
        quantity=item.quantity,
        current_period_start=item.current_period_start,
        current_period_end=item.current_period_end,
        recurring_cents=item.recurring_cents,
    )


def payment(account: Account, fact: PaymentFact, catalogue: Catalogue) -> Account | Ref:
    """An invoice was paid: booked once, by whichever of its events comes first."""
    subscription = account.records.get(f"subscription#{fact.provider}#{fact.subscription_id}")
    if not isinstance(subscription, Subscription):
        return Ref("subscription", fact.subscription_id)
    paid = _payment_from(fact, catalogue)
    old = known_payment(account, subscription, fact.payment_id, fact.paid_at)
    if old is not None:
        # A payment that is on record already: what is booked stays, what was missing is filled in.
        paid = replace(
            old,
            refs=tuple(sorted({*old.refs, *paid.refs})),
            period_start=first_known(old.period_start, paid.period_start),
            period_end=first_known(old.period_end, paid.period_end),
            fee_cents=first_known(old.fee_cents, paid.fee_cents),
            given_up_at=first_known(old.given_up_at, paid.given_up_at),
        )
    unpaid = {key: invoice for key, invoice in subscription.unpaid.items() if key != paid.payment_id}
    return filed(account, replace(subscription, unpaid=unpaid), paid)


def paid_plans(fact: PaymentFact, catalogue: Catalogue) -> list[Bought]:
    """What an invoice paid for, by the lines that the catalogue knows, what runs longest first."""

    def plan_of(price_id: str) -> Plan | None:
        return catalogue.sold_at(fact.provider, price_id, fact.plan_id, fact.plan_version)

    return [
        Bought(plan_id=plan.plan_id, plan_version=plan.version, start=line.start, end=line.end)
        for line in fact.lines
        if (plan := plan_of(line.price_id)) is not None
    ]


def _payment_from(fact: PaymentFact, catalogue: Catalogue) -> Payment:
    """What it paid for, by the lines whose prices the catalogue knows; by our metadata where it knows none."""
    bought = paid_plans(fact, catalogue)
    plan = catalogue.behind(fact.provider, fact.price_id, fact.plan_id, fact.plan_version) if fact.price_id else None
    first = bought[0] if bought else None
    return Payment(
        payment_id=fact.payment_id,
        amount_cents=fact.amount_cents,
        currency=fact.currency,
        paid_at=fact.paid_at,
        refs=fact.refs,
        period_start=first.start if first else fact.period_start,
        period_end=first.end if first else fact.period_end,
        fee_cents=fact.fee_cents,
        plan_id=first.plan_id if first else plan.plan_id if plan else None,
        plan_version=first.plan_version if first else plan.version if plan else None,
        also=tuple(bought[1:]),
        tax_cents=fact.tax_cents,
        tax_inside=fact.tax_inside,
        given_up_at=fact.given_up_at,
    )


def dunning(account: Account, fact: DunningFact, _catalogue: Catalogue) -> Account | Ref:
    """An invoice that is not paid, by its own id: news of one says nothing of another."""
    subscription = account.records.get(f"subscription#{fact.provider}#{fact.subscription_id}")
    if not isinstance(subscription, Subscription):
        return Ref("subscription", fact.subscription_id)
    if known_payment(account, subscription, fact.invoice_id, fact.observed_at) is not None:
        return account
    old = subscription.unpaid.get(fact.invoice_id)
    new = Dunning(
        invoice_id=fact.invoice_id,
        attempt_count=fact.attempt_count,
        next_attempt_at=fact.next_attempt_at,
        observed_at=fact.observed_at,
        action_required=fact.action_required,
        state=fact.state,
        first=fact.first,
        waived=fact.waived,
        start=first_known(fact.period_start, old.start if old else None),
        end=first_known(fact.period_end, old.end if old else None),
    )
    if old is not None:
        # Only an event says that the bank asks for the customer: an invoice that is read does not show it.
        needs_action = old.attempt_count == new.attempt_count and (old.action_required or new.action_required)
        if _dunning_rank(old) >= _dunning_rank(new):
            action_required = needs_action or old.action_required
            new = replace(old, start=first_known(old.start, new.start), end=first_known(old.end, new.end))
            new = replace(new, action_required=action_required)
        else:
            new = replace(new, action_required=needs_action or new.action_required)
    by_worth = sorted({**subscription.unpaid, new.invoice_id: new}.values(), key=_worth_keeping)
    return filed(account, replace(subscription, unpaid={d.invoice_id: d for d in by_worth[-UNPAID_KEPT:]}))


def _worth_keeping(dunning: Dunning) -> tuple[bool, int, str]:
    """Too many are dropped in this order: settled ones first, then the oldest."""
    return dunning.state == "open", dunning.start or dunning.observed_at, dunning.invoice_id


def _dunning_rank(dunning: Dunning) -> tuple[int, int, int, bool, int]:
    """A total order, so that facts of one second end in the same state whichever comes first. A void or given up
    invoice is never open again, whatever time a fact carries; "no further try" counts as newer than "a try will
    follow"."""
    return (
        INVOICE_STATES.index(dunning.state),
        dunning.observed_at,
        dunning.attempt_count,
        dunning.next_attempt_at is None,
        dunning.next_attempt_at or 0,
    )


def accept_late(account: Account, subscription: Subscription, payment: Payment, admin: str, now: int) -> Account:
    """A person accepts a payment that came after its invoice was given up."""
    return filed(account, subscription, replace(payment, accepted_by=admin, accepted_at=now))
