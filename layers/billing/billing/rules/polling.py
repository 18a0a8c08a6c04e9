"""When a bitcoin invoice is looked at again: often while somebody may be paying, ever more rarely after that.

A server books what comes to an invoice's address whatever state the invoice is in, and refunds are made on its own
pages: so none is left alone before `LONGEST`, and none that a person has to decide about or that is being given back.
"""

from billing.rules.records import UNDER_WAY, Purchase
from billing.rules.times import DAY

# Invoices are read until this long after their creation, in seconds.
LONGEST = 90 * DAY
_SHORTEST_PAUSE = 60
# The longest pause while money or a refund is on its way, and while nothing is.
_LONGEST_PAUSE, _LONGEST_AT_REST = 6 * 3600, 7 * DAY


def next_poll(purchase: Purchase, now: int) -> int | None:
    """An eighth of the invoice's age from now: a minute at least, six hours at most, later a week; None: no more."""
    age = now - purchase.created_at
    refunds = purchase.payment.refunds.values() if purchase.payment else ()
    giving_back = any(refund.status == "pending" for refund in refunds)
    if age > LONGEST and not (purchase.undecided or giving_back):
        return None
    moving = purchase.state in UNDER_WAY or purchase.undecided or giving_back
    longest = _LONGEST_PAUSE if moving and age <= LONGEST else _LONGEST_AT_REST
    return now + min(max(age // 8, _SHORTEST_PAUSE), longest)
