"""What a customer's page shows beyond their status: facts of each subscription, money, open decisions."""

from collections.abc import Callable, Iterator
from typing import Any

from billing.admin.invoices import late_view, view
from billing.providers.interface import ObjectKind
from billing.rules.records import LIVE, Account, Subscription
from billing.rules.standing import actions_of
from billing.rules.times import rfc3339

View = dict[str, Any]
# (provider, kind, id) → the provider's own page about it, where there is one.
Pages = Callable[[str, ObjectKind, str], str | None]


def facts(account: Account, subscription: Subscription, page: Pages) -> View:
    provider = subscription.provider
    customer = account.living_customer(provider, subscription.customer_id)
    return {
        "provider": provider,
        "subscription_id": subscription.subscription_id,
        "customer_id": customer,
        "created_at": rfc3339(subscription.created_at),
        "period_start": rfc3339(subscription.current_period_start),
        "quantity": subscription.quantity,
        "collection_paused": subscription.collection_paused,
        "canceled_at": rfc3339(subscription.canceled_at),
        "cancel_reason": subscription.cancel_reason,
        "acts": acts(subscription),
        "url": page(provider, "subscription", subscription.subscription_id),
        "customer_url": page(provider, "customer", customer) if customer else None,
    }


def acts(subscription: Subscription) -> list[str]:
    """The actions of an admin that would not be refused now."""
    if subscription.status not in LIVE:
        return []
    buyers = actions_of(subscription)
    ends_soon = subscription.ends_at is not None and subscription.ends_at <= subscription.current_period_end
    possible = [] if ends_soon or subscription.status in ("unpaid", "paused") else ["cancel_at_end"]
    possible.append("cancel_now")
    if "resume" in buyers or "keep" in buyers:
        possible.append("resume")
    if "change" in buyers:
        possible.append("change")
    return possible


def money(account: Account) -> list[View]:
    """Paid, refunded and the rest, by currency; as the customer paid it, tax included."""
    sums: dict[str, View] = {}
    for _, payment in account.income:
        nothing = {"payments": 0, "paid_cents": 0, "returned_cents": 0, "disputed_cents": 0, "kept_cents": 0}
        total = sums.setdefault(payment.currency, {"currency": payment.currency, **nothing})
        disputed = sum(dispute.withdrawn_cents for dispute in payment.disputes.values())
        total["payments"] += 1
        total["paid_cents"] += payment.amount_cents
        total["returned_cents"] += payment.refunded_cents
        total["disputed_cents"] += disputed
        total["kept_cents"] += payment.amount_cents - payment.refunded_cents - disputed
    return [sums[currency] for currency in sorted(sums)]


def undecided(account: Account) -> Iterator[View]:
    """Money that bought nothing, to be accepted or refunded; or that had counted, and was lost again."""
    for purchase in [*account.terms, *account.purchases, *account.gifts]:
        if purchase.wants_a_person:
            yield view(account.user_id, purchase)
    for subscription in account.subscriptions:
        yield from (late_view(account.user_id, subscription, payment) for payment in subscription.paid_late)
