"""Facts: the provider-neutral meaning of an event or of an object read again.

A fact says what is true at `observed_at` (the provider's clock, Unix seconds), never what to do about it.
`user_id` comes from our own metadata on the provider's object, or is None when only the provider's ids are known.
"""

from typing import Literal

from billing.data import dataclass, field
from billing.rules.records import DisputeStatus, InvoiceState, PurchaseState, RefundStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fact:
    provider: str
    observed_at: int
    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFact:
    """One price in a subscription, of ours or of somebody else. `recurring_cents`: see `Subscription`."""

    price_id: str
    current_period_start: int
    current_period_end: int
    item_id: str | None = None
    quantity: int = 1
    recurring_cents: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFact(_Fact):
    """The whole state of a subscription. `reread` marks an answer of the provider to our own question.

    `price_id`, the item, its period and quantity are those of the first of `items`, or of the only one. `scheduled_…`:
    price and plan from the period's end on, where a change is arranged. `customer_discount`: whether a discount of the
    customer lowers the recurring price; None where the event does not say. `comment`: what they wrote as they left;
    only a read has it, and no record keeps it.
    """

    subscription_id: str
    status: str
    price_id: str
    current_period_start: int
    current_period_end: int
    created_at: int
    customer_id: str | None = None
    item_id: str | None = None
    quantity: int = 1
    trial_end: int | None = None
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    ended_at: int | None = None
    cancel_reason: str | None = None
    comment: str | None = field(default=None, repr=False)
    collection_paused: bool = False
    scheduled_price_id: str | None = None
    scheduled_plan_id: str | None = None
    scheduled_plan_version: int | None = None
    plan_id: str | None = None
    plan_version: int | None = None
    checkout_id: str | None = None
    currency: str | None = None
    recurring_cents: int | None = None
    customer_discount: bool | None = None
    items: tuple[ItemFact, ...] = ()
    reread: bool = False

    @property
    def every_item(self) -> tuple[ItemFact, ...]:
        return self.items or (
            ItemFact(
                price_id=self.price_id,
                item_id=self.item_id,
                quantity=self.quantity,
                current_period_start=self.current_period_start,
                current_period_end=self.current_period_end,
                recurring_cents=self.recurring_cents,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFact:
    """What one line of an invoice asks money for."""

    price_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFact(_Fact):
    """A subscription's invoice was paid. `refs`: payment intent and charge ids by which refunds will name it.

    `price_id` and the period are what was paid for, by the first of `lines`, the one that runs longest; the
    subscription may have another price by now. `tax_cents` is part of the amount. `given_up_at`: see `Payment`.
    """

    subscription_id: str
    payment_id: str
    amount_cents: int
    currency: str
    paid_at: int
    period_start: int | None = None
    period_end: int | None = None
    refs: tuple[str, ...] = ()
    fee_cents: int | None = None
    customer_id: str | None = None
    price_id: str | None = None
    plan_id: str | None = None
    plan_version: int | None = None
    lines: tuple[LineFact, ...] = ()
    tax_cents: int = 0
    tax_inside: bool = False
    given_up_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DunningFact(_Fact):
    """An invoice is not paid: collecting it failed, needs the customer, or was given up (see `Dunning`)."""

    subscription_id: str
    invoice_id: str
    attempt_count: int
    next_attempt_at: int | None
    action_required: bool = False
    state: InvoiceState = "open"
    first: bool = False
    waived: bool = False
    period_start: int | None = None
    period_end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseFact(_Fact):
    """The state of a one-time purchase, or (for a recurring plan at a bitcoin provider) of a prepaid term.

    `poll`: an invoice in bitcoin. It may change without our being told, so it has to be looked at again, and anybody at
    the same server may write what ours bears: `plan_id`, `plan_version` and price count only as our own order has them,
    and `user_id` is a hint. `received_cents` is all that came less the network's fees, at the invoice's rate,
    `received_sat` the same in satoshis; `paid_at` when the price was reached, or the last of it came. Where
    `returns_surplus`, the provider gives back by itself what came beyond the price. `tax_cents` None: not told.
    `transactions`: ids on the chain, by which a person may ask.
    """

    purchase_id: str
    state: PurchaseState
    amount_cents: int
    currency: str
    plan_id: str = ""
    plan_version: int = 0
    checkout_id: str | None = None
    customer_id: str | None = None
    created_at: int | None = None
    paid_at: int | None = None
    due_cents: int = 0
    received_cents: int = 0
    received_sat: int = 0
    returns_surplus: bool = False
    expires_at: int | None = None
    refs: tuple[str, ...] = ()
    fee_cents: int | None = None
    tax_cents: int | None = None
    transactions: tuple[str, ...] = ()
    poll: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFact(_Fact):
    """One refund, by its own id. `payment_ref` is any name of the payment: its id or one of its `refs`. `made_at`: when
    it was made, where the provider says so.

    `request_id`: the request of ours that it carries out, as written on the provider's object. `exact_amount`: the
    provider's own words for it, where `amount_cents` is rounded or converted. `waits_for`: of one in bitcoin that is on
    its way, whose turn it is: the buyer's (`claim`), the merchant's (`approval`) or the server's (`payment`).
    `paid_cents`: what was paid out of it so far, which stands if the rest is withdrawn.
    """

    refund_id: str
    payment_ref: str
    amount_cents: int
    currency: str
    status: RefundStatus
    reason: str | None = None
    made_at: int | None = None
    request_id: str | None = None
    exact_amount: str | None = None
    waits_for: str | None = None
    paid_cents: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeFact(_Fact):
    dispute_id: str
    payment_ref: str
    amount_cents: int
    currency: str
    status: DisputeStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudWarningFact(_Fact):
    payment_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutFact(_Fact):
    """A hosted checkout ended. `customer_id` and `subscription_id` are linked to the user by it."""

    session_id: str
    status: Literal["completed", "expired"]
    checkout_id: str | None = None
    customer_id: str | None = None
    subscription_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerDeletedFact(_Fact):
    customer_id: str


Fact = (
    SubscriptionFact
    | PaymentFact
    | DunningFact
    | PurchaseFact
    | RefundFact
    | DisputeFact
    | FraudWarningFact
    | CheckoutFact
    | CustomerDeletedFact
)


@dataclass(frozen=True, slots=True)
class Ref:
    """A provider's object to read: `kind` is subscription, checkout, invoice, payment, purchase, or a customer, which
    means all their subscriptions on record here. `within`: the shop that it belongs to, where one account holds
    several; empty where that was not said."""

    kind: Literal["subscription", "checkout", "invoice", "payment", "purchase", "customer"]
    id: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class Translation:
    """What an event means: facts to apply, and objects to read first because the event says too little. Both empty:
    verified, but of no meaning to us; `reason` then says why, in a few words for the audit record."""

    facts: tuple[Fact, ...] = ()
    rereads: tuple[Ref, ...] = ()
    reason: str = ""
