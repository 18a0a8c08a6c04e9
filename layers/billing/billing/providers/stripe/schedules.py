"""The phases of a schedule that changes a plan when the paid period ends.

What is written replaces every phase whole: what it leaves out, Stripe takes away from the subscription. So the current
phase is written back as it was read, and the next one is the same but for the price. Which fields can be written is
what the SDK's types say.
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

# Inside a phase, where what is read says more than can be written.
_WRITABLE: Mapping[str, Any] = {
    "items": SubscriptionScheduleUpdateParamsPhaseItem,
    "add_invoice_items": SubscriptionScheduleUpdateParamsPhaseAddInvoiceItem,
    "automatic_tax": SubscriptionScheduleUpdateParamsPhaseAutomaticTax,
    "invoice_settings": SubscriptionScheduleUpdateParamsPhaseInvoiceSettings,
}
# Of the current phase alone: a trial, its dates, and what is charged once.
_OF_NOW = ("start_date", "end_date", "trial_end", "add_invoice_items", "billing_cycle_anchor")


def phases(schedule: Object, from_price: str, to_price: str, quantity: int, named: Mapping[str, str]) -> list[Any]:
    """The current phase, and one after it in which `to_price` stands for `from_price`; `named` is its metadata.

    A schedule outlives the change it was made for by a period, so the current phase need not be its first one.
    """
    began = (schedule.get("current_phase") or schedule["phases"][0])["start_date"]
    current = next(phase for phase in schedule["phases"] if phase["start_date"] == began)
    now = _picked(current, SubscriptionScheduleUpdateParamsPhase)
    then = {name: value for name, value in now.items() if name not in _OF_NOW}
    then["items"] = [
        {**item, "price": to_price, "quantity": quantity} if item["price"] == from_price else item
        for item in now["items"]
    ]
    then["metadata"] = {**now.get("metadata", {}), **named}
    then["proration_behavior"] = "none"
    return [now, then]


def _picked(part: Object, shape: Any) -> dict[str, Any]:
    """What of it can be written; nothing that is empty, since leaving it out says the same."""
    names = shape.__annotations__.keys() & part.keys() - {"plan", "price_data"}
    written = {name: _written(name, part[name]) for name in sorted(names)}
    return {name: value for name, value in written.items() if value not in (None, [], {})}


def _written(name: str, value: Any) -> Any:
    """A value as it is sent: objects that Stripe expanded by their ids, and a discount by the one name it has."""
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
    """The running one, so that it does not begin anew; else what it would begin by."""
    for name in ("discount", "promotion_code", "coupon"):
        if written := _written(name, discount.get(name)):
            return {name: written}
    return {}
