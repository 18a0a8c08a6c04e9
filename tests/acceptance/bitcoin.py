"""What the tests of bitcoin money do and look at. The plan is the pass of 49.00 unless they say otherwise."""

from decimal import ROUND_UP, Decimal
from typing import Any

from billing.rules.plans import Plan
from tests.acceptance.world import World
from tests.samples import TAX_PASS

FEATURE = "tax.export"
PRICE = TAX_PASS.price_cents


def opened(world: World, plan: Plan = TAX_PASS) -> str:
    return world.session(world.checkout(plan))


def sats(world: World, invoice: str, cents: int) -> int:
    """So many cents at the invoice's rate, in satoshis."""
    found = world.app.invoices[invoice]
    return int((Decimal(found.satoshis) * cents / PRICE).to_integral_value(ROUND_UP))


def confirm(world: World, invoice: str) -> None:
    (world.app.settle if world.player.name == "btcpay" else world.app.complete)(invoice)


def books(world: World) -> int:
    return sum(amount for _, amount in world.books("payment", "refund", "refund_failed"))


def flagged(world: World) -> list[str]:
    return [found["purchase_id"] for found in world.desk.open(25, flagged=True)["invoices"]]


def accept(world: World, invoice: str) -> dict[str, Any]:
    return world.desk.accept(world.player.name, invoice, "usr_admin", world.now)


def give_back(world: World, invoice: str, cents: int | None = None, *, surplus: bool = False, key: str = "k1") -> Any:
    return world.desk.refund(world.player.name, invoice, cents, key, "usr_admin", world.now, surplus=surplus)
