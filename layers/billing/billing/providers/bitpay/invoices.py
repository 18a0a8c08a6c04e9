"""BitPay's invoices and refunds as facts."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from billing.errors import ProviderError
from billing.providers.bitpay.webhook import NAME, seconds_of
from billing.providers.prepaid import (
    Seen,
    covered_at,
    inexact_amount,
    minor_down,
    minor_nearest,
)
from billing.rules.facts import RefundFact
from billing.rules.records import SURPLUS, PurchaseState, RefundStatus

# https://developer.bitpay.com/docs/invoice-states. Underpaid and late come from exceptionStatus: see `_state`.
_STATES: Mapping[str, PurchaseState] = {
    "new": "pending",
    "paid": "processing",
    "confirmed": "paid",
    "complete": "paid",
    "expired": "failed",
    "invalid": "failed",
    "declined": "failed",
}
# Any other status, such as a preview or an unknown word, counts as failed.
_REFUND_STATES: Mapping[str, RefundStatus] = {"created": "pending", "pending": "pending", "success": "succeeded"}
# The types of refunds that BitPay makes by itself. They return money that did not buy anything.
_BY_ITSELF = ("underpayment", "overpayment")


def _state(invoice: Mapping[str, Any]) -> PurchaseState:
    status, exception = str(invoice.get("status")), invoice.get("exceptionStatus")
    if status not in _STATES:
        raise ProviderError(f"BitPay invoice {invoice.get('id')} has a status we do not know: {status}")
    if exception == "paidLate":
        return "paid_late"
    if exception == "paidPartial" and status in ("new", "expired"):
        return "underpaid"
    return _STATES[status]


def seen_in(invoice: Mapping[str, Any], *, sees_refunds: bool) -> Seen:
    state, currency, price = _state(invoice), str(invoice["currency"]), Decimal(str(invoice["price"]))
    paid, due = _paid_and_due(invoice)
    worth = price * paid / due if due else price if state in ("processing", "paid", "paid_late") else Decimal(0)
    if state in ("processing", "paid") and invoice.get("exceptionStatus") != "paidOver":
        # Wallets round: if BitPay says that it is paid in full, it is.
        worth = price
    if invoice["status"] == "declined" and not sees_refunds:
        # A declined invoice is refunded in full; without the merchant facade that refund cannot be read.
        worth, paid = Decimal(0), Decimal(0)
    received = minor_down(worth, currency)
    in_bitcoin = (invoice.get("transactionCurrency") or "BTC") == "BTC"
    return Seen(
        state=state,
        amount=str(invoice["price"]),
        currency=currency,
        created_at=int(invoice["invoiceTime"]) // 1000,
        expires_at=int(invoice["expirationTime"]) // 1000,
        ended=state in ("failed", "paid_late") or invoice["status"] == "expired",
        paid_at=covered_at(_payments(invoice), due),
        received_cents=received,
        received_sat=int(paid) if in_bitcoin else 0,
        due_cents=max(0, minor_nearest(price, currency) - received) if state == "underpaid" else 0,
        transactions=transactions_in(invoice),
    )


def _paid_and_due(invoice: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """(paid, due), both in the smallest unit of the currency it is paid in."""
    currency = invoice.get("transactionCurrency") or "BTC"
    due = (invoice.get("paymentTotals") or {}).get(currency, 0)
    return Decimal(invoice.get("amountPaid") or 0), Decimal(due)


def _payments(invoice: Mapping[str, Any]) -> Iterator[tuple[int, Decimal]]:
    """(time seen, amount) of each transaction."""
    for transaction in invoice.get("transactions") or []:
        when, amount = seconds_of(str(transaction.get("receivedTime"))), Decimal(transaction.get("amount") or 0)
        if when is not None and amount > 0:
            yield when, amount


def transactions_in(invoice: Mapping[str, Any]) -> tuple[str, ...]:
    """The on-chain transaction ids."""
    return tuple(dict.fromkeys(str(t["txid"]) for t in invoice.get("transactions") or [] if t.get("txid")))


def confirmed_in(invoice: Mapping[str, Any]) -> int | None:
    """The lowest number of confirmations of its transactions; None if any of them lacks the number."""
    counts = [transaction.get("confirmations") for transaction in invoice.get("transactions") or []]
    valid = [count for count in counts if isinstance(count, int) and count >= 0]
    return min(valid) if valid and len(valid) == len(counts) else None


def metadata_in(invoice: Mapping[str, Any]) -> object:
    try:
        return json.loads(invoice.get("posData") or "{}")
    except (ValueError, TypeError):
        return None


def refund_fact(refund: Mapping[str, Any], price_currency: str, now: int) -> RefundFact:
    currency = str(refund.get("currency") or price_currency)
    amount = Decimal(str(refund["amount"]))
    cents = minor_nearest(amount, currency)
    by_itself = refund.get("type") in _BY_ITSELF
    return RefundFact(
        provider=NAME,
        observed_at=now,
        refund_id=str(refund["id"]),
        payment_ref=str(refund["invoice"]),
        amount_cents=cents,
        currency=currency,
        status=_REFUND_STATES.get(str(refund.get("status")), "failed"),
        reason=SURPLUS if by_itself else str(refund["reference"]) if refund.get("reference") else None,
        request_id=str(refund["guid"]).replace("-", "") if refund.get("guid") else None,
        exact_amount=inexact_amount(amount, currency, cents, currency),
    )


def refund_info(invoice: Mapping[str, Any], status: RefundStatus, now: int) -> tuple[RefundFact, ...]:
    """The refund in an invoice's `refundInfo`, when refunds themselves cannot be read."""
    info, currency = invoice.get("refundInfo"), str(invoice["currency"])
    amounts = info.get("amounts") if isinstance(info, dict) else None
    pairs = amounts.items() if isinstance(amounts, dict) else [pair for a in amounts or [] for pair in a.items()]
    refunded = next((Decimal(str(amount)) for name, amount in pairs if name == currency), None)
    if refunded is None or not isinstance(info, dict) or _paid_and_due(invoice)[0] <= 0:
        return ()
    cents = minor_nearest(refunded, currency)
    return (
        RefundFact(
            provider=NAME,
            observed_at=now,
            refund_id=str(info.get("supportRequest") or f"{invoice['id']}:refund"),
            payment_ref=str(invoice["id"]),
            amount_cents=cents,
            currency=currency,
            status=status,
            exact_amount=inexact_amount(refunded, currency, cents, currency),
        ),
    )
