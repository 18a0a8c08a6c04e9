"""ES256 tokens in their compact form (RFC 7515, 7518) and P-256 keys as JWKs (RFC 7517), on `cryptography` alone.

A JWT library takes six times as long to load. This module accepts one algorithm only; the caller checks the claims.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

ALGORITHM = "ES256"
_BYTES = 32  # of a coordinate, and of each half of a signature
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


def header_of(token: str) -> dict[str, Any]:
    """The unverified header. Raises `ValueError` for anything that is not a token."""
    if not _COMPACT.fullmatch(token):
        raise ValueError("not three parts")
    return _object(token.partition(".")[0])


def verified(token: str, key: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    """The claims of a token signed with `key`. Raises `ValueError`."""
    header = header_of(token)
    if header.get("alg") != ALGORITHM or "crit" in header:
        raise ValueError("another algorithm, or an extension that we do not know")
    signed, _, last = token.rpartition(".")
    signature = _decoded(last)
    if len(signature) != 2 * _BYTES:
        raise ValueError("no signature of this algorithm")
    r, s = (int.from_bytes(half) for half in (signature[:_BYTES], signature[_BYTES:]))
    try:
        key.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise ValueError("not signed with this key") from error
    return _object(signed.partition(".")[2])


def signed(claims: Mapping[str, object], key: ec.EllipticCurvePrivateKey, **header: str) -> str:
    text = ".".join(_text(part) for part in ({"alg": ALGORITHM, **header}, claims))
    halves = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA256())))
    return f"{text}.{_encoded(b''.join(half.to_bytes(_BYTES) for half in halves))}"


def public_key(jwk: Mapping[str, str]) -> ec.EllipticCurvePublicKey:
    """Raises `ValueError` for a point that is not on the curve."""
    return _numbers(jwk).public_key()


def private_key(jwk: Mapping[str, str]) -> ec.EllipticCurvePrivateKey:
    """Raises `ValueError` when private and public part do not match, and `KeyError` without a private part."""
    return ec.EllipticCurvePrivateNumbers(_number(jwk["d"]), _numbers(jwk)).private_key()


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {"kty": "EC", "crv": "P-256", **{n: _coordinate(getattr(numbers, n)) for n in ("x", "y")}}


def new_jwk() -> dict[str, str]:
    """A new key pair."""
    key = ec.generate_private_key(ec.SECP256R1())
    return {**public_jwk(key.public_key()), "d": _coordinate(key.private_numbers().private_value)}


def _numbers(jwk: Mapping[str, str]) -> ec.EllipticCurvePublicNumbers:
    return ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), ec.SECP256R1())


def _coordinate(value: int) -> str:
    return _encoded(value.to_bytes(_BYTES))


def _number(text: str) -> int:
    data = _decoded(text)
    if len(data) != _BYTES:
        raise ValueError("not as long as a coordinate of P-256")
    return int.from_bytes(data)


def _object(text: str) -> dict[str, Any]:
    parsed = json.loads(_decoded(text))
    if not isinstance(parsed, dict):
        raise ValueError("not a JSON object")
    return parsed


def _text(part: Mapping[str, object]) -> str:
    return _encoded(json.dumps(part, separators=(",", ":")).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    if _encoded(data) != text:
        raise ValueError("not the one way to write these bytes")
    return data
