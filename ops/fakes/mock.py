"""The mock provider: a hosted checkout, a page to act as customer and bank, and an API, all on loopback.

It keeps subscriptions, payments, purchases, refunds and disputes in memory, moves its clock on demand, and sends every
change to our webhook, signed and with retries.
"""

import itertools
import json
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from billing.providers.signatures import sign_timestamped
from billing.rules.terms import add_interval
from fakes.base import Answer, App, Request, Webhooks, json_answer, redirect
from fakes.mock_pages import checkout_page, desk_page, ended_page, receipt_page

Object = dict[str, Any]
DAY = 86_400
PAGE = 100
# Seconds between the tries of a delivery that is not answered with 2xx.
RETRY_AFTER = (1, 2, 5, 10, 30, 60, 300)
# Seconds after which an unpaid subscription ends.
DUNNING_ENDS = 21 * DAY


class MockProvider(App):
    """`webhook_url`: where events are sent; `secret` signs them; `memory`: a file that keeps the state."""

    def __init__(self, secret: str, webhook_url: str = "", memory: Path | None = None) -> None:
        super().__init__()
        self.webhook_url = webhook_url
        self.objects: dict[str, Object] = {}
        self._keys: dict[str, Answer] = {}
        self._numbers = itertools.count(1)
        self._run = secrets.token_hex(4)
        self.webhooks = Webhooks(self.clock, self._render, retry_after=RETRY_AFTER)
        self._secret = secret
        self._memory = memory
        if memory is not None and memory.exists():
            self.objects = json.loads(memory.read_text())
        self._add_routes()

    def _add_routes(self) -> None:
        routes: list[tuple[str, str, Callable[[Request], Answer]]] = [
            ("POST", "/api/checkouts", self.create_checkout),
            ("POST", "/api/checkouts/{id}/expire", self.expire_checkout),
            ("GET", "/api/subscriptions", self.list_subscriptions),
            ("GET", "/api/{kind}s/{id}", self.read),
            ("GET", "/api/customers/{id}/portal", self.portal),
            ("POST", "/api/subscriptions/{id}/{what}", self.change_subscription),
            ("POST", "/api/refunds", self.create_refund),
            ("GET", "/checkout/{id}", self.show_checkout),
            ("POST", "/checkout/{id}/{what}", self.use_checkout),
            ("GET", "/receipts/{id}", self.show_receipt),
            ("GET", "/", self.show_desk),
            ("POST", "/desk/{id}/{what}", self.use_desk),
            ("POST", "/desk/clock", self.use_clock),
        ]
        for method, pattern, handler in routes:
            self.route(method, pattern, handler)

    # --- the API --------------------------------------------------------------------------------------------------

    def create_checkout(self, request: Request) -> Answer:
        order = request.json
        checkout = next((o for o in self._all("checkout") if o["checkout_id"] == order["checkout_id"]), None)
        if checkout is None:
            checkout = self._new(
                "checkout", "chs", {**order, "plan_version": int(order["plan_version"]), "status": "open"}
            )
        url = f"{self.url}/checkout/{checkout['id']}"
        return json_answer({"id": checkout["id"], "url": url, "expires_at": checkout["expires_at"]})

    def expire_checkout(self, request: Request) -> Answer:
        session = self.objects[request.params["id"]]
        if session["status"] == "completed":
            return json_answer({"error": "this checkout is completed"}, 409)
        if session["status"] == "open":
            session["status"] = "expired"
            self._tell("checkout.expired", session)
        return json_answer({})

    def read(self, request: Request) -> Answer:
        """An object and all related ones, each in the format of its events."""
        obj = self.objects.get(request.params["id"])
        if obj is None:
            return json_answer({"error": "no such object"}, 404)
        related = [obj]
        if obj["object"] == "checkout":
            related = [obj] if obj["status"] in ("completed", "expired") else []
            related += [self.objects[obj[k]] for k in ("subscription", "purchase") if obj.get(k)]
        related += [o for o in self.objects.values() if o.get("payment") == obj["id"]]
        related += [o for o in self._all("payment") if o["subscription"] in [r["id"] for r in related]]
        return json_answer([{**r, "observed_at": self.clock.now()} for r in related])

    def list_subscriptions(self, request: Request) -> Answer:
        """A page of the live subscriptions, sorted by id, and the cursor of the next page."""
        after, live = request.query.get("after", ""), ("trialing", "active", "past_due")
        live_ones = [s for s in self._all("subscription") if s["status"] in live and s["id"] > after]
        page = sorted(live_ones, key=lambda s: str(s["id"]))[:PAGE]
        data = [{**s, "observed_at": self.clock.now()} for s in page]
        return json_answer({"data": data, "next": page[-1]["id"] if len(live_ones) > PAGE else None})

    def change_subscription(self, request: Request) -> Answer:
        subscription = self.objects.get(request.params["id"])
        if subscription is None or subscription["status"] in ("canceled", "incomplete_expired"):
            return json_answer({"error": "this subscription has ended"}, 409)
        change = request.json
        if change.get("key") in self._keys:
            return self._keys[change["key"]]
        answer = self._changes[request.params["what"]](self, subscription, change)
        if "key" in change:
            self._keys[change["key"]] = answer
        return answer

    def _cancel(self, subscription: Object, change: Object) -> Answer:
        subscription["cancel_reason"] = change.get("reason")
        if change["at_period_end"]:
            subscription["cancel_at_period_end"] = True
            self._tell("subscription.updated", subscription)
        else:
            self._end(subscription)
        return json_answer({})

    def _resume(self, subscription: Object, change: Object) -> Answer:
        subscription |= {"cancel_at_period_end": False, "cancel_reason": None, "scheduled_plan_id": None}
        subscription["scheduled_plan_version"] = None
        subscription.pop("scheduled", None)
        self._tell("subscription.updated", subscription)
        return json_answer({})

    def _preview(self, subscription: Object, change: Object) -> Answer:
        return json_answer(self._prorate(subscription, change, change["proration_date"] or self.clock.now()))

    def _change(self, subscription: Object, change: Object) -> Answer:
        if change["at_period_end"]:
            subscription |= {"scheduled_plan_id": change["plan_id"], "scheduled_plan_version": change["plan_version"]}
            subscription["scheduled"] = change
            self._tell("subscription.updated", subscription)
            return json_answer({})
        preview = self._prorate(subscription, change, change["proration_date"])
        if subscription.get("declines"):
            return json_answer({"error": "the card was declined: the plan stays as it is"}, 402)
        self._set_plan(subscription, change)
        self._tell("subscription.updated", subscription)
        if preview["amount_due_cents"]:
            self._collect(subscription, preview["amount_due_cents"])
        return json_answer({})

    _changes: Mapping[str, Callable[["MockProvider", Object, Object], Answer]] = {
        "cancel": _cancel,
        "resume": _resume,
        "preview": _preview,
        "change": _change,
    }

    def create_refund(self, request: Request) -> Answer:
        body = request.json
        if body["key"] in self._keys:
            return self._keys[body["key"]]
        payment = self.objects.get(body["payment"])
        if payment is None:
            return json_answer({"error": "no such payment"}, 404)
        left = payment["amount_cents"] - self._refunded(payment)
        amount = left if body["amount_cents"] is None else body["amount_cents"]
        if not 0 < amount <= left:
            return json_answer({"error": f"at most {left} can be refunded"}, 409)
        refund = self._refund(payment, amount, body["reason"], body["key"])
        self._keys[body["key"]] = json_answer({**refund, "observed_at": self.clock.now()})
        return self._keys[body["key"]]

    def portal(self, request: Request) -> Answer:
        return json_answer({"url": f"{self.url}/?return_url={request.query.get('return_url', '')}"})

    # --- the pages ------------------------------------------------------------------------------------------------

    def show_checkout(self, request: Request) -> Answer:
        session = self.objects.get(request.params["id"])
        if session is None:
            return ended_page("There is no such checkout.", "", 404)
        if session["status"] != "open":
            return ended_page(f"This checkout is {session['status']}.", session["success_url"])
        return checkout_page(session, declined=request.query.get("declined") == "1")

    def use_checkout(self, request: Request) -> Answer:
        session = self.objects[request.params["id"]]
        what = request.params["what"]
        if session["status"] != "open":
            return redirect(session["success_url"])
        if what == "decline":
            return redirect(f"/checkout/{session['id']}?declined=1")
        if what == "abandon":
            return redirect(session["cancel_url"])
        self.pay(session["id"])
        return redirect(session["success_url"])

    def pay(self, session_id: str) -> None:
        """The buyer pays; the same events are sent as by a real provider."""
        session = self.objects[session_id]
        session["status"] = "completed"
        session["customer"] = session.get("customer") or f"cus_{self._id()}"
        if session["interval"] == "once":
            purchase = self._new("purchase", "pur", self._own(session))
            now = self.clock.now()
            purchase |= {"state": "paid", "amount_cents": session["amount_cents"], "currency": session["currency"]}
            purchase |= {"paid_at": now, "created": now, "customer": session["customer"]}
            session["purchase"] = purchase["id"]
            self._tell("checkout.completed", session)
            self._tell("purchase.updated", purchase)
            return
        subscription = self._subscribe(session)
        session["subscription"] = subscription["id"]
        self._tell("checkout.completed", session)
        self._tell("subscription.created", subscription)
        if subscription["status"] == "active":
            self._collect(subscription, subscription["amount_cents"])

    def show_receipt(self, request: Request) -> Answer:
        payment = self.objects.get(request.params["id"])
        return receipt_page(payment, self._refunded(payment)) if payment else ended_page("No such payment.", "", 404)

    def show_desk(self, request: Request) -> Answer:
        return desk_page(list(self.objects.values()), self.clock.now(), request.query.get("return_url", ""))

    def use_desk(self, request: Request) -> Answer:
        self.act(request.params["id"], request.params["what"])
        return redirect("/")

    def use_clock(self, request: Request) -> Answer:
        self.advance(int(request.form["seconds"]))
        return redirect("/")

    def act(self, object_id: str, what: str) -> None:
        """Does what the customer, the bank or time would do to a subscription or payment: see `_acts`."""
        self._acts[what](self, self.objects[object_id])

    # --- what happens ---------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Renews subscriptions, and ends trials, cancelled and unpaid subscriptions that are due."""
        for subscription in self._all("subscription"):
            while subscription["status"] in ("trialing", "active") and (
                subscription["current_period_end"] <= self.clock.now()
            ):
                if subscription["cancel_at_period_end"]:
                    self._end(subscription, subscription["current_period_end"])
                else:
                    self._renew(subscription, declined=bool(subscription.get("declines")))
            unpaid_since = subscription["current_period_start"]
            if subscription["status"] == "past_due" and unpaid_since + DUNNING_ENDS <= self.clock.now():
                subscription["cancel_reason"] = "payment_failed"
                self._end(subscription)

    def _subscribe(self, session: Object) -> Object:
        now = self.clock.now()
        trial = int(session.get("trial_days") or 0)
        end = now + trial * DAY if trial else add_interval(now, session["interval"])
        own = {**self._own(session), "amount_cents": session["amount_cents"], "currency": session["currency"]}
        return self._new(
            "subscription",
            "sub",
            {
                **own,
                "plan_name": session["plan_name"],
                "interval": session["interval"],
                "status": "trialing" if trial else "active",
                "customer": session["customer"],
                "current_period_start": now,
                "current_period_end": end,
                "trial_end": end if trial else None,
                "cancel_at_period_end": False,
            },
        )

    def _renew(self, subscription: Object, *, declined: bool) -> None:
        if change := subscription.pop("scheduled", None):
            subscription |= {"scheduled_plan_id": None, "scheduled_plan_version": None}
            self._set_plan(subscription, change)
        subscription["current_period_start"] = subscription["current_period_end"]
        subscription["current_period_end"] = add_interval(subscription["current_period_end"], subscription["interval"])
        if declined:
            subscription["status"] = "past_due"
            self._tell("subscription.updated", subscription)
            self._decline(subscription)
            return
        subscription["status"] = "active"
        self._tell("subscription.updated", subscription)
        self._collect(subscription, subscription["amount_cents"])

    def _decline(self, subscription: Object) -> None:
        attempts = subscription["attempts"] = subscription.get("attempts", 0) + 1
        dunning = self._new("dunning", "in", {"subscription": subscription["id"], "user_id": subscription["user_id"]})
        dunning |= {"attempt_count": attempts, "next_attempt_at": self.clock.now() + 3 * DAY}
        self._tell("payment.failed", dunning)

    def _settle(self, subscription: Object) -> None:
        """The customer fixes the card; the open amount is collected."""
        subscription["declines"] = False
        subscription["attempts"] = 0
        if subscription["status"] == "past_due":
            subscription["status"] = "active"
            self._tell("subscription.updated", subscription)
            self._collect(subscription, subscription["amount_cents"])

    def _collect(self, subscription: Object, amount: int) -> None:
        payment = self._new("payment", "in", self._own(subscription))
        payment |= {"subscription": subscription["id"], "amount_cents": amount, "currency": subscription["currency"]}
        payment |= {"paid_at": self.clock.now(), "period_start": subscription["current_period_start"]}
        payment |= {"period_end": subscription["current_period_end"]}
        self._tell("payment.succeeded", payment)

    def _end(self, subscription: Object, at: int | None = None) -> None:
        ended = self.clock.now() if at is None else at
        subscription |= {"status": "canceled", "ended_at": ended, "canceled_at": ended}
        self._tell("subscription.deleted", subscription)

    def _refund(self, payment: Object, amount: int, reason: str, key: str | None = None) -> Object:
        refund = self._new("refund", "re", {"payment": payment["id"], "user_id": payment["user_id"], "key": key})
        refund |= {"amount_cents": amount, "currency": payment["currency"], "status": "succeeded", "reason": reason}
        self._tell("refund.created", refund)
        return refund

    def _refund_rest(self, payment: Object) -> None:
        left = payment["amount_cents"] - self._refunded(payment)
        if left:
            self._refund(payment, left, "requested_by_customer")

    def _fail_refund(self, payment: Object) -> None:
        for refund in self._all("refund"):
            if refund["payment"] == payment["id"] and refund["status"] == "succeeded":
                refund["status"] = "failed"
                self._tell("refund.updated", refund)

    def _dispute(self, payment: Object) -> None:
        dispute = self._new("dispute", "dp", {"payment": payment["id"], "user_id": payment["user_id"]})
        dispute |= {"amount_cents": payment["amount_cents"], "currency": payment["currency"]}
        dispute |= {"status": "open", "reason": "fraudulent"}
        self._tell("dispute.created", dispute)

    def _close_disputes(self, payment: Object, status: str) -> None:
        for dispute in self._all("dispute"):
            if dispute["payment"] == payment["id"] and dispute["status"] == "open":
                dispute["status"] = status
                self._tell("dispute.closed", dispute)

    _acts: Mapping[str, Callable[["MockProvider", Object], None]] = {
        "renew": lambda self, s: self._renew(s, declined=False),
        "fail": lambda self, s: self._renew(s, declined=True),
        "settle": _settle,
        "cancel": lambda self, s: self._end(s),
        "refund": _refund_rest,
        "fail-refund": _fail_refund,
        "dispute": _dispute,
        "win": lambda self, p: self._close_disputes(p, "won"),
        "lose": lambda self, p: self._close_disputes(p, "lost"),
        "decline-next": lambda self, s: s.update(declines=True),
    }

    # --- helpers --------------------------------------------------------------------------------------------------

    def _prorate(self, subscription: Object, change: Object, at: int) -> Object:
        """Credits the old plan's unused time; charges the new one for it, or a full period of another interval."""
        start, end = subscription["current_period_start"], subscription["current_period_end"]
        rest = max(0, end - at)
        credit = subscription["amount_cents"] * rest // (end - start) if subscription["status"] == "active" else 0
        same = change["interval"] == subscription["interval"]
        charge = change["amount_cents"] * rest // (end - start) if same else change["amount_cents"]
        return {
            "amount_due_cents": max(0, charge - credit),
            "credit_cents": credit,
            "currency": change["currency"],
            "next_amount_cents": change["amount_cents"],
            "next_billing_at": end if same else add_interval(at, change["interval"]),
        }

    def _set_plan(self, subscription: Object, change: Object) -> None:
        if change["interval"] != subscription["interval"]:
            now = self.clock.now()
            subscription |= {"current_period_start": now, "current_period_end": add_interval(now, change["interval"])}
        for name in ("plan_id", "plan_version", "plan_name", "amount_cents", "currency", "interval"):
            subscription[name] = change[name]

    def _refunded(self, payment: Object) -> int:
        refunds = [r for r in self._all("refund") if r["payment"] == payment["id"] and r["status"] != "failed"]
        return sum(r["amount_cents"] for r in refunds)

    def _all(self, kind: str) -> list[Object]:
        return [o for o in self.objects.values() if o["object"] == kind]

    def _own(self, obj: Object) -> Object:
        return {name: obj[name] for name in ("user_id", "plan_id", "plan_version", "checkout_id")}

    def _id(self) -> str:
        return f"{self._run}{next(self._numbers)}"

    def _new(self, kind: str, prefix: str, values: Mapping[str, Any]) -> Object:
        obj = {"object": kind, "id": f"{prefix}_{self._id()}", "created": self.clock.now(), **values}
        self.objects[obj["id"]] = obj
        return obj

    def _tell(self, event_type: str, obj: Object) -> None:
        event = {"id": f"evt_{self._id()}", "type": event_type, "created": self.clock.now(), "livemode": False}
        if self._memory is not None:
            self._memory.write_text(json.dumps(self.objects))
        if self.webhook_url:
            self.webhooks.enqueue(self.webhook_url, {**event, "data": dict(obj)})

    def _render(self, message: Any, tries: int, now: int) -> tuple[bytes, Mapping[str, str]]:
        # Signed with real time, because the receiver checks the signature's age by its own clock.
        body = json.dumps(message).encode()
        return body, {"Mock-Signature": sign_timestamped(body, self._secret, int(time.time()))}
