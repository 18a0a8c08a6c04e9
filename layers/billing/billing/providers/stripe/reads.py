"""Reading Stripe's objects, for when an event is incomplete, late or lost."""

from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import stripe

from billing.data import replace
from billing.errors import BadWebhook, Parked
from billing.providers.interface import Notification, Unreadable
from billing.providers.stripe import objects
from billing.providers.stripe.subscriptions import says_too_little, subscription_fact
from billing.providers.stripe.translate import EVENTS
from billing.providers.stripe.webhook import minimal, minimise_event
from billing.rules.facts import Fact, PaymentFact, PurchaseFact, Ref

if TYPE_CHECKING:
    from stripe.params import EventListParams, InvoiceListParams, SubscriptionItemListParams, SubscriptionListParams

PAGE = 100
INVOICES = 24
# Expanded in a subscription: its schedule's phases, the payments of its last invoice, its customer's metadata.
_EXPAND = ["schedule", "latest_invoice.payments", "customer"]
# Expanded to compute its price.
_EXPAND_PRICES = ["discounts", "items.data.discounts", "items.data.price.currency_options"]


class Reader:
    """Raises the SDK's errors."""

    def __init__(self, api: stripe.StripeClient) -> None:
        self._v1 = api.v1

    def read(self, ref: Ref, now: int) -> tuple[Fact, ...]:
        """The object's current state as facts; empty for one that is not ours."""
        if ref.kind == "subscription":
            return self._subscription(ref.id, now)
        if ref.kind == "checkout" or ref.id.startswith("cs_"):
            return self._checkout(ref.id, now)
        if ref.kind == "invoice" or ref.id.startswith("in_"):
            return self._invoice(ref.id, now)
        return self._payment(ref.id, now)

    def _subscription(self, subscription_id: str, now: int) -> tuple[Fact, ...]:
        subscription = self._v1.subscriptions.retrieve(subscription_id, {"expand": _EXPAND})
        return self._of_subscription(subscription.to_dict(), observed_at(subscription, now))

    def _of_subscription(self, subscription: dict[str, Any], seen: int) -> tuple[Fact, ...]:
        """A subscription and its last invoice, in case its event was lost; if invoices may be open, all recent ones. A
        subscription created in the dashboard has no user id in its metadata; its customer has."""
        reduced = minimal(subscription)
        if says_too_little(reduced):
            subscription = self._with_coupons(subscription)
            reduced = minimal(subscription)
        customer = subscription.get("customer")
        discount = customer.get("discount") if isinstance(customer, dict) else None
        # A customer's discount applies only if the subscription has none.
        of_customer = bool(discount) and not subscription.get("discounts")
        if of_customer:
            reduced = minimal({**subscription, "discounts": [self._with_coupon(discount)]})
        fact = subscription_fact(reduced, seen, customer_discount=of_customer)
        if fact and (comment := objects.at(subscription, "cancellation_details", "comment")):
            fact = replace(fact, comment=str(comment))
        facts: list[Fact | None] = [fact]
        invoice = subscription.get("latest_invoice")
        if isinstance(invoice, dict):
            settled = invoice.get("status") == "paid" and subscription.get("status") not in ("past_due", "unpaid")
            invoices = [invoice] if settled else self._invoices(subscription["id"])
            facts += [objects.invoice_fact(self._with_all_lines(each), seen) for each in invoices]
        owner = objects.at(customer, "metadata", "user_id") if isinstance(customer, dict) else None
        return tuple(replace(fact, user_id=fact.user_id or owner) for fact in facts if fact)

    def _with_coupons(self, subscription: dict[str, Any]) -> dict[str, Any]:
        """The subscription with all items, discounts and coupons. Coupons are read one by one, because Stripe expands
        only four levels."""
        priced = self._v1.subscriptions.retrieve(subscription["id"], {"expand": _EXPAND_PRICES}).to_dict()
        if priced["items"].get("has_more"):
            params: SubscriptionItemListParams = {
                "subscription": subscription["id"],
                "limit": PAGE,
                "expand": ["data.discounts", "data.price.currency_options"],
            }
            items = self._v1.subscription_items.list(params).auto_paging_iter()
            priced["items"] = {"data": [item.to_dict() for item in items]}
        for holder in (priced, *priced["items"]["data"]):
            holder["discounts"] = [self._with_coupon(discount) for discount in holder.get("discounts") or []]
        return {**subscription, "items": priced["items"], "discounts": priced["discounts"]}

    def _with_coupon(self, discount: Any) -> Any:
        coupon = objects.at(discount, "source", "coupon") if isinstance(discount, dict) else None
        if not isinstance(coupon, str):
            return discount
        try:
            whole = self._v1.coupons.retrieve(coupon, {"expand": ["applies_to", "currency_options"]}).to_dict()
        except stripe.InvalidRequestError as gone:
            if gone.code != "resource_missing":
                raise
            return discount  # a deleted coupon still applies, but its amount can no longer be read
        return {**discount, "source": {**discount["source"], "coupon": whole}}

    def _invoices(self, subscription_id: str) -> list[dict[str, Any]]:
        """The newest invoices of a subscription; no more than these are expected to be open at once."""
        params: InvoiceListParams = {"subscription": subscription_id, "limit": INVOICES, "expand": ["data.payments"]}
        return [invoice.to_dict() for invoice in self._v1.invoices.list(params).data]

    def _with_all_lines(self, invoice: dict[str, Any]) -> dict[str, Any]:
        """The allow-listed invoice with all its lines: the object itself has only the first ones."""
        reduced = minimal(invoice)
        if objects.at(reduced, "lines", "has_more"):
            lines = self._v1.invoices.line_items.list(reduced["id"], {"limit": PAGE}).auto_paging_iter()
            reduced = minimal({**invoice, "lines": {"data": [line.to_dict() for line in lines]}})
        return reduced

    def _checkout(self, session_id: str, now: int) -> tuple[Fact, ...]:
        answer = self._v1.checkout.sessions.retrieve(session_id)
        session = minimal(answer.to_dict())
        facts = objects.checkout_facts(session, observed_at(answer, now))
        if facts and session.get("subscription"):
            return (*facts, *self._subscription(session["subscription"], now))
        bought = next((fact for fact in facts if isinstance(fact, PurchaseFact)), None)
        intent = session.get("payment_intent")
        if bought is None or intent is None:
            return facts
        ended = [fact for fact in facts if fact is not bought]
        if bought.state == "paid":
            tax, read = bought.tax_cents, self._payment(intent, now)
            return (*ended, *(replace(f, tax_cents=tax) if isinstance(f, PurchaseFact) else f for f in read))
        # A complete, unpaid session does not say whether its bank debit is pending or has failed.
        failed = self._v1.payment_intents.retrieve(intent).status in ("requires_payment_method", "canceled")
        return (*ended, replace(bought, state="failed" if failed else bought.state))

    def _invoice(self, invoice_id: str, now: int) -> tuple[Fact, ...]:
        answer = self._v1.invoices.retrieve(invoice_id, {"expand": ["payments"]})
        fact = objects.invoice_fact(self._with_all_lines(answer.to_dict()), observed_at(answer, now))
        if isinstance(fact, PaymentFact):
            fact = replace(fact, fee_cents=self._fee_of(fact))
        return (fact,) if fact else ()

    def _fee_of(self, invoice: PaymentFact) -> int | None:
        """Stripe's fee, once that of each of its payments is known: once booked, a fee stays."""
        intents = [name for name in invoice.refs if name.startswith("pi_")]
        fees = [fee for name in intents if (fee := objects.fee_of(self._intent(name)[1])) is not None]
        return sum(fees) if fees and len(fees) == len(intents) else None

    def _intent(self, name: str) -> tuple[Any, dict[str, Any]]:
        """A payment intent as it was answered, and its charge with what Stripe paid out for it; empty without one."""
        try:
            answer = self._v1.payment_intents.retrieve(name, {"expand": ["latest_charge.balance_transaction"]})
        except stripe.PermissionError:
            # A restricted key may lack the right to read fees, of which the doctor tells. That holds up no access.
            answer = self._v1.payment_intents.retrieve(name, {"expand": ["latest_charge"]})
        charge = answer.to_dict().get("latest_charge")
        return answer, charge if isinstance(charge, dict) else {}

    def _payment(self, name: str, now: int) -> tuple[Fact, ...]:
        """The payment, its owner, and all its refunds, disputes and fraud warnings."""
        if not name.startswith("pi_"):
            charged = self._v1.charges.retrieve(name).to_dict()
            name = str(charged.get("payment_intent") or "")
            if not name:
                return ()  # a charge without an intent: we never create one
        answer, charge = self._intent(name)
        seen, full, fee = observed_at(answer, now), answer.to_dict(), objects.fee_of(charge)
        charge_ids = (charge["id"],) if charge else ()
        owner: Fact | None = next(
            iter(
                objects.purchase_facts(
                    minimal(full),
                    seen,
                    purchase_id=name,
                    state="paid" if full["status"] == "succeeded" else "pending",
                    amount_cents=full["amount_received"] or full["amount"],
                    paid_at=charge.get("created"),
                    refs=charge_ids,
                    fee_cents=fee,
                )
            ),
            None,
        )
        owner = owner or self._invoice_of(name, seen, charge)
        if owner is None:
            return ()
        user_id = owner.user_id
        return (
            owner,
            *(objects.refund_fact(r, name, seen, user_id) for r in self._all(self._v1.refunds, name)),
            *(objects.dispute_fact(d, name, seen, user_id) for d in self._all(self._v1.disputes, name)),
            *(
                objects.fraud_warning_fact(name, seen, user_id)
                for _ in self._all(self._v1.radar.early_fraud_warnings, name)
            ),
        )

    def _invoice_of(self, intent: str, seen: int, charge: dict[str, Any]) -> PaymentFact | None:
        names = (intent, charge["id"]) if charge else (intent,)
        payments = self._v1.invoice_payments.list(
            {"payment": {"type": "payment_intent", "payment_intent": intent}, "expand": ["data.invoice.payments"]}
        )
        for payment in payments.data:
            invoice = payment.to_dict()["invoice"]
            if not isinstance(invoice, dict):
                continue
            fact = objects.payment_fact(self._with_all_lines(invoice), seen, charge_ids=names)
            if fact and invoice.get("status") != "paid":
                if not self._happened(intent, charge):
                    return None  # one of several payments: when the invoice is paid, it is read
                raise Parked(f"stripe invoice {invoice['id']} of payment {intent} is not paid yet", "not_known_yet")
            if fact:
                whole = charge.get("amount") == fact.amount_cents
                return replace(fact, fee_cents=objects.fee_of(charge) if whole else self._fee_of(fact))
        return None

    def _happened(self, intent: str, charge: dict[str, Any]) -> bool:
        """Whether there is a refund, a dispute or a warning that must find its invoice."""
        refunded_or_disputed = bool(charge.get("amount_refunded") or charge.get("disputed"))
        return refunded_or_disputed or any(self._all(self._v1.radar.early_fraud_warnings, intent))

    @staticmethod
    def _all(service: Any, intent: str) -> Iterable[dict[str, Any]]:
        """All objects of a service (refunds, disputes, …) for one payment intent, in the allow-listed form."""
        answer = service.list({"payment_intent": intent, "limit": PAGE})
        return (minimal(entry.to_dict()) for entry in answer.auto_paging_iter())

    # --- ids of a payment --------------------------------------------------------------------------------------------

    def payment_intent_of(self, payment_ref: str) -> str | None:
        """The payment intent behind an invoice, charge, session or intent; None when nothing was charged."""
        if payment_ref.startswith("in_"):
            return next(iter(self.charged(payment_ref)[0]), None)
        if payment_ref.startswith("cs_"):
            return id_of(self._v1.checkout.sessions.retrieve(payment_ref).payment_intent)
        if payment_ref.startswith("pi_"):
            return payment_ref
        return id_of(self._v1.charges.retrieve(payment_ref).payment_intent)

    def charged(self, payment_ref: str) -> tuple[list[str], int]:
        """The payment intents of a payment, the newest first, and the amount that was paid outside Stripe."""
        if not payment_ref.startswith("in_"):
            intent = self.payment_intent_of(payment_ref)
            return ([intent] if intent else []), 0
        intents, outside = [], 0
        paid = self._v1.invoice_payments.list({"invoice": payment_ref, "status": "paid", "limit": PAGE})
        for part in paid.auto_paging_iter():
            if intent := id_of(getattr(part.payment, "payment_intent", None)):
                intents.append(intent)
            elif part.payment.type == "payment_record":
                outside += part.amount_paid or 0
        return intents, outside

    def refundable(self, intent: str) -> int:
        """The amount of an intent's charge that is not refunded yet."""
        charge = self._v1.payment_intents.retrieve(intent, {"expand": ["latest_charge"]}).latest_charge
        return charge.amount - charge.amount_refunded if isinstance(charge, stripe.Charge) else 0

    def refund_made(self, intent: str, request_id: str) -> dict[str, Any] | None:
        """The refund of an intent that this refund request has already created, if any."""
        for entry in self._v1.refunds.list({"payment_intent": intent, "limit": PAGE}).auto_paging_iter():
            refund = entry.to_dict()
            if (refund.get("metadata") or {}).get("refund_request") == request_id:
                return refund
        return None

    def receipt_url(self, payment_id: str) -> str | None:
        """Stripe's hosted page of a payment. Anyone with the link can read it: never store it."""
        if payment_id.startswith("in_"):
            return self._v1.invoices.retrieve(payment_id).hosted_invoice_url
        intent = self.payment_intent_of(payment_id)
        if intent is None:
            return None
        charge = self._v1.payment_intents.retrieve(intent, {"expand": ["latest_charge"]}).latest_charge
        return charge.receipt_url if isinstance(charge, stripe.Charge) else None

    # --- reconciliation ----------------------------------------------------------------------------------------------

    def subscriptions(
        self, after: str | None, customer_id: str | None, now: int
    ) -> tuple[list[Fact | Unreadable], str | None]:
        """One page of subscriptions and the next cursor: those not canceled, or all of one customer."""
        params: SubscriptionListParams = {"limit": PAGE, "expand": [f"data.{name}" for name in _EXPAND]}
        if after:
            params["starting_after"] = after
        if customer_id:
            params |= {"customer": customer_id, "status": "all"}
        page = self._v1.subscriptions.list(params)
        seen = observed_at(page, now)
        facts: list[Fact | Unreadable] = []
        for subscription in page.data:
            try:
                facts += self._of_subscription(subscription.to_dict(), seen)
            except (KeyError, TypeError, ValueError, AttributeError, stripe.InvalidRequestError) as odd:
                facts.append(Unreadable(object_id=str(subscription.id), why=f"{type(odd).__name__} while reading it"))
        return facts, page.data[-1].id if page.has_more and page.data else None

    def events(self, since: int, after: str | None) -> tuple[list[Notification | Unreadable], str | None]:
        """One page of the events since a time that we use, newest first, delivered or not; and the next cursor."""
        params: EventListParams = {"limit": PAGE, "created": {"gte": since}}
        if after:
            params["starting_after"] = after
        page = self._v1.events.list(params)
        events: list[Notification | Unreadable] = []
        for event in page.data:
            try:
                events += [minimise_event(event.to_dict())] if event.type in EVENTS else []
            except BadWebhook as odd:
                events.append(Unreadable(object_id=str(event.id), why=odd.detail))
        return events, page.data[-1].id if page.has_more else None

    def event(self, event_id: str) -> Notification:
        """Read one event by its id. Stripe keeps events for 30 days."""
        return minimise_event(self._v1.events.retrieve(event_id).to_dict())


def observed_at(answer: Any, now: int) -> int:
    """The time of an answer by Stripe's clock (its Date header), comparable with the times of events."""
    response = answer.last_response
    date = (response.headers or {}).get("Date") if response is not None else None
    try:
        return int(parsedate_to_datetime(date).astimezone(UTC).timestamp()) if date else now
    except ValueError:
        return now


def id_of(value: Any) -> str | None:
    """The id of an object that may be expanded, or absent."""
    return value if value is None or isinstance(value, str) else str(value.id)
