"""`billing metrics`: the figures are held against the ledger, and made from it anew."""

import pytest

from billing.aws import Aws
from billing.rules.rollups import counters
from billing.rules.times import day_of
from billing.store.accounts import ledger_item
from billing.store.metrics import MetricsStore
from store.test_metrics import some_lines
from tests.ops.conftest import OpenStack, billing


@pytest.fixture(autouse=True)
def _stack(open_stack: OpenStack) -> None:
    open_stack()


def test_a_line_the_stream_never_brought_is_found_and_a_rebuild_brings_it() -> None:
    lines = some_lines(12)
    for line in lines:
        Aws().call("dynamodb", "put_item", TableName="AccountsTable", Item=ledger_item("usr_1", line))
    metrics = MetricsStore(Aws(), "MetricsTable", "AccountsTable")
    metrics.fold([("usr_1", line) for line in lines[:-1]])
    found = billing("metrics", "check")
    assert found.exit_code == 1
    assert "figures differ" in found.output
    rebuilt = billing("metrics", "rebuild")
    assert "12 lines added" in rebuilt.output
    assert "figures changed" in rebuilt.output
    assert "12 ledger lines and the rollups agree" in billing("metrics", "check").output
    assert metrics.everything(2) == counters(lines)
    again = billing("metrics", "rebuild")
    assert again.exit_code == 0
    assert "figures changed" not in again.output


def test_the_lines_of_a_month_are_found_without_reading_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = some_lines(12)
    for line in lines:
        Aws().call("dynamodb", "put_item", TableName="AccountsTable", Item=ledger_item("usr_1", line))
    MetricsStore(Aws(), "MetricsTable", "AccountsTable").fold([("usr_1", line) for line in lines])
    monkeypatch.setattr(MetricsStore, "ledger", lambda *_: pytest.fail("the whole table was read"))
    payments = [line for line in lines if (line.kind, line.currency) == ("payment", "USD")]
    month = day_of(payments[0].at)[:7]
    paid = [line for line in payments if day_of(line.at).startswith(month)]
    shown = billing("metrics", "lines", "--day", month, "--kind", "payment", "--currency", "USD").output
    assert f"{len(paid)} lines" in shown
    assert f"{sum(line.amount_cents for line in paid) / 100:.2f} USD" in shown
    assert billing("metrics", "lines", "--day", "last week").exit_code == 2


def test_a_rebuild_enters_lines_from_before_the_index_into_it() -> None:
    line = some_lines(1)[0]
    folded_once = {**ledger_item("usr_1", line), "folded": {"N": "1"}}
    Aws().call("dynamodb", "put_item", TableName="AccountsTable", Item=folded_once)
    metrics = MetricsStore(Aws(), "MetricsTable", "AccountsTable")
    assert list(metrics.lines(line.currency, day_of(line.at))) == []
    assert billing("metrics", "rebuild").exit_code == 0
    assert [stored for _, stored in metrics.lines(line.currency, day_of(line.at))] == [("usr_1", line)]


@pytest.mark.parametrize("option", [("--kind", "payments"), ("--currency", "usd")])
def test_a_kind_or_a_currency_that_is_none_is_refused_and_no_empty_answer(option: tuple[str, str]) -> None:
    assert billing("metrics", "lines", "--day", "2026-11-22", *option).exit_code == 2
