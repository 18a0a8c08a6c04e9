"""Tokens of an identity provider, whose key set is served on loopback."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from billing.errors import NotAuthenticated, NotConfigured
from billing.identity.callers import Callers, callers
from billing.identity.oidc import OidcVerifier
from billing.identity.tokens import Signer, generate_key_set
from billing.settings import Settings
from fakes.base import Answer, App, Request, Server

NOW = 1_800_000_000
ISSUER, AUDIENCE, PEPPER = "https://id.example", "billing-admin", "pepper"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


class Issuer(App):
    """A key set on loopback; `keys` can be rotated, `fetched` counts."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = [public("r1", RSA_KEY)]
        self.fetched = 0
        self.answer: bytes | None = None

    def handle(self, request: Request) -> Answer:
        self.fetched += 1
        body = json.dumps({"keys": self.keys}).encode() if self.answer is None else self.answer
        return Answer(200 if body else 503, body, {})


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    served = Issuer()
    with Server(served):
        yield served


def public(kid: str, key: Any) -> dict[str, Any]:
    kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


def token(kid: str = "r1", key: Any = RSA_KEY, algorithm: str = "RS256", **changes: Any) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 300, **changes}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm, {"kid": kid})


def oidc(issuer: Issuer) -> OidcVerifier:
    return OidcVerifier(
        ISSUER,
        AUDIENCE,
        issuer.url,
        PEPPER,
        groups={"billing-admins": "admin", "helpers": "support", "readers": "viewer"},
    )


def test_a_group_makes_an_admin_and_nothing_else_does(issuer: Issuer) -> None:
    verifier = oidc(issuer)
    assert verifier.verify(token(groups=["staff", "billing-admins"]), NOW).admin
    assert verifier.verify(token(groups="billing-admins"), NOW).admin, "one group may come as a text"
    for groups in (
        ["staff"],
        "staff",
        "billing-admins staff",
        None,
        {"billing-admins": True},
        ["staff,billing-admins"],
    ):
        assert not verifier.verify(token(groups=groups), NOW).admin
    assert issuer.fetched == 1


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ("readers", "viewer"),
        (["helpers", "readers"], "support"),
        (["readers", "billing-admins", "helpers"], "admin"),
        (["viewer", "support", "admin"], ""),  # the names of roles are nobody's groups
    ],
)
def test_the_highest_role_that_the_groups_give_counts(issuer: Issuer, groups: Any, role: str) -> None:
    session = oidc(issuer).verify(token(groups=groups), NOW)
    assert (session.role, session.admin) == (role, bool(role))


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


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"keys": []}', b'{"keys": [{"kty": "EC"}]}'], ids=str)
def test_known_keys_outlive_a_refresh_that_fails(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: bytes
) -> None:
    verifier, moment = oidc(issuer), time.monotonic()
    verifier.verify(token(), NOW)
    issuer.answer = answer
    monkeypatch.setattr(time, "monotonic", lambda: moment + 400)  # the set is older than it is kept
    verifier.verify(token(), NOW)
    assert "keys of the issuer not refreshed" in capsys.readouterr().out
    with pytest.raises(NotAuthenticated):
        verifier.verify(token("never-seen"), NOW)
    issuer.answer, issuer.keys = None, [public("e1", EC_KEY)]
    monkeypatch.setattr(time, "monotonic", lambda: moment + 440)
    verifier.verify(token("e1", EC_KEY, "ES256"), NOW)
    with pytest.raises(NotAuthenticated):  # what is not in the newest set any more is over
        verifier.verify(token(), NOW)


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"keys": []}'], ids=str)
def test_an_issuer_that_answers_with_something_else_lets_nobody_in_and_is_a_failure(
    issuer: Issuer, answer: bytes
) -> None:
    issuer.answer = answer
    with pytest.raises(jwt.PyJWKClientConnectionError):
        oidc(issuer).verify(token(), NOW)


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


# --- other people's tokens are held to the standards, not to ours ----------------------------------------------------


def test_a_person_of_many_groups_signs_in(issuer: Issuer) -> None:
    groups = [f"aaaaaaaa-bbbb-cccc-dddd-{number:012d}" for number in range(120)]
    crowded = token(groups=[*groups, "billing-admins"])
    assert len(crowded) > 5_000
    assert oidc(issuer).verify(crowded, NOW).admin
    with pytest.raises(NotAuthenticated) as refused:
        oidc(issuer).verify(token(groups=groups * 6), NOW)
    assert refused.value.extensions["reason"] == "token_too_long"


def test_groups_that_are_elsewhere_make_no_admin_and_that_is_said(issuer: Issuer) -> None:
    overage = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://id.example/g"}}}
    session = oidc(issuer).verify(token(**overage), NOW)
    assert (session.admin, session.note) == (False, "groups_not_in_the_token")


def without_kid(key: Any, algorithm: str = "RS256") -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 300}
    return jwt.encode(claims, key, algorithm)


def test_a_token_without_a_key_id_is_of_the_only_key(issuer: Issuer) -> None:
    nameless = {name: value for name, value in public("r1", RSA_KEY).items() if name != "kid"}
    for keys in ([public("r1", RSA_KEY)], [nameless], [public("r1", RSA_KEY), {**public("x", RSA_KEY), "use": "enc"}]):
        issuer.keys = keys
        assert oidc(issuer).verify(without_kid(RSA_KEY), NOW).user_id.startswith("usr_")
    issuer.keys = [public("r1", RSA_KEY), public("r2", rsa.generate_private_key(65537, 2048))]
    with pytest.raises(NotAuthenticated) as refused:
        oidc(issuer).verify(without_kid(RSA_KEY), NOW)
    assert refused.value.extensions["reason"] == "kid_missing"


@pytest.mark.parametrize(
    ("named", "algorithm", "accepted"),
    [(None, "PS256", True), ("PS256", "PS256", True), ("RS256", "PS256", False), ("PS256", "RS256", False)],
)
def test_a_key_is_for_the_algorithm_it_names_or_for_all_of_its_type(
    issuer: Issuer, named: str | None, algorithm: str, accepted: bool
) -> None:
    issuer.keys = [{**public("r1", RSA_KEY), **({"alg": named} if named else {})}]
    signed = token(algorithm=algorithm)
    if accepted:
        assert oidc(issuer).verify(signed, NOW).user_id.startswith("usr_")
    else:
        with pytest.raises(NotAuthenticated):
            oidc(issuer).verify(signed, NOW)


def _part(document: Any) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


SIGNER = Signer({"bitsleuth-billing": generate_key_set("k1")}, "bitsleuth-billing")
MALFORMED = [
    _part({"kid": "k1"}) + ".x.y",
    _part({"kid": "k1"}) + "..",
    _part({"alg": "RS256", "kid": ["r1"]}) + ".e30.x",
    _part({"alg": {"a": 1}}) + ".e30.x",
    _part({"alg": "RS256", "kid": "r1", "b64": False}) + ".e30.x",
    _part("[" * 4000) + ".e30.x",
    _part("[]") + ".e30.x",
    _part('{"alg":"RS256","kid":"r1"}') + "." + _part("[" * 4000) + ".x",
    _part({"typ": "session+jwt", "kid": "k1", "alg": "ES256"}) + ".x.y",
    "\ud800.\ud800.\ud800",
    "\x00.\x00.\x00",
    "é" * 20_000,
    "." * 9_000,
]


@pytest.mark.parametrize("malformed", MALFORMED, ids=range(len(MALFORMED)))
def test_whatever_is_no_token_is_a_no(issuer: Issuer, malformed: str) -> None:
    with pytest.raises(NotAuthenticated):
        Callers(lambda: SIGNER, oidc(issuer)).identify(f"Bearer {malformed}", NOW)


ODD_CLAIMS = st.dictionaries(
    st.sampled_from(["iss", "aud", "sub", "iat", "nbf", "exp", "groups", "admin", "_claim_names"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=4,
    ),
)


@pytest.fixture(scope="module")
def identify() -> Iterator[Any]:
    served = Issuer()
    with Server(served):
        yield Callers(lambda: SIGNER, oidc(served)).identify


@given(odd=ODD_CLAIMS, whose=st.sampled_from(["ours", "theirs"]))
def test_genuine_signatures_over_odd_claims_break_nothing(identify: Any, odd: dict[str, Any], whose: str) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 300, **odd}
    if whose == "ours":
        ours = {"iss": "bitsleuth-billing", "aud": "bitsleuth-billing", "nbf": NOW}
        key, header, algorithm = SIGNER._private, {"kid": "k1", "typ": "session+jwt"}, "ES256"
        claims = {**claims, **ours, **odd}
    else:
        key, header, algorithm = RSA_KEY, {"kid": "r1"}, "RS256"
    signed = jwt.api_jws.encode(json.dumps(claims).encode(), key, algorithm, header)
    with suppress(NotAuthenticated):
        assert identify(f"Bearer {signed}", NOW).user_id


@given(st.data())
def test_no_bytes_break_the_door(identify: Any, data: st.DataObject) -> None:
    genuine = bytearray(token().encode())
    for _ in range(data.draw(st.integers(1, 4))):
        genuine[data.draw(st.integers(0, len(genuine) - 1))] = data.draw(st.integers(0, 255))
    with suppress(NotAuthenticated):
        identify(f"Bearer {genuine.decode('utf-8', 'surrogateescape')}", NOW)
    with suppress(NotAuthenticated):
        identify(f"Bearer {data.draw(st.text(max_size=60))}", NOW)
