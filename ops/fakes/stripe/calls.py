"""The calls of Stripe's API that the stand-in supports, each with the SDK's type of its parameters."""

import re
import secrets
from collections.abc import Callable
from typing import Any

from stripe import params as p
from stripe.params import billing_portal as portal_params
from stripe.params import checkout as checkout_params
from stripe.params import radar as radar_params

from fakes.base import Clock
from fakes.stripe import shapes
from fakes.stripe.books import Books
from fakes.stripe.payments import Object, Refused
from fakes.stripe.subscriptions import item_of, period_end

Call = Callable[..., Object]


class Calls:
    """Each call takes the typed parameters and the id from the path, and returns the object for the answer.

    `address()`: the stand-in's URL; `secrets`: signing secrets by endpoint id; `undelivered(event)`: whether an
    endpoint has not accepted it.
    """

    def __init__(
        self,
        books: Books,
        clock: Clock,
        secrets: dict[str, str],
        address: Callable[[], str],
        undelivered: Callable[[Object], bool],
    ) -> None:
        self.books = books
        self._clock = clock
        self._secrets = secrets
        self._address = address
        self._undelivered = undelivered

    def table(self) -> list[tuple[str, str, Any, Call]]:
        books = self.books

        def getter(kind: str) -> Call:
            return lambda _, id: books.get(id, kind)

        def lister(kind: str, matches: Callable[[Object, Object], bool] = lambda *_: True) -> Call:
            return lambda params: _page([t for t in books.all(kind) if matches(t, params)], params)

        def by_intent(obj: Object, params: Object) -> bool:
            return params.get("payment_intent") in (None, obj["payment_intent"])

        return [
            ("POST", "/v1/customers", p.CustomerCreateParams, self._create_customer),
            ("GET", "/v1/customers/search", p.CustomerSearchParams, self._search_customers),
            ("GET", "/v1/customers/{id}", p.CustomerRetrieveParams, self._customer),
            ("DELETE", "/v1/customers/{id}", p.CustomerDeleteParams, self._delete_customer),
            ("POST", "/v1/products", p.ProductCreateParams, self._create_product),
            ("GET", "/v1/products/{id}", p.ProductRetrieveParams, getter("product")),
            ("POST", "/v1/products/{id}", p.ProductUpdateParams, lambda params, id: self._set(id, "product", params)),
            ("POST", "/v1/prices", p.PriceCreateParams, self._create_price),
            ("GET", "/v1/prices", p.PriceListParams, lister("price", _price_matches)),
            ("GET", "/v1/prices/{id}", p.PriceRetrieveParams, getter("price")),
            ("POST", "/v1/prices/{id}", p.PriceUpdateParams, lambda params, id: self._set(id, "price", params)),
            ("POST", "/v1/checkout/sessions", checkout_params.SessionCreateParams, self._create_session),
            ("GET", "/v1/checkout/sessions/{id}", checkout_params.SessionRetrieveParams, getter("checkout.session")),
            ("POST", "/v1/checkout/sessions/{id}/expire", checkout_params.SessionExpireParams, self._expire_session),
            ("GET", "/v1/subscriptions", p.SubscriptionListParams, lister("subscription", _subscription_matches)),
            ("GET", "/v1/subscriptions/{id}", p.SubscriptionRetrieveParams, getter("subscription")),
            ("POST", "/v1/subscriptions/{id}", p.SubscriptionUpdateParams, self._update_subscription),
            ("DELETE", "/v1/subscriptions/{id}", p.SubscriptionCancelParams, self._cancel_subscription),
            ("POST", "/v1/subscriptions/{id}/resume", p.SubscriptionResumeParams, self._resume_subscription),
            ("POST", "/v1/subscription_schedules", p.SubscriptionScheduleCreateParams, self._create_schedule),
            (
                "GET",
                "/v1/subscription_schedules/{id}",
                p.SubscriptionScheduleRetrieveParams,
                getter("subscription_schedule"),
            ),
            ("POST", "/v1/subscription_schedules/{id}", p.SubscriptionScheduleUpdateParams, self._update_schedule),
            (
                "POST",
                "/v1/subscription_schedules/{id}/release",
                p.SubscriptionScheduleReleaseParams,
                self._release_schedule,
            ),
            ("POST", "/v1/invoices/create_preview", p.InvoiceCreatePreviewParams, self._preview),
            ("GET", "/v1/invoices/{id}", p.InvoiceRetrieveParams, getter("invoice")),
            ("GET", "/v1/invoices", p.InvoiceListParams, lister("invoice", _invoice_matches)),
            ("POST", "/v1/invoices/{id}", p.InvoiceUpdateParams, self._update_invoice),
            ("GET", "/v1/invoices/{id}/lines", p.InvoiceLineItemListParams, self._lines),
            ("GET", "/v1/coupons", p.CouponListParams, lister("coupon")),
            ("GET", "/v1/coupons/{id}", p.CouponRetrieveParams, getter("coupon")),
            ("GET", "/v1/subscription_items", p.SubscriptionItemListParams, self._items),
            ("GET", "/v1/invoice_payments", p.InvoicePaymentListParams, lister("invoice_payment", _payment_matches)),
            ("GET", "/v1/balance_transactions", p.BalanceTransactionListParams, lister("balance_transaction")),
            ("GET", "/v1/payment_intents", p.PaymentIntentListParams, lister("payment_intent")),
            ("GET", "/v1/payment_intents/{id}", p.PaymentIntentRetrieveParams, getter("payment_intent")),
            ("GET", "/v1/charges", p.ChargeListParams, lister("charge")),
            ("GET", "/v1/charges/{id}", p.ChargeRetrieveParams, getter("charge")),
            ("POST", "/v1/refunds", p.RefundCreateParams, self._create_refund),
            ("GET", "/v1/refunds", p.RefundListParams, lister("refund", by_intent)),
            ("GET", "/v1/disputes", p.DisputeListParams, lister("dispute", by_intent)),
            (
                "GET",
                "/v1/radar/early_fraud_warnings",
                radar_params.EarlyFraudWarningListParams,
                lister("radar.early_fraud_warning", by_intent),
            ),
            ("GET", "/v1/events", p.EventListParams, self._list_events),
            ("GET", "/v1/events/{id}", p.EventRetrieveParams, self._event),
            ("POST", "/v1/billing_portal/sessions", portal_params.SessionCreateParams, self._create_portal),
            (
                "GET",
                "/v1/billing_portal/configurations",
                portal_params.ConfigurationListParams,
                lister("billing_portal.configuration"),
            ),
            (
                "POST",
                "/v1/billing_portal/configurations",
                portal_params.ConfigurationCreateParams,
                self._create_portal_configuration,
            ),
            ("POST", "/v1/webhook_endpoints", p.WebhookEndpointCreateParams, self.create_endpoint),
            ("GET", "/v1/webhook_endpoints", p.WebhookEndpointListParams, lister("webhook_endpoint")),
            (
                "POST",
                "/v1/webhook_endpoints/{id}",
                p.WebhookEndpointUpdateParams,
                lambda params, id: self._set(id, "webhook_endpoint", params),
            ),
        ]

    def _set(self, object_id: str, kind: str, params: Object) -> Object:
        obj = self.books.get(object_id, kind)
        obj |= params
        return obj

    def _create_customer(self, params: Object) -> Object:
        made = shapes.customer(self.books.new_id("cus"), self.books.at, params.get("metadata", {}))
        self.books.emit("customer.created", self.books.add(made))
        return made

    def _search_customers(self, params: Object) -> Object:
        match = re.fullmatch(r"metadata\['user_id'\]:'(.*)'", params["query"])
        if match is None:
            raise Refused("We were unable to parse your search query.")
        lag = self.books.search_lag
        if lag is None:
            raise Refused("Search is not available to merchants in your country.")
        wanted, known_until = re.sub(r"\\(.)", r"\1", match[1]), self.books.at - lag
        customers = [
            {name: value for name, value in c.items() if name != "deleted"}
            for c in self.books.all("customer")
            if c["metadata"].get("user_id") == wanted and c["created"] <= known_until < c.get("_deleted_at", 2**53)
        ]
        return {**_page(customers, params), "object": "search_result", "next_page": None}

    def _customer(self, _: Object, id: str) -> Object:
        customer = self.books.get(id, "customer")
        return {"id": id, "object": "customer", "deleted": True} if customer.get("deleted") else customer

    def _delete_customer(self, _: Object, id: str) -> Object:
        customer = self.books.get(id, "customer")
        for sub in list(self.books.all("subscription")):
            if sub["customer"] == id and sub["status"] != "canceled":
                self.books.end(sub, "cancellation_requested")
        self.books.emit("customer.deleted", customer)
        customer |= {"deleted": True, "_deleted_at": self.books.at}
        return {"id": id, "object": "customer", "deleted": True}

    def _create_product(self, params: Object) -> Object:
        if params.get("id") in self.books.objects:
            raise Refused("Product already exists.", code="resource_already_exists")
        made = {"id": params.get("id") or self.books.new_id("prod"), "object": "product", "active": True, **params}
        return self.books.add({"description": None, "metadata": {}, "livemode": False, **made})

    def _create_price(self, params: Object) -> Object:
        self.books.get(params["product"], "product")
        key = params.get("lookup_key")
        if key and any(price["lookup_key"] == key for price in self.books.all("price")):
            raise Refused(f"A price (lookup key {key}) already exists.", code="resource_already_exists")
        recurring = params.get("recurring")
        made = {
            "id": self.books.new_id("price"),
            "object": "price",
            "active": True,
            "created": self.books.at,
            "livemode": False,
            "lookup_key": None,
            "metadata": {},
            "tax_behavior": "unspecified",
            "type": "recurring" if recurring else "one_time",
            **params,
            "recurring": {"interval_count": 1, "usage_type": "licensed", **recurring} if recurring else None,
        }
        return self.books.add(made)

    def _create_session(self, params: Object) -> Object:
        line = params["line_items"][0]
        if "price_data" in line:
            # Stripe creates a price for this session alone.
            self.books.get(line["price_data"]["product"], "product", "line_items[0][price_data][product]")
            price = {**self._create_price(dict(line["price_data"])), "active": True}
        else:
            price = self.books.get(line["price"], "price", "line_items[0][price]")
        if not price["active"]:
            raise Refused("The price specified is inactive.", code="price_inactive")
        if (params["mode"] == "subscription") != bool(price["recurring"]):
            raise Refused("You must provide at least one recurring price in `subscription` mode.")
        if params.get("customer"):
            self.books.get(params["customer"], "customer", "customer")
        # The caller may use real time although this clock was moved, so both are accepted (Stripe's own test clocks do
        # not affect checkout either).
        expires = params.get("expires_at", self.books.at + 86_400)
        skews = (0, self._clock.offset)
        skew = next((s for s in skews if 1800 - 60 <= expires + s - self.books.at <= 86_400 + 60), None)
        if skew is None:
            raise Refused("`expires_at` must be between 30 minutes and 24 hours from Checkout Session creation.")
        made_id = self.books.new_id("cs_test")
        amount = price["unit_amount"] * params["line_items"][0].get("quantity", 1)
        if params.get("subscription_data", {}).get("trial_period_days"):
            amount = 0
        made = shapes.session(
            made_id, self.books.at, params, f"{self._address()}/c/pay/{made_id}", amount, price["currency"]
        )
        tax = sum(t["amount"] for t in self.books.taxes(amount))
        made["total_details"]["amount_tax"] = tax
        made["amount_total"] += 0 if self.books.tax_inside else tax
        return self.books.add({**made, "_params": params, "_price": price["id"], "_skew": skew})

    def _expire_session(self, _: Object, id: str) -> Object:
        session = self.books.get(id, "checkout.session")
        self.books.expire_session(session)
        return session

    def _update_subscription(self, params: Object, id: str) -> Object:
        sub = self.books.get(id, "subscription")
        if sub["status"] in ("canceled", "incomplete_expired"):
            raise Refused("A canceled subscription can only update its cancellation_details and metadata.")
        items = params.pop("items", None)
        moment = params.pop("proration_date", self.books.at)
        params.pop("proration_behavior", None)
        behaviour = params.pop("payment_behavior", None)
        if items:
            if items[0].get("id") not in [item["id"] for item in sub["items"]["data"]]:
                raise Refused("Adding a second item is not what a change of plan means: give the item's id.")
            price = self.books.get(items[0]["price"], "price")
            pending = behaviour == "pending_if_incomplete"
            quantity = items[0].get("quantity", 1)
            self.books.change_price(sub, price, quantity, moment, pending=pending, item_id=items[0]["id"])
        if params:
            self.books.modify(sub, params)
        return sub

    def _cancel_subscription(self, params: Object, id: str) -> Object:
        sub = self.books.get(id, "subscription")
        if sub["status"] == "canceled":
            raise Refused(f"No such subscription: '{id}'", status=404, code="resource_missing")
        sub["cancellation_details"] |= params.get("cancellation_details", {})
        self.books.end(sub, "cancellation_requested")
        return sub

    def _resume_subscription(self, _: Object, id: str) -> Object:
        sub = self.books.get(id, "subscription")
        if sub["status"] != "paused":
            raise Refused("Only paused subscriptions can be resumed.")
        self.books.resume(sub)
        return sub

    def _create_schedule(self, params: Object) -> Object:
        sub = self.books.get(params["from_subscription"], "subscription")
        if sub["schedule"]:
            raise Refused("You cannot migrate a subscription that is already attached to a schedule.")
        item = item_of(sub)
        phase = {
            "items": [
                {
                    "billing_thresholds": None,
                    "discounts": [],
                    "metadata": i["metadata"],
                    "plan": i["price"]["id"],
                    "price": i["price"]["id"],
                    "quantity": i["quantity"],
                    "tax_rates": [{"id": name, "object": "tax_rate"} for name in i["tax_rates"]],
                }
                for i in sub["items"]["data"]
            ],
            "add_invoice_items": [],
            "application_fee_percent": None,
            "automatic_tax": {**sub["automatic_tax"], "disabled_reason": None},
            "billing_cycle_anchor": None,
            "collection_method": None,
            "currency": sub["currency"],
            "default_payment_method": sub["default_payment_method"],
            "default_tax_rates": [{"id": n, "object": "tax_rate"} for n in sub.get("default_tax_rates", [])],
            "description": None,
            "invoice_settings": None,
            "on_behalf_of": None,
            "proration_behavior": "create_prorations",
            "transfer_data": None,
            "trial_end": sub["trial_end"],
            "start_date": item["current_period_start"],
            "end_date": item["current_period_end"],
            "discounts": [{"coupon": None, "discount": d, "promotion_code": None} for d in sub["discounts"]],
            "metadata": {},
        }
        made = {
            "id": self.books.new_id("sub_sched"),
            "object": "subscription_schedule",
            "created": self.books.at,
            "current_phase": {"start_date": phase["start_date"], "end_date": phase["end_date"]},
            "customer": sub["customer"],
            "end_behavior": "release",
            "livemode": False,
            "metadata": {},
            "phases": [phase],
            "released_subscription": None,
            "status": "active",
            "subscription": sub["id"],
        }
        before = shapes.copied(sub)
        sub["schedule"] = made["id"]
        self.books.emit("subscription_schedule.created", self.books.add(made))
        self.books.changed(sub, before)
        return made

    def _update_schedule(self, params: Object, id: str) -> Object:
        schedule = self.books.get(id, "subscription_schedule")
        began = 0
        for phase in params.get("phases", []):
            phase.setdefault("start_date", began)
            price = self.books.get(phase["items"][0]["price"], "price")
            began = phase.setdefault("end_date", period_end(phase["start_date"], price))
            discounts = phase.get("discounts", [])
            phase["discounts"] = [{"coupon": None, "discount": None, "promotion_code": None, **d} for d in discounts]
            phase.setdefault("metadata", {})
        schedule |= params
        began = schedule["current_phase"]["start_date"]
        self.books.enter(
            self.books.objects[schedule["subscription"]],
            next(phase for phase in schedule["phases"] if phase["start_date"] == began),
        )
        self.books.emit("subscription_schedule.updated", schedule)
        return schedule

    def _release_schedule(self, _: Object, id: str) -> Object:
        schedule = self.books.get(id, "subscription_schedule")
        self.books.release(schedule)
        return schedule

    def _preview(self, params: Object) -> Object:
        sub = self.books.get(params["subscription"], "subscription")
        change = params["subscription_details"]
        item = change["items"][0]
        price = self.books.get(item["price"], "price")
        books, quantity, moment = self.books, item.get("quantity", 1), change.get("proration_date", self.books.at)
        if change.get("proration_behavior") == "none":
            start = item_of(sub)["current_period_end"]
            period = start, period_end(start, price)
            amount = price["unit_amount"] * quantity
            lines = [shapes.line(books.new_id("il"), sub, price, amount, *period, proration=False)]
        else:
            lines = books.prorate(sub, price, quantity, moment, item["id"])
        off = books.discounted(sub, sum(entry["amount"] for entry in lines if entry["discountable"]))[0]
        taxes = books.taxes(sum(entry["amount"] for entry in lines) - off)
        return shapes.invoice(
            f"upcoming_{sub['id']}", books.at, sub, "upcoming", lines, self._address(), off=off, taxes=taxes
        )

    def _update_invoice(self, params: Object, id: str) -> Object:
        """With auto_advance off there is no next attempt; turning it on again restores the planned one."""
        invoice = self.books.get(id, "invoice")
        if params.get("auto_advance") is False and invoice["auto_advance"]:
            invoice["_then"], invoice["next_payment_attempt"] = invoice["next_payment_attempt"], None
        elif params.get("auto_advance") and not invoice["auto_advance"]:
            invoice["next_payment_attempt"] = invoice.pop("_then", None)
        invoice |= params
        return invoice

    def _lines(self, params: Object, id: str) -> Object:
        return _page(self.books.get(id, "invoice")["lines"]["data"], params)

    def _items(self, params: Object) -> Object:
        return _page(self.books.get(params["subscription"], "subscription")["items"]["data"], params)

    def _create_refund(self, params: Object) -> Object:
        return self.books.refund(
            params["payment_intent"], params.get("amount"), params.get("reason"), params.get("metadata", {})
        )

    def _list_events(self, params: Object) -> Object:
        since = params.get("created", {}).get("gte", 0)
        events = [
            event
            for event in reversed(self.books.events)
            if event["created"] >= since
            and (not params.get("types") or event["type"] in params["types"])
            and (params.get("delivery_success") in (None, not self._undelivered(event)))
        ]
        page = _page(events, params)
        return {**page, "data": [shapes.in_version(event, None) for event in page["data"]]}

    def _event(self, _: Object, id: str) -> Object:
        for event in self.books.events:
            if event["id"] == id:
                return shapes.in_version(event, None)
        raise Refused(f"No such event: '{id}'", status=404, code="resource_missing")

    def _create_portal(self, params: Object) -> Object:
        self.books.get(params["customer"], "customer", "customer")
        made_id = self.books.new_id("bps")
        made = {
            "id": made_id,
            "object": "billing_portal.session",
            "url": f"{self._address()}/p/session/{made_id}",
            **params,
        }
        return self.books.add(made)

    def _create_portal_configuration(self, params: Object) -> Object:
        made = {"id": self.books.new_id("bpc"), "object": "billing_portal.configuration", "active": True, **params}
        return self.books.add({**made, "is_default": True})

    def create_endpoint(self, params: Object) -> Object:
        made_id, secret = self.books.new_id("we"), f"whsec_{secrets.token_hex(16)}"
        made = {"id": made_id, "object": "webhook_endpoint", "status": "enabled", "livemode": False}
        self._secrets[made_id] = secret
        stored = self.books.add({"api_version": None, "description": None, "metadata": {}, **made, **params})
        return {**stored, "secret": secret}


def listing(data: list[Object], more: bool = False) -> Object:
    return {"object": "list", "data": data, "has_more": more, "url": "/v1"}


def _page(objects: list[Object], params: Object) -> Object:
    after = params.get("starting_after")
    if after:
        ids = [obj["id"] for obj in objects]
        if after not in ids:
            raise Refused(f"No such object: '{after}'", code="resource_missing", param="starting_after")
        objects = objects[ids.index(after) + 1 :]
    limit = params.get("limit", 10)
    return listing(objects[:limit], len(objects) > limit)


def _price_matches(price: Object, params: Object) -> bool:
    return (
        ("lookup_keys" not in params or price["lookup_key"] in params["lookup_keys"])
        and params.get("product") in (None, price["product"])
        and params.get("active") in (None, price["active"])
    )


def _subscription_matches(sub: Object, params: Object) -> bool:
    status = params.get("status")
    wanted = status == "all" or sub["status"] == status if status else sub["status"] != "canceled"
    return wanted and params.get("customer") in (None, sub["customer"])


def _invoice_matches(bill: Object, params: Object) -> bool:
    of = bill["parent"]["subscription_details"]["subscription"]
    return params.get("subscription") in (None, of) and params.get("status") in (None, bill["status"])


def _payment_matches(payment: Object, params: Object) -> bool:
    intent = params.get("payment", {}).get("payment_intent")
    return (
        params.get("invoice") in (None, payment["invoice"])
        and intent in (None, payment["payment"].get("payment_intent"))
        and params.get("status") in (None, payment["status"])
    )
