"""The records of one account, as they are stored: what the world has told us, before any judgement about access.

Times are Unix seconds (UTC). Amounts are integers in the minor unit. `observed_at` is the provider's time of the
newest observation a record reflects. Every mapping is keyed by the provider's own id, so that a repeat is no change
and the order of arrival does not matter.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Literal

from billing.data import dataclass, field, replace
from billing.errors import PastNeeded

SubscriptionStatus = Literal[
    "trialing", "active", "past_due", "unpaid", "paused", "incomplete", "incomplete_expired", "canceled"
]
TERMINAL: frozenset[str] = frozenset({"canceled", "incomplete_expired"})
# A live subscription occupies its group: another purchase there would bill twice.
LIVE: frozenset[str] = frozenset({"trialing", "active", "past_due", "unpaid", "paused"})

RefundStatus = Literal["pending", "succeeded", "failed"]
RequestStatus = Literal["reserved", "made", "refused"]
DisputeStatus = Literal["inquiry", "open", "won", "lost"]
# A refund for this reason gives back what came beyond the price: it touches neither the purchase nor the books.
SURPLUS = "surplus"
# Later words are stronger when two observations carry the same time.
PurchaseState = Literal["pending", "processing", "failed", "underpaid", "paid_late", "paid"]
PURCHASE_STATES: tuple[PurchaseState, ...] = ("pending", "processing", "failed", "underpaid", "paid_late", "paid")
# Money that comes in these states may still complete the order, so nobody has to decide about it yet.
UNDER_WAY: frozenset[PurchaseState] = frozenset({"pending", "processing"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money back. `request_id`: the request of ours (see `RefundRequest`) that it carries out, if any. `exact_amount`:
    the provider's own words for an amount that is rounded or converted here. `waits_for`: whose turn it is with a claim
    in bitcoin that is on its way, and `paid_cents`: what was paid out of it so far (see `RefundFact`). `since`: when it
    was made, or first took money, if that was before `observed_at`."""

    refund_id: str
    amount_cents: int
    status: RefundStatus
    observed_at: int
    reason: str | None = None
    request_id: str | None = None
    exact_amount: str | None = None
    waits_for: str | None = None
    since: int | None = None
    paid_cents: int = 0

    @property
    def given_back_cents(self) -> int:
        """What it gives back: a refund on its way counts, a failed one does not."""
        return 0 if self.status == "failed" else self.amount_cents

    @property
    def taken_at(self) -> int:
        return self.observed_at if self.since is None else self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A chargeback or inquiry. `since`: when it first took money, if that was before `observed_at`."""

    dispute_id: str
    amount_cents: int
    status: DisputeStatus
    observed_at: int
    reason: str | None = None
    since: int | None = None

    @property
    def withdrawn_cents(self) -> int:
        """What the chargeback has taken, until it is won; an inquiry takes nothing."""
        return self.amount_cents if self.status in ("open", "lost") else 0

    @property
    def taken_at(self) -> int:
        return self.observed_at if self.since is None else self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """A plan, and the time for which it was paid."""

    plan_id: str
    plan_version: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money in. `refs` are the provider's other names for it (payment intent, charge), by which refunds find it.

    `plan_id` and the period are what it paid for; None where the provider did not say: the plan and period of its
    record. `also`: what else one invoice paid for. `tax_cents` is the part of the amount that is tax; `tax_inside`:
    whether it was part of the price or came on top. `given_up_at`: when the provider had stopped expecting it;
    `accepted_by` names the admin who let such a late one count, from `accepted_at` on. `beyond_cents`: received beyond
    `amount_cents`; it is what goes back first.
    """

    payment_id: str
    amount_cents: int
    currency: str
    paid_at: int
    refs: tuple[str, ...] = ()
    period_start: int | None = None
    period_end: int | None = None
    fee_cents: int | None = None
    plan_id: str | None = None
    plan_version: int | None = None
    also: tuple[Bought, ...] = ()
    tax_cents: int = 0
    tax_inside: bool = False
    given_up_at: int | None = None
    accepted_by: str | None = None
    accepted_at: int | None = None
    refunds: Mapping[str, Refund] = field(default_factory=dict)
    disputes: Mapping[str, Dispute] = field(default_factory=dict)
    fraud_warning: bool = False
    beyond_cents: int = 0

    @property
    def given_back_cents(self) -> int:
        """All that went back, or is on its way."""
        return sum(r.given_back_cents for r in self.refunds.values())

    def tax_on(self, cents: int) -> int:
        """The tax within a part of the amount; the parts of a sum add up to the tax on the sum, by differences."""
        return self.tax_cents * cents // self.amount_cents if self.amount_cents else 0

    @property
    def refunded_cents(self) -> int:
        """What was given back of the price, or is on its way: a surplus goes back first, and never more than the price
        counts."""
        if not self.refunds and not self.beyond_cents:
            return 0
        surplus = sum(r.given_back_cents for r in self.refunds.values() if r.reason == SURPLUS)
        of_price = self.given_back_cents - surplus - max(0, self.beyond_cents - surplus)
        if of_price <= self.rounding_cents < self.amount_cents:
            return 0
        return self.amount_cents if of_price >= self.amount_cents - self.rounding_cents else of_price

    @property
    def rounding_cents(self) -> int:
        """By how much converted amounts may miss each other: one unit for each."""
        return sum(1 for r in self.refunds.values() if r.exact_amount)

    @property
    def kept_cents(self) -> int:
        """What is left of the price after refunds and chargebacks, which may both take the same money."""
        return self.amount_cents - self.refunded_cents - sum(d.withdrawn_cents for d in self.disputes.values())

    @property
    def fully_refunded(self) -> bool:
        return bool(self.refunds) and self.amount_cents > 0 and self.refunded_cents >= self.amount_cents

    @property
    def dispute_status(self) -> DisputeStatus | None:
        """The status that counts among several disputes: lost, else open, else won; an inquiry is none."""
        if not self.disputes:
            return None
        statuses = {d.status for d in self.disputes.values()}
        ranked: tuple[DisputeStatus, ...] = ("lost", "open", "won")
        return next((s for s in ranked if s in statuses), None)

    @property
    def closed_at(self) -> int | None:
        """Since when it gives nothing any more: when the last of it was refunded, or it was charged back."""
        closed = [d.taken_at for d in self.disputes.values() if d.withdrawn_cents]
        if self.fully_refunded:
            closed.append(self._refunded_at())
        return min(closed, default=None)

    def _refunded_at(self) -> int:
        """When the refund was made that completed the price; what goes back after it moves nothing."""
        counting = sorted((r for r in self.refunds.values() if r.given_back_cents), key=lambda r: r.taken_at)
        made: dict[str, Refund] = {}
        for refund in counting:
            made[refund.refund_id] = refund
            if replace(self, refunds=made).fully_refunded:
                break
        return refund.taken_at

    @property
    def suspended(self) -> bool:
        """A chargeback is open or lost, so what this payment bought is withdrawn."""
        return self.dispute_status in ("open", "lost")


InvoiceState = Literal["open", "uncollectible", "void"]
INVOICE_STATES: tuple[InvoiceState, ...] = ("open", "uncollectible", "void")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dunning:
    """An invoice of a subscription that is not paid. `next_attempt_at` None: the provider has given up. `start` and
    `end`: the period it asks money for. `first`: the subscription begins with it. `waived`: given up because the seller
    paused collection, so it is no debt."""

    invoice_id: str
    attempt_count: int
    next_attempt_at: int | None
    observed_at: int
    action_required: bool = False
    state: InvoiceState = "open"
    first: bool = False
    waived: bool = False
    start: int | None = None
    end: int | None = None

    @property
    def forgiven(self) -> bool:
        """Whether its period counts as settled. A void first invoice does not: the subscription was never paid."""
        return not self.first and (self.state == "void" or self.waived)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A plan of ours beside the first one in a subscription: its price, and the period it is paid for."""

    plan_id: str
    plan_version: int
    item_id: str | None
    price_id: str
    quantity: int
    current_period_start: int
    current_period_end: int
    recurring_cents: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Recurring, at a provider. The plan follows the price on the subscription's item, not metadata.

    `others`: further plans of ours in it. `recurring_cents`: what the first item costs per interval in `currency`, all
    units, less the discounts that stay; None where the provider does not say: the plan's price.
    `customer_discount`: a discount of the customer's is taken off it. `unpaid`: its invoices that are not paid, by id.
    `payments`: those that decide access; the others are `PastPayment`s, none of them paid after `past_until` (None:
    there are none).
    """

    provider: str
    subscription_id: str
    plan_id: str
    plan_version: int
    status: str
    current_period_start: int
    current_period_end: int
    observed_at: int
    created_at: int
    customer_id: str | None = None
    price_id: str | None = None
    item_id: str | None = None
    quantity: int = 1
    trial_end: int | None = None
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    ended_at: int | None = None
    cancel_reason: str | None = None
    collection_paused: bool = False
    scheduled_plan_id: str | None = None
    scheduled_plan_version: int | None = None
    currency: str | None = None
    recurring_cents: int | None = None
    customer_discount: bool = False
    others: tuple[Item, ...] = ()
    unpaid: Mapping[str, Dunning] = field(default_factory=dict)
    payments: Mapping[str, Payment] = field(default_factory=dict)
    past_until: int | None = None

    @property
    def record(self) -> str:
        return f"subscription#{self.provider}#{self.subscription_id}"

    @property
    def ends_at(self) -> int | None:
        """When a scheduled or past cancellation takes effect; None while it renews."""
        if self.ended_at is not None:
            return self.ended_at
        if self.cancel_at is not None:
            return self.cancel_at
        return self.current_period_end if self.cancel_at_period_end else None

    @property
    def begun(self) -> bool:
        """Whether it was ever paid, or in trial. Until then its status does not say that it is paid: a bank debit may
        be on its way for days, and when it fails, Stripe voids the invoice and goes on saying `active`."""
        return self.status == "trialing" or self.trial_end is not None or bool(self.payments)

    @property
    def never_paid(self) -> bool:
        """Not begun, and its first invoice is on record as unpaid."""
        return not self.begun and any(d.first for d in self.unpaid.values())

    @property
    def start_failed(self) -> bool:
        """Live although its first invoice will never be paid. We have to end it: Stripe would bill the next period."""
        return not self.begun and any(d.first and d.state != "open" for d in self.unpaid.values())

    @property
    def left_owing(self) -> bool:
        """Past due, and ending with its period at the latest, while the provider still tries to collect. Who leaves
        pays nothing more, so collecting has to be stopped."""
        ends = self.ends_at
        leaves = self.status == "past_due" and ends is not None and ends <= self.current_period_end
        return leaves and any(d.state == "open" and d.next_attempt_at is not None for d in self.unpaid.values())

    @property
    def owed(self) -> tuple[Dunning, ...]:
        """The invoices that are open or given up, the oldest first, without those before a settled later period."""
        paid = self.payments.values()
        starts = [*(p.period_start for p in paid), *(d.start for d in self.unpaid.values() if d.forgiven)]
        settled = max((start for start in starts if start is not None), default=0)
        last_paid = max((p.paid_at for p in paid), default=0)
        owed = [
            d
            for d in self.unpaid.values()
            if d.state != "void" and not d.waived and (d.observed_at > last_paid if d.end is None else d.end > settled)
        ]
        return tuple(sorted(owed, key=lambda d: (d.start or d.observed_at, d.observed_at, d.invoice_id)))

    @property
    def given_up(self) -> bool:
        """The newest invoice was marked uncollectible: Stripe says `active`, and nobody has paid."""
        return bool(self.owed) and self.owed[-1].state == "uncollectible" and not self.collection_paused

    @property
    def dunning(self) -> Dunning | None:
        """The newest open invoice that could not be collected, or waits for the customer."""
        return next((d for d in reversed(self.owed) if d.state == "open" or self.given_up), None)

    @property
    def paid_late(self) -> tuple[Payment, ...]:
        """Payments for time that had been given up, or of a subscription that had ended: a person has to decide."""
        return tuple(p for p in self.payments.values() if self.undecided(p))

    def undecided(self, payment: Payment) -> bool:
        return payment.kept_cents > 0 and payment.accepted_by is None and self._came_late(payment)

    def _came_late(self, payment: Payment) -> bool:
        if payment.given_up_at is not None:
            return True
        ended = self.ended_at if self.status == "canceled" else None
        bought_until = payment.paid_at if payment.period_end is None else payment.period_end
        return ended is not None and payment.paid_at > ended and bought_until > ended


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPayment:
    """A payment of a subscription that no longer decides access: see `past`."""

    provider: str
    subscription_id: str
    payment: Payment

    @property
    def record(self) -> str:
        # "~" sorts behind every letter: it lies outside the key range that is read to decide access.
        return f"~payment#{self.provider}#{self.subscription_id}#{self.payment.payment_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One-time. `state` is what the provider says of the payment; `status` adds refunds and disputes to it.

    `due_cents` is what is still missing on an underpaid invoice. `accepted_by` names the admin who accepted an
    underpaid or late payment. `payment` is money that was seen, which counts only once the purchase is `paid`.

    Of a bitcoin invoice, None for cards: `received_cents` is all that came, less the network's fees, at the invoice's
    rate, and `received_sat` the same in satoshis. `returns_surplus`: its provider gives back by itself what came beyond
    the price. About `decided_cents` of it, or of what was there, a person has decided, or it had counted by itself and
    vanished. `duplicate_of`: the earlier purchase of the same plan for good. `poll_at`: when to look at the invoice
    again, None: never. `by_wallet`: its invoice was opened for the buyer's wallet, which is asked to pay it (see
    `Mandate`).
    `transactions`: the ids on the chain by which its buyer can be found; nothing is decided by them.
    """

    provider: str
    purchase_id: str
    plan_id: str
    plan_version: int
    state: PurchaseState
    amount_cents: int
    currency: str
    observed_at: int
    created_at: int
    checkout_id: str | None = None
    customer_id: str | None = None
    due_cents: int = 0
    received_cents: int | None = None
    received_sat: int | None = None
    returns_surplus: bool = False
    decided_cents: int = 0
    accepted_by: str | None = None
    duplicate_of: str | None = None
    payment: Payment | None = None
    expires_at: int | None = None
    poll_at: int | None = None
    by_wallet: bool = False
    transactions: tuple[str, ...] = ()

    @property
    def record(self) -> str:
        return f"purchase#{self.provider}#{self.purchase_id}"

    @property
    def paid(self) -> bool:
        return self.state == "paid" or self.accepted_by is not None

    @property
    def surplus_cents(self) -> int:
        """What came in beyond the price, given back or not."""
        return max(0, (self.received_cents or 0) - self.amount_cents)

    @property
    def kept_cents(self) -> int:
        """What is left of all that was received: less what was given back, never below zero. At most this can go
        back."""
        if self.payment is None:
            return 0
        received = self.payment.amount_cents if self.received_cents is None else self.received_cents
        taken = sum(d.withdrawn_cents for d in self.payment.disputes.values())
        return max(0, received - self.payment.given_back_cents - taken)

    @property
    def unbought_cents(self) -> int:
        """The part of what is kept that bought nothing."""
        bought = self.payment.kept_cents if self.payment and self.paid and not self.duplicate_of else 0
        return max(0, self.kept_cents - bought)

    @property
    def undecided(self) -> bool:
        """Money came that bought nothing and was not given back: a person has to accept it or give it back."""
        if self.received_cents is None or self.state in UNDER_WAY:
            return False
        returned_anyway = self.surplus_cents if self.paid and not self.duplicate_of and self.returns_surplus else 0
        rounding = self.payment.rounding_cents if self.payment else 0
        # A decision about money holds as long as that money counts for something.
        decided = self.paid and self.received_cents <= self.decided_cents
        return not decided and self.unbought_cents > rounding + returned_anyway

    @property
    def vanished_cents(self) -> int:
        """What had counted and was replaced on the chain. A unit less is rounding."""
        gone = self.decided_cents - (self.received_cents or 0)
        return gone if gone > 1 else 0

    @property
    def wants_a_person(self) -> bool:
        return self.undecided or self.vanished_cents > 0

    @property
    def status(self) -> str:
        """pending, processing, paid, failed, underpaid, paid_late, refunded, partially_refunded or disputed."""
        if self.payment is not None and self.payment.fully_refunded:
            return "refunded"
        if not self.paid or self.payment is None:
            return "paid" if self.paid else self.state
        if self.payment.suspended:
            return "disputed"
        return "partially_refunded" if self.payment.refunded_cents else "paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term(Purchase):
    """A prepaid period bought with bitcoin. When it runs follows from the other terms of its group: see `terms.chain`.
    `bonus_seconds`: the trial days that its buyer still had. `waited_seconds`: how long its money waited until a person
    accepted it. Both lengthen it. `closed_at`: since when what a voucher gave is revoked; of a payment, see there."""

    bonus_seconds: int = 0
    waited_seconds: int = 0
    closed_at: int | None = None

    @property
    def record(self) -> str:
        return f"term#{self.provider}#{self.purchase_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gift(Purchase):
    """A plan that was bought for somebody else: it gives its buyer a voucher (`voucher_id`, see `rules/vouchers.py`).

    Whoever redeems that has a `Redemption` in an account of their own, and nothing here says whose.
    """

    voucher_id: str = ""

    @property
    def record(self) -> str:
        return f"gift#{self.provider}#{self.purchase_id}"


# Stands as the provider of what a voucher gave: no payments come from there.
VOUCHER = "voucher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """A voucher that was redeemed: a plan's version for so many of its intervals, or features by themselves (credits).

    `sold_cents` is what an admin sold it for, past every provider: it is booked here, and taken back where it was
    `returned`. A gift's price is booked with its buyer. `worth_cents`: the plan's own price for one interval, by which
    time in a chain of terms is set off. `closed`: why it gives nothing any more.
    """

    redemption_id: str
    redeemed_at: int
    plan_id: str | None = None
    plan_version: int | None = None
    intervals: int = 1
    worth_cents: int = 0
    currency: str = ""
    features: Mapping[str, object] = field(default_factory=dict)
    sold_cents: int = 0
    batch_id: str | None = None
    closed: str | None = None
    closed_at: int | None = None
    returned: bool = False

    @property
    def record(self) -> str:
        return f"redemption#{self.redemption_id}"

    @property
    def terms(self) -> Iterator[Term]:
        """The intervals of a recurring plan as terms that follow each other."""
        for number in range(self.intervals if self.plan_id is not None else 0):
            yield Term(
                provider=VOUCHER,
                purchase_id=f"{self.redemption_id}#{number:03d}",
                plan_id=self.plan_id or "",
                plan_version=self.plan_version or 0,
                state="paid",
                amount_cents=self.worth_cents,
                currency=self.currency,
                observed_at=self.redeemed_at,
                created_at=self.redeemed_at,
                closed_at=None if self.closed is None else self.closed_at or self.redeemed_at,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Features given by hand, by an admin, with a reason and perhaps an end."""

    grant_id: str
    features: Mapping[str, object]
    granted_by: str
    reason: str
    granted_at: int
    expires_at: int | None = None
    revoked_at: int | None = None

    @property
    def record(self) -> str:
        return f"grant#{self.grant_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """The end of what is prepaid in a group of plans, by its last term, and the reminders of it.

    `wanted` is the buyer's choice. `remind_at`: when to look whether a reminder is due, None: there is nothing more to
    say. `reminded_days`: how many days before the end the last one was sent.
    """

    group: str
    plan_id: str
    plan_version: int
    provider: str
    purchase_id: str
    ends_at: int
    wanted: bool = True
    remind_at: int | None = None
    reminded_days: int | None = None

    @property
    def record(self) -> str:
        return f"renewal#{self.group}"


CheckoutStatus = Literal["opening", "open", "completed", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The one checkout a user may have open in a group of plans. `checkout_id` keys the call to the provider.

    It is our order: price, plan version and trial come from here, never from what the provider says we ordered.
    `by_wallet`: it is a renewal that the buyer's wallet is asked to pay, and no page for the buyer.
    """

    checkout_id: str
    group: str
    plan_id: str
    plan_version: int
    provider: str
    status: CheckoutStatus
    created_at: int
    expires_at: int
    amount_cents: int
    currency: str
    session_id: str | None = None
    url: str | None = None
    trial_days: int = 0
    by_wallet: bool = False

    @property
    def record(self) -> str:
        return f"checkout#{self.group}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to have a wallet renew: an invoice over Lightning alone, which ends at `payable_until`.

    `invoice_id` None: the provider is being asked for it. `asked_at` None: no wallet has seen it yet. `asks`: how often
    a wallet was asked. `outcome`: what went wrong, a trouble of `rules/renewal.py`; `renews_at`: when the wallet's
    budget is new again, if that was the trouble.
    """

    number: int
    checkout_id: str
    payable_until: int
    invoice_id: str | None = None
    payment_hash: str | None = None
    amount_sat: int | None = None
    asked_at: int | None = None
    asks: int = 0
    outcome: str | None = None
    renews_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a buyer says of their wallet's connection, where the wallet does not. None: unknown. `budget_sat` for each
    `period`; `ends_at`: when the connection expires."""

    budget_sat: int | None = None
    period: str = "never"
    ends_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """The buyer's word that their wallet may be asked to renew what is prepaid in a group: for which plan, for at most
    which price and how many satoshis, how many days before the end. It holds nothing that could pay.

    `connection_id` names the connection, which is kept encrypted elsewhere. `ends_at`: the end that is to be renewed,
    None: nothing is prepaid. `opened`: how many invoices there were. `tries`: how many came to nothing for this end.
    `trouble`: why the last one did, a word of `rules/renewal.py`. `retry_at`: not before. `act_at`: when to look at it.
    `said`: what the buyer said of the connection. `hashes`: the newest payments that were asked for. `removed`: the
    connection is gone; what it was asked for before may still be paid.
    """

    group: str
    connection_id: str
    plan_id: str
    price_cents: int
    currency: str
    most_sat: int
    lead_days: int
    agreed_at: int
    said: Said = field(default_factory=Said)
    paused: bool = False
    removed: bool = False
    ends_at: int | None = None
    opened: int = 0
    tries: int = 0
    trouble: str | None = None
    trouble_at: int | None = None
    retry_at: int | None = None
    given_up: bool = False
    renewed_at: int | None = None
    act_at: int | None = None
    attempt: Attempt | None = None
    hashes: tuple[str, ...] = ()

    @property
    def record(self) -> str:
        return f"mandate#{self.group}"

    @property
    def renews(self) -> bool:
        """Whether it will pay the next term without anybody doing anything."""
        return not self.paused and not self.given_up and self.trouble is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What the ledger has booked as recurring: the next line is the difference to it, so nothing is booked twice.

    `positions`: "USD|stripe|pro-month|1" (currency, provider, plan, version) to {"mrr_cents", "paying", "trialing"}.
    `since`: by currency, the month in which the account first paid for something that recurs (2026-09).
    `review_at`: when a prepaid term starts or ends next, which no event tells us; None: nothing is prepaid.
    """

    positions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    since: Mapping[str, str] = field(default_factory=dict)
    review_at: int | None = None

    @property
    def record(self) -> str:
        return "mrr"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedCustomer:
    """A customer whom the provider has deleted. Kept, because later events may still name it, and it has no portal."""

    provider: str
    customer_id: str

    @property
    def record(self) -> str:
        return f"customer#{self.provider}#{self.customer_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """Money that we mean to give back: reserved here before the provider is asked, and told apart by its own id.

    `request_id` names the intent at the provider too, so that whatever is heard of the refund settles this.
    `whole`: no amount was named, it is all that was left. `asked_until`: until then somebody is asking the provider.
    `settle_at`: when to ask again by itself, None: nothing is open. `error`: why not all of it went back.
    """

    request_id: str
    provider: str
    payment_id: str
    amount_cents: int
    currency: str
    reason: str
    requested_by: str
    requested_at: int
    whole: bool = False
    status: RequestStatus = "reserved"
    tries: int = 1
    asked_until: int = 0
    settle_at: int | None = None
    error: str | None = None

    @property
    def record(self) -> str:
        return f"refund#{self.provider}#{self.request_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Double:
    """A duplicate subscription, noted before it is undone. What is still to do (cancelling, each refund) follows from
    this and from what the provider has reported since. `covered_from` (Unix seconds): from then on the other
    subscription covers what this one charges for."""

    provider: str
    subscription_id: str
    covered_from: int

    @property
    def record(self) -> str:
        return f"double#{self.provider}#{self.subscription_id}"


# Sorts behind the snapshot ("entitlements"), so that one query reads the version first, and this not older than it.
ENDED = "past"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Stands for terms and purchases that are over and were not read: see `ended`.

    `laid`: for the terms that stay but were laid among those that left, by record, the run: start, end, value in cents,
    whether it was replaced. `until`: by group of plans, when the last of those that left was over; what was paid before
    is laid among them. `newest`: of each kind, plan and reason, the end, start and id of the newest that left: ten
    newer ones stay. `since`: when the first of them was made. `rails`: where they were bought. `lacking`: some records
    that are needed are not back yet, so all has to be read each time.
    """

    laid: Mapping[str, tuple[int, int, int, bool]] = field(default_factory=dict)
    until: Mapping[str, int] = field(default_factory=dict)
    newest: Mapping[str, tuple[int, int, str]] = field(default_factory=dict)
    since: int = 0
    rails: tuple[str, ...] = ()
    lacking: bool = False

    @property
    def record(self) -> str:
        return ENDED


Record = (
    Subscription
    | PastPayment
    | Purchase
    | Term
    | Gift
    | Redemption
    | Grant
    | Renewal
    | Checkout
    | Mandate
    | Booked
    | DeletedCustomer
    | RefundRequest
    | Double
    | Ended
)


# Of one purchase or renewal a provider sends three or four events that change something, and repeats them within hours.
RECENT_EVENTS = 8
# How the pseudonym begins that stands for an erased user.
ERASED = "erased_"


@dataclass(frozen=True, slots=True)
class Account:
    """Everything that decides access of one user, and `version`, the optimistic lock of the whole. `whole`: past
    records were read as well, or there are none. `behind`: of a whole account, the records that are stored as past (see
    `ended`). `recent_events`: the events that changed it last, shortened: see `knows`."""

    user_id: str
    version: int = 0
    records: Mapping[str, Record] = field(default_factory=dict)
    whole: bool = True
    recent_events: tuple[str, ...] = ()
    behind: frozenset[str] = frozenset()

    def knows(self, event_id: str) -> bool:
        """Whether an event is one of the last that changed this. If not, only the event's own record tells."""
        return _short(event_id) in self.recent_events

    def after_event(self, event_id: str) -> "Account":
        return replace(self, recent_events=(*self.recent_events, _short(event_id))[-RECENT_EVENTS:])

    @property
    def erased(self) -> bool:
        """Whether this is what remains of an erased user: the books, without the person."""
        return self.user_id.startswith(ERASED)

    @property
    def subscriptions(self) -> list[Subscription]:
        return [r for r in self.records.values() if isinstance(r, Subscription)]

    @property
    def terms(self) -> list[Term]:
        return [r for r in self.records.values() if isinstance(r, Term)]

    @property
    def purchases(self) -> list[Purchase]:
        """One-time purchases; prepaid terms and gifts are not among them."""
        return [r for r in self.records.values() if isinstance(r, Purchase) and not isinstance(r, Term | Gift)]

    @property
    def gifts(self) -> list[Gift]:
        return [r for r in self.records.values() if isinstance(r, Gift)]

    @property
    def redemptions(self) -> list[Redemption]:
        return [r for r in self.records.values() if isinstance(r, Redemption)]

    @property
    def grants(self) -> list[Grant]:
        return [r for r in self.records.values() if isinstance(r, Grant)]

    @property
    def renewals(self) -> list[Renewal]:
        return [r for r in self.records.values() if isinstance(r, Renewal)]

    @property
    def booked(self) -> Booked:
        record = self.records.get("mrr")
        return record if isinstance(record, Booked) else Booked()

    @property
    def ended(self) -> Ended | None:
        """What stands for the records that were not read; None where all were read."""
        record = None if self.whole else self.records.get(ENDED)
        return record if isinstance(record, Ended) else None

    @property
    def checkouts(self) -> list[Checkout]:
        return [r for r in self.records.values() if isinstance(r, Checkout)]

    @property
    def mandates(self) -> list[Mandate]:
        return [r for r in self.records.values() if isinstance(r, Mandate)]

    def mandate_in(self, group: str) -> Mandate | None:
        mandate = self.records.get(f"mandate#{group}")
        return mandate if isinstance(mandate, Mandate) else None

    @property
    def duplicate_subscriptions(self) -> list[Double]:
        return [r for r in self.records.values() if isinstance(r, Double)]

    @property
    def refund_requests(self) -> list[RefundRequest]:
        return [r for r in self.records.values() if isinstance(r, RefundRequest)]

    @property
    def at_hand(self) -> list[tuple[Subscription | Purchase, Payment]]:
        """The payments that were read, each with its record; of an account that is not whole, not all of them."""
        read: list[tuple[Subscription | Purchase, Payment]] = []
        for record in self.records.values():
            if isinstance(record, Subscription):
                read += [(record, payment) for payment in record.payments.values()]
            elif isinstance(record, PastPayment):
                of = self.records.get(f"subscription#{record.provider}#{record.subscription_id}")
                if isinstance(of, Subscription):
                    read.append((of, record.payment))
            elif isinstance(record, Purchase) and record.payment is not None:
                read.append((record, record.payment))
        return read

    @property
    def payments(self) -> list[tuple[Subscription | Purchase, Payment]]:
        """All money that came, with its record; bitcoin that does not count (yet) included. Raises `PastNeeded` where
        not all of it was read."""
        if not self.whole:
            raise PastNeeded
        return self.at_hand

    @property
    def income(self) -> list[tuple[Subscription | Purchase, Payment]]:
        """All payments that count as income."""
        return [(record, payment) for record, payment in self.payments if is_income(record)]

    def payment(self, provider: str, name: str) -> tuple[Subscription | Purchase, Payment] | None:
        """A payment by any of its names at the provider, with its record. Raises `PastNeeded` where it may be among
        those that were not read."""
        for record, payment in self.at_hand:
            if record.provider == provider and name in (payment.payment_id, *payment.refs):
                return record, payment
        if not self.whole:
            raise PastNeeded
        return None

    def put(self, *records: Record) -> "Account":
        """The account with these records; itself when they change nothing."""
        changed = {r.record: r for r in records if self.records.get(r.record) != r}
        return replace(self, records={**self.records, **changed}) if changed else self

    @property
    def customers(self) -> list[tuple[str, str]]:
        """(provider, customer's id) of everything bought, the newest first, without who was deleted."""
        bought = [r for r in self.records.values() if isinstance(r, Subscription | Purchase)]
        newest = sorted(bought, key=lambda r: (r.created_at, r.record), reverse=True)
        living = ((r.provider, self.living_customer(r.provider, r.customer_id)) for r in newest)
        return list(dict.fromkeys((provider, customer) for provider, customer in living if customer))

    def living_customer(self, provider: str, customer_id: str | None) -> str | None:
        """A customer's id, unless that customer was deleted."""
        return None if f"customer#{provider}#{customer_id}" in self.records else customer_id

    def checkout_in(self, group: str) -> Checkout | None:
        """The checkout the user last opened in a group of plans."""
        checkout = self.records.get(f"checkout#{group}")
        return checkout if isinstance(checkout, Checkout) else None


def _short(event_id: str) -> str:
    """Sixteen hexadecimal digits: no two events of one account will ever have the same."""
    return hashlib.sha256(event_id.encode()).hexdigest()[:16]


def is_income(record: Subscription | Purchase) -> bool:
    """Money on an underpaid or late invoice is not ours until a person accepts it."""
    return isinstance(record, Subscription) or record.paid


def first_known(first: int | None, second: int | None) -> int | None:
    return second if first is None else first
