"""Stripe's objects and its payments: charges, refunds, disputes. Every change appends an event."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from fakes.base import Clock
from fakes.stripe import shapes

Object = dict[str, Any]
DAY = 86_400


class Refused(Exception):
    """A 4xx answer, with the fields of Stripe's errors."""

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, kind: str = "", param: str = ""
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param
        self.kind = kind or "invalid_request_error"


class Payments:
    """`works[customer]`: whether the customer's card works; `give_up`: the final status of an unpaid subscription.

    Payments of the customers in `asks_bank` need a confirmation. `search_lag`: seconds until a search finds a change;
    None: this account has no search.
    """

    def __init__(self, clock: Clock, publish: Callable[[Object], None]) -> None:
        self._clock = clock
        self._publish = publish
        self._counter = itertools.count(1)
        # Part of every id, so that a restarted stand-in does not reuse ids that receivers may have stored.
        self.run = secrets.token_hex(5)
        self._acting: int | None = None
        self.url = ""
        self.objects: dict[str, Object] = {}
        self.events: list[Object] = []
        self.works: dict[str, bool] = {}
        self.give_up = "canceled"
        self.asks_bank: set[str] = set()
        self.search_lag: int | None = 60
        # Tax in percent on every invoice and checkout, on top of the prices or included in them.
        self.tax_percent, self.tax_inside = 0, False
        # Whether a charge has its fee only later, as with asynchronous capture: when `book_fees` is called.
        self.late_fees = False

    # --- objects and events ------------------------------------------------------------------------------------------

    @property
    def at(self) -> int:
        return self._clock.now() if self._acting is None else self._acting

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{self.run}{next(self._counter):06d}"

    def add(self, obj: Object) -> Object:
        self.objects[obj["id"]] = obj
        return obj

    def get(self, object_id: str, kind: str, param: str = "") -> Object:
        """The object with this id and kind. `param`: the parameter that named it; then a deleted object is missing too.

        Raises `Refused`: 404, or 400 for a parameter.
        """
        obj = self.objects.get(object_id)
        if obj is None or obj["object"] != kind or (param and obj.get("deleted")):
            words = f"No such {kind}: '{object_id}'"
            raise Refused(words, status=400 if param else 404, code="resource_missing", param=param or "id")
        return obj

    def all(self, kind: str) -> Iterator[Object]:
        """All objects of a kind, newest first, as in Stripe's lists."""
        return (obj for obj in reversed(list(self.objects.values())) if obj["object"] == kind)

    def emit(self, kind: str, obj: Object, previous: Object | None = None) -> None:
        event = shapes.event(self.new_id("evt"), self.at, kind, obj, previous)
        self.events.append(event)
        self._publish(event)

    # --- payments ----------------------------------------------------------------------------------------------------

    def taxes(self, amount: int) -> tuple[Object, ...]:
        if not self.tax_percent or amount <= 0:
            return ()
        base = 100 + self.tax_percent if self.tax_inside else 100
        return (shapes.tax(round(amount * self.tax_percent / base), amount, inside=self.tax_inside),)

    def forget(self, customer_id: str) -> None:
        """Removes a customer and all their objects without an event, like the deletion of their test clock."""
        gone = {customer_id}
        for obj in list(self.objects.values()):
            if gone & {obj.get("customer"), obj.get("invoice"), obj.get("payment_intent")}:
                gone.add(obj["id"])
        self.objects = {name: obj for name, obj in self.objects.items() if name not in gone}

    def pay(
        self, amount: int, currency: str, customer_id: str | None, metadata: Object, invoice_id: str | None = None
    ) -> Object:
        """A payment intent that succeeds, with its charge."""
        intent = self.add(shapes.payment_intent(self.new_id("pi"), self.at, amount, currency, customer_id, metadata))
        txn = self.new_id("txn")
        fee = round(amount * 0.029) + 30
        self.add({"id": txn, "object": "balance_transaction", "amount": amount, "fee": fee, "net": amount - fee})
        known = None if self.late_fees else txn
        charged = self.add(shapes.charge(self.new_id("ch"), self.at, intent, self.url, known))
        intent |= {"status": "succeeded", "amount_received": amount, "latest_charge": charged["id"]}
        intent["_invoice"] = charged["_invoice"] = invoice_id
        charged["_transaction"] = txn
        self.emit("charge.succeeded", charged)
        self.emit("payment_intent.succeeded", intent)
        return intent

    def book_fees(self) -> None:
        for charged in list(self.all("charge")):
            if charged["balance_transaction"] is None:
                charged["balance_transaction"] = charged["_transaction"]
                self.emit("charge.updated", charged, {"balance_transaction": None})

    def refund(self, intent_id: str, amount: int | None, reason: str | None, metadata: Object) -> Object:
        charged = self.objects[self.get(intent_id, "payment_intent")["latest_charge"]]
        left = charged["amount"] - charged["amount_refunded"]
        if left <= 0:
            raise Refused("Charge has already been refunded.", code="charge_already_refunded")
        amount = left if amount is None else amount
        if amount > left:
            raise Refused("Refund amount is greater than unrefunded amount on charge.", code="amount_too_large")
        made = self.add(shapes.refund(self.new_id("re"), self.at, charged, amount, reason, metadata))
        charged["amount_refunded"] += amount
        charged["refunded"] = charged["amount_refunded"] == charged["amount"]
        self.emit("refund.created", made)
        self.emit("charge.refunded", charged)
        return made

    def fail_refund(self, refund_id: str) -> None:
        made = self.get(refund_id, "refund")
        charged = self.objects[made["charge"]]
        made |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        charged["amount_refunded"] -= made["amount"]
        charged["refunded"] = False
        self.emit("refund.failed", made)

    def open_dispute(self, intent_id: str, amount: int | None = None, *, inquiry: bool = False) -> Object:
        charged = self.objects[self.get(intent_id, "payment_intent")["latest_charge"]]
        charged["disputed"] = True
        made = shapes.dispute(
            self.new_id("du"), self.at, charged, amount or charged["amount"], "fraudulent", inquiry=inquiry
        )
        self.emit("charge.dispute.created", self.add(made))
        if not inquiry:
            self.emit("charge.dispute.funds_withdrawn", made)
        return made

    def move_dispute(self, dispute_id: str, status: str) -> None:
        made = self.get(dispute_id, "dispute")
        made["status"] = status
        closed = status in ("won", "lost", "warning_closed", "prevented")
        self.emit("charge.dispute.closed" if closed else "charge.dispute.updated", made)
        if status == "won":
            self.emit("charge.dispute.funds_reinstated", made)

    def warn_of_fraud(self, intent_id: str) -> Object:
        charged = self.objects[self.get(intent_id, "payment_intent")["latest_charge"]]
        made = self.add(shapes.fraud_warning(self.new_id("issfr"), self.at, charged))
        self.emit("radar.early_fraud_warning.created", made)
        return made
