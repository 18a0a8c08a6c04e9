"""BTCPay Server's invoices and refunds as facts."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from billing.errors import ProviderError
from billing.providers.btcpay.webhook import NAME
from billing.providers.prepaid import (
    SATOSHIS,
    Seen,
    btc,
    covered_at,
    inexact_amount,
    minor_down,
    minor_nearest,
    minor_up,
)
from billing.rules.facts import RefundFact
from billing.rules.money import to_decimal
from billing.rules.records import PurchaseState, RefundStatus

_STATES: Mapping[str, PurchaseState] = {
    "New": "pending",
    "Processing": "processing",
    "Settled": "paid",
    "Expired": "failed",
    "Invalid": "failed",
}
ON_CHAIN, LIGHTNING = "BTC-CHAIN", "BTC-LN"
# How the description of our claims starts; the invoice id follows.
DESCRIBED = "Refund of invoice "


def _state(invoice: Mapping[str, Any]) -> PurchaseState:
    status, additional = str(invoice.get("status")), invoice.get("additionalStatus")
    if status not in _STATES:
        raise ProviderError(f"BTCPay invoice {invoice.get('id')} has a status we do not know: {status}")
    if additional == "PaidPartial" and status in ("New", "Expired"):
        return "underpaid"
    if additional in ("PaidLate", "PaidOver") and status == "Expired":
        return "paid_late"
    return _STATES[status]


def _settled_and_gone(
    invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]], price: Decimal, received: Decimal
) -> bool:
    """Whether the payment of a settled invoice was replaced on the chain: the server keeps "Settled" and sends nothing.

    False for an invoice that was marked by hand (paid elsewhere), and while the store's tolerance covers the gap.
    """
    checkout = invoice.get("checkout")
    tolerance = checkout.get("paymentTolerance") if isinstance(checkout, Mapping) else None
    if invoice.get("status") != "Settled" or invoice.get("additionalStatus") == "Marked" or tolerance is None:
        return False
    due = max((Decimal(method["amount"]) * _worth_of_one(method, price) for method in methods), default=price)
    forgiven = due * Decimal(str(tolerance)) / 100
    return received < price - forgiven - 2 * to_decimal(1, str(invoice["currency"]))


def seen_in(invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]]) -> Seen:
    """The amount received is the sum of payments less fees: the server's own sums are rounded or include fees."""
    state, currency, price = _state(invoice), str(invoice["currency"]), Decimal(str(invoice["amount"]))
    payments = [
        (int(payment["receivedDate"]), max(Decimal(0), Decimal(payment["value"]) - Decimal(payment["fee"])), method)
        for method in methods
        for payment in method.get("payments") or []
        if payment.get("status") != "Invalid"
    ]
    worth = [(when, net * _worth_of_one(method, price)) for when, net, method in payments]
    exact_received = sum((amount for _, amount in worth), Decimal(0))
    received = minor_down(exact_received, currency)
    bitcoin = sum((net for _, net, method in payments if method.get("currency") == "BTC"), Decimal(0))
    gone = _settled_and_gone(invoice, methods, price, exact_received)
    if gone:
        state = "underpaid" if received > 0 else "failed"
    # One minor unit less is a rounding difference.
    reached = price - to_decimal(1, currency)
    return Seen(
        state=state,
        amount=str(invoice["amount"]),
        currency=currency,
        created_at=int(invoice["createdTime"]),
        expires_at=int(invoice["expirationTime"]),
        ended=gone or invoice["status"] in ("Expired", "Invalid"),
        paid_at=covered_at(worth, reached),
        received_cents=received,
        received_sat=int(bitcoin * SATOSHIS),
        due_cents=_due_cents(invoice, methods, price, received) if state == "underpaid" else 0,
        transactions=transactions_in(methods),
    )


def _worth_of_one(method: Mapping[str, Any], price: Decimal) -> Decimal:
    """The price of one coin at the invoice's rate: the amount requested, less the network fee, equals the price."""
    net = Decimal(method["amount"]) - Decimal(method["paymentMethodFee"])
    return price / net if net > 0 else Decimal(method["rate"])


def _due_cents(invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]], price: Decimal, received: int) -> int:
    """The amount still due by the server, including the network fee of a further payment if the store adds it. Of a
    closed invoice, the price less the amount received."""
    currency = str(invoice["currency"])
    method = method_named(methods, ON_CHAIN) or method_named(methods, LIGHTNING)
    if invoice["status"] != "New" or method is None:
        return max(0, minor_nearest(price, currency) - received)
    return max(0, minor_up(Decimal(method["due"]) * Decimal(method["rate"]), currency))


def method_named(methods: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    return next((m for m in methods if m.get("paymentMethodId") == name and m.get("activated", True)), None)


_SPEEDS = {"HighSpeed": 0, "MediumSpeed": 1, "LowMediumSpeed": 2, "LowSpeed": 6}


def confirmations_of(invoice: Mapping[str, Any]) -> int | None:
    """The number of confirmations after which the server settles the invoice, by its speed policy."""
    checkout = invoice.get("checkout")
    return _SPEEDS.get(str(checkout.get("speedPolicy"))) if isinstance(checkout, Mapping) else None


def confirmed_of(invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]]) -> int | None:
    """0 while a payment waits for its only required confirmation; else None, because the server only says whether a
    payment has all confirmations."""
    chain = method_named(methods, ON_CHAIN) or {}
    waits = any(payment.get("status") == "Processing" for payment in chain.get("payments") or [])
    return 0 if waits and confirmations_of(invoice) == 1 else None


def transactions_in(methods: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The on-chain transaction ids; a payment's id is `<txid>-<output>`."""
    chain = method_named(methods, ON_CHAIN)
    ids = [str(p.get("id")) for p in (chain or {}).get("payments") or [] if p.get("status") != "Invalid"]
    return tuple(dict.fromkeys(txid.partition("-")[0] for txid in ids))


# --- refunds: a pull payment at the server, from which the buyer claims payouts ---


def refund_fact(
    invoice: Mapping[str, Any],
    methods: Sequence[Mapping[str, Any]],
    claim: Mapping[str, Any],
    payouts: Sequence[Mapping[str, Any]],
    now: int,
) -> RefundFact:
    """The refund of a claim. Archived, it is withdrawn: payouts made or in progress stay, but the server (up to 2.4.1)
    lists none of them any more."""
    refund_id, currency, whole = str(claim["id"]), str(claim["currency"]), Decimal(claim["amount"])
    done, paid = _sum_of(payouts, "Completed"), _sum_of(payouts, "Completed", "InProgress")
    status: RefundStatus = "succeeded" if done >= whole else "failed" if claim.get("archived") else "pending"
    states = {str(payout["state"]) for payout in payouts} - {"Cancelled"}
    turn = "approval" if "AwaitingApproval" in states else "payment" if states - {"Completed"} else "claim"
    price_currency, rate = str(invoice["currency"]), _rate(invoice, methods, currency)
    cents = minor_nearest(whole * rate, price_currency)
    described, _, reason = str(claim.get("description") or "").rpartition(": ")
    return RefundFact(
        provider=NAME,
        observed_at=now,
        refund_id=refund_id,
        payment_ref=str(invoice["id"]),
        amount_cents=cents,
        currency=price_currency,
        status=status,
        reason=reason if described.startswith(DESCRIBED) else None,
        request_id=_request_of(claim.get("name")),
        exact_amount=inexact_amount(whole, currency, cents, price_currency),
        waits_for=turn if status == "pending" else None,
        paid_cents=minor_nearest(paid * rate, price_currency),
    )


def _sum_of(payouts: Sequence[Mapping[str, Any]], *states: str) -> Decimal:
    return sum((Decimal(payout["originalAmount"]) for payout in payouts if payout["state"] in states), Decimal(0))


def _request_of(name: object) -> str | None:
    """The id of our refund request, from the claim's name."""
    match = re.fullmatch(r"Refund ([0-9a-f]{32})", name) if isinstance(name, str) else None
    return match[1] if match else None


def payout_methods(methods: Sequence[Mapping[str, Any]]) -> list[str]:
    """The payout methods for an invoice's payment methods. BTC-LNURL, which servers up to 2.4.1 refuse for payouts, is
    paid out over Lightning."""
    offered = {str(m.get("paymentMethodId")) for m in methods}
    if "BTC-LNURL" in offered:
        offered.add(LIGHTNING)
    return [way for way in (ON_CHAIN, LIGHTNING) if way in offered]


def invoice_of(claim: Mapping[str, Any]) -> str:
    """The invoice that a pull payment refunds: in the description of our claims, in the name of the server's own."""
    described, name = str(claim.get("description") or ""), str(claim.get("name") or "")
    if described.startswith(DESCRIBED):
        return described.removeprefix(DESCRIBED).partition(":")[0]
    return name.removeprefix("Refund ") if name.startswith("Refund ") else ""


def _rate(invoice: Mapping[str, Any], methods: Sequence[Mapping[str, Any]], currency: str) -> Decimal:
    """The price of one unit of the claim's currency, at the invoice's rate."""
    if currency == invoice["currency"]:
        return Decimal(1)
    if currency == "SATS":
        return _rate(invoice, methods, "BTC") / SATOSHIS
    method = next((m for m in methods if m.get("currency") == currency), None)
    if method is None:
        raise ProviderError(f"BTCPay refund of invoice {invoice['id']} is in {currency}, the price in another one")
    return _worth_of_one(method, Decimal(str(invoice["amount"])))


def exact(amount: str) -> str:
    return btc(int(Decimal(amount) * SATOSHIS))


def bip21(chain: Mapping[str, Any], bolt11: str | None) -> str:
    """One URI for on-chain and Lightning. BOLT 11 is case-insensitive, and upper case makes the QR code smaller."""
    link = str(chain.get("paymentLink") or f"bitcoin:{chain['destination']}?amount={exact(chain['due'])}")
    if bolt11 is None or "lightning=" in link.lower():
        return link
    return f"{link}{'&' if '?' in link else '?'}lightning={bolt11.upper()}"
