"""What a person does to a customer's subscription: cancel, resume, change its plan, read it again, give days.

The actions are those of customers (`selling/subscriptions.py`), in an admin's name: each shows its effect first, is in
the audit log before the provider is called, and changes nothing when repeated.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from billing.api.admin_requests import CancelForUser, GiveDays, ResumeForUser
from billing.api.requests import ChangeSubscription
from billing.api.status import canceled_view, subscription_status
from billing.api.views import plan_in_force
from billing.data import replace
from billing.errors import Conflict, NotFound, invalid_field
from billing.intake.applier import Applier
from billing.rules.consequences import Consequences, consequences
from billing.rules.facts import Ref
from billing.rules.history import By
from billing.rules.plans import Catalogue, Credits, Plan, features_to_json
from billing.rules.quotes import live_subscription
from billing.rules.records import TERMINAL, Account, Grant, Subscription
from billing.rules.standing import if_canceled, plan_until
from billing.rules.times import DAY, rfc3339
from billing.selling.subscriptions import Subscriptions, resumed
from billing.store.accounts import AccountStore
from billing.store.audit import AuditLog
from billing.store.plans import PlanStore

View = Mapping[str, Any]


class SubscriptionDesk:
    def __init__(
        self, accounts: AccountStore, plans: PlanStore, subscriptions: Subscriptions, applier: Applier, audit: AuditLog
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._subscriptions = subscriptions
        self._applier = applier
        self._audit = audit

    def cancel(self, user_id: str, subscription_id: str, admin: str, now: int, body: CancelForUser) -> View:
        """Ends it, at the period's end or now, without a refund. With `dry_run` only says what that would do."""
        account, subscription = self._subscription(user_id, subscription_id)
        at_once = not body.at_period_end
        catalogue = self._plans.catalogue()
        effect = if_canceled(account, catalogue, subscription, now, at_once=at_once)
        view = canceled_view(effect, subscription, catalogue)
        if subscription.status in TERMINAL:
            return self._shown("unchanged", account, subscription, now, None)
        if body.dry_run:
            ended = {"status": "canceled", "ended_at": now} if at_once else {"cancel_at_period_end": True}
            return self._shown("preview", account, replace(subscription, **ended), now, view)
        acting = _Acting(self._audit, user_id, admin, "cancel_subscription", body.reason or "", now)
        self._subscriptions.cancel(
            user_id,
            at_period_end=body.at_period_end,
            reason=body.reason,
            comment=None,
            now=now,
            subscription_id=subscription_id,
            acting=acting,
        )
        return self._shown(acting.outcome, *self._subscription(user_id, subscription_id), now, view)

    def resume(self, user_id: str, subscription_id: str, admin: str, now: int, body: ResumeForUser) -> View:
        """Takes back what was scheduled, or wakes a paused one."""
        account, subscription = self._subscription(user_id, subscription_id)
        if body.dry_run:
            return self._shown("preview", account, resumed(subscription), now, None)
        acting = _Acting(self._audit, user_id, admin, "resume_subscription", "", now)
        self._subscriptions.resume(user_id, now, subscription_id=subscription_id, acting=acting)
        return self._shown(acting.outcome, *self._subscription(user_id, subscription_id), now, None)

    def preview_change(self, user_id: str, subscription_id: str, now: int, plan_id: str) -> View:
        """What another plan would cost the customer, now and next."""
        return self._subscriptions.preview(user_id, plan_id, now, subscription_id=subscription_id)

    def change(self, user_id: str, subscription_id: str, admin: str, now: int, body: ChangeSubscription) -> View:
        """Makes the change as it was shown: the customer is charged, or credited, what the preview said."""
        self._subscription(user_id, subscription_id)
        acting = _Acting(self._audit, user_id, admin, "change_plan", "", now)
        self._subscriptions.change(user_id, body.preview_id, now, acting=acting)
        return self._shown(acting.outcome, *self._subscription(user_id, subscription_id), now, None)

    def reread(self, user_id: str, subscription_id: str, now: int) -> View:
        """Reads it from the provider and applies its state."""
        _, before = self._subscription(user_id, subscription_id)
        self._applier.refresh(user_id, before.provider, Ref("subscription", subscription_id), now)
        account, read = self._subscription(user_id, subscription_id)
        # The time of reading is no change.
        news = replace(before, observed_at=read.observed_at) != read
        return self._shown("done" if news else "unchanged", account, read, now, None)

    def give_days(self, user_id: str, admin: str, now: int, body: GiveDays) -> View:
        """Opens a plan's features for so many days beyond what the customer has; no charge is moved. Once per key."""
        catalogue = self._plans.catalogue()
        grant_id = "grant_" + hashlib.sha256(f"{user_id}|days|{body.idempotency_key}".encode()).hexdigest()[:16]

        def given(account: Account) -> Grant:
            existing = account.records.get(f"grant#{grant_id}")
            if isinstance(existing, Grant):
                return existing
            plan = _plan(account, catalogue, body.plan_id, now)
            # Credits do not end with a day: they would be given for good.
            features = features_to_json({k: v for k, v in plan.features.items() if not isinstance(v, Credits)})
            earlier = [g.expires_at or 0 for g in account.grants if g.features == features and g.revoked_at is None]
            return Grant(
                grant_id=grant_id,
                features=features,
                granted_by=admin,
                reason=body.reason,
                granted_at=now,
                expires_at=max([_reach(account, catalogue, plan, now), *earlier]) + body.days * DAY,
            )

        account = self._accounts.load(user_id)
        grant = given(account)
        if grant.record in account.records:
            return _days(grant, "unchanged")
        if body.dry_run:
            return _days(grant, "preview")

        def decide(before: Account) -> Consequences | None:
            nonlocal grant
            grant = given(before)  # behind the days that somebody else gave at the same moment
            if grant.record in before.records:
                return None
            by = By(actor=admin, action="give_days", reason=body.reason)
            return consequences(before, before.put(grant), catalogue, now, by)

        self._accounts.change(user_id, decide)
        return _days(grant, "done")

    def _subscription(self, user_id: str, subscription_id: str) -> tuple[Account, Subscription]:
        account = self._accounts.load(user_id)
        for subscription in account.subscriptions:
            if subscription.subscription_id == subscription_id:
                return account, subscription
        raise NotFound(f"this user has no subscription {subscription_id}")

    def _shown(
        self, outcome: str, account: Account, subscription: Subscription, now: int, canceled: View | None
    ) -> View:
        """The subscription as the customer sees it; of a preview, as they would see it then."""
        status = subscription_status(account.put(subscription), self._plans.catalogue(), now)
        mine = (s for s in status["subscriptions"] if s["subscription_id"] == subscription.subscription_id)
        return {"outcome": outcome, "subscription": next(mine), "if_canceled": canceled}


class _Acting:
    """Called just before the provider is: writes the action to the audit log. Not called if there is nothing to do."""

    def __init__(self, audit: AuditLog, user_id: str, admin: str, action: str, reason: str, now: int) -> None:
        self._audit = audit
        self._by = By(actor=admin, action=action, reason=reason, subject=user_id)
        self._now = now
        self.outcome = "unchanged"

    def __call__(self, subscription: Subscription, changes: Mapping[str, Any]) -> None:
        names = ("plan_id", "status", "cancel_at", "cancel_at_period_end", "scheduled_plan_id")
        before = {subscription.record: {name: getattr(subscription, name) for name in names}}
        self._audit.note(self._by, self._now, before, {subscription.record: changes})
        self.outcome = "done"


def _plan(account: Account, catalogue: Catalogue, plan_id: str | None, now: int) -> Plan:
    if plan_id is not None:
        named = catalogue.get(plan_id)
        if named is None:
            raise invalid_field("plan_id", "not in the catalogue", "no such plan")
        return named
    plan = plan_in_force(account, catalogue, now)
    if plan is None or plan.free:
        raise Conflict("there is no plan to add days to: name one", code="nothing_to_extend")
    return plan


def _reach(account: Account, catalogue: Catalogue, plan: Plan, now: int) -> int:
    """How far the plan reaches by itself: to its end, or, while it renews, to the end of what is paid."""
    until = plan_until(account, catalogue, plan, now)
    if until is None:
        live = live_subscription(account, catalogue, plan.group)
        until = live.current_period_end if live is not None and live.plan_id == plan.plan_id else now
    return max(now, until)


def _days(grant: Grant, outcome: str) -> View:
    return {
        "outcome": outcome,
        "grant_id": grant.grant_id,
        "features": sorted(grant.features),
        "given_at": rfc3339(grant.granted_at),
        "until": rfc3339(grant.expires_at),
        "reason": grant.reason,
    }
