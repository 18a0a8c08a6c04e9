"""Offline verification of entitlement tokens: ES256, with the published key set kept in memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from bitsleuth_billing_gate.service import Unavailable

# Seconds by which the signer's clock may be ahead; the end of a token is exact.
_LEEWAY = 10
_LONGEST = 4096
# Seconds for which a key set is taken as it is, and between two tries to read it.
_LIVE, _TRY = 300, 10
_KEPT = 1_000

Keys = Mapping[str, jwt.PyJWK]


@dataclass(frozen=True, slots=True)
class Claims:
    """`features` maps a feature to true, a number, or `{"limit", "remaining", "resets_at"}`; `version` is that of the
    account, which grows with each change."""

    user_id: str
    features: Mapping[str, Any]
    version: int
    expires_at: int

    def open(self, feature: str, now: float) -> bool:
        held = self.features.get(feature)
        if self.expires_at <= now or not held:
            return False
        if not isinstance(held, Mapping):
            return True
        # Past the reset a whole new allowance is there; the next token says what is left of it.
        renewed = held.get("resets_at") is not None and held["resets_at"] <= now
        return bool(held["limit" if renewed else "remaining"] > 0)


@dataclass(frozen=True, slots=True)
class _Verified:
    claims: Claims
    kid: str
    key: jwt.PyJWK


class Verifier:
    def __init__(
        self,
        read_keys: Callable[[], Mapping[str, Any]],
        now: Callable[[], float],
        *,
        published: Mapping[str, Any] | None,
        issuer: str,
        audience: str,
    ) -> None:
        self._read_keys, self._now = read_keys, now
        self._issuer, self._audience = issuer, audience
        self._keys = _keys(published or {"keys": []})
        self._read_at = self._tried_at = float("-inf")
        self._failed = False
        self._reading = threading.Lock()
        self._verified: OrderedDict[str, _Verified] = OrderedDict()

    def claims(self, token: str | None, *, waits: bool = True) -> Claims | None:
        """None for a token that must not be believed. Raises `Unavailable` when its key could not be looked up, or,
        without `waits`, when it would have to be."""
        if not token or len(token) > _LONGEST:
            return None
        verified = self._verified.get(token)
        # What was verified with a key that was taken away since is not believed any more.
        if verified is None or self._key(verified.kid, waits) is not verified.key:
            verified = self._check(token, waits)
            if verified is None:
                return None
            self._verified[token] = verified
            if len(self._verified) > _KEPT:
                self._verified.popitem(last=False)
        return verified.claims if verified.claims.expires_at > self._now() else None

    def _check(self, token: str, waits: bool) -> _Verified | None:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != "ES256" or header.get("typ") != "entitlements+jwt" or "crit" in header:
                return None
            kid = str(header.get("kid"))
            key = self._key(kid, waits)
            if key is None:
                return None
            # Times are compared below, by the clock that was handed in.
            said = jwt.decode(
                token,
                key.key,
                algorithms=["ES256"],
                issuer=self._issuer,
                audience=self._audience,
                options={
                    "require": ["exp", "iat", "nbf", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError:
            return None
        times = [said[name] for name in ("iat", "nbf", "exp")]
        if not all(isinstance(time, int) for time in times) or not isinstance(said.get("f"), dict):
            return None
        if max(times[:2]) > self._now() + _LEEWAY:
            return None
        version = said.get("ver")
        claims = Claims(str(said["sub"]), said["f"], version if isinstance(version, int) else 0, times[2])
        return _Verified(claims, kid, key)

    def _key(self, kid: str, waits: bool) -> jwt.PyJWK | None:
        """A known key is never waited for; an unknown one is looked up, and when that fails it is not "unknown"."""
        if (key := self._keys.get(kid)) is not None:
            if self._now() - self._read_at > _LIVE and self._may_try():
                threading.Thread(target=self._read, daemon=True).start()
            return key
        if not waits:
            raise Unavailable("the key would have to be looked up")
        with self._reading:
            if kid not in self._keys and self._may_try():
                self._read()
        key = self._keys.get(kid)
        if key is None and self._failed:
            raise Unavailable("the key set could not be read")
        return key

    def _may_try(self) -> bool:
        if self._now() - self._tried_at < _TRY:
            return False
        self._tried_at = self._now()
        return True

    def _read(self) -> None:
        try:
            self._keys = _keys(self._read_keys())
            self._read_at, self._failed = self._now(), False
        except (Unavailable, KeyError, TypeError, jwt.PyJWTError):
            self._failed = True


def _keys(key_set: Mapping[str, Any]) -> Keys:
    usable = [key for key in key_set["keys"] if key.get("kty") == "EC" and key.get("crv") == "P-256" and key.get("kid")]
    return {key["kid"]: jwt.PyJWK(key, algorithm="ES256") for key in usable}
