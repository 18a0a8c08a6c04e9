"""Stripe's events as facts. For an event without all the data, the translation names the objects to read."""

from collections.abc import Callable
from functools import partial
from typing import Any

from billing.data import replace
from billing.providers.interface import Notification
from billing.providers.stripe import objects
from billing.providers.stripe.subscriptions import says_too_little, subscription_fact
from billing.rules.facts import DunningFact, Fact, Ref, Translation

# In these states the open invoices are read, because they say which period is unpaid.
_OWING = frozenset({"past_due", "unpaid"})
_Translator = Callable[[dict[str, Any], int], Translation]


def translate(notification: Notification) -> Translation:
    """The facts of a minimised event, or the reason why it is ignored. Unknown values do not raise."""
    if "account" in notification.payload:
        return Translation(reason="an event of a connected account")
    translator = _TRANSLATORS.get(notification.type)
    if translator is None:
        return Translation(reason=_IGNORED.get(notification.type, "an event this service does not use"))
    if "id" not in notification.payload["object"]:
        return Translation(reason="about an object without an id that Stripe gives")
    return translator(dict(notification.payload["object"]), notification.created_at)


def _facts(*facts: Fact | None, otherwise: str) -> Translation:
    present = tuple(fact for fact in facts if fact is not None)
    return Translation(facts=present) if present else Translation(reason=otherwise)


def _subscription(subscription: dict[str, Any], at: int) -> Translation:
    """The event has the whole state, except for a scheduled change, the open invoices, the effect of discounts and
    currencies on the price, and the customer's comment on cancelling."""
    fact = subscription_fact(subscription, at)
    if fact is None:
        return Translation(rereads=(Ref("subscription", subscription["id"]),))
    if fact.status != "canceled" and ("schedule" in subscription or says_too_little(subscription)):
        return Translation(rereads=(Ref("subscription", subscription["id"]),))
    incomplete = fact.status in _OWING or objects.at(subscription, "cancellation_details", "comment")
    return Translation(facts=(fact,), rereads=(Ref("subscription", fact.subscription_id),) if incomplete else ())


def _schedule(schedule: dict[str, Any], _: int) -> Translation:
    subscription = objects.at(schedule, "subscription") or objects.at(schedule, "released_subscription")
    if subscription is None:
        return Translation(reason="a schedule without a subscription")
    return Translation(rereads=(Ref("subscription", subscription),))


def _checkout(session: dict[str, Any], at: int, *, failed: bool = False) -> Translation:
    """A session has no billing period, so its subscription is read too."""
    facts = objects.checkout_facts(session, at, failed)
    if not facts:
        return Translation(reason="a checkout session that is not ours")
    subscription = session.get("subscription")
    return Translation(facts=facts, rereads=(Ref("subscription", subscription),) if subscription else ())


def _invoice(invoice: dict[str, Any], at: int) -> Translation:
    """An event has only the first lines; with more, the invoice is read, as prorations precede the line we need."""
    if objects.invoice_subscription(invoice) is not None and objects.at(invoice, "lines", "has_more"):
        return Translation(rereads=(Ref("invoice", invoice["id"]),))
    fact = objects.invoice_fact(invoice, at)
    return _facts(fact, otherwise="an invoice of no subscription")


def _invoice_paid(invoice: dict[str, Any], at: int) -> Translation:
    return _invoice({**invoice, "status": "paid"}, at)


def _invoice_action_required(invoice: dict[str, Any], at: int) -> Translation:
    meaning = _invoice(invoice, at)
    if meaning.rereads:
        # A read invoice does not say that action is required.
        fact = objects.dunning_fact({**invoice, "lines": {}}, at, action_required=True)
        return replace(meaning, facts=(fact,) if fact else ())
    facts = tuple(replace(f, action_required=True) if isinstance(f, DunningFact) else f for f in meaning.facts)
    return replace(meaning, facts=facts)


def _invoice_given_up(invoice: dict[str, Any], at: int) -> Translation:
    """Voided or uncollectible: there is no further attempt, even if the object still names one."""
    return _invoice({name: value for name, value in invoice.items() if name != "next_payment_attempt"}, at)


def _operator(invoice: dict[str, Any], _: int) -> Translation:
    code = objects.at(invoice, "last_finalization_error", "code") or "see the Stripe dashboard"
    return Translation(reason=f"operator: invoice {invoice['id']} cannot be collected ({code})")


def _invoice_payment(payment: dict[str, Any], _: int) -> Translation:
    """Links an invoice to its payment intent: read the invoice with its payments."""
    if "invoice" not in payment:
        return Translation(reason="a payment of no invoice")
    return Translation(rereads=(Ref("invoice", payment["invoice"]),))


def _payment_intent_succeeded(intent: dict[str, Any], at: int) -> Translation:
    """A second source for one-time purchases. It has the session's purchase id, so the purchase counts once. It is read
    too, for Stripe's fee."""
    charge = intent.get("latest_charge")
    facts = objects.purchase_facts(
        intent,
        at,
        purchase_id=intent["id"],
        state="paid",
        amount_cents=intent.get("amount_received", intent.get("amount", 0)),
        refs=(charge,) if charge else (),
    )
    meaning = _facts(*facts, otherwise="not one of our one-time purchases")
    return replace(meaning, rereads=(Ref("payment", intent["id"]),)) if facts else meaning


def _charge_succeeded(charge: dict[str, Any], at: int) -> Translation:
    intent = charge.get("payment_intent")
    facts = objects.purchase_facts(
        charge,
        at,
        purchase_id=intent or charge["id"],
        state="paid",
        amount_cents=charge.get("amount", 0),
        refs=(charge["id"],),
    )
    return _facts(*facts, otherwise="not one of our one-time purchases")


def _charge_refunded(charge: dict[str, Any], _: int) -> Translation:
    """The event has a cumulative amount, no refund id and (since basil) no invoice, so the payment is read."""
    return _payment_first(charge, lambda _: None)


def _charge_updated(charge: dict[str, Any], _: int) -> Translation:
    """Stripe may know its fee only minutes after the payment, which is why the payment is read again."""
    if charge.get("status") != "succeeded":
        return Translation(reason="a charge that took no money")
    return _payment_first(charge, lambda _: None)


def _refund(refund: dict[str, Any], at: int) -> Translation:
    return _payment_first(refund, lambda name: objects.refund_fact(refund, name, at))


def _dispute(dispute: dict[str, Any], at: int) -> Translation:
    return _payment_first(dispute, lambda name: objects.dispute_fact(dispute, name, at))


def _fraud_warning(warning: dict[str, Any], at: int) -> Translation:
    return _payment_first(warning, lambda name: objects.fraud_warning_fact(name, at))


def _payment_first(source: dict[str, Any], make: Callable[[str], Fact | None]) -> Translation:
    """A fact about a payment; the payment is read too, for its owner and its other ids."""
    name = objects.payment_name(source)
    if name is None:
        return Translation(reason=f"a {source['object']} of no payment")
    fact = make(name)
    return Translation(facts=(fact,) if fact else (), rereads=(Ref("payment", name),))


def _discount(discount: dict[str, Any], _: int) -> Translation:
    """A customer's discount changes the price of their subscriptions without any subscription event."""
    if subscription := discount.get("subscription"):
        return Translation(rereads=(Ref("subscription", subscription),))
    if customer := discount.get("customer"):
        return Translation(rereads=(Ref("customer", customer),), reason="a discount of nobody who subscribes here")
    return Translation(reason="a discount of no customer")


def _customer_deleted(customer: dict[str, Any], at: int) -> Translation:
    return Translation(facts=(objects.customer_deleted_fact(customer, at),))


_TRANSLATORS: dict[str, _Translator] = {
    "checkout.session.completed": _checkout,
    "checkout.session.async_payment_succeeded": _checkout,
    "checkout.session.async_payment_failed": partial(_checkout, failed=True),
    "checkout.session.expired": _checkout,
    "customer.subscription.created": _subscription,
    "customer.subscription.updated": _subscription,
    "customer.subscription.deleted": _subscription,
    "customer.subscription.paused": _subscription,
    "customer.subscription.resumed": _subscription,
    "customer.subscription.pending_update_applied": _subscription,
    "customer.subscription.pending_update_expired": _subscription,
    "customer.subscription.trial_will_end": _subscription,
    "subscription_schedule.created": _schedule,
    "subscription_schedule.updated": _schedule,
    "subscription_schedule.released": _schedule,
    "subscription_schedule.canceled": _schedule,
    "subscription_schedule.completed": _schedule,
    "invoice.paid": _invoice_paid,
    "invoice.payment_succeeded": _invoice_paid,
    "invoice.payment_failed": _invoice,
    "invoice.payment_action_required": _invoice_action_required,
    "invoice.marked_uncollectible": _invoice_given_up,
    "invoice.voided": _invoice_given_up,
    "invoice.payment_attempt_required": _operator,
    "invoice.finalization_failed": _operator,
    "invoice_payment.paid": _invoice_payment,
    "payment_intent.succeeded": _payment_intent_succeeded,
    "charge.succeeded": _charge_succeeded,
    "charge.updated": _charge_updated,
    "charge.refunded": _charge_refunded,
    "charge.refund.updated": _refund,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.closed": _dispute,
    "charge.dispute.funds_withdrawn": _dispute,
    "charge.dispute.funds_reinstated": _dispute,
    "radar.early_fraud_warning.created": _fraud_warning,
    "radar.early_fraud_warning.updated": _fraud_warning,
    "customer.deleted": _customer_deleted,
    "customer.discount.created": _discount,
    "customer.discount.updated": _discount,
    "customer.discount.deleted": _discount,
}
# What `billing stripe setup` subscribes to.
EVENTS = tuple(_TRANSLATORS)

_IGNORED = {
    "invoice.upcoming": "a preview, not an invoice",
    "payment_intent.processing": "the checkout session says when a delayed payment is decided",
    "payment_intent.canceled": "the checkout session says when nothing will be paid",
    "payment_intent.payment_failed": "an attempt: the buyer may still pay in the same session",
    "payment_intent.requires_action": "an attempt: the buyer may still pay in the same session",
    "charge.failed": "an attempt: the buyer may still pay in the same session",
}
