"""Connections to buyers' wallets as they are stored: sealed, for one account, one group and one connection each."""

import secrets
from urllib.parse import urlsplit

from billing.errors import InvalidRequest
from billing.sealing import CannotOpen, Sealed, Sealer
from billing.selling.wallet_interface import Budget, Connection, Info, Wallet, WalletTrouble
from billing.store.wallets import StoredBudget, StoredWallet, WalletStore


class Vault:
    def __init__(self, store: WalletStore, sealer: Sealer, wallet: Wallet) -> None:
        self._store, self._sealer, self._wallet = store, sealer, wallet

    def keep(
        self, user_id: str, group: str, connection: Connection, now: int, *, info: Info, budget: Budget | None
    ) -> StoredWallet:
        connection_id = f"wal_{secrets.token_hex(16)}"
        sealed = self._sealer.seal(connection.text(), _about(user_id, group, connection_id))
        stored = StoredWallet(
            connection_id=connection_id,
            sealed=sealed.content,
            data_key=sealed.data_key,
            key_end=connection.wallet[-4:],
            relays=tuple(dict.fromkeys(urlsplit(relay).hostname or "" for relay in connection.relays)),
            encryption=info.encryption,
            info=info.as_stored,
            connected_at=now,
            seen_at=now,
            budget=stored_budget(budget),
        )
        self._store.put(user_id, group, stored)
        return stored

    def find(self, user_id: str, group: str) -> StoredWallet | None:
        return self._store.find(user_id, group)

    def open(self, user_id: str, group: str, stored: StoredWallet) -> Connection:
        """Raises `WalletTrouble` where it cannot be opened any more: the buyer has to connect again."""
        sealed = Sealed(stored.sealed, stored.data_key)
        try:
            return self._wallet.parse(self._sealer.open(sealed, _about(user_id, group, stored.connection_id)))
        except (CannotOpen, InvalidRequest) as lost:
            raise WalletTrouble("connection_ended") from lost

    def saw(self, user_id: str, group: str, stored: StoredWallet, budget: Budget | None, now: int) -> None:
        self._store.saw(user_id, group, stored, stored_budget(budget), now)

    def remove(self, user_id: str, group: str) -> None:
        self._store.remove(user_id, group)


def _about(user_id: str, group: str, connection_id: str) -> dict[str, str]:
    return {"purpose": "wallet", "user": user_id, "group": group, "connection": connection_id}


def stored_budget(budget: Budget | None) -> StoredBudget | None:
    """In whole satoshis: the budget rounded down, what was spent rounded up."""
    if budget is None:
        return None
    return StoredBudget(
        total_sat=None if budget.total_msat is None else budget.total_msat // 1000,
        used_sat=-(-budget.used_msat // 1000),
        period=budget.period,
        renews_at=budget.renews_at,
    )
