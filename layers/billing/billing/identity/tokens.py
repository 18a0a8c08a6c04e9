"""Signed tokens (ES256 JWTs), verified offline with a published key set.

A *session token* tells this API who is calling; an *entitlement token* tells a host's servers what the user may use.
Neither is accepted as the other: type, audience and claims differ. docs/tokens.md describes claims and rotation.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from billing.data import dataclass
from billing.errors import NotAuthenticated, NotConfigured
from billing.identity import jws
from billing.identity.jws import ALGORITHM
from billing.settings import Settings

# Our tokens fit into a cookie (4,096 bytes). A longer one is refused before it is parsed.
MAX_TOKEN_CHARS = 4096
# Allowed clock difference between signer and verifier, in seconds.
LEEWAY = 10
DEV_ISSUER = "dev"
SESSION_AUDIENCE = "bitsleuth-billing"
_SESSION_TYPE = "session+jwt"
_ENTITLEMENTS_TYPE = "entitlements+jwt"
_CACHE_SIZE = 2048


@dataclass(frozen=True, slots=True)
class Session:
    """The caller, until `expires_at` (Unix seconds). `role` allows admin calls (see api/roles.py), "" none.
    `note`: for the log, why a caller has no role."""

    user_id: str
    role: str
    expires_at: int
    note: str = ""

    @property
    def admin(self) -> bool:
        """Whether the caller may make any admin call."""
        return self.role != ""


@dataclass(frozen=True, slots=True)
class _Key:
    issuer: str
    public: ec.EllipticCurvePublicKey


class Verifier:
    """Verifies session tokens with the key sets of one or more issuers, {issuer: JWK set as JSON}.

    A key is valid for its own issuer only. Private parts of keys are not needed. Raises `NotConfigured` for a key set
    without a usable key.
    """

    def __init__(self, key_sets: Mapping[str, str]) -> None:
        self._keys: dict[str, _Key] = {}
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        for issuer, text in key_sets.items():
            for jwk in parse_key_set(text):
                if jwk["kid"] in self._keys:
                    raise NotConfigured(f"two signing keys share the kid {jwk['kid']}")
                self._keys[jwk["kid"]] = _Key(issuer, _public_key(jwk))

    def verify_session(self, token: str, now: int) -> Session:
        """The caller of a session token. Raises `NotAuthenticated`. Verified tokens are cached by their hash."""
        digest = hashlib.sha256(token[: MAX_TOKEN_CHARS + 1].encode("utf-8", "replace")).digest()
        session = self._sessions.get(digest)
        if session is None:
            claims = self._claims(token, now)
            session = Session(claims["sub"], _role_in(claims), claims["exp"])
            self._sessions[digest] = session
            if len(self._sessions) > _CACHE_SIZE:
                self._sessions.popitem(last=False)
        else:
            self._sessions.move_to_end(digest)
        if session.expires_at + LEEWAY <= now:
            del self._sessions[digest]
            raise NotAuthenticated("the token has expired")
        return session

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key set (RFC 7517) for verifying our tokens."""
        return {"keys": [_public_jwk(kid, key.public) for kid, key in self._keys.items()]}

    def _claims(self, token: str, now: int) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_CHARS:
            raise NotAuthenticated("the token is too long")
        try:
            header = jws.header_of(token)
            key = self._keys.get(str(header.get("kid")))
            if key is None or header.get("typ") != _SESSION_TYPE:
                raise NotAuthenticated("the token is of another kind, or signed with an unknown key")
            claims = jws.verified(token, key.public)
            if (claims["iss"], claims["aud"]) != (key.issuer, SESSION_AUDIENCE):
                raise NotAuthenticated("the token is of another issuer, or for somebody else")
            _check_times(claims, now)
        except NotAuthenticated:
            raise
        except Exception as error:  # any parser error on untrusted input
            raise NotAuthenticated("the token is not valid") from error
        return claims


def _role_in(claims: Mapping[str, Any]) -> str:
    """The role of an admin's token. Tokens issued before roles existed have none, and count as admin."""
    return str(claims.get("role", "admin")) if claims.get("admin") is True else ""


class Signer(Verifier):
    """Signs with the first key of `issuer`, and verifies with all. `audience`: of entitlement tokens. Raises
    `NotConfigured` if the key has no private part."""

    def __init__(self, key_sets: Mapping[str, str], issuer: str, audience: str = "bitsleuth-analyzer") -> None:
        super().__init__(key_sets)
        self._audience = audience
        first = parse_key_set(key_sets[issuer])[0]
        self._issuer = issuer
        self._kid: str = first["kid"]
        self._private = _private_key(first, issuer)

    def sign_session(self, user_id: str, admin: bool, now: int, ttl: int, role: str = "admin") -> str:
        """A session token valid for `ttl` seconds. `role` counts only with `admin`."""
        claims: dict[str, object] = {"admin": True, "role": role} if admin else {}
        return self._sign(_SESSION_TYPE, SESSION_AUDIENCE, user_id, claims, now, now + ttl)

    def sign_entitlements(
        self, user_id: str, plan_id: str, features: Mapping[str, object], version: int, now: int, expires_at: int
    ) -> str:
        """`expires_at` must not be later than the end of any feature in it: hosts trust the token until then."""
        claims = {"plan": plan_id, "f": features, "ver": version}
        return self._sign(_ENTITLEMENTS_TYPE, self._audience, user_id, claims, now, expires_at)

    def _sign(
        self, kind: str, audience: str, user_id: str, own: Mapping[str, object], now: int, expires_at: int
    ) -> str:
        claims = {
            "iss": self._issuer,
            "aud": audience,
            "sub": user_id,
            "iat": now,
            "nbf": now,
            "exp": expires_at,
            **own,
        }
        return jws.signed(claims, self._private, kid=self._kid, typ=kind)


def verifier(settings: Settings) -> Verifier:
    """The stack's verifier with the current keys. It is cached: call this for every request.

    With TOKEN_PUBLIC_KEYS set, it needs no private keys.
    """
    name = "TOKEN_PUBLIC_KEYS" if settings.optional("TOKEN_PUBLIC_KEYS") else "TOKEN_SIGNING_KEYS"
    return _verifier(tuple(_key_sets(settings, name).items()))


def signer(settings: Settings) -> Signer:
    """The signer of this stack's tokens. Outside prod it also verifies tokens of the development issuer."""
    return _signer(tuple(_key_sets(settings, "TOKEN_SIGNING_KEYS").items()), _issuer(settings), _audience(settings))


# Keyed by the key sets, so that a change makes a new one. The settings re-read the secret every few minutes.
@lru_cache(maxsize=2)
def _verifier(key_sets: tuple[tuple[str, str], ...]) -> Verifier:
    return Verifier(dict(key_sets))


@lru_cache(maxsize=2)
def _signer(key_sets: tuple[tuple[str, str], ...], issuer: str, audience: str) -> Signer:
    return Signer(dict(key_sets), issuer, audience)


def is_session_token(token: str) -> bool:
    """Whether a token's header has the type of our session tokens. Nothing is verified."""
    try:
        return len(token) <= MAX_TOKEN_CHARS and jws.header_of(token).get("typ") == _SESSION_TYPE
    except Exception:  # noqa: BLE001  any parser error on untrusted input
        return False


def generate_key_set(kid: str) -> str:
    """A JWK set with one new private P-256 key, as JSON."""
    return json.dumps({"keys": [{**jws.new_jwk(), "kid": kid, "alg": ALGORITHM, "use": "sig"}]})


def parse_key_set(text: str) -> list[dict[str, str]]:
    """The keys of a JWK set, all of them P-256 with a kid. Raises `NotConfigured`, without quoting the text."""
    try:
        keys = json.loads(text)["keys"]
        usable = [k for k in keys if k["kty"] == "EC" and k["crv"] == "P-256" and isinstance(k["kid"], str)]
    except (ValueError, KeyError, TypeError) as error:
        raise NotConfigured("a signing key set is not a JWK set of P-256 keys with a kid") from error
    if not usable or len(usable) != len(keys):
        raise NotConfigured("a signing key set must hold P-256 keys with a kid, and at least one")
    return usable


def _key_sets(settings: Settings, name: str) -> dict[str, str]:
    sets = {_issuer(settings): settings.secret(name)}
    if settings.optional("DEV_TOKEN_KEYS"):
        if settings.is_prod:
            raise NotConfigured("the development issuer cannot be enabled in prod")
        if keys := settings.optional_secret("DEV_TOKEN_KEYS"):
            sets[DEV_ISSUER] = keys
    return sets


def _issuer(settings: Settings) -> str:
    issuer = settings.optional("TOKEN_ISSUER", "bitsleuth-billing")
    if issuer == DEV_ISSUER:
        raise NotConfigured(f"TOKEN_ISSUER must not be {DEV_ISSUER!r}")
    return issuer


def _audience(settings: Settings) -> str:
    audience = settings.optional("TOKEN_AUDIENCE", "bitsleuth-analyzer")
    if audience == SESSION_AUDIENCE:
        raise NotConfigured("TOKEN_AUDIENCE must differ from the audience of session tokens")
    return audience


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    times = [claims[name] for name in ("iat", "nbf", "exp")]
    if any(type(moment) is not int for moment in times) or not isinstance(claims["sub"], str) or not claims["sub"]:
        raise NotAuthenticated("the token is not valid")
    issued_at, not_before, expires_at = times
    if max(issued_at, not_before) > now + LEEWAY:
        raise NotAuthenticated("the token is not valid yet")
    if expires_at + LEEWAY <= now:
        raise NotAuthenticated("the token has expired")


def _public_key(jwk: Mapping[str, str]) -> ec.EllipticCurvePublicKey:
    try:
        return jws.public_key(jwk)
    except (KeyError, ValueError, TypeError) as error:
        raise NotConfigured(f"the key {jwk['kid']} is not a public key") from error


def _private_key(jwk: Mapping[str, str], issuer: str) -> ec.EllipticCurvePrivateKey:
    try:
        return jws.private_key(jwk)
    except (KeyError, ValueError, TypeError) as error:
        raise NotConfigured(f"the first key of {issuer} has no private part: it cannot sign") from error


def _public_jwk(kid: str, key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    return {**jws.public_jwk(key), "kid": kid, "alg": ALGORITHM, "use": "sig"}
