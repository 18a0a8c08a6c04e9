"""Decisions of a person about money that did not come as agreed: accept it, refund it, or read it again.

That is a bitcoin invoice, or the invoice of a subscription that was paid after it had been given up.
"""

from collections.abc import Callable, Sequence
from typing import Any

from billing.errors import Conflict, NotFound, ProviderError
from billing.intake.applier import Applier
from billing.providers import PREPAID, PROVIDERS, prepaid_client
from billing.providers.interface import Client
from billing.rules.apply import accept, accept_late
from billing.rules.consequences import Consequences, consequences
from billing.rules.facts import Fact, Ref
from billing.rules.history import By
from billing.rules.plans import Catalogue
from billing.rules.records import SURPLUS, Account, Payment, Purchase, Refund, Subscription
from billing.rules.refunds import open_requests
from billing.rules.times import rfc3339
from billing.selling.invoices import purchase_of, readings
from billing.selling.refunds import Refunds, Wanted
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from billing.store.plans import PlanStore


class InvoiceDesk:
    """Lists, accepts, refunds and rereads the invoices."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        due: DueStore,
        applier: Applier,
        client: Callable[[str], Client],
        refunds: Refunds,
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._due = due
        self._applier = applier
        self._client = client
        self._refunds = refunds

    def open(self, limit: int, *, flagged: bool, offered: Sequence[str] = ()) -> dict[str, Any]:
        """Invoices that are not final, newest first; `flagged`: only those that wait for a decision, oldest first.
        `cannot_see`: by provider on offer, what this set-up is not told."""
        views: list[dict[str, Any]] = []
        for due in self._due.waiting(limit) if flagged else self._due.due("poll", None, limit):
            purchase = self._accounts.load(due.user_id).records.get(due.record)
            if isinstance(purchase, Purchase) and (purchase.wants_a_person or not flagged):
                views.append(view(due.user_id, purchase))
        for due in self._due.due("decide", None, limit):
            subscription = self._accounts.load(due.user_id).records.get(due.record)
            if isinstance(subscription, Subscription):
                views += [late_view(due.user_id, subscription, payment) for payment in subscription.paid_late]
        return {
            "invoices": sorted(views, key=lambda v: str(v["created_at"]), reverse=not flagged),
            "cannot_see": {
                name: list(unseen)
                for name in offered
                if name in PREPAID and (unseen := prepaid_client(self._client, name).cannot_see)
            },
        }

    def reread(self, provider: str, purchase_id: str, now: int) -> dict[str, Any]:
        """Reads the invoice and its open refunds, and applies what they say; with the links of those still to claim."""
        if provider not in PREPAID:
            return self._reread_late(provider, purchase_id, now)
        account, purchase = self._find(provider, purchase_id)
        client = prepaid_client(self._client, provider)

        def elsewhere() -> Sequence[str]:
            try:
                return client.listed_refunds().get(purchase_id, ())
            except ProviderError:
                return ()

        facts: list[Fact] = []
        try:
            for read in readings(client, purchase, elsewhere, now):
                facts += read
        finally:  # what was read counts, even if a refund could not be read
            if facts:
                self._applier.apply(account.user_id, provider, facts, now)
        account, purchase = self._find(provider, purchase_id)
        urls = [client.refund_url(refund_id) for refund_id in _open_refunds(purchase)]
        return {**view(account.user_id, purchase), "claim_urls": [url for url in urls if url]}

    def accept(self, provider: str, purchase_id: str, admin: str, now: int) -> dict[str, Any]:
        """Lets an underpaid or late payment count as what it was meant for, under the admin's name; of one that has
        vanished, takes note of that."""
        catalogue = self._plans.catalogue(fresh=True)
        if provider not in PREPAID:
            return self._accept_late(provider, purchase_id, admin, catalogue, now)

        def decide(account: Account) -> Consequences | None:
            purchase = purchase_of(account, provider, purchase_id)
            if purchase is None or (purchase.accepted_by and not purchase.wants_a_person):
                return None
            if not purchase.wants_a_person:
                raise Conflict(
                    f"this invoice is {purchase.status}: only money that bought nothing can be accepted",
                    code="not_acceptable",
                    status_now=purchase.status,
                )
            if purchase.payment:
                _check_refunds(account, provider, purchase.payment)
            action = "accept_invoice" if purchase.undecided else "note_vanished"
            by = By(actor=admin, action=action, reason=purchase.status, subject=f"{provider}#{purchase_id}")
            return consequences(account, accept(account, purchase, admin, catalogue, now), catalogue, now, by)

        self._accounts.change(self._find(provider, purchase_id)[0].user_id, decide)
        return self._view(provider, purchase_id)

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
        accepted: bool = False,
    ) -> dict[str, Any]:
        """Gives back what was paid, or part of it, or with `surplus` only what came beyond the price.

        `accepted`: also when somebody has let the payment count. `claim_url`, where there is one, is for the buyer and
        kept nowhere.
        """
        account, _ = self._find(provider, purchase_id)
        if surplus and PROVIDERS[provider].returns_surplus:
            title = PROVIDERS[provider].title
            raise Conflict(f"{title} refunds an overpayment by itself", code="not_refundable")
        wanted = Wanted(
            user_id=account.user_id,
            provider=provider,
            payment=purchase_id,
            amount_cents=amount_cents,
            reason=SURPLUS if surplus else "requested_by_customer",
            undecided=not (surplus or accepted),
        )
        done = self._refunds.refund(wanted, key, admin, now)
        result = {name: done[name] for name in ("refund_id", "claim_url", "outcome", "parts", "error")}
        return {**self._view(provider, purchase_id), **result}

    def _late(self, provider: str, payment_id: str) -> tuple[str, Subscription, Payment]:
        user_id = self._accounts.owner(provider, [payment_id])
        late = _payment_of(self._accounts.load(user_id, whole=True), payment_id) if user_id else None
        if user_id is None or late is None:
            raise NotFound(f"no {provider} invoice {payment_id} is known here")
        return user_id, *late

    def _reread_late(self, provider: str, payment_id: str, now: int) -> dict[str, Any]:
        user_id, subscription, _ = self._late(provider, payment_id)
        refs = [Ref("subscription", subscription.subscription_id), Ref("payment", payment_id)]
        facts = [fact for ref in refs for fact in self._applier.read(provider, ref, 0, now)]
        self._applier.apply(user_id, provider, facts, now)
        return late_view(*self._late(provider, payment_id))

    def _accept_late(
        self, provider: str, payment_id: str, admin: str, catalogue: Catalogue, now: int
    ) -> dict[str, Any]:
        user_id, *_ = self._late(provider, payment_id)

        def decide(account: Account) -> Consequences | None:
            late = _payment_of(account, payment_id)
            if late is None or late[1].accepted_by is not None:
                return None
            subscription, payment = late
            if payment not in subscription.paid_late:
                raise Conflict("this invoice was paid in time, or was refunded", code="not_acceptable")
            _check_refunds(account, provider, payment)
            by = By(actor=admin, action="accept_invoice", reason="paid_late", subject=f"{provider}#{payment_id}")
            accepted = accept_late(account, subscription, payment, admin, now)
            return consequences(account, accepted, catalogue, now, by)

        self._accounts.change(user_id, decide)
        return late_view(*self._late(provider, payment_id))

    def _view(self, provider: str, purchase_id: str) -> dict[str, Any]:
        account, purchase = self._find(provider, purchase_id)
        return view(account.user_id, purchase)

    def _find(self, provider: str, purchase_id: str) -> tuple[Account, Purchase]:
        user_id = self._accounts.owner(provider, [purchase_id]) if provider in PREPAID else None
        pair = user_id and self._accounts.evaluate(user_id, lambda a: (a, purchase_of(a, provider, purchase_id)))
        if not pair or pair[1] is None:
            raise NotFound(f"no {provider} invoice {purchase_id} is known here")
        return pair[0], pair[1]


def _check_refunds(account: Account, provider: str, payment: Payment) -> None:
    if any(open_requests(account, provider, payment)):
        raise Conflict("this payment is being refunded: wait until the refund has ended", code="refund_in_progress")


def _payment_of(account: Account, payment_id: str) -> tuple[Subscription, Payment] | None:
    pairs = ((of, p) for of, p in account.payments if isinstance(of, Subscription) and p.payment_id == payment_id)
    return next(pairs, None)


def late_view(user_id: str, subscription: Subscription, payment: Payment) -> dict[str, Any]:
    """A subscription's invoice that was paid too late, in the same shape."""
    return {
        "user_id": user_id,
        "provider": subscription.provider,
        "purchase_id": payment.payment_id,
        "plan_id": payment.plan_id or subscription.plan_id,
        "status": "paid" if payment.accepted_by else "paid_late",
        "amount_cents": payment.amount_cents,
        "received_cents": payment.amount_cents,
        "received_sat": 0,
        "due_cents": 0,
        "surplus_cents": 0,
        "refunded_cents": payment.refunded_cents,
        "refundable_cents": payment.kept_cents,
        "undecided_cents": payment.kept_cents if payment in subscription.paid_late else 0,
        "vanished_cents": 0,
        "duplicate_of": None,
        "refunds": [_refund_view(refund) for refund in payment.refunds.values()],
        "currency": payment.currency,
        "accepted_by": payment.accepted_by,
        "needs_decision": payment in subscription.paid_late,
        "created_at": rfc3339(payment.paid_at),
        "expires_at": None,
    }


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
        "received_cents": purchase.received_cents or 0,
        "received_sat": purchase.received_sat or 0,
        "due_cents": purchase.due_cents,
        "surplus_cents": purchase.surplus_cents,
        "refunded_cents": payment.given_back_cents if payment else 0,
        "refundable_cents": purchase.kept_cents,
        "undecided_cents": purchase.unbought_cents if purchase.undecided else 0,
        "vanished_cents": purchase.vanished_cents,
        "duplicate_of": purchase.duplicate_of,
        "refunds": [_refund_view(refund) for refund in payment.refunds.values()] if payment else [],
        "currency": purchase.currency,
        "accepted_by": purchase.accepted_by,
        "needs_decision": purchase.wants_a_person,
        "created_at": rfc3339(purchase.created_at),
        "expires_at": rfc3339(purchase.expires_at),
    }


def _open_refunds(purchase: Purchase) -> list[str]:
    refunds = purchase.payment.refunds.values() if purchase.payment else ()
    return [refund.refund_id for refund in refunds if refund.status == "pending"]


def _refund_view(refund: Refund) -> dict[str, Any]:
    return {
        "refund_id": refund.refund_id,
        "amount_cents": refund.amount_cents,
        "exact_amount": refund.exact_amount,
        "status": refund.status,
        "waits_for": refund.waits_for,
    }
