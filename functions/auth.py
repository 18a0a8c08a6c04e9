"""POST /auth/nostr, /auth/refresh and /auth/sign-out: session tokens for the holder of a key."""

import os
from collections.abc import Mapping
from typing import Any

from billing.api import roles
from billing.api.buyer_requests import RefreshSession, SignInWithNostr
from billing.api.http import Call, Request, Response, endpoint
from billing.aws import Aws
from billing.identity import nostr
from billing.identity.call_limits import limited
from billing.identity.identities import Identities, session_tokens
from billing.identity.tokens import signer
from billing.log import Log
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.identities import IdentityStore
from billing.store.limits import Limits

aws = Aws("dynamodb")
settings = Settings(os.environ, aws.fetch_secret)
accounts = AccountStore(aws, settings.accounts_table)
store = IdentityStore(aws, settings.accounts_table)
limits = Limits(aws, settings.accounts_table)


def identities() -> Identities:
    """Made per call, so that rotated signing keys are used."""
    return Identities(store, limits, accounts, signer(settings), settings.secret("IDENTITY_PEPPER"))


def sign_in(request: Request) -> Mapping[str, Any]:
    url = f"{settings.public_url}/auth/nostr"
    proof = nostr.verify(request.headers.get("authorization", ""), "POST", url, request.body, request.now)
    body = request.parse(SignInWithNostr)
    keep = nostr.REPLAY_SECONDS
    return session_tokens(identities().sign_in(proof.public_key, proof.event_id, keep, request.now, body.link_to))


def refresh(request: Request) -> Mapping[str, Any]:
    return session_tokens(identities().refresh(request.parse(RefreshSession).refresh_token, request.now))


def sign_out(request: Request) -> Response:
    identities().sign_out(request.parse(RefreshSession).refresh_token)
    return Response(None, 204)


def me(request: Request) -> Mapping[str, Any]:
    """Not rate-limited: the authorizer has read all of it already."""
    return {"user_id": request.own_user(), "role": request.role, "may": roles.allowed(request.role)}


_counted: Mapping[str, Call] = {
    "POST /auth/nostr": sign_in,
    "POST /auth/refresh": refresh,
    "POST /auth/sign-out": sign_out,
}
handler = endpoint({**limited(_counted, limits), "GET /auth/me": me}, Log())
