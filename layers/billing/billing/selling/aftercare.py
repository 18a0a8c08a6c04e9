"""What is left to do at the provider once a subscription began, failed to begin, or ends while a payment is open. It
follows from the account as it stands, so the next try makes up for one that failed. The queue comes here with every
event that may call for it, and reconciliation with every user it looks at."""

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
    """`policy`: what is done about duplicate subscriptions, `refund` or `flag`."""

    accounts: AccountStore
    plans: PlanStore
    applier: Applier
    client: Callable[[str], Client]
    policy: str
    logger: Log

    def settle(self, user_id: str, now: int, *, dry_run: bool = False) -> list[Subscription]:
        """Does what is left, or with `dry_run` nothing; the duplicate subscriptions there were. A subscription that
        will never be paid is ended first, so that it does not count as a duplicate."""
        if not dry_run:
            for subscription in self.accounts.load(user_id).subscriptions:
                if subscription.status in LIVE and subscription.start_failed:
                    self._end(user_id, subscription, now)
                elif subscription.left_owing:
                    self._stop_collecting(user_id, subscription, now)
        desk = Doubles(self.accounts, self.plans, self.applier, self.client, self.policy, self.logger)
        return desk.settle(user_id, now, dry_run=dry_run)

    def _end(self, user_id: str, subscription: Subscription, now: int) -> None:
        """Its first payment, a bank debit, failed: Stripe voids the invoice and leaves the subscription active. Nobody
        else ends it, and it would bill the next period."""
        name = subscription.subscription_id
        self.client(subscription.provider).cancel_subscription(
            name, at_period_end=False, reason=None, key=f"failed-start:{name}"
        )
        self.applier.refresh(user_id, subscription.provider, Ref("subscription", name), now)

    def _stop_collecting(self, user_id: str, subscription: Subscription, now: int) -> None:
        """It was cancelled in the provider's portal or dashboard, which goes on collecting until the period's end."""
        name = subscription.subscription_id
        renewing_client(self.client, subscription.provider).stop_collecting(name)
        self.applier.refresh(user_id, subscription.provider, Ref("subscription", name), now)
