"""OpenID Connect: bearer tokens of one configured issuer, for admins and for hosts that have an identity provider.

The key set is fetched on first use and cached for five minutes. An unknown key id fetches it again, at most twice a
minute, so that a rotation is noticed but random key ids do not flood the issuer. If a fetch fails, the last key set
stays in use.
"""

from collections.abc import Mapping
from typing import Any

import jwt

from billing import deadline
from billing.api.roles import RANKS
from billing.errors import NotAuthenticated, NotConfigured
from billing.identity.identities import user_id_of
from billing.identity.tokens import LEEWAY, Session
from billing.log import Log
from billing.settings import Settings

# Accepted algorithms with their key types. No HMAC: a published key set cannot hold a shared secret.
_KEY_TYPES: Mapping[str, str] = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "ES384": "EC", "EdDSA": "OKP"}
# Tokens with many groups are long. (API Gateway accepts 10,240 bytes of headers in all.)
MAX_FOREIGN_CHARS = 16_384
# Later expiry times are cut to this: the year 9999.
_LATEST = 253_402_300_799
_OPTIONS: Any = {
    "require": ["iss", "aud", "sub", "exp"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


# Timeout for the key set: an authorizer has ten seconds in all.
FETCH_SECONDS = 3.0
_log = Log()


class _Keys(jwt.PyJWKClient):
    """An issuer's key set. If a refresh fails, the last one stays in use, so that its users are not locked out."""

    _last: jwt.PyJWKSet | None = None

    def fetch_data(self) -> Any:
        self.timeout = deadline.left(FETCH_SECONDS)
        try:
            self._last = jwt.PyJWKSet.from_dict(super().fetch_data())
        except Exception as lost:  # no answer, a proxy's error page, a set without a usable key
            if self._last is None:
                if isinstance(lost, jwt.PyJWKClientConnectionError):
                    raise
                raise jwt.PyJWKClientConnectionError("the issuer answered with something else") from lost
            _log.warning("keys of the issuer not refreshed", extra={"reason": type(lost).__name__})
        return self._last


class OidcVerifier:
    """Verifies the issuer's tokens. `groups` maps a group to the role of its members."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        jwks_url: str,
        pepper: str,
        groups: Mapping[str, str] | None = None,
        groups_claim: str = "groups",
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = _Keys(jwks_url)
        self._pepper = pepper
        self._roles = {group: role for group, role in (groups or {}).items() if group}
        self._groups_claim = groups_claim

    def verify(self, token: str, now: int) -> Session:
        """The caller. Raises `NotAuthenticated`, and `PyJWKClientConnectionError` if the key set was never fetched."""
        if len(token) > MAX_FOREIGN_CHARS:
            raise NotAuthenticated("the token is too long", reason="token_too_long")
        try:
            return self._session(self._claims(token), now)
        except (NotAuthenticated, jwt.PyJWKClientConnectionError):
            raise
        except Exception as error:  # any parser error on untrusted input
            raise NotAuthenticated("the token is not valid", reason=type(error).__name__) from error

    def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        algorithm = str(header.get("alg"))
        if algorithm not in _KEY_TYPES or "crit" in header:
            raise NotAuthenticated(
                "the token is signed with an algorithm that is not accepted", reason="algorithm_not_accepted"
            )
        key = self._key(header.get("kid"), algorithm)
        claims: dict[str, Any] = jwt.decode(
            token, key.key, [algorithm], _OPTIONS, audience=self._audience, issuer=self._issuer
        )
        return claims

    def _key(self, kid: object, algorithm: str) -> jwt.PyJWK:
        """The key by its id; without an id, the issuer must have a single key (OpenID Connect Core 10.1)."""
        if kid is None:
            candidates = [key for key in self._keys.get_jwk_set().keys if key.public_key_use in (None, "sig")]
            if len(candidates) != 1:
                raise NotAuthenticated("the token names no key, and the issuer has several", reason="kid_missing")
            key = candidates[0]
        else:
            try:
                key = self._keys.get_signing_key(str(kid))
            except jwt.PyJWKClientConnectionError:
                raise
            except jwt.PyJWKClientError as unknown:
                raise NotAuthenticated("the token is signed with an unknown key", reason="key_unknown") from unknown
        # A key with `alg` is for that algorithm only; without it, for all algorithms of its type (RFC 7517, 4.4).
        key_algorithm = key._jwk_data.get("alg")
        if key.key_type != _KEY_TYPES[algorithm] or key_algorithm not in (None, algorithm):
            raise NotAuthenticated("the token's key is for another algorithm", reason="key_of_another_algorithm")
        return key

    def _session(self, claims: dict[str, Any], now: int) -> Session:
        times = [claims.get("iat", now), claims.get("nbf", now), claims["exp"]]
        if not all(type(moment) in (int, float) for moment in times) or not isinstance(claims["sub"], str):
            raise NotAuthenticated("the token is not valid", reason="claims_of_another_type")
        if not max(times[0], times[1]) <= now + LEEWAY:
            raise NotAuthenticated("the token is not valid yet", reason="not_valid_yet")
        if not times[2] + LEEWAY > now:
            raise NotAuthenticated("the token has expired", reason="expired")
        role, note = self._role(claims)
        ends_at = int(min(times[2], _LATEST))
        return Session(user_id_of(self._pepper, "oidc", f"{self._issuer}|{claims['sub']}"), role, ends_at, note)

    def _role(self, claims: Mapping[str, Any]) -> tuple[str, str]:
        """(highest role of the groups, ""), or ("", the reason why there is none). The reason names no group."""
        if not self._roles:
            return "", "no_admin_group_configured"
        groups = claims.get(self._groups_claim)
        elsewhere = claims.get("_claim_names")
        if groups is None and isinstance(elsewhere, Mapping) and self._groups_claim in elsewhere:
            # OpenID Connect Core 5.6.2: too many groups for the token, which only says where to fetch them.
            return "", "groups_not_in_the_token"
        if isinstance(groups, str):
            groups = [groups]  # a single value without a list, as `aud` allows
        if not isinstance(groups, list):
            return "", "no_groups_in_the_token"
        roles = [role for group, role in self._roles.items() if group in groups]
        return (max(roles, key=lambda role: RANKS[role]), "") if roles else ("", "not_in_a_group_with_a_role")


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
        {settings.optional(f"OIDC_{role.upper()}_GROUP"): role for role in RANKS},
        settings.optional("OIDC_GROUPS_CLAIM", "groups"),
    )
