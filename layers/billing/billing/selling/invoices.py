"""Bitcoin invoices after they were opened: looked at until they are final, shown to buyers, settled by people.

A webhook only makes this faster. What no webhook told (a lost one, a payment that fell back, one that came late) is
found by looking again, ever more rarely as an invoice ages.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from billing.api.http import rfc3339
from billing.errors import Conflict, NotFound, ProviderError
from billing.intake.applier import Applier
from billing.providers import PREPAID, Client, PrepaidProviderClient
from billing.rules.apply import accept
from billing.rules.facts import Fact, PurchaseFact, Ref, RefundFact
from billing.rules.history import By
from billing.rules.polling import next_poll
from billing.rules.records import FLAGGED, SURPLUS, Account, Purchase
from billing.store.accounts import AccountStore
from billing.store.audit import AuditLog
from billing.store.due import Due, DueStore
from billing.store.plans import PlanStore
from billing.store.transactions import LostRace

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Polled:
    """How many invoices one round looked at, in how many something had changed, and how many could not be read."""

    read: int
    changed: int
    failed: int


class Poller:
    def __init__(
        self, accounts: AccountStore, due: DueStore, applier: Applier, client: Callable[[str], Client], logger: "Logger"
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


# --- for buyers ------------------------------------------------------------------------------------------------------


def show(
    accounts: AccountStore, client: Callable[[str], Client], user_id: str, provider: str, purchase_id: str, now: int
) -> dict[str, Any]:
    """An invoice as a page shows it, read from the provider. Somebody else's is not found."""
    if _purchase_of(accounts.load(user_id), provider, purchase_id) is None:
        raise NotFound("there is no such invoice")
    invoice = _prepaid(client, provider).invoice(purchase_id, now)
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


# --- for admins ------------------------------------------------------------------------------------------------------


class InvoiceDesk:
    """What a person decides about an invoice: accept what came, give it back, or look again now."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        due: DueStore,
        applier: Applier,
        client: Callable[[str], Client],
        audit: AuditLog,
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._due = due
        self._applier = applier
        self._client = client
        self._audit = audit

    def open(self, limit: int, *, flagged: bool) -> dict[str, Any]:
        """Invoices that are not final, newest first; `flagged`: only those that wait for a decision."""
        found = []
        for due in self._due.due("poll", None, limit):
            purchase = self._accounts.load(due.user_id).records.get(due.record)
            if isinstance(purchase, Purchase) and (purchase.undecided or not flagged):
                found.append(view(due.user_id, purchase))
        return {"invoices": sorted(found, key=lambda v: str(v["created_at"]), reverse=True)}

    def reread(self, provider: str, purchase_id: str, now: int) -> dict[str, Any]:
        """Reads the invoice and its open refunds, and applies what they say; with the links of those still to claim."""
        account, purchase = self._find(provider, purchase_id)
        client = _prepaid(self._client, provider)
        refs = [Ref("purchase", purchase_id)]
        refs += [Ref("payment", f"{purchase_id}/{refund_id}") for refund_id in _open_refunds(purchase)]
        facts = [fact for ref in refs for fact in client.read(ref, now)]
        self._applier.apply(account.user_id, provider, facts, now)
        account, purchase = self._find(provider, purchase_id)
        urls = [client.refund_url(refund_id) for refund_id in _open_refunds(purchase)]
        return {**view(account.user_id, purchase), "claim_urls": [url for url in urls if url]}

    def accept(self, provider: str, purchase_id: str, admin: str, now: int) -> dict[str, Any]:
        """Lets an underpaid or late payment count as what it was meant for, under the admin's name."""
        for _ in range(_ATTEMPTS):
            before, purchase = self._find(provider, purchase_id)
            if purchase.paid:
                return view(before.user_id, purchase)
            if purchase.state not in FLAGGED or purchase.status == "refunded" or purchase.payment is None:
                raise Conflict(
                    f"this invoice is {purchase.status}: only an underpaid or late payment can be accepted",
                    code="not_acceptable",
                    status_now=purchase.status,
                )
            catalogue = self._plans.catalogue(fresh=True)
            after = accept(before, purchase, admin, catalogue, now)
            by = By(actor=admin, action="accept_invoice", reason=purchase.status, subject=f"{provider}#{purchase_id}")
            try:
                self._accounts.commit(before, after, catalogue, now, by=by)
            except LostRace:
                continue
            return self._view(provider, purchase_id)
        raise Conflict("the account is being changed: try again", code="try_again")

    def refund(
        self,
        provider: str,
        purchase_id: str,
        amount_cents: int | None,
        key: str,
        admin: str,
        now: int,
        *,
        surplus: bool,
    ) -> dict[str, Any]:
        """Gives back what was paid, or part of it, or with `surplus` only what came beyond the price.

        The audit log has it under the admin's name before the provider is asked.

        `claim_url`, where there is one, is for the buyer and kept nowhere.
        """
        account, purchase = self._find(provider, purchase_id)
        if surplus and provider == "bitpay":
            raise Conflict("BitPay returns what came beyond the price by itself", code="nothing_to_refund")
        refundable = _refundable(purchase, surplus=surplus)
        amount = refundable if amount_cents is None else amount_cents
        if not 0 < amount <= refundable:
            raise Conflict(
                f"at most {refundable} can be given back", code="nothing_to_refund", refundable_cents=refundable
            )
        client = _prepaid(self._client, provider)
        own_key = hashlib.sha256(f"{provider}#{purchase_id}#{key}".encode()).hexdigest()
        reason = SURPLUS if surplus else "requested_by_customer"
        by = By(actor=admin, action="refund", reason=reason, subject=account.user_id)
        self._audit.note(by, now, after={"provider": provider, "payment_id": purchase_id, "amount_cents": amount})
        facts = client.refund(purchase_id, amount, purchase.currency, reason=reason, key=own_key)
        self._applier.apply(account.user_id, provider, facts, now)
        refund_id = next(f.refund_id for f in facts if isinstance(f, RefundFact))
        claim_url = client.refund_url(refund_id)
        return {**self._view(provider, purchase_id), "refund_id": refund_id, "claim_url": claim_url}

    def _view(self, provider: str, purchase_id: str) -> dict[str, Any]:
        account, purchase = self._find(provider, purchase_id)
        return view(account.user_id, purchase)

    def _find(self, provider: str, purchase_id: str) -> tuple[Account, Purchase]:
        user_id = self._accounts.owner(provider, [purchase_id]) if provider in PREPAID else None
        account = self._accounts.load(user_id) if user_id else None
        purchase = _purchase_of(account, provider, purchase_id) if account else None
        if account is None or purchase is None:
            raise NotFound(f"no {provider} invoice {purchase_id} is known here")
        return account, purchase


def _open_refunds(purchase: Purchase) -> list[str]:
    refunds = purchase.payment.refunds.values() if purchase.payment else ()
    return [refund.refund_id for refund in refunds if refund.status == "pending"]


def _refundable(purchase: Purchase, *, surplus: bool) -> int:
    payment = purchase.payment
    if payment is None:
        return 0
    if surplus:
        returned = sum(r.amount_cents for r in payment.refunds.values() if r.reason == SURPLUS and r.status != "failed")
        return purchase.surplus_cents - returned
    return payment.kept_cents


def view(user_id: str, purchase: Purchase) -> dict[str, Any]:
    """An invoice as an admin sees it."""
    payment = purchase.payment
    return {
        "user_id": user_id,
        "provider": purchase.provider,
        "purchase_id": purchase.purchase_id,
        "plan_id": purchase.plan_id,
        "status": purchase.status,
        "amount_cents": purchase.amount_cents,
        "received_cents": payment.amount_cents + purchase.surplus_cents if payment else 0,
        "due_cents": purchase.due_cents,
        "surplus_cents": purchase.surplus_cents,
        "refunded_cents": payment.refunded_cents if payment else 0,
        "currency": purchase.currency,
        "accepted_by": purchase.accepted_by,
        "needs_decision": purchase.undecided,
        "created_at": rfc3339(purchase.created_at),
        "expires_at": rfc3339(purchase.expires_at),
    }


def _purchase_of(account: Account, provider: str, purchase_id: str) -> Purchase | None:
    for kind in ("term", "purchase"):
        found = account.records.get(f"{kind}#{provider}#{purchase_id}")
        if isinstance(found, Purchase):
            return found
    return None


def _prepaid(client: Callable[[str], Client], provider: str) -> PrepaidProviderClient:
    return cast(PrepaidProviderClient, client(provider))
