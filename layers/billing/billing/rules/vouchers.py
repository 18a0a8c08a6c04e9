"""Vouchers: what one gives, how its code is made and read, and what may become of it. Pure.

A code is 19 characters drawn from a secret and one that checks them: 95 bits that nobody guesses, and no typing error
of one character, nor two that changed places, makes another valid code. At rest there are two hashes of it and never
the code: by one the voucher is found, by the other it stands in the account of who redeemed it.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

from billing.data import dataclass, field, replace
from billing.rules.records import Account, Gift, Redemption

# Crockford's base 32: without I, L, O and U. A letter typed in place of the digit it looks like is read as that digit.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans("OIL", "011", " -\u2010\u2011\u2012\u2013\u2014\t\r\n")
LENGTH, _GROUP = 20, 5
# How the id of a checkout begins that buys a gift; and the group under which it is stored in an account.
GIFT_CHECKOUT = "gift_"
GIFT_GROUP = "+gift"

Closed = Literal["revoked", "refunded", "disputed", "unconfirmed"]
VoucherState = Literal["ready", "redeemed", "expired", "revoked", "refunded", "disputed", "unconfirmed"]


# --- codes -----------------------------------------------------------------------------------------------------------


def code_of(secret: str, seed: str) -> str:
    """The code that a seed stands for, without separators: the same one whenever it is asked for."""
    drawn = int.from_bytes(hmac.digest(secret.encode(), f"voucher-code:{seed}".encode(), "sha256"), "big")
    digits = [drawn >> (5 * place) & 31 for place in range(LENGTH - 1)]
    return "".join(ALPHABET[digit] for digit in (*digits, _times_two(_remainder(digits))))


def read(typed: str) -> str | None:
    """A code as somebody typed it, in its one form; None when it cannot be one."""
    code = typed.upper().translate(_READ_AS)
    if len(code) != LENGTH or any(character not in ALPHABET for character in code):
        return None
    return None if _remainder([ALPHABET.index(character) for character in code]) else code


def shown(code: str) -> str:
    """As people read it: 7Q4XK-…"""
    return "-".join(code[start : start + _GROUP] for start in range(0, LENGTH, _GROUP))


def voucher_id(code: str) -> str:
    """The id by which a code's voucher is found; the code cannot be made from it."""
    return hashlib.sha256(f"voucher:{code}".encode()).hexdigest()[:32]


def redemption_id(code: str) -> str:
    """The id of a redemption in the account of who redeemed a code: without the code it does not lead to the
    voucher."""
    return hashlib.sha256(f"redemption:{code}".encode()).hexdigest()[:32]


def _remainder(digits: list[int]) -> int:
    """Zero for a whole code: the digits as a polynomial over 32 elements, at a point that is of order 31."""
    value = 0
    for digit in digits:
        value = _times_two(value) ^ digit
    return value


def _times_two(value: int) -> int:
    return (value << 1) ^ (37 if value & 16 else 0)


def batch_seed(batch_id: str, number: int) -> str:
    return f"{batch_id}#{number}"


def gift_seed(checkout_id: str) -> str:
    """What the code of a gift is drawn from: the random part of its checkout's id."""
    return f"gift#{checkout_id.removeprefix(GIFT_CHECKOUT).partition('_')[0]}"


def gift_checkout(secret: str, random_part: str) -> str:
    """The id of a checkout that buys a gift. It leads to the voucher, and every event of its payment carries it."""
    code = code_of(secret, f"gift#{random_part}")
    return f"{GIFT_CHECKOUT}{random_part}_{voucher_id(code)}"


def given_by(checkout_id: str | None) -> str | None:
    """The voucher that a checkout buys; None when it buys no gift."""
    if checkout_id is None or not checkout_id.startswith(GIFT_CHECKOUT):
        return None
    return checkout_id.rpartition("_")[2]


# --- a voucher -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """What a code gives: a plan's version for so many of its intervals, or features (credits) by themselves.

    `sold_cents` is booked when it is redeemed; of a gift it is 0, because what its buyer paid is booked with them.
    `holder`: who redeemed it, sealed; None: nobody yet. `closed`: why it gives nothing (any more). `returned`: what it
    was sold for was given back. `expires_at`: from then on it cannot be redeemed.
    """

    voucher_id: str
    plan_id: str | None = None
    plan_version: int | None = None
    intervals: int = 1
    features: Mapping[str, object] = field(default_factory=dict)
    sold_cents: int = 0
    currency: str = ""
    expires_at: int | None = None
    batch_id: str | None = None
    number: int = 0
    holder: str | None = None
    closed: Closed | None = None
    returned: bool = False

    def state(self, now: int) -> VoucherState:
        if self.closed is not None:
            return self.closed
        if self.holder is not None:
            return "redeemed"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Vouchers that were made together. `sold_cents`: what each was sold for, 0 for nothing."""

    batch_id: str
    count: int
    made_at: int
    made_by: str
    note: str
    plan_id: str | None = None
    plan_version: int | None = None
    intervals: int = 1
    features: Mapping[str, object] = field(default_factory=dict)
    sold_cents: int = 0
    currency: str = ""
    expires_at: int | None = None


# --- what a change of an account means for a voucher -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Issued:
    """The voucher of a gift exists from now on, is closed, or is open again, as its payment is."""

    voucher_id: str
    plan_id: str
    plan_version: int
    currency: str
    closed: Closed | None


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody redeems the voucher; refused where it cannot be redeemed any more."""

    voucher_id: str
    holder: str


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The account's change follows from the voucher as it was read; refused where that has changed."""

    voucher_id: str
    closed: Closed | None
    returned: bool


VoucherChange = Issued | Taken | Unchanged


def gifts_changed(before: Account, after: Account) -> tuple[Issued, ...]:
    """The vouchers that are issued, closed or opened again because what was paid for them came, went or came back."""
    old = {gift.voucher_id: _issued(gift) for gift in before.gifts}
    changed = []
    for gift in after.gifts:
        was, is_ = old.get(gift.voucher_id), _issued(gift)
        if is_ != was and not (was is None and is_.closed == "unconfirmed"):
            changed.append(is_)
    return tuple(changed)


def _issued(gift: Gift) -> Issued:
    payment = gift.payment
    closed: Closed | None = None
    if not gift.paid or payment is None:
        closed = "unconfirmed"
    elif payment.fully_refunded:
        closed = "refunded"
    elif payment.suspended:
        closed = "disputed"
    return Issued(gift.voucher_id, gift.plan_id, gift.plan_version, gift.currency, closed)


def followed(redemption: Redemption, voucher: Voucher, now: int) -> Redemption:
    """A redemption brought up to date with its voucher."""
    if (redemption.closed, redemption.returned) == (voucher.closed, voucher.returned):
        return redemption
    # Where one reason follows another, it had ended before.
    closed_at = (redemption.closed_at or now) if voucher.closed else None
    return replace(redemption, closed=voucher.closed, closed_at=closed_at, returned=voucher.returned)
