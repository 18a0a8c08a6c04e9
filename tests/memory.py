"""A world without AWS for tests of order and interleaving: the mock provider, and the store's promises in memory.

`AccountStore` itself is tested on moto, and its races on the local engine; here thousands of orders of events go
through the real translation, application and processing in seconds.
"""

import copy
import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from billing.errors import Parked, PastNeeded
from billing.intake.applier import Applier
from billing.intake.processing import Delivery, Processor
from billing.providers import mock
from billing.providers.interface import Order
from billing.providers.mock import MockClient
from billing.rules.access import term_runs
from billing.rules.consequences import Consequences
from billing.rules.entitlements import Snapshot, Source
from billing.rules.history import By
from billing.rules.ledger import LedgerEntry, positions
from billing.rules.records import Account, PastPayment
from billing.rules.vouchers import Issued, Taken, Voucher, VoucherChange
from billing.selling.checkout import Checkouts
from billing.store.accounts import AccountStore, after_event, lacking, nothing_past, with_past
from billing.store.dynamodb import Duplicate, ForeignLink, LostRace
from billing.store.payment_events import PaymentEvent
from fakes.base import Clock, Request
from fakes.mock import MockProvider
from samples import CATALOGUE, NOW, USER

Message = Mapping[str, Any]
_SUBSCRIPTION = ("status", "plan_id", "current_period_start", "current_period_end", "cancel_at_period_end", "ended_at")


class MemoryAccounts:
    """What `AccountStore` promises: all of a commit or nothing, once per event, never over another's write.

    `before_commit` is called once before the next commit: what others do between our read and our write.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.sources: dict[str, tuple[Source, ...]] = {}
        self.ledger: list[LedgerEntry] = []
        self.events: dict[str, PaymentEvent] = {}
        self.faults: dict[str, int] = {}
        self.links: dict[str, str] = {}
        self.audit: list[tuple[By, Account]] = []
        self.vouchers: dict[str, Voucher] = {}
        self._one_at_a_time = threading.RLock()
        self.before_commit: Callable[[], None] | None = None
        self._sleep: Callable[[float], None] = lambda seconds: None

    def load(self, user_id: str, *, whole: bool = False) -> Account:
        account = self.accounts.get(user_id, Account(user_id))
        past = [r for k, r in account.records.items() if isinstance(r, PastPayment) or k in account.behind]
        read = {k: r for k, r in account.records.items() if r not in past}
        account = replace(account, records=read, behind=frozenset())
        if nothing_past(account.records):
            return account
        whole = whole or lacking(account.records)
        return with_past(replace(account, whole=whole), past if whole else ())

    evaluate = AccountStore.evaluate

    def owner(self, provider: str, object_ids: Iterable[str]) -> str | None:
        return next((self.links[f"{provider}#{i}"] for i in object_ids if f"{provider}#{i}" in self.links), None)

    change = AccountStore.change

    def commit(self, decided: Consequences, event: PaymentEvent | None = None) -> Account:
        with self._one_at_a_time:
            return self._commit(decided, event)

    def _commit(self, decided: Consequences, event: PaymentEvent | None) -> Account:
        hook, self.before_commit = self.before_commit, None
        if hook:
            hook()
        if event and self._settled(event):
            raise Duplicate
        after = after_event(decided, event)
        if decided.changed:
            assert len({line.record for line in decided.lines}) == len(decided.lines), "written twice in a transaction"
            if self.load(after.user_id).version != decided.before.version:
                raise LostRace
            vouchers = dict(self.vouchers)
            for change in decided.vouchers:
                vouchers[change.voucher_id] = _after(change, vouchers.get(change.voucher_id))
            for link in decided.links:
                if self.links.get(link, after.user_id) != after.user_id:
                    raise ForeignLink(link)
            if any(self.links.get(link) == after.user_id for link in decided.once):
                raise PastNeeded
            stored = self.accounts.get(after.user_id, after)
            kept = {k: r for k, r in stored.records.items() if isinstance(r, PastPayment) or k in stored.behind}
            left = {r.record: r for r in decided.left}
            behind = after.behind if after.whole else stored.behind | left.keys()
            records = {**kept, **left, **after.records}
            self.accounts[after.user_id] = replace(after, records=records, whole=True, behind=frozenset(behind))
            self.sources[after.user_id] = decided.sources
            self.ledger += decided.lines
            self.links |= dict.fromkeys(decided.links, after.user_id)
            self.vouchers = vouchers
        if event:
            self.events[event.event_id] = event
        if decided.by:
            self.audit.append((decided.by, after))
        return after

    def snapshot(self, user_id: str, *, consistent: bool = False) -> Snapshot:
        return Snapshot(user_id, self.load(user_id).version, self.sources.get(user_id, ()))

    def get(self, event_id: str) -> PaymentEvent | None:
        """`PaymentEventStore.get`."""
        return self.events.get(event_id)

    def record_failure(self, event: PaymentEvent, *, passing: bool) -> int:
        if not self.record(event):
            return 0
        self.faults[event.event_id] = self.faults.get(event.event_id, 0) + (not passing)
        return self.faults[event.event_id]

    def record(self, event: PaymentEvent) -> bool:
        """`PaymentEventStore.record`."""
        if self._settled(event):
            return False
        self.events[event.event_id] = event
        return True

    def _settled(self, event: PaymentEvent) -> bool:
        known = self.events.get(event.event_id)
        return known is not None and known.status not in ("failed", "quarantined")


def _after(change: VoucherChange, known: Voucher | None) -> Voucher:
    """A voucher after what a commit says of it. Raises where the store's condition would fail."""
    if isinstance(change, Issued):
        issued = known or Voucher(voucher_id=change.voucher_id)
        named = {"plan_id": change.plan_id, "plan_version": change.plan_version, "currency": change.currency}
        return replace(issued, **named, closed=change.closed)
    if known is None or (isinstance(change, Taken) and (known.holder or known.closed)):
        raise LostRace
    if isinstance(change, Taken):
        return replace(known, holder=change.holder)
    if (change.closed, change.returned) != (known.closed, known.returned):
        raise LostRace
    return known


class MemoryVouchers:
    """What `VoucherStore` promises, beside accounts in memory."""

    def __init__(self, accounts: MemoryAccounts) -> None:
        self._accounts = accounts

    def get(self, voucher_id: str) -> Voucher | None:
        return self._accounts.vouchers.get(voucher_id)

    def many(self, voucher_ids: Iterable[str]) -> dict[str, Voucher]:
        return {name: self._accounts.vouchers[name] for name in voucher_ids if name in self._accounts.vouchers}

    def all(self) -> Mapping[str, Voucher]:
        return self._accounts.vouchers

    def put(self, voucher: Voucher) -> None:
        self._accounts.vouchers[voucher.voucher_id] = voucher


class MemoryPlans:
    """`PlanStore.catalogue`, with the plans of `samples`."""

    def catalogue(self, *, fresh: bool = False) -> Any:
        return CATALOGUE


class Direct:
    """The transport of `MockClient`, without a socket."""

    def __init__(self, provider: MockProvider) -> None:
        self._provider = provider

    def read(self, path: str, *, missing_ok: bool = False) -> Any:
        answer = self._provider.handle(Request(method="GET", path=path))
        assert answer is not None
        return None if answer.status == 404 else json.loads(answer.body)

    def change(self, method: str, path: str, body: bytes) -> Any:
        answer = self._provider.handle(Request(method=method, path=path, body=body))
        assert answer is not None
        return json.loads(answer.body)


class World:
    """One provider, one store, one processor; time stands still unless the provider's clock is moved."""

    def __init__(self) -> None:
        self.provider = MockProvider("secret", "http://webhook")
        self.provider.clock = self.provider.webhooks.clock = Clock(lambda: NOW)
        self.client = MockClient("http://mock")
        self.client._rest = Direct(self.provider)  # type: ignore[assignment]
        self.accounts = MemoryAccounts()
        self._build()

    def _build(self) -> None:
        accounts: Any = self.accounts
        plans: Any = MemoryPlans()
        self.applier = Applier(accounts, plans, lambda _: self.client)
        self.processor = Processor(self.applier, accounts, livemode=False)
        self.checkouts = Checkouts(accounts, plans, lambda _: self.client, ["mock"], "http://portal")

    def again(self) -> "World":
        """The same provider with all its history, and a store in the state this one has now."""
        other = copy.copy(self)
        other.accounts = copy.copy(self.accounts)
        for name in ("accounts", "sources", "ledger", "events", "links", "audit", "vouchers"):
            setattr(other.accounts, name, copy.copy(getattr(self.accounts, name)))
        other._build()
        return other

    @property
    def now(self) -> int:
        return self.provider.clock.now()

    def buy(self, plan_id: str) -> str:
        """Checks out and pays; the id of the subscription or purchase."""
        url: str = self.checkouts.create(USER, plan_id, None, self.now)["url"]
        return self._pay(url.rsplit("/", 1)[1])

    def order(self, plan_id: str) -> str:
        """Pays a session of which the account knows nothing; the id of the subscription or purchase."""
        plan = CATALOGUE.get(plan_id)
        assert plan is not None
        order = Order(
            checkout_id=_key(),
            user_id=USER,
            plan=plan,
            amount_cents=plan.price_cents,
            currency=plan.currency,
            success_url="http://portal/done",
            cancel_url="http://portal/pricing",
            expires_at=self.now + 3600,
            trial_days=plan.trial_days,
        )
        return self._pay(self.client.create_checkout(order).session_id)

    def _pay(self, session_id: str) -> str:
        self.provider.pay(session_id)
        session = self.provider.objects[session_id]
        bought: str = session.get("subscription") or session["purchase"]
        return bought

    def change(self, subscription_id: str, plan_id: str, *, at_period_end: bool = False) -> None:
        plan = CATALOGUE.get(plan_id)
        assert plan is not None
        self.client.change_subscription(
            subscription_id, subscription_id, plan, at_period_end=at_period_end, proration_date=self.now, key=_key()
        )

    def cancel_at_period_end(self, subscription_id: str) -> None:
        self.client.cancel_subscription(subscription_id, at_period_end=True, reason="unused", key=_key())

    def resume(self, subscription_id: str) -> None:
        self.client.resume_subscription(subscription_id, key=_key())

    def refund(self, payment_id: str, amount_cents: int | None) -> None:
        self.client.refund(payment_id, amount_cents, "USD", reason="requested_by_customer", key=_key())

    def payments(self, of: str) -> list[str]:
        """The ids of a subscription's payments at the provider, the oldest first."""
        return [p["id"] for p in self.objects("payment") if p["subscription"] == of]

    def objects(self, kind: str) -> list[dict[str, Any]]:
        return [o for o in self.provider.objects.values() if o["object"] == kind]

    @property
    def messages(self) -> list[Message]:
        """Everything the provider has told so far, in the order in which it happened."""
        return [d.message for d in self.provider.webhooks.deliveries]

    def deliver(self, message: Message) -> str:
        """One delivery through the door's minimising and the processor."""
        notification = mock.minimise(json.dumps(message).encode())
        return self.processor.process(notification, Delivery(received_at=self.now), self.now)

    def deliver_all(self, messages: Iterable[Message]) -> None:
        """Each in turn; what is parked comes again behind the others, as the queue would have it."""
        waiting = list(messages)
        while waiting:
            parked = []
            for message in waiting:
                try:
                    self.deliver(message)
                except Parked:
                    parked.append(message)
            assert len(parked) < len(waiting), f"parked for good: {[m['type'] for m in parked]}"
            waiting = parked

    @property
    def account(self) -> Account:
        return self.accounts.load(USER)

    def meaning(self) -> dict[str, Any]:
        """The end state without what a different way to it may change: versions, and when something was looked at."""
        records = _looked_at_any_time(asdict(self.accounts.load(USER, whole=True))["records"])
        return {
            "records": {key: record for key, record in records.items() if key != self.account.booked.record},
            "sources": self.accounts.sources.get(USER, ()),
            "money": self.money(),
            "revenue": self.revenue(),
            "mrr": self.mrr(),
            "links": dict(self.accounts.links),
        }

    def truth(self) -> dict[str, Any]:
        """What the provider holds true, in the words of `believed`."""
        subscriptions = {s["id"]: tuple(s.get(name) for name in _SUBSCRIPTION) for s in self.objects("subscription")}
        money = {}
        for payment in [*self.objects("payment"), *self.objects("purchase")]:
            back = [r for r in self.objects("refund") if r["status"] != "failed"]
            back += [d for d in self.objects("dispute") if d["status"] != "won"]
            gone = sum(thing["amount_cents"] for thing in back if thing["payment"] == payment["id"])
            if payment["amount_cents"] != gone:
                money[payment["id"], payment["currency"]] = payment["amount_cents"] - gone
        return {"subscriptions": subscriptions, "money": money}

    def believed(self) -> dict[str, Any]:
        """What the account says of the same."""
        subscriptions = {
            s.subscription_id: tuple(getattr(s, name) for name in _SUBSCRIPTION) for s in self.account.subscriptions
        }
        return {"subscriptions": subscriptions, "money": self.money()}

    def money(self) -> dict[tuple[str, str], int]:
        """What the ledger's lines add up to, by payment and currency."""
        sums: dict[tuple[str, str], int] = {}
        for line in self.accounts.ledger:
            if line.kind != "mrr":
                key = (line.object_id, line.currency)
                sums[key] = sums.get(key, 0) + line.amount_cents
        return {key: total for key, total in sums.items() if total}

    def revenue(self) -> dict[tuple[str, int], int]:
        """What the same lines add up to by plan and version."""
        sums: Counter[tuple[str, int]] = Counter()
        for line in self.accounts.ledger:
            if line.kind != "mrr":
                sums[line.plan_id, line.plan_version] += line.amount_cents
        return {key: total for key, total in sums.items() if total}

    def mrr(self) -> dict[str, int]:
        """Recurring revenue per month of what the account holds now, by currency."""
        sums: dict[str, int] = {}
        runs = term_runs(self.account, CATALOGUE)
        for (currency, *_), counts in positions(self.account, runs, CATALOGUE, self.now).items():
            sums[currency] = sums.get(currency, 0) + counts["mrr_cents"]
        return {currency: total for currency, total in sums.items() if total}

    def mrr_booked(self) -> dict[str, int]:
        sums: dict[str, int] = {}
        for line in self.accounts.ledger:
            if line.kind == "mrr":
                sums[line.currency] = sums.get(line.currency, 0) + line.amount_cents
        return {currency: total for currency, total in sums.items() if total}


def _key() -> str:
    return uuid.uuid4().hex


def _looked_at_any_time(data: Any) -> Any:
    """Without `observed_at`; since when a refund or dispute took money is kept, which is that time where nothing says
    another."""
    if not isinstance(data, dict):
        return data
    taken = {"since": data["observed_at"]} if data.keys() >= {"observed_at", "since"} and data["since"] is None else {}
    if data.get("status") in ("failed", "inquiry", "won"):
        taken = {}
    return {key: _looked_at_any_time(value) for key, value in {**data, **taken}.items() if key != "observed_at"}
