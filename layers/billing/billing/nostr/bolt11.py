"""Reads a Lightning invoice (BOLT-11): what it asks for, how long it lives, and that somebody signed it."""

import hashlib
import re

from coincurve import PublicKey

from billing.data import dataclass
from billing.nostr import bech32

# By the prefix that follows "ln"; longer ones first, "bc" begins "bcrt" too.
NETWORKS = {"bcrt": "regtest", "bc": "mainnet", "tbs": "signet", "tb": "testnet"}
_PREFIX = re.compile(rf"ln({'|'.join(NETWORKS)})(?:([1-9][0-9]*)([munp]?))?")
# How many millisatoshis one of the unit is; of a pico-bitcoin, a tenth.
_MSAT = {"": 100_000_000_000, "m": 100_000_000, "u": 100_000, "n": 100}
_DEFAULT_EXPIRY = 3600
_SIGNATURE = 104
_TIMESTAMP = 7
# Fields of a fixed length, by type, in 5-bit values.
_FIXED = {1: 52, 16: 52, 23: 52, 19: 53}
_PAYMENT_HASH, _DESCRIPTION, _DESCRIPTION_HASH, _EXPIRY, _FEATURES, _PAYEE, _SECRET = 1, 13, 23, 6, 5, 19, 16
# Features up to here have a meaning. A payer may not pay where an even one is asked for that nobody knows.
_KNOWN_FEATURES = 64
_LONGEST = 7_089  # what one QR code can hold
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class BadInvoice(ValueError):
    """Not an invoice that a wallet would pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bolt11:
    """`network` is mainnet, testnet, signet or regtest; `amount_msat` None when the payer is to choose."""

    network: str
    amount_msat: int | None
    created_at: int
    expires_at: int
    payment_hash: str
    payee: str

    def proves(self, preimage: object) -> bool:
        """Whether this is the secret that only a payment of this invoice brings to light."""
        if not isinstance(preimage, str) or not re.fullmatch(r"[0-9a-fA-F]{64}", preimage):
            return False
        return hashlib.sha256(bytes.fromhex(preimage)).hexdigest() == self.payment_hash


def decode(text: str) -> Bolt11:
    """Raises `BadInvoice`."""
    if len(text) > _LONGEST:
        raise BadInvoice("too long")
    try:
        prefix, values = bech32.decode(text.strip())
    except ValueError as error:
        raise BadInvoice(str(error)) from None
    match = _PREFIX.fullmatch(prefix)
    if not match:
        raise BadInvoice("not an invoice of a network that we know, or not of an amount")
    if len(values) < _TIMESTAMP + _SIGNATURE:
        raise BadInvoice("too short")
    network, amount, unit = match.groups()
    created_at = _number(values[:_TIMESTAMP])
    fields = _fields(values[_TIMESTAMP:-_SIGNATURE])
    if _PAYMENT_HASH not in fields or _SECRET not in fields:
        raise BadInvoice("no payment hash, or no payment secret")
    if (_DESCRIPTION in fields) == (_DESCRIPTION_HASH in fields):
        raise BadInvoice("there must be a description or its hash")
    features = _number(fields.get(_FEATURES, []))
    if any(features >> bit & 1 for bit in range(_KNOWN_FEATURES, features.bit_length(), 2)):
        raise BadInvoice("it asks for a feature that nobody knows")
    return Bolt11(
        network=NETWORKS[network],
        amount_msat=_msat(amount, unit),
        created_at=created_at,
        expires_at=created_at + (_number(fields[_EXPIRY]) if _EXPIRY in fields else _DEFAULT_EXPIRY),
        payment_hash=_bytes(fields[_PAYMENT_HASH]).hex(),
        payee=_payee(prefix, values, fields.get(_PAYEE)),
    )


def _msat(amount: str | None, unit: str) -> int | None:
    if amount is None:
        return None
    if unit == "p":
        if amount[-1] != "0":
            raise BadInvoice("less than a millisatoshi")
        return int(amount) // 10
    return int(amount) * _MSAT[unit]


def _fields(values: list[int]) -> dict[int, list[int]]:
    """The tagged fields by their type; of several the first, and none of a wrong length."""
    fields: dict[int, list[int]] = {}
    at = 0
    while at < len(values):
        if at + 3 > len(values):
            raise BadInvoice("it ends within a field")
        kind, length = values[at], values[at + 1] << 5 | values[at + 2]
        data = values[at + 3 : at + 3 + length]
        if len(data) != length:
            raise BadInvoice("it ends within a field")
        if _FIXED.get(kind, length) == length:
            fields.setdefault(kind, data)
        at += 3 + length
    return fields


def _payee(prefix: str, values: list[int], named: list[int] | None) -> str:
    """The public key that signed."""
    signature = _bytes(values[-_SIGNATURE:])
    signed = prefix.encode() + bytes(bech32.regroup(values[:-_SIGNATURE], 5, 8, pad=True))
    try:
        payee = bytes(PublicKey.from_signature_and_message(signature, signed).format())
    except Exception:  # noqa: BLE001  the library raises Exception itself where nothing can be recovered
        raise BadInvoice("the signature is of no key") from None
    if named is not None:
        high = int.from_bytes(signature[32:64], "big") > _HALF_ORDER
        if high or _bytes(named) != payee:
            raise BadInvoice("the signature is not of the key that it names")
    return payee.hex()


def _number(values: list[int]) -> int:
    number = 0
    for value in values:
        number = number << 5 | value
    return number


def _bytes(values: list[int]) -> bytes:
    """Whole bytes; what is over is padding."""
    return bytes(bech32.regroup(values, 5, 8, pad=True)[: len(values) * 5 // 8])
