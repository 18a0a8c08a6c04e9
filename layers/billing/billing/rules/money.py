"""Money is an integer in the currency's minor unit together with an ISO 4217 code."""

from decimal import Decimal

# Stripe's lists of currencies without, and with three, decimals; all others have two, whatever ISO 4217 or a browser
# says. https://docs.stripe.com/currencies#zero-decimal
ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())
TWO_DECIMAL = frozenset(
    (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP "
        "CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD KES "
        "KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD "
        "PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD "
        "TZS UAH UGX USD UYU UZS WST XCD XCG YER ZAR ZMW"
    ).split()
)
KNOWN = ZERO_DECIMAL | TWO_DECIMAL | THREE_DECIMAL
# Charged in steps: these have decimals in the API that must be 00, and the last of three must be 0.
_STEPS = {"ISK": 100, "UGX": 100, **dict.fromkeys(THREE_DECIMAL, 10)}

# The largest amount that is believed, in the minor unit: a hundred times what Stripe charges in any currency. Sums of a
# million of them still fit a table's numbers, and of thousands a browser's.
LARGEST = 10**12


def exponent(currency: str) -> int:
    """Digits after the decimal point: 0 for JPY, 3 for KWD, 2 for most."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def amount_fault(minor: int, currency: str) -> str:
    """What is wrong with charging this; empty when nothing is."""
    step = _STEPS.get(currency, 1)
    return f"in {currency} an amount must be a multiple of {step}" if minor % step else ""


def to_decimal(minor: int, currency: str) -> Decimal:
    """1999, "USD" -> Decimal("19.99"): the exact amount in the major unit."""
    return Decimal(minor).scaleb(-exponent(currency))


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
