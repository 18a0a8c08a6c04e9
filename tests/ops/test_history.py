"""The made-up past of `make run ARGS=--history`: real code, real books, and something of everything to look at."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.books import booked, differences, doubles, reported, rollups_agree
from billing.api.admin_requests import CreatePlan
from billing.identity.tokens import DEV_ISSUER, Signer, generate_key_set
from billing.intake.dead_letters import DeadLetters
from billing.store.payment_events import PaymentEventStore
from billing.store.progress import Progress, ProgressStore
from demo.history import History, live_once
from demo.office import Office
from demo.shop import Shop, seeds
from fakes.base import Server, post
from fakes.bitpay import BitPay
from fakes.btcpay import BTCPay
from fakes.mock import MockProvider
from fakes.stripe.app import StripeApp
from local.emulator import Emulator
from local.host import EngineError, free_port
from local.tables import create_tables

# One of each story, and time enough for all of them but the years.
CUSTOMERS, DAYS = 28, 110


class _Engine:
    """The emulator's tables and queues alone, in the place of a running engine."""

    def __init__(self, emulator: Emulator, variables: dict[str, str]) -> None:
        self.client, self.owner = emulator.client, emulator.owner
        self._variables = variables

    def variables(self, function: str) -> dict[str, str]:
        return self._variables

    def without_schedules(self) -> Any:
        return nullcontext()


@pytest.fixture
def shop(template: dict[str, Any], tmp_path: Path) -> Iterator[Shop]:
    at = "http://127.0.0.1/billing/webhook"
    mock, bitpay = MockProvider("mock-secret", f"{at}/mock"), BitPay("pos-token")
    btcpay = BTCPay("store", "key", "btcpay-secret", f"{at}/btcpay")
    with ExitStack() as until_the_end:
        for stand_in in (mock, btcpay, bitpay):
            until_the_end.enter_context(Server(stand_in))
        emulator = Emulator(free_port(), tmp_path / "emulator.log")
        until_the_end.callback(emulator.stop)
        tables, sqs = create_tables(emulator.client("dynamodb"), template), emulator.client("sqs")
        queues = {
            n: sqs.create_queue(QueueName=n)["QueueUrl"] for n in ("PAYMENT_EVENTS_QUEUE_URL", "PAYMENT_EVENTS_DLQ_URL")
        }
        engine = _Engine(
            emulator,
            {
                **queues,
                "STAGE": "test",
                "LIVEMODE": "false",
                "BILLING_PROVIDER_MODE": "mock,btcpay,bitpay",
                "PUBLIC_URL": "http://127.0.0.1",
                "PORTAL_URL": "http://127.0.0.1",
                "DOUBLE_SUBSCRIPTIONS": "refund",
                "PLANS_TABLE": tables["PlansTable"],
                "ACCOUNTS_TABLE": tables["AccountsTable"],
                "PAYMENT_EVENTS_TABLE": tables["PaymentEventsTable"],
                "METRICS_TABLE": tables["MetricsTable"],
                "MOCK_URL": mock.url,
                "BILLING_WEBHOOK_SECRET": "mock-secret",
                "BTCPAY_URL": btcpay.url,
                "BTCPAY_STORE_ID": "store",
                "BTCPAY_API_KEY": "key",
                "BTCPAY_WEBHOOK_SECRET": "btcpay-secret",
                "BITPAY_URL": bitpay.url,
                "BITPAY_API_KEY": "pos-token",
                "BITPAY_MERCHANT_TOKEN": "merchant-token",
            },
        )
        # Nobody signs in at an identity provider, pays by a wallet or reads messages in that past.
        unused: dict[str, Any] = dict.fromkeys(("issuer", "relay", "wallet", "reader"))
        signer = Signer({DEV_ISSUER: generate_key_set("dev")}, DEV_ISSUER)
        yield Shop(cast(Any, engine), mock, bitpay, btcpay, StripeApp(), **unused, _signer=signer)


@pytest.mark.sweep
def test_a_made_up_past_is_lived_through_the_real_code_and_its_books_agree(shop: Shop) -> None:
    office = Office(shop)
    for plan in seeds():
        office.admin_plans.create(CreatePlan.model_validate(plan))
    history = History(shop, office, customers=CUSTOMERS, days=DAYS)
    history.live()

    lines = [line for page in office.metrics.ledger() for line in page]
    office.metrics.fold(lines)
    assert rollups_agree(office.metrics, lines)
    assert doubles(lines) == 0
    by_card = {user for user, line in lines if line.provider == "mock"}
    of_card = [(user, line) for user, line in lines if line.provider == "mock"]
    assert list(differences(booked(of_card, by_card), reported(shop.mock.objects.values(), by_card))) == []

    kinds = Counter(line.movement if line.kind == "mrr" else line.kind for _, line in lines)
    assert {"new", "expansion", "contraction", "churn", "reactivation"} <= kinds.keys()
    assert {"payment", "refund", "dispute", "trial", "checkout"} <= kinds.keys()
    assert {line.reason for _, line in lines if line.movement == "churn"} >= {"payment_failed", "not_renewed", "unused"}
    assert {line.provider for _, line in lines if line.kind == "payment"} == {"mock", "btcpay", "bitpay"}
    decide = office.invoices.open(100, flagged=True)["invoices"]
    assert sorted(i["status"] for i in decide) == ["paid_late", "underpaid"]

    assert all(stand_in.clock.offset == 0 and stand_in.webhooks.send is post for stand_in in (shop.mock, shop.btcpay))

    dlq, queue = (shop.engine.variables("")[f"PAYMENT_EVENTS_{name}_URL"] for name in ("DLQ", "QUEUE"))
    [letter] = DeadLetters(office.aws, dlq, queue, PaymentEventStore(office.aws, "PaymentEventsTable")).waiting()
    assert letter.cause.startswith("no user is known for mock")

    with pytest.raises(EngineError, match="--fresh"):
        live_once(shop, lambda step: None)


def test_a_past_that_was_lived_is_not_lived_again(shop: Shop) -> None:
    office = Office(shop)
    ProgressStore(office.aws, "AccountsTable").save("history", None, 1)
    live_once(shop, lambda step: None)
    assert not any(office.metrics.ledger())


def test_a_past_that_broke_off_asks_for_a_new_shop(shop: Shop) -> None:
    ProgressStore(Office(shop).aws, "AccountsTable").save("history", Progress("events", None, 1), 1)
    with pytest.raises(EngineError, match="--fresh"):
        live_once(shop, lambda step: None)
