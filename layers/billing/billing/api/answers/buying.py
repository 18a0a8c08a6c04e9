"""Answers of checkouts, plan changes and bitcoin invoices."""

from typing import Literal

from billing.api.answers.base import Response, Time
from billing.api.answers.plans import FeatureChange
from billing.api.answers.status import InvoiceState
from billing.rules.quotes import ChangeKind


class CheckoutSession(Response):
    checkout_id: str
    provider: str
    url: str
    expires_at: Time
    reused: bool


class Confirmation(Response):
    status: Literal["open", "processing", "completed", "expired"]
    plan_id: str
    provider: str
    entitlements_version: int
    gift: bool = False
    """The checkout was for a gift; `GET /billing/gifts` has its code."""


class ChangePreviewView(Response):
    preview_id: str
    plan_id: str
    kind: ChangeKind
    at_period_end: bool
    amount_due_cents: int
    """With tax, and after the discount."""
    credit_cents: int
    tax_cents: int
    discount_cents: int
    currency: str
    next_amount_cents: int
    """The amount of the next bill, with tax, and after the discount."""
    next_tax_cents: int
    next_discount_cents: int
    next_billing_at: Time
    effective_at: Time
    features: list[FeatureChange]
    """Only the features that change."""
    expires_at: Time


class PortalSession(Response):
    url: str


class CryptoInvoice(Response):
    """A bitcoin invoice for a payment page.

    `status` is pending, underpaid (`due_cents` is missing), processing, paid, paid_late or failed. The fields needed to
    pay are null when the invoice accepts no more payments. The time left is `expires_at` minus `server_time`.
    """

    provider: str
    purchase_id: str
    status: str
    invoice: InvoiceState
    amount_cents: int
    received_cents: int
    """Received so far, less network fees, at the invoice's rate."""
    due_cents: int
    surplus_cents: int
    currency: str
    amount_btc: str | None
    due_btc: str | None
    rate_cents: int | None
    """The price of one bitcoin, fixed at `created_at`; null if the invoice has no amount in bitcoin."""
    address: str | None
    bip21: str | None
    lightning: str | None
    created_at: Time
    expires_at: Time
    server_time: Time
    url: str | None
    confirmations: int | None
    """Confirmations required until the payment counts; null: unknown."""
    confirmed: int | None
    """The lowest number of confirmations of its payments so far; null: unknown."""
    claim_url: str | None
    """Where the buyer enters an address for a refund, while a refund waits for that."""
