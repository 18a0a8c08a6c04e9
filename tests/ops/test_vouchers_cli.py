"""`billing vouchers`, as an operator types it."""

import csv
import io
import re
import time
from datetime import UTC, datetime

import pytest

from billing.aws import Aws
from billing.rules.vouchers import voucher_id
from billing.store.audit import AuditLog
from billing.store.vouchers import VoucherStore
from billing_cli.stack import Stack
from tests.ops.conftest import SEEDS, OpenStack, billing


@pytest.fixture(autouse=True)
def stack(open_stack: OpenStack) -> Stack:
    opened = open_stack(VOUCHER_SECRET="a secret", PORTAL_URL="https://shop.example")
    assert billing("plans", "import", str(SEEDS)).exit_code == 0
    return opened


def make(*more: str, count: int = 3) -> str:
    """A batch's id."""
    answer = billing("vouchers", "make", "--count", str(count), "--note", "for a fair", *more)
    assert answer.exit_code == 0, answer.output
    found = re.search(r"vb_\w+", answer.output)
    assert found
    return found[0]


def codes(batch: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(billing("vouchers", "csv", batch).stdout)))


def done() -> set[str]:
    return {entry["action"] for entry in AuditLog(Aws(), "AccountsTable").month(int(time.time()))}


def test_a_batch_is_made_listed_had_as_csv_and_revoked() -> None:
    batch = make("--plan", "pro-month", "--intervals", "3", "--sold", "4500", "--until", "2099-12-31")
    listed = billing("vouchers", "list").output
    assert all(text in listed for text in (batch, "pro-month@1 × 3", "45.00 USD", "2099-12-31", "for a fair", "cli:"))
    found = codes(batch)
    assert [row["number"] for row in found] == ["1", "2", "3"]
    assert found[0]["url"] == f"https://shop.example/redeem#{found[0]['code']}"
    kept = VoucherStore(Aws(), "AccountsTable").get(voucher_id(found[0]["code"].replace("-", "")))
    assert kept is not None
    assert (kept.plan_id, kept.intervals, kept.sold_cents) == ("pro-month", 3, 4500)
    assert kept.expires_at == datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp(), "as a batch of the console"
    asked = billing("vouchers", "revoke", batch, "--number", "2", "--reason", "lost", typed="n\n")
    assert asked.exit_code == 1
    assert len(codes(batch)) == 3
    revoked = billing("vouchers", "revoke", batch, "--number", "2", "--reason", "lost", "--yes").output
    assert "1 revoked" in revoked
    assert "2 ready, 0 redeemed, 0 expired, 1 revoked" in revoked
    assert re.search(r"2 +revoked", billing("vouchers", "list", batch).output)
    assert [row["number"] for row in codes(batch)] == ["1", "3"]
    assert {"make_vouchers", "show_voucher_codes", "revoke_vouchers"} <= done()


def test_the_same_key_makes_no_second_batch_and_codes_are_not_printed_by_the_way() -> None:
    first = make("--credits", "ai.chat=50", "--key", "a-key-of-mine-1234")
    assert make("--credits", "ai.chat=50", "--key", "a-key-of-mine-1234") == first
    listed = billing("vouchers", "list").output
    assert listed.count("vb_") == 1
    assert "50 ai.chat" in listed
    assert codes(first)[0]["code"] not in listed + billing("vouchers", "list", first).output


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (("--plan", "no-such-plan"), "plan_id"),
        (("--credits", "ai.chat=many"), "credits/amount"),
        (("--credits", "no.such=5"), "credits/feature"),
        (("--plan", "pro-month", "--until", "2020-01-01"), "expires_at"),
        ((), "plan_id"),
    ],
)
def test_what_cannot_be_made_is_named_and_nothing_is_made(asked: tuple[str, ...], named: str) -> None:
    answer = billing("vouchers", "make", "--count", "1", "--note", "n", *asked)
    assert answer.exit_code == 1
    assert named in answer.output
    assert "vb_" not in billing("vouchers", "list").output


def test_a_batch_that_is_not_there_is_refused_in_one_line() -> None:
    answer = billing("vouchers", "csv", "vb_none")
    assert (answer.exit_code, answer.output.count("\n")) == (1, 1)
