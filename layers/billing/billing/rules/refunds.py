"""What of a payment can still be given back, and which of our requests hold some of it."""

import hashlib
from collections.abc import Iterator

from billing.data import replace
from billing.rules.records import Account, Payment, Purchase, Refund, RefundRequest, Subscription


def request_id(user_id: str, provider: str, payment_id: str, key: str) -> str:
    """The name of one intent: the same key for another user or payment is another one. 32 hexadecimal digits."""
    scoped = "\n".join((user_id, provider, payment_id, key))
    return hashlib.sha256(scoped.encode()).hexdigest()[:32]


def request_of(account: Account, provider: str, request_id: str | None) -> RefundRequest | None:
    found = account.records.get(f"refund#{provider}#{request_id}")
    return found if isinstance(found, RefundRequest) else None


def parts_of(payment: Payment, request: RefundRequest) -> list[Refund]:
    """The refunds that carry out a request: one, or one for each part in which the payment was made."""
    return [refund for refund in payment.refunds.values() if refund.request_id == request.request_id]


def open_requests(account: Account, provider: str, payment: Payment) -> Iterator[RefundRequest]:
    """The requests of a payment of which it is not known yet what became of them."""
    for request in account.refund_requests:
        if (request.provider, request.payment_id, request.status) == (provider, payment.payment_id, "reserved"):
            yield request


def refundable_cents(
    account: Account, record: Subscription | Purchase, payment: Payment, *, surplus: bool = False
) -> int:
    """What can be given back now: of what is kept, or of it what bought nothing, the part no open request holds."""
    came = payment.kept_cents
    if isinstance(record, Purchase):
        came = record.unbought_cents if surplus else record.kept_cents
    gone = 0
    for request in open_requests(account, record.provider, payment):
        made = sum(part.amount_cents for part in parts_of(payment, request))
        gone += max(0, request.amount_cents - made)
    return max(0, came - gone)


def settled(account: Account, provider: str, request_id: str | None) -> Account:
    """Closes a request of which all has been heard; one that is heard of in part stays open for the rest."""
    request = request_of(account, provider, request_id)
    found = account.payment(provider, request.payment_id) if request else None
    if request is None or found is None or request.status == "made":
        return account
    if sum(part.amount_cents for part in parts_of(found[1], request)) < request.amount_cents:
        return account
    return account.put(replace(request, status="made", settle_at=None, error=None))
