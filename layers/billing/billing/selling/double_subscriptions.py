"""Two subscriptions of one group bill twice: the second is found the moment its checkout completes, and undone.

Opening a checkout refuses this already; two pages that were paid at the same time, or a subscription made in the
provider's dashboard, get past it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from billing.intake.applier import Applier
from billing.log import Log
from billing.providers.interface import Client
from billing.rules.facts import Ref
from billing.rules.plans import Catalogue
from billing.rules.records import LIVE, Account, Subscription
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore


@dataclass(frozen=True, slots=True)
class Doubles:
    """`policy` refund: the surplus subscription is canceled and its payments go back; flag: it is only reported."""

    accounts: AccountStore
    plans: PlanStore
    applier: Applier
    client: Callable[[str], Client]
    policy: str
    logger: Log

    def settle(self, user_id: str, now: int) -> list[Subscription]:
        """Undoes or reports what a user has twice, and says what that was. Repeating it changes nothing."""
        account = self.accounts.load(user_id)
        found = surplus(account, self.plans.catalogue())
        for subscription, kept in found:
            where = {"user_id": user_id, "subscription_id": subscription.subscription_id, "policy": self.policy}
            self.logger.error("double_subscription", extra=where)
            if self.policy == "refund":
                self._undo(user_id, subscription, kept.created_at, now)
        return [subscription for subscription, _ in found]

    def _undo(self, user_id: str, subscription: Subscription, double_since: int, now: int) -> None:
        """Cancels it, and pays back what it took for time that the other one covers."""
        client = self.client(subscription.provider)
        key = f"double:{subscription.subscription_id}"
        client.cancel_subscription(subscription.subscription_id, at_period_end=False, reason=None, key=key)
        self.applier.refresh(user_id, subscription.provider, Ref("subscription", subscription.subscription_id), now)
        record = self.accounts.load(user_id).records[subscription.record]
        for payment in record.payments.values() if isinstance(record, Subscription) else ():
            paid_until = payment.paid_at if payment.period_end is None else payment.period_end
            if payment.kept_cents > 0 and paid_until > double_since:
                own_key = f"{key}:{payment.payment_id}"
                back = client.refund(payment.payment_id, None, payment.currency, reason="duplicate", key=own_key)
                self.applier.apply(user_id, subscription.provider, back.facts, now)


def surplus(account: Account, catalogue: Catalogue) -> list[tuple[Subscription, Subscription]]:
    """The live subscriptions beyond one in each group, each with the one to keep: the oldest one that pays."""
    kept: dict[str, Subscription] = {}
    extra = []
    live = [s for s in account.subscriptions if s.status in LIVE]
    for subscription in sorted(live, key=lambda s: (s.status not in ("active", "trialing"), s.created_at)):
        plan = catalogue.get(subscription.plan_id, subscription.plan_version)
        if plan is None:
            continue
        if plan.group in kept:
            extra.append((subscription, kept[plan.group]))
        else:
            kept[plan.group] = subscription
    return extra
