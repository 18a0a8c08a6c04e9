"""Complete, signed Lightning invoices (BOLT-11) of a node that does not exist, by default on regtest."""

import hashlib

from coincurve import PrivateKey

from billing.nostr import bech32

_PAYMENT_HASH, _EXPIRY, _SECRET, _DESCRIPTION, _FEATURES = 1, 6, 16, 13, 5
# The node's key: fixed, so that invoices are reproducible, and worthless.
NODE = PrivateKey(hashlib.sha256(b"the stand-in's node").digest())


def bolt11(
    *, msat: int, preimage: str, created_at: int, seconds: int, description: str = "", network: str = "bcrt"
) -> str:
    """An invoice that `preimage` settles, valid for `seconds`."""
    payment_hash = hashlib.sha256(bytes.fromhex(preimage)).digest()
    values = [
        *_number(created_at, 7),
        *_field(_PAYMENT_HASH, _five(payment_hash)),
        *_field(_SECRET, _five(hashlib.sha256(payment_hash).digest())),
        *_field(_DESCRIPTION, _five(description.encode())),
        *_field(_EXPIRY, _number(seconds)),
        *_field(_FEATURES, _number(1 << 14 | 1 << 9)),  # payment_secret required, var_onion_optin optional
    ]
    prefix = f"ln{network}{_amount(msat)}"
    signed = prefix.encode() + bytes(bech32.regroup(values, 5, 8, pad=True))
    return bech32.encode(prefix, [*values, *_five(NODE.sign_recoverable(signed))])


def _amount(msat: int) -> str:
    if not msat:
        return ""
    return f"{msat // 100}n" if msat % 100 == 0 else f"{msat * 10}p"


def _five(data: bytes) -> list[int]:
    return bech32.regroup(data, 8, 5, pad=True)


def _number(number: int, letters: int = 0) -> list[int]:
    values: list[int] = []
    while number or len(values) < letters:
        number, last = divmod(number, 32)
        values.insert(0, last)
    return values


def _field(kind: int, values: list[int]) -> list[int]:
    return [kind, *divmod(len(values), 32), *values]
