"""A stand-in for an identity provider: OpenID Connect with code and PKCE, for one client without a secret.

A page asks whom to sign in as; a cookie keeps the session until sign-out. It is as strict as a real provider: return
addresses must be registered, a code works once and only with its verifier, a refresh token is replaced at each use, and
signing out without an ID token needs a confirmation.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from fakes.base import Answer, App, Clock, Request, json_answer, redirect
from fakes.pages import page

CLIENT_ID = "billing-portal"
# The people who can sign in, with their names and groups.
PEOPLE = {
    "viewer": ("A viewer", ["billing-viewers"]),
    "support": ("A support agent", ["billing-support"]),
    "admin": ("An admin", ["billing-admins"]),
    "visitor": ("A person without a role", []),
}
GROUPS = {
    "OidcViewerGroup": "billing-viewers",
    "OidcSupportGroup": "billing-support",
    "OidcAdminGroup": "billing-admins",
}
_CODE_SECONDS = 60
_TOKEN_SECONDS = 900
_COOKIE = "stand_in_session"


@dataclass(frozen=True, slots=True)
class _Code:
    person: str
    challenge: str
    redirect_uri: str
    nonce: str
    scope: str
    good_until: int


class Issuer(App):
    """`returns_to` and `leaves_to`: the client's registered addresses after sign-in and sign-out. `token_seconds`: the
    lifetime of a token."""

    def __init__(self, *, token_seconds: int = _TOKEN_SECONDS, now: Callable[[], float] = time.time) -> None:
        super().__init__(Clock(now))
        self.token_seconds = token_seconds
        self.returns_to: set[str] = set()
        self.leaves_to: set[str] = set()
        self._sessions: dict[str, str] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._kid = secrets.token_hex(8)
        self._codes: dict[str, _Code] = {}
        self._refreshable: dict[str, str] = {}
        self.route("GET", "/.well-known/openid-configuration", self._discovery)
        self.route("GET", "/keys", self._keys)
        self.route("GET", "/authorize", self._choose)
        self.route("POST", "/authorize", self._chosen)
        self.route("POST", "/token", self._token)
        self.route("GET", "/logout", self._leave)
        self.route("POST", "/logout", self._leave)

    def parameters(self) -> dict[str, str]:
        """The stack's parameters for this identity provider."""
        return {
            "OidcIssuer": self.url,
            "OidcAudience": CLIENT_ID,
            "OidcJwksUrl": f"{self.url}/keys",
            "OidcClientId": CLIENT_ID,
            "OidcAuthorizationUrl": f"{self.url}/authorize",
            "OidcTokenUrl": f"{self.url}/token",
            "OidcEndSessionUrl": f"{self.url}/logout",
            "OidcScope": "openid offline_access",
            **GROUPS,
        }

    def _discovery(self, _: Request) -> Answer:
        return json_answer(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "end_session_endpoint": f"{self.url}/logout",
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
        params = request.query
        if fault := self._fault(params):
            return page(
                "This sign-in cannot go on", f"<p>{escape(fault)}</p>", provider="an identity provider", status=400
            )
        person = self._sessions.get(_session_of(request))
        if person and params.get("prompt") != "select_account":
            return redirect(self._coming_back(params, person))
        buttons = "".join(
            f'<p><button name="person" value="{name}">{escape(title)}</button></p>'
            for name, (title, _) in PEOPLE.items()
        )
        return page(
            "Who are you?",
            f'<form method="post" action="/authorize">{_hidden_fields(params)}{buttons}</form>',
            provider="an identity provider",
        )

    def _chosen(self, request: Request) -> Answer:
        params = request.form
        if self._fault(params) or params.get("person") not in PEOPLE:
            return json_answer({"error": "invalid_request"}, 400)
        session = secrets.token_urlsafe(24)
        self._sessions[session] = params["person"]
        back = redirect(self._coming_back(params, params["person"]))
        return replace(back, headers={**back.headers, "Set-Cookie": f"{_COOKIE}={session}; {_COOKIE_RULES}"})

    def _coming_back(self, params: dict[str, str], person: str) -> str:
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(
            person,
            params["code_challenge"],
            params["redirect_uri"],
            params.get("nonce", ""),
            params.get("scope", ""),
            self.clock.now() + _CODE_SECONDS,
        )
        back = {"code": code, "state": params.get("state", ""), "iss": self.url}
        return f"{params['redirect_uri']}?{urlencode(back)}"

    def _leave(self, request: Request) -> Answer:
        """OpenID Connect RP-Initiated Logout 1.0: at once with an ID token of this issuer, else after confirmation."""
        params = request.form if request.method == "POST" else request.query
        to, hint = params.get("post_logout_redirect_uri", ""), params.get("id_token_hint")
        ours = params.get("client_id", CLIENT_ID) == CLIENT_ID and (self._gave_out(hint) if hint else True)
        named = bool(hint) or "client_id" in params
        if not ours or (to and not (named and to in self.leaves_to)):
            text = "<p>This client did not register this address, or the token is not one of ours.</p>"
            return page("This sign-out cannot go on", text, provider="an identity provider", status=400)
        if not hint and "sure" not in params:
            button = '<button name="sure" value="1">Sign out</button>'
            form = f'<form method="post" action="/logout">{_hidden_fields(params)}{button}</form>'
            return page("Sign out?", form, provider="an identity provider")
        self._sessions.pop(_session_of(request), None)
        gone = page("You are signed out", "", provider="an identity provider")
        state = {"state": params["state"]} if "state" in params else {}
        back = redirect(f"{to}?{urlencode(state)}" if state else to) if to else gone
        return replace(back, headers={**back.headers, "Set-Cookie": f"{_COOKIE}=; Max-Age=0; {_COOKIE_RULES}"})

    def _gave_out(self, token: str) -> bool:
        """Whether this issuer made the token for this client; an expired one is accepted for signing out."""
        try:
            jwt.decode(token, self._key.public_key(), ["ES256"], audience=CLIENT_ID, options={"verify_exp": False})
        except jwt.InvalidTokenError:
            return False
        return True

    def _fault(self, params: dict[str, str]) -> str | None:
        if params.get("client_id") != CLIENT_ID:
            return "No such client is registered."
        if params.get("redirect_uri") not in self.returns_to:
            return "The client did not register this address to return to."
        if params.get("response_type") != "code" or "openid" not in params.get("scope", "").split():
            return "Only OpenID Connect's authorization code flow is supported here."
        if params.get("code_challenge_method") != "S256" or len(params.get("code_challenge", "")) != 43:
            return "A client without a secret has to send a challenge (PKCE, S256)."
        return None

    def _token(self, request: Request) -> Answer:
        """Allows any origin (CORS): a code is useless without its verifier."""
        params = request.form
        if params.get("client_id") != CLIENT_ID:
            return self._refused("invalid_client")
        if params.get("grant_type") == "authorization_code":
            code = self._codes.pop(params.get("code", ""), None)
            if code is None or code.good_until < self.clock.now() or code.redirect_uri != params.get("redirect_uri"):
                return self._refused("invalid_grant")
            if not hmac.compare_digest(_challenge(params.get("code_verifier", "")), code.challenge):
                return self._refused("invalid_grant")
            return self._tokens(code.person, code.nonce, renews="offline_access" in code.scope.split())
        if params.get("grant_type") == "refresh_token":
            person = self._refreshable.pop(params.get("refresh_token", ""), None)
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


_COOKIE_RULES = "Path=/; HttpOnly; SameSite=Lax"
_TO_ANY_PAGE = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}


def _session_of(request: Request) -> str:
    cookie = SimpleCookie(request.headers.get("cookie", "")).get(_COOKIE)
    return cookie.value if cookie else ""


def _hidden_fields(params: dict[str, str]) -> str:
    """The request's parameters as hidden fields of a form."""
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in params.items()
    )


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
