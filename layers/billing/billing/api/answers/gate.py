"""Answers about features: may this user use it, why, and how much is left."""

from typing import Literal

from billing.api.answers.base import FeatureJson, Response, Time
from billing.rules.times import SourceKind


class SourceView(Response):
    kind: SourceKind
    id: str
    plan_id: str | None
    reason: str
    """Why it gives, or no longer gives: active, trialing, past_due, paid, granted, free, canceled, …"""
    expires_at: Time | None


class EntitlementView(Response):
    feature: str
    value: FeatureJson
    also: list[FeatureJson] | None = None
    """Allowances that run beside `value`, such as one of a paid year beside one of the month; each with its own use."""
    expires_at: Time | None
    """When less of it will be given, or nothing; null: no end of this in sight."""
    sources: list[SourceView]
    remaining: int | None = None
    resets_at: Time | None = None


class EntitlementList(Response):
    user_id: str
    plan_id: str
    version: int
    entitlements: list[EntitlementView]
    token: str | None
    """Signed entitlement token (ES256 JWT) for offline gates; null when this stack signs none."""
    token_expires_at: Time | None


class FeatureDecision(EntitlementView):
    allowed: Literal[True]


class UsageResult(Response):
    """`used` counts this period, `remaining` includes `credits`; `remaining` null: not limited."""

    feature: str
    allowed: bool
    used: int
    remaining: int | None
    credits: int
    resets_at: Time | None
    reservation_id: str | None = None
    repeated: bool = False
    code: str | None = None
    """Why it was refused; in a batch only."""


class UsageResults(Response):
    items: list[UsageResult]
