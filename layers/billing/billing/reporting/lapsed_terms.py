"""Books changes that happen by time alone: no event reports that a prepaid term has started or ended."""

from billing.errors import TryAgain
from billing.rules.consequences import consequences
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from billing.store.plans import PlanStore


def book_lapsed_terms(accounts: AccountStore, plans: PlanStore, due: DueStore, now: int, limit: int) -> int:
    """Book every account that is due for review by `now`, at most `limit` per partition. Returns how many.

    Booking moves an account to its next due time, or out of the index. An account with too many concurrent writes is
    skipped, because each of those writes books it as well.
    """
    booked = 0
    for record in due.due("review", now, limit):
        try:
            accounts.change(record.user_id, lambda account: consequences(account, account, plans.catalogue(), now))
        except TryAgain:
            continue
        booked += 1
    return booked
