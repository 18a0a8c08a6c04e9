"""Plans and entitlements as plain dicts in the shapes of `billing.api.answers`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from billing.providers import PROVIDERS, sellers
from billing.rules.allowances import Held
from billing.rules.entitlements import Entitlement, Source
from billing.rules.plans import FEATURES, Catalogue, Plan, feature, features_to_json
from billing.rules.records import Account, Mandate, Renewal
from billing.rules.times import rfc3339

if TYPE_CHECKING:
    from billing.store.moves import Move

View = dict[str, Any]


def plan_list(catalogue: Catalogue, offered: Sequence[str], lightning: Sequence[str] = ()) -> View:
    """The public catalogue: the plans on sale, in the order of the price list."""
    on_sale = catalogue.on_sale()
    features = [{"feature": key, **info} for key, info in FEATURES.items()]
    return {
        "plans": [public_plan(p, offered) for p in on_sale],
        "features": features,
        "payment_providers": payment_providers(lightning),
    }


def payment_providers(lightning: Sequence[str] = ()) -> View:
    """All providers with their abilities, including those not on offer any more, as receipts can name them."""
    return {
        name: {
            "title": abilities.title,
            "rail": abilities.rail,
            "renews": abilities.renews,
            "lightning": name in lightning,
        }
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
        "recommended": plan.recommended,
        "position": plan.position,
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
        "after_purchase": plan.after_purchase,
        "provider_plan_ids": dict(plan.provider_plan_ids),
    }


def renewal(end: Renewal, mandate: Mandate | None = None) -> View:
    """The end of prepaid time in a group of plans, and the state of the wallet that renews it."""
    by_wallet = None
    if mandate is not None and not mandate.removed:
        by_wallet = "renews" if mandate.renews else "trouble" if mandate.trouble else "paused"
    return {
        "group": end.group,
        "plan_id": end.plan_id,
        "provider": end.provider,
        "ends_at": rfc3339(end.ends_at),
        "reminders": end.wanted,
        "by_wallet": by_wallet,
    }


def plan_in_force(account: Account, catalogue: Catalogue, now: int) -> Plan | None:
    """The highest-ranked recurring plan whose window is open; else the free plan."""
    from billing.rules.access import windows  # not needed by the gates, which import this module

    live = [w.plan for w in windows(account, catalogue) if w.plan and w.plan.recurring and w.open_at(now)]
    return max(live, key=lambda p: p.rank, default=catalogue.free())


def plan_of_sources(sources: Iterable[Source], catalogue: Catalogue, now: int) -> Plan | None:
    """As `plan_in_force`, from the sources of a snapshot."""
    plans = [catalogue.get(s.plan_id, s.plan_version) for s in sources if s.plan_id and s.open_at(now)]
    live = [p for p in plans if p is not None and p.recurring]
    return max(live, key=lambda p: p.rank, default=catalogue.free())


def entitlement_list(user_id: str, plan_id: str, version: int, features: Iterable[Held]) -> View:
    """All entitlements of a user; the caller adds the signed token."""
    return {
        "user_id": user_id,
        "plan_id": plan_id,
        "version": version,
        "entitlements": [entitlement(held) for held in features],
    }


def entitlement(held: Held) -> View:
    opened = held.entitlement
    return {
        "feature": opened.feature,
        "value": value(opened),
        **({"also": [allowance.shown() for allowance in opened.beside]} if opened.beside else {}),
        "expires_at": rfc3339(opened.expires_at),
        "sources": [source_view(s) for s in opened.sources],
        "remaining": held.remaining,
        "resets_at": rfc3339(held.quota.resets_at) if held.quota else None,
    }


def plan_move(plan_id: str, newest: Plan | None, move: "Move | None", effects: Sequence[Mapping[str, Any]]) -> View:
    """A move of subscribers to a newer version. Subscriptions in the state "moving" count as moved."""
    view = {
        "plan_id": plan_id,
        "to_version": newest.version if newest else 0,
        "status": "none",
        "percent": 100,
        "per_hour": 200,
        "notice_days": 14,
        "started_at": None,
        "started_by": None,
        **dict.fromkeys(("moved", "waiting", "refused", "undone", "not_undone"), 0),
        "effects": list(effects),
    }
    if move is not None:
        view |= {name: getattr(move, name) for name in view if hasattr(move, name)}
        view |= {"started_at": rfc3339(move.started_at), "moved": move.moved + move.moving}
    return view


def value(opened: Entitlement) -> object:
    """true, 5, or {"limit": 200, "per": "month"}, with "credits" if there are any."""
    document = feature(opened.value).shown()
    return {**document, "credits": opened.credits} if isinstance(document, dict) and opened.credits else document


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
