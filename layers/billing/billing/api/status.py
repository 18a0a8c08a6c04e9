"""The buyer's status and quotes, in the shapes of `billing.api.answers`."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from billing.api.views import plan_in_force, renewal, value
from billing.providers import PREPAID, PROVIDERS, sellers
from billing.rules.access import term_runs, windows
from billing.rules.invoice_states import state_of
from billing.rules.plans import Catalogue, Plan
from billing.rules.quotes import Quote, change_block, included_in, live_subscription, move_to, obstacle, quote
from billing.rules.records import (
    Account,
    Checkout,
    Grant,
    Mandate,
    Purchase,
    Redemption,
    Subscription,
    Term,
)
from billing.rules.standing import (
    IfCanceled,
    Next,
    Standing,
    actions_of,
    if_canceled,
    next_of,
    owes,
    plan_until,
    standings,
)
from billing.rules.times import DAY, rfc3339
from billing.rules.vouchers import GIFT_GROUP

if TYPE_CHECKING:
    from billing.rules.ends import Ahead

View = dict[str, Any]
# The first of the default reminder days (RENEWAL_REMINDER_DAYS).
NOTICE_DAYS = 7
_Dated = TypeVar("_Dated", Subscription, Purchase, Term)


def subscription_status(account: Account, catalogue: Catalogue, now: int, notice_days: int = NOTICE_DAYS) -> View:
    """Everything the account page shows. `notice_days`: how many days before an end it is announced."""
    from billing.rules.ends import ahead  # not needed for the price list, which imports this module

    plan = plan_in_force(account, catalogue, now)
    checkout = next((c for c in account.checkouts if _unfinished(account, c, now)), None)
    stand = standings(account, catalogue, now)
    runs = {run.term.purchase_id: run for run in term_runs(account, catalogue)}
    return {
        "user_id": account.user_id,
        "server_time": rfc3339(now),
        "plan_id": plan.plan_id if plan else "",
        "plan_name": plan.name if plan else "",
        "access_until": rfc3339(plan_until(account, catalogue, plan, now)),
        "ended": _last_ended(account, catalogue, stand, plan),
        "subscriptions": [
            _subscription(s, account, catalogue, stand["subscription", s.subscription_id], now)
            for s in _newest_first(account.subscriptions)
        ],
        "terms": [
            {
                **_bought(term, catalogue, stand["term", term.purchase_id], now),
                "starts_at": rfc3339(runs[term.purchase_id].start if term.purchase_id in runs else None),
                "ends_at": rfc3339(runs[term.purchase_id].end if term.purchase_id in runs else None),
            }
            for term in _newest_first(account.terms)
            if not _for_a_wallet_alone(term)
        ],
        "purchases": [
            _bought(purchase, catalogue, stand["purchase", purchase.purchase_id], now)
            for purchase in _newest_first(account.purchases)
        ],
        "vouchers": [
            voucher_view(redemption, account, catalogue, now)
            for redemption in sorted(account.redemptions, key=lambda r: (r.redeemed_at, r.record), reverse=True)
        ],
        "checkout": checkout and _checkout(checkout, catalogue),
        "holds": _holds(account, now),
        # Terms without a run, such as refunded or disputed ones, have no renewal.
        "renewals": [
            renewal(r, account.mandate_in(r.group))
            for r in account.renewals
            if r.ends_at > now and r.purchase_id in runs
        ],
        "wallets": [mandate.group for mandate in account.mandates if not mandate.removed],
        "ends": [
            _end(end, end.ends_at, notice_days)
            for end in ahead(account, catalogue, now, stand)
            if end.ends_at is not None
        ],
    }


def _end(end: "Ahead", ends_at: int, notice_days: int) -> View:
    """`id` changes with the end's time and with the buyer's `act`. A page stores the ids of dismissed notices; they are
    hashes, so they reveal nothing."""
    digest = hashlib.sha256(f"{end.key}|{ends_at}|{end.act}".encode()).hexdigest()
    return {
        "id": digest[:24],
        "kind": end.kind,
        **_named(end.plan, end.plan_id),
        "ends_at": rfc3339(ends_at),
        "notice_from": rfc3339(ends_at - notice_days * DAY),
        "act": end.act,
        "due_at": rfc3339(end.due_at),
        "amount_cents": end.amount_cents,
        "currency": end.currency,
        "group": end.group,
    }


def quotes(account: Account, catalogue: Catalogue, offered: Sequence[str], now: int) -> list[View]:
    """The terms of each plan on sale for this buyer."""
    in_force = plan_in_force(account, catalogue, now) if account.user_id else None
    return [_quote(account, catalogue, plan, in_force, offered, now) for plan in catalogue.on_sale()]


def _quote(
    account: Account,
    catalogue: Catalogue,
    plan: Plan,
    in_force: Plan | None,
    offered: Sequence[str],
    now: int,
) -> View:
    move = move_to(account, catalogue, plan, in_force)
    subscription = live_subscription(account, catalogue, plan.group)
    changes = move in ("upgrade", "downgrade", "switch")
    included = included_in(account, catalogue, plan, now) if move == "buy" else None
    providers = [] if plan.free else sellers(plan, offered)
    blocked = change_block(subscription) if changes and subscription else None
    if changes and subscription and subscription.scheduled_plan_id == plan.plan_id:
        blocked = blocked or "change_scheduled"
    rails = [
        quote(account, catalogue, plan, name, now, prepaid=name in PREPAID)
        for name in providers
        if obstacle(account, catalogue, plan, prepaid=name in PREPAID) is None
    ]
    return {
        "plan_id": plan.plan_id,
        "version": plan.version,
        "move": move,
        "blocked": blocked,
        "included_in": included.name if included else None,
        "rails": [_rail(rail) for rail in rails],
    }


def _rail(quoted: Quote) -> View:
    beside = quoted.overlap
    return {
        "quote_id": quoted.quote_id,
        "provider": quoted.provider,
        "rail": PROVIDERS[quoted.provider].rail,
        "renews": quoted.renews,
        "price_cents": quoted.plan.price_cents,
        "due_now_cents": quoted.due_now_cents,
        "currency": quoted.plan.currency,
        "trial_days": quoted.trial_days,
        "first_charge_at": rfc3339(quoted.first_charge_at),
        "starts_at": rfc3339(quoted.starts_at),
        "waits": quoted.waits,
        "access_until": rfc3339(quoted.access_until),
        "overlap": beside
        and {
            "kind": beside.kind,
            **_named(beside.plan, beside.plan.plan_id),
            "price_cents": beside.plan.price_cents,
            "currency": beside.plan.currency,
            "ends_at": rfc3339(beside.ends_at),
            "renews": beside.renews,
        },
    }


def _subscription(
    subscription: Subscription, account: Account, catalogue: Catalogue, standing: Standing, now: int
) -> View:
    plan = catalogue.get(subscription.plan_id, subscription.plan_version)
    scheduled = None
    if subscription.scheduled_plan_id is not None:
        scheduled = catalogue.get(subscription.scheduled_plan_id, subscription.scheduled_plan_version)
    actions = actions_of(subscription)
    following = next_of(subscription, plan, catalogue, standing, now)
    charged = subscription.currency or (plan.currency if plan else "USD")
    renews = following.kind in ("renews", "first_charge", "changes", "moves", "retries", "due")
    return {
        "provider": subscription.provider,
        "subscription_id": subscription.subscription_id,
        **_named(plan, subscription.plan_id),
        "price_cents": plan.price_cents if plan else 0,
        "currency": plan.currency if plan else "USD",
        "status": subscription.status,
        **_standing(standing),
        "current_period_end": rfc3339(subscription.current_period_end),
        "next_billing_at": rfc3339(subscription.current_period_end if renews else None),
        "trial_end": rfc3339(subscription.trial_end),
        "cancel_at": rfc3339(subscription.ends_at),
        "scheduled_plan_id": subscription.scheduled_plan_id,
        "scheduled_price_cents": scheduled.price_cents if scheduled else None,
        "payment_problem": _payment_problem(subscription, standing),
        "next": _next(following, plan, charged),
        "if_canceled": _if_canceled(if_canceled(account, catalogue, subscription, now), charged)
        if "cancel" in actions
        else None,
        "actions": actions,
    }


def _next(following: Next, plan: Plan | None, currency: str) -> View:
    return {
        "kind": following.kind,
        "at": rfc3339(following.at),
        "amount_cents": following.amount_cents,
        "currency": following.plan.currency if following.plan else currency,
        **_named(following.plan or plan, ""),
    }


def canceled_view(effect: IfCanceled, subscription: Subscription, catalogue: Catalogue) -> View:
    plan = catalogue.get(subscription.plan_id, subscription.plan_version)
    return _if_canceled(effect, subscription.currency or (plan.currency if plan else "USD"))


def _if_canceled(effect: IfCanceled, currency: str) -> View:
    return {
        "access_until": rfc3339(effect.access_until),
        "waived_cents": effect.waived_cents,
        "currency": currency,
        "features": [
            {
                "feature": feature,
                "before": value(before),
                "after": value(after) if after else None,
            }
            for feature, before, after in effect.features
        ],
    }


def _payment_problem(subscription: Subscription, standing: Standing) -> View | None:
    if not owes(subscription):
        return None
    dunning = subscription.dunning
    collected = subscription.ends_at is None
    return {
        "since": rfc3339(dunning.observed_at if dunning else subscription.current_period_start),
        "attempt_count": dunning.attempt_count if dunning else 0,
        "next_attempt_at": rfc3339(dunning.next_attempt_at if dunning and collected else None),
        "action_required": dunning.action_required if dunning else False,
        "access_until": rfc3339(standing.access_until),
    }


def _bought(purchase: Purchase, catalogue: Catalogue, standing: Standing, now: int) -> View:
    plan = catalogue.get(purchase.plan_id, purchase.plan_version)
    return {
        "provider": purchase.provider,
        "purchase_id": purchase.purchase_id,
        **_named(plan, purchase.plan_id),
        "status": purchase.status,
        **_standing(standing),
        "amount_cents": purchase.amount_cents,
        "currency": purchase.currency,
        "refunded_cents": purchase.payment.refunded_cents if purchase.payment else 0,
        "due_cents": purchase.due_cents,
        "surplus_cents": purchase.surplus_cents,
        "received_cents": purchase.received_cents or 0,
        "waits_for_a_person": purchase.undecided,
        "refund_waits_for": _refund_waits_for(purchase),
        "created_at": rfc3339(purchase.created_at),
        "payable_until": rfc3339(purchase.expires_at),
        "invoice": invoice_state(purchase, now),
    }


def voucher_view(redemption: Redemption, account: Account, catalogue: Catalogue, now: int) -> View:
    """A redeemed voucher: a plan for a time, or credits of a feature."""
    plan = catalogue.get(redemption.plan_id, redemption.plan_version) if redemption.plan_id else None
    own = [w for w in windows(account, catalogue) if (w.kind, w.record_id) == ("voucher", redemption.redemption_id)]
    ends = [w.until for w in own]
    return {
        "redemption_id": redemption.redemption_id,
        "plan_id": redemption.plan_id,
        "plan_name": plan.name if plan else None,
        "interval": plan.interval if plan else "once",
        "intervals": redemption.intervals,
        "features": dict(redemption.features),
        **_standing(standings(account, catalogue, now)["voucher", redemption.redemption_id]),
        "redeemed_at": rfc3339(redemption.redeemed_at),
        "starts_at": rfc3339(min((w.start for w in own), default=redemption.redeemed_at)),
        "ends_at": rfc3339(None if None in ends else max((end for end in ends if end is not None), default=None)),
    }


def invoice_state(purchase: Purchase, now: int) -> View | None:
    state = state_of(purchase, now)
    if state is None:
        return None
    return {
        "state": state.state,
        "payable": state.payable,
        "watched": state.watched,
        "again": state.again,
        "received_cents": purchase.received_cents or 0,
    }


def _refund_waits_for(purchase: Purchase) -> str | None:
    """Who has to act next on a pending bitcoin refund."""
    refunds = purchase.payment.refunds.values() if purchase.payment else ()
    return next((refund.waits_for for refund in refunds if refund.status == "pending" and refund.waits_for), None)


def _last_ended(
    account: Account, catalogue: Catalogue, stand: dict[tuple[str, str], Standing], in_force: Plan | None
) -> View | None:
    """The recurring plan that ended last, if the buyer has none now."""
    if in_force is not None and not in_force.free:
        return None
    ended = [
        (standing.ended_at, kind, record)
        for kind, records in (("subscription", account.subscriptions), ("term", account.terms))
        for record in records
        if (standing := stand[kind, _id(record)]).ended_at is not None and standing.reason != "replaced"
    ]
    if not ended:
        return None
    ended_at, kind, record = max(ended, key=lambda entry: (entry[0], entry[1]))
    plan = catalogue.get(record.plan_id, record.plan_version)
    return {
        "kind": kind,
        **_named(plan, record.plan_id),
        "ended_at": rfc3339(ended_at),
        "reason": stand[kind, _id(record)].reason,
        "renewable": plan.group
        if plan and kind == "term" and any(r.group == plan.group for r in account.renewals)
        else None,
    }


def _unfinished(account: Account, checkout: Checkout, now: int) -> bool:
    """Whether a checkout waits for payment. Once a payment is under way, the purchase is shown instead."""
    if checkout.status != "open" or not checkout.url or checkout.expires_at <= now:
        return False
    if checkout.group == GIFT_GROUP or checkout.by_wallet:
        return False
    purchases = [p for p in [*account.purchases, *account.terms] if p.purchase_id == checkout.session_id]
    return all(p.state == "pending" for p in purchases)


def _holds(account: Account, now: int) -> bool:
    """Whether the account has anything of value: a purchase (also a gift), grant, voucher, wallet or open checkout."""
    valuable = (Subscription, Purchase, Redemption, Grant, Mandate)
    begun = (c.status == "open" and c.expires_at > now for c in account.checkouts)
    return any(isinstance(record, valuable) for record in account.records.values()) or any(begun)


def _for_a_wallet_alone(term: Term) -> bool:
    """Whether it is an unpaid invoice for a wallet to pay, which the buyer need not see."""
    return term.by_wallet and not term.paid and not term.received_cents


def _id(record: Subscription | Purchase) -> str:
    return record.subscription_id if isinstance(record, Subscription) else record.purchase_id


def _checkout(checkout: Checkout, catalogue: Catalogue) -> View:
    plan = catalogue.get(checkout.plan_id, checkout.plan_version)
    return {
        "checkout_id": checkout.checkout_id,
        "provider": checkout.provider,
        "url": checkout.url,
        **_named(plan, checkout.plan_id),
        "amount_cents": checkout.amount_cents,
        "currency": checkout.currency,
        "expires_at": rfc3339(checkout.expires_at),
    }


def _named(plan: Plan | None, plan_id: str) -> View:
    return {
        "plan_id": plan.plan_id if plan else plan_id,
        "plan_name": plan.name if plan else plan_id,
        "interval": plan.interval if plan else "month",
    }


def _standing(standing: Standing) -> View:
    return {
        "open": standing.open,
        "access_until": rfc3339(standing.access_until),
        "ended_at": rfc3339(standing.ended_at),
        "end_reason": standing.reason,
    }


def _newest_first(records: Iterable[_Dated]) -> list[_Dated]:
    return sorted(records, key=lambda r: r.created_at, reverse=True)
