"""Open bitcoin invoices: polled until they are final, and shown to buyers.

A webhook only makes this faster. Polling, ever more rarely as an invoice ages, finds what no webhook reported: a lost
delivery, a reversed payment, a late one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from billing import deadline
from billing.api.status import invoice_state
from billing.data import dataclass, replace
from billing.errors import NotFound, NotOurs, Parked, PastNeeded, ProviderError
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
    """How many invoices one round read, how many had changed, and how many could not be read."""

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
        """Reads every invoice that is due. One that cannot be read stays due; the others are read all the same."""
        read = changed = failed = 0
        faults: list[Exception] = []
        listed: dict[str, Mapping[str, Sequence[str]]] = {}
        for due in self._due.due("poll", now, limit):
            if deadline.over():
                break  # the rest stays due, and the next round begins with it
            purchase = self._claimed(due, now)
            if purchase is None:
                continue

            def elsewhere(purchase: Purchase = purchase) -> Sequence[str]:
                if purchase.provider not in listed:
                    listed[purchase.provider] = self._listed(purchase.provider)
                return listed[purchase.provider].get(purchase.purchase_id, ())

            try:
                changed += self._look(due.user_id, purchase, elsewhere, now)
                read += 1
            except (ProviderError, Parked, NotOurs) as error:
                failed += 1
                self._logger.warning(
                    "invoice not read",
                    extra={"provider": purchase.provider, "invoice": purchase.purchase_id, "why": str(error)},
                )
            except Exception as fault:  # noqa: BLE001 raised again below, when the others were read
                faults.append(fault)
        if faults:
            raise faults[0]
        return Polled(read, changed, failed)

    def _listed(self, provider: str) -> Mapping[str, Sequence[str]]:
        """Refunds made elsewhere, asked for once a round; a provider that cannot list them holds up nothing."""
        try:
            return prepaid_client(self._client, provider).listed_refunds()
        except ProviderError as error:
            self._logger.warning("refunds not listed", extra={"provider": provider, "why": error.detail})
            return {}

    def _claimed(self, due: Due, now: int) -> Purchase | None:
        """The purchase, unless somebody else is reading it. The next look is stored first, so that a crash loses
        none."""
        purchase = self._accounts.load(due.user_id).records.get(due.record)
        if not isinstance(purchase, Purchase):
            return None
        return purchase if self._due.claim(due, next_poll(purchase, now)) else None

    def _look(self, user_id: str, purchase: Purchase, elsewhere: Callable[[], Sequence[str]], now: int) -> bool:
        facts: list[Fact] = []
        try:
            for read in readings(self._client(purchase.provider), purchase, elsewhere, now):
                facts += read
        finally:  # what was read counts, even if a refund could not be read
            news = _is_news(purchase, facts)
            if news:
                self._applier.apply(user_id, purchase.provider, facts, now)
        if not news:
            return False
        self._logger.info(
            "invoice changed without a webhook",
            extra={"provider": purchase.provider, "invoice": purchase.purchase_id},
        )
        return True


def readings(
    client: Client, purchase: Purchase, elsewhere: Callable[[], Sequence[str]], now: int
) -> Iterator[Sequence[Fact]]:
    """An invoice, then each of its refunds: those that are on their way, and those made `elsewhere` that may be new.
    `elsewhere` is only asked where money came, because nothing else can be refunded."""
    facts = client.read(Ref("purchase", purchase.purchase_id), now)
    if not facts:
        raise ProviderError(f"{purchase.provider} has no invoice {purchase.purchase_id} any more")
    yield facts
    recorded = purchase.payment.refunds if purchase.payment else {}
    read = {fact.refund_id for fact in facts if isinstance(fact, RefundFact)}
    open_ones = [refund_id for refund_id, refund in recorded.items() if refund.status == "pending"]
    came = any(isinstance(fact, PurchaseFact) and fact.received_cents > 0 for fact in facts) or bool(recorded)
    made = [made_id for made_id in elsewhere() if made_id not in recorded] if came else []
    for refund_id in dict.fromkeys([*open_ones, *made]):
        if refund_id not in read:
            yield client.read(Ref("payment", f"{purchase.purchase_id}/{refund_id}"), now)


def _is_news(purchase: Purchase, facts: Iterable[Fact]) -> bool:
    """Whether what was read differs from what is stored, apart from the time of reading."""
    refunds = purchase.payment.refunds if purchase.payment else {}
    for fact in facts:
        if isinstance(fact, PurchaseFact):
            recorded = (purchase.state, purchase.due_cents, purchase.received_cents, purchase.received_sat)
            if (fact.state, fact.due_cents, fact.received_cents, fact.received_sat) != recorded:
                return True
        elif isinstance(fact, RefundFact):
            refund = refunds.get(fact.refund_id)
            told = (fact.status, fact.amount_cents, fact.waits_for, fact.paid_cents)
            if refund is None or (refund.status, refund.amount_cents, refund.waits_for, refund.paid_cents) != told:
                return True
    return False


def show(
    accounts: AccountStore, client: Callable[[str], Client], user_id: str, provider: str, purchase_id: str, now: int
) -> dict[str, Any]:
    """An invoice as a page shows it, read from the provider. Somebody else's is not found."""
    purchase = accounts.evaluate(user_id, lambda account: purchase_of(account, provider, purchase_id))
    if purchase is None:
        raise NotFound("there is no such invoice")
    invoice = prepaid_client(client, provider).invoice(purchase_id, now)
    # The provider's present state, with our decisions about it.
    seen = replace(
        purchase,
        state=invoice.state,
        due_cents=invoice.due_cents,
        received_cents=invoice.received_cents,
        expires_at=invoice.expires_at,
    )
    return {
        "provider": provider,
        "purchase_id": purchase_id,
        "status": invoice.state,
        "invoice": invoice_state(seen, invoice.server_time),
        "amount_cents": invoice.amount_cents,
        "received_cents": invoice.received_cents,
        "due_cents": invoice.due_cents,
        "surplus_cents": invoice.surplus_cents,
        "currency": invoice.currency,
        "amount_btc": invoice.amount_btc,
        "due_btc": invoice.due_btc,
        "rate_cents": rate_of(invoice.amount_cents, invoice.amount_btc),
        "address": invoice.address,
        "bip21": invoice.bip21,
        "lightning": invoice.lightning,
        "created_at": rfc3339(invoice.created_at),
        "expires_at": rfc3339(invoice.expires_at),
        "server_time": rfc3339(invoice.server_time),
        "url": invoice.url,
        "confirmations": invoice.confirmations,
        "confirmed": invoice.confirmed,
        "claim_url": _claim_url(client, purchase),
    }


def _claim_url(client: Callable[[str], Client], purchase: Purchase) -> str | None:
    """Where the buyer claims the refund, while it waits for that."""
    refunds = purchase.payment.refunds if purchase.payment else {}
    open_claims = (id for id, r in refunds.items() if r.status == "pending" and r.waits_for == "claim")
    claim = next(open_claims, None)
    return None if claim is None else prepaid_client(client, purchase.provider).refund_url(claim)


def rate_of(amount_cents: int, amount_btc: str | None) -> int | None:
    """Of one bitcoin, in the minor unit of the price."""
    bitcoin = Decimal(amount_btc) if amount_btc else Decimal(0)
    return int((amount_cents / bitcoin).to_integral_value()) if bitcoin else None


def of_checkout(accounts: AccountStore, user_id: str, checkout_id: str) -> tuple[str, str]:
    """(provider, invoice id) of a checkout that is paid in bitcoin."""
    for checkout in accounts.load(user_id).checkouts:
        if checkout.checkout_id == checkout_id and checkout.session_id and checkout.provider in PREPAID:
            return checkout.provider, checkout.session_id
    raise NotFound("there is no such bitcoin checkout")


def purchase_of(account: Account, provider: str, purchase_id: str) -> Purchase | None:
    """Raises `PastNeeded` where it may be among those that were not read."""
    for kind in ("term", "purchase", "gift"):
        record = account.records.get(f"{kind}#{provider}#{purchase_id}")
        if isinstance(record, Purchase):
            return record
    if not account.whole:
        raise PastNeeded
    return None
