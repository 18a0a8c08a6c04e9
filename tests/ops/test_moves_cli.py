"""`billing moves`, as an operator types it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from billing.store.audit import AuditLog
from billing_cli.stack import Stack
from fakes.base import Clock, Request, Server
from fakes.mock import MockProvider
from tests.ops.conftest import SEEDS, OpenStack, billing


@pytest.fixture
def mock() -> Iterator[MockProvider]:
    app = MockProvider("secret")
    with Server(app):
        yield app


@pytest.fixture
def stack(mock: MockProvider, open_stack: OpenStack) -> Stack:
    return open_stack(MOCK_URL=mock.url)


def sell_and_change(mock: MockProvider, tmp_path: Path) -> dict[str, Any]:
    """A subscriber to version 1 of Plus, which then gets a version 2; the subscription at the provider."""
    billing("plans", "import", str(SEEDS))
    plans = json.loads(SEEDS.read_text())
    plus = next(p for p in plans if p["plan_id"] == "plus-month")
    order = {**plus, "plan_version": 1, "plan_name": plus["name"], "amount_cents": plus["price_cents"]}
    order |= {"checkout_id": "chk_1", "user_id": "usr_1", "trial_days": 0, "success_url": "", "cancel_url": ""}
    order["expires_at"] = mock.clock.now() + 3600
    request = Request(method="POST", path="/api/checkouts", query={}, body=json.dumps(order).encode())
    mock.pay(json.loads(mock.create_checkout(request).body)["id"])
    plus["price_cents"] += 100
    changed = tmp_path / "plans.json"
    changed.write_text(json.dumps(plans))
    assert "1 updated" in billing("plans", "import", str(changed)).output
    return next(o for o in mock.objects.values() if o["object"] == "subscription")


def test_subscribers_are_counted_moved_and_brought_back(stack: Stack, mock: MockProvider, tmp_path: Path) -> None:
    subscription = sell_and_change(mock, tmp_path)
    counted = billing("moves", "start", "plus-month", "--to", "2", "--dry-run").output
    assert "1              would be moved with their next period" in counted
    assert "within the hour" in billing("moves", "start", "plus-month", "--to", "2", "--percent", "100").output
    assert "scheduled" not in subscription
    answer = billing("moves", "run").output
    assert "done" in answer
    assert "1 moved" in answer
    assert subscription["scheduled_plan_version"] == 2
    assert "undoing" in billing("moves", "undo", "plus-month").output
    assert "undone" in billing("moves", "run").output
    assert subscription["scheduled_plan_version"] is None
    listed = billing("moves", "list").output
    assert "plus-month@2" in listed
    noted = {e["action"] for e in AuditLog(stack.aws, "AccountsTable").month(Clock().now())}
    assert noted >= {"move_subscribers", "undo_move"}


def test_what_cannot_be_done_is_said(stack: Stack, mock: MockProvider, tmp_path: Path) -> None:
    sell_and_change(mock, tmp_path)
    answer = billing("moves", "start", "plus-month", "--to", "3")
    assert (answer.exit_code, "version 2 of plus-month is the newest" in answer.output) == (1, True)
    assert billing("moves", "stop", "pro-month").exit_code == 1
