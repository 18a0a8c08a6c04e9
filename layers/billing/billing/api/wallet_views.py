"""A wallet that renews prepaid terms, in the shapes of `billing.api.answers`."""

from billing.api.views import View
from billing.rules.plans import Plan
from billing.rules.records import Account, Mandate
from billing.rules.renewal import asks_at, foreseen, paid_by_hand_from
from billing.rules.times import rfc3339


def wallet_view(account: Account, mandate: Mandate, plan: Plan | None, now: int) -> View:
    """What a wallet will be asked to pay and when, and its state. `plan`: the version on sale."""
    return {
        "group": mandate.group,
        "plan_id": mandate.plan_id,
        "plan_name": plan.name if plan else mandate.plan_id,
        "interval": plan.interval if plan else "month",
        "state": state_of(mandate),
        "trouble": mandate.trouble,
        "trouble_at": rfc3339(mandate.trouble_at),
        "price_cents": mandate.price_cents,
        "currency": mandate.currency,
        "price_now_cents": plan.price_cents if plan else None,
        "currency_now": plan.currency if plan else None,
        "most_sat": mandate.most_sat,
        "asked_sat": mandate.attempt.amount_sat if mandate.attempt else None,
        "days_before": mandate.lead_days,
        "agreed_at": rfc3339(mandate.agreed_at),
        "ends_at": rfc3339(mandate.ends_at),
        "asks_at": rfc3339(asks_at(mandate, now)),
        "by_hand_from": rfc3339(paid_by_hand_from(account, mandate.group, now)),
        "renewed_at": rfc3339(mandate.renewed_at),
        "said": {
            "budget_sat": mandate.said.budget_sat,
            "period": mandate.said.period,
            "ends_at": rfc3339(mandate.said.ends_at),
        },
        "foreseen": foreseen(account, mandate, now),
    }


def state_of(mandate: Mandate) -> str:
    if mandate.attempt is not None:
        return "under_way"
    if mandate.paused:
        return "paused"
    if mandate.given_up:
        return "given_up"
    if mandate.trouble is not None:
        return "trouble"
    return "waiting" if mandate.ends_at is not None else "nothing_prepaid"
