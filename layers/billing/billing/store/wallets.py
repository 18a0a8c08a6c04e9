"""Connections to buyers' wallets: what can pay sealed, what may be seen beside it. Behind the records that decide
access, so that reading an account never meets one; an account's mandate says whether it is used."""

import json
from collections.abc import Mapping
from typing import Any

from billing.aws import Aws
from billing.data import dataclass
from billing.store.codec import item
from billing.store.dynamodb import conditional_write, read_item

WALLET = "~wallet#"
# What only whoever may open it needs, and no export hands out.
SEALED = ("sealed", "data_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBudget:
    """What the wallet last said we may spend, in whole satoshis; `total_sat` None: no limit."""

    total_sat: int | None
    used_sat: int = 0
    period: str = "never"
    renews_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWallet:
    """A connection as it is stored. `key_end`: the last digits of the wallet's key; `relays`: hosts on the way to it.

    `info`: what the wallet said of itself. `budget` None: it does not tell. `seen_at`: when its word was last heard.
    """

    connection_id: str
    sealed: str
    data_key: str
    key_end: str
    relays: tuple[str, ...]
    encryption: str
    info: Mapping[str, Any]
    connected_at: int
    seen_at: int
    budget: StoredBudget | None = None


class WalletStore:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def put(self, user_id: str, group: str, wallet: StoredWallet) -> None:
        """Replaces the stored one."""
        stored = item(
            {
                **_key(user_id, group),
                "connection_id": wallet.connection_id,
                "sealed": wallet.sealed,
                "data_key": wallet.data_key,
                "key_end": wallet.key_end,
                "relays": list(wallet.relays),
                "encryption": wallet.encryption,
                "info": dict(wallet.info),
                "connected_at": wallet.connected_at,
                "seen_at": wallet.seen_at,
                "budget": _written(wallet.budget),
            }
        )
        self._aws.call("dynamodb", "put_item", TableName=self._table, Item=stored)

    def find(self, user_id: str, group: str) -> StoredWallet | None:
        stored = read_item(self._aws, self._table, item(_key(user_id, group)))
        return None if stored is None else _from_values(stored)

    def saw(self, user_id: str, group: str, wallet: StoredWallet, budget: StoredBudget | None, now: int) -> None:
        """What the wallet says now; nothing when the connection was replaced or removed meanwhile."""
        same = "connection_id = :connection"
        changes = "SET seen_at = :now, budget = :budget" if budget else "SET seen_at = :now REMOVE budget"
        params = {":connection": wallet.connection_id, ":now": now, ":budget": _written(budget)}
        conditional_write(
            self._aws,
            "update_item",
            TableName=self._table,
            Key=item(_key(user_id, group)),
            UpdateExpression=changes,
            ConditionExpression=same,
            ExpressionAttributeValues=item(params),
        )

    def remove(self, user_id: str, group: str) -> None:
        self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=item(_key(user_id, group)))


def _key(user_id: str, group: str) -> dict[str, object]:
    return {"user_id": user_id, "record": f"{WALLET}{group}"}


def _written(budget: StoredBudget | None) -> dict[str, Any] | None:
    if budget is None:
        return None
    fields = {name: getattr(budget, name) for name in ("total_sat", "used_sat", "period", "renews_at")}
    return {name: value for name, value in fields.items() if value is not None}


def _from_values(stored: dict[str, Any]) -> StoredWallet:
    budget = json.loads(stored["budget"]) if "budget" in stored else None
    return StoredWallet(
        connection_id=stored["connection_id"],
        sealed=stored["sealed"],
        data_key=stored["data_key"],
        key_end=stored["key_end"],
        relays=tuple(json.loads(stored["relays"])),
        encryption=stored["encryption"],
        info=json.loads(stored["info"]),
        connected_at=stored["connected_at"],
        seen_at=stored["seen_at"],
        budget=StoredBudget(total_sat=budget.pop("total_sat", None), **budget) if budget is not None else None,
    )
