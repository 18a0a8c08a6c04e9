"""A smaller run of `python -m benchmarks.host_events`: receivers and workers that fail in every way there is."""

from benchmarks.host_events import TROUBLES, run
from billing.aws import Aws


def test_each_event_is_taken_in_once_none_is_lost_and_each_account_stays_in_order(tables: dict[str, str]) -> None:
    report = run(Aws(), deliveries=120, accounts=10, workers=1, seed=1)
    assert (report.lost, report.doubled, report.unordered, report.forged) == (0, 0, 0, 0)
    assert set(report.troubles) == set(TROUBLES)
    assert report.tries > 120
    assert report.repeats
