"""Writes `events/stripe/`: one event of every type that this service handles, in both payload versions.

`python -m fakes.stripe.corpus ../events/stripe` (in `ops/`). Ids and times are fixed, so the files are reproducible.
`<type>.endive.json` is what an endpoint of 2026-10-28.endive receives, `<type>.prebasil.json` what one of 2024-06-20
receives. Of several events of a type the last is written; of completed checkouts the first, a subscription's.
"""

import json
import sys
from pathlib import Path
from typing import Any

from fakes.base import Clock
from fakes.stripe import shapes
from fakes.stripe.app import StripeApp
from fakes.stripe.payments import DAY, Object
from fakes.stripe.subscriptions import item_of

START = 1_794_000_000
VERSIONS = {"endive": shapes.API_VERSION, "prebasil": shapes.OLD_VERSION}


def story() -> list[Object]:
    """The events of a buyer who subscribes, changes, fails to pay, pays, buys once, is refunded and disputes."""
    app = StripeApp(Clock(lambda: float(START)))
    app.books.run, app.url = "", "https://standin.example"
    shop = _Shop(app)
    sub = shop.subscribe("plus_month", "chk_corpus1", trial_days=7)
    app.advance(8 * DAY)
    shop.change(sub, "pro_month")
    _lifecycle(app, sub)
    _failing_payments(shop, sub)
    _one_time(shop)
    discount = app.books.discount_customer(sub["customer"], "forever", percent_off=25)
    app.books.emit("customer.discount.updated", discount)
    app.books.end_discount(sub["customer"])
    app.books.emit("customer.updated", app.books.get(sub["customer"], "customer"))
    app.call("DELETE", f"/v1/customers/{sub['customer']}")
    app.books.emit("charge.updated", next(app.books.all("charge")), {"balance_transaction": None})
    return app.books.events


class _Shop:
    def __init__(self, app: StripeApp) -> None:
        self.app, self.books = app, app.books
        self.books.tick()
        for plan_id, amount in (("plus_month", 900), ("pro_month", 1900), ("tax_pass", 4900)):
            recurring = None if plan_id == "tax_pass" else {"interval": "month", "interval_count": 1}
            self.books.add({"id": f"prod_{plan_id}", "object": "product", "name": plan_id})
            price = {"id": f"price_{plan_id}", "object": "price", "active": True, "currency": "usd"}
            price |= {"product": f"prod_{plan_id}", "unit_amount": amount, "recurring": recurring}
            self.books.add(price | {"type": "recurring" if recurring else "one_time", "lookup_key": None})
        self.customer = self.app.call("POST", "/v1/customers", {"metadata[user_id]": "usr_corpus"})["id"]

    def open(self, plan_id: str, checkout_id: str, trial_days: int = 0) -> Object:
        mode = "payment" if plan_id == "tax_pass" else "subscription"
        inner = "payment_intent_data" if mode == "payment" else "subscription_data"
        ours = {"user_id": "usr_corpus", "plan_id": plan_id, "plan_version": "1", "checkout_id": checkout_id}
        form = {"mode": mode, "customer": self.customer, "line_items[0][price]": f"price_{plan_id}"}
        form |= {"line_items[0][quantity]": "1", "client_reference_id": "usr_corpus"}
        form |= {f"metadata[{k}]": v for k, v in ours.items()}
        form |= {f"{inner}[metadata][{k}]": v for k, v in ours.items()}
        if trial_days:
            form["subscription_data[trial_period_days]"] = str(trial_days)
        made = self.app.call("POST", "/v1/checkout/sessions", form)
        return self.books.objects[made["id"]]

    def subscribe(self, plan_id: str, checkout_id: str, trial_days: int = 0) -> Object:
        session = self.open(plan_id, checkout_id, trial_days)
        self.books.complete(session)
        return self.books.objects[session["subscription"]]

    def change(self, sub: Object, plan_id: str) -> None:
        price = self.books.get(f"price_{plan_id}", "price")
        self.books.change_price(sub, price, 1, self.books.at, pending=True)


def _lifecycle(app: StripeApp, sub: Object) -> None:
    books = app.books
    schedule = app.call("POST", "/v1/subscription_schedules", {"from_subscription": sub["id"]})
    phases = {"phases[0][items][0][price]": "price_pro_month", "phases[1][items][0][price]": "price_plus_month"}
    end = item_of(sub)["current_period_end"]
    phases |= {"phases[0][start_date]": str(end - 30 * DAY), "phases[0][end_date]": str(end)}
    app.call("POST", f"/v1/subscription_schedules/{schedule['id']}", phases)
    app.call("POST", f"/v1/subscription_schedules/{schedule['id']}/release")
    for kind, status in (("canceled", "canceled"), ("completed", "completed")):
        books.emit(f"subscription_schedule.{kind}", books.objects[schedule["id"]] | {"status": status})
    books.pause(sub)
    books.resume(sub)


def _failing_payments(shop: _Shop, sub: Object) -> None:
    """An upgrade that lapses unpaid, one that is paid late, and a renewal that fails until the subscription ends."""
    app, books = shop.app, shop.books
    shop.change(sub, "plus_month")
    for in_time in (False, True):
        books.works[shop.customer] = False
        shop.change(sub, "pro_month")
        books.works[shop.customer] = in_time
        if in_time:
            books.attempt(books.objects[sub["latest_invoice"]])
        app.advance(DAY)
    books.works[shop.customer] = False
    app.advance(40 * DAY)
    bill = books.objects[sub["latest_invoice"]]
    error: Object = {"code": "customer_tax_location_invalid", "message": None, "type": "invalid_request_error"}
    for kind, change in (
        ("payment_action_required", {"status": "open"}),
        ("payment_attempt_required", {"status": "open"}),
        ("finalization_failed", {"status": "draft", "last_finalization_error": error}),
        ("marked_uncollectible", {"status": "uncollectible"}),
        ("voided", {"status": "void"}),
        ("updated", {}),
        ("sent", {}),
        ("overdue", {}),
        ("upcoming", {"status": "draft"}),
    ):
        books.emit(f"invoice.{kind}", {**bill, **change})
    open_intent: Object = shapes.payment_intent(books.new_id("pi"), books.at, 1900, "usd", shop.customer, {})
    declined = {"code": "card_declined", "decline_code": "insufficient_funds", "type": "card_error"}
    books.emit("payment_intent.requires_action", {**open_intent, "status": "requires_action"})
    books.emit("payment_intent.payment_failed", {**open_intent, "last_payment_error": declined})
    books.emit("payment_intent.canceled", {**open_intent, "status": "canceled", "canceled_at": books.at})
    failed = shapes.charge(books.new_id("ch"), books.at, open_intent, books.url, books.new_id("txn"))
    books.emit("charge.failed", {**failed, "status": "failed", "paid": False, "failure_code": "card_declined"})
    if sub["status"] != "canceled":
        books.end(sub, "payment_failed")


def _one_time(shop: _Shop) -> None:
    app, books = shop.app, shop.books
    books.works[shop.customer] = True
    books.expire_session(shop.open("tax_pass", "chk_corpus2"))
    for number, paid in ((3, False), (4, True)):
        delayed = shop.open("tax_pass", f"chk_corpus{number}")
        books.complete(delayed, delayed=True)
        books.settle(delayed, paid=paid)
    session = shop.open("tax_pass", "chk_corpus5")
    books.complete(session)
    intent = session["payment_intent"]
    first = books.refund(intent, 1000, "requested_by_customer", {})
    books.emit("refund.updated", first)
    books.emit("charge.refund.updated", first)
    books.fail_refund(first["id"])
    inquiry = books.open_dispute(intent, inquiry=True)
    books.move_dispute(inquiry["id"], "warning_under_review")
    for outcome in ("won", "lost"):
        dispute = books.open_dispute(intent)
        books.move_dispute(dispute["id"], "under_review")
        books.move_dispute(dispute["id"], outcome)
    books.emit("radar.early_fraud_warning.updated", books.warn_of_fraud(intent) | {"actionable": False})
    app.advance(1)


def files() -> dict[str, str]:
    """The contents, by file name."""
    contents: dict[str, str] = {}
    for event in story():
        for shape, version in VERSIONS.items():
            name = f"{event['type']}.{shape}.json"
            stays = event["type"] == "checkout.session.completed" and name in contents
            newer_than_shape = shape == "prebasil" and event["type"].startswith("invoice_payment.")
            if not stays and not newer_than_shape:
                seen: Any = shapes.in_version(event, version)
                contents[name] = json.dumps(seen, indent=2) + "\n"
    return contents


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text)
    print(f"{len(files())} files in {folder}")


if __name__ == "__main__":
    main()
