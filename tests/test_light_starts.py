"""What is hot starts light: no library that a first invocation does not need, and a budget of modules for each."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cloud import served
from benchmarks.cold import HOT, Starts
from benchmarks.environment import FUNCTIONS, ROOT

# The modules that initialisation and first invocation may load, the standard library's included, after the runtime's
# own client. One more is a decision: each is about a millisecond of a caller's time.
MODULES = {
    "authorizer": 93,
    "config": 45,
    "entitlements": 56,
    "jwks": 88,
    "plans": 57,
    "process_payment_events": 85,
    "publish_changes": 64,
    "subscription_status": 61,
    "usage": 62,
    "webhook_bitpay": 59,
    "webhook_btcpay": 67,
    "webhook_stripe": 50,
}
# Whoever reads or writes a token needs the curve.
PACKAGES = {name: {"cryptography", "_cffi_backend", "_openssl"} for name in ("authorizer", "jwks")}


@pytest.fixture(scope="module")
def starts() -> Iterator[Starts]:
    with served() as (url, certificate), tempfile.TemporaryDirectory() as folder:
        yield Starts(url, certificate, Path(folder), [ROOT / "layers" / "billing"])


def test_every_hot_function_has_a_budget() -> None:
    assert MODULES.keys() == HOT


@pytest.mark.parametrize("function", sorted(HOT))
def test_a_hot_function_starts_light(function: str, starts: Starts) -> None:
    found = starts.measure(function)
    assert set(found.packages) - {"billing", function} <= PACKAGES.get(function, set())
    assert found.modules <= MODULES[function]


@pytest.mark.sweep
@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - HOT))
def test_the_first_event_of_any_other_function_can_be_measured(function: str, starts: Starts) -> None:
    assert starts.measure(function).modules > 0
