"""Receipts of every payment in one list, and the link to a provider's own pages. Links are fetched, never stored."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from billing.data import replace
from billing.errors import NotConfigured, NotFound, ProviderError
from billing.providers import PROVIDERS
from billing.providers.interface import Client, Receipt
from billing.rules.records import Account, Payment
from billing.rules.times import rfc3339
from billing.store.accounts import AccountStore

# The newest receipts get their link at once; each costs a call to the provider.
LINKED = 8
_AT_ONCE = 8


class Receipts:
    """`client(provider)` gives the calls toward a provider."""

    def __init__(self, accounts: AccountStore, client: Callable[[str], Client], portal_url: str) -> None:
        self._accounts = accounts
        self._client = client
        self._portal_url = portal_url

    def list(self, user_id: str) -> Mapping[str, Any]:
        """Every payment, newest first; without its link where the provider is silent or not set up any more."""
        receipts = receipts_of(self._accounts.load(user_id))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            linked = list(pool.map(self._linked, receipts[:LINKED]))
        return {"receipts": [view(receipt) for receipt in [*linked, *receipts[LINKED:]]]}

    def portal(self, user_id: str) -> Mapping[str, Any]:
        """The provider's page for payment methods and invoices, for whoever has bought by card."""
        for provider, customer_id in self._accounts.load(user_id).customers:
            if not PROVIDERS[provider].renews:
                continue
            try:
                return {"url": self._client(provider).portal_url(customer_id, f"{self._portal_url}/account")}
            except ProviderError as refused:
                if refused.extensions.get("reason") != "customer_gone":
                    raise  # whom somebody deleted there has no portal; an older one may still be
        raise NotFound("there is nothing to manage yet: no card payment was made")

    def _linked(self, receipt: Receipt) -> Receipt:
        if receipt.amount_cents == 0:
            return receipt
        try:
            return replace(receipt, url=self._client(receipt.provider).receipt_url(receipt.payment_id))
        except (ProviderError, NotConfigured):
            return receipt


def receipts_of(account: Account) -> list[Receipt]:
    """The payments of an account as receipts without links, newest first."""
    receipts = [
        Receipt(
            provider=record.provider,
            payment_id=payment.payment_id,
            paid_at=payment.paid_at,
            amount_cents=payment.amount_cents,
            currency=payment.currency,
            status=_status(payment),
            plan_id=payment.plan_id or record.plan_id,
            refunded_cents=payment.refunded_cents,
        )
        for record, payment in account.income
    ]
    return sorted(receipts, key=lambda r: (r.paid_at, r.payment_id), reverse=True)


def view(receipt: Receipt) -> Mapping[str, Any]:
    """As `billing.api.responses.ReceiptView` has it."""
    return {
        "provider": receipt.provider,
        "payment_id": receipt.payment_id,
        "paid_at": rfc3339(receipt.paid_at),
        "amount_cents": receipt.amount_cents,
        "refunded_cents": receipt.refunded_cents,
        "currency": receipt.currency,
        "status": receipt.status,
        "plan_id": receipt.plan_id,
        "url": receipt.url,
    }


def _status(payment: Payment) -> str:
    if payment.fully_refunded:
        return "refunded"
    if payment.suspended:
        return "disputed"
    return "partially_refunded" if payment.refunded_cents else "paid"
