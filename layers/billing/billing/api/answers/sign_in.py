"""Answers about who is calling, and what the service offers."""

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
    """On for `percent` of the users, and for those in `allow` whatever the percentage."""

    percent: int
    allow: list[str]
    """User ids, keyed-hashed like `sub`: they name nobody."""


class Links(Response):
    """Addresses of the seller's own pages (https: or mailto:); null where there is none."""

    contact: str | None
    terms: str | None
    privacy: str | None
    refunds: str | None


class IdentityProvider(Response):
    """Where a page signs somebody in: OpenID Connect's authorization code with PKCE, as a client without a secret."""

    issuer: str
    client_id: str
    authorization_url: str
    token_url: str
    end_session_url: str
    """Where a page sends whoever signs out (OpenID Connect RP-Initiated Logout); empty: its session there goes on."""
    scope: str
    token: Literal["id", "access"]
    """Which of the tokens that it answers is for this API."""


class Caller(Response):
    """Who the caller is here. `role` "" is everybody who does not work here."""

    user_id: str
    role: Literal["", "viewer", "support", "admin"]
    may: list[str]
    """The admin's calls that the role may make, such as `GET /admin/users`; a page shows no other."""


class PublicConfig(Response):
    """The same for everybody and cacheable: each client evaluates its flags alone, by hashing `salt`, flag and user."""

    version: int
    salt: str
    flags: dict[str, Flag]
    providers: list[str]
    sign_in: list[Literal["nostr", "oidc", "development"]]
    links: Links
    identity_provider: IdentityProvider | None
    server_time: Time


class FlagList(Response):
    """The flags in force. `version` grows with every change; 0: none was ever set."""

    version: int
    salt: str
    flags: dict[str, Flag]
