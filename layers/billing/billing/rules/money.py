"""Money is an integer in the currency's minor unit together with an ISO 4217 code."""

from decimal import Decimal

# Stripe's lists of currencies without, and with three, decimals; all others have two.
# https://docs.stripe.com/currencies#zero-decimal
ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())

# The largest amount that is believed, in the minor unit: a hundred times what Stripe charges in any currency. Sums of a
# million of them still fit a table's numbers, and of thousands a browser's.
LARGEST = 10**12


def exponent(currency: str) -> int:
    """Digits after the decimal point: 0 for JPY, 3 for KWD, 2 for most."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def to_decimal(minor: int, currency: str) -> Decimal:
    """1999, "USD" -> Decimal("19.99"): the exact amount in the major unit."""
    return Decimal(minor).scaleb(-exponent(currency))


def to_minor(major: str | Decimal | int, currency: str) -> int:
    """ "19.99", "USD" -> 1999. Raises ValueError when the amount has more decimals than the currency."""
    exact = Decimal(major)
    if not exact.is_finite() or exact.adjusted() > 15:
        raise ValueError("not an amount of money")
    scaled = exact.scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{major} has more decimals than {currency} allows")
    return int(scaled)


def format_money(minor: int, currency: str) -> str:
    """1999, "USD" -> "19.99 USD": for logs, the CLI and mails, not for localised pages."""
    return f"{to_decimal(minor, currency):f} {currency}"


def monthly(amount: int, interval: str) -> int:
    """An amount per interval as monthly recurring revenue, rounded half up to the minor unit; `once` recurs never."""
    if interval == "month":
        return amount
    if interval == "year":
        return (2 * amount + 12) // 24
    return 0
