"""Lets time pass for one buyer. The functions use the present, so the buyer's data is moved into the past instead: in
the account, and at the stand-ins of the mock provider and of BTCPay Server."""

import time
from collections.abc import Mapping
from typing import Any

from billing.data import fields, replace
from billing.errors import PastNeeded
from billing.rules.apply.purchases import renew
from billing.rules.consequences import Consequences, consequences
from billing.rules.records import Account
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore
from demo.shop import Owner, Shop

# Integers in this range are taken for timestamps: no price or count here is as large.
_MOMENTS = range(1_500_000_000, 4_000_000_000)


def pass_time(shop: Shop, user_id: str, seconds: int) -> None:
    """Moves everything that this buyer did `seconds` into the past."""
    aws = Owner(shop.engine)
    accounts = AccountStore(aws, shop.engine.resource("AccountsTable"))
    catalogue = PlanStore(aws, shop.engine.resource("PlansTable")).catalogue()
    for invoice in shop.btcpay.invoices.values():
        if invoice.metadata.get("user_id") == user_id:
            invoice.created, invoice.expires = invoice.created - seconds, invoice.expires - seconds
            for payment in invoice.payments:
                payment["when"] -= seconds

    mine = {key: _earlier(item, seconds) for key, item in shop.mock.objects.items() if item.get("user_id") == user_id}
    shop.mock.objects.update(mine)

    def earlier(account: Account) -> Consequences:
        if not account.whole:
            raise PastNeeded
        moved = replace(account, records={key: _earlier(r, seconds) for key, r in account.records.items()})
        return consequences(account, renew(moved, catalogue), catalogue, int(time.time()))

    accounts.change(user_id, earlier)


def _earlier(value: Any, seconds: int) -> Any:
    """A record, or a part of one, with every timestamp in it `seconds` earlier."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value - seconds if value in _MOMENTS else value
    if isinstance(value, tuple):
        return tuple(_earlier(item, seconds) for item in value)
    if isinstance(value, Mapping):
        return {key: _earlier(item, seconds) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return replace(value, **{f.name: _earlier(getattr(value, f.name), seconds) for f in fields(value) if f.init})
    return value
