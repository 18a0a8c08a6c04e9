"""Reading Stripe's objects again: the truth when an event says too little, came late or never came."""

from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import stripe

from billing.data import replace
from billing.errors import BadWebhook, Parked
from billing.providers.interface import Notification, Unreadable
from billing.providers.stripe import objects
from billing.providers.stripe.recurring import says_too_little
from billing.providers.stripe.translate import EVENTS
from billing.providers.stripe.webhook import minimal, minimise_event
from billing.rules.facts import Fact, PaymentFact, PurchaseFact, Ref

if TYPE_CHECKING:
    from stripe.params import EventListParams, InvoiceListParams, SubscriptionItemListParams, SubscriptionListParams

PAGE = 100
INVOICES = 24
# Read with a subscription: its schedule's phases, how its last invoice was paid, and its customer's metadata.
_WHOLE = ["schedule", "latest_invoice.payments", "customer"]
# The same, and what its price depends on.
_COSTS = ["discounts", "items.data.discounts", "items.data.price.currency_options"]


class Reader:
    """Reads through one SDK client; raises the SDK's errors."""

    def __init__(self, api: stripe.StripeClient) -> None:
        self._v1 = api.v1

    def read(self, ref: Ref, now: int) -> tuple[Fact, ...]:
        """The object as it is now, as facts; empty for one that is not ours."""
        if ref.kind == "subscription":
            return self._subscription(ref.id, now)
        if ref.kind == "checkout" or ref.id.startswith("cs_"):
            return self._checkout(ref.id, now)
        if ref.kind == "invoice" or ref.id.startswith("in_"):
            return self._invoice(ref.id, now)
        return self._payment(ref.id, now)

    def _subscription(self, subscription_id: str, now: int) -> tuple[Fact, ...]:
        subscription = self._v1.subscriptions.retrieve(subscription_id, {"expand": _WHOLE})
        return self._of_subscription(subscription.to_dict(), observed_at(subscription, now))

    def _of_subscription(self, subscription: dict[str, Any], seen: int) -> tuple[Fact, ...]:
        """A subscription with its last invoice, in case no event reported it; where invoices are open, with all recent
        ones. One that was made by hand carries no user, but its customer does."""
        if says_too_little(minimal(subscription)):
            subscription = self._with_coupons(subscription)
        customer = subscription.get("customer")
        discount = customer.get("discount") if isinstance(customer, dict) else None
        # A customer's discount counts where the subscription has none of its own.
        of_customer = bool(discount) and not subscription.get("discounts")
        if of_customer:
            subscription = {**subscription, "discounts": [self._with_coupon(discount)]}
        fact = objects.subscription_fact(minimal(subscription), seen, customer_discount=of_customer)
        if fact and (said := objects.at(subscription, "cancellation_details", "comment")):
            fact = replace(fact, comment=str(said))
        facts: list[Fact | None] = [fact]
        invoice = subscription.get("latest_invoice")
        if isinstance(invoice, dict):
            settled = invoice.get("status") == "paid" and subscription.get("status") not in ("past_due", "unpaid")
            invoices = [invoice] if settled else self._invoices(subscription["id"])
            facts += [objects.invoice_fact(self._whole(each), seen) for each in invoices]
        named = objects.at(minimal(customer), "metadata", "user_id") if isinstance(customer, dict) else None
        return tuple(replace(fact, user_id=fact.user_id or named) for fact in facts if fact)

    def _with_coupons(self, subscription: dict[str, Any]) -> dict[str, Any]:
        """The subscription with all its items, their discounts and coupons, read one by one, because an answer expands
        only four levels."""
        again = self._v1.subscriptions.retrieve(subscription["id"], {"expand": _COSTS}).to_dict()
        if again["items"].get("has_more"):
            params: SubscriptionItemListParams = {
                "subscription": subscription["id"],
                "limit": PAGE,
                "expand": ["data.discounts", "data.price.currency_options"],
            }
            items = self._v1.subscription_items.list(params).auto_paging_iter()
            again["items"] = {"data": [item.to_dict() for item in items]}
        for holder in (again, *again["items"]["data"]):
            holder["discounts"] = [self._with_coupon(discount) for discount in holder.get("discounts") or []]
        return {**subscription, "items": again["items"], "discounts": again["discounts"]}

    def _with_coupon(self, discount: Any) -> Any:
        coupon = objects.at(discount, "source", "coupon") if isinstance(discount, dict) else None
        if not isinstance(coupon, str):
            return discount
        try:
            whole = self._v1.coupons.retrieve(coupon, {"expand": ["applies_to", "currency_options"]}).to_dict()
        except stripe.InvalidRequestError as gone:
            if gone.code != "resource_missing":
                raise
            return discount  # a deleted coupon still counts, but Stripe no longer says how much it takes off
        return {**discount, "source": {**discount["source"], "coupon": whole}}

    def _invoices(self, subscription_id: str) -> list[dict[str, Any]]:
        """The newest invoices of a subscription, as many as could be open at once."""
        params: InvoiceListParams = {"subscription": subscription_id, "limit": INVOICES, "expand": ["data.payments"]}
        return [invoice.to_dict() for invoice in self._v1.invoices.list(params).data]

    def _whole(self, invoice: dict[str, Any]) -> dict[str, Any]:
        """The allow-listed invoice with all its lines: the object itself holds only the first ones."""
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
        # A complete, unpaid session does not show whether its bank debit is on its way or has failed.
        failed = self._v1.payment_intents.retrieve(intent).status in ("requires_payment_method", "canceled")
        return (*ended, replace(bought, state="failed" if failed else bought.state))

    def _invoice(self, invoice_id: str, now: int) -> tuple[Fact, ...]:
        answer = self._v1.invoices.retrieve(invoice_id, {"expand": ["payments"]})
        fact = objects.invoice_fact(self._whole(answer.to_dict()), observed_at(answer, now))
        return (fact,) if fact else ()

    def _payment(self, name: str, now: int) -> tuple[Fact, ...]:
        """The payment with its owner, and every refund, dispute and warning about it. Read together, they need no
        order."""
        if not name.startswith("pi_"):
            charged = self._v1.charges.retrieve(name).to_dict()
            name = str(charged.get("payment_intent") or "")
            if not name:
                return ()  # a charge without an intent: we never create one
        answer = self._v1.payment_intents.retrieve(name, {"expand": ["latest_charge.balance_transaction"]})
        seen, full = observed_at(answer, now), answer.to_dict()
        charge: dict[str, Any] = full["latest_charge"] if isinstance(full.get("latest_charge"), dict) else {}
        fee = objects.at(charge, "balance_transaction", "fee")
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
        owner = owner or self._invoice_of(name, seen, charge_ids, fee)
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

    def _invoice_of(self, intent: str, seen: int, charge_ids: tuple[str, ...], fee: int | None) -> PaymentFact | None:
        payments = self._v1.invoice_payments.list(
            {"payment": {"type": "payment_intent", "payment_intent": intent}, "expand": ["data.invoice"]}
        )
        for payment in payments.data:
            invoice = payment.to_dict()["invoice"]
            if not isinstance(invoice, dict):
                continue
            fact = objects.payment_fact(self._whole(invoice), seen, charge_ids=(intent, *charge_ids), fee_cents=fee)
            if fact and invoice.get("status") != "paid":
                raise Parked(f"stripe invoice {invoice['id']} of payment {intent} is not paid yet", "not_known_yet")
            if fact:
                return fact
        return None

    @staticmethod
    def _all(service: Any, intent: str) -> Iterable[dict[str, Any]]:
        """Every object of a service that is about one payment intent, in the allow-listed form."""
        answer = service.list({"payment_intent": intent, "limit": PAGE})
        return (minimal(thing.to_dict()) for thing in answer.auto_paging_iter())

    # --- names of a payment ------------------------------------------------------------------------------------------

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
        """The payment intents behind a payment, the newest first, and how much of it was paid past Stripe."""
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
        """What has not been given back yet of an intent's charge."""
        charge = self._v1.payment_intents.retrieve(intent, {"expand": ["latest_charge"]}).latest_charge
        return charge.amount - charge.amount_refunded if isinstance(charge, stripe.Charge) else 0

    def refund_made(self, intent: str, request_id: str) -> dict[str, Any] | None:
        """The refund of an intent that our request has made already, if there is one."""
        for refund in self._v1.refunds.list({"payment_intent": intent, "limit": PAGE}).auto_paging_iter():
            made = refund.to_dict()
            if (made.get("metadata") or {}).get("refund_request") == request_id:
                return made
        return None

    def receipt_url(self, payment_id: str) -> str | None:
        """Stripe's hosted page about a payment. Whoever has the link reads it: never store it."""
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
        """One page of the account's subscriptions that are not canceled, and where the next one starts."""
        params: SubscriptionListParams = {"limit": PAGE, "expand": [f"data.{name}" for name in _WHOLE]}
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
        """One page of those events since a time that mean something to us, the newest first, delivered or not."""
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
        """An event again, as Stripe keeps it for 30 days."""
        return minimise_event(self._v1.events.retrieve(event_id).to_dict())


def observed_at(answer: Any, now: int) -> int:
    """The time of an answer by Stripe's own clock (its Date header), so that it compares with events' times."""
    response = answer.last_response
    date = (response.headers or {}).get("Date") if response is not None else None
    try:
        return int(parsedate_to_datetime(date).astimezone(UTC).timestamp()) if date else now
    except ValueError:
        return now


def id_of(value: Any) -> str | None:
    """The id of something that Stripe may have expanded, or left out."""
    return value if value is None or isinstance(value, str) else str(value.id)
