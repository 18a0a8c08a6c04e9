"""Stripe's behaviour for subscriptions and their invoices: prorations, discounts, dunning, pauses."""

from datetime import UTC, datetime
from typing import Any

from fakes.stripe import shapes
from fakes.stripe.payments import DAY, Object, Payments, Refused

# Seconds after the invoice's creation at which Stripe retries a failed payment; after the last retry it gives up.
RETRIES = (3 * DAY, 5 * DAY, 7 * DAY)
PENDING_UPDATE = 23 * 3600


class Subscriptions(Payments):
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
        """A subscription created by Checkout, with its first invoice paid or its trial started.

        `delayed`: paid by a pending debit; the subscription is active and its invoice open.
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
        """Adds a price to the subscription, billed from the next period on."""
        before, first = self._before(sub), item_of(sub)
        made = shapes.subscription_item(self.new_id("si"), created or self.at, sub["id"], price, 1)
        made |= {name: first[name] for name in ("current_period_start", "current_period_end")}
        sub["items"]["data"].append(made)
        sub["items"]["total_count"] += 1
        self.changed(sub, before)
        return made

    def discount(self, sub: Object, duration: str, **coupon: Any) -> Object:
        """Adds a coupon (percent_off, or amount_off with its currency) to a subscription, from the next invoice on."""
        before = self._before(sub)
        made = self.add(shapes.coupon(self.new_id("co"), self.at, duration, coupon))
        months = coupon.get("duration_in_months")
        end = self.at + months * 31 * DAY if months else None
        applied = self.add(shapes.discount(self.new_id("di"), self.at, made["id"], sub["customer"], sub["id"], end))
        sub["discounts"].append(applied["id"])
        self.emit("customer.discount.created", applied)
        self.changed(sub, before)
        return applied

    def _before(self, sub: Object) -> Object:
        before: Object = shapes.copied(sub)
        return before

    def changed(self, sub: Object, before: Object) -> None:
        previous = {k: v for k, v in before.items() if not k.startswith("_") and sub.get(k) != v}
        if previous:
            self.emit("customer.subscription.updated", sub, previous)

    def modify(self, sub: Object, changes: Object) -> None:
        """Sets fields such as cancel_at_period_end, cancel_at, metadata or pause_collection, and emits the change."""
        if sub["schedule"] and {"cancel_at", "cancel_at_period_end"} & changes.keys():
            raise Refused("The subscription is managed by a subscription schedule: release it first.")
        before = self._before(sub)
        if changes.get("cancel_at_period_end"):
            # In flexible mode the date is set as well; the portal sets only the date.
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
                bill["auto_advance"] = False  # it stays open and payable, but is no longer collected
        self.emit("customer.subscription.deleted", sub)

    def _bills_of(self, sub: Object) -> list[Object]:
        """The subscription's invoices, newest first."""
        return [b for b in self.all("invoice") if b["parent"]["subscription_details"]["subscription"] == sub["id"]]

    def prorate(
        self, sub: Object, price: Object, quantity: int, moment: int, item_id: str | None = None
    ) -> list[Object]:
        """The invoice lines for a change of price at `moment`: a credit for the unused time, and its new price."""
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
        if "_pending" in sub:
            self._drop_pending(sub)  # another change replaces it
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
                sub["status"] = "past_due"  # emitted together with the new price, in one event
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
        """Creates and collects the invoice of a period: pending lines first, then the lines of the items."""
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

    def discount_customer(self, customer_id: str, duration: str, **coupon: Any) -> Object:
        """Adds a coupon to a customer; it applies to their subscriptions without a discount of their own."""
        made = self.add(shapes.coupon(self.new_id("co"), self.at, duration, coupon))
        applied = self.add(shapes.discount(self.new_id("di"), self.at, made["id"], customer_id, None, None))
        self.get(customer_id, "customer")["discount"] = applied
        self.emit("customer.discount.created", applied)
        return applied

    def end_discount(self, customer_id: str) -> None:
        """Removes the customer's discount."""
        customer = self.get(customer_id, "customer")
        gone, customer["discount"] = customer["discount"], None
        self.emit("customer.discount.deleted", gone)

    def discounted(self, sub: Object, amount: int) -> tuple[int, list[str]]:
        """The discount on an amount, and the discounts that remain afterwards: all but expired and one-time ones."""
        off, lasting = 0, []
        of_customer = self.objects.get(sub["customer"], {}).get("discount")
        if of_customer and not sub["discounts"]:
            coupon = self.objects[of_customer["source"]["coupon"]]
            off = coupon["amount_off"] or round(amount * coupon["percent_off"] / 100)
        for name in sub["discounts"]:
            applied = self.objects[name]
            coupon = self.objects[applied["source"]["coupon"]]
            if applied["end"] is not None and applied["end"] <= self.at:
                continue
            off += coupon["amount_off"] or round(amount * coupon["percent_off"] / 100)
            if coupon["duration"] != "once":
                lasting.append(name)
        return min(off, max(amount, 0)), lasting

    def _discount_of(self, sub: Object, amount: int) -> int:
        off, lasting = self.discounted(sub, amount)
        if amount > 0 and lasting != sub["discounts"]:
            before = self._before(sub)
            sub["discounts"] = lasting
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
        """Sets the subscription's status by its newest invoice that is not void: past_due if open, else active."""
        sub = self.objects[bill["parent"]["subscription_details"]["subscription"]]
        newest = next((b for b in self._bills_of(sub) if b["status"] != "void"), None)
        if sub["status"] in ("active", "past_due"):
            before = self._before(sub)
            sub["status"] = "past_due" if newest and newest["status"] == "open" else "active"
            self.changed(sub, before)

    def attempt(self, bill: Object) -> None:
        """Tries to collect an open invoice; after the last failed try Stripe gives up the subscription."""
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
        """Collects the customer's open invoices at once if the card works, as after a change of card."""
        for bill in list(self.all("invoice")):
            collected = bill["status"] == "open" and bill["auto_advance"]
            if bill["customer"] == customer_id and collected and self.works.get(customer_id, True):
                self.attempt(bill)

    def pay_by_hand(self, bill: Object) -> None:
        """The customer pays on the invoice's page. Raises `Refused` unless it is open or uncollectible."""
        if bill["status"] not in ("open", "uncollectible"):
            raise Refused("This invoice cannot be paid any more.")
        works, self.works[bill["customer"]] = self.works.get(bill["customer"], True), True
        self.attempt(bill)
        self.works[bill["customer"]] = works

    def _collect(self, bill: Object) -> bool:
        """Charges the customer's card for an invoice; returns whether it is paid."""
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


def item_of(sub: Object, item_id: str | None = None) -> Object:
    """An item by its id, or the first one."""
    item: Object = next(each for each in sub["items"]["data"] if item_id in (None, each["id"]))
    return item


def period_end(start: int, price: Object) -> int:
    """The same day of the next month or year, or the last day of a shorter month."""
    moment = datetime.fromtimestamp(start, UTC)
    months = 12 if price["recurring"]["interval"] == "year" else 1
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    for day in range(moment.day, moment.day - 4, -1):
        try:
            return int(moment.replace(year=year, month=month + 1, day=day).timestamp())
        except ValueError:
            continue
    raise AssertionError("no month is shorter than 28 days")
