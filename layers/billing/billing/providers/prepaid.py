"""What BitPay and BTCPay Server share: signed deliveries, invoices that carry our order, no recurring charge."""

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
    """Which secret ("1", "2", ...) makes the signature that was given. Raises `BadWebhook` when none does."""
    label = ""
    for number, secret in enumerate(secrets, 1):
        # Bytes, because a header may hold anything; every secret is tried, so that time tells nothing.
        if secret and hmac.compare_digest(sign(secret.encode()).encode(), signature.encode("utf-8", "surrogateescape")):
            label = label or str(number)
    if not label:
        raise BadWebhook("the signature matches no configured secret")
    return label


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object of a delivery, its decimals exact. Raises `BadWebhook`."""
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
    """What an invoice carries, all text: whose it is and for what, for people who look at it there.

    None of it is believed when the invoice is read: our own record of the order decides.
    """
    return {
        **order.metadata,
        "amount_cents": str(order.amount_cents),
        "currency": order.currency,
        "trial_days": str(order.trial_days),
    }


def named_by(metadata: object) -> tuple[str | None, str | None]:
    """(user, checkout) that an invoice names, where it does: a hint, because others may write the same."""
    if not isinstance(metadata, dict):
        return None, None
    user, checkout = metadata.get("user_id"), metadata.get("checkout_id")
    return (user if isinstance(user, str) else None), (checkout if isinstance(checkout, str) else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An invoice at the provider, in our words. `amount` is its decimal text of the price.

    `received_cents` is what came in less the network's fees, valued at the invoice's rate, and `received_sat` the same
    in satoshis. `ended`: its page takes no payment any more. `transactions`: the ids on the chain of what came.
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


# Of one invoice. Whoever sends dust does not fill a record.
MOST_TRANSACTIONS = 10


def facts_of(provider: str, invoice_id: str, metadata: object, seen: Seen, now: int) -> tuple[Fact, ...]:
    """The purchase as it was when we asked, and the end of its checkout when nothing can be paid any more."""
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
        created_at=seen.created_at,
        paid_at=seen.paid_at,
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
    """When the price was reached by payments of (time, worth), or else the last of them came; None: none came."""
    came, reached = Decimal(0), None
    for when, worth in sorted(payments):
        if came >= price and reached is not None:
            break
        came, reached = came + worth, when
    return reached


# --- amounts ---------------------------------------------------------------------------------------------------------


def minor_up(amount: Decimal, currency: str) -> int:
    """What somebody still owes, rounded up to the minor unit."""
    return int(amount.scaleb(exponent(currency)).to_integral_value(ROUND_CEILING))


def minor_down(amount: Decimal, currency: str) -> int:
    """What somebody paid, rounded down to the minor unit. A sum of shares is not less for the last of its digits."""
    return int(round(amount, 9).scaleb(exponent(currency)).to_integral_value(ROUND_FLOOR))


def minor_nearest(amount: Decimal, currency: str) -> int:
    """What others computed need not be whole minor units: the nearest one."""
    return int(amount.scaleb(exponent(currency)).to_integral_value(ROUND_HALF_UP))


def inexact_amount(amount: Decimal, currency: str, cents: int, price_currency: str) -> str | None:
    """The provider's own words for an amount that `cents` does not hold exactly."""
    if currency == price_currency and amount == to_decimal(cents, currency):
        return None
    return f"{amount.normalize():f} {currency}"


def btc(satoshis: int) -> str:
    """150000 -> "0.00150000"."""
    return f"{Decimal(satoshis) / SATOSHIS:.8f}"


# --- money back -------------------------------------------------------------------------------------------------------


def reference(key: str) -> str:
    """A refund's key as 32 hexadecimal digits, which is what our requests have as their id."""
    return key if re.fullmatch(r"[0-9a-f]{32}", key) else hashlib.sha256(key.encode()).hexdigest()[:32]


def looked_for(find: Callable[[], Any]) -> Callable[[], Any]:
    """Looking for what an earlier try may have made. Refused to look is not known, which is not the same as no."""

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
    """Nothing renews by itself in bitcoin: the calls that change a subscription have nothing to act on."""

    NAME: str

    def listed_refunds(self) -> Mapping[str, Sequence[str]]:
        """The ids of refunds by the invoice they belong to, where they have to be looked for."""
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
