"""Random histories of one account: card, bitcoin, refunds, disputes, ends, vouchers and a wallet that renews.

The real use cases and rules over stores in memory, a card provider and a bitcoin server that live by one clock. What
the API answers the billing page at an instant is a document (`Life.document`).
"""

import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from billing.admin.invoices import InvoiceDesk
from billing.api.status import quotes, subscription_status
from billing.api.views import entitlement_list, plan_in_force, plan_list
from billing.errors import BillingError, Parked, ProviderError
from billing.gate.gate import with_free
from billing.intake.applier import Applier
from billing.log import SILENT
from billing.providers.btcpay import BTCPay
from billing.rules import vouchers as voucher_rules
from billing.rules.allowances import Counter, held
from billing.rules.entitlements import evaluate
from billing.rules.records import Account
from billing.rules.times import DAY
from billing.selling.checkout import Checkouts
from billing.selling.invoices import Poller
from billing.selling.receipts import receipts_of
from billing.selling.receipts import view as receipt_view
from billing.selling.refunds import Refunds, Wanted
from billing.selling.vouchers import Following, Vouchers
from fakes.btcpay import BTCPay as BTCPayServer
from in_process import ask
from memory import MemoryPlans, MemoryVouchers, World
from samples import CATALOGUE, USER
from tests.acceptance.wallets import Renewing
from tests.acceptance.world import MemoryDue

SECRET = "a-secret-of-the-histories"
OFFERED = ["mock", "btcpay"]
SOLD_BY_CARD = ("plus-month", "plus-trial", "pro-month", "pro-year", "tax-2026", "day-pass")
SOLD_IN_BITCOIN = ("plus-month", "pro-month", "pro-year", "tax-2026")
MOODS = ("pays", "fails", "silent", "budget", "pays later", "busy", "ended")
HOUR = 3600


class _Direct:
    """The transport of our client of BTCPay Server, without a socket."""

    answered_at = None

    def __init__(self, server: BTCPayServer) -> None:
        self._server = server

    def url(self, path: str) -> str:
        return "http://btcpay" + path

    def read(self, path: str, *, missing_ok: bool = False) -> Any:
        return self._send("GET", path, b"", missing_ok)

    def change(self, method: str, path: str, body: bytes) -> Any:
        return self._send(method, path, body)

    def create(self, path: str, body: bytes, find: Callable[[], Any], *, look_first: bool = True) -> Any:
        return (find() if look_first else None) or self._send("POST", path, body)

    def _send(self, method: str, path: str, body: bytes, missing_ok: bool = False) -> Any:
        answer = ask(self._server, method, self.url(path), {"authorization": "token key"}, body)
        assert answer is not None
        if answer.status == 404 and missing_ok:
            return None
        if answer.status >= 300:
            raise ProviderError("refused", status=answer.status)
        return json.loads(answer.body, parse_float=Decimal)


class Life:
    """One buyer, and all that may happen to what they have. It is as a world to the wallet's renewals, too."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 a history, no secret
        card = self.card = World()
        self.server = self.app = BTCPayServer("store", "key", SECRET, clock=card.provider.clock)
        bitcoin = BTCPay(url="http://btcpay", api_key="key", store_id="store", invoice_minutes=60, late_minutes=1440)
        bitcoin._rest = _Direct(self.server)  # type: ignore[assignment]
        self.clients = {"mock": card.client, "btcpay": bitcoin}
        self.player = SimpleNamespace(client=lambda: bitcoin)
        self.memory = card.accounts
        accounts, plans, client = cast(Any, self.memory), cast(Any, MemoryPlans()), self.clients.__getitem__
        self.accounts, self.plans = accounts, plans
        self.due = cast(Any, MemoryDue(accounts))
        self.applier = card.applier = Applier(accounts, plans, client)
        card.processor._applier = self.applier
        self.checkouts = Checkouts(accounts, plans, client, OFFERED, "http://portal", voucher_secret=lambda: SECRET)
        self.poller = Poller(accounts, self.due, self.applier, client, SILENT)
        self.refunds = Refunds(accounts, plans, self.applier, client)
        self.desk = InvoiceDesk(accounts, plans, self.due, self.applier, client, self.refunds)
        self.shelf = MemoryVouchers(self.memory)
        self.vouchers = Vouchers(accounts, plans, cast(Any, self.shelf), lambda: [SECRET], "http://portal")
        self.following = Following(accounts, plans, cast(Any, self.shelf), lambda: [SECRET])
        self.renewing = Renewing(cast(Any, self))
        self.codes = [self._voucher(n, plan) for n, plan in enumerate(("plus-month", "pro-year", "tax-2026", ""))]
        self.delivered = 0
        self.number = 0
        # Each life is of some kinds of events: of all at once, the rarer ones never come to anything.
        some = [act for act in self.acts if self.chance.random() < 0.4]
        self.mine = [
            act for act in {**dict.fromkeys(some), **dict.fromkeys(self.always)} for _ in range(self.acts[act])
        ]

    def _voucher(self, number: int, plan_id: str) -> str:
        code = voucher_rules.code_of(SECRET, f"batch#{number}")
        gives: dict[str, Any] = {"plan_id": plan_id, "plan_version": 1, "sold_cents": 700, "intervals": 1 + number % 2}
        if not plan_id:
            gives = {"features": {"ai.chat": {"credits": 50}}}
        self.shelf.put(
            voucher_rules.Voucher(
                voucher_id=voucher_rules.voucher_id(code), currency="USD", batch_id="vb", number=number, **gives
            )
        )
        return code

    @property
    def now(self) -> int:
        return self.card.now

    @property
    def account(self) -> Account:
        return self.accounts.load(USER, whole=True)

    def step(self) -> None:
        """Something happens, and mostly it is heard of at once."""
        with suppress(BillingError, IndexError, KeyError):
            self._choose(self.mine)(self)
        if self.chance.random() < 0.9:
            self.settle()

    # --- what is heard of ----------------------------------------------------------------------------------------

    def settle(self) -> None:
        """All that the card's provider has told, and every invoice as it is now."""
        waiting = list(self.card.messages[self.delivered :])
        self.delivered = len(self.card.messages)
        for _ in range(4):
            parked = []
            for message in waiting:
                try:
                    self.card.deliver(message)
                except Parked:
                    parked.append(message)
            waiting = parked
        self.poller.poll(self.now, 50)
        for term in [*self.account.terms, *self.account.purchases, *self.account.gifts]:
            if term.provider == "btcpay":
                with suppress(BillingError):
                    self.desk.reread("btcpay", term.purchase_id, self.now)
        for voucher_id in self.shelf.all():
            self.following.follow(voucher_id, self.now)

    def wait(self, seconds: int) -> None:
        """Time passes at both providers, with the shop at work all the while."""
        until = self.now + seconds
        while self.now < until:
            due = [d.due_at for kind in ("poll", "renew") for d in self.due.due(kind, until, 50)]
            ahead = min(max(min(due, default=until) - self.now, HOUR), until - self.now)
            self.card.provider.advance(ahead)
            self.server.tick()
            self.settle()
            self.renewing.round()

    # --- what happens --------------------------------------------------------------------------------------------

    def _choose(self, things: Any) -> Any:
        return self.chance.choice(list(things))

    def _open(self, plan_id: str, provider: str, **more: Any) -> str:
        created = self.checkouts.create(USER, plan_id, provider, self.now, accept_overlap=True, **more)
        return str(created["url"]).rsplit("/", 1)[1]

    def _by_card(self) -> None:
        self.card.provider.pay(self._open(self._choose(SOLD_BY_CARD), "mock"))

    def _subscription(self) -> str:
        return str(self._choose(self.card.objects("subscription"))["id"])

    def _payment(self) -> str:
        return str(self._choose([*self.card.objects("payment"), *self.card.objects("purchase")])["id"])

    def _card(self, what: str, kind: str = "payment") -> None:
        self.card.provider.act(self._subscription() if kind == "subscription" else self._payment(), what)

    def _change(self) -> None:
        plan_id = self._choose(("plus-month", "pro-month", "pro-year"))
        self.card.change(self._subscription(), plan_id, at_period_end=self.chance.random() < 0.5)

    def _give_back(self) -> None:
        receipt = self._choose(receipts_of(self.account, CATALOGUE))
        amount = self._choose((None, None, 200))
        self.number += 1
        payment = receipt.payment.payment_id
        self.refunds.refund(
            Wanted(user_id=USER, provider=receipt.provider, payment=payment, amount_cents=amount),
            f"key-{self.number}",
            "usr_admin",
            self.now,
        )

    def _invoice(self) -> str:
        return self._open(self._choose(SOLD_IN_BITCOIN), "btcpay")

    def _paid_in_bitcoin(self) -> None:
        invoice_id = self._invoice()
        self.server.pay(invoice_id, lightning=self.chance.random() < 0.5)
        self.server.settle(invoice_id)

    def _any_invoice(self) -> str:
        """Rather a new one."""
        return str(self._choose([*self.server.invoices, *list(self.server.invoices)[-1:] * 3]))

    def _part(self) -> None:
        invoice = self.server.invoices[self._any_invoice()]
        self.server.pay(invoice.id, self._choose((invoice.satoshis // 2, invoice.satoshis // 3, invoice.satoshis * 2)))

    def _accept(self) -> None:
        self.desk.accept("btcpay", self._any_invoice(), "usr_admin", self.now)

    def _redeem(self) -> None:
        self.vouchers.redeem(USER, self._choose(self.codes), self.now)

    def _revoke(self) -> None:
        voucher = self.shelf.get(voucher_rules.voucher_id(self._choose(self.codes)))
        assert voucher is not None
        self.shelf.put(replace(voucher, closed="revoked"))

    def _gift(self) -> None:
        self.card.provider.pay(self._open("plus-month", "mock", gift=True))

    def _connect(self) -> None:
        self.renewing.connect(CATALOGUE.get(self._choose(("plus-month", "pro-month"))), most_sat=1_000_000)  # type: ignore[arg-type]
        self.renewing.wallet.moods = [self._choose(MOODS) for _ in range(self.chance.randint(0, 4))]

    def _pause(self) -> None:
        paused = self.chance.random() < 0.6
        self.renewing.wallets.set(USER, "main", self.now, paused=paused, most_sat=None, price_cents=None)

    def _wait(self) -> None:
        self.wait(self._choose((HOUR, 5 * HOUR, 3 * DAY, 8 * DAY, 14 * DAY, 31 * DAY, 60 * DAY)))

    acts: Mapping[Callable[["Life"], None], int] = {
        _by_card: 3,
        lambda self: self._open(self._choose(SOLD_BY_CARD), "mock") and None: 1,
        _change: 2,
        lambda self: self.card.cancel_at_period_end(self._subscription()): 2,
        lambda self: self.card.resume(self._subscription()): 1,
        lambda self: self._card("cancel", "subscription"): 1,
        lambda self: self._card("decline-next", "subscription"): 2,
        lambda self: self._card("fail", "subscription"): 1,
        lambda self: self._card("settle", "subscription"): 1,
        _give_back: 3,
        lambda self: self._card("fail-refund"): 1,
        lambda self: self._card("dispute"): 2,
        lambda self: self._card("win"): 1,
        lambda self: self._card("lose"): 1,
        lambda self: self._invoice() and None: 2,
        _paid_in_bitcoin: 2,
        _part: 3,
        lambda self: self.server.pay(self._any_invoice()): 1,
        lambda self: self.server.settle(self._any_invoice()): 1,
        lambda self: self.server.invalidate(self._any_invoice()): 1,
        lambda self: self.server.claim(self._choose(self.server.claims)): 1,
        _accept: 1,
        _redeem: 2,
        _revoke: 1,
        _gift: 1,
        _connect: 2,
        _pause: 1,
        _wait: 8,
    }
    always = (_wait, _by_card, _paid_in_bitcoin)

    # --- what the API answers ------------------------------------------------------------------------------------

    def document(self) -> dict[str, Any]:
        """Each call that the billing page makes, with its answer."""
        account, now = self.account, self.now
        sources = with_free(self.memory.sources.get(USER, ()), CATALOGUE)
        features = [held(e, Counter(), now) for e in evaluate(sources, now).values()]
        plan = plan_in_force(account, CATALOGUE, now)
        entitlements = entitlement_list(USER, plan.plan_id if plan else "", account.version, features)
        return {
            "/billing/subscription-status": subscription_status(account, CATALOGUE, now),
            "/billing/quotes": {"quotes": quotes(account, CATALOGUE, OFFERED, now)},
            "/billing/plans": {**plan_list(CATALOGUE, OFFERED, ["btcpay"]), "quotes": []},
            "/billing/entitlements": {**entitlements, "token": None, "token_expires_at": None},
            "/billing/receipts": {"receipts": [receipt_view(r) for r in receipts_of(account, CATALOGUE)]},
            "/billing/gifts": self.vouchers.gifts(USER, now),
            "/billing/wallet": self.renewing.wallets.show(USER, now),
        }
