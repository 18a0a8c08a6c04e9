"""What a subscription costs per interval at Stripe: the prices of its items times their quantities, less the discounts
that stay. A coupon for once does not count, nor does a repeating one that is over.

Discounts in a webhook are ids; a subscription that has some is read again with its coupons (`says_too_little`).
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Object = Mapping[str, Any]


def at(thing: Object, *path: str) -> Any:
    """The value at a path of keys, or None where the path ends early."""
    value: Any = thing
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def says_too_little(subscription: Object) -> bool:
    """Whether what it costs, or which items it has, has to be asked: discounts without their coupons, another currency
    than the price's own, more items than are listed here."""
    listed: Sequence[Object] = at(subscription, "items", "data") or []
    holders = (subscription, *listed)
    if bool(at(subscription, "items", "has_more")) or any("discount" in h or h.get("discounts") for h in holders):
        return True
    charged = subscription.get("currency")
    return any(at(item, "price", "currency") not in (None, charged) for item in listed) if charged else False


def recurring_amounts(subscription: Object, items: Sequence[Object], now: int) -> list[int | None]:
    """Of each item; None where it cannot be told. Discounts of an item come first, then the subscription's."""
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
    """The coupons on a subscription or item that go on counting."""
    lasting = []
    for discount in [holder.get("discount"), *(holder.get("discounts") or [])]:
        # Since 2025-09-30 the coupon stands under `source`.
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
    """What a coupon takes from an amount: percent rounded half up, as Stripe does, or so much per invoice."""
    percent = coupon.get("percent_off")
    if percent is not None:
        return int((amount * Decimal(str(percent)) / 100).quantize(Decimal(1), ROUND_HALF_UP))
    off = coupon.get("amount_off") or 0
    if charged is not None and coupon.get("currency") not in (None, charged):
        off = at(coupon, "currency_options", charged, "amount_off") or 0
    return int(off)
