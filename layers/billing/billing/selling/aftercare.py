"""What is left to do at the provider when a subscription began, failed to begin, or is left while a payment is open.

What is to be done follows from the account as it stands, so a try that failed is made up for by the next. The queue
comes here with every event that may call for it, and reconciliation with every user it looks at.
"""

from collections.abc import Callable

from billing.data import dataclass
from billing.intake.applier import Applier
from billing.log import Log
from billing.providers import renewing_client
from billing.providers.interface import Client
from billing.rules.facts import Ref
from billing.rules.records import LIVE, Subscription
from billing.selling.double_subscriptions import Doubles
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore


@dataclass(frozen=True, slots=True)
class Aftercare:
    """`doubles`: what is done about second subscriptions, `refund` or `flag`."""

    accounts: AccountStore
    plans: PlanStore
    applier: Applier
    client: Callable[[str], Client]
    doubles: str
    logger: Log

    def settle(self, user_id: str, now: int, *, dry_run: bool = False) -> list[Subscription]:
        """Does what is left, or with `dry_run` nothing; the second subscriptions there were.

        What will never be paid is ended first: it is no double of another.
        """
        if not dry_run:
            for subscription in self.accounts.load(user_id).subscriptions:
                if subscription.status in LIVE and subscription.start_failed:
                    self._end(user_id, subscription, now)
                elif subscription.left_owing:
                    self._stop_collecting(user_id, subscription, now)
        doubles = Doubles(self.accounts, self.plans, self.applier, self.client, self.doubles, self.logger)
        return doubles.settle(user_id, now, dry_run=dry_run)

    def _end(self, user_id: str, subscription: Subscription, now: int) -> None:
        """Its first payment, a bank debit, came to nothing: Stripe voids the invoice and leaves it active. Nobody else
        ends it, and left alone it would bill the next period."""
        name = subscription.subscription_id
        self.client(subscription.provider).cancel_subscription(
            name, at_period_end=False, reason=None, key=f"failed-start:{name}"
        )
        self.applier.refresh(user_id, subscription.provider, Ref("subscription", name), now)

    def _stop_collecting(self, user_id: str, subscription: Subscription, now: int) -> None:
        """It was cancelled past us, in the provider's portal or dashboard, which goes on collecting until the end."""
        name = subscription.subscription_id
        renewing_client(self.client, subscription.provider).stop_collecting(name)
        self.applier.refresh(user_id, subscription.provider, Ref("subscription", name), now)
