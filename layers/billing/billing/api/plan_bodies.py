"""Plans from request bodies."""

from collections.abc import Mapping

from billing.api.admin_requests import GrantFeatures, OfferBody, PlanBody, PriceBody
from billing.rules.plans import FeatureValue, Plan, features_from_json


def plan_from(body: PlanBody, plan_id: str, version: int) -> Plan:
    return plan_of_offer(body, body, plan_id, version)


def plan_of_offer(body: OfferBody, price: PriceBody, plan_id: str, version: int) -> Plan:
    """One plan of an offer, from the shared fields and its own."""
    return Plan(
        plan_id=plan_id,
        version=version,
        name=body.name,
        description=body.description,
        price_cents=price.price_cents,
        currency=price.currency,
        interval=price.interval,
        features=feature_values(body),
        tier=body.tier,
        rank=body.rank,
        group=body.group,
        trial_days=body.trial_days,
        duration_days=price.duration_days,
        grace_days=body.grace_days,
        optimistic=body.optimistic,
        after_purchase=body.after_purchase,
        recommended=body.recommended,
        position=body.position,
        status=price.status,
        provider_plan_ids={str(name): price for name, price in price.provider_plan_ids.items()},
    )


def feature_values(body: OfferBody | GrantFeatures) -> Mapping[str, FeatureValue]:
    """The features of a request body."""
    return features_from_json(body.model_dump(include={"features"})["features"])
