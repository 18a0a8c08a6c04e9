"""Bitcoin invoices after they were opened: looked at until they are final, and shown to buyers.

A webhook only makes this faster. What no webhook told (a lost one, a payment that fell back, one that came late) is
found by looking again, ever more rarely as an invoice ages.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from billing.errors import NotFound, ProviderError
from billing.intake.applier import Applier
from billing.log import Log
from billing.providers import PREPAID, prepaid_client
from billing.providers.interface import Client
from billing.rules.facts import Fact, PurchaseFact, Ref, RefundFact
from billing.rules.polling import next_poll
from billing.rules.records import Account, Purchase
from billing.rules.times import rfc3339
from billing.store.accounts import AccountStore
from billing.store.due import Due, DueStore


@dataclass(frozen=True, slots=True)
class Polled:
    """How many invoices one round looked at, in how many something had changed, and how many could not be read."""

    read: int
    changed: int
    failed: int


class Poller:
    def __init__(
        self, accounts: AccountStore, due: DueStore, applier: Applier, client: Callable[[str], Client], logger: Log
    ) -> None:
        self._accounts = accounts
        self._due = due
        self._applier = applier
        self._client = client
        self._logger = logger

    def poll(self, now: int, limit: int) -> Polled:
        """Looks at every invoice that is due. One that cannot be read stays due later and keeps nobody waiting."""
        read = changed = failed = 0
        for due in self._due.due("poll", now, limit):
            purchase = self._claimed(due, now)
            if purchase is None:
                continue
            try:
                changed += self._look(due.user_id, purchase, now)
                read += 1
            except ProviderError as error:
                failed += 1
                self._logger.warning(
                    "invoice not read",
                    extra={"provider": purchase.provider, "invoice": purchase.purchase_id, "why": error.detail},
                )
        return Polled(read, changed, failed)

    def _claimed(self, due: Due, now: int) -> Purchase | None:
        """The purchase, if nobody else is looking at it; the next look is noted first, so that a crash loses none."""
        purchase = self._accounts.load(due.user_id).records.get(due.record)
        if not isinstance(purchase, Purchase):
            return None
        next_at = next_poll(purchase.state, purchase.created_at, now, undecided=purchase.undecided)
        return purchase if self._due.claim(due, next_at) else None

    def _look(self, user_id: str, purchase: Purchase, now: int) -> bool:
        facts = self._client(purchase.provider).read(Ref("purchase", purchase.purchase_id), now)
        if not _is_news(purchase, facts):
            return False
        self._applier.apply(user_id, purchase.provider, facts, now)
        self._logger.info(
            "invoice changed without a webhook",
            extra={"provider": purchase.provider, "invoice": purchase.purchase_id},
        )
        return True


def _is_news(purchase: Purchase, facts: Iterable[Fact]) -> bool:
    """Whether what was read differs from what is recorded; the time of reading alone is not worth a write."""
    refunds = purchase.payment.refunds if purchase.payment else {}
    for fact in facts:
        if isinstance(fact, PurchaseFact):
            if (fact.state, fact.due_cents, fact.surplus_cents) != _known(purchase):
                return True
        elif isinstance(fact, RefundFact):
            known = refunds.get(fact.refund_id)
            if known is None or known.status != fact.status:
                return True
    return False


def _known(purchase: Purchase) -> tuple[str, int, int]:
    return purchase.state, purchase.due_cents, purchase.surplus_cents


def show(
    accounts: AccountStore, client: Callable[[str], Client], user_id: str, provider: str, purchase_id: str, now: int
) -> dict[str, Any]:
    """An invoice as a page shows it, read from the provider. Somebody else's is not found."""
    if purchase_of(accounts.load(user_id), provider, purchase_id) is None:
        raise NotFound("there is no such invoice")
    invoice = prepaid_client(client, provider).invoice(purchase_id, now)
    return {
        "provider": provider,
        "purchase_id": purchase_id,
        "status": invoice.state,
        "amount_cents": invoice.amount_cents,
        "due_cents": invoice.due_cents,
        "surplus_cents": invoice.surplus_cents,
        "currency": invoice.currency,
        "amount_btc": invoice.amount_btc,
        "due_btc": invoice.due_btc,
        "address": invoice.address,
        "bip21": invoice.bip21,
        "lightning": invoice.lightning,
        "created_at": rfc3339(invoice.created_at),
        "expires_at": rfc3339(invoice.expires_at),
        "server_time": rfc3339(invoice.server_time),
        "url": invoice.url,
    }


def of_checkout(accounts: AccountStore, user_id: str, checkout_id: str) -> tuple[str, str]:
    """(provider, invoice id) of a checkout that is paid in bitcoin."""
    for checkout in accounts.load(user_id).checkouts:
        if checkout.checkout_id == checkout_id and checkout.session_id and checkout.provider in PREPAID:
            return checkout.provider, checkout.session_id
    raise NotFound("there is no such bitcoin checkout")


def purchase_of(account: Account, provider: str, purchase_id: str) -> Purchase | None:
    for kind in ("term", "purchase"):
        found = account.records.get(f"{kind}#{provider}#{purchase_id}")
        if isinstance(found, Purchase):
            return found
    return None
