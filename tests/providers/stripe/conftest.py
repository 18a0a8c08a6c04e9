"""A shop at the Stripe stand-in, afresh for each test."""

from collections.abc import Iterator

import pytest

from tests.providers.stripe.stripe_shop import Shop, open_shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened
