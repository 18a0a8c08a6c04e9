"""A small run of the load with every trouble there is, from a fixed seed: nothing lost or doubled, the same books.

A provider that stays silent for a while is one of them: what it held up heals by itself when it is back.
"""

import pytest

from benchmarks.load import run
from demo.shop import Shop


@pytest.mark.sweep
def test_nothing_is_lost_or_counted_twice_whatever_fails(shop_engine: Shop) -> None:
    report = run(shop_engine, 18, seed=3, faults=True, patience=1000, hang=12, progress=lambda step: None)
    assert report.events > 30
    assert report.deliveries > report.events
    assert report.settled == report.accepted == report.events
    assert (report.lost, report.double, report.wrong_books) == (0, 0, [])
    assert set(report.troubles) > {"passed"}
    assert report.held_up, "the silent provider was noticed"
    assert report.innocent, "and the other one's events went their way"
