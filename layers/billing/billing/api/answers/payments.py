"""Answers about payments: receipts, refunds, and bitcoin invoices for admins."""

from typing import Literal

from pydantic import Field

from billing.api.answers.base import PlanNamed, Response, Time
from billing.rules.records import RefundStatus


class ReceiptView(PlanNamed):
    """`reason`: first payment of a subscription, renewal, plan change, prepaid term, one-time purchase, or gift."""

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
    """The provider's own receipt."""


class PaidInBitcoin(Response):
    amount_btc: str | None
    rate_cents: int | None
    """The invoice's price of one bitcoin."""
    transactions: list[str]
    """On-chain transaction ids; empty for Lightning."""


class ReceiptDocument(ReceiptView):
    """A receipt for printing. `amount_cents` is the total of net and tax."""

    seller: list[str]
    """The seller's name, address and tax number, line by line."""
    user_id: str
    net_cents: int
    tax_cents: int
    bitcoin: PaidInBitcoin | None
    """Null for card payments, and if the provider no longer has the invoice."""


class ReceiptList(Response):
    receipts: list[ReceiptView]


class RefundPart(Response):
    """One refund at the provider. A payment made in several parts needs several."""

    refund_id: str
    amount_cents: int
    status: RefundStatus


RefundOutcome = Literal["preview", "made", "partly_made", "refused"]


class RefundEffect(Response):
    """The effect of a refund, or with `dry_run` its preview. `amount_cents` is refunded of the `asked_cents`."""

    dry_run: bool
    provider: str
    payment_id: str
    outcome: RefundOutcome
    refund_id: str | None
    """The newest part."""
    amount_cents: int
    asked_cents: int
    refundable_cents: int
    """The refundable amount before this refund."""
    currency: str
    features_lost: list[str]
    parts: list[RefundPart]
    error: str | None
    """The provider's error text for the part that was not refunded."""
    outside_cents: int
    """Paid outside the provider, so it must be refunded outside it."""
    claim_url: str | None = None
    """The link where the buyer claims a bitcoin refund. It is not stored: pass it on now."""


class InvoiceReturn(Response):
    """A refund of a bitcoin invoice. `exact_amount`: the provider's amount as text, if `amount_cents` is rounded or
    converted.

    `waits_for`: the next step of a pending refund: the buyer's `claim`, the merchant's `approval` at the server, or the
    server's `payment`.
    """

    refund_id: str
    amount_cents: int
    exact_amount: str | None
    status: RefundStatus
    waits_for: Literal["claim", "approval", "payment"] | None


class AdminInvoice(Response):
    """A bitcoin invoice. `needs_decision`: a wrong amount or a late payment came, to be accepted or refunded; or a
    payment that had counted was reverted on the chain."""

    user_id: str
    provider: str
    purchase_id: str
    plan_id: str
    status: str
    amount_cents: int
    received_cents: int
    """Received, less network fees, at the invoice's rate; `received_sat` is the same in satoshis."""
    received_sat: int
    due_cents: int
    surplus_cents: int
    refunded_cents: int
    """Refunded or pending refunds, of the price or of an overpayment."""
    refundable_cents: int
    """The maximum that can be refunded."""
    undecided_cents: int
    """Received without buying anything; an admin has to decide."""
    vanished_cents: int
    """Had counted, as accepted or settled, and was then replaced on the chain."""
    duplicate_of: str | None
    """An earlier lifetime purchase of the same plan, which this one repeats."""
    refunds: list[InvoiceReturn]
    currency: str
    accepted_by: str | None
    needs_decision: bool
    created_at: Time
    expires_at: Time | None
    claim_urls: list[str] = Field(default_factory=list)
    """Links of unclaimed refunds; only when the invoice was just read at the provider."""


class AdminInvoiceList(Response):
    invoices: list[AdminInvoice]
    cannot_see: dict[str, list[str]] = Field(default_factory=dict)
    """By provider, codes for what its set-up cannot observe: `refunds_until_complete` (see docs/bitcoin.md)."""


class InvoiceRefund(AdminInvoice):
    refund_id: str | None
    outcome: RefundOutcome
    parts: list[RefundPart]
    error: str | None
    claim_url: str | None
    """The link where the buyer claims the refund; null if the provider sends it by itself."""
