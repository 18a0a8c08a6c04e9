"""Refunds from our side: what one would do to access, shown first; then the money, by the provider that took it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from billing.errors import Conflict, NotFound
from billing.intake.applier import Applier
from billing.providers import PREPAID, Client, PrepaidProviderClient
from billing.rules.entitlements import evaluate, sources
from billing.rules.facts import RefundFact
from billing.rules.plans import Catalogue
from billing.rules.records import Account, Payment, Purchase, Refund, Subscription
from billing.selling.receipts import payments_of
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
        left = max(0, payment.kept_cents)
        amount = left if amount_cents is None else amount_cents
        lost = features_lost(account, record, payment, amount, self._plans.catalogue(), now)
        refund_id = claim_url = None
        # A bitcoin provider makes a claim of any size: nobody but us knows what is left.
        if (dry_run or provider in PREPAID) and not 0 < amount <= left:
            raise Conflict(f"at most {left} can be refunded", code="not_refundable", refundable_cents=left)
        if not dry_run:
            known = set(payment.refunds)
            client = self._client(provider)
            asked_for = amount if provider in PREPAID else amount_cents
            facts = client.refund(payment_id, asked_for, payment.currency, reason=reason, key=key)
            self._applier.apply(user_id, provider, facts, now)
            made = [f.refund_id for f in facts if isinstance(f, RefundFact) and f.refund_id not in known]
            refund_id = made[-1] if made else None
            if refund_id and provider in PREPAID:
                claim_url = cast(PrepaidProviderClient, client).refund_url(refund_id)
        return {
            "dry_run": dry_run,
            "provider": provider,
            "payment_id": payment.payment_id,
            "refund_id": refund_id,
            "amount_cents": amount,
            "refundable_cents": left,
            "currency": payment.currency,
            "features_lost": lost,
            "claim_url": claim_url,
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
