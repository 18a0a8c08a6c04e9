"""Duplicate subscriptions: of two in one group, which bill twice, the surplus one is canceled and refunded.

Opening a checkout refuses a second one; two pages paid at the same time, or a subscription made in the provider's
dashboard, get past that. They are found when a checkout completes, or by reconciliation. Undoing takes several steps at
the provider. It is noted first, so that after a failed step or a crash every later try goes on from there.
"""

from collections.abc import Callable, Iterator

from billing.data import dataclass
from billing.errors import Conflict, Parked, ProviderError
from billing.intake.applier import Applier
from billing.log import Log
from billing.providers.interface import Client
from billing.rules.consequences import Consequences, consequences
from billing.rules.facts import Ref
from billing.rules.plans import Catalogue
from billing.rules.records import LIVE, Account, Double, Payment, Subscription
from billing.rules.refunds import refundable_cents
from billing.selling.refunds import Refunds, Wanted
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore

# Seconds after which a refused refund is asked for again, and not with every try.
_ASK_AGAIN = 3600
# Who gave the money back, in the audit log.
ACTOR = "double_subscription"


@dataclass(frozen=True, slots=True)
class Doubles:
    """`policy` refund: the surplus subscription is canceled and its payments go back; flag: it is only reported."""

    accounts: AccountStore
    plans: PlanStore
    applier: Applier
    client: Callable[[str], Client]
    policy: str
    logger: Log

    def settle(self, user_id: str, now: int, *, dry_run: bool = False) -> list[Subscription]:
        """Undoes or reports what a user has twice; the duplicates there were. Repeating it does what is left to do.
        Raises `Parked` with the cause when some of it could not be done yet."""
        account, catalogue = self.accounts.load(user_id, whole=True), self.plans.catalogue()
        extra = surplus(account, catalogue)
        if extra and not dry_run:
            account = self._read_again(account, extra, now)
            extra = surplus(account, catalogue)
        if not dry_run:
            for subscription, _ in extra:
                where = {"user_id": user_id, "subscription_id": subscription.subscription_id, "policy": self.policy}
                self.logger.error("double_subscription", extra=where)
            if self.policy == "refund":
                if extra:
                    self._note(user_id, now)
                    account = self.accounts.load(user_id, whole=True)
                for double in account.duplicate_subscriptions:
                    self._undo(account, double, now)
        left = {record.record: record for record, _ in extra}
        duplicates = account.duplicate_subscriptions
        left |= {s.record: s for d in duplicates if (s := _of(account, d)) and any(owed(account, s, d))}
        return list(left.values())

    def _read_again(self, account: Account, extra: list[tuple[Subscription, Subscription]], now: int) -> Account:
        """What was last heard of them may be old, and nothing is a duplicate of one that has ended."""
        for name, provider in {s.subscription_id: s.provider for pair in extra for s in pair}.items():
            self.applier.refresh(account.user_id, provider, Ref("subscription", name), now)
        return self.accounts.load(account.user_id, whole=True)

    def _note(self, user_id: str, now: int) -> None:
        def decide(before: Account) -> Consequences | None:
            catalogue = self.plans.catalogue()
            new = [
                Double(provider=s.provider, subscription_id=s.subscription_id, covered_from=first.created_at)
                for s, first in surplus(before, catalogue)
                if f"double#{s.provider}#{s.subscription_id}" not in before.records
            ]
            return consequences(before, before.put(*new), catalogue, now) if new else None

        self.accounts.change(user_id, decide)

    def _undo(self, account: Account, double: Double, now: int) -> None:
        """Cancels it, and pays back what it took for time that the other one covers."""
        subscription = _of(account, double)
        if subscription is not None and subscription.status in LIVE:
            self._cancel(account.user_id, subscription, now)
            account = self.accounts.load(account.user_id, whole=True)
            subscription = _of(account, double)
        for payment in owed(account, subscription, double) if subscription else ():
            self._pay_back(account.user_id, double, payment, now)

    def _cancel(self, user_id: str, subscription: Subscription, now: int) -> None:
        name = subscription.subscription_id
        try:
            self.client(subscription.provider).cancel_subscription(
                name, at_period_end=False, reason=None, key=f"double:{name}"
            )
            self.applier.refresh(user_id, subscription.provider, Ref("subscription", name), now)
        except ProviderError as refused:
            raise Parked(
                f"{name} is a second subscription, and not canceled yet: {refused}", "double_left"
            ) from refused

    def _pay_back(self, user_id: str, double: Double, payment: Payment, now: int) -> None:
        """A refund request whose key changes every hour, so that what was refused is tried again later."""
        wanted = Wanted(user_id=user_id, provider=double.provider, payment=payment.payment_id, reason="duplicate")
        try:
            Refunds(self.accounts, self.plans, self.applier, self.client).refund(
                wanted, f"double:{double.subscription_id}:{now // _ASK_AGAIN}", ACTOR, now
            )
        except (ProviderError, Conflict) as refused:
            raise Parked(
                f"{double.subscription_id} is a second subscription and canceled, "
                f"but its payment {payment.payment_id} is not paid back yet: {refused}",
                "double_left",
            ) from refused


def owed(account: Account, subscription: Subscription, double: Double) -> Iterator[Payment]:
    """Its payments for time that the other one covers, less refunds, also pending ones."""
    for of, payment in account.payments:
        if of is not subscription:
            continue
        paid_until = payment.paid_at if payment.period_end is None else payment.period_end
        if paid_until > double.covered_from and refundable_cents(account, subscription, payment) > 0:
            yield payment


def _of(account: Account, double: Double) -> Subscription | None:
    subscription = account.records.get(f"subscription#{double.provider}#{double.subscription_id}")
    return subscription if isinstance(subscription, Subscription) else None


def surplus(account: Account, catalogue: Catalogue) -> list[tuple[Subscription, Subscription]]:
    """The live subscriptions beyond one in each group, each with the one to keep: the oldest one that pays.

    A debit on its way is no payment yet. Of several that wait for one, none is undone until one of them is paid.
    """
    first_in: dict[str, Subscription] = {}
    extra = []
    live = [s for s in account.subscriptions if s.status in LIVE]

    def turn(subscription: Subscription) -> tuple[bool, int]:
        return not (subscription.status in ("active", "trialing") and subscription.begun), subscription.created_at

    for subscription in sorted(live, key=turn):
        plan = catalogue.get(subscription.plan_id, subscription.plan_version)
        if plan is None:
            continue
        first = first_in.setdefault(plan.group, subscription)
        if first is not subscription and first.begun:
            extra.append((subscription, first))
    return extra
