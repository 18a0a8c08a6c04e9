"""Bech32 (BIP-173), as Nostr keys (NIP-19) and Lightning invoices (BOLT-11) are written: of any length."""

from collections.abc import Iterable

_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6


def decode(text: str) -> tuple[str, list[int]]:
    """The part before the last "1", in lower case, and the 5-bit values after it, less the checksum. `ValueError`."""
    if text not in (text.lower(), text.upper()):
        raise ValueError("upper and lower case are mixed")
    prefix, separator, data = text.lower().rpartition("1")
    if not separator or not prefix or len(data) < _CHECKSUM or not all(33 <= ord(c) <= 126 for c in prefix):
        raise ValueError("not bech32")
    try:
        values = [_VALUES[letter] for letter in data]
    except KeyError:
        raise ValueError("a letter that bech32 does not use") from None
    if _polymod([*_expanded(prefix), *values]) != 1:
        raise ValueError("the checksum does not match")
    return prefix, values[:-_CHECKSUM]


def encode(prefix: str, values: Iterable[int]) -> str:
    values = list(values)
    mod = _polymod([*_expanded(prefix), *values, *[0] * _CHECKSUM]) ^ 1
    checksum = [(mod >> 5 * (_CHECKSUM - 1 - i)) & 31 for i in range(_CHECKSUM)]
    return f"{prefix}1{''.join(_LETTERS[value] for value in [*values, *checksum])}"


def regroup(values: Iterable[int], wide: int, into: int, *, pad: bool) -> list[int]:
    """Numbers of `wide` bits each as numbers of `into` bits. Without `pad` what is over must be zero, and short."""
    held = bits = 0
    out = []
    for value in values:
        held, bits = (held << wide) | value, bits + wide
        while bits >= into:
            bits -= into
            out.append((held >> bits) & ((1 << into) - 1))
        held &= (1 << bits) - 1
    if pad and bits:
        out.append(held << (into - bits))
    if not pad and (bits >= wide or held):
        raise ValueError("the padding is not zero")
    return out


def _expanded(prefix: str) -> list[int]:
    return [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix)]


def _polymod(values: Iterable[int]) -> int:
    sum_ = 1
    for value in values:
        top = sum_ >> 25
        sum_ = (sum_ & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATORS):
            sum_ ^= generator if (top >> i) & 1 else 0
    return sum_
