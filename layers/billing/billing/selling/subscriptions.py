"""Customers manage their subscription: preview a change, change, cancel, resume.

The change is made at the provider; its new state is then read and applied at once, in the same way as an event.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from billing.api.status import subscription_status
from billing.data import replace
from billing.errors import Conflict, NotFound, ProviderError, ProviderUnavailable
from billing.intake.applier import Applier
from billing.providers import renewing_client, sellers
from billing.providers.interface import ChangePreview, Client
from billing.rules.facts import Ref
from billing.rules.plans import Catalogue, FeatureValue, Plan, feature
from billing.rules.quotes import ChangeBlock, change_block, kind_of
from billing.rules.records import LIVE, TERMINAL, Account, Subscription
from billing.rules.times import rfc3339
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore
from billing.store.previews import PREVIEW_SECONDS, Preview, PreviewStore

# Why a plan cannot be changed now, and what to do.
_REFUSALS: Mapping[ChangeBlock, str] = {
    "payment_open": "settle the open payment first",
    "payment_disputed": "the payment of this period is disputed: change the plan when that is decided",
    "cancellation_scheduled": "undo the cancellation first",
}

# Called just before a provider is asked to change a subscription: which one, and the change.
Acting = Callable[[Subscription, Mapping[str, Any]], None]


def _by_the_customer(subscription: Subscription, change: Mapping[str, Any]) -> None:
    """The customer's own changes are only in the account's history, not in the audit log."""


class Subscriptions:
    """`client(provider)` gives the calls toward a provider. `acting` is called before one of them changes anything."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        previews: PreviewStore,
        applier: Applier,
        client: Callable[[str], Client],
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._previews = previews
        self._applier = applier
        self._client = client

    def preview(self, user_id: str, plan_id: str, now: int, *, subscription_id: str | None = None) -> Mapping[str, Any]:
        """What a change to a plan costs now and next, and which features it gives and takes.

        `subscription_id`: which one is meant; needed where several could be.
        """
        catalogue = self._plans.catalogue()
        account = self._accounts.load(user_id)
        subscription, _, _ = self._change(account, plan_id, subscription_id, catalogue)
        account = self._read(account, subscription, now)
        subscription, current, target = self._change(account, plan_id, subscription.subscription_id, catalogue)
        at_period_end = waits(subscription, current, target)
        cost = self._cost(subscription, target, at_period_end, now)
        preview = Preview(
            provider=subscription.provider,
            subscription_id=subscription.subscription_id,
            plan_id=target.plan_id,
            plan_version=target.version,
            from_plan_id=current.plan_id,
            from_plan_version=current.version,
            period_end=subscription.current_period_end,
            at_period_end=at_period_end,
            proration_date=now,
            expires_at=now + PREVIEW_SECONDS,
        )
        return {
            "preview_id": self._previews.keep(user_id, preview),
            "plan_id": target.plan_id,
            "kind": kind_of(current, target),
            "at_period_end": at_period_end,
            "amount_due_cents": cost.amount_due_cents,
            "credit_cents": cost.credit_cents,
            "tax_cents": cost.tax_cents,
            "discount_cents": cost.discount_cents,
            "currency": cost.currency,
            "next_amount_cents": cost.next_amount_cents,
            "next_tax_cents": cost.next_tax_cents,
            "next_discount_cents": cost.next_discount_cents,
            "next_billing_at": rfc3339(cost.next_billing_at),
            "effective_at": rfc3339(subscription.current_period_end if at_period_end else now),
            "features": compare(current, target),
            "expires_at": rfc3339(preview.expires_at),
        }

    def change(
        self, user_id: str, preview_id: str, now: int, *, acting: Acting = _by_the_customer
    ) -> Mapping[str, Any]:
        """Makes the change as previewed, or refuses when things are no longer as they were shown."""
        preview = self._previews.find(user_id, preview_id, now)
        if preview is None:
            raise Conflict("this preview has expired: look at the change again", code="preview_expired")
        catalogue = self._plans.catalogue()
        account = self._accounts.load(user_id)
        record = account.records.get(f"subscription#{preview.provider}#{preview.subscription_id}")
        if isinstance(record, Subscription) and not _done(record, preview):
            account = self._read(account, record, now)
            record = account.records[record.record]
        if isinstance(record, Subscription) and _done(record, preview):
            return subscription_status(account, catalogue, now)
        subscription, current, target = self._change(account, preview.plan_id, preview.subscription_id, catalogue)
        as_shown = (preview.subscription_id, preview.from_plan_id, preview.from_plan_version, preview.period_end)
        if as_shown != (
            subscription.subscription_id,
            current.plan_id,
            current.version,
            subscription.current_period_end,
        ):
            raise Conflict("your subscription has changed since: look at the change again", code="preview_outdated")
        acting(subscription, {"plan_id": target.plan_id, "at_period_end": preview.at_period_end})
        self._client(subscription.provider).change_subscription(
            subscription.subscription_id,
            subscription.item_id or subscription.subscription_id,
            target,
            at_period_end=preview.at_period_end,
            proration_date=preview.proration_date,
            key=preview_id,
        )
        account = self._read(account, subscription, now)
        record = account.records[subscription.record]
        if not preview.at_period_end and isinstance(record, Subscription) and record.plan_id != target.plan_id:
            self._refuse_unpaid(subscription, current)
        return subscription_status(account, catalogue, now)

    def _refuse_unpaid(self, subscription: Subscription, current: Plan) -> NoReturn:
        """An upgrade counts once it is paid. Where the bank asks for the customer's consent, it names the page for
        it."""
        client = renewing_client(self._client, subscription.provider)
        if url := client.confirm_url(subscription.subscription_id):
            raise Conflict(
                f"your bank wants you to confirm the payment; until then you keep {current.name}",
                code="action_required",
                confirm_url=url,
            )
        raise Conflict(
            f"the payment did not go through, so you keep {current.name}: update your card and try again",
            code="change_not_paid",
        )

    def cancel(
        self,
        user_id: str,
        *,
        at_period_end: bool,
        reason: str | None,
        comment: str | None,
        now: int,
        subscription_id: str | None = None,
        acting: Acting = _by_the_customer,
    ) -> Mapping[str, Any]:
        """Ends a subscription, now or at the end of what was paid for. Asking again changes nothing."""
        account, subscription = self._newest(user_id, subscription_id, now)
        # Unpaid and paused ones end at once: there is no paid time to use up.
        later = at_period_end and subscription.status in ("trialing", "active", "past_due")
        if not _is_over(subscription, later=later):
            acting(subscription, {"status": "canceled", "at_period_end": later})
            said = hashlib.sha256(f"{reason}\n{comment}".encode()).hexdigest()[:12]
            try:
                self._client(subscription.provider).cancel_subscription(
                    subscription.subscription_id,
                    at_period_end=later,
                    reason=reason,
                    comment=comment,
                    key=_key(f"cancel:{'end' if later else 'now'}:{said}", subscription, account),
                )
            except ProviderUnavailable:
                raise
            except ProviderError:
                # Somebody ended it at the same moment, which is what was wanted.
                account = self._read(account, subscription, now)
                record = account.records[subscription.record]
                if not (isinstance(record, Subscription) and _is_over(record, later=later)):
                    raise
            account = self._read(account, subscription, now)
        return subscription_status(account, self._plans.catalogue(), now)

    def resume(
        self, user_id: str, now: int, *, subscription_id: str | None = None, acting: Acting = _by_the_customer
    ) -> Mapping[str, Any]:
        """Takes back a scheduled cancellation or downgrade, or wakes a paused subscription."""
        account, subscription = self._newest(user_id, subscription_id, now)
        then = resumed(subscription)
        acting(subscription, {"status": then.status, "scheduled_plan_id": then.scheduled_plan_id})
        self._client(subscription.provider).resume_subscription(
            subscription.subscription_id, key=_key(f"resume:{subscription.ends_at}", subscription, account)
        )
        account = self._read(account, subscription, now)
        return subscription_status(account, self._plans.catalogue(), now)

    def _newest(self, user_id: str, subscription_id: str | None, now: int) -> tuple[Account, Subscription]:
        """The subscription as the provider has it now: our record may be behind."""
        account = self._accounts.load(user_id)
        subscription = _chosen(account, subscription_id)
        account = self._read(account, subscription, now)
        record = account.records[subscription.record]
        return account, record if isinstance(record, Subscription) else subscription

    def _change(
        self, account: Account, plan_id: str, subscription_id: str | None, catalogue: Catalogue
    ) -> tuple[Subscription, Plan, Plan]:
        """The subscription, its plan and the wanted one; refuses a change that cannot be made."""
        target = catalogue.get(plan_id)
        if target is None:
            raise NotFound(f"there is no plan {plan_id}")
        subscription = _chosen(account, subscription_id, catalogue, target.group)
        current = catalogue.get(subscription.plan_id, subscription.plan_version)
        if current is None:
            raise NotFound("the plan you have is not in the catalogue")
        if target.status == "archived" or target.free or not target.recurring:
            raise Conflict(f"{target.name} cannot replace a subscription", code="plan_not_for_sale")
        if not sellers(target, [subscription.provider]):
            raise Conflict(f"{target.name} is not sold by {subscription.provider}", code="plan_not_for_sale")
        if (target.plan_id, target.version) == (current.plan_id, current.version):
            raise Conflict(f"you have {target.name} already", code="already_on_plan")
        blocked = change_block(subscription)
        if blocked is not None:
            raise Conflict(_REFUSALS[blocked], code=blocked)
        return subscription, current, target

    def _cost(self, subscription: Subscription, target: Plan, at_period_end: bool, now: int) -> ChangePreview:
        item_id = subscription.item_id or subscription.subscription_id
        client = self._client(subscription.provider)
        cost = client.preview_change(subscription.subscription_id, item_id, target, now, at_period_end=at_period_end)
        return replace(cost, next_billing_at=subscription.current_period_end) if at_period_end else cost

    def _read(self, account: Account, subscription: Subscription, now: int) -> Account:
        ref = Ref("subscription", subscription.subscription_id)
        self._applier.refresh(account.user_id, subscription.provider, ref, now)
        return self._accounts.load(account.user_id)


def resumed(subscription: Subscription) -> Subscription:
    """The subscription after it was resumed. Raises `Conflict` where there is nothing to take back."""
    # A move to a new version of the same plan is the seller's, so the customer cannot take it back.
    changes_plan = subscription.scheduled_plan_id not in (None, subscription.plan_id)
    ends_later = subscription.ends_at is not None and subscription.status not in TERMINAL
    if not (ends_later or changes_plan or subscription.status == "paused"):
        raise Conflict("there is no cancellation to undo", code="nothing_to_resume")
    return replace(
        subscription,
        status="active" if subscription.status == "paused" else subscription.status,
        cancel_at=None,
        cancel_at_period_end=False,
        scheduled_plan_id=None if changes_plan else subscription.scheduled_plan_id,
        scheduled_plan_version=None if changes_plan else subscription.scheduled_plan_version,
    )


def waits(subscription: Subscription, current: Plan, target: Plan) -> bool:
    """Whether the change waits for the period's end, because it gives less for the money. In a trial nothing is paid
    yet."""
    if subscription.status == "trialing":
        return False
    kind = kind_of(current, target)
    return kind == "downgrade" or (kind == "switch" and target.interval == "month")


def compare(current: Plan, target: Plan) -> list[Mapping[str, Any]]:
    """Every feature that changes, before and after; None where a plan lacks it."""
    keys = sorted({*current.features, *target.features})
    pairs = {key: (current.features.get(key), target.features.get(key)) for key in keys}
    return [
        {"feature": key, "before": _shown(before), "after": _shown(after)}
        for key, (before, after) in pairs.items()
        if before != after
    ]


def _shown(granted: FeatureValue | None) -> object:
    return feature(granted).shown() if granted else None


def _chosen(
    account: Account, subscription_id: str | None, catalogue: Catalogue | None = None, group: str | None = None
) -> Subscription:
    """The live subscription (of a group of plans) that a call is about; refused where that could be several."""
    fitting = [s for s in account.subscriptions if s.status in LIVE and subscription_id in (None, s.subscription_id)]
    if catalogue is not None:
        plans = {s.record: catalogue.get(s.plan_id, s.plan_version) for s in fitting}
        fitting = [s for s in fitting if (plan := plans[s.record]) is not None and plan.group == group]
    if not fitting:
        raise NotFound("you have no such subscription" if subscription_id else "you have no subscription")
    if len(fitting) > 1:
        raise Conflict(
            "you have several subscriptions: say which one is meant",
            code="subscription_unclear",
            subscriptions=[{"subscription_id": s.subscription_id, "plan_id": s.plan_id} for s in fitting],
        )
    return fitting[0]


def _is_over(subscription: Subscription, *, later: bool) -> bool:
    """Whether it has ended, or, for `later`, ends with its period: before a later end it is billed again."""
    if subscription.status in TERMINAL:
        return True
    return later and subscription.ends_at is not None and subscription.ends_at <= subscription.current_period_end


def _done(subscription: Subscription, preview: Preview) -> bool:
    """Whether the change is made already: the answer to the first confirmation was lost."""
    wanted = (preview.plan_id, preview.plan_version)
    if preview.at_period_end:
        return (subscription.scheduled_plan_id, subscription.scheduled_plan_version) == wanted
    return (subscription.plan_id, subscription.plan_version) == wanted


def _key(what: str, subscription: Subscription, account: Account) -> str:
    """The same for a repeat of the same call, and another one after anything has changed."""
    return f"{what}:{subscription.subscription_id}:{account.version}"
