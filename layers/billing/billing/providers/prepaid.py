"""Shared by BitPay and BTCPay Server: signed webhooks, invoices with our metadata, no recurring charge."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any, NoReturn

from billing.data import dataclass
from billing.errors import BadWebhook, Conflict, ProviderError, ProviderUnavailable
from billing.providers import PROVIDERS
from billing.providers.interface import ChangePreview, Order
from billing.rules.facts import CheckoutFact, Fact, PurchaseFact
from billing.rules.money import exponent, to_decimal
from billing.rules.plans import Plan
from billing.rules.records import PurchaseState

SATOSHIS = Decimal(100_000_000)


# --- deliveries ------------------------------------------------------------------------------------------------------


def matching_secret(secrets: Sequence[str], signature: str, sign: Callable[[bytes], str]) -> str:
    """The label ("1", "2", ...) of the secret that made the signature. Raises `BadWebhook` when none did."""
    label = ""
    for number, secret in enumerate(secrets, 1):
        # Bytes, because a header may contain anything. Every secret is tried, so that timing reveals nothing.
        if secret and hmac.compare_digest(sign(secret.encode()).encode(), signature.encode("utf-8", "surrogateescape")):
            label = label or str(number)
    if not label:
        raise BadWebhook("the signature matches no configured secret")
    return label


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object of a delivery, with numbers as `Decimal`. Raises `BadWebhook`."""
    try:
        document = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError) as malformed:
        raise BadWebhook("the body is not JSON") from malformed
    if not isinstance(document, dict):
        raise BadWebhook("the body is not a JSON object")
    return document


def text(document: Mapping[str, Any], key: str, longest: int = 128) -> str:
    """A required string. Raises `BadWebhook`."""
    value = document.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise BadWebhook(f"{key} is missing or not a short text")
    return value


# --- our order on the provider's invoice -----------------------------------------------------------------------------


def metadata_of(order: Order) -> dict[str, str]:
    """The metadata of an invoice, all strings: user and order, for people who look at it in the dashboard.

    The values are not trusted when the invoice is read: our own record of the order decides.
    """
    return {
        **order.metadata,
        "amount_cents": str(order.amount_cents),
        "currency": order.currency,
        "trial_days": str(order.trial_days),
    }


def named_by(metadata: object) -> tuple[str | None, str | None]:
    """(user id, checkout id) from an invoice's metadata. Only a hint: others can write metadata too."""
    if not isinstance(metadata, dict):
        return None, None
    user, checkout = metadata.get("user_id"), metadata.get("checkout_id")
    return (user if isinstance(user, str) else None), (checkout if isinstance(checkout, str) else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A provider's invoice in our terms. `amount` is the price as decimal text.

    `received_cents` is the sum received less network fees, at the invoice's rate; `received_sat` the same in satoshis.
    `ended`: the invoice accepts no more payments. `transactions`: the on-chain transaction ids.
    """

    state: PurchaseState
    amount: str
    currency: str
    created_at: int
    expires_at: int
    ended: bool
    paid_at: int | None = None
    received_cents: int = 0
    received_sat: int = 0
    due_cents: int = 0
    transactions: tuple[str, ...] = ()

    @property
    def amount_cents(self) -> int:
        return minor_nearest(Decimal(self.amount), self.currency)


# Per invoice, so that many tiny payments cannot fill a record.
MOST_TRANSACTIONS = 10


def facts_of(provider: str, invoice_id: str, metadata: object, seen: Seen, now: int) -> tuple[Fact, ...]:
    """The purchase as of `now`, and the end of its checkout if the invoice accepts no more payments.

    What was read has happened, so by a server's clock that is ahead it happened `now` at the latest.
    """
    user_id, checkout_id = named_by(metadata)
    purchase = PurchaseFact(
        provider=provider,
        observed_at=now,
        user_id=user_id,
        purchase_id=invoice_id,
        state=seen.state,
        amount_cents=seen.amount_cents,
        currency=seen.currency,
        checkout_id=checkout_id,
        created_at=min(seen.created_at, now),
        paid_at=None if seen.paid_at is None else min(seen.paid_at, now),
        due_cents=seen.due_cents,
        received_cents=seen.received_cents,
        received_sat=seen.received_sat,
        returns_surplus=PROVIDERS[provider].returns_surplus,
        expires_at=seen.expires_at,
        transactions=seen.transactions[:MOST_TRANSACTIONS],
        poll=True,
    )
    if not seen.ended:
        return (purchase,)
    ended = CheckoutFact(provider=provider, observed_at=now, user_id=user_id, session_id=invoice_id, status="expired")
    return purchase, ended


def covered_at(payments: Iterable[tuple[int, Decimal]], price: Decimal) -> int | None:
    """The time at which payments of (time, worth) reached the price, else of the last one; None without payments."""
    received, reached = Decimal(0), None
    for when, worth in sorted(payments):
        if received >= price and reached is not None:
            break
        received, reached = received + worth, when
    return reached


# --- amounts ---------------------------------------------------------------------------------------------------------


def minor_up(amount: Decimal, currency: str) -> int:
    """Round an amount due up to the minor unit."""
    return int(amount.scaleb(exponent(currency)).to_integral_value(ROUND_CEILING))


def minor_down(amount: Decimal, currency: str) -> int:
    """Round an amount paid down to the minor unit, after removing division errors beyond nine digits."""
    return int(round(amount, 9).scaleb(exponent(currency)).to_integral_value(ROUND_FLOOR))


def minor_nearest(amount: Decimal, currency: str) -> int:
    """Round an amount computed by the provider to the nearest minor unit."""
    return int(amount.scaleb(exponent(currency)).to_integral_value(ROUND_HALF_UP))


def inexact_amount(amount: Decimal, currency: str, cents: int, price_currency: str) -> str | None:
    """The provider's exact amount as text, when `cents` is rounded or converted; else None."""
    if currency == price_currency and amount == to_decimal(cents, currency):
        return None
    return f"{amount.normalize():f} {currency}"


def btc(satoshis: int) -> str:
    """150000 -> "0.00150000"."""
    return f"{Decimal(satoshis) / SATOSHIS:.8f}"


# --- refunds ----------------------------------------------------------------------------------------------------------


def reference(key: str) -> str:
    """A refund's idempotency key as 32 hexadecimal digits, the form of our refund request ids."""
    return key if re.fullmatch(r"[0-9a-f]{32}", key) else hashlib.sha256(key.encode()).hexdigest()[:32]


def looked_for(find: Callable[[], Any]) -> Callable[[], Any]:
    """Wrap a search for the result of an earlier attempt: a refused search is `ProviderUnavailable`, not "absent"."""

    def look() -> Any:
        try:
            return find()
        except ProviderUnavailable:
            raise
        except ProviderError as refused:
            raise ProviderUnavailable(f"it cannot be told what an earlier try did: {refused.detail}") from refused

    return look


# --- calls that only make sense for a recurring charge ---------------------------------------------------------------


class PrepaidClient:
    """Bitcoin payments do not renew: every subscription call raises `Conflict`."""

    NAME: str

    def listed_refunds(self) -> Mapping[str, Sequence[str]]:
        """Refund ids by invoice id, for a provider whose refunds must be searched for."""
        return {}

    def cancel_subscription(
        self, subscription_id: str, *, at_period_end: bool, reason: str | None, key: str, comment: str | None = None
    ) -> None:
        self._refuse()

    def resume_subscription(self, subscription_id: str, *, key: str) -> None:
        self._refuse()

    def preview_change(
        self, subscription_id: str, item_id: str, plan: Plan, proration_date: int, *, at_period_end: bool = False
    ) -> ChangePreview:
        self._refuse()

    def change_subscription(
        self, subscription_id: str, item_id: str, plan: Plan, *, at_period_end: bool, proration_date: int, key: str
    ) -> None:
        self._refuse()

    def portal_url(self, customer_id: str, return_url: str) -> str:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Conflict(
            f"{self.NAME} sells prepaid terms: nothing renews by itself, so there is nothing to change or cancel; "
            "buy the next term instead",
            code="prepaid",
        )
