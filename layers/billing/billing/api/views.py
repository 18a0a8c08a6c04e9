"""What the API shows of an account: plain dicts in the shapes of `billing.api.responses`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from billing.providers import PROVIDERS, sellers
from billing.rules.access import grace_until, term_runs, windows
from billing.rules.allowances import Held
from billing.rules.entitlements import Source
from billing.rules.plans import FEATURES, Allowance, Catalogue, Credits, FeatureValue, Plan, features_to_json
from billing.rules.records import Account, Purchase, Renewal, Subscription, Term
from billing.rules.times import rfc3339

if TYPE_CHECKING:
    from billing.store.moves import Move

View = dict[str, Any]
_Dated = TypeVar("_Dated", Subscription, Purchase, Term)
_DUNNED = frozenset({"past_due", "unpaid", "incomplete"})


def plan_list(catalogue: Catalogue, offered: Sequence[str]) -> View:
    """The public catalogue: what is for sale now, the lowest rank and price first."""
    on_sale = [p for p in catalogue.newest() if p.status == "active"]
    on_sale.sort(key=lambda p: (p.rank, p.price_cents, p.plan_id))
    features = [{"feature": key, **info} for key, info in FEATURES.items()]
    return {
        "plans": [public_plan(p, offered) for p in on_sale],
        "features": features,
        "payment_providers": payment_providers(),
    }


def payment_providers() -> View:
    """How each provider takes money, also of those that are not on offer any more: receipts name them."""
    return {
        name: {"title": abilities.title, "rail": abilities.rail, "renews": abilities.renews}
        for name, abilities in PROVIDERS.items()
    }


def public_plan(plan: Plan, offered: Sequence[str]) -> View:
    return {
        "plan_id": plan.plan_id,
        "version": plan.version,
        "name": plan.name,
        "description": plan.description,
        "price_cents": plan.price_cents,
        "currency": plan.currency,
        "interval": plan.interval,
        "tier": plan.tier,
        "rank": plan.rank,
        "group": plan.group,
        "trial_days": plan.trial_days,
        "duration_days": plan.duration_days,
        "features": features_to_json(plan.features),
        "providers": [] if plan.free else sellers(plan, offered),
    }


def admin_plan(plan: Plan, offered: Sequence[str]) -> View:
    return {
        **public_plan(plan, offered),
        "status": plan.status,
        "grace_days": plan.grace_days,
        "optimistic": plan.optimistic,
        "provider_plan_ids": dict(plan.provider_plan_ids),
    }


def subscription_status(account: Account, catalogue: Catalogue, now: int) -> View:
    """Everything the account page shows, in one answer."""
    plan = plan_in_force(account, catalogue, now)
    checkout = next((c for c in account.checkouts if c.status == "open" and c.url and c.expires_at > now), None)
    runs = {run.term.purchase_id: run for run in term_runs(account, catalogue)}
    return {
        "user_id": account.user_id,
        "plan_id": plan.plan_id if plan else "",
        "plan_name": plan.name if plan else "",
        "subscriptions": [_subscription(s, catalogue, now) for s in _newest_first(account.subscriptions)],
        "terms": [
            {
                **_bought(term, catalogue),
                "starts_at": rfc3339(runs[term.purchase_id].start if term.purchase_id in runs else None),
                "ends_at": rfc3339(runs[term.purchase_id].end if term.purchase_id in runs else None),
                "due_cents": term.due_cents,
                "surplus_cents": term.surplus_cents,
            }
            for term in _newest_first(account.terms)
        ],
        "purchases": [
            {
                **_bought(purchase, catalogue),
                "refunded_cents": purchase.payment.refunded_cents if purchase.payment else 0,
                "due_cents": purchase.due_cents,
                "surplus_cents": purchase.surplus_cents,
                "created_at": rfc3339(purchase.created_at),
                "expires_at": rfc3339(_purchase_ends(account, purchase, catalogue)),
            }
            for purchase in _newest_first(account.purchases)
        ],
        "checkout": checkout
        and {
            "checkout_id": checkout.checkout_id,
            "provider": checkout.provider,
            "url": checkout.url,
            "expires_at": rfc3339(checkout.expires_at),
            "reused": True,
        },
        "renewals": [renewal(r) for r in account.renewals if r.ends_at > now],
    }


def renewal(end: Renewal) -> View:
    """The end of what is prepaid in a group of plans."""
    return {
        "group": end.group,
        "plan_id": end.plan_id,
        "provider": end.provider,
        "ends_at": rfc3339(end.ends_at),
        "reminders": end.wanted,
    }


def plan_in_force(account: Account, catalogue: Catalogue, now: int) -> Plan | None:
    """The highest-ranked recurring plan whose window is open; else the free plan."""
    live = [w.plan for w in windows(account, catalogue) if w.plan and w.plan.recurring and w.open_at(now)]
    return max(live, key=lambda p: p.rank, default=catalogue.free())


def plan_of_sources(known: Iterable[Source], catalogue: Catalogue, now: int) -> Plan | None:
    """As `plan_in_force`, from a snapshot."""
    plans = [catalogue.get(s.plan_id, s.plan_version) for s in known if s.plan_id and s.open_at(now)]
    live = [p for p in plans if p is not None and p.recurring]
    return max(live, key=lambda p: p.rank, default=catalogue.free())


def entitlement_list(user_id: str, plan_id: str, version: int, features: Iterable[Held]) -> View:
    """All that a user has; the signed token is added by whoever signs it."""
    return {
        "user_id": user_id,
        "plan_id": plan_id,
        "version": version,
        "entitlements": [entitlement(held) for held in features],
    }


def entitlement(held: Held) -> View:
    found = held.entitlement
    return {
        "feature": found.feature,
        "value": value(found.value, found.credits),
        "expires_at": rfc3339(found.expires_at),
        "sources": [source_view(s) for s in found.sources],
        "remaining": held.remaining,
        "resets_at": rfc3339(held.quota.resets_at) if held.quota else None,
    }


def plan_move(plan_id: str, newest: Plan | None, move: "Move | None", effects: Sequence[Mapping[str, Any]]) -> View:
    """A move of subscribers to a newer version. A subscription the provider is being asked about counts as moved."""
    shown = {
        "plan_id": plan_id,
        "to_version": newest.version if newest else 0,
        "status": "none",
        "percent": 100,
        "per_hour": 200,
        "notice_days": 14,
        "started_at": None,
        "started_by": None,
        **dict.fromkeys(("moved", "waiting", "refused", "undone", "kept"), 0),
        "effects": list(effects),
    }
    if move is not None:
        shown |= {name: getattr(move, name) for name in shown if hasattr(move, name)}
        shown |= {"started_at": rfc3339(move.started_at), "moved": move.moved + move.moving}
    return shown


def value(granted: FeatureValue, credits_: int = 0) -> bool | int | dict[str, Any]:
    """true, 5, or {"limit": 200, "per": "month"} with "credits" where some were bought."""
    if isinstance(granted, Allowance):
        return {"limit": granted.limit, "per": granted.per, **({"credits": credits_} if credits_ else {})}
    return {"credits": granted.amount} if isinstance(granted, Credits) else granted


def _subscription(subscription: Subscription, catalogue: Catalogue, now: int) -> View:
    plan = catalogue.get(subscription.plan_id, subscription.plan_version)
    coming = None
    if subscription.scheduled_plan_id is not None:
        coming = catalogue.get(subscription.scheduled_plan_id, subscription.scheduled_plan_version)
    ends_at = subscription.ends_at
    goes_on = ends_at is None or ends_at > subscription.current_period_end
    renews = subscription.status in ("trialing", "active", "past_due") and goes_on
    grace = grace_until(subscription, plan) if subscription.status == "past_due" and plan else None
    return {
        "provider": subscription.provider,
        "subscription_id": subscription.subscription_id,
        "plan_id": subscription.plan_id,
        "plan_name": plan.name if plan else subscription.plan_id,
        "price_cents": plan.price_cents if plan else 0,
        "currency": plan.currency if plan else "USD",
        "interval": plan.interval if plan else "month",
        "status": subscription.status,
        "current_period_end": rfc3339(subscription.current_period_end),
        "next_billing_at": rfc3339(subscription.current_period_end if renews else None),
        "trial_end": rfc3339(subscription.trial_end),
        "cancel_at": rfc3339(ends_at),
        "grace_until": rfc3339(grace),
        "scheduled_plan_id": subscription.scheduled_plan_id,
        "scheduled_price_cents": coming.price_cents if coming else None,
        "payment_problem": _payment_problem(subscription, grace),
        "action": _action(subscription, now),
    }


def _payment_problem(subscription: Subscription, access_until: int | None) -> View | None:
    if subscription.status not in _DUNNED:
        return None
    dunning = subscription.dunning
    return {
        "since": rfc3339(dunning.observed_at if dunning else subscription.current_period_start),
        "attempt_count": dunning.attempt_count if dunning else 0,
        "next_attempt_at": rfc3339(dunning.next_attempt_at if dunning else None),
        "action_required": dunning.action_required if dunning else False,
        "access_until": rfc3339(access_until),
    }


def _action(subscription: Subscription, now: int) -> str:
    """What the customer should do next."""
    if subscription.status in _DUNNED:
        return "update_payment_method"
    if subscription.status in ("trialing", "active"):
        ends_at = subscription.ends_at
        return "resume" if ends_at is not None and ends_at > now else "none"
    return "resubscribe"


def _bought(purchase: Purchase, catalogue: Catalogue) -> View:
    plan = catalogue.get(purchase.plan_id, purchase.plan_version)
    return {
        "provider": purchase.provider,
        "purchase_id": purchase.purchase_id,
        "plan_id": purchase.plan_id,
        "plan_name": plan.name if plan else purchase.plan_id,
        "status": purchase.status,
        "amount_cents": purchase.amount_cents,
        "currency": purchase.currency,
    }


def _purchase_ends(account: Account, purchase: Purchase, catalogue: Catalogue) -> int | None:
    window = next(
        w for w in windows(account, catalogue) if w.kind == "purchase" and w.record_id == purchase.purchase_id
    )
    return window.until


def _newest_first(records: Iterable[_Dated]) -> list[_Dated]:
    return sorted(records, key=lambda r: r.created_at, reverse=True)


def source_view(source: Source) -> dict[str, object]:
    return {
        "kind": source.kind,
        "id": source.id,
        "plan_id": source.plan_id,
        "reason": source.reason,
        "expires_at": rfc3339(source.until),
    }


def offer(plan: Plan) -> dict[str, object]:
    return {
        "plan_id": plan.plan_id,
        "name": plan.name,
        "price_cents": plan.price_cents,
        "currency": plan.currency,
        "interval": plan.interval,
    }
