"""Who has access: the policy, in one place. Every question of access anywhere in the product ends here.

Each record becomes windows [start, until) in which it gives the features of a plan; no clock is read. `until`
None is for good. A window that never opens has until == start. The reason is a stable word shown to people and kept
in the snapshot.

| record                                     | until                                            | reason             |
|--------------------------------------------|--------------------------------------------------|--------------------|
| subscription trialing, active              | period end + DELIVERY_SLACK                      | trialing, active   |
| … with a cancellation scheduled            | that instant, if it comes first                  | canceling          |
| … never paid for yet (a debit on its way)  | never opens                                      | processing         |
| … its newest invoice given up, unpaid      | start of what is unpaid + the plan's grace       | unpaid             |
| subscription past_due                      | start of what is unpaid + the plan's grace       | past_due           |
| … what is paid besides, by its own plan    | end of the time that payment bought              | paid               |
| subscription canceled                      | when it ended                                    | canceled           |
| … paid after that, accepted by a person    | accepted + the time that payment bought          | paid               |
| unpaid, paused, incomplete…, unknown       | never opens                                      | the status         |
| … a payment of the current time disputed   | start of what that payment bought                | disputed           |
| … what the other payments bought           | end of the time that payment bought              | paid               |
| every further plan of ours in it           | as the subscription, to its own period's end     | as the subscription|
| purchase paid                              | paid + duration, or for good                     | paid               |
| purchase refunded whole / disputed         | never opens                                      | refunded, disputed |
| purchase seen, unconfirmed                 | never opens, unless the plan is optimistic       | processing         |
| purchase underpaid, paid late              | never opens, until a person accepts it           | underpaid, …       |
| term                                       | as purchase, for its run in the chain            | paid               |
| … ended early by a plan of higher rank     | when that one was paid                           | replaced           |
| gift, for whoever bought it                | gives its buyer no feature, but a voucher        |                    |
| voucher of a plan that recurs              | as term, for its intervals in the chain          | redeemed, replaced |
| … of a plan bought once, or of credits     | redeemed + duration, or for good                 | redeemed           |
| … revoked, or what was paid for it went    | never opens                                      | revoked, refunded, |
|                                            |                                                  | disputed, …        |
| grant                                      | its expiry or revocation                         | granted, revoked   |

What is unpaid begins where the oldest open or given up invoice begins, if no later time was settled since. Where no
invoice is known, it begins where the last time ended that was paid for, tried for nothing or waived. Waived is what
the seller voided, or let lie while collection was paused; a first invoice that is void was never paid.
"""

from collections.abc import Iterator, Mapping, Sequence

from billing.data import dataclass, replace
from billing.rules.plans import Catalogue, Plan
from billing.rules.records import (
    TERMINAL,
    Account,
    Bought,
    Grant,
    Item,
    Payment,
    Purchase,
    Redemption,
    Subscription,
    Term,
)
from billing.rules.terms import Run, chain
from billing.rules.times import DAY, Lasting, SourceKind

# A renewal is known to us only when its event arrives: this long after the period's end access stays open.
DELIVERY_SLACK = 12 * 3600
# Before every time: a window until then never opens.
NEVER = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Lasting):
    """When one record gives access. `record_id` is the provider's id, or the id of a grant. `period`: the paid billing
    period by which allowances are counted; None where there is none, or it is not paid. `features`: what it gives where
    no plan says so (a grant, a voucher of credits)."""

    kind: SourceKind
    record_id: str
    plan: Plan | None
    start: int
    until: int | None
    reason: str
    features: Mapping[str, object] | None = None
    period: tuple[int, int] | None = None


def windows(account: Account, catalogue: Catalogue) -> list[Window]:
    """The windows of every record, open or not, in a stable order."""
    every_window = [w for s in account.subscriptions for w in _of_subscription(s, catalogue)]
    every_window += [_of_purchase(p, catalogue.get(p.plan_id, p.plan_version)) for p in account.purchases]
    runs = {run.term.purchase_id: run for run in term_runs(account, catalogue)}
    every_window += _of_terms(account, catalogue, runs)
    every_window += [w for r in account.redemptions for w in _of_redemption(r, catalogue, runs)]
    every_window += [_of_grant(g) for g in account.grants]
    return sorted(every_window, key=lambda w: (w.kind, w.record_id))


def term_runs(account: Account, catalogue: Catalogue, *further: tuple[Term, Plan]) -> list[Run]:
    """The terms that count, and `further` ones, laid end to end. Raises `PastNeeded` where terms that were not read
    decide when they run."""
    return [run for run in chain([*placed(account, catalogue), *further], account.ended) if not run.closed]


def placed(account: Account, catalogue: Catalogue) -> list[tuple[Term, Plan]]:
    """The terms that give something, or gave it until they were closed, with their plans."""
    return [(term, plan) for term, plan in _terms_with_plans(account, catalogue) if term.paid or _counts(term, plan)]


def _of_subscription(subscription: Subscription, catalogue: Catalogue) -> Iterator[Window]:
    """One window for each plan in it, by its status; and one for each period that other payments bought, whatever the
    status says of an unpaid invoice."""
    everything: tuple[Subscription | Item, ...] = (subscription, *subscription.others)
    item_windows = [_of_item(subscription, source, catalogue) for source in everything]
    yield from item_windows
    if subscription.status in ("trialing", "active", "past_due"):
        current = subscription.current_period_start, subscription.current_period_end
        for bought in _paid_besides(subscription, item_windows):
            yield replace(
                item_windows[0],
                plan=catalogue.get(bought.plan_id, bought.plan_version),
                start=bought.start,
                until=bought.end,
                reason="paid",
                period=current if bought.end > current[0] else (bought.start, bought.end),
            )
    if subscription.status in TERMINAL:
        for bought in _accepted(subscription):
            plan = catalogue.get(bought.plan_id, bought.plan_version)
            run = bought.start, bought.end
            yield replace(item_windows[0], plan=plan, start=bought.start, until=bought.end, reason="paid", period=run)


def _of_item(subscription: Subscription, source: Subscription | Item, catalogue: Catalogue) -> Window:
    plan = catalogue.get(source.plan_id, source.plan_version)
    # From the creation, not the period: an upgrade, or a period rolled early, opens no gap behind us.
    start = min(subscription.created_at, source.current_period_start)
    until, reason = _until(subscription, source.current_period_end, plan)
    disputed = _disputed_since(subscription, source)
    if disputed is not None and disputed < until:
        until, reason = disputed, "disputed"
    return Window(
        kind="subscription",
        record_id=subscription.subscription_id,
        plan=plan,
        start=start,
        until=max(start, until),
        reason=reason,
        period=_paid_period(subscription, source),
    )


def _disputed_since(subscription: Subscription, source: Subscription | Item) -> int | None:
    """When the time begins that a charged-back payment bought of a plan in the current period; None: it bought none. A
    payment for another plan counts for this one only where no other payment bought it."""
    current: list[tuple[bool, Bought]] = [
        (payment.suspended, bought)
        for payment in subscription.payments.values()
        for bought in paid_for(subscription, payment)
        if bought.end > source.current_period_start
    ]
    own = [(suspended, bought) for suspended, bought in current if bought.plan_id == source.plan_id]
    return min((bought.start for suspended, bought in own or current if suspended), default=None)


def _paid_besides(subscription: Subscription, item_windows: Sequence[Window]) -> Iterator[Bought]:
    """Periods that stay paid although another payment is open or disputed: of the plan before an upgrade, say."""
    closed = [w.until or 0 for w in item_windows if w.reason in ("past_due", "unpaid", "disputed")]
    if not closed:
        return
    open_until = {w.plan.plan_id: w.until or 0 for w in item_windows if w.plan}
    renews = subscription.status != "past_due" and subscription.ends_at is None
    for payment in subscription.payments.values():
        if payment.suspended or payment.fully_refunded:
            continue
        for bought in paid_for(subscription, payment):
            if bought.end > max(min(closed), open_until.get(bought.plan_id, 0)):
                end = bought.end + (DELIVERY_SLACK if renews else 0)
                yield replace(bought, end=end if subscription.ends_at is None else min(end, subscription.ends_at))


def _accepted(subscription: Subscription) -> Iterator[Bought]:
    """Payments after the end that a person accepted: what they bought runs from the acceptance."""
    for payment in subscription.payments.values():
        if payment.accepted_at is not None and not (payment.suspended or payment.fully_refunded):
            for bought in paid_for(subscription, payment):
                length = bought.end - bought.start
                yield replace(bought, start=payment.accepted_at, end=payment.accepted_at + length)


def paid_for(subscription: Subscription, payment: Payment) -> tuple[Bought, ...]:
    """What a payment of a subscription bought: the plans by its lines, and the time of each."""
    ended = payment.period_end if payment.period_end is not None else subscription.current_period_end
    began = payment.period_start if payment.period_start is not None else payment.paid_at
    first = Bought(
        plan_id=payment.plan_id or subscription.plan_id,
        plan_version=payment.plan_version or subscription.plan_version,
        start=began,
        end=ended,
    )
    return first, *payment.also


def _until(subscription: Subscription, period_end: int, plan: Plan | None) -> tuple[int, str]:
    """Until when the status alone gives access, and why."""
    status = subscription.status
    if status == "past_due":
        # Grace is for who has paid before: a first payment that failed was never one.
        return NEVER if subscription.never_paid else grace_until(subscription, plan), "past_due"
    if status == "canceled":
        ended = subscription.ended_at or subscription.canceled_at or subscription.observed_at
        # Given up by its provider weeks after its grace was over: it did not open again in between.
        return min(ended, grace_until(subscription, plan)) if subscription.owed else ended, "canceled"
    if status not in ("trialing", "active"):
        return NEVER, status
    if not subscription.begun:
        return NEVER, "processing"
    if subscription.given_up:
        return grace_until(subscription, plan), "unpaid"
    until = period_end + DELIVERY_SLACK
    if subscription.ends_at is not None:
        # An end beyond this period is not paid for yet: the subscription renews at least once before it.
        return min(until, subscription.ends_at), "canceling"
    return until, status


def _paid_period(subscription: Subscription, source: Subscription | Item) -> tuple[int, int] | None:
    """The provider moves the period before it is paid: until then no allowance of the new period begins."""
    if subscription.status not in ("trialing", "active") or not subscription.begun or subscription.given_up:
        return None
    return source.current_period_start, source.current_period_end


def unpaid_since(subscription: Subscription) -> int:
    """When the unpaid time begins: see the table above. Not the period's start: Stripe has moved the period already,
    and moves it on while it waits for the money."""
    owed = [invoice.start for invoice in subscription.owed if invoice.start is not None]
    if owed:
        return min(owed)
    started = subscription.current_period_start
    waived = (invoice.end for invoice in subscription.unpaid.values() if invoice.forgiven)
    settled = [*(p.period_end for p in subscription.payments.values()), subscription.trial_end, *waived]
    return min(started, max((end for end in settled if end is not None), default=started))


def grace_until(subscription: Subscription, plan: Plan | None) -> int:
    """Until when unpaid time stays open: the plan's days of grace, counted from its beginning."""
    until = unpaid_since(subscription) + (plan.grace_days if plan else 0) * DAY
    return until if subscription.ends_at is None else min(until, subscription.ends_at)


def _of_purchase(purchase: Purchase, plan: Plan | None) -> Window:
    start = _since(purchase)
    until: int | None = start
    if plan is not None and _counts(purchase, plan):
        until = None if plan.duration_days is None else start + plan.duration_days * DAY
    return Window(
        kind="purchase", record_id=purchase.purchase_id, plan=plan, start=start, until=until, reason=_why(purchase)
    )


def _of_terms(account: Account, catalogue: Catalogue, runs: Mapping[str, Run]) -> Iterator[Window]:
    for term in account.terms:
        run = runs.get(term.purchase_id)
        start = run.start if run else _since(term)
        yield Window(
            kind="term",
            record_id=term.purchase_id,
            plan=catalogue.get(term.plan_id, term.plan_version),
            start=start,
            until=run.end if run else start,
            reason="replaced" if run and run.replaced else _why(term),
            period=(run.start, run.end) if run else None,
        )


def _of_grant(grant: Grant) -> Window:
    ends = [t for t in (grant.expires_at, grant.revoked_at) if t is not None]
    return Window(
        kind="grant",
        record_id=grant.grant_id,
        plan=None,
        start=grant.granted_at,
        until=min(ends) if ends else None,
        reason="granted" if grant.revoked_at is None else "revoked",
        features=grant.features,
    )


def _of_redemption(redemption: Redemption, catalogue: Catalogue, runs: Mapping[str, Run]) -> Iterator[Window]:
    """One window, or of a plan that recurs one for each interval that it gives."""
    plan = None
    if redemption.plan_id is not None:
        plan = catalogue.get(redemption.plan_id, redemption.plan_version)
    start = redemption.redeemed_at
    whole = Window(
        kind="voucher",
        record_id=redemption.redemption_id,
        plan=plan,
        start=start,
        until=start,
        reason=redemption.closed or "redeemed",
        features=redemption.features if redemption.plan_id is None else None,
    )
    if redemption.closed is not None or (plan is None and redemption.plan_id is not None):
        yield whole
    elif plan is not None and plan.recurring:
        for run in filter(None, (runs.get(term.purchase_id) for term in redemption.terms)):
            reason = "replaced" if run.replaced else "redeemed"
            yield replace(whole, start=run.start, until=run.end, reason=reason, period=(run.start, run.end))
    else:
        lasts = plan.duration_days if plan else None
        yield replace(whole, until=None if lasts is None else start + lasts * DAY)


def _terms_with_plans(account: Account, catalogue: Catalogue) -> Iterator[tuple[Term, Plan]]:
    for term in (*account.terms, *(term for redemption in account.redemptions for term in redemption.terms)):
        plan = catalogue.get(term.plan_id, term.plan_version)
        if plan is not None and plan.recurring:
            yield term, plan


def _counts(purchase: Purchase, plan: Plan) -> bool:
    """Whether a payment gives anything: paid and neither returned nor disputed, or trusted before confirmation."""
    if purchase.paid:
        payment = purchase.payment
        return payment is None or not (payment.fully_refunded or payment.suspended)
    return plan.optimistic and purchase.state == "processing"


def _why(purchase: Purchase) -> str:
    """The purchase's status; a part returned changes nothing, so it still reads as paid."""
    return "paid" if purchase.status == "partially_refunded" else purchase.status


def _since(purchase: Purchase) -> int:
    return purchase.payment.paid_at if purchase.payment else purchase.created_at
