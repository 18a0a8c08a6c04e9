"""NIP-44 held to its published vectors, and NIP-04 to what it must survive."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from billing.nostr import encryption
from billing.nostr.encryption import CannotRead
from billing.nostr.keys import Key

FILE = Path(__file__).parent / "vectors" / "nip44.vectors.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text())["v2"]
VALID, INVALID = VECTORS["valid"], VECTORS["invalid"]


def key(secret: str) -> Key:
    return Key(bytes.fromhex(secret))


def test_these_are_the_published_vectors() -> None:
    published = "269ed0f69e4c192512cc779e78c555090cebc7c785b609e338a62afc3ce25040"
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == published


@pytest.mark.parametrize("case", VALID["get_conversation_key"])
def test_conversation_key(case: dict[str, str]) -> None:
    assert encryption.conversation_key(key(case["sec1"]), case["pub2"]).hex() == case["conversation_key"]


@pytest.mark.parametrize("case", INVALID["get_conversation_key"], ids=lambda case: case["note"])
def test_no_conversation_with_what_is_no_key(case: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        encryption.conversation_key(key(case["sec1"]), case["pub2"])


@pytest.mark.parametrize("case", VALID["get_message_keys"]["keys"])
def test_message_keys(case: dict[str, str]) -> None:
    conversation = bytes.fromhex(VALID["get_message_keys"]["conversation_key"])
    found = encryption.message_keys(conversation, bytes.fromhex(case["nonce"]))
    assert [part.hex() for part in found] == [case["chacha_key"], case["chacha_nonce"], case["hmac_key"]]


@pytest.mark.parametrize(("length", "padded"), VALID["calc_padded_len"])
def test_padding(length: int, padded: int) -> None:
    assert encryption.padded_length(length) == padded


@pytest.mark.parametrize("case", VALID["encrypt_decrypt"])
def test_encrypted_as_published_and_read_by_the_other_side(case: dict[str, str]) -> None:
    ours, theirs = key(case["sec1"]), key(case["sec2"])
    conversation = encryption.conversation_key(ours, theirs.public)
    assert conversation.hex() == case["conversation_key"]
    assert encryption.encrypt_with(case["plaintext"], conversation, bytes.fromhex(case["nonce"])) == case["payload"]
    assert encryption.decrypt(case["payload"], theirs, ours.public) == case["plaintext"]


@pytest.mark.parametrize("case", VALID["encrypt_decrypt_long_msg"])
def test_long_texts(case: dict[str, Any]) -> None:
    text, conversation = case["pattern"] * case["repeat"], bytes.fromhex(case["conversation_key"])
    assert hashlib.sha256(text.encode()).hexdigest() == case["plaintext_sha256"]
    payload = encryption.encrypt_with(text, conversation, bytes.fromhex(case["nonce"]))
    assert hashlib.sha256(payload.encode()).hexdigest() == case["payload_sha256"]
    assert encryption.decrypt_with(payload, conversation) == text


@pytest.mark.parametrize("length", INVALID["encrypt_msg_lengths"])
def test_lengths_that_cannot_be_encrypted(length: int) -> None:
    with pytest.raises(ValueError, match="bytes can be encrypted"):
        encryption.encrypt_with("x" * length, bytes(32), bytes(32))


@pytest.mark.parametrize("case", INVALID["decrypt"], ids=lambda case: case["note"])
def test_what_was_changed_on_the_way_is_not_read(case: dict[str, str]) -> None:
    with pytest.raises(CannotRead):
        encryption.decrypt_with(case["payload"], bytes.fromhex(case["conversation_key"]))


@pytest.mark.parametrize("text", ["a", "£" * 15, "sixteen bytes!!!", "ü🎉\u2028\x00", "x" * 60_000])
def test_nip04_pads_bytes_and_not_letters(text: str) -> None:
    ours, theirs = Key.new(), Key.new()
    assert encryption.decrypt_nip04(encryption.encrypt_nip04(text, ours, theirs.public), theirs, ours.public) == text


@pytest.mark.parametrize(
    "payload", ["", "?iv=", "AAAA", "AAAA?iv=AAAA", "a?iv=b?iv=c", "é?iv=é", "A" * 100_000 + "?iv=" + "A" * 24]
)
def test_what_is_no_nip04_is_not_read(payload: str) -> None:
    with pytest.raises(CannotRead):
        encryption.decrypt_nip04(payload, Key.new(), Key.new().public)
    with pytest.raises(CannotRead):
        encryption.decrypt(payload, Key.new(), Key.new().public)
