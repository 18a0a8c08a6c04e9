"""Who redeemed a voucher, encrypted: not readable from the table alone; with the secret the redemption can be ended."""

import hmac
from collections.abc import Sequence


def seal(secret: str, voucher_id: str, user_id: str, redemption_id: str) -> str:
    from billing.sealing import encrypted

    return encrypted(_key(secret, voucher_id), f"{redemption_id} {user_id}", voucher_id.encode())


def unseal(secrets: Sequence[str], voucher_id: str, sealed: str) -> tuple[str, str] | None:
    """The user and the redemption's id; None when it was sealed with a secret that we no longer have."""
    from billing.sealing import CannotOpen, decrypted

    for secret in secrets:
        try:
            opened = decrypted(_key(secret, voucher_id), sealed, voucher_id.encode())
        except CannotOpen:
            continue
        redemption_id, _, user_id = opened.partition(" ")
        return user_id, redemption_id
    return None


def _key(secret: str, voucher_id: str) -> bytes:
    return hmac.digest(secret.encode(), f"voucher-holder:{voucher_id}".encode(), "sha256")
