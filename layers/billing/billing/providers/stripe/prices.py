"""Plans at Stripe: one product per plan, one price per version. A sync is idempotent."""

from typing import TYPE_CHECKING, Any

import stripe

from billing.errors import ProviderError
from billing.providers.interface import PlanSync
from billing.rules.plans import Plan

if TYPE_CHECKING:
    from stripe.params import PriceCreateParams
    from stripe.params.checkout import SessionCreateParamsLineItemPriceData


class Prices:
    """Raises the SDK's errors."""

    def __init__(self, api: stripe.StripeClient, tax_behavior: str) -> None:
        self._v1 = api.v1
        self._tax_behavior = tax_behavior

    def sync(self, plan: Plan, *, dry_run: bool) -> PlanSync:
        """Create or update the product and price. A price id already in the plan is used as it is."""
        changes: list[str] = []
        adopted = plan.provider_plan_ids.get("stripe")
        price = self._adopted(adopted) if adopted else self._by_lookup_key(plan)
        if price is None:
            self._sync_product(plan, changes, dry_run)
            changes.append(f"create price {_lookup_key(plan)}")
            if not dry_run:
                price = self._create_price(plan)
        else:
            if not adopted:
                self._sync_product(plan, changes, dry_run)
            self._sync_active(plan, price, changes, dry_run)
        return PlanSync(
            plan_id=plan.plan_id,
            version=plan.version,
            price_id=price["id"] if price else None,
            changes=tuple(changes),
            problems=tuple(_differences(plan, price)) if price else (),
        )

    def once(self, price_id: str, amount_cents: int) -> "SessionCreateParamsLineItemPriceData":
        """A one-time price for one period of a recurring price, with the same product and tax behaviour."""
        price = self._adopted(price_id)
        data: SessionCreateParamsLineItemPriceData = {
            "product": price["product"],
            "currency": price["currency"],
            "unit_amount": amount_cents,
        }
        if price.get("tax_behavior") in ("inclusive", "exclusive"):
            data["tax_behavior"] = price["tax_behavior"]
        return data

    def _adopted(self, price_id: str) -> dict[str, Any]:
        try:
            return self._v1.prices.retrieve(price_id).to_dict()
        except stripe.InvalidRequestError as error:
            if error.code == "resource_missing":
                raise ProviderError(f"Stripe has no price {price_id} in this mode", reason="price_missing") from error
            raise

    def _by_lookup_key(self, plan: Plan) -> dict[str, Any] | None:
        prices = self._v1.prices.list({"lookup_keys": [_lookup_key(plan)], "limit": 1}).data
        return prices[0].to_dict() if prices else None

    def _create_price(self, plan: Plan) -> dict[str, Any]:
        params: PriceCreateParams = {
            "product": _product_id(plan),
            "currency": plan.currency.lower(),
            "unit_amount": plan.price_cents,
            "lookup_key": _lookup_key(plan),
            "metadata": {"plan_id": plan.plan_id, "plan_version": str(plan.version)},
            "tax_behavior": "inclusive" if self._tax_behavior == "inclusive" else "exclusive",
        }
        if plan.interval != "once":
            params["recurring"] = {"interval": plan.interval}
        return self._v1.prices.create(params, {"idempotency_key": f"price:{_lookup_key(plan)}"}).to_dict()

    def _sync_product(self, plan: Plan, changes: list[str], dry_run: bool) -> None:
        wanted = {"name": plan.name, "active": plan.status != "archived"}
        try:
            product = self._v1.products.retrieve(_product_id(plan)).to_dict()
        except stripe.InvalidRequestError as error:
            if error.code != "resource_missing":
                raise
            changes.append(f"create product {_product_id(plan)}")
            if not dry_run:
                self._v1.products.create(
                    {"id": _product_id(plan), "name": plan.name, "metadata": {"plan_id": plan.plan_id}},
                    {"idempotency_key": f"product:{_product_id(plan)}"},
                )
            return
        for name, value in wanted.items():
            if product[name] != value:
                changes.append(f"set {name} of product {_product_id(plan)} to {value}")
        if not dry_run and any(product[name] != value for name, value in wanted.items()):
            self._v1.products.update(_product_id(plan), {"name": plan.name, "active": plan.status != "archived"})

    def _sync_active(self, plan: Plan, price: dict[str, Any], changes: list[str], dry_run: bool) -> None:
        """Archive the price of an archived plan: no new subscriptions, while existing ones keep renewing."""
        active = plan.status != "archived"
        if price["active"] != active:
            changes.append(f"{'activate' if active else 'archive'} price {price['id']}")
            if not dry_run:
                self._v1.prices.update(price["id"], {"active": active})
                price["active"] = active


def _product_id(plan: Plan) -> str:
    return f"bitsleuth_{plan.plan_id}"


def _lookup_key(plan: Plan) -> str:
    return f"bitsleuth_{plan.plan_id}_v{plan.version}"


def _differences(plan: Plan, price: dict[str, Any]) -> list[str]:
    """Differences between a price and the plan. Stripe would charge what the price says."""
    every = (price.get("recurring") or {}).get("interval", "once")
    count = (price.get("recurring") or {}).get("interval_count", 1)
    pairs = (
        ("amount", plan.price_cents, price.get("unit_amount")),
        ("currency", plan.currency, str(price.get("currency")).upper()),
        ("interval", plan.interval, every if count == 1 else f"{count} {every}s"),
    )
    return [
        f"price {price['id']} has {name} {theirs}, the plan says {ours}"
        for name, ours, theirs in pairs
        if ours != theirs
    ]
