"""Money in minor units, for currencies with two, three and no decimals."""

from decimal import Decimal

import pytest

from billing.rules.money import format_money, monthly, to_decimal


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1999, "USD", "19.99 USD"), (500, "JPY", "500 JPY"), (12345, "KWD", "12.345 KWD"), (-5, "EUR", "-0.05 EUR")],
)
def test_an_amount_in_words(minor: int, currency: str, text: str) -> None:
    assert format_money(minor, currency) == text


@pytest.mark.parametrize(
    ("minor", "currency", "major"), [(1999, "USD", "19.99"), (500, "JPY", "500"), (12345, "KWD", "12.345")]
)
def test_to_the_major_unit(minor: int, currency: str, major: str) -> None:
    assert to_decimal(minor, currency) == Decimal(major)


@pytest.mark.parametrize(
    ("amount", "interval", "month"),
    [(900, "month", 900), (19000, "year", 1583), (6, "year", 1), (5, "year", 0), (4900, "once", 0)],
)
def test_revenue_per_month(amount: int, interval: str, month: int) -> None:
    assert monthly(amount, interval) == month
