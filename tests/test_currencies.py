"""One table of minor units: the pages' is the same, and what no table knows is not sold."""

import re
from pathlib import Path

import pytest

from billing.data import replace
from billing.rules.money import KNOWN, THREE_DECIMAL, TWO_DECIMAL, ZERO_DECIMAL, exponent, format_money
from billing.rules.plans import faults_of
from samples import PLUS

PAGES = Path(__file__).parents[1] / "frontend" / "packages" / "billing-react" / "src" / "format.ts"


@pytest.mark.parametrize(("name", "ours"), [("ZERO_DECIMAL", ZERO_DECIMAL), ("THREE_DECIMAL", THREE_DECIMAL)])
def test_the_pages_have_the_same_table(name: str, ours: frozenset[str]) -> None:
    found = re.search(rf'const {name} = "([A-Z ]+)"', PAGES.read_text())
    assert found is not None
    assert set(found[1].split()) == ours


@pytest.mark.parametrize("currency", "HUF TWD IDR COP PKR ISK UGX LAK AFN ALL LBP MMK SOS STD YER".split())
def test_two_decimals_are_charged_where_browsers_show_none(currency: str) -> None:
    assert exponent(currency) == 2
    assert format_money(349_000, currency) == f"3490.00 {currency}"


def test_no_currency_is_in_two_lists() -> None:
    assert len(KNOWN) == len(ZERO_DECIMAL) + len(TWO_DECIMAL) + len(THREE_DECIMAL)


@pytest.mark.parametrize(
    ("currency", "price", "path"),
    [
        ("XXX", 900, "currency"),
        ("ISK", 550, "price_cents"),
        ("UGX", 550, "price_cents"),
        ("KWD", 5_005, "price_cents"),
        ("ISK", 500, None),
        ("UGX", 500, None),
        ("KWD", 5_000, None),
        ("HUF", 349_001, None),
        ("JPY", 901, None),
    ],
)
def test_what_cannot_be_charged_is_not_sold(currency: str, price: int, path: str | None) -> None:
    found = faults_of(replace(PLUS, currency=currency, price_cents=price))
    assert [fault["path"] for fault in found] == ([path] if path else [])
