"""Receipts of every payment in one list, each as a document. Links are fetched, never stored."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from billing.data import dataclass, replace
from billing.errors import NotConfigured, NotFound, ProviderError, ProviderUnavailable
from billing.providers import PREPAID, prepaid_client
from billing.providers.interface import Client
from billing.rules.access import term_runs
from billing.rules.past import whole
from billing.rules.plans import Catalogue, Plan
from billing.rules.records import Account, Gift, Payment, Purchase, Subscription, Term
from billing.rules.times import DAY, day_of, rfc3339
from billing.selling.invoices import rate_of
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore

# The newest receipts get their link at once; each costs a call to the provider.
LINKED = 8
_AT_ONCE = 8
_SATOSHIS = 100_000_000

Reason = Literal["start", "renewal", "change", "term", "once", "gift"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A payment, with what it was for. `url`: the provider's own receipt, fetched on demand and never stored. `reason`:
    the first of a subscription (start), a later period of it, a change within one, a prepaid term, something bought
    once, or a gift. `period`: the time that was paid for, where there is one and it is the buyer's."""

    provider: str
    payment: Payment
    record: Subscription | Purchase
    plan_id: str
    plan: Plan | None
    reason: Reason
    period: tuple[int, int] | None
    url: str | None = None

    @property
    def number(self) -> str:
        """The receipt number: the day and a digest of the payment's id, so it is stable and reveals nothing."""
        digest = hashlib.sha256(f"{self.provider}/{self.payment.payment_id}".encode()).hexdigest()
        return f"{day_of(self.payment.paid_at).replace('-', '')}-{digest[:8].upper()}"


class Receipts:
    """`client(provider)` gives the calls toward a provider. `seller`: who sells, one line after the other."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        client: Callable[[str], Client],
        seller: Sequence[str] = (),
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._client = client
        self._seller = seller

    def list(self, user_id: str) -> Mapping[str, Any]:
        """Every payment, newest first; without its link where the provider does not answer or is no longer set up."""
        receipts = receipts_of(self._accounts.load(user_id, whole=True), self._plans.catalogue())
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            linked = list(pool.map(self._linked, receipts[:LINKED]))
        return {"receipts": [view(receipt) for receipt in [*linked, *receipts[LINKED:]]]}

    def show(self, user_id: str, provider: str, payment_id: str) -> Mapping[str, Any]:
        """One of them as a document. For a bitcoin payment its provider is asked, and no other."""
        receipts = receipts_of(self._accounts.load(user_id, whole=True), self._plans.catalogue())
        receipt = next((r for r in receipts if (r.provider, r.payment.payment_id) == (provider, payment_id)), None)
        if receipt is None:
            raise NotFound("there is no such receipt")
        return {
            **view(self._linked(receipt)),
            "seller": list(self._seller),
            "user_id": user_id,
            "net_cents": receipt.payment.amount_cents - receipt.payment.tax_cents,
            "tax_cents": receipt.payment.tax_cents,
            "bitcoin": self._bitcoin(receipt),
        }

    def _linked(self, receipt: Receipt) -> Receipt:
        if receipt.payment.amount_cents == 0:
            return receipt
        try:
            return replace(receipt, url=self._client(receipt.provider).receipt_url(receipt.payment.payment_id))
        except (ProviderError, NotConfigured):
            return receipt

    def _bitcoin(self, receipt: Receipt) -> Mapping[str, Any] | None:
        """None for a card, and where the provider no longer has the invoice. A provider that is away is an error: an
        incomplete document would pass for a complete one."""
        if receipt.provider not in PREPAID or not isinstance(receipt.record, Purchase):
            return None
        try:
            invoice = prepaid_client(self._client, receipt.provider).invoice(receipt.record.purchase_id, 0)
        except ProviderUnavailable:
            raise
        except (ProviderError, NotConfigured):
            return None
        received = receipt.record.received_sat
        return {
            "amount_btc": f"{received // _SATOSHIS}.{received % _SATOSHIS:08d}" if received else invoice.amount_btc,
            "rate_cents": rate_of(invoice.amount_cents, invoice.amount_btc),
            "transactions": list(invoice.transactions),
        }


def receipts_of(account: Account, catalogue: Catalogue) -> list[Receipt]:
    """The payments of an account as receipts without links, newest first."""
    runs = {run.term.purchase_id: (run.start, run.end) for run in term_runs(account, catalogue)}
    paid = {s.record: tuple(whole(account, s).values()) for s in account.subscriptions}
    receipts = []
    for record, payment in account.income:
        plan_id = payment.plan_id or record.plan_id
        version = payment.plan_version if payment.plan_id else record.plan_version
        plan = catalogue.get(plan_id, version)
        receipts.append(
            Receipt(
                provider=record.provider,
                payment=payment,
                record=record,
                plan_id=plan_id,
                plan=plan,
                reason=_reason(record, payment, paid.get(record.record, ())),
                period=_period(record, payment, plan, runs),
            )
        )
    return sorted(receipts, key=lambda r: (r.payment.paid_at, r.payment.payment_id), reverse=True)


def _reason(record: Subscription | Purchase, payment: Payment, paid: Sequence[Payment]) -> Reason:
    """`paid`: all payments of the subscription."""
    if isinstance(record, Gift):
        return "gift"
    if not isinstance(record, Subscription):
        return "term" if isinstance(record, Term) else "once"
    mine = (payment.paid_at, payment.payment_id)
    earlier = sorted(
        (p for p in paid if (p.paid_at, p.payment_id) < mine and p.amount_cents > 0),
        key=lambda p: (p.paid_at, p.payment_id),
    )
    if not earlier:
        return "start"
    # It begins before the last paid period is over, so it is a change within that period.
    start, paid_until = payment.period_start, earlier[-1].period_end
    return "change" if start is not None and paid_until is not None and start < paid_until else "renewal"


def _period(
    record: Subscription | Purchase, payment: Payment, plan: Plan | None, runs: Mapping[str, tuple[int, int]]
) -> tuple[int, int] | None:
    if isinstance(record, Term):
        return runs.get(record.purchase_id)
    if isinstance(record, Gift):
        return None
    if isinstance(record, Purchase):
        days = plan.duration_days if plan else None
        return (payment.paid_at, payment.paid_at + days * DAY) if days else None
    if payment.period_start is None or payment.period_end is None:
        return None
    return payment.period_start, payment.period_end


def view(receipt: Receipt) -> Mapping[str, Any]:
    """As `billing.api.answers.payments.ReceiptView` has it."""
    payment, plan = receipt.payment, receipt.plan
    start, end = receipt.period or (None, None)
    return {
        "provider": receipt.provider,
        "payment_id": payment.payment_id,
        "number": receipt.number,
        "paid_at": rfc3339(payment.paid_at),
        "amount_cents": payment.amount_cents,
        "refunded_cents": payment.refunded_cents,
        "currency": payment.currency,
        "status": _status(payment),
        "plan_id": receipt.plan_id,
        "plan_name": plan.name if plan else receipt.plan_id,
        "interval": plan.interval if plan else "once",
        "reason": receipt.reason,
        "period_start": rfc3339(start),
        "period_end": rfc3339(end),
        "url": receipt.url,
    }


def _status(payment: Payment) -> str:
    if payment.fully_refunded:
        return "refunded"
    if payment.suspended:
        return "disputed"
    return "partially_refunded" if payment.refunded_cents else "paid"
