"""The `billing` command on a stack whose tables are in moto."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from billing.wiring import Wiring
from billing_cli import __main__ as cli
from billing_cli.stack import Stack

SEEDS = Path(__file__).parents[2] / "ops" / "seeds" / "plans.json"
ENVIRONMENT = {
    "STAGE": "test",
    "LIVEMODE": "false",
    "BILLING_PROVIDER_MODE": "mock",
    "PLANS_TABLE": "PlansTable",
    "ACCOUNTS_TABLE": "AccountsTable",
    "PAYMENT_EVENTS_TABLE": "PaymentEventsTable",
    "METRICS_TABLE": "MetricsTable",
    "DOUBLE_SUBSCRIPTIONS": "refund",
}
OpenStack = Callable[..., Stack]


@pytest.fixture
def open_stack(tables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> OpenStack:
    """`open_stack(MOCK_URL=…)`: the stack that every command then works on, with these settings beside the usual."""

    def open_(**environment: str) -> Stack:
        stack = Stack("test")
        monkeypatch.setitem(stack.__dict__, "wire", Wiring({**ENVIRONMENT, **environment}, aws=stack.aws))
        monkeypatch.setattr(cli, "Stack", lambda name: stack)
        return stack

    return open_


def billing(*arguments: str, typed: str | None = None) -> Result:
    """The command, as an operator types it."""
    return CliRunner().invoke(cli.app, list(arguments), input=typed, env={"COLUMNS": "200"})
