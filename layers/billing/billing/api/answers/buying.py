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
    """It bought a voucher: `GET /billing/gifts` has its code."""


class ChangePreviewView(Response):
    preview_id: str
    plan_id: str
    kind: ChangeKind
    at_period_end: bool
    amount_due_cents: int
    """Tax and discount of it are in it."""
    credit_cents: int
    tax_cents: int
    discount_cents: int
    currency: str
    next_amount_cents: int
    """The next bill as the provider will make it, with its tax and less its discount."""
    next_tax_cents: int
    next_discount_cents: int
    next_billing_at: Time
    effective_at: Time
    features: list[FeatureChange]
    """What changes, and only that."""
    expires_at: Time


class PortalSession(Response):
    url: str


class CryptoInvoice(Response):
    """What a page needs to let somebody pay an invoice in bitcoin, in the words used for cards.

    `status` is pending, underpaid (`due_cents` is still missing), processing, paid, paid_late or failed. What is needed
    to pay is null once nothing can be paid any more; count down by `expires_at` less `server_time`.
    """

    provider: str
    purchase_id: str
    status: str
    invoice: InvoiceState
    amount_cents: int
    received_cents: int
    """What came so far, less the network's fees, at the invoice's rate."""
    due_cents: int
    surplus_cents: int
    currency: str
    amount_btc: str | None
    due_btc: str | None
    rate_cents: int | None
    """Of one bitcoin, as this invoice counts it since `created_at`; null where it names no amount in bitcoin."""
    address: str | None
    bip21: str | None
    lightning: str | None
    created_at: Time
    expires_at: Time
    server_time: Time
    url: str | None
    confirmations: int | None
    """How many the network has to give until the payment counts; null: the provider does not tell."""
    confirmed: int | None
    """How many it has given so far to all that came; null: the provider does not tell."""
    claim_url: str | None
    """Where the buyer says to which address money goes back, while it waits for that."""
