"""Reminders before prepaid time runs out, because bitcoin payments do not renew by themselves.

A reminder is a note on the renewal record; the stream makes a domain event of it, which a host turns into a message.
So a reminder is never sent twice, and never sent without being noted.
"""

from collections.abc import Sequence

from billing.rules.ends import renewed_by_card
from billing.rules.records import Account, Renewal
from billing.rules.renewal import foreseen
from billing.rules.times import DAY
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from billing.store.plans import PlanStore


class Reminders:
    """`days`: how many days before the end to remind, such as 7 and 1; 0 is the end itself."""

    def __init__(self, accounts: AccountStore, plans: PlanStore, due: DueStore, days: Sequence[int]) -> None:
        self._accounts = accounts
        self._plans = plans
        self._due = due
        self._days = sorted(days, reverse=True)

    def send(self, now: int, limit: int) -> int:
        """Notes every reminder that is due, at most one per end and round; how many there were."""
        sent = 0
        for due in self._due.due("remind", now, limit):
            account = self._accounts.load(due.user_id)
            renewal = account.records.get(due.record)
            if not isinstance(renewal, Renewal):
                continue
            stage = self._stage(renewal, now) if self._wanted(account, renewal, now) else None
            noted = {} if stage is None else {"reminded_days": stage}
            sent += self._due.claim(due, self._next(renewal, now), **noted) and stage is not None
        return sent

    def _stage(self, renewal: Renewal, now: int) -> int | None:
        """The most urgent reminder that is due; earlier ones that were missed in an outage are skipped."""
        passed = [
            days for days in self._days if renewal.ends_at - days * DAY <= now and (days == 0 or now < renewal.ends_at)
        ]
        if not passed or (renewal.reminded_days is not None and passed[-1] >= renewal.reminded_days):
            return None
        return passed[-1]

    def _next(self, renewal: Renewal, now: int) -> int | None:
        return next((t for days in self._days if (t := renewal.ends_at - days * DAY) > now), None)

    def _wanted(self, account: Account, renewal: Renewal, now: int) -> bool:
        """Whether the buyer asked for it, and neither a card nor a working wallet goes on paying."""
        mandate = account.mandate_in(renewal.group)
        by_wallet = mandate is not None and mandate.renews and foreseen(account, mandate, now) is None
        return renewal.wanted and not by_wallet and not renewed_by_card(account, renewal.group, self._plans.catalogue())
