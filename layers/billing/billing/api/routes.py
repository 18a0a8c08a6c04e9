"""Every call of the API, once: the OpenAPI document is made from it and a test holds the template against it."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from billing.api import admin, requests, responses

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


# Agreed, not served yet: whoever builds a call moves it from here to ROUTES. Pages are written against both.
PLANNED: tuple[Route, ...] = (
    Route(
        "GET",
        "/billing/checkout-sessions/{checkout_id}/invoice",
        "crypto_invoice",
        _user,
        "A bitcoin checkout as an invoice to show in the page; poll it until its status is final",
        responses.CryptoInvoice,
        errors=(404, 502, 503),
    ),
    Route(
        "POST",
        "/billing/subscription/preview-change",
        "change_subscription",
        _user,
        "What a change of plan costs and changes; the confirm carries its id",
        responses.ChangePreviewView,
        requests.PreviewChange,
        errors=(404, 409, 502, 503),
    ),
    Route(
        "POST",
        "/billing/subscription/change",
        "change_subscription",
        _user,
        "Change the plan as previewed: upgrades now, downgrades at the period's end",
        responses.SubscriptionStatus,
        requests.ChangeSubscription,
        errors=(404, 409, 502, 503),
    ),
    Route(
        "POST",
        "/billing/subscription/cancel",
        "cancel_subscription",
        _user,
        "Cancel at the period's end, or now",
        responses.SubscriptionStatus,
        requests.CancelSubscription,
        errors=(404, 409, 502, 503),
    ),
    Route(
        "POST",
        "/billing/subscription/resume",
        "cancel_subscription",
        _user,
        "Take back a scheduled cancellation or change",
        responses.SubscriptionStatus,
        errors=(404, 409, 502, 503),
    ),
    Route(
        "POST",
        "/billing/portal-session",
        "portal_session",
        _user,
        "A link to the provider's own pages (payment method, invoices)",
        responses.PortalSession,
        errors=(404, 502, 503),
    ),
    Route(
        "GET", "/billing/receipts", "receipts", _user, "Card and bitcoin receipts, newest first", responses.ReceiptList
    ),
    Route(
        "POST",
        "/billing/usage",
        "usage",
        _user,
        "Use a metered feature",
        responses.UsageResult,
        requests.UseFeature,
        errors=(402, 404, 409),
    ),
    Route("GET", "/billing/config", "config", "none", "Rollout flags and ways to sign in", responses.PublicConfig),
    Route("POST", "/billing/track", "track", "none", "Count a funnel step", responses.Empty, requests.TrackEvent),
    Route(
        "POST",
        "/auth/nostr",
        "auth",
        "none",
        "Sign in with a NIP-98 event in the Authorization header (`Nostr <base64>`)",
        responses.SessionTokens,
        requests.SignInWithNostr,
    ),
    Route(
        "POST",
        "/auth/refresh",
        "auth",
        "none",
        "A new session token; the refresh token is replaced too",
        responses.SessionTokens,
        requests.RefreshSession,
    ),
    Route("GET", "/.well-known/jwks.json", "jwks", "none", "Keys that verify our tokens", responses.KeySet),
    Route(
        "POST",
        "/admin/plans/{plan_id}/preview",
        "admin_plans",
        "admin",
        "Whom a new version would touch, and how",
        admin.PlanEffect,
        requests.UpdatePlan,
        errors=(404, 409),
    ),
    Route(
        "GET",
        "/admin/revenue",
        "admin_revenue",
        "admin",
        "MRR and its movements, revenue by day, plan and provider",
        admin.RevenueReport,
        query=("from", "to", "currency"),
    ),
    Route(
        "GET",
        "/admin/metrics/funnel",
        "admin_revenue",
        "admin",
        "From the paywall to an active subscription",
        admin.FunnelReport,
        query=("from", "to"),
    ),
    Route(
        "GET",
        "/admin/metrics/churn",
        "admin_revenue",
        "admin",
        "Users and revenue lost by month, and why",
        admin.ChurnReport,
        query=("from", "to", "currency"),
    ),
    Route(
        "GET", "/admin/metrics/cohorts", "admin_revenue", "admin", "Retention by first paid month", admin.CohortReport
    ),
    Route(
        "GET",
        "/admin/users",
        "admin_users",
        "admin",
        "Look up by user, customer, subscription, purchase, payment or event id",
        admin.UserList,
        query=("q",),
    ),
    Route(
        "GET",
        "/admin/users/{user_id}",
        "admin_users",
        "admin",
        "Everything about a user",
        admin.UserDetail,
        errors=(404,),
    ),
    Route(
        "GET",
        "/admin/users/{user_id}/explain",
        "admin_users",
        "admin",
        "Why this user has, or had not, a feature at a time (`at`: Unix seconds, default now)",
        admin.Explanation,
        errors=(404,),
        query=("feature", "at"),
    ),
    Route(
        "POST",
        "/admin/users/{user_id}/grants",
        "admin_users",
        "admin",
        "Give features by hand",
        admin.GrantView,
        requests.GrantFeatures,
        errors=(404,),
    ),
    Route(
        "POST",
        "/admin/users/{user_id}/grants/{grant_id}/revoke",
        "admin_users",
        "admin",
        "Take a manual grant back",
        admin.GrantView,
        errors=(404,),
    ),
    Route(
        "POST",
        "/admin/users/{user_id}/refunds",
        "admin_users",
        "admin",
        "Refund a payment, or say what it would do",
        admin.RefundEffect,
        requests.RefundPayment,
        errors=(404, 409, 502, 503),
    ),
    Route(
        "GET",
        "/admin/users/{user_id}/export",
        "admin_users",
        "admin",
        "Everything stored about a user",
        admin.UserExport,
        errors=(404,),
    ),
    Route(
        "DELETE",
        "/admin/users/{user_id}",
        "admin_users",
        "admin",
        "Erase a user; money records stay, without the person",
        admin.Erasure,
        errors=(404, 409),
    ),
    Route(
        "GET",
        "/admin/events",
        "admin_events",
        "admin",
        "Payment events, newest first; `status` is processed, failed or dead",
        admin.PaymentEventList,
        query=("status", "cursor"),
    ),
    Route(
        "POST",
        "/admin/events/redrive",
        "admin_events",
        "admin",
        "Send dead letters back to the queue, or say which would go",
        admin.RedriveResult,
        requests.RedriveEvents,
    ),
)
