"""One world for each provider: the same scenarios run on all of them."""

from collections.abc import Iterator

import pytest

from billing.providers import breaker, rest
from tests.acceptance.world import PLAYERS, World, open_world


@pytest.fixture(autouse=True)
def _asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that is back is asked at once, and after an error again at once: pauses are wall time, no story's."""
    monkeypatch.setattr(breaker, "_LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(rest, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr("stripe._http_client.HTTPClient._sleep_time_seconds", lambda *_: 0.0)


@pytest.fixture(params=sorted(PLAYERS))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A shop that sells by each provider in turn."""
    with open_world(request.param) as opened:
        yield opened


@pytest.fixture(params=["bitpay", "btcpay"])
def bitcoin(request: pytest.FixtureRequest) -> Iterator[World]:
    """A shop that sells for bitcoin."""
    with open_world(request.param) as opened:
        yield opened


@pytest.fixture
def btcpay() -> Iterator[World]:
    with open_world("btcpay") as opened:
        yield opened


@pytest.fixture
def bitpay() -> Iterator[World]:
    with open_world("bitpay") as opened:
        yield opened


@pytest.fixture
def stripe() -> Iterator[World]:
    with open_world("stripe") as opened:
        yield opened
