"""A subscription whose first payment, a bank debit, came to nothing: Stripe voids the invoice and leaves it active.

It is closed here, and nobody else ends it: left alone it would bill the next period.
"""

from collections.abc import Callable

from billing.data import dataclass
from billing.intake.applier import Applier
from billing.providers.interface import Client
from billing.rules.facts import Ref
from billing.rules.records import LIVE, Subscription
from billing.store.accounts import AccountStore


@dataclass(frozen=True, slots=True)
class FailedStarts:
    accounts: AccountStore
    applier: Applier
    client: Callable[[str], Client]

    def settle(self, user_id: str, now: int) -> list[Subscription]:
        """Cancels them at the provider, and says which. What is to be done follows from the account as it stands, so a
        try that failed is made up for by the next."""
        found = [s for s in self.accounts.load(user_id).subscriptions if s.status in LIVE and s.start_failed]
        for subscription in found:
            self.client(subscription.provider).cancel_subscription(
                subscription.subscription_id,
                at_period_end=False,
                reason=None,
                key=f"failed-start:{subscription.subscription_id}",
            )
            ref = Ref("subscription", subscription.subscription_id)
            self.applier.refresh(user_id, subscription.provider, ref, now)
        return found
