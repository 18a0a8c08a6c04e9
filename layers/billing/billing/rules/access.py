"""Who has access: the policy, in one place. Every question of access anywhere in the product ends here.

Each record becomes a window [start, until) in which it gives the features of its plan; no clock is read. `until`
None is for good. A window that never opens has until == start. The reason is a stable word shown to people and kept
in the snapshot.

| record                                   | until                                            | reason             |
|------------------------------------------|--------------------------------------------------|--------------------|
| subscription trialing, active            | period end + DELIVERY_SLACK                      | trialing, active   |
| … with a cancellation scheduled          | that instant, if it comes first                  | canceling          |
| subscription past_due                    | start of what is unpaid + the plan's grace       | past_due           |
| subscription canceled                    | when it ended                                    | canceled           |
| unpaid, paused, incomplete…, unknown     | never opens                                      | the status         |
| … payment of the current period disputed | start of what that payment bought                | disputed           |
| purchase paid                            | paid + duration, or for good                     | paid               |
| purchase refunded whole / disputed       | never opens                                      | refunded, disputed |
| purchase seen, unconfirmed               | never opens, unless the plan is optimistic       | processing         |
| purchase underpaid, paid late            | never opens, until a person accepts it           | underpaid, …       |
| term                                     | as purchase, for its run in the chain            | paid               |
| … ended early by a plan of higher rank   | when that one was paid                           | replaced           |
| grant                                    | its expiry or revocation                         | granted, revoked   |
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from billing.rules.plans import Catalogue, Plan
from billing.rules.records import Account, Grant, Purchase, Subscription, Term
from billing.rules.terms import Run, chain
from billing.rules.times import DAY

# A renewal is known to us only when its event arrives: this long after the period's end access stays open.
DELIVERY_SLACK = 12 * 3600

SourceKind = Literal["subscription", "purchase", "term", "grant", "plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When one record gives access. `record_id` is the provider's id, or the id of a grant.

    `period` is the paid billing period by which allowances are counted; None for what has none, or has not paid.
    """

    kind: SourceKind
    record_id: str
    plan: Plan | None
    start: int
    until: int | None
    reason: str
    grant: Grant | None = None
    period: tuple[int, int] | None = None

    def open_at(self, now: int) -> bool:
        return self.start <= now and (self.until is None or now < self.until)


def windows(account: Account, catalogue: Catalogue) -> list[Window]:
    """The windows of every record, open or not, in a stable order."""
    found = [_of_subscription(s, catalogue.get(s.plan_id, s.plan_version)) for s in account.subscriptions]
    found += [_of_purchase(p, catalogue.get(p.plan_id, p.plan_version)) for p in account.purchases]
    found += _of_terms(account, catalogue)
    found += [_of_grant(g) for g in account.grants]
    return sorted(found, key=lambda w: (w.kind, w.record_id))


def term_runs(account: Account, catalogue: Catalogue) -> list[Run]:
    """The terms that count, laid end to end."""
    return chain((term, plan) for term, plan in _terms_with_plans(account, catalogue) if _counts(term, plan))


def _of_subscription(subscription: Subscription, plan: Plan | None) -> Window:
    start, until, reason = _subscription_window(subscription, plan)
    for payment in subscription.payments.values():
        began = payment.period_start if payment.period_start is not None else payment.paid_at
        ended = payment.period_end if payment.period_end is not None else subscription.current_period_end
        if payment.suspended and ended > subscription.current_period_start and until > began:
            until, reason = max(start, began), "disputed"
    return Window(
        kind="subscription",
        record_id=subscription.subscription_id,
        plan=plan,
        start=start,
        until=until,
        reason=reason,
        period=_paid_period(subscription),
    )


def _paid_period(subscription: Subscription) -> tuple[int, int] | None:
    """While a payment is open the provider has moved the period already: its allowance is not begun unpaid."""
    if subscription.status not in ("trialing", "active"):
        return None
    return subscription.current_period_start, subscription.current_period_end


def _subscription_window(subscription: Subscription, plan: Plan | None) -> tuple[int, int, str]:
    # From the creation, not the period: an upgrade, or a period rolled early, opens no gap behind us.
    start = min(subscription.created_at, subscription.current_period_start)
    status = subscription.status
    if status in ("trialing", "active"):
        until = subscription.current_period_end + DELIVERY_SLACK
        if subscription.ends_at is not None:
            # An instant beyond the period is not paid for yet: it renews once more, or more often, before that.
            return start, max(start, min(until, subscription.ends_at)), "canceling"
        return start, until, status
    if status == "past_due":
        return start, max(start, grace_until(subscription, plan)), "past_due"
    if status == "canceled":
        ended = subscription.ended_at or subscription.canceled_at or subscription.observed_at
        return start, max(start, ended), "canceled"
    return start, start, status


def grace_until(subscription: Subscription, plan: Plan | None) -> int:
    """Until when a subscription that is past due gives access: its plan's grace counts from where it is unpaid.

    Stripe has moved the period already, and moves it on while it waits for the money. So what is unpaid begins where
    the last period that was paid for, or tried for nothing, ended; where none is known, with the current one.
    """
    started = subscription.current_period_start
    settled = [*(p.period_end for p in subscription.payments.values()), subscription.trial_end]
    unpaid_since = min(started, max((end for end in settled if end is not None), default=started))
    until = unpaid_since + (plan.grace_days if plan else 0) * DAY
    return until if subscription.ends_at is None else min(until, subscription.ends_at)


def _of_purchase(purchase: Purchase, plan: Plan | None) -> Window:
    start = _since(purchase)
    until: int | None = start
    if plan is not None and _counts(purchase, plan):
        until = None if plan.duration_days is None else start + plan.duration_days * DAY
    return Window(
        kind="purchase", record_id=purchase.purchase_id, plan=plan, start=start, until=until, reason=_why(purchase)
    )


def _of_terms(account: Account, catalogue: Catalogue) -> Iterator[Window]:
    runs = {run.term.purchase_id: run for run in term_runs(account, catalogue)}
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
        grant=grant,
    )


def _terms_with_plans(account: Account, catalogue: Catalogue) -> Iterator[tuple[Term, Plan]]:
    for term in account.terms:
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
