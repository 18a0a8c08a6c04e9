"""Encryption between two keys: NIP-44 version 2, and NIP-04, the only one that some wallets know.

NIP-04 is not authenticated: decrypt only what an event's signature covers.
"""

import base64
import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from billing.nostr.keys import Key

# The longest text, in bytes of UTF-8. Newer writings of NIP-44 allow more, with another length prefix; nothing of ours
# is near it.
LONGEST = 65_535
_LONGEST_PAYLOAD = 90_000


class CannotRead(ValueError):
    """Not encrypted for us, changed on the way, or of another version."""


# --- NIP-44 ----------------------------------------------------------------------------------------------------------


def encrypt(text: str, key: Key, public: str) -> str:
    return encrypt_with(text, conversation_key(key, public), os.urandom(32))


def decrypt(payload: str, key: Key, public: str) -> str:
    """Raises `CannotRead`."""
    return decrypt_with(payload, conversation_key(key, public))


def conversation_key(key: Key, public: str) -> bytes:
    """The same for both sides. Raises `CannotRead` when `public` is no key."""
    try:
        return hmac.digest(b"nip44-v2", key.shared(public), hashlib.sha256)
    except ValueError:
        raise CannotRead("not a public key") from None


def encrypt_with(text: str, conversation: bytes, nonce: bytes) -> str:
    """`nonce`: 32 bytes that are used once."""
    plain = text.encode()
    if not 1 <= len(plain) <= LONGEST:
        raise ValueError(f"only texts of 1 to {LONGEST} bytes can be encrypted")
    stream_key, stream_nonce, mac_key = message_keys(conversation, nonce)
    padded = len(plain).to_bytes(2, "big") + plain.ljust(padded_length(len(plain)), b"\0")
    sealed = _stream(stream_key, stream_nonce, padded)
    mac = hmac.digest(mac_key, nonce + sealed, hashlib.sha256)
    return base64.b64encode(b"\x02" + nonce + sealed + mac).decode()


def decrypt_with(payload: str, conversation: bytes) -> str:
    if not 132 <= len(payload) <= _LONGEST_PAYLOAD or payload.startswith("#"):
        raise CannotRead("not of a version that we know")
    try:
        data = base64.b64decode(payload, validate=True)
    except ValueError:
        raise CannotRead("not base64") from None
    if len(data) < 99 or data[0] != 2:
        raise CannotRead("not of a version that we know")
    nonce, sealed, mac = data[1:33], data[33:-32], data[-32:]
    stream_key, stream_nonce, mac_key = message_keys(conversation, nonce)
    if not hmac.compare_digest(mac, hmac.digest(mac_key, nonce + sealed, hashlib.sha256)):
        raise CannotRead("for another key, or changed on the way")
    padded = _stream(stream_key, stream_nonce, sealed)
    length = int.from_bytes(padded[:2], "big")
    plain = padded[2 : 2 + length]
    if not length or len(plain) != length or len(padded) != 2 + padded_length(length):
        raise CannotRead("the padding is not right")
    try:
        return plain.decode()
    except UnicodeDecodeError:
        raise CannotRead("not text") from None


def message_keys(conversation: bytes, nonce: bytes) -> tuple[bytes, bytes, bytes]:
    """ChaCha20's key and nonce, and the key of the authentication code."""
    keys = HKDFExpand(algorithm=SHA256(), length=76, info=nonce).derive(conversation)
    return keys[:32], keys[32:44], keys[44:]


def padded_length(length: int) -> int:
    """To how many bytes a text of so many is padded, to hide its exact length."""
    if length <= 32:
        return 32
    next_power = 1 << (length - 1).bit_length()
    chunk = 32 if next_power <= 256 else next_power // 8
    return chunk * ((length - 1) // chunk + 1)


def _stream(key: bytes, nonce: bytes, data: bytes) -> bytes:
    # The library's nonce begins with the block counter, 4 bytes.
    encryptor = Cipher(algorithms.ChaCha20(key, bytes(4) + nonce), mode=None).encryptor()
    return encryptor.update(data) + encryptor.finalize()


# --- NIP-04 ----------------------------------------------------------------------------------------------------------


def encrypt_nip04(text: str, key: Key, public: str) -> str:
    plain, iv = text.encode(), os.urandom(16)
    pad = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(key.shared(public)), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
    return f"{base64.b64encode(sealed).decode()}?iv={base64.b64encode(iv).decode()}"


def decrypt_nip04(payload: str, key: Key, public: str) -> str:
    """Raises `CannotRead`."""
    try:
        sealed, iv = (base64.b64decode(part, validate=True) for part in payload.split("?iv="))
        if len(payload) > _LONGEST_PAYLOAD:
            raise ValueError("too long")
        decryptor = Cipher(algorithms.AES(key.shared(public)), modes.CBC(iv)).decryptor()
        plain = decryptor.update(sealed) + decryptor.finalize()
        pad = plain[-1] if plain else 0
        if not 1 <= pad <= 16 or plain[-pad:] != bytes([pad]) * pad:
            raise ValueError("the padding is not right")
        return plain[:-pad].decode()
    except ValueError:
        raise CannotRead("for another key, or changed on the way") from None
