"""Books what time alone changes: no event tells that a prepaid term has started or run out."""

from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from billing.store.plans import PlanStore
from billing.store.transactions import LostRace


def book_lapsed_terms(accounts: AccountStore, plans: PlanStore, due: DueStore, now: int, limit: int) -> int:
    """Books every account whose prepaid time has turned by `now`, at most `limit` of each partition; how many.

    Booking moves the account to its next turn, or out of the index. Where somebody else writes at the same moment,
    their change books it as well.
    """
    booked = 0
    for found in due.due("review", now, limit):
        account = accounts.load(found.user_id)
        try:
            accounts.commit(account, account, plans.catalogue(), now)
        except LostRace:
            continue
        booked += 1
    return booked
