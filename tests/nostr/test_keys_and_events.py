"""Keys, signatures and event ids, held to BIP-340's vectors and NIP-01's rules."""

import csv
import hashlib
from pathlib import Path
from typing import Any

import pytest

from billing.nostr import bech32, keys
from billing.nostr.events import BadEvent, digest_of, read, signed
from billing.nostr.keys import Key, is_public, npub, plain, verified

with (Path(__file__).parent / "vectors" / "bip340.csv").open() as file:
    # What is signed in Nostr are hashes: 32 bytes.
    ROWS = [row for row in csv.DictReader(file) if len(row["message"]) == 64]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['index']} {row['comment']}".strip())
def test_bip_340(row: dict[str, str]) -> None:
    digest = bytes.fromhex(row["message"])
    valid = row["verification result"] == "TRUE"
    assert verified(row["public key"], digest, row["signature"]) is valid
    if row["secret key"]:
        key = Key(bytes.fromhex(row["secret key"]))
        assert key.public == row["public key"].lower()
        assert verified(key.public, digest, key.sign(digest))


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32, b"\x01" * 31, b"\x01" * 33])
def test_what_is_no_secret_key(secret: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Key(secret)


def test_a_key_prints_no_secret_and_equals_itself() -> None:
    key = Key.new()
    assert key.secret not in f"{key!r} {key}"
    assert key == Key(bytes.fromhex(key.secret))
    assert key != Key.new()


def test_keys_as_nip_19_writes_them() -> None:
    """The pair that NIP-19 gives as its example."""
    public = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
    text = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
    assert plain(text, "npub") == plain(text.upper(), "npub") == plain(public, "npub") == public
    assert npub(public) == text
    secret = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
    assert plain("nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5", "nsec") == secret


@pytest.mark.parametrize(
    "text",
    [
        "",
        "npub1",
        "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjpth",  # its checksum
        "Npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg",
        "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5",
        "7e7e",
        bech32.encode("npub", bech32.regroup(bytes(31), 8, 5, pad=True)),
    ],
)
def test_what_is_no_public_key(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        plain(text, "npub")


@pytest.mark.parametrize("text", ["F" * 64, "f" * 64, "0" * 64, "", None, "g" * 64])
def test_hex_that_is_no_point(text: object) -> None:
    assert not is_public(text)


def test_an_id_is_the_hash_of_the_canonical_text() -> None:
    """As NIP-01 spells it: no spaces, these seven characters escaped, all others as they are."""
    content = '\n"\\\r\t\b\f /é 🎉\u2028\x7f<&>'
    escaped = '\\n\\"\\\\\\r\\t\\b\\f /é 🎉\u2028\x7f<&>'
    public = Key.new().public
    text = f'[0,"{public}",1700000000,1,[["e","ä"],["p"]],"{escaped}"]'
    assert digest_of(public, 1_700_000_000, 1, [["e", "ä"], ["p"]], content) == hashlib.sha256(text.encode()).digest()


def test_half_a_letter_cannot_be_signed() -> None:
    with pytest.raises(BadEvent):
        signed(Key.new(), 1, "\ud83d", [], 1)


@pytest.fixture
def event() -> dict[str, Any]:
    return signed(Key.new(), 1, "text", [["e", "x", "y"], ["e"], ["p", "z"]], 1_700_000_000).as_json()


def test_a_genuine_event_is_read(event: dict[str, Any]) -> None:
    found = read(event)
    assert found.as_json() == event
    assert (found.values("e"), found.values("p"), found.values("q")) == (["x"], ["z"], [])


@pytest.mark.parametrize(
    "change",
    [
        {"content": "other"},
        {"kind": 2},
        {"created_at": 1},
        {"tags": []},
        {"id": "0" * 64},
        {"pubkey": "0" * 64},
        {"pubkey": Key.new().public},
        {"sig": "0" * 128},
        {"sig": "0" * 126},
        {"kind": True},
        {"kind": "1"},
        {"created_at": 1.5},
        {"created_at": -1},
        {"created_at": 2**60},
        {"content": None},
        {"tags": [["e", 1]]},
        {"tags": ["e"]},
        {"tags": None},
        {"tags": [["e"]] * 3000},
        {"content": "\ud83d"},
    ],
)
def test_what_was_changed_or_is_none(event: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(BadEvent):
        read(event | change)


def test_upper_case_hex_is_another_text(event: dict[str, Any]) -> None:
    with pytest.raises(BadEvent):
        read(event | {"id": event["id"].upper().replace("0", "A")})


@pytest.mark.parametrize("found", [None, [], "event", 1, {}])
def test_what_is_no_event(found: object) -> None:
    with pytest.raises(BadEvent):
        read(found)


def test_only_lower_case_is_hex() -> None:
    assert keys.is_hex("ab", 2)
    assert not keys.is_hex("AB", 2)
    assert not keys.is_hex("abc", 2)
