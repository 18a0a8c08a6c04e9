"""Books what time alone changes: no event tells that a prepaid term has started or run out."""

from billing.errors import TryAgain
from billing.rules.consequences import consequences
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from billing.store.plans import PlanStore


def book_lapsed_terms(accounts: AccountStore, plans: PlanStore, due: DueStore, now: int, limit: int) -> int:
    """Books every account whose prepaid time has turned by `now`, at most `limit` of each partition; how many.

    Booking moves the account to its next turn, or out of the index. Where others write all the time,
    their changes book it as well.
    """
    booked = 0
    for record in due.due("review", now, limit):
        try:
            accounts.change(record.user_id, lambda account: consequences(account, account, plans.catalogue(), now))
        except TryAgain:
            continue
        booked += 1
    return booked
