"""The tests of the buyer's pages have a shop of their own, so that they run beside those of the admin pages."""

from collections.abc import Iterator

import pytest

from demo.shop import Shop
from tests.conftest import open_test_shop


@pytest.fixture(scope="session")
def buyers_engine() -> Iterator[Shop]:
    with open_test_shop() as shop:
        yield shop


@pytest.fixture
def shop_engine(buyers_engine: Shop) -> Shop:
    """The shop of whatever `tests/browser/conftest.py` makes."""
    return buyers_engine
