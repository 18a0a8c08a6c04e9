"""Asking buyers' wallets to renew: a round over the mandates that are due.

`rules/renewal.py` decides what to do. Here it is done, step by step, each stored in the account before it is done,
under the account's lock: so a step that is repeated, or taken by two at once, is done once. An order's id follows from
what it renews, and the provider is searched for it before it is asked for again.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal

from billing import deadline
from billing.aws import AwsError
from billing.data import dataclass, replace
from billing.errors import BillingError, NotOurs, ProviderError
from billing.intake.applier import Applier
from billing.log import Log
from billing.providers import PROVIDERS, prepaid_client
from billing.providers.interface import Client, CryptoInvoice
from billing.providers.prepaid import SATOSHIS
from billing.rules.consequences import Consequences, consequences
from billing.rules.facts import Ref
from billing.rules.plans import Plan
from billing.rules.records import Account, Attempt, Checkout, Mandate
from billing.rules.renewal import (
    INVOICE_MINUTES,
    LEAST_LEFT,
    OUTLIVES,
    SOON,
    Act,
    Ask,
    Close,
    GiveUp,
    Look,
    Open,
    Rest,
    Trouble,
    Void,
    asking,
    closed,
    for_sale,
    last_run,
    next_act,
    noted,
)
from billing.selling.checkout import Checkouts
from billing.selling.wallet_interface import Answer, LightningInvoice, Wallet, WalletTrouble
from billing.selling.wallet_vault import Vault
from billing.store.accounts import AccountStore
from billing.store.due import Due, DueStore
from billing.store.plans import PlanStore
from billing.store.wallets import StoredWallet

# Seconds for which a mandate belongs to the run that claimed it; after a crash it is due again then.
_CLAIMED = 600
# An attempt has fewer steps: more would be an endless loop.
_STEPS = 12
# The time that one mandate may take: a wallet is waited for, a provider is asked three times.
_EACH_SECONDS = 100
# A wallet is told to pay no later than this before the invoice's end.
_BEFORE_THE_END = 60


@dataclass(frozen=True, slots=True)
class Round:
    """How many mandates were read, how often a wallet was asked, and for how many something failed on our side."""

    read: int = 0
    wallets_asked: int = 0
    failed: int = 0


class WalletRenewals:
    """`live`: whether this stack takes real bitcoin. `clock`: Unix seconds, read anew because wallets take long."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        due: DueStore,
        checkouts: Checkouts,
        applier: Applier,
        client: Callable[[str], Client],
        offered: Sequence[str],
        vault: Vault,
        wallet: Wallet,
        clock: Callable[[], int],
        logger: Log,
        *,
        live: bool,
    ) -> None:
        self._accounts, self._plans, self._due = accounts, plans, due
        self._checkouts, self._applier, self._client, self._offered = checkouts, applier, client, offered
        self._vault, self._wallet, self._clock, self._logger, self._live = vault, wallet, clock, logger, live

    def due(self, limit: int) -> list[Due]:
        return self._due.due("renew", self._clock(), limit)

    def renew(self, due: Due) -> int:
        """Does what is due for one mandate, unless another run has claimed it; how often a wallet was asked."""
        if not self._due.claim(due, self._clock() + _CLAIMED):
            return 0
        user_id, group = due.user_id, due.record.partition("#")[2]
        asks, done = 0, set[type[Act]]()
        for _ in range(_STEPS):
            account, now = self._accounts.load(user_id), self._clock()
            mandate = account.mandate_in(group)
            if mandate is None:
                return asks
            act = next_act(account, mandate, self._plans.catalogue(), now)
            if isinstance(act, Rest):
                self._rest(user_id, group, now)
                return asks
            if isinstance(act, Look | Void | Ask) and type(act) in done:
                break  # it was done already, without effect so far
            done.add(type(act))
            try:
                asks += self._do(account, mandate, act, now)
            except ProviderError as error:
                self._logger.warning("renewal by wallet waits", extra={"group": group, "why": error.detail})
                self._rest(user_id, group, now, Rest(now + SOON, "shop_unavailable"))
                return asks
        self._rest(user_id, group, now := self._clock(), Rest(now + SOON))
        return asks

    def _do(self, account: Account, mandate: Mandate, act: Act, now: int) -> int:
        if isinstance(act, Open):
            self._open(account, mandate, act, now)
        elif isinstance(act, Ask):
            return self._ask(account, mandate, now)
        elif isinstance(act, Look):
            self._look(account, mandate, now)
        elif isinstance(act, Void):
            self._void(account, mandate, now)
        elif isinstance(act, Close):
            self._close(account, mandate, act, now)
        elif isinstance(act, GiveUp):
            self._give_up(account, mandate, act, now)
        return 0

    # --- writing what is decided -------------------------------------------------------------------------------------

    def _change(
        self,
        user_id: str,
        group: str,
        now: int,
        decide: Callable[[Account, Mandate], tuple[Mandate, *tuple[Checkout, ...]] | None],
    ) -> Account | None:
        """Writes what `decide` makes of a mandate; None where it says that somebody else has done it: nothing is
        written."""
        wrote = False

        def note(account: Account) -> Consequences | None:
            nonlocal wrote
            mandate = account.mandate_in(group)
            records = decide(account, mandate) if mandate is not None else None
            wrote = records is not None
            return consequences(account, account.put(*records), self._plans.catalogue(), now) if records else None

        account = self._accounts.change(user_id, note)
        return account if wrote else None

    def _rest(self, user_id: str, group: str, now: int, pause: Rest | None = None) -> None:
        """Rests until there is something to do, judged by the account as it is written; or for a pause before what is
        to do."""
        catalogue = self._plans.catalogue()

        def rest(account: Account, mandate: Mandate) -> tuple[Mandate]:
            to_do = pause or next_act(account, mandate, catalogue, now)
            act = to_do if isinstance(to_do, Rest) else Rest(now)
            rested = replace(mandate, act_at=act.until)
            if act.trouble is not None and act.trouble != mandate.trouble:
                rested = replace(rested, trouble=act.trouble, trouble_at=now)
            return (rested,)

        self._change(user_id, group, now, rest)

    def _close(self, account: Account, mandate: Mandate, act: Close, now: int) -> None:
        """Ends the attempt. Where the wallet's budget was used up, the next one waits for the time that it named."""
        run = last_run(account, self._plans.catalogue(), mandate.group)

        def close(_: Account, current: Mandate) -> tuple[Mandate] | None:
            if current.attempt is None or current.attempt != mandate.attempt:
                return None
            return (closed(current, act.trouble, run, now, current.attempt.renews_at),)

        if self._change(account.user_id, mandate.group, now, close) is not None:
            self._tell(mandate, act.trouble or "done")

    def _give_up(self, account: Account, mandate: Mandate, act: GiveUp, now: int) -> None:
        def give_up(_: Account, current: Mandate) -> tuple[Mandate]:
            troubled = current if act.trouble is None else replace(current, trouble=act.trouble, trouble_at=now)
            return (replace(troubled, given_up=True, act_at=None),)

        self._change(account.user_id, mandate.group, now, give_up)
        self._tell(mandate, "given up")

    def _tell(self, mandate: Mandate, outcome: str) -> None:
        extra = {"group": mandate.group, "connection": mandate.connection_id, "outcome": outcome}
        self._logger.info("renewal by wallet", extra=extra)

    # --- the invoice -------------------------------------------------------------------------------------------------

    def _open(self, account: Account, mandate: Mandate, act: Open, now: int) -> None:
        """Stores the order, then asks for its invoice. Where the wallet cannot be asked anyway, no invoice is
        opened."""
        catalogue = self._plans.catalogue()
        repeated = mandate.attempt is not None
        if not repeated and not self._ready(account, mandate, now):
            return

        def note(fresh: Account, latest: Mandate) -> tuple[Mandate, Checkout] | None:
            if latest.attempt is not None or next_act(fresh, latest, catalogue, now) != act:
                return None
            plan = for_sale(catalogue, latest)
            run = last_run(fresh, catalogue, latest.group)
            assert plan is not None
            assert run is not None
            order = self._order(fresh.user_id, latest, plan, run.end, act.number, self._seller(run.term.provider), now)
            return noted(latest, act.number, order), order

        if not repeated:
            written = self._change(account.user_id, mandate.group, now, note)
            if written is None:
                return
            account = written
        current, checkout = account.mandate_in(mandate.group), account.checkout_in(mandate.group)
        if current is None or current.attempt is None or checkout is None:
            return
        assert checkout.checkout_id == current.attempt.checkout_id
        if checkout.session_id is None:
            plan_then = catalogue.get(checkout.plan_id, checkout.plan_version)
            assert plan_then is not None
            checkout = self._checkouts.open_noted(account, checkout, plan_then, now, repeated=repeated)
        self._opened(account.user_id, current, checkout, now)

    def _opened(self, user_id: str, mandate: Mandate, checkout: Checkout, now: int) -> None:
        def opened(_: Account, current: Mandate) -> tuple[Mandate] | None:
            attempt = current.attempt
            if attempt is None or attempt.checkout_id != checkout.checkout_id or attempt.invoice_id is not None:
                return None
            attempt = replace(attempt, invoice_id=checkout.session_id, payable_until=checkout.expires_at)
            return (replace(current, attempt=attempt),)

        self._change(user_id, mandate.group, now, opened)

    def _order(
        self, user_id: str, mandate: Mandate, plan: Plan, ends_at: int, number: int, provider: str, now: int
    ) -> Checkout:
        names = f"{user_id}|{mandate.group}|{mandate.connection_id}|{ends_at}|{number}"
        return Checkout(
            checkout_id=f"chk_{hashlib.sha256(names.encode()).hexdigest()[:32]}",
            group=plan.group,
            plan_id=plan.plan_id,
            plan_version=plan.version,
            provider=provider,
            status="opening",
            created_at=now,
            expires_at=now + INVOICE_MINUTES * 60,
            amount_cents=plan.price_cents,
            currency=plan.currency,
            by_wallet=True,
        )

    def _seller(self, last: str) -> str:
        """The provider of the last term, if it can make invoices for Lightning alone, else the first on offer that
        can."""
        able = [name for name in self._offered if PROVIDERS[name].lightning]
        if not able:
            raise ProviderError("no provider of this stack can open an invoice for a wallet")
        return last if last in able else able[0]

    def _look(self, account: Account, mandate: Mandate, now: int) -> None:
        attempt, provider = _open_attempt(mandate), self._provider_of(account, mandate)
        try:
            self._applier.refresh(account.user_id, provider, Ref("purchase", attempt.invoice_id or ""), now)
        except NotOurs as lost:
            raise ProviderError(str(lost)) from lost

    def _void(self, account: Account, mandate: Mandate, now: int) -> None:
        """Cancels the invoice; if the provider refuses, it expires. Either way it is read again."""
        attempt = _open_attempt(mandate)
        self._client(self._provider_of(account, mandate)).expire_checkout(attempt.invoice_id or "")
        self._look(account, mandate, now)

    def _provider_of(self, account: Account, mandate: Mandate) -> str:
        attempt = _open_attempt(mandate)
        provider = next((t.provider for t in account.terms if t.purchase_id == attempt.invoice_id), None)
        page = account.checkout_in(mandate.group)
        if provider is None and page is not None and page.checkout_id == attempt.checkout_id:
            provider = page.provider
        assert provider is not None
        return provider

    # --- the wallet --------------------------------------------------------------------------------------------------

    def _ready(self, account: Account, mandate: Mandate, now: int) -> bool:
        """Whether the wallet can be asked at all; if not, that counts as a failed try."""
        try:
            stored = self._connection_of(account.user_id, mandate)
            self._wallet.info(self._vault.open(account.user_id, mandate.group, stored))
        except WalletTrouble as failure:
            trouble = failure.trouble
        else:
            return True
        run = last_run(account, self._plans.catalogue(), mandate.group)

        def failed(_: Account, current: Mandate) -> tuple[Mandate] | None:
            unchanged = current.attempt is None and current.tries == mandate.tries
            return (closed(current, trouble, run, now, None),) if unchanged else None

        if self._change(account.user_id, mandate.group, now, failed) is not None:
            self._tell(mandate, trouble)
        return False

    def _connection_of(self, user_id: str, mandate: Mandate) -> StoredWallet:
        stored = self._vault.find(user_id, mandate.group)
        if stored is None or stored.connection_id != mandate.connection_id:
            raise WalletTrouble("connection_ended")
        return stored

    def _ask(self, account: Account, mandate: Mandate, now: int) -> int:
        attempt = _open_attempt(mandate)
        provider = self._provider_of(account, mandate)
        shown = prepaid_client(self._client, provider).invoice(attempt.invoice_id or "", now)
        lightning = self._wallet.read(shown.lightning) if shown.lightning else None
        trouble = self._obstacle(account, mandate, shown, lightning, now)
        if trouble is not None or lightning is None:
            self._note_answer(account, mandate, attempt, Answer(trouble=trouble, unseen=True), now)
            return 0
        try:
            stored = self._connection_of(account.user_id, mandate)
            connection = self._vault.open(account.user_id, mandate.group, stored)
        except WalletTrouble as failure:
            self._note_answer(account, mandate, attempt, Answer(trouble=failure.trouble, unseen=True), now)
            return 0
        claimed = self._claim(account, mandate, attempt, lightning, now)
        if claimed is None:
            return 0
        answer = self._wallet.pay(
            connection, lightning, min(lightning.expires_at, attempt.payable_until) - _BEFORE_THE_END, stored.info
        )
        now = self._clock()
        self._note_answer(account, mandate, attempt, answer, now)
        extra = {"connection": mandate.connection_id, "said": answer.trouble or "paid", "proven": answer.proven}
        self._logger.info("wallet asked", extra=extra)
        if not answer.unseen:
            self._look(account, mandate, now)
        return 1

    def _obstacle(
        self, account: Account, mandate: Mandate, shown: CryptoInvoice, lightning: LightningInvoice | None, now: int
    ) -> Trouble | None:
        """Why the wallet is not asked to pay this: it is not what we ordered, or not what was agreed."""
        order = account.checkout_in(mandate.group)
        ours = order is not None and (shown.amount_cents, shown.currency) == (order.amount_cents, order.currency)
        meant = order is not None and order.plan_id == mandate.plan_id
        within = shown.amount_cents <= mandate.price_cents and shown.currency == mandate.currency
        if lightning is None or lightning.amount_msat is None or not ours or shown.due_btc is None:
            return "shop_unavailable"
        if not meant:
            return "plan_changed"
        if not within:
            return "price_raised"
        attempt = _open_attempt(mandate)
        again = lightning.payment_hash in mandate.hashes and lightning.payment_hash != attempt.payment_hash
        due = int(Decimal(shown.due_btc) * SATOSHIS) * 1000
        if (
            again
            or lightning.live != self._live
            or abs(lightning.amount_msat - due) >= 1000
            or lightning.expires_at > attempt.payable_until + OUTLIVES
            or lightning.expires_at < now + LEAST_LEFT
        ):
            self._logger.error("invoice not fit for a wallet", extra={"invoice": attempt.invoice_id})
            return "shop_unavailable"
        return "above_ceiling" if -(-lightning.amount_msat // 1000) > mandate.most_sat else None

    def _claim(
        self, account: Account, mandate: Mandate, attempt: Attempt, lightning: LightningInvoice, now: int
    ) -> Attempt | None:
        """The attempt as it is now asked for; None when somebody else asks, it is not to be asked any more, or its
        buyer has agreed to something else since the invoice was judged."""
        catalogue = self._plans.catalogue()

        def claim(fresh: Account, latest: Mandate) -> tuple[Mandate] | None:
            as_agreed = replace(latest, act_at=mandate.act_at) == mandate
            if not as_agreed or not isinstance(next_act(fresh, latest, catalogue, now), Ask):
                return None
            sat = -(-(lightning.amount_msat or 0) // 1000)
            return (asking(latest, attempt, lightning.payment_hash, sat, now),)

        written = self._change(account.user_id, mandate.group, now, claim)
        mandate_then = written.mandate_in(mandate.group) if written is not None else None
        return mandate_then.attempt if mandate_then is not None else None

    def _note_answer(self, account: Account, mandate: Mandate, before: Attempt, answer: Answer, now: int) -> None:
        """A wallet that certainly has not seen the request counts as not asked, unless it was asked `before`."""

        def note(_: Account, current: Mandate) -> tuple[Mandate] | None:
            if current.attempt is None or current.attempt.checkout_id != before.checkout_id:
                return None
            outcome = "not_arrived" if answer.claims_paid else answer.trouble
            seen = before.asked_at if answer.unseen else current.attempt.asked_at
            changed = replace(current.attempt, outcome=outcome, asked_at=seen, renews_at=answer.renews_at)
            return (replace(current, attempt=changed),)

        self._change(account.user_id, mandate.group, now, note)


def _open_attempt(mandate: Mandate) -> Attempt:
    assert mandate.attempt is not None
    return mandate.attempt


def work_off(workers: Sequence[WalletRenewals], limit: int, logger: Log) -> Round:
    """One round over all that is due, shared among workers, each with connections of its own, so that wallets are
    waited for side by side. A failure for one mandate does not concern the others; a fault of ours ends the round after
    the others are done."""
    waiting, faults = deque(workers[0].due(limit)), list[Exception]()
    counts = {"read": 0, "wallets_asked": 0, "failed": 0}
    lock = threading.Lock()

    def work(worker: WalletRenewals) -> None:
        while deadline.left() > _EACH_SECONDS:
            try:
                due = waiting.popleft()
            except IndexError:
                return
            asks, failed = 0, 0
            try:
                asks = worker.renew(due)
            except (BillingError, NotOurs, AwsError) as error:
                failed = 1
                logger.error("renewal by wallet failed", extra={"why": type(error).__name__})
            except Exception as fault:  # noqa: BLE001 raised again below, when the others were served
                faults.append(fault)
            with lock:
                counts["read"] += 1
                counts["wallets_asked"] += asks
                counts["failed"] += failed

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers[: max(1, len(waiting))]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return Round(**counts)
