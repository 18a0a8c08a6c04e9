"""The stand-in's pages for buyers (checkout, portal, invoice), and a desk from which to act as bank and clock."""

from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from typing import Any

from billing.rules.money import exponent
from fakes.base import Answer, Clock, Request, redirect
from fakes.pages import actions, button, facts_list, page
from fakes.stripe.books import Books
from fakes.stripe.payments import DAY, Object, Refused
from fakes.stripe.subscriptions import item_of


def money(amount: int, currency: str) -> str:
    digits = exponent(currency.upper())
    return f"{amount / 10**digits:,.{digits}f} {currency.upper()}"


class Pages:
    """`advance(seconds)` moves the clock; `route` registers a page."""

    def __init__(
        self,
        books: Books,
        clock: Clock,
        advance: Callable[[int], None],
        route: Callable[[str, str, Callable[[Request], Answer]], None],
    ) -> None:
        self._books = books
        self._clock = clock
        self._advance = advance
        for method, path, handler in (
            ("GET", "/", self._desk),
            ("POST", "/desk", self._act),
            ("GET", "/c/pay/{id}", self._checkout),
            ("POST", "/c/pay/{id}", self._pay),
            ("GET", "/p/session/{id}", self._portal),
            ("POST", "/p/session/{id}", self._manage),
            ("GET", "/invoices/{id}", self._invoice),
            ("GET", "/receipts/{id}", self._receipt),
        ):
            route(method, path, self._guarded(handler))

    @staticmethod
    def _guarded(handler: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
        def guarded(request: Request) -> Answer:
            try:
                return handler(request)
            except Refused as refused:
                return page("That did not work", f"<p>{escape(str(refused))}</p>", provider="Stripe", status=400)

        return guarded

    # --- checkout ----------------------------------------------------------------------------------------------------

    def _checkout(self, request: Request, note: str = "") -> Answer:
        session = self._books.get(request.params["id"], "checkout.session")
        if session["status"] != "open":
            return page("This checkout has ended", f"<p>It is {session['status']}.</p>", provider="Stripe", status=410)
        price = self._books.objects[session["_price"]]
        product = self._books.objects[price["product"]]
        rows = {"Plan": product["name"], "Price": self._price(price), "Due now": self._due(session)}
        here = f"/c/pay/{session['id']}"
        buttons = [
            button(here, "Pay by card", primary=True, fields={"with": "card"}),
            button(here, "Pay with a card that is declined", fields={"with": "declined"}),
        ]
        if session["amount_total"]:
            buttons.append(button(here, "Pay by bank debit (settles later)", fields={"with": "debit"}))
        back = f'<p><a href="{escape(session["cancel_url"] or "/")}">Go back without paying</a></p>'
        body = (f'<p role="alert" class="status">{escape(note)}</p>' if note else "") + facts_list(rows)
        return page(f"Pay for {product['name']}", body + actions(buttons) + back, provider="Stripe")

    def _due(self, session: Object) -> str:
        trial = session["_params"].get("subscription_data", {}).get("trial_period_days")
        return f"nothing: {trial} days of trial" if trial else money(session["amount_total"], session["currency"])

    @staticmethod
    def _price(price: Object) -> str:
        every = f" per {price['recurring']['interval']}" if price["recurring"] else ", once"
        return money(price["unit_amount"], price["currency"]) + every

    def _pay(self, request: Request) -> Answer:
        session = self._books.get(request.params["id"], "checkout.session")
        how = request.form.get("with")
        if how == "declined":
            return self._checkout(request, "Your card was declined. Try another one.")
        self._books.complete(session, delayed=how == "debit")
        return redirect((session["success_url"] or "/").replace("{CHECKOUT_SESSION_ID}", session["id"]))

    # --- portal, invoice, receipt ------------------------------------------------------------------------------------

    def _portal(self, request: Request) -> Answer:
        portal = self._books.get(request.params["id"], "billing_portal.session")
        here, body = f"/p/session/{portal['id']}", ""
        for sub in self._books.all("subscription"):
            if sub["customer"] != portal["customer"] or sub["status"] == "canceled":
                continue
            product = self._books.objects[item_of(sub)["price"]["product"]]
            fields = {"subscription": sub["id"]}
            ending = sub["cancel_at"] or sub["cancel_at_period_end"]
            action = {"do": "resume", **fields} if ending else {"do": "cancel", **fields}
            body += f"<h2>{escape(product['name'])}</h2>" + facts_list({"Status": sub["status"]})
            body += actions([button(here, "Keep it" if ending else "Cancel at the period's end", fields=action)])
        body += "<h2>Payment method</h2>" + actions(
            [
                button(here, "Use a card that works", fields={"do": "card", "works": "yes"}),
                button(here, "Use a card that fails", fields={"do": "card", "works": ""}),
            ]
        )
        back = f'<p><a href="{escape(portal["return_url"])}">Return</a></p>'
        return page("Manage your billing", body + back, provider="Stripe")

    def _manage(self, request: Request) -> Answer:
        portal, form = self._books.get(request.params["id"], "billing_portal.session"), request.form
        if form["do"] == "card":
            self._books.works[portal["customer"]] = bool(form["works"])
            self._books.collect_open(portal["customer"])
        else:
            sub = self._books.get(form["subscription"], "subscription")
            # In flexible mode Stripe's portal sets the date, not the flag.
            end = item_of(sub)["current_period_end"]
            self._books.modify(sub, {"cancel_at": end if form["do"] == "cancel" else ""})
        return redirect(f"/p/session/{portal['id']}")

    def _invoice(self, request: Request) -> Answer:
        bill = self._books.get(request.params["id"], "invoice")
        rows = {"Status": bill["status"], "Total": money(bill["total"], bill["currency"]), "Number": bill["id"]}
        return page("Invoice", facts_list(rows), provider="Stripe")

    def _receipt(self, request: Request) -> Answer:
        charged = self._books.get(request.params["id"], "charge")
        rows = {"Paid": money(charged["amount"], charged["currency"]), "Number": charged["id"]}
        return page("Receipt", facts_list(rows), provider="Stripe")

    # --- the desk ----------------------------------------------------------------------------------------------------

    def _desk(self, _: Request) -> Answer:
        """Lists everything, with buttons for what time, the bank or the dashboard would do at the real Stripe."""
        spans = {"a day": 1, "a week": 7, "a month": 31, "a year": 366}
        body = f"<h2>It is {datetime.fromtimestamp(self._clock.now(), UTC):%d %B %Y, %H:%M} UTC</h2>" + actions(
            [button("/desk", f"Let {k} pass", fields={"do": "advance", "days": str(v)}) for k, v in spans.items()]
        )
        for sub in self._books.all("subscription"):
            body += self._subscription(sub)
        for intent in self._books.all("payment_intent"):
            body += self._payment(intent)
        return page("Stripe’s desk", body, provider="Stripe")

    def _subscription(self, sub: Object) -> str:
        works = self._books.works.get(sub["customer"], True)
        product = self._books.objects[item_of(sub)["price"]["product"]]
        rows = {"Status": sub["status"], "Customer": sub["customer"], "Card": "works" if works else "fails"}
        id_ = {"id": sub["id"]}
        acts = []
        if sub["status"] != "canceled":
            acts = [
                button("/desk", "Card fails" if works else "Card works", fields={"do": "card", **id_}),
                button("/desk", "Cancel now", fields={"do": "cancel", **id_}),
            ]
        for session in self._books.all("checkout.session"):
            if session["subscription"] == sub["id"] and session["payment_status"] == "unpaid":
                acts += self._debit(session["id"])
        return f"<h2>{escape(product['name'])}</h2>" + facts_list({"Id": sub["id"], **rows}) + actions(acts)

    @staticmethod
    def _debit(object_id: str) -> list[str]:
        return [
            button("/desk", "The debit succeeds", fields={"do": "settle", "paid": "yes", "id": object_id}),
            button("/desk", "The debit fails", fields={"do": "settle", "paid": "", "id": object_id}),
        ]

    def _payment(self, intent: Object) -> str:
        id_ = {"id": intent["id"]}
        rows = {"Amount": money(intent["amount"], intent["currency"]), "Status": intent["status"]}
        acts: list[str] = []
        if intent["status"] == "processing":
            acts = self._debit(intent["id"])
        elif intent["status"] == "succeeded":
            acts = [
                button("/desk", "Refund", fields={"do": "refund", **id_}),
                button("/desk", "Dispute", fields={"do": "dispute", **id_}),
                button("/desk", "Warn of fraud", fields={"do": "warn", **id_}),
            ]
        for dispute in self._books.all("dispute"):
            if dispute["payment_intent"] == intent["id"] and dispute["status"] == "needs_response":
                acts += [
                    button("/desk", f"Dispute {word}", fields={"do": "close", "as": word, "id": dispute["id"]})
                    for word in ("won", "lost")
                ]
        return f"<h2>Payment {escape(intent['id'])}</h2>" + facts_list(rows) + actions(acts)

    def _act(self, request: Request) -> Answer:
        form, books = request.form, self._books
        obj: Any = books.objects.get(form.get("id", ""))
        if form["do"] == "advance":
            self._advance(int(form["days"]) * DAY)
        elif form["do"] == "card":
            books.works[obj["customer"]] = not books.works.get(obj["customer"], True)
            books.collect_open(obj["customer"])
        elif form["do"] == "cancel":
            books.end(obj, "cancellation_requested")
        elif form["do"] == "settle":
            session = next(s for s in books.all("checkout.session") if form["id"] in (s["id"], s["payment_intent"]))
            books.settle(session, paid=bool(form["paid"]))
        elif form["do"] == "refund":
            books.refund(form["id"], None, "requested_by_customer", {})
        elif form["do"] == "dispute":
            books.open_dispute(form["id"])
        elif form["do"] == "close":
            books.move_dispute(form["id"], form["as"])
        elif form["do"] == "warn":
            books.warn_of_fraud(form["id"])
        return redirect("/")
