"""Envelope encryption of texts with a key in KMS: each text under a data key of its own.

KMS returns a data key in plain and encrypted. The text is encrypted with the plain one (AES-256-GCM), which is then
dropped; the encrypted one is stored beside the text, and KMS decrypts it when the text is read. `about` is the
authenticated context of both: what was sealed for one thing cannot be opened for another.
"""

import base64
import json
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from billing.aws import Aws, AwsError
from billing.data import dataclass

_NONCE = 12
# KMS's errors for: another key, another context, or not a ciphertext.
_NOT_OURS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class CannotOpen(Exception):
    """Sealed for another context or by another key, or changed since."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Both in base64, and of no use without KMS."""

    content: str
    data_key: str = ""


class Sealer:
    def __init__(self, aws: Aws, key_id: str) -> None:
        self._aws = aws
        self._key_id = key_id

    def seal(self, text: str, about: Mapping[str, str]) -> Sealed:
        made = self._aws.call(
            "kms", "generate_data_key", KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=dict(about)
        )
        return Sealed(encrypted(base64.b64decode(made["Plaintext"]), text, _bound(about)), made["CiphertextBlob"])

    def open(self, sealed: Sealed, about: Mapping[str, str]) -> str:
        """Raises `CannotOpen`."""
        try:
            answer = self._aws.call(
                "kms",
                "decrypt",
                KeyId=self._key_id,
                CiphertextBlob=sealed.data_key,
                EncryptionContext=dict(about),
            )
        except AwsError as refused:
            if refused.code in _NOT_OURS:
                raise CannotOpen(refused.code) from refused
            raise
        return decrypted(base64.b64decode(answer["Plaintext"]), sealed.content, _bound(about))


def encrypted(key: bytes, text: str, about: bytes) -> str:
    """By AES-GCM, as base64 with its nonce before it."""
    nonce = os.urandom(_NONCE)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, text.encode(), about)).decode()


def decrypted(key: bytes, content: str, about: bytes) -> str:
    """The inverse of `encrypted`. Raises `CannotOpen`."""
    raw = base64.b64decode(content)
    try:
        return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], about).decode()
    except InvalidTag as changed:
        raise CannotOpen("the text was changed, or sealed for something else") from changed


def _bound(about: Mapping[str, str]) -> bytes:
    return json.dumps(dict(about), sort_keys=True, separators=(",", ":")).encode()
