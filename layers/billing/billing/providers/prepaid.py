"""What BitPay and BTCPay Server share: signed deliveries, invoices that carry our order, no recurring charge."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any, NoReturn

from billing.errors import BadWebhook, Conflict, ProviderError, ProviderUnavailable
from billing.providers.interface import ChangePreview, Order
from billing.rules.facts import CheckoutFact, Fact, PurchaseFact
from billing.rules.money import exponent, to_minor
from billing.rules.plans import Plan
from billing.rules.records import PurchaseState

SATOSHIS = Decimal(100_000_000)


# --- deliveries ------------------------------------------------------------------------------------------------------


def matching_secret(secrets: Sequence[str], given: str, sign: Callable[[bytes], str]) -> str:
    """Which secret ("1", "2", ...) makes the signature that was given. Raises `BadWebhook` when none does."""
    found = ""
    for number, secret in enumerate(secrets, 1):
        # Bytes, because a header may hold anything; every secret is tried, so that time tells nothing.
        if secret and hmac.compare_digest(sign(secret.encode()).encode(), given.encode("utf-8", "surrogateescape")):
            found = found or str(number)
    if not found:
        raise BadWebhook("the signature matches no configured secret")
    return found


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


@dataclass(frozen=True, slots=True)
class Ours:
    """What we wrote on an invoice when we opened it."""

    user_id: str
    plan_id: str
    plan_version: int
    checkout_id: str
    amount_cents: int
    currency: str
    trial_days: int


def metadata_of(order: Order) -> dict[str, str]:
    """What an invoice carries, all text: the order, and the price to hold the invoice against later."""
    return {
        **order.metadata,
        "amount_cents": str(order.amount_cents),
        "currency": order.currency,
        "trial_days": str(order.trial_days),
    }


def ours(metadata: object) -> Ours | None:
    """None when the invoice was not opened by this service: another shop may use the same account."""
    if not isinstance(metadata, dict):
        return None
    try:
        return Ours(
            user_id=str(metadata["user_id"]),
            plan_id=str(metadata["plan_id"]),
            plan_version=int(metadata["plan_version"]),
            checkout_id=str(metadata["checkout_id"]),
            amount_cents=int(metadata["amount_cents"]),
            currency=str(metadata["currency"]),
            trial_days=int(metadata.get("trial_days", 0)),
        )
    except (KeyError, ValueError, TypeError):
        return None


def check(
    name: str, invoice_id: str, order: Ours, *, asked_for: str, order_id: str, amount: str, currency: str
) -> None:
    """Holds an invoice against the question and against what we opened. Raises `ProviderError` with the difference.

    `amount` is the provider's decimal text of the price, `asked_for` the id we asked for.
    """
    differences = []
    if invoice_id != asked_for:
        differences.append(f"its id is {invoice_id}")
    if order_id != order.checkout_id:
        differences.append(f"its order is {order_id}, not {order.checkout_id}")
    try:
        same = currency == order.currency and to_minor(amount, currency) == order.amount_cents
    except (ValueError, ArithmeticError):
        same = False
    if not same:
        differences.append(f"its price is {amount} {currency}, not {order.amount_cents} minor units {order.currency}")
    if differences:
        raise ProviderError(f"{name} invoice {asked_for} is not the one we opened: {'; '.join(differences)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The state of an invoice at the provider, in our words. `received_cents` is what came in, valued at its rate."""

    state: PurchaseState
    observed_at: int
    created_at: int
    expires_at: int
    paid_at: int | None = None
    received_cents: int = 0
    due_cents: int = 0


def facts_of(provider: str, invoice_id: str, order: Ours, seen: Seen) -> tuple[Fact, ...]:
    """The purchase as it is now, and the end of its checkout when nothing can be paid any more."""
    purchase = PurchaseFact(
        provider=provider,
        observed_at=seen.observed_at,
        user_id=order.user_id,
        purchase_id=invoice_id,
        plan_id=order.plan_id,
        plan_version=order.plan_version,
        state=seen.state,
        amount_cents=order.amount_cents,
        currency=order.currency,
        checkout_id=order.checkout_id,
        created_at=seen.created_at,
        paid_at=seen.paid_at,
        due_cents=seen.due_cents,
        surplus_cents=max(0, seen.received_cents - order.amount_cents),
        expires_at=seen.expires_at,
        trial_days=order.trial_days,
        poll=True,
    )
    if seen.state not in ("failed", "paid_late") and not (
        seen.state == "underpaid" and seen.expires_at <= seen.observed_at
    ):
        return (purchase,)
    ended = CheckoutFact(
        provider=provider,
        observed_at=seen.observed_at,
        user_id=order.user_id,
        session_id=invoice_id,
        status="expired",
        checkout_id=order.checkout_id,
    )
    return purchase, ended


# --- amounts ---------------------------------------------------------------------------------------------------------


def minor_up(amount: Decimal, currency: str) -> int:
    """What somebody still owes, rounded up to the minor unit."""
    return int(amount.scaleb(exponent(currency)).to_integral_value(ROUND_CEILING))


def minor_down(amount: Decimal, currency: str) -> int:
    """What somebody paid, rounded down to the minor unit."""
    return int(amount.scaleb(exponent(currency)).to_integral_value(ROUND_FLOOR))


def minor_nearest(amount: Decimal, currency: str) -> int:
    """What bitcoin is worth that was itself rounded from an amount of money."""
    return int(amount.scaleb(exponent(currency)).to_integral_value(ROUND_HALF_UP))


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

    def cancel_subscription(
        self, subscription_id: str, *, at_period_end: bool, reason: str | None, key: str, comment: str | None = None
    ) -> None:
        self._refuse()

    def resume_subscription(self, subscription_id: str, *, key: str) -> None:
        self._refuse()

    def preview_change(self, subscription_id: str, item_id: str, plan: Plan, proration_date: int) -> ChangePreview:
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
