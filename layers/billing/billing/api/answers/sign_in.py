"""Answers about the caller, sign-in, and the service's configuration."""

from typing import Literal

from pydantic import BaseModel

from billing.api.answers.base import Response, Time


class SessionTokens(Response):
    session_token: str
    expires_at: Time
    refresh_token: str
    user_id: str


class Jwk(BaseModel):
    kty: str
    crv: str
    x: str
    y: str
    kid: str
    alg: str
    use: str


class KeySet(Response):
    keys: list[Jwk]


class Flag(Response):
    """On for `percent` of the users, and for those in `allow`."""

    percent: int
    allow: list[str]
    """User ids, which are keyed hashes and so identify nobody."""


class Links(Response):
    """URLs of the seller's pages (https: or mailto:); null if there is none."""

    contact: str | None
    terms: str | None
    privacy: str | None
    refunds: str | None


class IdentityProvider(Response):
    """For signing in by OpenID Connect: authorization code flow with PKCE, as a public client."""

    issuer: str
    client_id: str
    authorization_url: str
    token_url: str
    end_session_url: str
    """For signing out (OpenID Connect RP-Initiated Logout); empty: the session at the provider stays open."""
    scope: str
    token: Literal["id", "access"]
    """Which of the provider's tokens this API accepts."""


class Caller(Response):
    """The caller. `role` "": not an admin."""

    user_id: str
    role: Literal["", "viewer", "support", "admin"]
    may: list[str]
    """The admin calls that the role may make, such as `GET /admin/users`; a page hides all others."""


class PublicConfig(Response):
    """The same for all callers, and cacheable: each client evaluates the flags by hashing `salt`, flag and user."""

    version: int
    salt: str
    flags: dict[str, Flag]
    providers: list[str]
    sign_in: list[Literal["nostr", "oidc", "development"]]
    links: Links
    identity_provider: IdentityProvider | None
    server_time: Time


class FlagList(Response):
    """The flags in force. `version` grows with every change; 0: no flag was ever set."""

    version: int
    salt: str
    flags: dict[str, Flag]
