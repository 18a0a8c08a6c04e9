"""The recurring amount of a Stripe subscription: item prices times quantities, less lasting discounts. One-time coupons
and expired repeating ones do not count.

Discounts in a webhook are ids only; a subscription with discounts is read with its coupons (`says_too_little`).
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Object = Mapping[str, Any]


def at(source: Object, *path: str) -> Any:
    """The value at a path of keys, or None where a key is missing."""
    value: Any = source
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def says_too_little(subscription: Object) -> bool:
    """Whether the subscription must be read to know its amount: it has discounts, which come without their coupons, a
    currency other than the price's, or more items than are listed."""
    listed: Sequence[Object] = at(subscription, "items", "data") or []
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
