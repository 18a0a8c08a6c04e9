"""Stripe's objects as facts: pure functions, for objects from events and from the API.

Stripe moved fields in API version 2025-03-31 ("basil"): the period from the subscription to its items, an invoice's
subscription under `parent`, a payment's invoice out of the charge. An endpoint may send the old shapes for years, so
every function here checks the fields, never the version. Objects are in the allow-listed form of `webhook.minimal`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from billing.providers.stripe.recurring import at as at
from billing.providers.stripe.recurring import recurring_amounts
from billing.rules.facts import (
    CheckoutFact,
    CustomerDeletedFact,
    DisputeFact,
    DunningFact,
    Fact,
    FraudWarningFact,
    ItemFact,
    LineFact,
    PaymentFact,
    PurchaseFact,
    RefundFact,
    SubscriptionFact,
)
from billing.rules.records import INVOICE_STATES, DisputeStatus, PurchaseState, RefundStatus

Object = Mapping[str, Any]
PROVIDER = "stripe"

_REFUND_STATUS: dict[str, RefundStatus] = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}

# An inquiry moves no money; "prevented" was settled by a separate refund. During an appeal the money is still withheld.
# An unknown status counts as open, which suspends the access that the payment gave.
_DISPUTE_STATUS: dict[str, DisputeStatus] = {
    "warning_needs_response": "inquiry",
    "warning_under_review": "inquiry",
    "warning_closed": "inquiry",
    "prevented": "inquiry",
    "needs_response": "open",
    "under_review": "open",
    "won": "won",
    "lost": "lost",
    "appeal_needs_response": "lost",
    "appeal_under_review": "lost",
}


def subscription_fact(
    subscription: Object, observed_at: int, *, customer_discount: bool | None = None
) -> SubscriptionFact | None:
    """The state of a subscription with all its items; None when the object lacks an item or a period.

    `customer_discount`: whether a discount of its customer applies; None if unknown, as in an event.

    The first item represents the subscription. Items at prices created by us come first, then the oldest.
    """
    items = tuple(item_facts(subscription, observed_at))
    if not items:
        return None
    first = items[0]
    metadata: Object = subscription.get("metadata") or {}
    next_phase, scheduled = _next_phase(subscription, items)
    return SubscriptionFact(
        provider=PROVIDER,
        observed_at=observed_at,
        user_id=metadata.get("user_id"),
        subscription_id=subscription["id"],
        status=subscription.get("status", "other"),
        price_id=first.price_id,
        item_id=first.item_id,
        quantity=first.quantity,
        current_period_start=first.current_period_start,
        current_period_end=first.current_period_end,
        created_at=subscription.get("created", first.current_period_start),
        customer_id=subscription.get("customer"),
        trial_end=subscription.get("trial_end"),
        cancel_at=subscription.get("cancel_at"),
        cancel_at_period_end=subscription.get("cancel_at_period_end", False),
        canceled_at=subscription.get("canceled_at"),
        ended_at=subscription.get("ended_at"),
        cancel_reason=_cancel_reason(subscription),
        collection_paused="pause_collection" in subscription,
        scheduled_price_id=scheduled,
        scheduled_plan_id=at(next_phase, "metadata", "plan_id"),
        scheduled_plan_version=_version(next_phase.get("metadata") or {}),
        plan_id=metadata.get("plan_id"),
        plan_version=_version(metadata),
        checkout_id=metadata.get("checkout_id"),
        currency=currency_of(subscription),
        recurring_cents=first.recurring_cents,
        customer_discount=customer_discount,
        items=items if len(items) > 1 else (),
    )


def currency_of(subscription: Object) -> str | None:
    """The currency it is charged in (a price can have several): its own, else that of an item's price."""
    currency = subscription.get("currency") or next(
        (c for i in at(subscription, "items", "data") or [] if (c := at(i, "price", "currency"))), None
    )
    return currency.upper() if currency else None


def item_facts(subscription: Object, observed_at: int) -> Iterator[ItemFact]:
    items = sorted(at(subscription, "items", "data") or [], key=_item_rank)
    recurring = recurring_amounts(subscription, items, observed_at)
    for item, amount in zip(items, recurring, strict=True):
        start = item.get("current_period_start", subscription.get("current_period_start"))
        end = item.get("current_period_end", subscription.get("current_period_end"))
        price = at(item, "price", "id")
        if start is not None and end is not None and price is not None:
            yield ItemFact(
                price_id=price,
                current_period_start=start,
                current_period_end=end,
                item_id=item.get("id"),
                quantity=item.get("quantity", 1),
                recurring_cents=amount,
            )


def _item_rank(item: Object) -> tuple[bool, int, str]:
    made_by_us = at(item, "price", "metadata", "plan_id") is not None
    return not made_by_us, item.get("created", 0), item.get("id", "")


def _cancel_reason(subscription: Object) -> str | None:
    """The customer's reason if there is one, else Stripe's: payment_failed, payment_disputed, …"""
    details: Object = subscription.get("cancellation_details") or {}
    reason: str | None = details.get("feedback") or details.get("reason")
    return reason


def _next_phase(subscription: Object, items: Sequence[ItemFact]) -> tuple[Object, str | None]:
    """The scheduled phase after this period and its price, if it changes the price or the plan version.

    Empty when nothing is scheduled, or when the schedule's phases were not expanded.
    """
    first, current_prices = items[0], {item.price_id for item in items}
    current = at(subscription, "metadata", "plan_id"), at(subscription, "metadata", "plan_version")
    for phase in at(subscription, "schedule", "phases") or []:
        metadata: Object = phase.get("metadata") or {}
        scheduled = metadata.get("plan_id", current[0]), metadata.get("plan_version", current[1])
        prices = [price for item in phase.get("items", []) if (price := at(item, "price", "id"))]
        new = [price for price in prices if price not in current_prices]
        if phase.get("start_date", 0) >= first.current_period_end and prices and (new or scheduled != current):
            return phase, (new or [price for price in prices if price == first.price_id] or prices)[0]
    return {}, None


def invoice_subscription(invoice: Object) -> str | None:
    """The subscription id of an invoice; None for a stand-alone invoice."""
    owner: str | None = invoice.get("subscription") or at(invoice, "parent", "subscription_details", "subscription")
    return owner


def _subscription_metadata(invoice: Object) -> Object:
    """The subscription's metadata as it was when the invoice was finalized."""
    metadata: Object = at(invoice, "parent", "subscription_details", "metadata") or at(
        invoice, "subscription_details", "metadata"
    )
    return metadata or {}


def payment_fact(
    invoice: Object, observed_at: int, *, charge_ids: tuple[str, ...] = (), fee_cents: int | None = None
) -> PaymentFact | None:
    """The payment of a subscription's paid invoice, also if paid by a retry or outside Stripe; None without one."""
    subscription_id = invoice_subscription(invoice)
    if subscription_id is None:
        return None
    names = [invoice.get("payment_intent"), invoice.get("charge")]
    for payment in at(invoice, "payments", "data") or []:
        if payment.get("status", "paid") == "paid":
            names += [at(payment, "payment", "payment_intent"), at(payment, "payment", "charge")]
    lines, metadata = _bought_lines(invoice), _subscription_metadata(invoice)
    paid, tax = invoice.get("amount_paid", 0), _taxes(invoice)
    total = invoice.get("total") or paid
    return PaymentFact(
        provider=PROVIDER,
        observed_at=observed_at,
        user_id=metadata.get("user_id"),
        subscription_id=subscription_id,
        payment_id=invoice["id"],
        amount_cents=paid,
        currency=invoice.get("currency", "").upper(),
        paid_at=at(invoice, "status_transitions", "paid_at") or observed_at,
        period_start=lines[0].start if lines else None,
        period_end=lines[0].end if lines else None,
        refs=tuple(dict.fromkeys(name for name in (*names, *charge_ids) if name)),
        fee_cents=fee_cents,
        customer_id=invoice.get("customer"),
        price_id=lines[0].price_id or None if lines else None,
        plan_id=metadata.get("plan_id"),
        plan_version=_version(metadata),
        lines=lines,
        # If the customer's balance covered part of the invoice, only the same share of its tax counts.
        tax_cents=sum(amount for amount, _ in tax) * paid // total if total > 0 else 0,
        tax_inside=any(inside for _, inside in tax),
        given_up_at=at(invoice, "status_transitions", "marked_uncollectible_at"),
    )


def _taxes(invoice: Object) -> list[tuple[int, bool]]:
    """(amount, included in the price) of each tax of an invoice."""
    taxes = invoice.get("total_taxes") or invoice.get("total_tax_amounts") or []
    return [
        (tax.get("amount", 0), tax.get("tax_behavior") == "inclusive" or tax.get("inclusive", False)) for tax in taxes
    ]


def _bought_lines(invoice: Object) -> tuple[LineFact, ...]:
    """What an invoice charges for, the latest end first. (`period_start/end` of the invoice is the period before.)

    Proration lines count only if there are no others; they precede the line of the new period.
    """
    lines = [line for line in at(invoice, "lines", "data") or [] if {"start", "end"} <= line.get("period", {}).keys()]
    regular = [line for line in lines if not _proration(line)]
    bought = {
        LineFact(
            price_id=at(line, "pricing", "price_details", "price", "id") or at(line, "price", "id") or "",
            start=line["period"]["start"],
            end=line["period"]["end"],
        )
        for line in regular or [line for line in lines if line.get("amount", 0) > 0]
    }
    return tuple(sorted(bought, key=lambda line: (-line.end, line.start, line.price_id)))


def _proration(line: Object) -> bool:
    details = ("subscription_item_details", "invoice_item_details")
    return bool(line.get("proration") or any(at(line, "parent", d, "proration") for d in details))


def dunning_fact(invoice: Object, observed_at: int, *, action_required: bool = False) -> DunningFact | None:
    """A subscription's unpaid invoice; None for any other invoice, and for a draft, which is not due yet."""
    subscription_id = invoice_subscription(invoice)
    state = invoice.get("status", "open")
    if subscription_id is None or state not in INVOICE_STATES:
        return None
    lines = _bought_lines(invoice)
    return DunningFact(
        provider=PROVIDER,
        observed_at=observed_at,
        user_id=_subscription_metadata(invoice).get("user_id"),
        subscription_id=subscription_id,
        invoice_id=invoice["id"],
        attempt_count=invoice.get("attempt_count", 0),
        next_attempt_at=invoice.get("next_payment_attempt"),
        action_required=action_required,
        state=state,
        first=invoice.get("billing_reason") == "subscription_create",
        waived=state == "uncollectible" and _waived(invoice),
        period_start=lines[0].start if lines else None,
        period_end=lines[0].end if lines else None,
    )


def _waived(invoice: Object) -> bool:
    """Whether an invoice is uncollectible because collection is paused. Older API versions give no reason; there, an
    invoice without any attempt counts as such."""
    reason = at(invoice, "status_details", "uncollectible", "reason")
    if reason is not None:
        return bool(reason == "subscription_paused")
    return not invoice.get("attempt_count") and invoice.get("collection_method") != "send_invoice"


def invoice_fact(invoice: Object, observed_at: int) -> Fact | None:
    """The payment of a paid invoice, else its dunning state."""
    if invoice.get("status") == "paid":
        return payment_fact(invoice, observed_at)
    return dunning_fact(invoice, observed_at)


def checkout_facts(session: Object, observed_at: int, failed: bool = False) -> tuple[Fact, ...]:
    """The end of a checkout session, and in payment mode the purchase. Empty for a session that is not ours.

    `status: complete` does not mean paid: `payment_status` does. `failed`: a delayed payment has failed.
    """
    metadata: Object = session.get("metadata") or {}
    user_id = metadata.get("user_id")
    if user_id is None or "checkout_id" not in metadata:
        return ()
    facts: list[Fact] = []
    ended = {"complete": "completed", "expired": "expired"}.get(session.get("status", ""))
    if ended:
        facts.append(
            CheckoutFact(
                provider=PROVIDER,
                observed_at=observed_at,
                user_id=user_id,
                session_id=session["id"],
                status="completed" if ended == "completed" else "expired",
                checkout_id=metadata["checkout_id"],
                customer_id=session.get("customer"),
                subscription_id=session.get("subscription"),
            )
        )
    if ended == "completed" and session.get("mode") == "payment":
        paid = session.get("payment_status") in ("paid", "no_payment_required")
        facts += purchase_facts(
            session,
            observed_at,
            purchase_id=session.get("payment_intent") or session["id"],
            state="paid" if paid else "failed" if failed else "pending",
            amount_cents=session.get("amount_total", 0),
            tax_cents=at(session, "total_details", "amount_tax"),
        )
    return tuple(facts)


def purchase_facts(
    source: Object,
    observed_at: int,
    *,
    purchase_id: str,
    state: PurchaseState,
    amount_cents: int,
    paid_at: int | None = None,
    refs: tuple[str, ...] = (),
    fee_cents: int | None = None,
    tax_cents: int | None = None,
) -> tuple[Fact, ...]:
    """The purchase of a session, payment intent or charge (`source`), if its metadata marks it as ours."""
    metadata: Object = source.get("metadata") or {}
    if not {"user_id", "plan_id", "checkout_id"} <= metadata.keys():
        return ()
    return (
        PurchaseFact(
            provider=PROVIDER,
            observed_at=observed_at,
            user_id=metadata["user_id"],
            purchase_id=purchase_id,
            plan_id=metadata["plan_id"],
            plan_version=_version(metadata) or 1,
            state=state,
            amount_cents=amount_cents,
            currency=source.get("currency", "").upper(),
            checkout_id=metadata["checkout_id"],
            customer_id=source.get("customer"),
            created_at=source.get("created"),
            paid_at=(paid_at or observed_at) if state == "paid" else None,
            refs=refs,
            fee_cents=fee_cents,
            tax_cents=tax_cents,
        ),
    )


def payment_name(source: Object) -> str | None:
    """The id by which a charge, refund, dispute or warning names its payment: the intent, else the charge."""
    own = source["id"] if source.get("object") == "charge" else None
    name: str | None = source.get("payment_intent") or source.get("charge") or own
    return name


def refund_fact(refund: Object, payment_ref: str, observed_at: int, user_id: str | None = None) -> RefundFact:
    return RefundFact(
        provider=PROVIDER,
        observed_at=observed_at,
        user_id=user_id,
        refund_id=refund["id"],
        payment_ref=payment_ref,
        amount_cents=refund.get("amount", 0),
        currency=refund.get("currency", "").upper(),
        status=_REFUND_STATUS.get(refund.get("status", ""), "pending"),
        reason=refund.get("reason"),
        request_id=at(refund, "metadata", "refund_request"),
    )


def dispute_fact(dispute: Object, payment_ref: str, observed_at: int, user_id: str | None = None) -> DisputeFact:
    return DisputeFact(
        provider=PROVIDER,
        observed_at=observed_at,
        user_id=user_id,
        dispute_id=dispute["id"],
        payment_ref=payment_ref,
        amount_cents=dispute.get("amount", 0),
        currency=dispute.get("currency", "").upper(),
        status=_DISPUTE_STATUS.get(dispute.get("status", ""), "open"),
        reason=dispute.get("reason"),
    )


def fraud_warning_fact(payment_ref: str, observed_at: int, user_id: str | None = None) -> FraudWarningFact:
    return FraudWarningFact(provider=PROVIDER, observed_at=observed_at, user_id=user_id, payment_ref=payment_ref)


def customer_deleted_fact(customer: Object, observed_at: int) -> CustomerDeletedFact:
    return CustomerDeletedFact(
        provider=PROVIDER,
        observed_at=observed_at,
        user_id=at(customer, "metadata", "user_id"),
        customer_id=customer["id"],
    )


def _version(metadata: Object) -> int | None:
    text = metadata.get("plan_version", "")
    return int(text) if text.isascii() and text.isdigit() else None
