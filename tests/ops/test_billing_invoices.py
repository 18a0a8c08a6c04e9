"""`billing invoices`, as an operator types it: list what waits, accept it, give it back."""

import json
import re
from collections.abc import Iterator

import pytest

from billing.providers import Clients
from billing.selling.checkout import Checkouts
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore
from billing_cli.stack import Stack
from fakes.base import Fault, Server
from fakes.btcpay import BTCPay
from tests.ops.conftest import SEEDS, OpenStack, billing
from tests.samples import USER


@pytest.fixture
def server() -> Iterator[BTCPay]:
    app = BTCPay("store", "api-key", "secret", send=lambda *_: 200)
    with Server(app):
        yield app


@pytest.fixture
def stack(server: BTCPay, open_stack: OpenStack) -> Stack:
    """It sells through a stand-in of BTCPay Server."""
    settings = {"BTCPAY_URL": server.url, "BTCPAY_STORE_ID": "store", "BTCPAY_API_KEY": "api-key"}
    stack = open_stack(BILLING_PROVIDER_MODE="btcpay", PUBLIC_URL="https://api.test", **settings)
    assert billing("plans", "import", str(SEEDS)).exit_code == 0
    return stack


def opened(stack: Stack, server: BTCPay) -> str:
    accounts = AccountStore(stack.aws, "AccountsTable", "PaymentEventsTable")
    plans, client = PlanStore(stack.aws, "PlansTable"), Clients(stack.settings)
    plan_id = next(p["plan_id"] for p in json.loads(SEEDS.read_text()) if p["interval"] == "month" and p["price_cents"])
    Checkouts(accounts, plans, client, ["btcpay"], "https://shop").create(USER, plan_id, None, server.clock.now())
    (invoice,) = server.invoices
    return invoice


def test_a_late_payment_is_listed_read_again_and_accepted(stack: Stack, server: BTCPay) -> None:
    invoice = opened(stack, server)
    assert "No invoice waits for a decision" in billing("invoices", "list", "--flagged").output
    server.advance(3700)
    server.pay(invoice)
    assert "paid_late" in billing("invoices", "reread", "btcpay", invoice).output
    assert "decide" in billing("invoices", "list", "--flagged").output
    accepted = billing("invoices", "accept", "btcpay", invoice).output
    assert "accepted by cli:" in accepted
    assert "No invoice waits for a decision" in billing("invoices", "list", "--flagged").output


def test_a_refund_asks_first_and_prints_the_claim_link(stack: Stack, server: BTCPay) -> None:
    invoice = opened(stack, server)
    server.pay(invoice, lightning=True)
    billing("invoices", "reread", "btcpay", invoice)
    assert billing("invoices", "refund", "btcpay", invoice).exit_code == 1
    assert server.claims == {}
    given_back = billing("invoices", "refund", "btcpay", invoice, "--yes", "--key", "once-only")
    assert f"The buyer claims it at {server.url}/pull-payments/" in given_back.output
    assert given_back.output.index("key once-only") < given_back.output.index("The buyer claims it")
    refused = billing("invoices", "refund", "btcpay", invoice, "--yes")
    assert (refused.exit_code, "at most 0" in refused.output) == (1, True)


def test_what_is_undecided_and_whose_turn_a_refund_is_are_said(stack: Stack, server: BTCPay) -> None:
    invoice = opened(stack, server)
    server.advance(3700)
    server.pay(invoice)
    late = billing("invoices", "reread", "btcpay", invoice).output
    assert re.search(r"received 9\.00 USD \(\d+ sat\)", late)
    assert "9.00 USD waits for a decision" in late
    assert "undecided" in billing("invoices", "list", "--flagged").output
    billing("invoices", "refund", "btcpay", invoice, "--yes", "--amount", "400")
    after = billing("invoices", "reread", "btcpay", invoice).output
    assert re.search(r"^refund \w+: 4\.00 USD.*, waits for the buyer to claim it$", after, re.MULTILINE)
    assert "5.00 USD waits for a decision" in after
    server.refunds.by_the_server(invoice, "Custom", "1.505", "USD")
    output = billing("invoices", "reread", "btcpay", invoice).output
    assert "1.51 USD, stated by the provider as 1.505 USD, waits for" in output


def test_the_key_is_printed_before_the_provider_is_asked(stack: Stack, server: BTCPay) -> None:
    invoice = opened(stack, server)
    server.pay(invoice, lightning=True)
    billing("invoices", "reread", "btcpay", invoice)
    server.faults = [Fault("refuse", times=20)]
    away = billing("invoices", "refund", "btcpay", invoice, "--yes")
    assert away.exit_code != 0
    assert re.search(r"^key [0-9a-f]{32}$", away.output, re.MULTILINE)


def test_an_unknown_invoice_is_refused_in_plain_words(stack: Stack) -> None:
    answer = billing("invoices", "accept", "btcpay", "nothing")
    assert (answer.exit_code, "no btcpay invoice nothing is known here" in answer.output) == (1, True)
