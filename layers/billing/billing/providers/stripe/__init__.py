"""Stripe: card payments and subscriptions. Importing this package loads neither the SDK nor pydantic."""

from typing import TYPE_CHECKING

from billing.providers.stripe.translate import translate
from billing.providers.stripe.webhook import minimise, verify

if TYPE_CHECKING:
    from billing.providers.interface import ObjectKind
    from billing.providers.stripe.client import StripeClient
    from billing.settings import Settings

__all__ = ["NAME", "connect", "minimise", "page_of", "translate", "verify"]

NAME = "stripe"


def connect(settings: "Settings") -> "StripeClient":
    """A Stripe client. Imports the SDK."""
    from billing.providers.stripe.client import connect

    return connect(settings)


_PAGES = {"customer": "customers", "subscription": "subscriptions", "payment": "payments"}


def page_of(settings: "Settings", kind: "ObjectKind", object_id: str) -> str | None:
    """The object's page in Stripe's dashboard; None for a stand-in."""
    if settings.optional("STRIPE_API_BASE"):
        return None
    place = "invoices" if object_id.startswith("in_") else _PAGES[kind]
    return f"https://dashboard.stripe.com{'' if settings.livemode else '/test'}/{place}/{object_id}"
