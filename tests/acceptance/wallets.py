"""A buyer's wallet in memory, with every mood a real one was seen in, and the shop that asks it to renew."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from billing.aws import Aws, AwsError
from billing.errors import Conflict, InvalidRequest
from billing.log import SILENT
from billing.providers.btcpay import BTCPay
from billing.rules.plans import Plan
from billing.rules.records import Mandate, Term
from billing.sealing import Sealer
from billing.selling.wallet_connections import WalletConnections
from billing.selling.wallet_interface import Answer, Budget, Info, LightningInvoice, Wallet, WalletTrouble
from billing.selling.wallet_over_nostr import NostrWallet
from billing.selling.wallet_renewals import WalletRenewals, work_off
from billing.selling.wallet_vault import Vault
from billing.store.wallets import StoredBudget, StoredWallet, WalletStore
from tests.acceptance.world import USER, World
from tests.samples import PLUS

LEAD_DAYS = 3
CONNECTION = "nostr+walletconnect://abcd?relay=wss%3A%2F%2Frelay.example&secret=ef01"


class MemoryKms:
    """KMS as `Sealer` calls it: a data key's blob opens for the context alone that it was made for."""

    def __init__(self) -> None:
        self.made = 0

    def call(self, service: str, operation: str, **asked: Any) -> dict[str, Any]:
        assert service == "kms"
        context = json.dumps(asked["EncryptionContext"], sort_keys=True)
        if operation == "generate_data_key":
            self.made += 1
            key = hashlib.sha256(f"{self.made}".encode()).digest()
            blob = base64.b64encode(json.dumps([base64.b64encode(key).decode(), context]).encode()).decode()
            return {"Plaintext": base64.b64encode(key).decode(), "CiphertextBlob": blob}
        key_text, made_for = json.loads(base64.b64decode(asked["CiphertextBlob"]))
        if made_for != context:
            raise AwsError("Decrypt", "InvalidCiphertextException")
        return {"Plaintext": key_text}


class MemoryWallets:
    """What `WalletStore` promises."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], StoredWallet] = {}

    def put(self, user_id: str, group: str, kept: StoredWallet) -> None:
        self.kept[user_id, group] = kept

    def find(self, user_id: str, group: str) -> StoredWallet | None:
        return self.kept.get((user_id, group))

    def saw(self, user_id: str, group: str, kept: StoredWallet, budget: StoredBudget | None, now: int) -> None:
        if self.kept.get((user_id, group)) is not None:
            self.kept[user_id, group] = replace(self.kept[user_id, group], budget=budget, seen_at=now)

    def remove(self, user_id: str, group: str) -> None:
        self.kept.pop((user_id, group), None)


@dataclass(frozen=True)
class Connected:
    """What a connection string is to a wallet in memory."""

    said: str
    wallet: str = "0" * 60 + "abcd"
    relays: tuple[str, ...] = ("wss://relay.example/nwc",)

    def text(self) -> str:
        return self.said


@dataclass
class MemoryWallet:
    """`moods`: how it takes the next requests, in order; after them it pays. It pays no bolt11 twice, and none that has
    ended. `seen`: the invoices it was shown. `later`: those that it pays when it is next let (`wake`)."""

    world: World
    moods: list[str] = field(default_factory=list)
    absent: str = ""
    budget_now: Budget | None = None
    seen: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)

    def parse(self, text: str) -> Any:
        if not text.startswith("nostr+walletconnect:"):
            raise InvalidRequest("this is no connection string", code="wallet_connection_unreadable")
        return Connected(text)

    def info(self, connection: Any) -> Info:
        if self.absent:
            raise WalletTrouble(cast(Any, self.absent))
        return Info(
            encryption="nip44_v2", tells_budget=self.budget_now is not None, as_stored={"methods": ["pay_invoice"]}
        )

    def budget(self, connection: Any, known: Mapping[str, Any]) -> Budget | None:
        return self.budget_now

    def read(self, bolt11: str) -> LightningInvoice | None:
        return NostrWallet(cast(Any, None)).read(bolt11)

    def pay(self, connection: Any, invoice: LightningInvoice, until: int, known: Mapping[str, Any]) -> Answer:
        mood = self.moods.pop(0) if self.moods else "pays"
        if mood == "unseen":
            return Answer(trouble="relay_unreachable", unseen=True)
        self.seen.append(invoice.text)
        if mood in ("pays", "pays, answer lost", "fails, and has paid"):
            self.send(invoice.text)
        elif mood == "pays later":
            self.later.append(invoice.text)
        answers = {
            "pays": Answer(claims_paid=True, proven=True),
            "claims": Answer(claims_paid=True),
            "budget": Answer(
                trouble="budget_used_up", renews_at=self.budget_now.renews_at if self.budget_now else None
            ),
            "balance": Answer(trouble="balance_too_low"),
            "ended": Answer(trouble="connection_ended"),
            "busy": Answer(trouble="wallet_busy"),
            "fails": Answer(trouble="payment_failed"),
            "fails, and has paid": Answer(trouble="payment_failed"),
        }
        return answers.get(mood, Answer(trouble="wallet_silent"))

    def send(self, bolt11: str) -> None:
        self.world.app.pay_bolt11(bolt11)

    def wake(self) -> None:
        """What it had put off, it pays now."""
        waiting, self.later = self.later, []
        for bolt11 in waiting:
            self.send(bolt11)


class Renewing:
    """A shop whose buyer has a wallet."""

    def __init__(self, world: World, wallet: Wallet | None = None) -> None:
        self.world = world
        self.wallet = MemoryWallet(world)
        asked = wallet or self.wallet
        self.kept = MemoryWallets()
        vault = Vault(cast(WalletStore, self.kept), Sealer(cast(Aws, MemoryKms()), "key"), asked)
        client: Callable[[str], Any] = lambda _: world.player.client()  # noqa: E731
        self.wallets = WalletConnections(world.accounts, world.plans, vault, asked, ["btcpay"], LEAD_DAYS)
        self.renewals = WalletRenewals(
            world.accounts,
            world.plans,
            world.due,
            world.checkouts,
            world.applier,
            client,
            ["btcpay"],
            vault,
            asked,
            lambda: world.now,
            SILENT,
            live=False,
        )

    def connect(self, plan: Plan = PLUS, most_sat: int = 20_000, **more: Any) -> Mapping[str, Any]:
        given = {"accept_unlimited": False, **more}
        return self.wallets.connect(USER, CONNECTION, plan.plan_id, most_sat, self.world.now, **given)

    @property
    def mandate(self) -> Mandate:
        found = self.world.account.mandate_in("main")
        assert found is not None
        return found

    @property
    def shown(self) -> Mapping[str, Any]:
        return self.wallets.show_one(USER, "main", self.world.now)

    @property
    def terms(self) -> list[Term]:
        """Those that were paid, oldest first."""
        return sorted((t for t in self.world.account.terms if t.paid), key=lambda t: t.created_at)

    def round(self) -> int:
        return work_off([self.renewals], 25, SILENT).wallets_asked

    def step(self) -> None:
        """One minute's doings of the shop: webhooks, open invoices, wallets."""
        self.world.settle()
        self.world.poller.poll(self.world.now, 25)
        self.round()
        self.world.settle()

    def live(self, seconds: int) -> None:
        """Lets time pass, as everything that is due in it is done."""
        until = self.world.now + seconds
        self.step()
        while self.world.now < until:
            due = [d.due_at for kind in ("poll", "renew") for d in self.world.due.due(cast(Any, kind), until, 50)]
            self.world.app.advance(min(max(min(due, default=until) - self.world.now, 60), until - self.world.now))
            self.step()

    def pay_by_hand(self, plan: Plan = PLUS) -> None:
        self.world.buy(plan, accept_overlap=True)

    def refusal_by_hand(self, plan: Plan = PLUS) -> str | None:
        """Why nobody may pay by hand now; the page stays open otherwise."""
        try:
            self.world.checkout(plan, accept_overlap=True)
        except Conflict as refused:
            return refused.code
        return None


def held_btcpay(world: World) -> BTCPay:
    return cast(BTCPay, world.player.client())
