"""Every call of the API, once: the OpenAPI document is made from it and a test holds the template against it."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from billing.api import requests, responses

Auth = Literal["none", "user", "admin"]


@dataclass(frozen=True, slots=True)
class Route:
    """`errors` are the problem statuses beyond those every call has (400, 401, 403, 429, 500)."""

    method: str
    path: str
    function: str
    auth: Auth
    summary: str
    response: type[BaseModel]
    request: type[BaseModel] | None = None
    errors: tuple[int, ...] = ()
    query: tuple[str, ...] = ()


_user: Auth = "user"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/billing/plans", "plans", "none", "The public catalogue", responses.PlanList),
    Route(
        "POST",
        "/billing/create-checkout-session",
        "create_checkout_session",
        _user,
        "Open a hosted checkout; the same request returns the same open session",
        responses.CheckoutSession,
        requests.CreateCheckoutSession,
        errors=(404, 409, 502, 503),
    ),
    Route(
        "POST",
        "/billing/checkout-sessions/{checkout_id}/confirm",
        "confirm_checkout",
        _user,
        "On return from checkout: read the session at the provider and apply it now",
        responses.Confirmation,
        errors=(404, 502, 503),
    ),
    Route(
        "GET",
        "/billing/subscription-status",
        "subscription_status",
        _user,
        "Plan, status, next billing date, what to do next",
        responses.SubscriptionStatus,
    ),
    Route(
        "GET",
        "/billing/entitlements",
        "entitlements",
        _user,
        "Every entitlement with its sources, and the signed token",
        responses.EntitlementList,
    ),
    Route(
        "GET",
        "/billing/entitlements/{feature}",
        "entitlements",
        _user,
        "Is this feature open, why, until when; 402 with offers when it is not",
        responses.FeatureDecision,
        errors=(402,),
    ),
    Route("GET", "/admin/plans", "admin_plans", "admin", "Every version of every plan", responses.AdminPlanList),
    Route(
        "POST",
        "/admin/plans",
        "admin_plans",
        "admin",
        "Create a plan",
        responses.AdminPlan,
        requests.CreatePlan,
        errors=(409,),
    ),
    Route(
        "PATCH",
        "/admin/plans/{plan_id}",
        "admin_plans",
        "admin",
        "Put a new version on sale; buyers of older versions keep theirs",
        responses.AdminPlan,
        requests.UpdatePlan,
        errors=(404, 409),
    ),
    Route(
        "POST",
        "/admin/plans/{plan_id}/archive",
        "admin_plans",
        "admin",
        "Take a plan off sale; its buyers keep it",
        responses.AdminPlan,
        errors=(404, 409),
    ),
)
