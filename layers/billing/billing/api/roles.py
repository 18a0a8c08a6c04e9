"""The role that each admin call needs: a viewer reads, support helps one customer, an admin may do everything.

A call that is not in this list needs an admin. This module imports nothing of ours, because many functions load it.
"""

from collections.abc import Mapping
from typing import Literal

Role = Literal["viewer", "support", "admin"]
RANKS: Mapping[str, int] = {"viewer": 1, "support": 2, "admin": 3}

ROLES: Mapping[str, Role] = {
    "GET /admin/plans": "viewer",
    "POST /admin/plans": "admin",
    "PATCH /admin/plans/{plan_id}": "admin",
    "POST /admin/plans/{plan_id}/archive": "admin",
    "PUT /admin/offers": "admin",
    "POST /admin/plans/{plan_id}/preview": "viewer",
    "GET /admin/plans/{plan_id}/move": "viewer",
    "POST /admin/plans/{plan_id}/move": "admin",
    "POST /admin/plans/{plan_id}/move/stop": "admin",
    "POST /admin/plans/{plan_id}/move/undo": "admin",
    "GET /admin/invoices": "viewer",
    "POST /admin/invoices/{provider}/{purchase_id}/accept": "admin",
    "POST /admin/invoices/{provider}/{purchase_id}/refund": "admin",
    "POST /admin/invoices/{provider}/{purchase_id}/reread": "support",
    "GET /admin/revenue": "viewer",
    "GET /admin/revenue/lines": "viewer",
    "GET /admin/metrics/funnel": "viewer",
    "GET /admin/metrics/churn": "viewer",
    "GET /admin/metrics/cohorts": "viewer",
    "GET /admin/users": "viewer",
    "GET /admin/users/{user_id}": "viewer",
    "GET /admin/users/{user_id}/explain": "viewer",
    "POST /admin/users/{user_id}/grants": "support",
    "POST /admin/users/{user_id}/grants/{grant_id}/revoke": "support",
    "POST /admin/users/{user_id}/refunds": "support",
    "POST /admin/users/{user_id}/days": "support",
    "POST /admin/users/{user_id}/notes": "support",
    "DELETE /admin/users/{user_id}/notes/{note_id}": "support",
    "POST /admin/users/{user_id}/subscriptions/{subscription_id}/cancel": "admin",
    "POST /admin/users/{user_id}/subscriptions/{subscription_id}/resume": "admin",
    "POST /admin/users/{user_id}/subscriptions/{subscription_id}/preview-change": "admin",
    "POST /admin/users/{user_id}/subscriptions/{subscription_id}/change": "admin",
    "POST /admin/users/{user_id}/subscriptions/{subscription_id}/reread": "support",
    "GET /admin/users/{user_id}/export": "admin",
    "DELETE /admin/users/{user_id}": "admin",
    "GET /admin/vouchers": "viewer",
    "POST /admin/vouchers": "admin",
    "GET /admin/vouchers/{batch_id}": "viewer",
    "POST /admin/vouchers/{batch_id}/codes": "admin",
    "POST /admin/vouchers/{batch_id}/revoke": "admin",
    "GET /admin/events": "viewer",
    "POST /admin/events/redrive": "admin",
    "POST /admin/events/set-aside": "admin",
    "POST /admin/events/take-back": "admin",
    "GET /admin/audit": "viewer",
    "GET /admin/endpoints": "viewer",
    "POST /admin/endpoints": "admin",
    "PATCH /admin/endpoints/{endpoint_id}": "admin",
    "DELETE /admin/endpoints/{endpoint_id}": "admin",
    "POST /admin/endpoints/{endpoint_id}/secret": "admin",
    "POST /admin/endpoints/{endpoint_id}/secret/end-old": "admin",
    "POST /admin/endpoints/{endpoint_id}/test": "admin",
    "GET /admin/endpoints/{endpoint_id}/deliveries": "viewer",
    "POST /admin/endpoints/{endpoint_id}/resend": "admin",
    "GET /admin/flags": "viewer",
    "PUT /admin/flags/{name}": "admin",
}


def allowed(role: str) -> list[str]:
    """The admin calls that a role may make."""
    return [route for route in ROLES if may(role, route)]


def needed(route: str) -> Role:
    return ROLES.get(route, "admin")


def may(role: str, route: str) -> bool:
    """Whether a role may make an admin call; the role "" may make none."""
    return RANKS.get(role, 0) >= RANKS[needed(route)]
