"""Plans as requests write them, turned into plans."""

from billing.api.requests import AllowanceValue, CreditsValue, PlanBody
from billing.rules.plans import Allowance, Credits, FeatureValue, Plan


def plan_from(body: PlanBody, plan_id: str, version: int) -> Plan:
    return Plan(
        plan_id=plan_id,
        version=version,
        name=body.name,
        description=body.description,
        price_cents=body.price_cents,
        currency=body.currency,
        interval=body.interval,
        features={key: feature_value(value) for key, value in body.features.items()},
        tier=body.tier,
        rank=body.rank,
        group=body.group,
        trial_days=body.trial_days,
        duration_days=body.duration_days,
        grace_days=body.grace_days,
        optimistic=body.optimistic,
        after_purchase=body.after_purchase,
        status=body.status,
        provider_plan_ids={str(name): price for name, price in body.provider_plan_ids.items()},
    )


def feature_value(value: bool | int | AllowanceValue | CreditsValue) -> FeatureValue:
    """A feature's value as a request writes it."""
    if isinstance(value, AllowanceValue):
        return Allowance(value.limit, value.per)
    return Credits(value.credits) if isinstance(value, CreditsValue) else value
