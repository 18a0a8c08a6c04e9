"""Refunds from our side: what one would do to access, shown first; then the money, by the provider that took it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from billing.applier import Applier
from billing.entitlements import evaluate, sources
from billing.errors import Conflict, NotFound
from billing.facts import RefundFact
from billing.plans import Catalogue
from billing.providers import Client
from billing.receipts import payments_of
from billing.records import Account, Payment, Purchase, Refund, Subscription
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore


class Refunds:
    """`client(provider)` gives the calls toward a provider."""

    def __init__(
        self, accounts: AccountStore, plans: PlanStore, applier: Applier, client: Callable[[str], Client]
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._applier = applier
        self._client = client

    def refund(
        self,
        user_id: str,
        provider: str,
        payment_id: str,
        amount_cents: int | None,
        *,
        reason: str,
        key: str,
        dry_run: bool,
        now: int,
    ) -> Mapping[str, Any]:
        """Refunds part or (None) the rest of a payment, or says what that would do. `key`: one refund per key."""
        account = self._accounts.load(user_id)
        record, payment = _payment(account, provider, payment_id)
        left = payment.amount_cents - payment.refunded_cents
        amount = left if amount_cents is None else amount_cents
        lost = features_lost(account, record, payment, amount, self._plans.catalogue(), now)
        refund_id = None
        if not dry_run:
            known = set(payment.refunds)
            facts = self._client(provider).refund(payment_id, amount_cents, payment.currency, reason=reason, key=key)
            self._applier.apply(user_id, provider, facts, now)
            made = [f.refund_id for f in facts if isinstance(f, RefundFact) and f.refund_id not in known]
            refund_id = made[-1] if made else None
        elif not 0 < amount <= left:
            raise Conflict(f"at most {left} can be refunded", code="not_refundable", refundable_cents=left)
        return {
            "dry_run": dry_run,
            "provider": provider,
            "payment_id": payment.payment_id,
            "refund_id": refund_id,
            "amount_cents": amount,
            "refundable_cents": left,
            "currency": payment.currency,
            "features_lost": lost,
        }


def features_lost(
    account: Account, record: Subscription | Purchase, payment: Payment, amount: int, catalogue: Catalogue, now: int
) -> list[str]:
    """The features that are open now and would not be after this refund."""
    imagined = Refund(refund_id="imagined", amount_cents=amount, status="succeeded", observed_at=now)
    after = replace(payment, refunds={**payment.refunds, imagined.refund_id: imagined})
    changed: Subscription | Purchase
    if isinstance(record, Subscription):
        changed = replace(record, payments={**record.payments, payment.payment_id: after})
    else:
        changed = replace(record, payment=after)
    then = replace(account, records={**account.records, record.record: changed})
    return sorted(evaluate(sources(account, catalogue), now).keys() - evaluate(sources(then, catalogue), now).keys())


def _payment(account: Account, provider: str, payment_id: str) -> tuple[Subscription | Purchase, Payment]:
    for record, payment in payments_of(account):
        if record.provider == provider and payment_id in (payment.payment_id, *payment.refs):
            return record, payment
    raise NotFound(f"this user has no payment {payment_id} at {provider}")
