"""Several people give back the same money at the same moment, on the engine's real transactions."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from billing.admin.invoices import InvoiceDesk
from billing.errors import BillingError
from billing.intake.applier import Applier
from billing.providers.btcpay import BTCPay
from billing.providers.interface import Client
from billing.rules.facts import Ref
from billing.selling.checkout import Checkouts
from billing.selling.refunds import Refunds, Wanted
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from billing.store.plans import PlanStore
from demo.shop import STORE, Owner, Shop

pytestmark = pytest.mark.engine


class Counter:
    """A shop's counter for one buyer of its own, who pays a Bitcoin invoice."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.user = shop, f"usr_{uuid.uuid4().hex}"
        aws, table = Owner(shop.engine), shop.engine.resource("AccountsTable")
        self.accounts = AccountStore(aws, table, shop.engine.resource("PaymentEventsTable"))
        self.plans = PlanStore(aws, shop.engine.resource("PlansTable"))
        app = shop.btcpay
        self._client = BTCPay(url=app.url, api_key=app.api_key, store_id=STORE, invoice_minutes=60, late_minutes=1440)
        self.applier = Applier(self.accounts, self.plans, self.client)
        self.refunds = Refunds(self.accounts, self.plans, self.applier, self.client)
        self.desk = InvoiceDesk(
            self.accounts, self.plans, DueStore(aws, table), self.applier, self.client, self.refunds
        )

    def client(self, _: str) -> Client:
        return self._client

    @property
    def now(self) -> int:
        return self.shop.btcpay.clock.now()

    def invoice(self, *, late: bool) -> str:
        """A paid invoice, by the provider's word alone: no webhook helps."""
        checkouts = Checkouts(self.accounts, self.plans, self.client, ["btcpay"], "https://shop")
        checkouts.create(self.user, "pro-month", "btcpay", self.now)
        (name,) = (c.session_id for c in self.accounts.load(self.user).checkouts)
        assert name is not None
        app = self.shop.btcpay
        if late:
            app.invoices[name].expires = self.now - 1
            app.tick()
        app.pay(name)
        if not late:
            app.settle(name)
        self.applier.apply(self.user, "btcpay", self._client.read(Ref("purchase", name), self.now), self.now)
        return name

    def claimed(self, invoice: str) -> int:
        found = [c for c in self.shop.btcpay.claims.values() if invoice in str(c["description"])]
        return sum(round(float(claim["amount"]) * 100) for claim in found)


def at_once(calls: list[Callable[[], object]]) -> list[str]:
    """What became of each: done, or the code of its error."""
    begin = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> str:
        begin.wait()
        try:
            call()
        except BillingError as refused:
            return refused.code
        return "done"

    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(pool.map(run, calls))


def test_six_admins_with_six_keys_give_the_money_back_once(shop_engine: Shop) -> None:
    counter = Counter(shop_engine)
    invoice = counter.invoice(late=False)
    wanted = Wanted(user_id=counter.user, provider="btcpay", payment=invoice)
    outcomes = at_once(
        [lambda n=n: counter.refunds.refund(wanted, f"key-{n}", f"usr_{n}", counter.now) for n in range(6)]
    )
    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "not_refundable", "try_again"}
    (payment,) = (payment for _, payment in counter.accounts.load(counter.user).payments)
    assert counter.claimed(invoice) == payment.refunded_cents == payment.amount_cents


@pytest.mark.parametrize("turn", range(3))
def test_two_who_accept_and_two_who_give_back_come_to_one_decision(shop_engine: Shop, turn: int) -> None:
    counter = Counter(shop_engine)
    invoice = counter.invoice(late=True)
    calls: list[Callable[[], object]] = [
        *(lambda n=n: counter.desk.accept("btcpay", invoice, f"usr_{n}", counter.now) for n in range(2)),
        *(
            lambda n=n: counter.desk.refund("btcpay", invoice, None, f"key-{n}", "usr_9", counter.now, surplus=False)
            for n in range(2)
        ),
    ]
    at_once(calls[turn:] + calls[:turn])
    ((purchase, payment),) = counter.accounts.load(counter.user).payments
    accepted = getattr(purchase, "accepted_by", None) is not None
    assert accepted != (payment.refunded_cents > 0)
    assert counter.claimed(invoice) == payment.refunded_cents
