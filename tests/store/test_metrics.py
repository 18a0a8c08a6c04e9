"""Each ledger line is in the rollups once, however the stream brings it; a rebuild gives the same figures."""

import random
from collections.abc import Callable

import pytest

from billing.aws import Aws
from billing.rules.ledger import LedgerEntry
from billing.rules.rollups import counters
from billing.store.accounts import ledger_item
from billing.store.metrics import MetricsStore, Stored
from samples import NOW
from tests.rules.test_rollups import line

DAY = 86_400


@pytest.fixture
def metrics(tables: dict[str, str]) -> MetricsStore:
    return MetricsStore(Aws(), "MetricsTable", "AccountsTable", sleep=lambda _: None)


@pytest.fixture
def write(tables: dict[str, str]) -> Callable[[str, LedgerEntry], Stored]:
    aws = Aws()

    def put(user_id: str, entry: LedgerEntry) -> Stored:
        aws.call("dynamodb", "put_item", TableName="AccountsTable", Item=ledger_item(user_id, entry))
        return user_id, entry

    return put


def some_lines(count: int, seed: int = 1) -> list[LedgerEntry]:
    chance = random.Random(seed)  # noqa: S311
    return [
        line(
            entry_id=f"{number}",
            at=NOW + chance.randrange(90) * DAY,
            amount_cents=chance.randrange(-500, 500),
            kind=chance.choice(["payment", "refund", "mrr", "trial", "checkout", "fee"]),
            movement="new",
            users=chance.choice([0, 1]),
            cohort=chance.choice([None, "2026-09"]),
            currency=chance.choice(["USD", "EUR"]),
            plan_id=chance.choice(["plus-month", "pro-month"]),
        )
        for number in range(count)
    ]


def test_lines_count_once_however_often_and_in_whatever_batches_they_come(
    metrics: MetricsStore, write: Callable[[str, LedgerEntry], Stored]
) -> None:
    stored = [write(f"usr_{number % 3}", entry) for number, entry in enumerate(some_lines(50))]
    chance = random.Random(2)  # noqa: S311
    for _ in range(12):
        start = chance.randrange(50)
        metrics.fold(stored[start : start + chance.randrange(30)])
    metrics.fold(stored + stored)
    assert metrics.everything(1) == counters(entry for _, entry in stored)
    assert metrics.fold(stored) == 0


def test_a_line_that_was_erased_meanwhile_is_not_created_anew(metrics: MetricsStore) -> None:
    assert metrics.fold([("usr_gone", line())]) == 0
    assert metrics.everything(1) == {}


def test_a_rebuild_gives_the_same_figures_and_drops_the_old_ones(
    metrics: MetricsStore, write: Callable[[str, LedgerEntry], Stored]
) -> None:
    stored = [write("usr_1", entry) for entry in some_lines(30)]
    metrics.fold(stored)
    before = metrics.everything(1)
    generation = metrics.begin()
    for page in metrics.ledger(generation):
        metrics.fold(page)
    metrics.finish(generation)
    assert metrics.everything(generation) == before == counters(e for _, e in stored)
    assert metrics.generations().reading == generation == 2
    assert metrics.everything(1) == {}


def test_what_is_written_during_a_rebuild_is_in_it_once(
    metrics: MetricsStore, write: Callable[[str, LedgerEntry], Stored]
) -> None:
    first, second, third = some_lines(3)
    metrics.fold([write("usr_1", first)])
    generation = metrics.begin()
    during = write("usr_1", second)
    metrics.fold([during])
    assert metrics.begin() == generation  # interrupted and started again: the same one
    for page in metrics.ledger(generation):
        metrics.fold(page)
    metrics.fold([during, write("usr_2", third)])
    metrics.finish(generation)
    assert metrics.everything(generation) == counters([first, second, third])


def test_a_fold_that_read_the_generation_before_a_rebuild_began_does_not_land_in_the_old_one(
    metrics: MetricsStore, write: Callable[[str, LedgerEntry], Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = write("usr_1", line())
    known = [metrics.generations()]
    metrics.begin()
    read = MetricsStore.generations
    monkeypatch.setattr(MetricsStore, "generations", lambda self: known.pop() if known else read(self))
    assert metrics.fold([late]) == 1
    assert metrics.everything(1) == {}
    assert metrics.everything(2) == counters([late[1]])


def test_page_views_are_counted_by_name_and_day_and_by_nothing_else(metrics: MetricsStore) -> None:
    for _ in range(5):
        metrics.track("paywall_seen|ai.chat", "2026-09-21")
    metrics.track("pricing_viewed|", "2026-09-30")
    assert metrics.tracked("2026-09-01", "2026-09-30") == {"paywall_seen|ai.chat": 5, "pricing_viewed|": 1}
    assert metrics.tracked("2026-09-22", "2026-09-29") == {}
