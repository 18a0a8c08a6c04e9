"""Answers about features: whether a user has them, why, and how much is left."""

from typing import Literal

from billing.api.answers.base import FeatureJson, Response, Time
from billing.rules.times import SourceKind


class SourceView(Response):
    kind: SourceKind
    id: str
    plan_id: str | None
    reason: str
    """Why it gives or no longer gives access: active, trialing, past_due, paid, granted, free, canceled, …"""
    expires_at: Time | None


class EntitlementView(Response):
    feature: str
    value: FeatureJson
    also: list[FeatureJson] | None = None
    """Further allowances besides `value`, each counted separately, such as a yearly one besides a monthly one."""
    expires_at: Time | None
    """When it will end or be reduced; null: no end is known."""
    sources: list[SourceView]
    remaining: int | None = None
    resets_at: Time | None = None


class EntitlementList(Response):
    user_id: str
    plan_id: str
    version: int
    entitlements: list[EntitlementView]
    token: str | None
    """Signed entitlement token (ES256 JWT) for offline gates; null if this stack does not sign tokens."""
    token_expires_at: Time | None


class FeatureDecision(EntitlementView):
    allowed: Literal[True]


class UsageResult(Response):
    """`used`: in this period. `remaining`: with `credits`; null: not limited."""

    feature: str
    allowed: bool
    used: int
    remaining: int | None
    credits: int
    resets_at: Time | None
    reservation_id: str | None = None
    repeated: bool = False
    code: str | None = None
    """The error code of a refused call; only in a batch."""


class UsageResults(Response):
    items: list[UsageResult]
