"""A buyer's wallet, connected so that it can be asked to renew: agreed to, seen, tested, paused and removed.

What can pay is sealed before anything else is done with it. What was agreed is the account's mandate.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from billing.api.wallet_views import wallet_view
from billing.data import replace
from billing.errors import Conflict, InvalidRequest, NotFound
from billing.providers import PROVIDERS
from billing.rules.consequences import Consequences, consequences
from billing.rules.plans import Plan
from billing.rules.records import Account, Mandate
from billing.rules.renewal import for_sale, last_run
from billing.rules.times import DAY, rfc3339
from billing.sealing import CannotOpen, Sealed, Sealer
from billing.selling.wallet import Budget, Connection, Info, Wallet, WalletTrouble
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore
from billing.store.wallets import KeptBudget, KeptWallet, WalletStore


class Vault:
    """Connections as they are kept: sealed for one account, one group and one connection."""

    def __init__(self, store: WalletStore, sealer: Sealer, wallet: Wallet) -> None:
        self._store, self._sealer, self._wallet = store, sealer, wallet

    def keep(
        self, user_id: str, group: str, connection: Connection, now: int, *, info: Info, budget: Budget | None
    ) -> KeptWallet:
        connection_id = f"wal_{secrets.token_hex(16)}"
        sealed = self._sealer.seal(connection.text(), _about(user_id, group, connection_id))
        kept = KeptWallet(
            connection_id=connection_id,
            sealed=sealed.content,
            data_key=sealed.data_key,
            key_end=connection.wallet[-4:],
            relays=tuple(dict.fromkeys(urlsplit(relay).hostname or "" for relay in connection.relays)),
            encryption=info.encryption,
            info=info.kept,
            connected_at=now,
            seen_at=now,
            budget=kept_budget(budget),
        )
        self._store.put(user_id, group, kept)
        return kept

    def find(self, user_id: str, group: str) -> KeptWallet | None:
        return self._store.find(user_id, group)

    def open(self, user_id: str, group: str, kept: KeptWallet) -> Connection:
        """Raises `WalletTrouble` where it cannot be opened any more: it has to be connected anew."""
        sealed = Sealed(kept.sealed, kept.data_key)
        try:
            return self._wallet.parse(self._sealer.open(sealed, _about(user_id, group, kept.connection_id)))
        except (CannotOpen, InvalidRequest) as lost:
            raise WalletTrouble("connection_ended") from lost

    def saw(self, user_id: str, group: str, kept: KeptWallet, budget: Budget | None, now: int) -> None:
        self._store.saw(user_id, group, kept, kept_budget(budget), now)

    def remove(self, user_id: str, group: str) -> None:
        self._store.remove(user_id, group)


def _about(user_id: str, group: str, connection_id: str) -> dict[str, str]:
    return {"purpose": "wallet", "user": user_id, "group": group, "connection": connection_id}


def kept_budget(budget: Budget | None) -> KeptBudget | None:
    """In whole satoshis: what may be spent rounded down, what was spent up."""
    if budget is None:
        return None
    return KeptBudget(
        total_sat=None if budget.total_msat is None else budget.total_msat // 1000,
        used_sat=-(-budget.used_msat // 1000),
        period=budget.period,
        renews_at=budget.renews_at,
    )


class Wallets:
    """`offered`: the providers of this stack. `lead_days`: how many days before the end a wallet is asked."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        vault: Vault,
        wallet: Wallet,
        offered: Sequence[str],
        lead_days: int,
        moved: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._accounts, self._plans, self._vault, self._wallet = accounts, plans, vault, wallet
        self._offered, self._lead_days, self._moved = offered, lead_days, moved

    def connect(
        self, user_id: str, text: str, plan_id: str, most_sat: int, now: int, *, accept_unlimited: bool
    ) -> dict[str, Any]:
        """Looks at the wallet, keeps the connection and what was agreed to. One that is there is replaced."""
        plan = self._plan(plan_id)
        connection = self._wallet.parse(text)
        if self._moved(user_id):
            raise Conflict("your key opens another account now: sign in again", code="account_moved")
        info, budget = self._look(connection)
        if budget is not None and budget.total_msat is None and not accept_unlimited:
            raise Conflict(
                "this connection may spend all that the wallet holds: give it a budget, or say that you mean it",
                code="wallet_unlimited",
            )
        kept = self._vault.keep(user_id, plan.group, connection, now, info=info, budget=budget)

        def decide(account: Account) -> Consequences:
            run = last_run(account, self._plans.catalogue(), plan.group)
            ends_at = run.end if run is not None else None
            return self._write(account, _agreed(account, plan, kept, most_sat, self._lead_days, ends_at, now), now)

        self._accounts.change(user_id, decide)
        return self.show_one(user_id, plan.group, now)

    def show(self, user_id: str, now: int) -> dict[str, Any]:
        account = self._accounts.load(user_id)
        return {
            "available": self._able(),
            "days_before": self._lead_days,
            "last_sat": _last_sat(account),
            "wallets": [self._view(account, mandate, now) for mandate in account.mandates if not mandate.removed],
        }

    def show_one(self, user_id: str, group: str, now: int) -> dict[str, Any]:
        account = self._accounts.load(user_id)
        return self._view(account, _find(account, group), now)

    def test(self, user_id: str, group: str, now: int) -> dict[str, Any]:
        """Asks the wallet who it is and what we may spend, and for no payment. Found well, it is tried again soon."""
        mandate = _find(self._accounts.load(user_id), group)
        kept = self._vault.find(user_id, group)
        if kept is None or kept.connection_id != mandate.connection_id:
            raise _unreachable("connection_ended")
        try:
            connection = self._vault.open(user_id, group, kept)
        except WalletTrouble as lost:
            raise _unreachable(lost.trouble) from lost
        _, budget = self._look(connection)
        self._vault.saw(user_id, group, kept, budget, now)
        self._accounts.change(user_id, lambda account: self._again(account, _find(account, group), now))
        return self.show_one(user_id, group, now)

    def set(
        self, user_id: str, group: str, now: int, *, paused: bool | None, most_sat: int | None, price_cents: int | None
    ) -> dict[str, Any]:
        """Pauses or goes on, and agrees to another ceiling or to today's price, which the caller has to name."""

        def decide(account: Account) -> Consequences:
            mandate = _find(account, group)
            if most_sat is not None:
                mandate = replace(mandate, most_sat=most_sat)
            if price_cents is not None:
                plan = self._renewed_plan(account, mandate)
                if plan.price_cents != price_cents:
                    raise Conflict(f"{plan.name} has another price by now: look at it again", code="quote_outdated")
                mandate = replace(
                    mandate, plan_id=plan.plan_id, price_cents=plan.price_cents, currency=plan.currency, agreed_at=now
                )
            if paused:
                return self._write(account, replace(mandate, paused=True, act_at=_of_attempt(mandate)), now)
            if paused is False:
                mandate = replace(mandate, paused=False)
            return self._again(account, mandate, now)

        self._accounts.change(user_id, decide)
        return self.show_one(user_id, group, now)

    def remove(self, user_id: str, group: str, now: int) -> None:
        """What can pay goes first. A payment that the wallet was asked for already may still come."""
        self._vault.remove(user_id, group)

        def decide(account: Account) -> Consequences | None:
            mandate = account.mandate_in(group)
            if mandate is None or mandate.removed:
                return None
            return self._write(account, replace(mandate, paused=True, removed=True, act_at=_of_attempt(mandate)), now)

        self._accounts.change(user_id, decide)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _able(self) -> bool:
        return any(PROVIDERS[name].lightning for name in self._offered)

    def _plan(self, plan_id: str) -> Plan:
        if not self._able():
            raise Conflict("no provider of this shop can ask a wallet to pay", code="wallet_not_offered")
        plan = self._plans.catalogue().get(plan_id) or self._plans.catalogue(fresh=True).get(plan_id)
        if plan is None:
            raise NotFound(f"there is no plan {plan_id}")
        if plan.status == "archived" or plan.free or not plan.recurring:
            raise Conflict(f"{plan.name} is not sold for terms that could be renewed", code="plan_not_for_sale")
        return plan

    def _look(self, connection: Connection) -> tuple[Info, Budget | None]:
        try:
            info = self._wallet.info(connection)
            budget = self._wallet.budget(connection, info.kept) if info.tells_budget else None
        except WalletTrouble as found:
            raise _unreachable(found.trouble) from found
        return info, budget

    def _renewed_plan(self, account: Account, mandate: Mandate) -> Plan:
        """What would be renewed now: the newest version of what ends last, or of what was agreed to."""
        catalogue = self._plans.catalogue()
        run = last_run(account, catalogue, mandate.group)
        plan = for_sale(catalogue, replace(mandate, plan_id=run.plan.plan_id) if run else mandate)
        if plan is None:
            raise Conflict("this plan is not for sale any more", code="plan_not_for_sale")
        return plan

    def _again(self, account: Account, mandate: Mandate, now: int) -> Consequences:
        """Whatever stood in the way may be gone: it is looked at with the next round, if it is time."""
        free = replace(mandate, trouble=None, trouble_at=None, retry_at=None, given_up=False, tries=0)
        if mandate.attempt is None:
            begins = None if mandate.ends_at is None else max(now, mandate.ends_at - mandate.lead_days * DAY)
            free = replace(free, act_at=None if mandate.paused else begins)
        else:
            free = replace(free, act_at=now)
        return self._write(account, free, now)

    def _write(self, account: Account, mandate: Mandate, now: int) -> Consequences:
        return consequences(account, account.put(mandate), self._plans.catalogue(), now)

    def _view(self, account: Account, mandate: Mandate, now: int) -> dict[str, Any]:
        kept = self._vault.find(account.user_id, mandate.group)
        if kept is not None and kept.connection_id != mandate.connection_id:
            kept = None
        plan = for_sale(self._plans.catalogue(), mandate)
        return wallet_view(account, mandate, plan, now) | {"connection": _connection(kept)}


def _last_sat(account: Account) -> int | None:
    """What the newest term came to: a measure for the ceiling of the next ones."""
    paid = [t for t in account.terms if t.paid and t.payment is not None and t.received_sat]
    return max(paid, key=lambda t: t.created_at).received_sat if paid else None


def _find(account: Account, group: str) -> Mandate:
    mandate = account.mandate_in(group)
    if mandate is None or mandate.removed:
        raise NotFound("no wallet is connected to renew this")
    return mandate


def _agreed(
    account: Account, plan: Plan, kept: KeptWallet, most_sat: int, lead_days: int, ends_at: int | None, now: int
) -> Mandate:
    """What was agreed to. Of a mandate that was there the open attempt goes on, and what was asked is remembered."""
    before = account.mandate_in(plan.group)
    mandate = Mandate(
        group=plan.group,
        connection_id=kept.connection_id,
        plan_id=plan.plan_id,
        price_cents=plan.price_cents,
        currency=plan.currency,
        most_sat=most_sat,
        lead_days=lead_days,
        agreed_at=now,
        ends_at=ends_at,
        act_at=None if ends_at is None else max(now, ends_at - lead_days * DAY),
    )
    if before is None:
        return mandate
    attempt = before.attempt
    at = now if attempt is not None else mandate.act_at
    return replace(mandate, opened=before.opened, hashes=before.hashes, attempt=attempt, act_at=at)


def _of_attempt(mandate: Mandate) -> int | None:
    """An invoice that is open is seen to its end, whatever was decided meanwhile."""
    return mandate.act_at if mandate.attempt is not None else None


def _connection(kept: KeptWallet | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    return {
        "key_end": kept.key_end,
        "relays": list(kept.relays),
        "encryption": kept.encryption,
        "connected_at": rfc3339(kept.connected_at),
        "seen_at": rfc3339(kept.seen_at),
        "budget": kept.budget
        and {
            "total_sat": kept.budget.total_sat,
            "used_sat": kept.budget.used_sat,
            "period": kept.budget.period,
            "renews_at": rfc3339(kept.budget.renews_at),
        },
    }


def _unreachable(trouble: str) -> Conflict:
    return Conflict(f"the wallet cannot be asked: {trouble}", code="wallet_not_ready", trouble=trouble)
