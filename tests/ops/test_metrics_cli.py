"""`billing metrics`: the figures are held against the ledger, and made from it anew."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from billing.aws import Aws
from billing.rollups import counters
from billing.settings import Settings
from billing.store.accounts import ledger_item
from billing.store.metrics import MetricsStore
from billing_cli import __main__ as cli
from billing_cli.stack import Stack
from store.test_metrics import some_lines


@pytest.fixture
def billing(tables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    stack = Stack("test")
    monkeypatch.setitem(stack.__dict__, "aws", Aws())
    settings = Settings({"ACCOUNTS_TABLE": "AccountsTable", "METRICS_TABLE": "MetricsTable"})
    monkeypatch.setitem(stack.__dict__, "settings", settings)
    monkeypatch.setattr(cli, "Stack", lambda name: stack)
    return lambda *arguments: CliRunner().invoke(cli.app, ["metrics", *arguments], env={"COLUMNS": "200"})


def test_a_line_the_stream_never_brought_is_found_and_a_rebuild_brings_it(billing: Callable[..., Result]) -> None:
    lines = some_lines(25)
    for line in lines:
        Aws().call("dynamodb", "put_item", TableName="AccountsTable", Item=ledger_item("usr_1", line))
    metrics = MetricsStore(Aws(), "MetricsTable", "AccountsTable")
    metrics.fold([("usr_1", line) for line in lines[:-1]])
    found = billing("check")
    assert found.exit_code == 1
    assert "figures differ" in found.output
    rebuilt = billing("rebuild")
    assert "25 lines folded" in rebuilt.output
    assert "figures changed" in rebuilt.output
    assert "25 ledger lines and the rollups agree" in billing("check").output
    assert metrics.everything(2) == counters(lines)
    again = billing("rebuild")
    assert again.exit_code == 0
    assert "figures changed" not in again.output


def test_the_lines_of_a_day_add_up_to_its_figures(billing: Callable[..., Result]) -> None:
    lines = some_lines(25)
    for line in lines:
        Aws().call("dynamodb", "put_item", TableName="AccountsTable", Item=ledger_item("usr_1", line))
    paid = [line for line in lines if line.kind == "payment" and line.currency == "USD"]
    shown = billing("lines", "--day", "2026", "--kind", "payment", "--currency", "USD").output
    assert f"{len(paid)} lines" in shown
    assert f"{sum(line.amount_cents for line in paid) / 100:.2f} USD" in shown
