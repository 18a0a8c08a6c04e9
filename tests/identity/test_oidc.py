"""Tokens of an identity provider, whose key set is served on loopback."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from billing.errors import NotAuthenticated, NotConfigured
from billing.identity.callers import Callers, callers
from billing.identity.oidc import OidcVerifier
from billing.identity.tokens import Signer, generate_key_set
from billing.settings import Settings

NOW = 1_800_000_000
ISSUER, AUDIENCE, PEPPER = "https://id.example", "billing-admin", "pepper"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


class Issuer:
    """A key set on loopback; `keys` can be rotated, `fetched` counts."""

    def __init__(self) -> None:
        self.keys = [public("r1", RSA_KEY)]
        self.fetched = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetched += 1
                body = json.dumps({"keys": issuer.keys}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    served = Issuer()
    thread = threading.Thread(target=served.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()


def public(kid: str, key: Any) -> dict[str, Any]:
    kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


def token(kid: str = "r1", key: Any = RSA_KEY, algorithm: str = "RS256", **changes: Any) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 300, **changes}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm, {"kid": kid})


def oidc(issuer: Issuer) -> OidcVerifier:
    return OidcVerifier(ISSUER, AUDIENCE, issuer.url, PEPPER, admin_group="billing-admins")


def test_a_group_makes_an_admin_and_nothing_else_does(issuer: Issuer) -> None:
    verifier = oidc(issuer)
    assert verifier.verify(token(groups=["staff", "billing-admins"]), NOW).admin
    for groups in (["staff"], "billing-admins", None, {"billing-admins": True}):
        assert not verifier.verify(token(groups=groups), NOW).admin
    assert issuer.fetched == 1


def test_without_a_configured_group_nobody_is_an_admin(issuer: Issuer) -> None:
    verifier = OidcVerifier(ISSUER, AUDIENCE, issuer.url, PEPPER)
    assert not verifier.verify(token(groups=[""]), NOW).admin


def test_the_user_id_hides_the_login_and_is_stable(issuer: Issuer) -> None:
    first, again = (oidc(issuer).verify(token(), NOW).user_id for _ in range(2))
    other = oidc(issuer).verify(token(sub="bob"), NOW).user_id
    assert first == again != other
    assert "alice" not in first


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-app"},
        {"aud": None},
        {"exp": NOW - 60},
        {"exp": None},
        {"nbf": NOW + 60},
        {"iat": NOW + 60},
        {"sub": None},
        {"exp": True},
    ],
    ids=str,
)
def test_wrong_claims_are_refused(issuer: Issuer, changes: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        oidc(issuer).verify(token(**changes), NOW)


def test_an_algorithm_with_a_shared_secret_is_never_accepted(issuer: Issuer) -> None:
    with pytest.raises(NotAuthenticated):
        oidc(issuer).verify(token(key="x" * 64, algorithm="HS256"), NOW)
    with pytest.raises(NotAuthenticated):
        oidc(issuer).verify(token(key=None, algorithm="none"), NOW)


def test_a_key_of_another_type_than_the_algorithm_is_refused(issuer: Issuer) -> None:
    with pytest.raises(NotAuthenticated):
        oidc(issuer).verify(token(key=EC_KEY, algorithm="ES256"), NOW)


def test_a_rotation_is_noticed_and_a_flood_of_unknown_keys_is_not_passed_on(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = oidc(issuer)
    verifier.verify(token(), NOW)
    issuer.keys = [public("e2", EC_KEY), *issuer.keys]
    rotated = token("e2", EC_KEY, "ES256")
    with pytest.raises(NotAuthenticated):
        verifier.verify(rotated, NOW)  # within the cooldown of the first fetch
    clock = time.monotonic() + 31
    monkeypatch.setattr("jwt.jwks_client.time.monotonic", lambda: clock)
    assert verifier.verify(rotated, NOW).expires_at == NOW + 300
    for n in range(20):
        with pytest.raises(NotAuthenticated):
            verifier.verify(token(f"made-up-{n}"), NOW)
    assert issuer.fetched == 2


def test_an_issuer_that_does_not_answer_lets_nobody_in() -> None:
    verifier = OidcVerifier(ISSUER, AUDIENCE, "http://127.0.0.1:9/keys", PEPPER)
    with pytest.raises(jwt.PyJWKClientConnectionError):
        verifier.verify(token(), NOW)


def test_either_kind_of_token_identifies_a_caller_and_the_allow_list_makes_admins(issuer: Issuer) -> None:
    signer = Signer({"bitsleuth-billing": generate_key_set("k1")}, "bitsleuth-billing")
    identify = Callers(lambda: signer, oidc(issuer), {"usr_boss"}).identify
    assert not identify("Bearer " + signer.sign_session("usr_1", False, NOW, 60), NOW).admin
    assert identify("bearer " + signer.sign_session("usr_boss", False, NOW, 60), NOW).admin
    assert identify("Bearer " + token(), NOW).user_id.startswith("usr_")
    for authorization in ("", "Bearer", "Bearer ", "Basic abc", "Bearer x.y.z", token()):
        with pytest.raises(NotAuthenticated):
            identify(authorization, NOW)


def test_without_an_issuer_its_tokens_are_worth_nothing(issuer: Issuer) -> None:
    signer = Signer({"bitsleuth-billing": generate_key_set("k1")}, "bitsleuth-billing")
    with pytest.raises(NotAuthenticated):
        Callers(lambda: signer).identify("Bearer " + token(), NOW)


def test_a_half_configured_issuer_is_a_fault_of_ours() -> None:
    env = {"STAGE": "prod", "TOKEN_SIGNING_KEYS": generate_key_set("k1"), "OIDC_ISSUER": ISSUER}
    with pytest.raises(NotConfigured):
        callers(Settings(env))
    whole = {**env, "OIDC_AUDIENCE": AUDIENCE, "IDENTITY_PEPPER": PEPPER}
    with pytest.raises(NotConfigured):
        callers(Settings({**whole, "OIDC_JWKS_URL": "http://id.example/keys"}))
    callers(Settings({**whole, "OIDC_JWKS_URL": "https://id.example/keys"}))
