"""Entitlement tokens: what a user has, signed, so that a host's servers can decide alone for a few minutes."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from billing.allowances import Held
from billing.tokens import Signer

# ENTITLEMENT_TOKEN_SECONDS: how long a closed feature can stay open at a host that checks tokens offline.
TOKEN_SECONDS = 300


def sign(
    signer: Signer, user_id: str, plan_id: str, version: int, features: Mapping[str, Held], now: int, seconds: int
) -> tuple[str, int]:
    """The token and its end: after `seconds`, or with the first entitlement that ends sooner."""
    ends = [h.entitlement.expires_at for h in features.values() if h.entitlement.expires_at is not None]
    expires_at = min([now + seconds, *ends])
    claims = {feature: h.claim for feature, h in features.items()}
    return signer.sign_entitlements(user_id, plan_id, claims, version, now, expires_at), expires_at


def etag(content: Mapping[str, Any], now: int, seconds: int) -> str:
    """Changes with the content, and twice in a token's life, so that "not modified" never withholds a fresh token."""
    text = json.dumps([content, now // max(1, seconds // 2)], sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
