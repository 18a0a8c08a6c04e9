"""Money in minor units, for currencies with two, three and no decimals."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.money import format_money, monthly, to_decimal, to_minor


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1999, "USD", "19.99 USD"), (500, "JPY", "500 JPY"), (12345, "KWD", "12.345 KWD"), (-5, "EUR", "-0.05 EUR")],
)
def test_an_amount_in_words(minor: int, currency: str, text: str) -> None:
    assert format_money(minor, currency) == text


@given(st.integers(-(10**12), 10**12), st.sampled_from(["USD", "JPY", "KWD"]))
def test_to_the_major_unit_and_back_is_exact(minor: int, currency: str) -> None:
    assert to_minor(to_decimal(minor, currency), currency) == minor


@pytest.mark.parametrize(("major", "currency"), [("19.999", "USD"), ("0.5", "JPY"), (Decimal("1.0001"), "KWD")])
def test_more_decimals_than_the_currency_has_are_refused(major: str, currency: str) -> None:
    with pytest.raises(ValueError, match="more decimals"):
        to_minor(major, currency)


@pytest.mark.parametrize(
    ("amount", "interval", "month"),
    [(900, "month", 900), (19000, "year", 1583), (6, "year", 1), (5, "year", 0), (4900, "once", 0)],
)
def test_revenue_per_month(amount: int, interval: str, month: int) -> None:
    assert monthly(amount, interval) == month
