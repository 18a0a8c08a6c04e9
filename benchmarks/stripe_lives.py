"""Simulates buyers at Stripe's stand-in, next to another product in the same account, and sums up what was charged."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.books import Books
from billing.providers.interface import Order
from billing.providers.stripe.client import connect
from billing.rules.plans import Plan
from billing.settings import Settings
from fakes.stripe import shapes
from fakes.stripe.app import StripeApp
from fakes.stripe.payments import Object

_TAX_PERCENT = 19
# Values of another product in fields that we read.
ODD: tuple[Object, ...] = (
    {"client_reference_id": "order #12"},
    {"metadata": {"user_id": "42"}},
    {"metadata": "none"},
    {"amount_total": "7.00"},
    {"amount_total": 10**30},
    {"id": None},
    {"currency": "USDC"},
    {"expires_at": True},
)


class StripeLives:
    """`plans`: the plan that is bought, and the one to upgrade to."""

    def __init__(self, app: StripeApp, plans: tuple[Plan, Plan]) -> None:
        self._app, self._books, self._plans = app, app.books, plans
        settings = {"STAGE": "local", "LIVEMODE": "false", "STRIPE_SECRET_KEY": "sk_test_load"}
        self._client = connect(Settings({**settings, "STRIPE_API_BASE": app.url}))
        ours = self._price(plans[0])
        self._foreign = self._books.add({**ours, "id": self._books.new_id("price"), "lookup_key": None, "metadata": {}})

    def live(self, user_id: str, fate: str) -> None:
        """Simulates one buyer, from the order on."""
        self._books.tax_percent = _TAX_PERCENT if fate == "tax" else 0
        session = self._books.objects[self._client.create_checkout(self._order(user_id)).session_id]
        self._books.complete(session, delayed=fate.startswith("debit"))
        sub = self._books.objects[session["subscription"]]
        self._fates[fate](self, session, sub)
        self._books.tax_percent = 0

    def another_product(self, odd: Object) -> None:
        """A sale of another product in the account, and an event of it with the odd values `odd`."""
        books = self._books
        buyer = self._app.call("POST", "/v1/customers", {"metadata[crm]": "17"})["id"]
        sub = books.subscribe(buyer, self._foreign, 1, {"team": "7"}, None)
        books.warn_of_fraud(_intent(books.objects, sub))
        once = books.pay(700, "usd", buyer, {"order": "A-1"})["id"]
        books.fail_refund(books.refund(once, None, None, {})["id"])
        books.open_dispute(once)
        made = shapes.session("cs_test_other", books.at, {"mode": "payment", "metadata": {}}, "", 700, "usd")
        books.emit("checkout.session.completed", {**made, "status": "complete", "payment_status": "paid", **odd})

    def reported(self, users: set[str]) -> Books:
        """What Stripe charged, refunded and bills per month for our plans, without tax."""
        books: Books = Books()
        owner = {
            s["id"]: s["metadata"]["user_id"]
            for s in self._books.all("subscription")
            if s["metadata"].get("user_id") in users
        }
        begun = set()
        for bill in self._books.all("invoice"):
            sub = bill["parent"]["subscription_details"]["subscription"]
            if sub in owner and bill["status"] == "paid":
                begun.add(sub)
                tax = sum(t["amount"] for t in bill["total_taxes"])
                books["charged", owner[sub], bill["id"]] += bill["amount_paid"] - tax
        for what, kind, void in (("refunded", "refund", "failed"), ("charged back", "dispute", "won")):
            for obj in self._books.all(kind):
                bill = self._books.objects.get(self._books.objects[obj["charge"]]["_invoice"] or "")
                sub = bill and bill["parent"]["subscription_details"]["subscription"]
                if sub in owner and obj["status"] != void:
                    books[what, owner[sub], bill["id"]] += obj["amount"]
        for sub in self._books.all("subscription"):
            if sub["id"] in begun and sub["status"] in ("active", "past_due"):
                books["per month", owner[sub["id"]], ""] += self._per_month(sub)
        return books

    def _per_month(self, sub: Object) -> int:
        """Cents per month of our items; all plans here are monthly."""
        ours = {self._price(plan)["id"] for plan in self._plans}
        prices = [(i["price"], i["quantity"]) for i in sub["items"]["data"] if i["price"]["id"] in ours]
        amount = sum(price["unit_amount"] * quantity for price, quantity in prices)
        return amount - int(self._books.discounted(sub, amount)[0])

    def _price(self, plan: Plan) -> Object:
        price: Object = self._books.objects[plan.provider_plan_ids["stripe"]]
        return price

    def _order(self, user_id: str) -> Order:
        plan = self._plans[0]
        return Order(
            checkout_id=f"chk_{user_id}",
            user_id=user_id,
            plan=plan,
            amount_cents=plan.price_cents,
            currency=plan.currency,
            success_url="http://127.0.0.1/",
            cancel_url="http://127.0.0.1/",
            expires_at=self._books.at + 3600,
        )

    # --- what may happen ---------------------------------------------------------------------------------------------

    def _upgrade(self, _session: Object, sub: Object) -> None:
        self._books.change_price(sub, self._price(self._plans[1]), 1, self._books.at, pending=False)

    def _upgrade_disputed(self, session: Object, sub: Object) -> None:
        self._upgrade(session, sub)
        self._books.open_dispute(_intent(self._books.objects, sub))

    def _upgrade_dispute_won(self, session: Object, sub: Object) -> None:
        self._upgrade(session, sub)
        self._books.move_dispute(self._books.open_dispute(_intent(self._books.objects, sub))["id"], "won")

    def _refund(self, _session: Object, sub: Object) -> None:
        self._books.refund(_intent(self._books.objects, sub), 300, None, {})

    def _cancel(self, _session: Object, sub: Object) -> None:
        self._books.end(sub, "cancellation_requested")

    _fates: Mapping[str, Callable[["StripeLives", Object, Object], Any]] = {
        "debit paid": lambda self, session, sub: self._books.settle(session, paid=True),
        "debit failed": lambda self, session, sub: self._books.settle(session, paid=False),
        "upgrade disputed": _upgrade_disputed,
        "coupon": lambda self, session, sub: self._books.discount(sub, "forever", percent_off=20),
        "tax": lambda self, session, sub: None,
        "another item": lambda self, session, sub: self._books.add_item(sub, self._foreign),
        "debit on its way": lambda self, session, sub: None,
        "upgrade": _upgrade,
        "upgrade, dispute won": _upgrade_dispute_won,
        "stay": lambda self, session, sub: None,
        "refund": _refund,
        "cancel": _cancel,
    }
    FATES = tuple(_fates)


def _intent(objects: Mapping[str, Object], sub: Object) -> str:
    name: str = objects[sub["latest_invoice"]]["_names"]["payment_intent"]
    return name
