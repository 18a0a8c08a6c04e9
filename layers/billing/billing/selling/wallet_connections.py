"""A buyer's wallet, connected so that it can be asked to renew: agreed to, tested, changed, paused and removed. The
connection, which can pay, is sealed before anything else. What was agreed is the account's mandate."""

from collections.abc import Callable, Sequence
from typing import Any

from billing.api.wallet_views import wallet_view
from billing.data import replace
from billing.errors import Conflict, NotFound, account_moved
from billing.providers import PROVIDERS
from billing.rules.consequences import Consequences, consequences
from billing.rules.plans import Plan
from billing.rules.records import Account, Mandate, Said
from billing.rules.renewal import for_sale, last_run, last_sat
from billing.rules.times import DAY, rfc3339
from billing.selling.wallet_interface import Budget, Connection, Info, Wallet, WalletTrouble
from billing.selling.wallet_vault import Vault
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore
from billing.store.wallets import StoredWallet

_SILENCE = ("wallet_silent", "relay_unreachable")


class WalletConnections:
    """`offered`: the providers of this stack. `lead_days`: how many days before the end a wallet is asked."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        vault: Vault,
        wallet: Wallet,
        offered: Sequence[str],
        lead_days: int,
        opened_by: Callable[[str], str | None] = lambda user_id: user_id,
    ) -> None:
        self._accounts, self._plans, self._vault, self._wallet = accounts, plans, vault, wallet
        self._offered, self._lead_days, self._opened_by = offered, lead_days, opened_by

    def connect(
        self,
        user_id: str,
        text: str,
        plan_id: str,
        most_sat: int,
        now: int,
        *,
        accept_unlimited: bool,
        said: Said | None = None,
    ) -> dict[str, Any]:
        """Asks the wallet what it can do, and stores the connection and what was agreed, in place of an earlier one."""
        said = said or Said()
        plan = self._plan(plan_id)
        connection = self._wallet.parse(text)
        self._key(user_id)
        info, budget = self._look(connection, must_answer=False)
        if budget is not None and budget.total_msat is None and not accept_unlimited:
            raise Conflict(
                "this connection may spend all that the wallet holds: give it a budget, or say that you mean it",
                code="wallet_unlimited",
            )
        stored = self._vault.keep(user_id, plan.group, connection, now, info=info, budget=budget)

        def decide(account: Account) -> Consequences:
            run = last_run(account, self._plans.catalogue(), plan.group)
            ends_at = run.end if run is not None else None
            agreed = _agreed(account, plan, stored, most_sat, self._lead_days, ends_at, now)
            agreed = replace(agreed, said=_beside(said, stored))
            return replace(self._write(account, agreed, now), own_key=self._key(user_id) == user_id)

        self._accounts.change(user_id, decide)
        return self.show_one(user_id, plan.group, now)

    def show(self, user_id: str, now: int) -> dict[str, Any]:
        account = self._accounts.load(user_id)
        return {
            "available": self._able(),
            "days_before": self._lead_days,
            "last_sat": last_sat(account),
            "wallets": [self._view(account, mandate, now) for mandate in account.mandates if not mandate.removed],
        }

    def show_one(self, user_id: str, group: str, now: int) -> dict[str, Any]:
        account = self._accounts.load(user_id)
        return self._view(account, _find(account, group), now)

    def test(self, user_id: str, group: str, now: int) -> dict[str, Any]:
        """Asks the wallet who it is and what we may spend, but for no payment. If it answers, the next payment is tried
        soon."""
        mandate = _find(self._accounts.load(user_id), group)
        stored = self._vault.find(user_id, group)
        if stored is None or stored.connection_id != mandate.connection_id:
            raise _unreachable("connection_ended")
        try:
            connection = self._vault.open(user_id, group, stored)
        except WalletTrouble as lost:
            raise _unreachable(lost.trouble) from lost
        _, budget = self._look(connection, must_answer=True)
        self._vault.saw(user_id, group, stored, budget, now)
        self._accounts.change(user_id, lambda account: self._again(account, _find(account, group), now))
        return self.show_one(user_id, group, now)

    def set(
        self,
        user_id: str,
        group: str,
        now: int,
        *,
        paused: bool | None,
        most_sat: int | None,
        price_cents: int | None,
        said: Said | None = None,
    ) -> dict[str, Any]:
        """Pauses or goes on, agrees to another limit or to today's price, which the caller has to name, or says more of
        the connection."""
        stored = self._vault.find(user_id, group) if said is not None else None

        def decide(account: Account) -> Consequences:
            mandate = _find(account, group)
            if most_sat is not None:
                mandate = replace(mandate, most_sat=most_sat)
            if said is not None:
                mandate = replace(mandate, said=_beside(said, stored))
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
        """The connection is deleted first. A payment that the wallet was asked for before may still come."""
        self._vault.remove(user_id, group)

        def decide(account: Account) -> Consequences | None:
            mandate = account.mandate_in(group)
            if mandate is None or mandate.removed:
                return None
            return self._write(account, replace(mandate, paused=True, removed=True, act_at=_of_attempt(mandate)), now)

        self._accounts.change(user_id, decide)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _key(self, user_id: str) -> str:
        key = self._opened_by(user_id)
        if key is None:
            raise account_moved()
        return key

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

    def _look(self, connection: Connection, *, must_answer: bool) -> tuple[Info, Budget | None]:
        try:
            info = self._wallet.info(connection)
            return info, self._budget(connection, info, must_answer=must_answer)
        except WalletTrouble as failure:
            raise _unreachable(failure.trouble) from failure

    def _budget(self, connection: Connection, info: Info, *, must_answer: bool) -> Budget | None:
        """None: the wallet does not tell, or does not answer where it need not: some list what they never answer."""
        if not info.tells_budget:
            return None
        try:
            return self._wallet.budget(connection, info.as_stored)
        except WalletTrouble as failure:
            if must_answer or failure.trouble not in _SILENCE:
                raise
            return None

    def _renewed_plan(self, account: Account, mandate: Mandate) -> Plan:
        """What would be renewed now: the newest version of what ends last, or of what was agreed to."""
        catalogue = self._plans.catalogue()
        run = last_run(account, catalogue, mandate.group)
        plan = for_sale(catalogue, replace(mandate, plan_id=run.plan.plan_id) if run else mandate)
        if plan is None:
            raise Conflict("this plan is not for sale any more", code="plan_not_for_sale")
        return plan

    def _again(self, account: Account, mandate: Mandate, now: int) -> Consequences:
        """The cause of the trouble may be gone, so the next round looks at it, if it is time."""
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
        stored = self._vault.find(account.user_id, mandate.group)
        if stored is not None and stored.connection_id != mandate.connection_id:
            stored = None
        plan = for_sale(self._plans.catalogue(), mandate)
        return wallet_view(account, mandate, plan, now) | {"connection": _connection(stored)}


def _find(account: Account, group: str) -> Mandate:
    mandate = account.mandate_in(group)
    if mandate is None or mandate.removed:
        raise NotFound("no wallet is connected to renew this")
    return mandate


def _agreed(
    account: Account, plan: Plan, stored: StoredWallet, most_sat: int, lead_days: int, ends_at: int | None, now: int
) -> Mandate:
    """The mandate that was agreed to. The open attempt of an earlier one goes on, with the payments that were asked
    for."""
    before = account.mandate_in(plan.group)
    mandate = Mandate(
        group=plan.group,
        connection_id=stored.connection_id,
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


def _beside(said: Said, stored: StoredWallet | None) -> Said:
    """What the buyer says, without the budget if the wallet reports it itself."""
    return said if stored is None or stored.budget is None else replace(said, budget_sat=None, period="never")


def _of_attempt(mandate: Mandate) -> int | None:
    """An open invoice is watched to its end, whatever was decided meanwhile."""
    return mandate.act_at if mandate.attempt is not None else None


def _connection(stored: StoredWallet | None) -> dict[str, Any] | None:
    if stored is None:
        return None
    return {
        "key_end": stored.key_end,
        "relays": list(stored.relays),
        "encryption": stored.encryption,
        "connected_at": rfc3339(stored.connected_at),
        "seen_at": rfc3339(stored.seen_at),
        "budget": stored.budget
        and {
            "total_sat": stored.budget.total_sat,
            "used_sat": stored.budget.used_sat,
            "period": stored.budget.period,
            "renews_at": rfc3339(stored.budget.renews_at),
        },
    }


def _unreachable(trouble: str) -> Conflict:
    return Conflict(f"the wallet cannot be asked: {trouble}", code="wallet_not_ready", trouble=trouble)
