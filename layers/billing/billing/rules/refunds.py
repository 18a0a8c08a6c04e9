"""What of a payment can still be given back, and which of our requests hold some of it."""

import hashlib
from collections.abc import Iterator

from billing.data import replace
from billing.rules.records import Account, Payment, Purchase, Refund, RefundRequest, Subscription


def request_id(user_id: str, provider: str, payment_id: str, key: str) -> str:
    """The name of one intent: the same key for another user or payment gives another id. 32 hexadecimal digits."""
    scoped = "\n".join((user_id, provider, payment_id, key))
    return hashlib.sha256(scoped.encode()).hexdigest()[:32]


def request_of(account: Account, provider: str, request_id: str | None) -> RefundRequest | None:
    record = account.records.get(f"refund#{provider}#{request_id}")
    return record if isinstance(record, RefundRequest) else None


def parts_of(payment: Payment, request: RefundRequest) -> list[Refund]:
    """The refunds that carry out a request: one, or one for each part in which the payment was made."""
    return [refund for refund in payment.refunds.values() if refund.request_id == request.request_id]


def open_requests(account: Account, provider: str, payment: Payment) -> Iterator[RefundRequest]:
    """The requests for a payment whose end is not known yet."""
    for request in account.refund_requests:
        if (request.provider, request.payment_id, request.status) == (provider, payment.payment_id, "reserved"):
            yield request


def reserved_cents(account: Account, provider: str, payment: Payment) -> int:
    """What open requests hold of a payment and have not given back yet."""
    return sum(
        max(0, request.amount_cents - sum(part.amount_cents for part in parts_of(payment, request)))
        for request in open_requests(account, provider, payment)
    )


def refundable_cents(
    account: Account, record: Subscription | Purchase, payment: Payment, *, surplus: bool = False
) -> int:
    """What can be given back now: what is kept (or only the part that bought nothing), less what open requests hold."""
    came = payment.kept_cents
    if isinstance(record, Purchase):
        came = record.unbought_cents if surplus else record.kept_cents
    return max(0, came - reserved_cents(account, record.provider, payment))


def settled(account: Account, provider: str, request_id: str | None) -> Account:
    """Closes a request once all of its amount is refunded; while only a part is, it stays open."""
    request = request_of(account, provider, request_id)
    owner_and_payment = account.payment(provider, request.payment_id) if request else None
    if request is None or owner_and_payment is None or request.status == "made":
        return account
    if sum(part.amount_cents for part in parts_of(owner_and_payment[1], request)) < request.amount_cents:
        return account
    return account.put(replace(request, status="made", settle_at=None, error=None))
