"""Stripe: cards, with subscriptions that Stripe renews. Loading this package loads neither the SDK nor pydantic."""

from typing import TYPE_CHECKING

from billing.providers.stripe.translate import translate
from billing.providers.stripe.webhook import minimise, verify

if TYPE_CHECKING:
    from billing.providers.stripe.client import StripeClient
    from billing.settings import Settings

__all__ = ["NAME", "connect", "minimise", "translate", "verify"]

NAME = "stripe"


def connect(settings: "Settings") -> "StripeClient":
    """The calls toward Stripe; the SDK is imported here, by those functions that call it."""
    from billing.providers.stripe.client import connect

    return connect(settings)
