"""Answers about money that came and goes back: receipts, refunds, invoices that wait for a person."""

from typing import Literal

from pydantic import Field

from billing.api.answers.base import PlanNamed, Response, Time
from billing.rules.records import RefundStatus


class ReceiptView(PlanNamed):
    """`reason`: the first payment of a subscription, a further period, a change in one, prepaid time, once, a gift."""

    provider: str
    payment_id: str
    number: str
    paid_at: Time
    amount_cents: int
    refunded_cents: int
    currency: str
    status: str
    reason: Literal["start", "renewal", "change", "term", "once", "gift"]
    period_start: Time | None
    period_end: Time | None
    url: str | None
    """The provider's own proof."""


class PaidInBitcoin(Response):
    amount_btc: str | None
    rate_cents: int | None
    """Of one bitcoin, as the invoice counted it."""
    transactions: list[str]
    """Their ids on the chain; none for what came over Lightning."""


class ReceiptDocument(ReceiptView):
    """A receipt with all that belongs on paper. `amount_cents` is the total: net and tax."""

    seller: list[str]
    """Name, address and tax number of whoever sells, line by line."""
    user_id: str
    net_cents: int
    tax_cents: int
    bitcoin: PaidInBitcoin | None
    """Null for what was paid by card, and where its provider knows nothing of it any more."""


class ReceiptList(Response):
    receipts: list[ReceiptView]


class RefundPart(Response):
    """One refund at the provider. A payment that was made in several parts goes back in as many."""

    refund_id: str
    amount_cents: int
    status: RefundStatus


RefundOutcome = Literal["preview", "made", "partly_made", "refused"]


class RefundEffect(Response):
    """What a refund did, or (`dry_run`) would do. `amount_cents` is what goes back, of the `asked_cents`."""

    dry_run: bool
    provider: str
    payment_id: str
    outcome: RefundOutcome
    refund_id: str | None
    """The newest of `parts`."""
    amount_cents: int
    asked_cents: int
    refundable_cents: int
    """What was left to refund before it."""
    currency: str
    features_lost: list[str]
    parts: list[RefundPart]
    error: str | None
    """The provider's words about what did not go back."""
    outside_cents: int
    """What was paid past the provider, which cannot give it back: that is yours to do."""
    claim_url: str | None = None
    """By this link the buyer claims a bitcoin refund: hand it over, it is stored nowhere."""


class InvoiceReturn(Response):
    """A refund of a bitcoin invoice. `told`: the provider's words, where the amount is rounded or converted from them.

    `waits_for`: whose turn it is while it is on its way: the buyer's (`claim`), the merchant's at the server
    (`approval`) or the server's (`payment`).
    """

    refund_id: str
    amount_cents: int
    told: str | None
    status: RefundStatus
    waits_for: Literal["claim", "approval", "payment"] | None


class AdminInvoice(Response):
    """A bitcoin invoice. `needs_decision`: money came, but not as agreed: accept it or give it back; or what had
    counted vanished: accept what is left of it, or take note."""

    user_id: str
    provider: str
    purchase_id: str
    plan_id: str
    status: str
    amount_cents: int
    received_cents: int
    """All that came, less the network's fees, at the invoice's rate; `received_sat` is the same in satoshis."""
    received_sat: int
    due_cents: int
    surplus_cents: int
    refunded_cents: int
    """All that was given back, or is on its way, whether of a surplus or of the price."""
    refundable_cents: int
    """At most this can go back."""
    undecided_cents: int
    """What bought nothing and waits for a decision."""
    vanished_cents: int
    """What had counted, accepted by somebody or settled by the server, and was then replaced on the chain."""
    doubles: str | None
    """The earlier purchase of the same plan for good, which this one pays for again."""
    refunds: list[InvoiceReturn]
    currency: str
    accepted_by: str | None
    needs_decision: bool
    created_at: Time
    expires_at: Time | None
    claim_urls: list[str] = Field(default_factory=list)
    """Links of refunds that nobody has claimed yet; only when the invoice was read at the provider just now."""


class AdminInvoiceList(Response):
    invoices: list[AdminInvoice]
    cannot_see: dict[str, list[str]] = Field(default_factory=dict)
    """By provider, what its set-up is not told: `refunds_until_complete` (see docs/bitcoin.md)."""


class InvoiceRefund(AdminInvoice):
    refund_id: str | None
    outcome: RefundOutcome
    parts: list[RefundPart]
    error: str | None
    claim_url: str | None
    """By this link the buyer claims the refund; null when the provider sends it by itself."""
