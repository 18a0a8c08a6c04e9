"""Keys of Nostr: secp256k1, public keys by their X coordinate alone, Schnorr signatures (BIP-340)."""

from coincurve import PrivateKey, PublicKey, PublicKeyXOnly

from billing.nostr import bech32

_HEX = frozenset("0123456789abcdef")


def is_hex(text: object, chars: int) -> bool:
    """Lower case only: Nostr compares keys and ids as text."""
    return isinstance(text, str) and len(text) == chars and _HEX.issuperset(text)


class Key:
    """A secret key; printing it does not show the secret."""

    __slots__ = ("_private", "public")

    def __init__(self, secret: bytes) -> None:
        """`ValueError` when the 32 bytes are no secret key of the curve."""
        if len(secret) != 32:
            raise ValueError("a secret key has 32 bytes")
        self._private = PrivateKey(secret)
        self.public: str = self._private.public_key_xonly.format().hex()

    @classmethod
    def new(cls) -> "Key":
        return cls(PrivateKey().secret)

    @property
    def secret(self) -> str:
        return bytes(self._private.secret).hex()

    def sign(self, digest: bytes, *, again: bool = False) -> str:
        """`again`: without chance, so that the same digest has the same signature."""
        return bytes(self._private.sign_schnorr(digest, None if again else b"")).hex()  # type: ignore[arg-type]

    def shared(self, public: str) -> bytes:
        """The X coordinate of the point that both sides can compute, unhashed. `ValueError` for no point."""
        point = PublicKey(b"\x02" + bytes.fromhex(public)).multiply(self._private.secret)
        return bytes(point.format()[1:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.public == other.public

    def __hash__(self) -> int:
        return hash(self.public)

    def __repr__(self) -> str:
        return f"Key({self.public[:8]}…)"


def verified(public: str, digest: bytes, signature: str) -> bool:
    """Whether the holder of `public` signed these 32 bytes."""
    try:
        return bool(PublicKeyXOnly(bytes.fromhex(public)).verify(bytes.fromhex(signature), digest))
    except ValueError:  # no point of the curve, or not hex
        return False


def is_public(text: object) -> bool:
    """Whether it is the X coordinate of a point, in hex."""
    if not is_hex(text, 64):
        return False
    try:
        PublicKeyXOnly(bytes.fromhex(str(text)))
    except ValueError:
        return False
    return True


def pasted(text: str) -> str:
    """Without the spaces, line breaks and invisible marks that come along when a text is copied."""
    return "".join(sign for sign in text if sign.isprintable() and not sign.isspace())


def plain(text: str, prefix: str) -> str:
    """A key as hex, from hex or from its bech32 form (npub, nsec). `ValueError`."""
    if not text.lower().startswith(f"{prefix}1"):
        if not is_hex(text.lower(), 64):
            raise ValueError("a key has 64 hex digits")
        return text.lower()
    kind, values = bech32.decode(text)
    data = bytes(bech32.regroup(values, 5, 8, pad=False))
    if kind != prefix or len(data) != 32:
        raise ValueError(f"not a key of the form {prefix}1…")
    return data.hex()


def npub(public: str) -> str:
    return bech32.encode("npub", bech32.regroup(bytes.fromhex(public), 8, 5, pad=True))
