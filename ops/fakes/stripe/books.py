"""Stripe's behaviour over time: checkouts, and everything that becomes due as the clock moves.

Objects are in the API's format, by id; every change appends an event. `at` is the time of the action being performed,
so that a renewal has the right second even if the clock was moved by a month.
"""

from collections.abc import Callable, Iterator

from fakes.stripe import shapes
from fakes.stripe.payments import DAY, Object, Refused
from fakes.stripe.subscriptions import Subscriptions, item_of, period_end


class Books(Subscriptions):
    # --- time --------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Performs in order everything that is due. Does nothing if called while an action is performed."""
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
        for obj in list(self.objects.values()):
            for moment, act in self._plans_of(obj):
                if moment <= now:
                    yield moment, act

    def _plans_of(self, obj: Object) -> Iterator[tuple[int, Callable[[], None]]]:
        kind = obj["object"]
        if kind == "checkout.session" and obj["status"] == "open":
            yield obj["expires_at"] + obj["_skew"], lambda: self.expire_session(obj)
        elif kind == "invoice" and obj["status"] == "open" and obj["next_payment_attempt"] and obj["auto_advance"]:
            yield obj["next_payment_attempt"], lambda: self.attempt(obj)
        elif kind == "subscription" and obj["status"] in ("trialing", "active", "past_due", "unpaid"):
            if obj["pending_update"]:
                yield obj["pending_update"]["expires_at"], lambda: self._drop_pending(obj)
            if obj["status"] == "trialing" and not obj.get("_warned"):
                yield max(obj["trial_end"] - 3 * DAY, obj["created"]), lambda: self._trial_will_end(obj)
            if obj["cancel_at"]:
                yield obj["cancel_at"], lambda: self.end(obj, "cancellation_requested")
            yield item_of(obj)["current_period_end"], lambda: self._period_ends(obj)

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
        """Applies a schedule's phase to the subscription; settings that the phase leaves out are removed."""
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

    # --- checkout ----------------------------------------------------------------------------------------------------

    def complete(self, session: Object, *, delayed: bool = False) -> None:
        """The buyer pays (`delayed`: by a method that is confirmed later)."""
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
        """A delayed payment succeeds or fails. If that of a subscription's first invoice fails, the invoice is voided
        and the subscription stays active."""
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
