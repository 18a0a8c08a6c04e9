"""The phases of a subscription schedule that changes the plan at the end of the paid period.

An update replaces all phases, and Stripe removes from the subscription what a phase leaves out. So the current phase is
written back as it was read, and the next one is a copy with the new price. The SDK's types say which fields are
writable.
"""

from collections.abc import Mapping
from typing import Any

from stripe.params import (
    SubscriptionScheduleUpdateParamsPhase,
    SubscriptionScheduleUpdateParamsPhaseAddInvoiceItem,
    SubscriptionScheduleUpdateParamsPhaseAutomaticTax,
    SubscriptionScheduleUpdateParamsPhaseInvoiceSettings,
    SubscriptionScheduleUpdateParamsPhaseItem,
)

Object = Mapping[str, Any]

# Parts of a phase that have read-only fields.
_WRITABLE: Mapping[str, Any] = {
    "items": SubscriptionScheduleUpdateParamsPhaseItem,
    "add_invoice_items": SubscriptionScheduleUpdateParamsPhaseAddInvoiceItem,
    "automatic_tax": SubscriptionScheduleUpdateParamsPhaseAutomaticTax,
    "invoice_settings": SubscriptionScheduleUpdateParamsPhaseInvoiceSettings,
}
# Not copied to the next phase: dates, a trial, one-time charges.
_OF_NOW = ("start_date", "end_date", "trial_end", "add_invoice_items", "billing_cycle_anchor")


def phases(schedule: Object, from_price: str, to_price: str, quantity: int, metadata: Mapping[str, str]) -> list[Any]:
    """The current phase and the next one, which has `to_price` in place of `from_price` and `metadata` added.

    A schedule stays for a period after its change, so the current phase is not always the first.
    """
    began = (schedule.get("current_phase") or schedule["phases"][0])["start_date"]
    current = next(phase for phase in schedule["phases"] if phase["start_date"] == began)
    now = _picked(current, SubscriptionScheduleUpdateParamsPhase)
    then = {name: value for name, value in now.items() if name not in _OF_NOW}
    then["items"] = [
        {**item, "price": to_price, "quantity": quantity} if item["price"] == from_price else item
        for item in now["items"]
    ]
    then["metadata"] = {**now.get("metadata", {}), **metadata}
    then["proration_behavior"] = "none"
    return [now, then]


def _picked(part: Object, shape: Any) -> dict[str, Any]:
    """The writable fields that are not empty."""
    names = shape.__annotations__.keys() & part.keys() - {"plan", "price_data"}
    written = {name: _written(name, part[name]) for name in sorted(names)}
    return {name: value for name, value in written.items() if value not in (None, [], {})}


def _written(name: str, value: Any) -> Any:
    """A value in the form to send: expanded objects become ids, discounts one reference each."""
    if name == "discounts":
        return [_discount(discount) for discount in value or []]
    if isinstance(value, list):
        return [_written(name, entry) for entry in value]
    if not isinstance(value, Mapping):
        return value
    if "id" in value and "object" in value:
        return value["id"]
    if name in _WRITABLE:
        return _picked(value, _WRITABLE[name])
    return {key: _written(key, inner) for key, inner in value.items() if inner is not None}


def _discount(discount: Object) -> dict[str, str]:
    """The existing discount, so that it does not start again; else its promotion code or coupon."""
    for name in ("discount", "promotion_code", "coupon"):
        if written := _written(name, discount.get(name)):
            return {name: written}
    return {}
