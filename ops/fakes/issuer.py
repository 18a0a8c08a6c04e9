"""A stand-in for an identity provider: OpenID Connect with code and PKCE, for one client without a secret.

Who signs in is chosen on its page. It is as strict as a real one: the address to return to must be a registered one, a
code opens once and with its verifier alone, and a refresh token is replaced at each use.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from fakes.base import Answer, App, Clock, Request, Webhooks, json_answer, redirect
from fakes.pages import page

CLIENT_ID = "billing-portal"
# Whom one can be, and in which groups they are.
PEOPLE = {
    "viewer": ("A viewer", ["billing-viewers"]),
    "support": ("Somebody of support", ["billing-support"]),
    "admin": ("An admin", ["billing-admins"]),
    "visitor": ("Somebody without a role", []),
}
GROUPS = {
    "OidcViewerGroup": "billing-viewers",
    "OidcSupportGroup": "billing-support",
    "OidcAdminGroup": "billing-admins",
}
_CODE_SECONDS = 60
_TOKEN_SECONDS = 900


@dataclass(frozen=True, slots=True)
class _Code:
    person: str
    challenge: str
    redirect_uri: str
    nonce: str
    scope: str
    good_until: int


class Issuer(App):
    """`returns_to`: the addresses that the client registered. `token_seconds`: how long a token lives."""

    def __init__(self, *, token_seconds: int = _TOKEN_SECONDS, now: Callable[[], float] = time.time) -> None:
        super().__init__(Clock(now))
        self.webhooks = Webhooks(self.clock, lambda message, tries, at: (b"", {}), retry_after=())
        self.token_seconds = token_seconds
        self.returns_to: set[str] = set()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._kid = secrets.token_hex(8)
        self._codes: dict[str, _Code] = {}
        self._refreshable: dict[str, str] = {}
        self.route("GET", "/.well-known/openid-configuration", self._discovery)
        self.route("GET", "/keys", self._keys)
        self.route("GET", "/authorize", self._choose)
        self.route("POST", "/authorize", self._chosen)
        self.route("POST", "/token", self._token)

    def parameters(self) -> dict[str, str]:
        """What a stack is told of it."""
        return {
            "OidcIssuer": self.url,
            "OidcAudience": CLIENT_ID,
            "OidcJwksUrl": f"{self.url}/keys",
            "OidcClientId": CLIENT_ID,
            "OidcAuthorizationUrl": f"{self.url}/authorize",
            "OidcTokenUrl": f"{self.url}/token",
            "OidcScope": "openid offline_access",
            **GROUPS,
        }

    def _discovery(self, _: Request) -> Answer:
        return json_answer(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
                "scopes_supported": ["openid", "offline_access"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    def _keys(self, _: Request) -> Answer:
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        return json_answer({"keys": [{**public, "kid": self._kid, "use": "sig", "alg": "ES256"}]})

    def _choose(self, request: Request) -> Answer:
        asked = request.query
        if fault := self._fault(asked):
            return page(
                "This sign-in cannot go on", f"<p>{escape(fault)}</p>", provider="an identity provider", status=400
            )
        kept = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in asked.items()
        )
        buttons = "".join(
            f'<p><button name="person" value="{name}">{escape(title)}</button></p>'
            for name, (title, _) in PEOPLE.items()
        )
        return page(
            "Who are you?",
            f'<form method="post" action="/authorize">{kept}{buttons}</form>',
            provider="an identity provider",
        )

    def _chosen(self, request: Request) -> Answer:
        asked = request.form
        if self._fault(asked) or asked.get("person") not in PEOPLE:
            return json_answer({"error": "invalid_request"}, 400)
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(
            asked["person"],
            asked["code_challenge"],
            asked["redirect_uri"],
            asked.get("nonce", ""),
            asked.get("scope", ""),
            self.clock.now() + _CODE_SECONDS,
        )
        back = {"code": code, "state": asked.get("state", ""), "iss": self.url}
        return redirect(f"{asked['redirect_uri']}?{urlencode(back)}")

    def _fault(self, asked: dict[str, str]) -> str | None:
        if asked.get("client_id") != CLIENT_ID:
            return "No such client is registered."
        if asked.get("redirect_uri") not in self.returns_to:
            return "The client did not register this address to return to."
        if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
            return "Only the code of OpenID Connect is given out here."
        if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
            return "A client without a secret has to send a challenge (PKCE, S256)."
        return None

    def _token(self, request: Request) -> Answer:
        """Any page may ask: a code opens with its verifier alone, whoever brings it."""
        asked = request.form
        if asked.get("client_id") != CLIENT_ID:
            return self._refused("invalid_client")
        if asked.get("grant_type") == "authorization_code":
            code = self._codes.pop(asked.get("code", ""), None)
            if code is None or code.good_until < self.clock.now() or code.redirect_uri != asked.get("redirect_uri"):
                return self._refused("invalid_grant")
            if not hmac.compare_digest(_challenge(asked.get("code_verifier", "")), code.challenge):
                return self._refused("invalid_grant")
            return self._tokens(code.person, code.nonce, renews="offline_access" in code.scope.split())
        if asked.get("grant_type") == "refresh_token":
            person = self._refreshable.pop(asked.get("refresh_token", ""), None)
            return self._tokens(person, "", renews=True) if person else self._refused("invalid_grant")
        return self._refused("unsupported_grant_type")

    def _refused(self, error: str) -> Answer:
        return json_answer({"error": error}, 400, _TO_ANY_PAGE)

    def _tokens(self, person: str, nonce: str, *, renews: bool) -> Answer:
        now = self.clock.now()
        claims = {"iss": self.url, "aud": CLIENT_ID, "sub": person, "iat": now, "exp": now + self.token_seconds}
        claims |= {"groups": PEOPLE[person][1], **({"nonce": nonce} if nonce else {})}
        answer = {
            "id_token": jwt.encode(claims, self._key, "ES256", {"kid": self._kid}),
            "access_token": secrets.token_urlsafe(24),
            "token_type": "Bearer",
            "expires_in": self.token_seconds,
        }
        if renews:
            refresh = secrets.token_urlsafe(24)
            answer["refresh_token"] = refresh
            self._refreshable[refresh] = person
        return json_answer(answer, headers=_TO_ANY_PAGE)


_TO_ANY_PAGE = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
