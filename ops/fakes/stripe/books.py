"""What Stripe does with money and time: invoices, payments that work or fail, renewals, dunning, prorations, disputes.

Objects are the API's own, by id; every change appends an event. `at` is the moment that is being acted out, so that
a clock moved by a month renews at the right second.
"""

import copy
import itertools
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from fakes.base import Clock
from fakes.stripe import shapes

Object = dict[str, Any]
DAY = 86_400
# Seconds after the first failed attempt at which Stripe tries again; after the last one it gives up.
RETRIES = (3 * DAY, 5 * DAY, 7 * DAY)
PENDING_UPDATE = 23 * 3600


class Refused(Exception):
    """An answer of 4xx, in Stripe's terms."""

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, kind: str = "", param: str = ""
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param
        self.kind = kind or "invalid_request_error"


class Books:
    """`works[customer]` says whether that customer's card pays; `give_up` what becomes of an unpaid subscription.

    The banks of the customers in `asks_bank` want each payment confirmed. `search_lag`: seconds after which a search
    knows of a change; None: this account has no search.
    """

    def __init__(self, clock: Clock, publish: Callable[[Object], None]) -> None:
        self._clock = clock
        self._publish = publish
        self._counter = itertools.count(1)
        # A restarted stand-in must not give out the ids of the last one: what listens may remember those.
        self.run = secrets.token_hex(5)
        self._acting: int | None = None
        self.url = ""
        self.objects: dict[str, Object] = {}
        self.events: list[Object] = []
        self.works: dict[str, bool] = {}
        self.give_up = "canceled"
        self.asks_bank: set[str] = set()
        self.search_lag: int | None = 60
        # Percent on every invoice and checkout, on top of the prices or inside them.
        self.tax_percent, self.tax_inside = 0, False

    # --- objects and events ------------------------------------------------------------------------------------------

    @property
    def at(self) -> int:
        return self._clock.now() if self._acting is None else self._acting

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{self.run}{next(self._counter):06d}"

    def add(self, thing: Object) -> Object:
        self.objects[thing["id"]] = thing
        return thing

    def get(self, object_id: str, kind: str, param: str = "") -> Object:
        """The object of an id from the path or, with its name, from a parameter, where a deleted one is as none."""
        found = self.objects.get(object_id)
        if found is None or found["object"] != kind or (param and found.get("deleted")):
            words = f"No such {kind}: '{object_id}'"
            raise Refused(words, status=400 if param else 404, code="resource_missing", param=param or "id")
        return found

    def all(self, kind: str) -> Iterator[Object]:
        """Newest first, as Stripe lists."""
        return (thing for thing in reversed(list(self.objects.values())) if thing["object"] == kind)

    def emit(self, kind: str, thing: Object, previous: Object | None = None) -> None:
        event = shapes.event(self.new_id("evt"), self.at, kind, thing, previous)
        self.events.append(event)
        self._publish(event)

    # --- time --------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Acts out, in order, everything that has fallen due; asked in the middle of an act, it leaves it to that."""
        if self._acting is not None:
            return
        for _ in range(10_000):
            moment, act = min(self._due(), key=lambda due: due[0], default=(0, None))
            if act is None:
                return
            self._acting = moment
            try:
                act()
            finally:
                self._acting = None
        raise RuntimeError("the clock was moved too far at once")

    def _due(self) -> Iterator[tuple[int, Callable[[], None]]]:
        now = self._clock.now()
        for thing in list(self.objects.values()):
            for moment, act in self._plans_of(thing):
                if moment <= now:
                    yield moment, act

    def _plans_of(self, thing: Object) -> Iterator[tuple[int, Callable[[], None]]]:
        kind = thing["object"]
        if kind == "checkout.session" and thing["status"] == "open":
            yield thing["expires_at"] + thing["_skew"], lambda: self.expire_session(thing)
        elif (
            kind == "invoice" and thing["status"] == "open" and thing["next_payment_attempt"] and thing["auto_advance"]
        ):
            yield thing["next_payment_attempt"], lambda: self.attempt(thing)
        elif kind == "subscription" and thing["status"] in ("trialing", "active", "past_due", "unpaid"):
            if thing["pending_update"]:
                yield thing["pending_update"]["expires_at"], lambda: self._drop_pending(thing)
            if thing["status"] == "trialing" and not thing.get("_warned"):
                yield max(thing["trial_end"] - 3 * DAY, thing["created"]), lambda: self._trial_will_end(thing)
            if thing["cancel_at"]:
                yield thing["cancel_at"], lambda: self.end(thing, "cancellation_requested")
            yield item_of(thing)["current_period_end"], lambda: self._period_ends(thing)

    def _trial_will_end(self, sub: Object) -> None:
        sub["_warned"] = True
        self.emit("customer.subscription.trial_will_end", sub)

    def _period_ends(self, sub: Object) -> None:
        if sub["cancel_at_period_end"]:
            self.end(sub, "cancellation_requested")
            return
        before = self._before(sub)
        start = item_of(sub)["current_period_end"]
        schedule = self.objects.get(sub["schedule"] or "")
        if schedule:
            coming = [p for p in schedule["phases"] if p["start_date"] >= start]
            if coming:
                self.enter(sub, coming[0])
                schedule["current_phase"] = {name: coming[0][name] for name in ("start_date", "end_date")}
            else:
                self.release(schedule, announce=False)
        for each in sub["items"]["data"]:
            each["current_period_start"], each["current_period_end"] = start, period_end(start, each["price"])
        if sub["status"] == "trialing":
            sub["status"] = "active"
        self.changed(sub, before)
        self.bill(sub, "subscription_cycle")

    def enter(self, sub: Object, phase: Object) -> None:
        """A phase replaces what the subscription has: what it leaves out is gone."""
        items = sub["items"]["data"][: len(phase["items"])]
        for item, wanted in zip(items, phase["items"], strict=True):
            item["price"], item["quantity"] = self.get(wanted["price"], "price"), wanted.get("quantity", 1)
            item["tax_rates"], item["metadata"] = wanted.get("tax_rates", []), wanted.get("metadata", {})
        sub["items"] |= {"data": items, "total_count": len(items)}
        sub["metadata"] |= phase["metadata"]
        sub["discounts"] = [d["discount"] for d in phase["discounts"]]
        sub["default_tax_rates"] = phase.get("default_tax_rates", [])
        sub["default_payment_method"] = phase.get("default_payment_method")
        if sub["status"] == "trialing" and sub["trial_end"] != phase.get("trial_end"):
            sub["trial_end"] = phase.get("trial_end") or self.at
            item_of(sub)["current_period_end"] = sub["trial_end"]

    # --- subscriptions -----------------------------------------------------------------------------------------------

    def subscribe(
        self,
        customer_id: str,
        price: Object,
        quantity: int,
        metadata: Object,
        trial_days: int | None,
        *,
        delayed: bool = False,
    ) -> Object:
        """A subscription, with its first invoice paid or its trial begun: Checkout makes it after the payment.

        `delayed`: by a debit that is on its way, so that it is active, and its invoice open.
        """
        sub = self.add(
            shapes.subscription(self.new_id("sub"), self.new_id("si"), self.at, customer_id, price, quantity, metadata)
        )
        item = item_of(sub)
        item["current_period_end"] = period_end(self.at, price)
        if trial_days:
            end = self.at + trial_days * DAY
            sub |= {"status": "trialing", "trial_start": self.at, "trial_end": end, "billing_cycle_anchor": end}
            item["current_period_end"] = end
        self.emit("customer.subscription.created", sub)
        self.bill(sub, "subscription_create", delayed=delayed)
        return sub

    def add_item(self, sub: Object, price: Object, *, created: int | None = None) -> Object:
        """Another price in the same subscription, billed with it from its next period on."""
        before, first = self._before(sub), item_of(sub)
        made = shapes.subscription_item(self.new_id("si"), created or self.at, sub["id"], price, 1)
        made |= {name: first[name] for name in ("current_period_start", "current_period_end")}
        sub["items"]["data"].append(made)
        sub["items"]["total_count"] += 1
        self.changed(sub, before)
        return made

    def discount(self, sub: Object, duration: str, **coupon: Any) -> Object:
        """A coupon on a subscription (percent_off, or amount_off with its currency), from the next invoice on."""
        before = self._before(sub)
        made = self.add(shapes.coupon(self.new_id("co"), self.at, duration, coupon))
        months = coupon.get("duration_in_months")
        end = self.at + months * 31 * DAY if months else None
        applied = self.add(shapes.discount(self.new_id("di"), self.at, made["id"], sub["id"], end))
        sub["discounts"].append(applied["id"])
        self.changed(sub, before)
        return applied

    def _before(self, sub: Object) -> Object:
        return copy.deepcopy(sub)

    def changed(self, sub: Object, before: Object) -> None:
        previous = {k: v for k, v in before.items() if not k.startswith("_") and sub.get(k) != v}
        if previous:
            self.emit("customer.subscription.updated", sub, previous)

    def modify(self, sub: Object, changes: Object) -> None:
        """Fields that are set as they are: cancel_at_period_end, cancel_at, metadata, pause_collection."""
        if sub["schedule"] and {"cancel_at", "cancel_at_period_end"} & changes.keys():
            raise Refused("The subscription is managed by a subscription schedule: release it first.")
        before = self._before(sub)
        if changes.get("cancel_at_period_end"):
            # In flexible mode the date is set as well; the portal sets the date alone.
            changes = {**changes, "canceled_at": self.at, "cancel_at": item_of(sub)["current_period_end"]}
        elif "cancel_at_period_end" in changes or changes.get("cancel_at") == "":
            changes = {**changes, "cancel_at_period_end": False, "canceled_at": None, "cancel_at": None}
        if "cancellation_details" in changes:
            changes["cancellation_details"] = {
                "comment": None,
                "reason": "cancellation_requested",
                **changes["cancellation_details"],
            }
        if changes.get("pause_collection") == "":
            changes["pause_collection"] = None
        sub |= changes
        self.changed(sub, before)

    def pause(self, sub: Object) -> None:
        before = self._before(sub)
        sub["status"] = "paused"
        self.changed(sub, before)
        self.emit("customer.subscription.paused", sub)

    def resume(self, sub: Object) -> None:
        before, item = self._before(sub), item_of(sub)
        sub["status"] = "active"
        item["current_period_start"], item["current_period_end"] = self.at, period_end(self.at, item["price"])
        self.changed(sub, before)
        self.emit("customer.subscription.resumed", sub)
        self.bill(sub, "subscription_update")

    def end(self, sub: Object, reason: str) -> None:
        details = {**sub["cancellation_details"], "reason": reason}
        sub |= {"status": "canceled", "ended_at": self.at, "cancellation_details": details, "pending_update": None}
        sub["canceled_at"] = sub["canceled_at"] or self.at
        for bill in self._bills_of(sub):
            if bill["status"] == "open":
                bill["auto_advance"] = False  # it stays open and payable, but is collected no more
        self.emit("customer.subscription.deleted", sub)

    def _bills_of(self, sub: Object) -> list[Object]:
        """Newest first."""
        return [b for b in self.all("invoice") if b["parent"]["subscription_details"]["subscription"] == sub["id"]]

    def prorate(
        self, sub: Object, price: Object, quantity: int, moment: int, item_id: str | None = None
    ) -> list[Object]:
        """The lines of a change of price at a moment: credit for what is left, and the new price for it."""
        item = item_of(sub, item_id)
        start, end = item["current_period_start"], item["current_period_end"]
        if sub["status"] == "trialing":
            return []
        left = (end - moment) / max(end - start, 1)
        same = price["recurring"]["interval"] == item["price"]["recurring"]["interval"]
        until = end if same else period_end(moment, price)
        share = left if same else 1.0
        old = -round(item["price"]["unit_amount"] * item["quantity"] * left)
        new = round(price["unit_amount"] * quantity * share)
        return [
            shapes.line(self.new_id("il"), sub, item["price"], old, moment, end, proration=True),
            shapes.line(self.new_id("il"), sub, price, new, moment, until, proration=same),
        ]

    def change_price(
        self, sub: Object, price: Object, quantity: int, moment: int, *, pending: bool, item_id: str | None = None
    ) -> None:
        if sub["schedule"]:
            raise Refused("The subscription is managed by a subscription schedule: release it first.")
        lines = self.prorate(sub, price, quantity, moment, item_id)
        if lines:
            bill = self._open_invoice(sub, "subscription_update", lines)
            if not self._collect(bill) and pending:
                before = self._before(sub)
                sub["pending_update"] = {"expires_at": self.at + PENDING_UPDATE, "subscription_items": []}
                wanted = {"price": price, "quantity": quantity, "moment": moment, "item_id": item_id}
                sub["_pending"] = {**wanted, "invoice": bill["id"]}
                self.changed(sub, before)
                return
            if bill["status"] == "open" and sub["status"] == "active":
                sub["status"] = "past_due"  # told with the new price, by one event
        self._apply_price(sub, price, quantity, moment, item_id)

    def _apply_price(self, sub: Object, price: Object, quantity: int, moment: int, item_id: str | None = None) -> None:
        before = self._before(sub)
        item = item_of(sub, item_id)
        if price["recurring"]["interval"] != item["price"]["recurring"]["interval"] and sub["status"] != "trialing":
            item["current_period_start"], item["current_period_end"] = moment, period_end(moment, price)
        item["price"], item["quantity"] = price, quantity
        sub["pending_update"] = None
        self.changed(sub, before)

    def _drop_pending(self, sub: Object) -> None:
        pending = sub.pop("_pending")
        sub["pending_update"] = None
        bill = self.objects[pending["invoice"]]
        bill |= {"status": "void", "next_payment_attempt": None}
        self.emit("invoice.voided", bill)
        self.emit("customer.subscription.pending_update_expired", sub)

    def release(self, schedule: Object, *, announce: bool = True) -> None:
        sub = self.objects[schedule["subscription"]]
        before = self._before(sub)
        schedule |= {"status": "released", "released_subscription": sub["id"], "subscription": None}
        schedule["released_at"] = self.at
        sub["schedule"] = None
        self.emit("subscription_schedule.released", schedule)
        if announce:
            self.changed(sub, before)

    # --- invoices and payments ---------------------------------------------------------------------------------------

    def bill(self, sub: Object, reason: str, *, delayed: bool = False) -> Object:
        """What a period costs: what lies waiting first, then the lines of the items."""
        lines = sub.pop("_waiting", [])
        for item in reversed(sub["items"]["data"]):
            amount = 0 if sub["status"] == "trialing" else item["price"]["unit_amount"] * item["quantity"]
            period = item["current_period_start"], item["current_period_end"]
            lines.append(
                shapes.line(self.new_id("il"), sub, item["price"], amount, *period, proration=False, item=item)
            )
        bill = self._open_invoice(sub, reason, lines)
        paused = sub["pause_collection"]
        if paused and paused["behavior"] == "void":
            self.void(bill)
        elif paused and paused["behavior"] == "mark_uncollectible":
            self.mark_uncollectible(bill, "subscription_paused")
        elif not delayed and not self._collect(bill):
            before = self._before(sub)
            sub["status"] = "past_due"
            self.changed(sub, before)
        return bill

    def _open_invoice(self, sub: Object, reason: str, lines: list[Object]) -> Object:
        off = self._discount_of(sub, sum(entry["amount"] for entry in lines if entry["discountable"]))
        taxes = self.taxes(sum(entry["amount"] for entry in lines) - off)
        bill = shapes.invoice(self.new_id("in"), self.at, sub, reason, lines, self.url, off=off, taxes=taxes)
        self.add(bill)
        sub["latest_invoice"] = bill["id"]
        self.emit("invoice.created", {**bill, "status": "draft"})
        self.emit("invoice.finalized", bill)
        return bill

    def taxes(self, amount: int) -> tuple[Object, ...]:
        if not self.tax_percent or amount <= 0:
            return ()
        base = 100 + self.tax_percent if self.tax_inside else 100
        return (shapes.tax(round(amount * self.tax_percent / base), amount, inside=self.tax_inside),)

    def discount_customer(self, customer_id: str, duration: str, **coupon: Any) -> Object:
        """A coupon on a customer: it counts for every subscription of theirs that has none of its own."""
        made = self.add(shapes.coupon(self.new_id("co"), self.at, duration, coupon))
        applied = self.add(shapes.discount(self.new_id("di"), self.at, made["id"], None, None))
        self.get(customer_id, "customer")["discount"] = applied
        return applied

    def discounted(self, sub: Object, amount: int) -> tuple[int, list[str]]:
        """What the discounts take from an invoice over an amount, and which of them stay: not those for once."""
        off, kept = 0, []
        of_customer = self.objects.get(sub["customer"], {}).get("discount")
        if of_customer and not sub["discounts"]:
            found = self.objects[of_customer["source"]["coupon"]]
            off = found["amount_off"] or round(amount * found["percent_off"] / 100)
        for name in sub["discounts"]:
            applied = self.objects[name]
            found = self.objects[applied["source"]["coupon"]]
            if applied["end"] is not None and applied["end"] <= self.at:
                continue
            off += found["amount_off"] or round(amount * found["percent_off"] / 100)
            if found["duration"] != "once":
                kept.append(name)
        return min(off, max(amount, 0)), kept

    def _discount_of(self, sub: Object, amount: int) -> int:
        off, kept = self.discounted(sub, amount)
        if amount > 0 and kept != sub["discounts"]:
            before = self._before(sub)
            sub["discounts"] = kept
            self.changed(sub, before)
        return off

    def void(self, bill: Object) -> None:
        if bill["status"] not in ("open", "uncollectible"):
            raise Refused("Only open and uncollectible invoices can be voided.")
        bill |= {"status": "void", "next_payment_attempt": None, "auto_advance": False}
        bill["status_transitions"]["voided_at"] = self.at
        self.emit("invoice.voided", bill)
        self._follow_newest(bill)

    def mark_uncollectible(self, bill: Object, why: str = "user_forgiven") -> None:
        bill |= {"status": "uncollectible", "next_payment_attempt": None, "auto_advance": False}
        bill["status_transitions"]["marked_uncollectible_at"] = self.at
        bill["status_details"] = {"uncollectible": {"reason": why}}
        self.emit("invoice.marked_uncollectible", bill)
        self._follow_newest(bill)

    def _follow_newest(self, bill: Object) -> None:
        """The status follows the newest invoice that is not void: it is active when that one is not open."""
        sub = self.objects[bill["parent"]["subscription_details"]["subscription"]]
        newest = next((b for b in self._bills_of(sub) if b["status"] != "void"), None)
        if sub["status"] in ("active", "past_due"):
            before = self._before(sub)
            sub["status"] = "past_due" if newest and newest["status"] == "open" else "active"
            self.changed(sub, before)

    def attempt(self, bill: Object) -> None:
        """The next try at an open invoice; after the last, Stripe gives the subscription up."""
        sub = self.objects[bill["parent"]["subscription_details"]["subscription"]]
        if self._collect(bill):
            if pending := sub.pop("_pending", None):
                self._apply_price(sub, pending["price"], pending["quantity"], pending["moment"], pending["item_id"])
                self.emit("customer.subscription.pending_update_applied", sub)
            elif sub["status"] in ("past_due", "unpaid"):
                before = self._before(sub)
                newest = next(b for b in self._bills_of(sub) if b["status"] != "void")
                sub["status"] = "past_due" if newest["status"] == "open" else "active"
                self.changed(sub, before)
        elif bill["next_payment_attempt"] is None and "_pending" not in sub:
            if self.give_up == "canceled":
                self.end(sub, "payment_failed")
            else:
                before = self._before(sub)
                sub["status"] = self.give_up
                self.changed(sub, before)

    def collect_open(self, customer_id: str) -> None:
        """The customer gave another card: what is open is tried again at once, if it works."""
        for bill in list(self.all("invoice")):
            collected = bill["status"] == "open" and bill["auto_advance"]
            if bill["customer"] == customer_id and collected and self.works.get(customer_id, True):
                self.attempt(bill)

    def pay_by_hand(self, bill: Object) -> None:
        """The customer pays on the invoice's page, which works as long as it is open or uncollectible."""
        if bill["status"] not in ("open", "uncollectible"):
            raise Refused("This invoice cannot be paid any more.")
        works, self.works[bill["customer"]] = self.works.get(bill["customer"], True), True
        self.attempt(bill)
        self.works[bill["customer"]] = works

    def _collect(self, bill: Object) -> bool:
        """Charges the customer's card for an invoice; True when it is paid."""
        bill["attempt_count"] += 1
        bill["attempted"] = True
        if bill["amount_due"] and bill["customer"] in self.asks_bank:
            self._ask_bank(bill)
            return False
        if bill["amount_due"] and not self.works.get(bill["customer"], True):
            tried = bill["attempt_count"]
            given_up = tried > len(RETRIES)
            bill["next_payment_attempt"] = None if given_up else bill["created"] + RETRIES[tried - 1]
            self.emit("invoice.payment_failed", bill)
            return False
        if bill["amount_due"]:
            intent = self.pay(bill["amount_due"], bill["currency"], bill["customer"], {}, bill["id"])
            payment = shapes.invoice_payment(self.new_id("inpay"), self.at, bill, intent["id"])
            bill["_names"] = {"payment_intent": intent["id"], "charge": intent["latest_charge"]}
            self.emit("invoice_payment.paid", self.add(payment))
        bill |= {"status": "paid", "amount_paid": bill["amount_due"], "amount_remaining": 0}
        bill |= {"next_payment_attempt": None, "auto_advance": False}
        bill["status_transitions"]["paid_at"] = self.at
        self.emit("invoice.paid", bill)
        self.emit("invoice.payment_succeeded", bill)
        return True

    def _ask_bank(self, bill: Object) -> None:
        intent = shapes.payment_intent(
            self.new_id("pi"), self.at, bill["amount_due"], bill["currency"], bill["customer"], {}
        )
        self.add(intent | {"status": "requires_action", "_invoice": bill["id"]})
        payment = shapes.invoice_payment(self.new_id("inpay"), self.at, bill, intent["id"])
        self.add(payment | {"status": "open", "amount_paid": None})
        self.emit("payment_intent.requires_action", self.objects[intent["id"]])
        self.emit("invoice.payment_action_required", bill)

    def confirm(self, bill: Object) -> None:
        """The customer confirms the payment on the invoice's page."""
        asks, self.asks_bank = self.asks_bank, self.asks_bank - {bill["customer"]}
        for payment in self.all("invoice_payment"):
            if payment["invoice"] == bill["id"] and payment["status"] == "open":
                payment["status"] = "canceled"
        self.attempt(bill)
        self.asks_bank = asks

    def forget(self, customer_id: str) -> None:
        """What the deletion of a test clock leaves of a customer on it: nothing, and no event."""
        gone = {customer_id}
        for thing in list(self.objects.values()):
            if gone & {thing.get("customer"), thing.get("invoice"), thing.get("payment_intent")}:
                gone.add(thing["id"])
        self.objects = {name: thing for name, thing in self.objects.items() if name not in gone}

    def pay(
        self, amount: int, currency: str, customer_id: str | None, metadata: Object, invoice_id: str | None = None
    ) -> Object:
        """A payment intent that succeeds, with its charge."""
        intent = self.add(shapes.payment_intent(self.new_id("pi"), self.at, amount, currency, customer_id, metadata))
        txn = self.new_id("txn")
        fee = round(amount * 0.029) + 30
        self.add({"id": txn, "object": "balance_transaction", "amount": amount, "fee": fee, "net": amount - fee})
        charged = self.add(shapes.charge(self.new_id("ch"), self.at, intent, self.url, txn))
        intent |= {"status": "succeeded", "amount_received": amount, "latest_charge": charged["id"]}
        intent["_invoice"] = charged["_invoice"] = invoice_id
        self.emit("charge.succeeded", charged)
        self.emit("payment_intent.succeeded", intent)
        return intent

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

    # --- checkout ----------------------------------------------------------------------------------------------------

    def complete(self, session: Object, *, delayed: bool = False) -> None:
        """The buyer pays (`delayed`: by a method that tells later)."""
        if session["status"] != "open":
            raise Refused("This Checkout Session is no longer open.")
        params, price = session["_params"], self.get(session["_price"], "price")
        if session["customer"] is None:
            made = shapes.customer(self.new_id("cus"), self.at, {})
            session["customer"] = self.add(made)["id"]
        quantity = params["line_items"][0].get("quantity", 1)
        session |= {"status": "complete", "url": None}
        session["payment_status"] = (
            "unpaid" if delayed else "paid" if session["amount_total"] else "no_payment_required"
        )
        if session["mode"] == "subscription":
            data = params.get("subscription_data", {})
            trial = data.get("trial_period_days")
            sub = self.subscribe(session["customer"], price, quantity, data.get("metadata", {}), trial, delayed=delayed)
            session |= {"subscription": sub["id"], "invoice": sub["latest_invoice"]}
        elif session["amount_total"] and not delayed:
            metadata = params.get("payment_intent_data", {}).get("metadata", {})
            intent = self.pay(session["amount_total"], session["currency"], session["customer"], metadata)
            session["payment_intent"] = intent["id"]
        elif delayed:
            metadata = params.get("payment_intent_data", {}).get("metadata", {})
            intent = shapes.payment_intent(
                self.new_id("pi"), self.at, session["amount_total"], session["currency"], session["customer"], metadata
            )
            session["payment_intent"] = self.add(intent | {"status": "processing"})["id"]
            self.emit("payment_intent.processing", intent)
        self.emit("checkout.session.completed", session)

    def settle(self, session: Object, *, paid: bool) -> None:
        """How a delayed payment ends. That of a subscription's first invoice voids it when it fails, and leaves the
        subscription active."""
        if session["mode"] == "subscription":
            bill = self.get(session["invoice"], "invoice")
            if paid:
                self._collect(bill)
                session["payment_status"] = "paid"
                self.emit("checkout.session.async_payment_succeeded", session)
            else:
                self.void(bill)
                self.emit("checkout.session.async_payment_failed", session)
            return
        intent = self.get(session["payment_intent"], "payment_intent")
        if paid:
            charged = shapes.charge(self.new_id("ch"), self.at, intent, self.url, self.new_id("txn"))
            intent |= {"status": "succeeded", "amount_received": intent["amount"]}
            intent["latest_charge"] = self.add(charged)["id"]
            session["payment_status"] = "paid"
            self.emit("charge.succeeded", charged)
            self.emit("payment_intent.succeeded", intent)
            self.emit("checkout.session.async_payment_succeeded", session)
        else:
            intent |= {"status": "requires_payment_method"}
            self.emit("payment_intent.payment_failed", intent)
            self.emit("checkout.session.async_payment_failed", session)

    def expire_session(self, session: Object) -> None:
        if session["status"] != "open":
            raise Refused("Only Checkout Sessions with a status in ['open'] can be expired.")
        session |= {"status": "expired", "url": None}
        self.emit("checkout.session.expired", session)


def item_of(sub: Object, item_id: str | None = None) -> Object:
    """An item by its id, or the first one."""
    found: Object = next(item for item in sub["items"]["data"] if item_id in (None, item["id"]))
    return found


def period_end(start: int, price: Object) -> int:
    """The same day of the next month or year; the last day where that month is shorter."""
    moment = datetime.fromtimestamp(start, UTC)
    months = 12 if price["recurring"]["interval"] == "year" else 1
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    for day in range(moment.day, moment.day - 4, -1):
        try:
            return int(moment.replace(year=year, month=month + 1, day=day).timestamp())
        except ValueError:
            continue
    raise AssertionError("no month is shorter than 28 days")
