"""When an open bitcoin invoice is looked at again: often while somebody may be paying, ever more rarely after that."""

from billing.rules.records import PurchaseState
from billing.rules.times import DAY

# How long after its creation an invoice in a state may still change, in seconds: a late payment is noticed for a day or
# more after expiry, an unconfirmed one may take a fortnight, and a settled one can be marked invalid by hand.
_LONGEST: dict[PurchaseState, int] = {
    "pending": 3 * DAY,
    "processing": 14 * DAY,
    "failed": 3 * DAY,
    "underpaid": 14 * DAY,
    "paid_late": 14 * DAY,
    "paid": 3 * DAY,
}
_SHORTEST_PAUSE, _LONGEST_PAUSE = 60, 6 * 3600


def next_poll(state: PurchaseState, created_at: int, now: int, *, undecided: bool = False) -> int | None:
    """A pause of an eighth of the invoice's age, from a minute to six hours; None when nothing more is expected.

    `undecided`: somebody has to decide about it, and must find it until then.
    """
    age = now - created_at
    if age > _LONGEST[state] and not undecided:
        return None
    return now + min(max(age // 8, _SHORTEST_PAUSE), _LONGEST_PAUSE)
