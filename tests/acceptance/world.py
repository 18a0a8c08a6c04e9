"""A shop with the real use cases over stores in memory, and a provider's stand-in that plays the other side.

Between them lie the real webhook door and a list in place of the queue. The only thing that differs from one provider
to the next is its `Player`.
"""

import base64
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast
from unittest.mock import patch

from coincurve import PrivateKey

from billing.admin.invoices import InvoiceDesk
from billing.aws import Aws
from billing.errors import FeatureLocked
from billing.gate.gate import Gate
from billing.intake.applier import Applier
from billing.intake.batch import Batch
from billing.intake.processing import Processor
from billing.intake.webhook import webhook
from billing.providers import breaker, load
from billing.providers.bitpay import BitPay
from billing.providers.btcpay import BTCPay
from billing.providers.interface import Client
from billing.providers.mock import MockClient
from billing.providers.stripe.client import connect as connect_stripe
from billing.rules.entitlements import Entitlement
from billing.rules.history import By
from billing.rules.plans import Catalogue, Plan
from billing.rules.records import Account, Payment, Purchase, Term
from billing.selling.aftercare import Aftercare
from billing.selling.checkout import Checkouts, confirm
from billing.selling.invoices import Poller
from billing.selling.refunds import Refunds
from billing.selling.vouchers import Following, Vouchers
from billing.settings import Settings
from billing.store.accounts import AccountStore
from billing.store.due import FIELDS, Due, DueKind, DueStore, Waiting
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore
from billing.store.vouchers import VoucherStore
from fakes.base import App, Clock
from fakes.mock import MockProvider
from fakes.stripe.app import StripeApp
from in_process import in_process
from memory import MemoryAccounts, MemoryVouchers
from tests.fakes.bitpay_contract import HeldBitPay
from tests.fakes.btcpay_contract import HeldBTCPay
from tests.samples import FREE, NOW, PLUS, PRO, PRO_YEAR, TAX_PASS

SECRET = "acceptance-secret"
MERCHANT = PrivateKey(b"\x07" * 32)
USER = "usr_1"


class Player(Protocol):
    """The buyer's and the bank's side of one provider, in the words all of them share."""

    name: str
    app: Any

    def client(self) -> Client: ...

    def on_sale(self, plans: list[Plan]) -> list[Plan]:
        """The plans as this provider needs them."""
        ...

    def pay(self, session_id: str) -> None:
        """The buyer pays in full, and the money is final."""
        ...

    def checkouts(self) -> int:
        """How many checkouts or invoices were ever opened."""
        ...


class MockPlayer:
    name = "mock"

    def __init__(self) -> None:
        self.app = MockProvider(SECRET, "http://shop/hook")
        self.app.clock = self.app.webhooks.clock = Clock(lambda: NOW)

    def client(self) -> Client:
        return MockClient(self.app.url)

    def on_sale(self, plans: list[Plan]) -> list[Plan]:
        return plans

    def pay(self, session_id: str) -> None:
        self.app.pay(session_id)

    def checkouts(self) -> int:
        return sum(1 for thing in self.app.objects.values() if thing["object"] == "checkout")


class StripePlayer:
    name = "stripe"

    def __init__(self) -> None:
        self.app = StripeApp(Clock(lambda: NOW))

    def client(self) -> Client:
        self.app.add_endpoint("http://shop/hook", SECRET)
        return self._connected

    def on_sale(self, plans: list[Plan]) -> list[Plan]:
        env = {"STAGE": "test", "LIVEMODE": "false", "STRIPE_SECRET_KEY": "sk_test_x", "STRIPE_API_BASE": self.app.url}
        self._connected = connect_stripe(Settings(env))
        priced = []
        for plan in plans:
            bare = replace(plan, provider_plan_ids={})
            price = None if plan.free else self._connected.sync_plan(bare, dry_run=False).price_id
            priced.append(replace(bare, provider_plan_ids={"stripe": price} if price else {}))
        return priced

    def pay(self, session_id: str) -> None:
        self.app.books.complete(self.app.books.objects[session_id])

    def checkouts(self) -> int:
        return sum(1 for _ in self.app.books.all("checkout.session"))


class BitPayPlayer:
    name = "bitpay"

    def __init__(self) -> None:
        self.app = HeldBitPay(
            "pos-token", "merchant-token", MERCHANT.public_key.format().hex(), clock=Clock(lambda: NOW)
        )

    def client(self) -> Client:
        return BitPay(
            url=self.app.url,
            token="pos-token",
            merchant_token="merchant-token",
            merchant_key=MERCHANT.to_hex(),
            notification_url="http://shop/hook",
        )

    def on_sale(self, plans: list[Plan]) -> list[Plan]:
        return plans

    def pay(self, session_id: str) -> None:
        self.app.pay(session_id)
        self.app.confirm(session_id)
        self.app.complete(session_id)

    def checkouts(self) -> int:
        return len(self.app.invoices)


class BTCPayPlayer:
    name = "btcpay"

    def __init__(self) -> None:
        self.app = HeldBTCPay("store", "api-key", SECRET, "http://shop/hook", clock=Clock(lambda: NOW))

    def client(self) -> Client:
        return BTCPay(url=self.app.url, api_key="api-key", store_id="store", invoice_minutes=60, late_minutes=1440)

    def on_sale(self, plans: list[Plan]) -> list[Plan]:
        return plans

    def pay(self, session_id: str) -> None:
        self.app.pay(session_id)
        self.app.settle(session_id)

    def checkouts(self) -> int:
        return len(self.app.invoices)


PLAYERS: Mapping[str, type[Any]] = {
    "mock": MockPlayer,
    "stripe": StripePlayer,
    "bitpay": BitPayPlayer,
    "btcpay": BTCPayPlayer,
}


@dataclass
class Shelf:
    """The catalogue; how plans are stored is not what these tests are about."""

    plans: Catalogue

    def catalogue(self, *, fresh: bool = False) -> Catalogue:
        return self.plans


class MemoryDue:
    """What `DueStore` promises, over accounts in memory."""

    def __init__(self, accounts: MemoryAccounts) -> None:
        self._accounts = accounts

    def due(self, kind: DueKind, until: int | None, limit: int) -> list[Due]:
        found = [
            Due(kind, user_id, key, at)
            for user_id, account in self._accounts.accounts.items()
            for key, record in account.records.items()
            if (at := getattr(record, FIELDS[kind], None)) is not None and (until is None or at <= until)
        ]
        return sorted(found, key=lambda due: due.due_at)[:limit]

    def waiting(self, limit: int) -> list[Waiting]:
        return [
            Waiting(user_id, key)
            for user_id, account in self._accounts.accounts.items()
            for key, record in account.records.items()
            if isinstance(record, Purchase) and record.wants_a_person
        ][:limit]

    def claim(self, due: Due, next_at: int | None, **also: int) -> bool:
        account = self._accounts.accounts[due.user_id]
        record: Any = account.records[due.record]
        if getattr(record, FIELDS[due.kind]) != due.due_at:
            return False
        moved = replace(record, **{FIELDS[due.kind]: next_at}, **also)
        self._accounts.accounts[due.user_id] = replace(account, records={**account.records, due.record: moved})
        return True


@dataclass
class World:
    """`now` is the provider's clock: the shop and the provider live in the same time."""

    player: Player
    memory: MemoryAccounts
    accounts: AccountStore
    plans: PlanStore
    applier: Applier
    processor: Processor
    aftercare: Aftercare
    checkouts: Checkouts
    due: DueStore
    poller: Poller
    desk: InvoiceDesk
    refunds: Refunds
    vouchers: Vouchers
    following: Following
    queue: list[str]
    audit: list[tuple[By, Account]]
    dead_letters: list[str] = field(default_factory=list)

    @property
    def app(self) -> Any:
        return self.player.app

    @property
    def now(self) -> int:
        now: int = self.app.clock.now()
        return now

    # --- what a buyer does -------------------------------------------------------------------------------------------

    def checkout(self, plan: Plan = PLUS, **more: Any) -> Mapping[str, Any]:
        return self.checkouts.create(USER, plan.plan_id, self.player.name, self.now, **more)

    def session(self, checkout: Mapping[str, Any]) -> str:
        found = next(c for c in self.account.checkouts if c.checkout_id == checkout["checkout_id"])
        assert found.session_id is not None
        return found.session_id

    def buy(self, plan: Plan = PLUS, **more: Any) -> str:
        """Chooses, pays, and waits for the webhooks; the session's id."""
        session_id = self.session(self.checkout(plan, **more))
        self.player.pay(session_id)
        self.settle()
        return session_id

    def returns(self, checkout: Mapping[str, Any]) -> Mapping[str, Any]:
        """Comes back from the hosted page."""
        client = lambda name: self.applier._client(name)  # noqa: E731
        return confirm(self.accounts, self.applier, client, USER, checkout["checkout_id"], self.now)

    def has(self, feature: str, user_id: str = USER) -> bool:
        try:
            found = Gate(self.accounts, "https://shop/pricing").check(
                user_id, feature, self.plans.catalogue(), self.now
            )
        except FeatureLocked:
            return False
        return isinstance(found, Entitlement)

    # --- what happens behind -----------------------------------------------------------------------------------------

    def settle(self) -> int:
        """Lets every webhook that is due arrive, and processes the queue; how many events failed."""
        self.app.webhooks.wait_idle()
        return self.process()

    def process(self) -> int:
        messages = [{"messageId": str(n), "body": body} for n, body in enumerate(self.queue)]
        dead_letters = _Queue()
        batch = Batch(self.processor, cast(Aws, dead_letters), "queue", "dead letters", logging.getLogger("test"))  # type: ignore[arg-type]
        answer = batch.process(messages, self.now)
        self.dead_letters += dead_letters.messages
        failed = {int(item["itemIdentifier"]) for item in answer["batchItemFailures"]}
        self.queue[:] = [body for n, body in enumerate(self.queue) if n in failed]
        return len(failed)

    def poll(self, seconds: int) -> int:
        """Lets time pass, with a look at the open invoices whenever one is due; in how many something had changed."""
        changed, until = 0, self.now + seconds
        while self.now < until:
            due = min((d.due_at for d in self.due.due("poll", until, 25)), default=until)
            self.app.advance(min(max(due - self.now, 60), until - self.now))
            changed += self.poller.poll(self.now, 25).changed
        return changed

    # --- what can be seen --------------------------------------------------------------------------------------------

    @property
    def account(self) -> Account:
        return self.accounts.load(USER, whole=True)

    @property
    def bought(self) -> Purchase:
        """The only term or purchase."""
        (found,) = [r for r in self.account.records.values() if isinstance(r, Purchase)]
        return found

    @property
    def term(self) -> Term:
        assert isinstance(self.bought, Term)
        return self.bought

    @property
    def payments(self) -> list[Payment]:
        return [payment for _, payment in self.account.income]

    def books(self, *kinds: str) -> list[tuple[str, int]]:
        """(kind, amount) of the ledger's lines of some kinds, oldest first."""
        lines = sorted((line for line in self.memory.ledger if line.kind in kinds), key=lambda line: line.at)
        return [(line.kind, line.amount_cents) for line in lines]


class _Queue:
    """SQS as the door sees it; `broken` refuses."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.broken = False

    def call(self, _service: str, _operation: str, **request: Any) -> dict[str, Any]:
        if self.broken:
            raise RuntimeError("the queue refuses")
        if "MessageBody" in request:
            self.messages.append(request["MessageBody"])
        return {}


@contextmanager
def open_world(name: str) -> Iterator[World]:
    """A shop that sells by one provider."""
    player: Player = PLAYERS[name]()
    # Who is left alone for a while is left alone by the clock that all live by.
    clock = player.app.clock
    original = breaker.Breaker.__init__
    by_that_clock = lambda self, name, own=None: original(self, name, own or (lambda: float(clock.now())))  # noqa: E731
    queue = _Queue()
    settings = Settings({"PAYMENT_EVENTS_QUEUE_URL": "queue", "BILLING_PROVIDER_MODE": name, "STAGE": "test"})
    secrets = [SECRET, "pos-token", "merchant-token"]
    door = webhook(load(name), lambda: secrets, settings, cast(Aws, queue), cast(Any, _Quiet()))

    def deliver(_url: str, body: bytes, headers: Mapping[str, str]) -> int:
        event = {
            "routeKey": f"POST /billing/webhook/{name}",
            "headers": dict(headers),
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }
        try:
            return int(door(event, None)["statusCode"])
        except RuntimeError:
            return 500

    app: App = player.app
    app.webhooks.send = deliver
    with in_process(app), patch.object(breaker.Breaker, "__init__", by_that_clock):
        plans = cast(PlanStore, Shelf(Catalogue(tuple(player.on_sale([FREE, PLUS, PRO, PRO_YEAR, TAX_PASS])))))
        memory = MemoryAccounts()
        accounts, due = cast(AccountStore, memory), cast(DueStore, MemoryDue(memory))
        shelf = cast(VoucherStore, MemoryVouchers(memory))
        connected = player.client()
        applier = Applier(accounts, plans, lambda _: connected)
        aftercare = Aftercare(accounts, plans, applier, lambda _: connected, "refund", cast(Any, _Quiet()))
        refunds = Refunds(accounts, plans, applier, lambda _: connected)
        yield World(
            player=player,
            memory=memory,
            accounts=accounts,
            plans=plans,
            applier=applier,
            processor=Processor(applier, cast(PaymentEventStore, memory), livemode=False, aftercare=aftercare.settle),
            aftercare=aftercare,
            checkouts=Checkouts(
                accounts, plans, lambda _: connected, [name], "https://shop", voucher_secret=lambda: SECRET
            ),
            due=due,
            poller=Poller(accounts, due, applier, lambda _: connected, cast(Any, _Quiet())),
            desk=InvoiceDesk(accounts, plans, due, applier, lambda _: connected, refunds),
            refunds=refunds,
            vouchers=Vouchers(accounts, plans, shelf, lambda: [SECRET], "https://shop"),
            following=Following(accounts, plans, shelf, lambda: [SECRET]),
            queue=queue.messages,
            audit=memory.audit,
        )
    broken = getattr(app, "broken", [])
    assert not broken, f"the stand-in, or what we sent it, is not as the published API says: {broken}"


class _Quiet:
    """A logger that nobody reads."""

    def info(self, *_: object, **__: object) -> None: ...

    warning = error = info
