"""A Stripe subscription as a fact, with its recurring amount: item prices times quantities, less lasting discounts.

One-time coupons and expired repeating ones do not count. Discounts in a webhook are ids only; a subscription with
discounts is read with its coupons (`says_too_little`).
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from billing.providers.stripe.objects import PROVIDER, Object, at, plan_version
from billing.rules.facts import ItemFact, SubscriptionFact


def subscription_fact(
    subscription: Object, observed_at: int, *, customer_discount: bool | None = None
) -> SubscriptionFact | None:
    """The state of a subscription with all its items; None when the object lacks an item or a period.

    `customer_discount`: whether a discount of its customer applies; None if unknown, as in an event.

    The first item represents the subscription. Items at prices created by us come first, then the oldest.
    """
    items = tuple(item_facts(subscription, observed_at))
    if not items:
        return None
    first = items[0]
    metadata: Object = subscription.get("metadata") or {}
    next_metadata, scheduled = _next_phase(subscription, items)
    return SubscriptionFact(
        provider=PROVIDER,
        observed_at=observed_at,
        user_id=metadata.get("user_id"),
        subscription_id=subscription["id"],
        status=subscription.get("status", "other"),
        price_id=first.price_id,
        item_id=first.item_id,
        quantity=first.quantity,
        current_period_start=first.current_period_start,
        current_period_end=first.current_period_end,
        created_at=subscription.get("created", first.current_period_start),
        customer_id=subscription.get("customer"),
        trial_end=subscription.get("trial_end"),
        cancel_at=subscription.get("cancel_at"),
        cancel_at_period_end=subscription.get("cancel_at_period_end", False),
        canceled_at=subscription.get("canceled_at"),
        ended_at=subscription.get("ended_at"),
        cancel_reason=_cancel_reason(subscription),
        collection_paused="pause_collection" in subscription,
        scheduled_price_id=scheduled,
        scheduled_plan_id=next_metadata.get("plan_id"),
        scheduled_plan_version=plan_version(next_metadata),
        plan_id=metadata.get("plan_id"),
        plan_version=plan_version(metadata),
        checkout_id=metadata.get("checkout_id"),
        currency=currency_of(subscription),
        recurring_cents=first.recurring_cents,
        customer_discount=customer_discount,
        items=items if len(items) > 1 else (),
    )


def currency_of(subscription: Object) -> str | None:
    """The currency it is charged in (a price can have several): its own, else that of an item's price."""
    currency = subscription.get("currency") or next(
        (c for i in _listed(subscription) if (c := at(i, "price", "currency"))), None
    )
    return currency.upper() if currency else None


def item_facts(subscription: Object, observed_at: int) -> Iterator[ItemFact]:
    items = sorted(_listed(subscription), key=_item_rank)
    recurring = recurring_amounts(subscription, items, observed_at)
    for item, amount in zip(items, recurring, strict=True):
        start = item.get("current_period_start", subscription.get("current_period_start"))
        end = item.get("current_period_end", subscription.get("current_period_end"))
        price = at(item, "price", "id")
        if start is not None and end is not None and price is not None:
            yield ItemFact(
                price_id=price,
                current_period_start=start,
                current_period_end=end,
                item_id=item.get("id"),
                quantity=item.get("quantity", 1),
                recurring_cents=amount,
            )


def _listed(subscription: Object) -> Sequence[Object]:
    """The items in the object; of many only the first ones."""
    items = subscription.get("items")
    return items.get("data") or [] if isinstance(items, Mapping) else []


def _item_rank(item: Object) -> tuple[bool, int, str]:
    made_by_us = at(item, "price", "metadata", "plan_id") is not None
    return not made_by_us, item.get("created", 0), item.get("id", "")


def _cancel_reason(subscription: Object) -> str | None:
    """The customer's reason if there is one, else Stripe's: payment_failed, payment_disputed, …"""
    details: Object = subscription.get("cancellation_details") or {}
    reason: str | None = details.get("feedback") or details.get("reason")
    return reason


def _next_phase(subscription: Object, items: Sequence[ItemFact]) -> tuple[Object, str | None]:
    """The metadata of the scheduled phase after this period and its price, if it changes price or plan version.

    Empty when nothing is scheduled, or when the schedule's phases were not expanded.
    """
    first, current_prices = items[0], {item.price_id for item in items}
    present: Object = subscription.get("metadata") or {}
    current = present.get("plan_id"), present.get("plan_version")
    for phase in at(subscription, "schedule", "phases") or []:
        metadata: Object = phase.get("metadata") or {}
        scheduled = metadata.get("plan_id", current[0]), metadata.get("plan_version", current[1])
        prices = [price for item in phase.get("items", []) if (price := at(item, "price", "id"))]
        new = [price for price in prices if price not in current_prices]
        if phase.get("start_date", 0) >= first.current_period_end and prices and (new or scheduled != current):
            return metadata, (new or [price for price in prices if price == first.price_id] or prices)[0]
    return {}, None


def says_too_little(subscription: Object) -> bool:
    """Whether the subscription must be read to know its amount: it has discounts, which come without their coupons, a
    currency other than the price's, or more items than are listed."""
    listed = _listed(subscription)
    holders = (subscription, *listed)
    if bool(at(subscription, "items", "has_more")) or any("discount" in h or h.get("discounts") for h in holders):
        return True
    charged = subscription.get("currency")
    return any(at(item, "price", "currency") not in (None, charged) for item in listed) if charged else False


def recurring_amounts(subscription: Object, items: Sequence[Object], now: int) -> list[int | None]:
    """The recurring amount of each item; None if unknown. Item discounts apply first, then the subscription's."""
    charged = subscription.get("currency")
    amounts = [_own_amount(item, charged, now) for item in items]
    if None in amounts:
        return amounts
    left = [amount or 0 for amount in amounts]
    for coupon in _lasting(subscription, now):
        eligible = [n for n, item in enumerate(items) if _applies(coupon, item)]
        base = sum(left[n] for n in eligible)
        off = min(base, _off(coupon, base, charged))
        for n in eligible:
            share = off * left[n] // base if base else 0
            off, base = off - share, base - left[n]
            left[n] -= share
    return list(left)


def _own_amount(item: Object, charged: str | None, now: int) -> int | None:
    price: Object = item.get("price") or {}
    unit = price.get("unit_amount")
    if charged is not None and price.get("currency") not in (None, charged):
        unit = at(price, "currency_options", charged, "unit_amount")
    if unit is None:
        return None  # tiers, or a fraction of a cent
    amount: int = unit * item.get("quantity", 1)
    for coupon in _lasting(item, now):
        if _applies(coupon, item):
            amount -= min(amount, _off(coupon, amount, charged))
    return amount


def _lasting(holder: Object, now: int) -> list[Object]:
    """The coupons of a subscription or item that also apply to later invoices."""
    lasting = []
    for discount in [holder.get("discount"), *(holder.get("discounts") or [])]:
        # Since API version 2025-09-30 the coupon is under `source`.
        coupon = at(discount or {}, "source", "coupon") or at(discount or {}, "coupon")
        if not isinstance(coupon, Mapping):
            continue
        ends = at(discount or {}, "end")
        repeats = coupon.get("duration") == "repeating" and (ends is None or ends > now)
        if repeats or coupon.get("duration") == "forever":
            lasting.append(coupon)
    return lasting


def _applies(coupon: Object, item: Object) -> bool:
    products = at(coupon, "applies_to", "products")
    return not products or at(item, "price", "product") in products


def _off(coupon: Object, amount: int, charged: str | None) -> int:
    """A coupon's discount on an amount: a percentage rounded half up, as Stripe does, or a fixed amount."""
    percent = coupon.get("percent_off")
    if percent is not None:
        return int((amount * Decimal(str(percent)) / 100).quantize(Decimal(1), ROUND_HALF_UP))
    off = coupon.get("amount_off") or 0
    if charged is not None and coupon.get("currency") not in (None, charged):
        off = at(coupon, "currency_options", charged, "amount_off") or 0
    return int(off)
