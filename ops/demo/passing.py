"""Time that passes for one buyer: the functions only know the present, so what is known of the buyer moves into the
past, in the account and at the stand-ins of the mock provider and of BTCPay Server alike."""

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

# Of whole numbers, those in between are moments: no price here is as high, and no count.
_MOMENTS = range(1_500_000_000, 4_000_000_000)


def pass_time(shop: Shop, user_id: str, seconds: int) -> None:
    """As if everything that this buyer did had been done so much earlier."""
    aws = Owner(shop.engine)
    accounts = AccountStore(aws, shop.engine.resource("AccountsTable"))
    catalogue = PlanStore(aws, shop.engine.resource("PlansTable")).catalogue()
    for invoice in shop.btcpay.invoices.values():
        if invoice.metadata.get("user_id") == user_id:
            invoice.created, invoice.expires = invoice.created - seconds, invoice.expires - seconds
            for payment in invoice.payments:
                payment["when"] -= seconds

    mine = {
        key: _earlier(thing, seconds) for key, thing in shop.mock.objects.items() if thing.get("user_id") == user_id
    }
    shop.mock.objects.update(mine)

    def earlier(account: Account) -> Consequences:
        if not account.whole:
            raise PastNeeded
        moved = replace(account, records={key: _earlier(r, seconds) for key, r in account.records.items()})
        return consequences(account, renew(moved, catalogue), catalogue, int(time.time()))

    accounts.change(user_id, earlier)


def _earlier(value: Any, seconds: int) -> Any:
    """A record, or a part of one, with every moment in it so much earlier."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value - seconds if value in _MOMENTS else value
    if isinstance(value, tuple):
        return tuple(_earlier(one, seconds) for one in value)
    if isinstance(value, Mapping):
        return {key: _earlier(one, seconds) for key, one in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return replace(value, **{f.name: _earlier(getattr(value, f.name), seconds) for f in fields(value) if f.init})
    return value
