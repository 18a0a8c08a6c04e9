"""NIP-98 proofs with real signatures, and what makes one worthless."""

import base64
import hashlib
import json
from typing import Any

import pytest
from coincurve import PrivateKey, PublicKeyXOnly

from billing.errors import NotAuthenticated
from billing.identity.nostr import verify
from billing.nostr.events import digest_of

NOW = 1_800_000_000
URL = "https://billing.example/auth/nostr"
KEY = PrivateKey(bytes(31) + b"\x07")
PUBLIC = PublicKeyXOnly.from_secret(KEY.secret).format().hex()

FROM_A_BROWSER = (
    "eyJwdWJrZXkiOiI4NGJmNzU2MjI2MmJiZDY5NDAwODU3NDhmM2JlNmFmYTUyYWUzMTcxNTUxODFlY2UzMWI2NjM1MWNjZmZhNGIw"
    "IiwiY3JlYXRlZF9hdCI6MTgwMDAwMDAwMCwia2luZCI6MjcyMzUsInRhZ3MiOltbInUiLCJodHRwczovL2JpbGxpbmcuZXhhbXBs"
    "ZS9hdXRoL25vc3RyIl0sWyJtZXRob2QiLCJwb3N0Il0sWyJwYXlsb2FkIiwiNDQxMzZmYTM1NWIzNjc4YTExNDZhZDE2ZjdlODY0"
    "OWU5NGZiNGZjMjFmZTc3ZTgzMTBjMDYwZjYxY2FhZmY4YSJdXSwiY29udGVudCI6IsO8bsOvIOKAqCBcInF1b3RlXCIgXFwgXG5c"
    "dFxiXGZcdTAwMGIg8J+UkSIsImlkIjoiMDIwMWJkYzhhMTk3NzRjNjRkZTIzNmRmMjIyODQwY2FhYzJmYjdjNjZhNDQwZjM0ZmFl"
    "ZDY4YTRmMTU5NTZkNSIsInNpZyI6Ijk3ODdjMDA1NjAzOWM4YjI2NDkwZmE2NDM1ZjY3ODgxNzg4YThkNGQ0MTY4MjY1NGVkYjJj"
    "NzBkOWJmOTdlNGU4MGJiZjBjMTY3ZjhkMmRhOWY4OGY1YTcwNWNiZDc1ZWFiZTBmYjc5YjdiMDdmMjBjNGVjOTBiNGMyZWZkNGJm"
    "In0="
)


def event(body: bytes = b"", key: PrivateKey = KEY, **changes: Any) -> dict[str, Any]:
    tags = [["u", URL], ["method", "POST"], *([["payload", hashlib.sha256(body).hexdigest()]] if body else [])]
    made = {
        "pubkey": PublicKeyXOnly.from_secret(key.secret).format().hex(),
        "created_at": NOW,
        "kind": 27235,
        "tags": tags,
        "content": "",
        **changes,
    }
    made["id"] = digest_of(*(made[name] for name in ("pubkey", "created_at", "kind", "tags", "content"))).hex()
    made["sig"] = key.sign_schnorr(bytes.fromhex(made["id"])).hex()
    return made


def header(signed: Any) -> str:
    return "Nostr " + base64.b64encode(json.dumps(signed).encode()).decode()


def check(authorization: str, body: bytes = b"", now: int = NOW) -> str:
    return verify(authorization, "POST", URL, body, now).public_key


def test_a_signed_call_proves_its_key() -> None:
    assert check(header(event())) == PUBLIC


def test_an_event_signed_in_a_browser_by_other_libraries_is_understood() -> None:
    """JSON.stringify, SHA-256 and @noble/curves made it; its content has every kind of escape."""
    assert check(f"Nostr {FROM_A_BROWSER}", b"{}")


def test_a_vector_of_bip_340_verifies_and_its_negation_does_not() -> None:
    """Vector 1 of the BIP: the signature check itself is not our invention."""
    public = bytes.fromhex("DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659")
    message = bytes.fromhex("243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89")
    signature = bytes.fromhex(
        "6896BD60EEAE296DB48A229FF71DFE071BDE413E6D43F917DC8DCF8C78DE33418906D11AC976ABCCB20B091292BFF4EA897EFCB639EA871CFA95F6DE339E4B0A"
    )
    assert PublicKeyXOnly(public).verify(signature, message)
    assert not PublicKeyXOnly(public).verify(signature[:-1] + b"\x0b", message)


@pytest.mark.parametrize("method", ["post", "Post", "POST"])
def test_the_method_may_be_written_in_any_case(method: str) -> None:
    assert check(header(event(tags=[["u", URL], ["method", method]]))) == PUBLIC


@pytest.mark.parametrize("content", ["", "ünï ☂ \U0001f511", 'quote " backslash \\ newline \n tab \t'])
def test_the_id_is_the_one_other_clients_compute(content: str) -> None:
    assert check(header(event(content=content))) == PUBLIC


@pytest.mark.parametrize(("off", "accepted"), [(-60, True), (60, True), (-61, False), (61, False)])
def test_a_proof_holds_for_a_minute_either_way(off: int, accepted: bool) -> None:
    if accepted:
        assert check(header(event()), now=NOW + off) == PUBLIC
    else:
        with pytest.raises(NotAuthenticated):
            check(header(event()), now=NOW + off)


def test_the_raw_body_is_covered() -> None:
    body = b'{"link_to": "x"}'
    assert check(header(event(body)), body) == PUBLIC
    with pytest.raises(NotAuthenticated):
        check(header(event(body)), b'{"link_to":"x"}')
    with pytest.raises(NotAuthenticated):
        check(header(event()), body)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"kind": 1}, id="another kind of event"),
        pytest.param({"kind": True}, id="a truth for a kind"),
        pytest.param({"created_at": NOW + 0.5}, id="half a second"),
        pytest.param({"tags": [["u", URL + "/"], ["method", "POST"]]}, id="a trailing slash"),
        pytest.param({"tags": [["u", URL.replace("https", "http")], ["method", "POST"]]}, id="another scheme"),
        pytest.param({"tags": [["u", "https://evil.example/auth/nostr"], ["method", "POST"]]}, id="another host"),
        pytest.param({"tags": [["u", URL], ["method", "GET"]]}, id="another method"),
        pytest.param({"tags": [["method", "POST"]]}, id="no address"),
        pytest.param({"tags": [["u", URL]]}, id="no method"),
        pytest.param({"tags": [["u", URL], ["u", "https://evil.example"], ["method", "POST"]]}, id="two addresses"),
        pytest.param({"tags": [["u"], ["method", "POST"]]}, id="an empty tag"),
        pytest.param({"tags": [["u", 1], ["method", "POST"]]}, id="a number in a tag"),
        pytest.param({"tags": [["t", "x"]] * 17 + [["u", URL], ["method", "POST"]]}, id="too many tags"),
    ],
)
def test_a_truly_signed_event_that_says_something_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        check(header(event(**changes)))


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"sig": "00" * 64}, id="no signature"),
        pytest.param({"pubkey": "ff" * 32}, id="a key that is no point"),
        pytest.param({"pubkey": PUBLIC.upper()}, id="a key in capitals"),
        pytest.param({"id": "00" * 32}, id="another id, to be replayed under"),
        pytest.param({"content": "changed afterwards"}, id="changed content"),
        pytest.param({"created_at": NOW - 1}, id="changed time"),
    ],
)
def test_what_was_changed_after_signing_is_refused(forged: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        check(header({**event(), **forged}))


def test_somebody_elses_signature_is_refused() -> None:
    stranger = event(key=PrivateKey(bytes(31) + b"\x09"))
    with pytest.raises(NotAuthenticated):
        check(header({**stranger, "pubkey": PUBLIC}))


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Nostr",
        "Nostr ",
        "Nostr %%%",
        "Bearer abc",
        header([]),
        header(None),
        header("x"),
        header({}),
        "Nostr " + "A" * 5000,
    ],
)
def test_what_is_no_event_is_refused(authorization: str) -> None:
    with pytest.raises(NotAuthenticated):
        check(authorization)
