"""OpenID Connect: bearer tokens of one configured issuer, for admins and for hosts that have an identity provider.

The key set is fetched when first needed, kept for five minutes, and fetched again for an unknown key id at most
twice a minute: a rotation is noticed, a flood of made-up key ids is not passed on.
"""

from typing import Any

import jwt

from billing.errors import NotAuthenticated, NotConfigured
from billing.identity.identities import user_id_of
from billing.identity.tokens import LEEWAY, MAX_TOKEN_CHARS, Session
from billing.settings import Settings

# Signatures with public keys only: a shared secret has no place in a published key set.
ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
_OPTIONS: Any = {
    "require": ["iss", "aud", "sub", "exp"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class OidcVerifier:
    """`verify` tells who a token of the issuer speaks for; members of `admin_group` are admins."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        jwks_url: str,
        pepper: str,
        admin_group: str = "",
        groups_claim: str = "groups",
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = jwt.PyJWKClient(jwks_url, timeout=3)
        self._pepper = pepper
        self._admin_group = admin_group
        self._groups_claim = groups_claim

    def verify(self, token: str, now: int) -> Session:
        """Raises `NotAuthenticated`. An issuer that cannot be reached fails the call: nobody is let in on trust."""
        if len(token) > MAX_TOKEN_CHARS:
            raise NotAuthenticated("the token is too long")
        try:
            header = jwt.get_unverified_header(token)
            if header["alg"] not in ALGORITHMS or "crit" in header:
                raise NotAuthenticated("the token is signed with an algorithm that is not accepted")
            key = self._keys.get_signing_key(str(header.get("kid")))
            claims: dict[str, Any] = jwt.decode(
                token, key, ALGORITHMS, _OPTIONS, audience=self._audience, issuer=self._issuer
            )
        except jwt.PyJWKClientConnectionError:
            raise
        except (jwt.PyJWTError, ValueError) as error:
            raise NotAuthenticated("the token is not valid") from error
        return self._session(claims, now)

    def _session(self, claims: dict[str, Any], now: int) -> Session:
        times = [claims.get("iat", now), claims.get("nbf", now), claims["exp"]]
        if not all(isinstance(moment, int | float) for moment in times) or not isinstance(claims["sub"], str):
            raise NotAuthenticated("the token is not valid")
        if max(times[0], times[1]) > now + LEEWAY:
            raise NotAuthenticated("the token is not valid yet")
        if times[2] + LEEWAY <= now:
            raise NotAuthenticated("the token has expired")
        groups = claims.get(self._groups_claim, [])
        admin = bool(self._admin_group) and isinstance(groups, list) and self._admin_group in groups
        return Session(user_id_of(self._pepper, "oidc", f"{self._issuer}|{claims['sub']}"), admin, int(times[2]))


def oidc_verifier(settings: Settings) -> OidcVerifier:
    """Raises `NotConfigured` when OIDC_ISSUER or one of its companions is missing."""
    issuer = settings.required("OIDC_ISSUER")
    jwks_url = settings.required("OIDC_JWKS_URL")
    if settings.is_prod and not jwks_url.startswith("https://"):
        raise NotConfigured("OIDC_JWKS_URL must be https in prod")
    return OidcVerifier(
        issuer,
        settings.required("OIDC_AUDIENCE"),
        jwks_url,
        settings.secret("IDENTITY_PEPPER"),
        settings.optional("OIDC_ADMIN_GROUP"),
        settings.optional("OIDC_GROUPS_CLAIM", "groups"),
    )
