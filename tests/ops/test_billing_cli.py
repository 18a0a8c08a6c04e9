"""The `billing` command, as an operator types it."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from billing.aws import Aws
from billing.intake.webhook import encode
from billing.providers.interface import Notification
from billing.rules.consequences import consequences
from billing.rules.plans import Catalogue
from billing.rules.records import Grant
from billing.rules.times import DAY
from billing.store.audit import AuditLog
from billing_cli.operator_aws import OperatorAws
from billing_cli.stack import Stack
from samples import NOW
from tests.ops.conftest import SEEDS, OpenStack, billing


@pytest.fixture
def stack(open_stack: OpenStack) -> Stack:
    return open_stack()


def test_plans_are_imported_once_and_updated_when_the_file_changes(stack: Stack, tmp_path: Path) -> None:
    assert "6 created" in billing("plans", "import", str(SEEDS)).output
    assert "6 unchanged" in billing("plans", "import", str(SEEDS)).output
    plans = json.loads(SEEDS.read_text())
    plans[1]["price_cents"] += 100
    changed = tmp_path / "plans.json"
    changed.write_text(json.dumps(plans))
    assert "1 updated" in billing("plans", "import", str(changed)).output
    assert "10.00 USD" in billing("plans", "list").output


def test_an_export_imports_as_it_was(stack: Stack, tmp_path: Path) -> None:
    billing("plans", "import", str(SEEDS))
    exported = tmp_path / "exported.json"
    exported.write_text(billing("plans", "export").output)
    assert "6 unchanged" in billing("plans", "import", str(exported)).output


def test_a_faulty_file_is_refused_with_the_place_of_each_fault(stack: Stack, tmp_path: Path) -> None:
    faulty = tmp_path / "plans.json"
    faulty.write_text('[{"plan_id": "x", "name": "X", "price_cents": -1, "currency": "usd", "interval": "week"}]')
    answer = billing("plans", "import", str(faulty))
    assert answer.exit_code == 1
    assert all(place in answer.output for place in ("0/price_cents", "0/currency", "0/interval", "0/features"))
    assert "Plans" in billing("plans", "list").output


def test_a_generated_key_set_signs_and_its_public_half_verifies() -> None:
    lines = [line for line in billing("tokens", "generate", "--kid", "k1").output.splitlines() if line.startswith("{")]
    private, public = (json.loads(line)["keys"][0] for line in lines)
    assert private["kid"] == public["kid"] == "k1"
    assert "d" in private
    assert "d" not in public


def test_what_changes_plans_or_access_is_in_the_audit_log_under_the_operators_name(stack: Stack) -> None:
    billing("plans", "import", str(SEEDS))
    billing("flags", "set", "billing", "10")
    billing("flags", "set", "billing", "50")
    entries = AuditLog(Aws(), "AccountsTable").month(int(time.time()))
    assert {entry["actor"] for entry in entries} == {f"cli:{OperatorAws().call('sts', 'get_caller_identity')['Arn']}"}
    assert [entry["subject"] for entry in entries if entry["action"] == "create_plan"].count("plus-month") == 1
    flags = [(e["before"].get("percent"), e["after"]["percent"]) for e in entries if e["action"] == "set_flag"]
    assert sorted(flags, key=str) == [(10, 50), (None, 10)]


def test_a_redrive_is_in_the_audit_log_and_its_dry_run_is_not(open_stack: OpenStack) -> None:
    sqs = boto3.client("sqs")
    dlq, queue = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dlq", "events"))
    open_stack(PAYMENT_EVENTS_DLQ_URL=dlq, PAYMENT_EVENTS_QUEUE_URL=queue)
    notification = Notification(
        provider="mock", event_id="evt_1", type="x", created_at=1, livemode=False, payload={"object": "payment"}
    )
    sqs.send_message(QueueUrl=dlq, MessageBody=encode(notification, 1, "1", "00"))
    audit = AuditLog(Aws(), "AccountsTable")
    assert "mock#evt_1" in billing("dlq", "redrive", "--dry-run").output
    [taken] = sqs.receive_message(QueueUrl=dlq, VisibilityTimeout=1800)["Messages"]
    for command in ["list"], ["redrive"], ["redrive", "--dry-run"]:
        assert "About 1 letters are hidden" in billing("dlq", *command).output
    sqs.change_message_visibility(QueueUrl=dlq, ReceiptHandle=taken["ReceiptHandle"], VisibilityTimeout=0)
    assert audit.month(int(time.time())) == []
    assert "1 sent back" in billing("dlq", "redrive", "mock#evt_1", "--rate", "100").output
    [entry] = audit.month(int(time.time()))
    assert entry["actor"].startswith("cli:arn:aws:")
    assert (entry["action"], entry["after"]) == ("redrive", ["mock#evt_1"])
    assert "The dead-letter queue is empty." in billing("dlq", "redrive").output
    assert len(audit.month(int(time.time()))) == 1


def test_flags_are_set_and_listed(stack: Stack) -> None:
    assert billing("flags", "set", "billing", "10", "--allow", "usr_1").exit_code == 0
    shown = billing("flags", "list").output
    assert all(text in shown for text in ("version 1", "billing", "10 %", "usr_1"))
    assert billing("flags", "set", "billing", "101").exit_code == 2


def test_a_refusal_is_not_written_into_the_file_that_the_output_goes_to(open_stack: OpenStack) -> None:
    open_stack(PORTAL_URL="https://shop.example", VOUCHER_SECRET="x" * 32)
    refused = billing("vouchers", "csv", "vb_unknown")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "there is no batch vb_unknown" in refused.stderr


def test_an_explanation_names_sources_use_and_what_to_buy(stack: Stack) -> None:
    billing("plans", "import", str(SEEDS))
    free = billing("explain", "usr_1", "ai.chat").output
    assert "open for good" in free
    assert "5 left of 5" in free
    locked = billing("explain", "usr_1", "tax.enhanced", "--at", "2026-11-22T21:00").output
    assert "locked: not in plan" in locked
    assert "2026-11-22 21:00 UTC" in locked
    assert "pro-month" in locked
    assert "Nothing is on record that usr_1 paid for or was given" in locked
    assert "No plan gives tax.enhancd" in billing("explain", "usr_1", "tax.enhancd").output
    assert billing("explain", "usr_1", "ai.chat", "--at", "yesterday").exit_code == 2


def test_an_explanation_of_the_past_is_by_what_was_stored_then(stack: Stack) -> None:
    """As the admin's page has it: both ask the same function."""
    billing("plans", "import", str(SEEDS))
    accounts = stack.wire.accounts
    grant = Grant(grant_id="g", features={"tax.enhanced": True}, granted_by="a", reason="b", granted_at=NOW)
    for record, at in ((grant, NOW), (replace(grant, granted_at=NOW + 3 * DAY), NOW + 3 * DAY)):
        before = accounts.load("usr_1")
        accounts.commit(consequences(before, before.put(record), Catalogue(()), at))
    at = datetime.fromtimestamp(NOW + DAY, UTC).isoformat()
    assert "open for good" in billing("explain", "usr_1", "tax.enhanced", "--at", at).output


def test_without_a_running_engine_a_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("billing_cli.stack._EMULATOR_PORT", tmp_path / "none")
    answer = billing("plans", "list")
    assert answer.exit_code == 1
    assert "make run" in answer.output


def test_what_others_wrote_is_shown_as_it_is_and_never_taken_for_markup(open_stack: OpenStack) -> None:
    sqs = boto3.client("sqs")
    dlq, queue = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dlq", "events"))
    open_stack(PAYMENT_EVENTS_DLQ_URL=dlq, PAYMENT_EVENTS_QUEUE_URL=queue)
    letter = Notification(
        provider="btcpay", event_id="[/b]", type="[bold]x[/red]", created_at=1, livemode=False, payload={}
    )
    sqs.send_message(QueueUrl=dlq, MessageBody=encode(letter, 1, "1", "00"))
    for command in (["list"], ["show", "btcpay#[/b]"], ["redrive", "[/nope]", "--dry-run"], ["redrive", "--dry-run"]):
        answer = billing("dlq", *command)
        assert answer.exception is None or isinstance(answer.exception, SystemExit), command
    assert "[bold]x[/red]" in billing("dlq", "list").output
    assert "There may be more" not in billing("dlq", "list").output
    assert "There may be more than these 1" in billing("dlq", "list", "--limit", "1").output
    assert billing("dlq", "list", "--limit", "0").exit_code == 2
    assert "[bold]x[/red]" in billing("dlq", "redrive").output


def test_a_refusal_of_aws_is_one_line_and_no_stack_trace(open_stack: OpenStack) -> None:
    open_stack(ACCOUNTS_TABLE="NoSuchTable")
    answer = billing("explain", "usr_1", "ai.chat")
    assert answer.exit_code == 1
    assert isinstance(answer.exception, SystemExit)
    assert "ResourceNotFoundException" in answer.output


def test_a_flag_is_set_for_ids_alone(stack: Stack) -> None:
    assert billing("flags", "set", "billing", "5", "--allow", "a b").exit_code == 2
    assert "billing" not in billing("flags", "list").output
