"""Stripe's objects as facts: pure functions, for objects from events and from the API.

Stripe moved fields in API version 2025-03-31 ("basil"): the period from the subscription to its items, an invoice's
subscription under `parent`, a payment's invoice out of the charge. An endpoint may send the old shapes for years, so
every function here checks the fields, never the version. Objects are in the allow-listed form of `webhook.minimal`.
"""

from collections.abc import Mapping
from typing import Any

from billing.rules.facts import (
    CheckoutFact,
    CustomerDeletedFact,
    DisputeFact,
    DunningFact,
    Fact,
    FraudWarningFact,
    LineFact,
    PaymentFact,
    PurchaseFact,
    RefundFact,
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


def at(source: Object, *path: str) -> Any:
    """The value at a path of keys, or None where a key is missing."""
    value: Any = source
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def plan_version(metadata: Object) -> int | None:
    text = metadata.get("plan_version", "")
    return int(text) if text.isascii() and text.isdigit() else None


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


def payment_fact(invoice: Object, observed_at: int, *, charge_ids: tuple[str, ...] = ()) -> PaymentFact | None:
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
        customer_id=invoice.get("customer"),
        price_id=lines[0].price_id or None if lines else None,
        plan_id=metadata.get("plan_id"),
        plan_version=plan_version(metadata),
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
            plan_version=plan_version(metadata) or 1,
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


def fee_of(charge: Object) -> int | None:
    """Stripe's fee for a charge, in the charge's currency. It is taken in the account's, at this charge's own rate."""
    fee, gross = at(charge, "balance_transaction", "fee"), at(charge, "balance_transaction", "amount")
    return int(fee * charge["amount"] // gross if gross else fee) if fee is not None else None


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
        made_at=refund.get("created"),
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
