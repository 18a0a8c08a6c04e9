"""How a bitcoin invoice stands toward its buyer: the one table that the dialog, the billing page and the list of
purchases speak by.

| state              | when                                                        | pay | look on | new quote |
|--------------------|-------------------------------------------------------------|-----|---------|-----------|
| waiting            | nothing has come, and there is time                         | yes | yes     | no        |
| missing            | part has come, and there is time for the rest               | yes | yes     | no        |
| confirming         | all has come, the network has to confirm it                 | no  | yes     | no        |
| expired            | the time is up, and nothing has come that we know of        | no  | yes     | yes       |
| held               | money is there that bought nothing: a person decides        | no  | yes     | no        |
| returning          | it is being given back                                      | no  | yes     | no        |
| paid               | it bought what was asked for                                | no  | no      | no        |
| refunded, disputed | as the purchase                                             | no  | no      | yes       |
"""

from typing import Literal

from billing.data import dataclass
from billing.rules.records import Purchase

State = Literal[
    "waiting",
    "missing",
    "confirming",
    "expired",
    "held",
    "returning",
    "paid",
    "partially_refunded",
    "refunded",
    "disputed",
]


@dataclass(frozen=True, slots=True)
class InvoiceState:
    """`payable`: money is asked for. `watched`: money may still come, or move. `again`: a new quote bears no risk of
    paying twice."""

    state: State
    payable: bool = False
    watched: bool = False
    again: bool = False


def state_of(purchase: Purchase, now: int) -> InvoiceState | None:
    """None: not a bitcoin invoice, or one of which only the record is left."""
    if purchase.received_cents is None:
        return None
    refunds = purchase.payment.refunds.values() if purchase.payment else ()
    on_its_way = any(refund.status == "pending" for refund in refunds)
    # What was given back counts from the provider's word; its buyer may still have to say where it goes.
    if purchase.status == "refunded" and not on_its_way:
        return InvoiceState("refunded", again=True)
    if purchase.status == "disputed":
        return InvoiceState("disputed", again=True)
    if purchase.paid and purchase.status != "refunded":
        return InvoiceState("paid" if purchase.status == "paid" else "partially_refunded")
    if on_its_way:
        return InvoiceState("returning", watched=True)
    if purchase.state == "processing":
        return InvoiceState("confirming", watched=True)
    in_time = purchase.expires_at is None or now < purchase.expires_at
    if purchase.received_cents == 0:
        if purchase.state == "pending" and in_time:
            return InvoiceState("waiting", payable=True, watched=True)
        return InvoiceState("expired", watched=True, again=True)
    if purchase.state in ("pending", "underpaid") and in_time:
        return InvoiceState("missing", payable=True, watched=True)
    if purchase.undecided or purchase.payment is None or purchase.state == "pending":
        return InvoiceState("held", watched=True)
    # All that came has gone back.
    return InvoiceState("refunded", again=True)
