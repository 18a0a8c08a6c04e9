"""Tokens that must be accepted, and every way in which one must not."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from billing.errors import NotAuthenticated, NotConfigured
from billing.identity import jws
from billing.identity.tokens import (
    LEEWAY,
    MAX_TOKEN_CHARS,
    SESSION_AUDIENCE,
    Signer,
    Verifier,
    generate_key_set,
    signer,
    verifier,
)
from billing.settings import Settings
from bitsleuth_billing_gate.tokens import Claims
from bitsleuth_billing_gate.tokens import Verifier as HostVerifier

NOW = 1_800_000_000
OURS = generate_key_set("k1")
DEV = generate_key_set("dev-1")
ISSUER = "bitsleuth-billing"


def make_signer(*key_sets: str) -> Signer:
    keys = [key for text in key_sets or (OURS,) for key in json.loads(text)["keys"]]
    return Signer({ISSUER: json.dumps({"keys": keys})}, ISSUER)


def forge(key_set: str, claims: Mapping[str, Any] = {}, header: Mapping[str, Any] = {}) -> str:
    """A token with a true signature and whatever claims and header are asked for; None leaves one out."""
    private = ECAlgorithm.from_jwk(json.loads(key_set)["keys"][0])
    whole: dict[str, Any] = {
        "iss": ISSUER,
        "aud": SESSION_AUDIENCE,
        "sub": "usr_1",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 60,
        **claims,
    }
    headers = {"kid": "k1", "typ": "session+jwt", **header}
    return jwt.encode({k: v for k, v in whole.items() if v is not None}, private, "ES256", headers)  # type: ignore[arg-type]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict[str, Any], str, str]:
    head, body, signature = token.split(".")
    return json.loads(base64.urlsafe_b64decode(head + "==")), body, signature


def at_a_host(token: str) -> Claims | None:
    """What the gate for hosts in Python reads in an entitlement token."""
    keys, audience = make_signer().jwks(), "bitsleuth-analyzer"
    return HostVerifier(dict, lambda: NOW, published=keys, issuer=ISSUER, audience=audience).claims(token)


def test_a_session_token_says_who_is_calling_and_until_when() -> None:
    session = make_signer().verify_session(make_signer().sign_session("usr_1", True, NOW, 900), NOW + 1)
    assert (session.user_id, session.admin, session.expires_at) == ("usr_1", True, NOW + 900)


def test_a_user_is_not_an_admin_by_any_other_truthy_claim() -> None:
    assert not make_signer().verify_session(forge(OURS, {"admin": "true"}), NOW).admin


def test_an_entitlement_token_carries_plan_features_and_version() -> None:
    token = make_signer().sign_entitlements(
        "usr_1", "plus", {"ai.chat": {"limit": 200, "remaining": 3}}, 7, NOW, NOW + 300
    )
    claims = at_a_host(token)
    assert claims is not None
    assert claims.features["ai.chat"]["remaining"] == 3
    assert (claims.user_id, claims.version, claims.expires_at) == ("usr_1", 7, NOW + 300)


def test_neither_kind_is_accepted_as_the_other() -> None:
    ours = make_signer()
    with pytest.raises(NotAuthenticated):
        ours.verify_session(ours.sign_entitlements("usr_1", "pro", {}, 1, NOW, NOW + 300), NOW)
    assert at_a_host(ours.sign_session("usr_1", True, NOW, 300)) is None


def test_thirty_features_fit_a_cookie_with_room_to_spare() -> None:
    features: dict[str, object] = {f"some.longer_feature_{n}": True for n in range(20)}
    features |= {f"metered.feature_{n}": {"limit": 1000, "remaining": 999, "resets_at": NOW} for n in range(10)}
    token = make_signer().sign_entitlements("usr_" + "a" * 40, "pro_annual", features, 123, NOW, NOW + 300)
    assert len(token) < 2500


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"aud": "bitsleuth-analyzer"}, id="another audience"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"iss": "dev"}, id="another issuer than its key's"),
        pytest.param({"exp": None}, id="no end"),
        pytest.param({"iat": None}, id="no start"),
        pytest.param({"nbf": None}, id="no not-before"),
        pytest.param({"sub": None}, id="no subject"),
        pytest.param({"sub": ""}, id="an empty subject"),
        pytest.param({"exp": str(NOW + 60)}, id="a text for a time"),
        pytest.param({"exp": True}, id="a truth for a time"),
        pytest.param({"exp": 1e300}, id="an endless time"),
    ],
)
def test_a_truly_signed_token_with_wrong_claims_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        make_signer().verify_session(forge(OURS, claims), NOW)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"kid": "k2"}, id="an unknown key"),
        pytest.param({"typ": "JWT"}, id="another type"),
        pytest.param({"typ": "entitlements+jwt"}, id="the other kind's type"),
        pytest.param({"crit": ["b64"]}, id="a critical extension"),
    ],
)
def test_a_truly_signed_token_with_a_wrong_header_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        make_signer().verify_session(forge(OURS, header=header), NOW)


@pytest.mark.parametrize(
    ("at", "accepted"), [(-LEEWAY, True), (-LEEWAY - 1, False), (60 + LEEWAY - 1, True), (60 + LEEWAY, False)]
)
def test_a_clock_may_be_a_little_off_and_no_more(at: int, accepted: bool) -> None:
    ours, token = make_signer(), forge(OURS)
    if accepted:
        assert ours.verify_session(token, NOW + at).user_id == "usr_1"
    else:
        with pytest.raises(NotAuthenticated):
            ours.verify_session(token, NOW + at)


def test_a_token_that_was_cached_still_ends() -> None:
    ours, token = make_signer(), forge(OURS)
    ours.verify_session(token, NOW)
    with pytest.raises(NotAuthenticated):
        ours.verify_session(token, NOW + 60 + LEEWAY)


def test_no_signature_is_no_token() -> None:
    head, body, _ = parts(forge(OURS))
    none = f"{b64(json.dumps({**head, 'alg': 'none'}).encode())}.{body}."
    with pytest.raises(NotAuthenticated):
        make_signer().verify_session(none, NOW)


def test_the_public_key_is_never_taken_for_a_shared_secret() -> None:
    head, body, _ = parts(forge(OURS))
    public = ECAlgorithm.from_jwk(make_signer().jwks()["keys"][0])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, json.dumps(make_signer().jwks()["keys"][0]).encode()):
        signed = f"{b64(json.dumps({**head, 'alg': 'HS256'}).encode())}.{body}"
        confused = f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}"
        with pytest.raises(NotAuthenticated):
            make_signer().verify_session(confused, NOW)


def test_any_changed_byte_is_noticed() -> None:
    token = forge(OURS)
    for at in range(0, len(token) - 1, 7):
        if token[at] == ".":
            continue
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(NotAuthenticated):
            make_signer().verify_session(changed, NOW)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "\ud800", "é.é.é", "x" * (MAX_TOKEN_CHARS + 1), "{}.{}.{}"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(NotAuthenticated):
        make_signer().verify_session(token, NOW)


def test_a_rotation_in_mid_flight_keeps_every_token_valid() -> None:
    new = generate_key_set("k2")
    before, announced, switched = make_signer(OURS), make_signer(OURS, new), make_signer(new, OURS)
    old_token, new_token = before.sign_session("usr_1", False, NOW, 60), switched.sign_session("usr_1", False, NOW, 60)
    for verifying in (announced, switched):
        assert verifying.verify_session(old_token, NOW).user_id == "usr_1"
        assert verifying.verify_session(new_token, NOW).user_id == "usr_1"
    with pytest.raises(NotAuthenticated):
        make_signer(new).verify_session(old_token, NOW)


def test_the_published_key_set_holds_no_private_part() -> None:
    assert [sorted(k) for k in make_signer().jwks()["keys"]] == [["alg", "crv", "kid", "kty", "use", "x", "y"]]
    assert Verifier({ISSUER: json.dumps(make_signer().jwks())}).verify_session(forge(OURS), NOW).user_id == "usr_1"


def test_a_public_key_set_cannot_sign() -> None:
    with pytest.raises(NotConfigured):
        Signer({ISSUER: json.dumps(make_signer().jwks())}, ISSUER)


@pytest.mark.parametrize(
    "text", ["{}", "[]", "nonsense", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AA", "kid": "x"}]}']
)
def test_a_key_set_without_usable_keys_is_a_fault_of_ours(text: str) -> None:
    with pytest.raises(NotConfigured):
        Verifier({ISSUER: text})


def settings(stage: str, **env: str) -> Settings:
    return Settings({"STAGE": stage, "TOKEN_SIGNING_KEYS": OURS, **env})


def test_the_development_issuer_works_outside_prod_for_its_own_key_only() -> None:
    checking = verifier(settings("local", DEV_TOKEN_KEYS=DEV))
    assert checking.verify_session(forge(DEV, {"iss": "dev"}, {"kid": "dev-1"}), NOW).user_id == "usr_1"
    with pytest.raises(NotAuthenticated):
        checking.verify_session(forge(DEV, {}, {"kid": "dev-1"}), NOW)


def test_the_development_issuer_cannot_be_enabled_in_prod() -> None:
    for make in (verifier, signer):
        with pytest.raises(NotConfigured):
            make(settings("prod", DEV_TOKEN_KEYS=DEV))
    with pytest.raises(NotConfigured):
        verifier(settings("prod", TOKEN_ISSUER="dev"))


def test_without_a_development_key_set_there_is_no_development_issuer() -> None:
    """The template names the secret on every stage but prod; whoever never fills it has no such issuer."""

    def fetch(name: str) -> str:
        raise NotConfigured(f"the secret {name} has no value yet")

    env = {"STAGE": "dev", "TOKEN_SIGNING_KEYS": OURS, "DEV_TOKEN_KEYS": "secretsmanager:dev"}
    checking = verifier(Settings(env, fetch_secret=fetch))
    assert checking.verify_session(forge(OURS), NOW).user_id == "usr_1"
    with pytest.raises(NotAuthenticated):
        checking.verify_session(forge(DEV, {"iss": "dev"}, {"kid": "dev-1"}), NOW)


def test_a_stack_that_only_checks_needs_only_public_keys() -> None:
    public = json.dumps(make_signer().jwks())
    checking = verifier(Settings({"STAGE": "prod", "TOKEN_PUBLIC_KEYS": public}))
    assert checking.verify_session(forge(OURS), NOW).user_id == "usr_1"


def test_missing_keys_are_an_error() -> None:
    with pytest.raises(NotConfigured):
        verifier(Settings({"STAGE": "local"}))


def test_a_rotation_reaches_a_running_process_with_the_next_reading_of_the_secret() -> None:
    secret, clock = {"keys": OURS}, [0.0]
    env = {"STAGE": "prod", "TOKEN_SIGNING_KEYS": "secretsmanager:keys"}
    running = Settings(env, fetch_secret=lambda name: secret["keys"], clock=lambda: clock[0])
    before = signer(running)
    assert signer(running) is before
    both = {"keys": [json.loads(keys)["keys"][0] for keys in (generate_key_set("k2"), OURS)]}
    secret["keys"] = json.dumps(both)
    clock[0] = 301.0
    token = signer(running).sign_session("usr_1", False, NOW, 60)
    assert jwt.get_unverified_header(token)["kid"] == "k2"
    assert verifier(running).verify_session(before.sign_session("usr_1", False, NOW, 60), NOW).user_id == "usr_1"


# --- beside the usual library -----------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)))
def test_what_one_signs_the_other_verifies(claims: dict[str, Any]) -> None:
    jwk = json.loads(OURS)["keys"][0]
    private, public = jws.private_key(jwk), jws.public_key(jwk)
    unchecked = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
    unchecked |= {"verify_sub": False, "verify_iss": False, "verify_jti": False}
    assert jwt.decode(jws.signed(claims, private, kid="k"), public, ["ES256"], unchecked) == claims  # type: ignore[arg-type]
    assert jws.verified(jwt.encode(claims, private, "ES256", {"kid": "k"}), public) == claims


def spare(letter: str) -> str:
    """A letter that says the same and sets a bit of those that say nothing."""
    return chr(ord(letter) + 1)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda head, body, last: f"{head}.{body}.{last}=", id="padded"),
        pytest.param(lambda head, body, last: f"{head}.{body}.{last}.", id="a fourth part"),
        pytest.param(lambda head, body, last: f"{head}\n.{body}.{last}", id="a line end"),
        pytest.param(lambda head, body, last: f"{head}.{body}.{last}\n", id="a line end at the end"),
        pytest.param(lambda head, body, last: f"{head}.{body}.{last[:-1] + spare(last[-1])}", id="spare bits"),
        pytest.param(lambda head, body, last: f"{head}.{body}.{b64(bytes(64))}", id="a signature of zeros"),
        pytest.param(lambda head, body, last: f"{head}.{body}.{b64(bytes(63))}", id="a short signature"),
        pytest.param(lambda head, body, last: f"{head}.{body}.{b64(b'0' * 71)}", id="a signature in DER's length"),
        pytest.param(lambda head, body, last: f"{b64(b'[]')}.{body}.{last}", id="a header that is a list"),
    ],
)
def test_a_token_is_written_in_one_way_only(change: Callable[..., str]) -> None:
    head, body, last = forge(OURS).split(".")
    with pytest.raises(NotAuthenticated):
        make_signer().verify_session(change(head, body, last), NOW)


def test_a_key_that_is_not_on_the_curve_is_refused() -> None:
    jwk = json.loads(OURS)["keys"][0]
    for wrong in ({"x": jwk["y"]}, {"x": b64(bytes(31))}, {"y": "!"}):
        with pytest.raises(NotConfigured):
            Verifier({"own": json.dumps({"keys": [jwk | wrong]})})
    other = json.loads(generate_key_set("k9"))["keys"][0]
    with pytest.raises(NotConfigured):
        Signer({"own": json.dumps({"keys": [jwk | {"d": other["d"]}]})}, "own")
