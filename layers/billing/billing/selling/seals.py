"""Who redeemed a voucher, sealed: a reader of the table learns nothing, and whoever has the secret can end it."""

import base64
import hmac
import os
from collections.abc import Sequence

_NONCE = 12


def seal(secret: str, voucher_id: str, user_id: str, redemption_id: str) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    sealed = AESGCM(_key(secret, voucher_id)).encrypt(nonce, f"{redemption_id} {user_id}".encode(), voucher_id.encode())
    return base64.b64encode(nonce + sealed).decode()


def unseal(secrets: Sequence[str], voucher_id: str, sealed: str) -> tuple[str, str] | None:
    """The user and the redemption's id; None when it was sealed with a secret that is none of these any more."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    raw = base64.b64decode(sealed)
    for secret in secrets:
        try:
            opened = AESGCM(_key(secret, voucher_id)).decrypt(raw[:_NONCE], raw[_NONCE:], voucher_id.encode())
        except InvalidTag:
            continue
        redemption_id, _, user_id = opened.decode().partition(" ")
        return user_id, redemption_id
    return None


def _key(secret: str, voucher_id: str) -> bytes:
    return hmac.digest(secret.encode(), f"voucher-holder:{voucher_id}".encode(), "sha256")
