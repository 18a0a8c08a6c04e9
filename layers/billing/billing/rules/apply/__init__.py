"""`apply`: what a fact changes in an account. Pure, and the only place where order, repeats and ties are settled.

The rules: the newest provider time wins per object; a terminal state is never left; refunds and disputes are kept by
their own id; two different states of the same second cannot be ordered, so the object has to be read again. Whatever
the order, the number of repeats and the interleaving of facts, the end state is the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

from billing.errors import Parked
from billing.rules.apply.purchases import accept, checkout, purchase
from billing.rules.apply.returns import customer_deleted, dispute, fraud_warning, refund
from billing.rules.apply.subscriptions import accept_late, dunning, paid_plans, payment, sold, subscription
from billing.rules.facts import (
    CheckoutFact,
    CustomerDeletedFact,
    DisputeFact,
    DunningFact,
    Fact,
    FraudWarningFact,
    PaymentFact,
    PurchaseFact,
    Ref,
    RefundFact,
    SubscriptionFact,
)
from billing.rules.money import LARGEST
from billing.rules.plans import Catalogue
from billing.rules.records import Account

__all__ = ["accept", "accept_late", "apply", "paid_plans", "sold"]

_RULES: Mapping[type, Callable[[Account, Any, Catalogue], Account | Ref]] = {
    SubscriptionFact: subscription,
    PaymentFact: payment,
    DunningFact: dunning,
    PurchaseFact: purchase,
    RefundFact: refund,
    DisputeFact: dispute,
    FraudWarningFact: fraud_warning,
    CheckoutFact: checkout,
    CustomerDeletedFact: customer_deleted,
}
# The fields of facts that hold money. An amount beyond the bound would break every sum it is part of, for good.
_AMOUNTS = ("amount_cents", "due_cents", "received_cents", "fee_cents")


def apply(account: Account, fact: Fact, catalogue: Catalogue) -> Account | Ref:
    """The account after the fact, or the object that must be read from the provider before it can be judged.

    Returns the same object when nothing changes. Raises `Parked` when the fact speaks of something no one knows yet
    (a price of no plan, a refund of an unknown payment): its event waits, and is not lost. Raises `PastNeeded` when it
    may speak of a payment that was not read with the account.
    """
    for name in _AMOUNTS:
        if abs(getattr(fact, name, None) or 0) > LARGEST:
            raise Parked(f"{type(fact).__name__} says {name} beyond any amount of money", "amount_out_of_bounds")
    return _RULES[type(fact)](account, fact, catalogue)
