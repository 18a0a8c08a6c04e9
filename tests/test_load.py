"""A small run of the load script: events repeated and shuffled while workers are killed; the same books after it."""

import pytest

from benchmarks.load import run
from demo.shop import Shop


def test_nothing_is_lost_or_counted_twice_while_workers_die(shop_engine: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "")  # what the run sets for itself is taken back after it
    report = run(shop_engine, 10, seed=3, with_faults=True, patience=90)
    assert report.events > 30
    assert report.deliveries > report.events
    assert report.settled == report.accepted == report.events
    assert (report.lost, report.wrong_books) == (0, [])
