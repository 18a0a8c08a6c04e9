"""Connections to buyers' wallets: what can pay sealed, what may be seen beside it. Behind the records that decide
access, so that reading an account never meets one; an account's mandate says whether it is used."""

import json
from collections.abc import Mapping
from typing import Any

from billing.aws import Aws, AwsError
from billing.data import dataclass
from billing.store.codec import item, values

WALLET = "~wallet#"
# What only whoever may open it needs, and no export hands out.
SEALED = ("sealed", "data_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBudget:
    """What the wallet lets us spend, as it said last, in whole satoshis; `total_sat` None: it sets no limit."""

    total_sat: int | None
    used_sat: int = 0
    period: str = "never"
    renews_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWallet:
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
    budget: KeptBudget | None = None


class WalletStore:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    def put(self, user_id: str, group: str, kept: KeptWallet) -> None:
        """In the place of the one that is there."""
        stored = item(
            {
                **_key(user_id, group),
                "connection_id": kept.connection_id,
                "sealed": kept.sealed,
                "data_key": kept.data_key,
                "key_end": kept.key_end,
                "relays": list(kept.relays),
                "encryption": kept.encryption,
                "info": dict(kept.info),
                "connected_at": kept.connected_at,
                "seen_at": kept.seen_at,
                "budget": _written(kept.budget),
            }
        )
        self._aws.call("dynamodb", "put_item", TableName=self._table, Item=stored)

    def find(self, user_id: str, group: str) -> KeptWallet | None:
        key = item(_key(user_id, group))
        answer = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=key, ConsistentRead=True)
        return _kept(values(answer["Item"])) if "Item" in answer else None

    def saw(self, user_id: str, group: str, kept: KeptWallet, budget: KeptBudget | None, now: int) -> None:
        """What the wallet says now; nothing when the connection was replaced or removed meanwhile."""
        same = "connection_id = :connection"
        changes = "SET seen_at = :now, budget = :budget" if budget else "SET seen_at = :now REMOVE budget"
        given = {":connection": kept.connection_id, ":now": now, ":budget": _written(budget)}
        try:
            self._aws.call(
                "dynamodb",
                "update_item",
                TableName=self._table,
                Key=item(_key(user_id, group)),
                UpdateExpression=changes,
                ConditionExpression=same,
                ExpressionAttributeValues=item(given),
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise

    def remove(self, user_id: str, group: str) -> None:
        self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=item(_key(user_id, group)))


def _key(user_id: str, group: str) -> dict[str, object]:
    return {"user_id": user_id, "record": f"{WALLET}{group}"}


def _written(budget: KeptBudget | None) -> dict[str, Any] | None:
    if budget is None:
        return None
    told = {name: getattr(budget, name) for name in ("total_sat", "used_sat", "period", "renews_at")}
    return {name: value for name, value in told.items() if value is not None}


def _kept(found: dict[str, Any]) -> KeptWallet:
    budget = json.loads(found["budget"]) if "budget" in found else None
    return KeptWallet(
        connection_id=found["connection_id"],
        sealed=found["sealed"],
        data_key=found["data_key"],
        key_end=found["key_end"],
        relays=tuple(json.loads(found["relays"])),
        encryption=found["encryption"],
        info=json.loads(found["info"]),
        connected_at=found["connected_at"],
        seen_at=found["seen_at"],
        budget=KeptBudget(total_sat=budget.pop("total_sat", None), **budget) if budget is not None else None,
    )
