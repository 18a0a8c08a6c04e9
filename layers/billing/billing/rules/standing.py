"""How each thing a buyer has stands at a moment: until when it gives access, since when it does not and why, what
comes next, and what its buyer can do. Every date a page shows is decided here.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from billing.data import dataclass, replace
from billing.rules.access import Window, grace_until, windows
from billing.rules.entitlements import Entitlement, evaluate, free_source, sources
from billing.rules.plans import Catalogue, Plan
from billing.rules.quotes import change_block
from billing.rules.records import Account, Payment, Purchase, Redemption, Subscription, Term

EndReason = Literal[
    "canceled", "unpaid", "expired", "refunded", "disputed", "replaced", "paused", "unconfirmed", "revoked"
]
NextKind = Literal[
    "renews", "first_charge", "ends", "changes", "moves", "retries", "due", "arrives", "awaited", "paused", "none"
]
Action = Literal["change", "cancel", "resume", "keep", "fix_payment", "payment_method", "resubscribe", "renew"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`access_until`: an end that is in sight; None while it renews, is for good, or gives nothing. `ended_at`: since
    when it gives nothing; None while it gives something, or if it never did."""

    open: bool
    access_until: int | None = None
    ended_at: int | None = None
    reason: EndReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What happens to a subscription next, when, and what is charged then."""

    kind: NextKind
    at: int | None = None
    amount_cents: int | None = None
    plan: Plan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IfCanceled:
    """What cancelling means: access until then, what is no longer collected, and how each feature changes.

    `features`: (feature, what it is now, what is left of it; None: nothing).
    """

    access_until: int
    waived_cents: int
    features: tuple[tuple[str, Entitlement, Entitlement | None], ...]


def standings(account: Account, catalogue: Catalogue, now: int) -> dict[tuple[str, str], Standing]:
    """By kind and id of the window, as `access.windows` names them."""
    by_id: dict[tuple[str, str], list[Window]] = {}
    for window in windows(account, catalogue):
        by_id.setdefault((window.kind, window.record_id), []).append(window)
    by_record: dict[tuple[str, str], Standing] = {}
    for subscription in account.subscriptions:
        key = ("subscription", subscription.subscription_id)
        plan = catalogue.get(subscription.plan_id, subscription.plan_version)
        by_record[key] = _of_subscription(subscription, plan, by_id[key], now)
    for purchase in [*account.purchases, *account.terms]:
        key = ("term" if isinstance(purchase, Term) else "purchase", purchase.purchase_id)
        by_record[key] = _of_purchase(purchase, by_id[key][0], now)
    for redemption in account.redemptions:
        key = ("voucher", redemption.redemption_id)
        by_record[key] = _of_redemption(redemption, by_id.get(key, []), now)
    return by_record


def plan_until(account: Account, catalogue: Catalogue, plan: Plan | None, now: int) -> int | None:
    """How far the plan in force reaches, over terms that follow each other; None while it renews or has no end."""
    mine = [w for w in windows(account, catalogue) if w.plan and plan and w.plan.plan_id == plan.plan_id]
    renewing = {s.subscription_id for s in account.subscriptions if _renews(s)}
    endless = ("trialing", "active", "canceling")
    going_on = [w for w in mine if w.record_id in renewing and w.reason in endless and w.open_at(now)]
    until = None if going_on else _reach(mine, now)
    return until if until is not None and until > now else None


def recurring_price(subscription: Subscription, plan: Plan | None) -> int | None:
    """What its first plan costs each time in the currency charged, less the discounts that stay."""
    if subscription.recurring_cents is not None:
        return subscription.recurring_cents
    return plan.price_cents * subscription.quantity if plan else None


def next_of(subscription: Subscription, plan: Plan | None, catalogue: Catalogue, standing: Standing, now: int) -> Next:
    planned = _planned(subscription, plan, catalogue, standing)
    if planned.at is None or planned.at >= now:
        return planned
    if planned.kind == "ends":
        return Next(kind="none")
    # Its time has passed, and no event has said yet what happened.
    if planned.kind == "retries":
        return Next(kind="due", amount_cents=planned.amount_cents)
    return replace(planned, kind="awaited")


def _planned(subscription: Subscription, plan: Plan | None, catalogue: Catalogue, standing: Standing) -> Next:
    price = recurring_price(subscription, plan)
    period_end = subscription.current_period_end
    if subscription.status in ("canceled", "incomplete_expired"):
        return Next(kind="none")
    if subscription.ends_at is not None and subscription.ends_at <= period_end:
        return Next(kind="ends", at=standing.access_until or standing.ended_at)
    if subscription.status == "paused":
        return Next(kind="paused")
    if owes(subscription):
        attempt = subscription.dunning.next_attempt_at if subscription.dunning else None
        # After a cancellation nothing more is collected, whatever was planned.
        if attempt is not None and subscription.ends_at is None:
            return Next(kind="retries", at=attempt, amount_cents=price)
        return Next(kind="due", amount_cents=price)
    if not subscription.begun:
        return Next(kind="arrives", amount_cents=price)
    if subscription.scheduled_plan_id is not None:
        coming = catalogue.get(subscription.scheduled_plan_id, subscription.scheduled_plan_version)
        kind: NextKind = "moves" if subscription.scheduled_plan_id == subscription.plan_id else "changes"
        amount = coming.price_cents * subscription.quantity if coming else None
        return Next(kind=kind, at=period_end, amount_cents=amount, plan=coming)
    if subscription.status == "trialing":
        return Next(kind="first_charge", at=subscription.trial_end or period_end, amount_cents=price)
    return Next(kind="renews", at=period_end, amount_cents=price)


def actions_of(subscription: Subscription) -> list[Action]:
    """What its buyer can do that would not be refused."""
    status = subscription.status
    if status in ("canceled", "incomplete_expired"):
        return ["resubscribe"]
    if status == "paused":
        return ["resume", "cancel"]
    if owes(subscription):
        return ["fix_payment", "cancel"] if subscription.ends_at is None else []
    if not subscription.begun:
        return ["cancel"]
    blocked = change_block(subscription)
    if blocked == "cancellation_scheduled":
        return ["resume", "payment_method"]
    if subscription.scheduled_plan_id not in (None, subscription.plan_id):
        return ["keep", "cancel", "payment_method"]
    return ["cancel", "payment_method"] if blocked else ["change", "cancel", "payment_method"]


def owes(subscription: Subscription) -> bool:
    """Whether an invoice is open that needs its buyer."""
    return subscription.status in ("past_due", "unpaid", "incomplete") or (
        subscription.status in ("trialing", "active") and subscription.given_up
    )


def if_canceled(
    account: Account, catalogue: Catalogue, subscription: Subscription, now: int, *, at_once: bool = False
) -> IfCanceled:
    """What is lost is what no other source gives from then on: at its end, or with `at_once` now."""
    plan = catalogue.get(subscription.plan_id, subscription.plan_version)
    until, waived = now, 0
    if at_once:
        pass
    elif subscription.status == "past_due" or owes(subscription):
        until = max(
            now, standings(account, catalogue, now)["subscription", subscription.subscription_id].access_until or 0
        )
    elif subscription.status in ("trialing", "active"):
        until = subscription.current_period_end
    if owes(subscription) and plan is not None:
        waived = recurring_price(subscription, plan) or 0
    free = catalogue.free()
    everything = [*sources(account, catalogue), *([free_source(free)] if free else [])]
    others = [s for s in everything if (s.kind, s.id) != ("subscription", subscription.subscription_id)]
    today, then = evaluate(everything, now), evaluate(others, until)
    changed = [
        (key, have, then.get(key)) for key, have in today.items() if key not in then or have.worth != then[key].worth
    ]
    return IfCanceled(access_until=until, waived_cents=waived, features=tuple(changed))


def _of_subscription(subscription: Subscription, plan: Plan | None, spans: Sequence[Window], now: int) -> Standing:
    """`spans`: the windows of one subscription, the one by its status first."""
    by_status = spans[0]
    if any(w.open_at(now) for w in spans):
        goes_on = by_status.reason in ("trialing", "active") or (
            by_status.reason == "canceling" and _renews(subscription)
        )
        return Standing(open=True, access_until=None if goes_on else _reach(spans, now))
    if by_status.reason == "disputed":
        return _ended(_disputed_at(subscription.payments.values(), by_status.until or now), "disputed", now)
    if subscription.status in ("unpaid", "paused"):
        # These give nothing; what they gave ended with the grace, or when the status was first seen.
        ended = min(grace_until(subscription, plan), subscription.observed_at)
        return _ended(ended, "unpaid" if subscription.status == "unpaid" else "paused", now)
    # What was tried or paid for has ended, even if it did in the second in which it began.
    ends = [w.until for w in spans if w.until is not None and (w.until > w.start or subscription.begun)]
    if not ends:
        return Standing(open=False)
    return _ended(max(ends), _reason(subscription, by_status), now)


def _reason(subscription: Subscription, window: Window) -> EndReason:
    if window.reason in ("past_due", "unpaid") or subscription.cancel_reason == "payment_failed":
        return "unpaid"
    if window.reason in ("trialing", "active"):
        return "unconfirmed"
    return "disputed" if subscription.cancel_reason == "payment_disputed" else "canceled"


def _reach(spans: Iterable[Window], now: int) -> int | None:
    """How far access reaches from now over windows that follow each other; None is for good."""
    until = now
    for window in sorted(spans, key=lambda w: w.start):
        if window.start > until or (window.until is not None and window.until <= until):
            continue
        if window.until is None:
            return None
        until = window.until
    return until


def _renews(subscription: Subscription) -> bool:
    return subscription.ends_at is None or subscription.ends_at > subscription.current_period_end


def _of_purchase(purchase: Purchase, window: Window, now: int) -> Standing:
    if window.open_at(now):
        return Standing(open=True, access_until=window.until)
    if window.start > now:
        return Standing(open=False, access_until=window.until)
    if window.reason == "replaced" and window.until is not None:
        return _ended(window.until, "replaced", now)  # perhaps before it began
    if window.until is not None and window.until > window.start:
        return _ended(window.until, "expired", now)
    payment = purchase.payment
    if payment is not None and purchase.paid and payment.suspended:
        return _ended(_disputed_at([payment], window.start), "disputed", now)
    if payment is not None and purchase.paid and payment.fully_refunded:
        return _ended(payment.closed_at or now, "refunded", now)
    return Standing(open=False)


def _of_redemption(redemption: Redemption, spans: Sequence[Window], now: int) -> Standing:
    """`spans`: its windows, one after the other."""
    if redemption.closed is not None:
        reason: EndReason = "unconfirmed"
        if redemption.closed in ("revoked", "refunded", "disputed"):
            reason = redemption.closed  # type: ignore[assignment]
        return _ended(redemption.closed_at or now, reason, now)
    if any(w.open_at(now) for w in spans):
        return Standing(open=True, access_until=_reach(spans, now))
    ends = [w.until for w in spans if w.until is not None and (w.until > w.start or w.reason == "replaced")]
    if not ends:
        return Standing(open=False)
    if max(ends) > now:
        return Standing(open=False, access_until=max(ends))
    return _ended(max(ends), "replaced" if all(w.reason == "replaced" for w in spans) else "expired", now)


def _ended(at: int, reason: EndReason, now: int) -> Standing:
    return Standing(open=False, ended_at=min(at, now), reason=reason)


def _disputed_at(payments: Iterable[Payment], began: int) -> int:
    """When a chargeback closed what the payment bought, but not before that had begun."""
    seen = [d.taken_at for p in payments if p.suspended for d in p.disputes.values() if d.status in ("open", "lost")]
    return max(began, min(seen, default=began))
