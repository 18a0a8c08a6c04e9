"""The real processor over stores in memory, fed with the events of a stand-in in any order, as a queue would.

The stores keep the promises of the real ones for one thread: an event counts once, a version is written once, an id
belongs to one user. Races are proven on the local engine, not here.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import stripe

from billing.errors import Parked
from billing.intake.applier import Applier
from billing.intake.processing import Delivery, Processor
from billing.providers import load
from billing.providers.interface import Client, Notification
from billing.providers.stripe.client import Options, StripeClient
from billing.rules.access import Window, windows
from billing.rules.plans import Catalogue
from billing.rules.records import Account, DeletedCustomer, PastPayment, Purchase, Record, Subscription
from billing.store.accounts import AccountStore
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore
from fakes.base import Clock
from fakes.stripe.app import StripeApp
from fakes.stripe.shapes import in_version
from in_process import ask
from memory import MemoryAccounts
from tests.providers.stripe.stripe_shop import PLANS, START, Shop

EVENTS_FOLDER = Path(__file__).parents[2] / "events" / "stripe"
# What an endpoint sends that was set up by hand with the fewest events.
FEWEST = frozenset(
    {
        "checkout.session.completed",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
        "charge.refunded",
    }
)


class InProcess(stripe.HTTPClient):
    """The SDK's transport, straight into the stand-in."""

    name = "in-process"

    def __init__(self, app: StripeApp) -> None:
        super().__init__()
        self._app = app

    def request(self, method: str, url: str, headers: Any, post_data: Any = None) -> tuple[bytes, int, Any]:
        answer = ask(self._app, method, url, headers, post_data)
        assert answer is not None
        return answer.body, answer.status, {**answer.headers, "Date": self._app.date()}

    def close(self) -> None:
        """Nothing is open."""


def shop_in_process() -> Shop:
    """A stand-in without a socket, with the plans synced to it."""
    app = StripeApp(Clock(lambda: float(START)))
    app.url = app.books.url = "https://standin.example"
    client = StripeClient(stripe.StripeClient("sk_test_standin", http_client=InProcess(app)), Options())
    plans = {}
    for plan in PLANS:
        price = client.sync_plan(plan, dry_run=False).price_id
        plans[plan.plan_id] = replace(plan, provider_plan_ids={"stripe": price or ""})
    return Shop(app, client, plans)


class MemoryStores(MemoryAccounts):
    """Accounts, payment events and the catalogue."""

    def __init__(self, plans: Catalogue) -> None:
        super().__init__()
        self.plans = plans

    def catalogue(self, *, fresh: bool = False) -> Catalogue:
        return self.plans


class World:
    """One stack at one shop. `deliver` is the queue: what parks comes again, behind the others, up to five times."""

    def __init__(self, shop: Shop, *, livemode: bool = False) -> None:
        self.shop = shop
        self.stores = MemoryStores(shop.catalogue)
        applier = Applier(
            cast(AccountStore, self.stores),
            cast(PlanStore, self.stores),
            lambda _: cast(Client, shop.client),
        )
        self.processor = Processor(applier, cast(PaymentEventStore, self.stores), livemode=livemode)

    def deliver(self, notifications: Iterable[Notification]) -> None:
        waiting = [(notification, 0) for notification in notifications]
        while waiting:
            notification, tries = waiting.pop(0)
            try:
                self.processor.process(notification, Delivery(received_at=self.now), self.now)
            except Parked:
                assert tries < 5, f"{notification.type} ended in the dead-letter queue"
                waiting.append((notification, tries + 1))

    @property
    def now(self) -> int:
        return self.shop.app.clock.now()

    @property
    def account(self) -> Account:
        return self.stores.load("usr_1", whole=True)

    def windows(self) -> list[Window]:
        return windows(self.account, self.stores.plans)

    def essence(self) -> Any:
        """The account without when it was last looked at: what must not depend on order."""
        # What is booked is the sum of the ledger below; since when, depends on which states were seen.
        booked = self.account.booked.record
        records = {
            key: _essence(record)
            for key, record in self.account.records.items()
            if key != booked and not isinstance(record, DeletedCustomer)
        }
        money: Counter[str] = Counter()
        for line in self.stores.ledger:
            # A state that was never seen, because it had passed, is not booked; what it comes to is the same. The fee
            # is known once something made us read the payment.
            if line.kind != "fee":
                money["mrr" if line.kind == "mrr" else f"{line.object_id} of {line.plan_id}"] += line.amount_cents
        return records, self.windows(), {name: amount for name, amount in money.items() if amount}


def _essence(record: Record) -> Any:
    if isinstance(record, Subscription):
        # Reading a subscription again tells of invoices that no event would: those that are owed are the same.
        unpaid = {d.invoice_id: replace(d, observed_at=0) for d in record.owed}
        payments = {k: _payment(p) for k, p in record.payments.items()}
        # That a customer was deleted is noted only of a user of whom something else was heard first.
        return replace(record, observed_at=0, unpaid=unpaid, payments=payments, customer_id=None)
    if isinstance(record, PastPayment):
        return replace(record, payment=_payment(record.payment))
    if isinstance(record, Purchase):
        return replace(record, observed_at=0, payment=record.payment and _payment(record.payment))
    return record


def _payment(payment: Any) -> Any:
    return replace(
        payment,
        # Which names and fee of a payment are known depends on whether something made us read it.
        refs=(),
        fee_cents=None,
        refunds={k: replace(r, observed_at=0) for k, r in payment.refunds.items()},
        disputes={k: replace(d, observed_at=0) for k, d in payment.disputes.items()},
    )


def notifications(
    shop: Shop, version: str | None = None, kinds: frozenset[str] | None = None, since: int = 0
) -> list[Notification]:
    """The events so far, as an endpoint of `version` that asked for `kinds` gets them."""
    stripe_module = load("stripe")
    return [
        stripe_module.minimise(json.dumps(in_version(event, version)).encode())
        for event in shop.books.events[since:]
        if kinds is None or event["type"] in kinds
    ]


def shuffled_with_repeats(found: Sequence[Notification], seed: int) -> list[Notification]:
    order = [*found, *found]
    random.Random(seed).shuffle(order)  # noqa: S311 an order, not a secret
    return order
