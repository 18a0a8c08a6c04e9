"""Users for admins: find, explain access, grant and revoke features, refund, export, erase."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from billing.admin.facts import Pages, facts, money, undecided
from billing.admin.notes import view as note_view
from billing.admin.timeline import timeline
from billing.api.admin_requests import GrantFeatures, RefundPayment
from billing.api.plan_bodies import feature_values
from billing.api.status import subscription_status
from billing.api.views import entitlement, source_view, value
from billing.data import replace
from billing.errors import Conflict, InvalidRequest, NotFound, invalid_field
from billing.gate import explanation
from billing.gate.gate import with_free
from billing.providers import PROVIDERS
from billing.rules.allowances import Counter, held
from billing.rules.consequences import Consequences, consequences
from billing.rules.entitlements import Entitlement, evaluate, sources
from billing.rules.history import By
from billing.rules.plans import feature_fault, features_to_json
from billing.rules.records import Account, Grant, Purchase, Subscription
from billing.rules.times import rfc3339
from billing.selling.receipts import receipts_of
from billing.selling.receipts import view as receipt_view
from billing.selling.refunds import Refunds, Wanted
from billing.store.accounts import HISTORY, LEDGER, AccountStore
from billing.store.audit import AuditLog
from billing.store.counters import CounterStore
from billing.store.notes import NoteStore
from billing.store.payment_events import PaymentEventStore
from billing.store.plans import PlanStore

View = dict[str, Any]
_TIMELINE = 200


class AdminUsers:
    """`page` gives the provider's own page about a customer, a subscription or a payment."""

    def __init__(
        self,
        accounts: AccountStore,
        plans: PlanStore,
        counters: CounterStore,
        events: PaymentEventStore,
        audit: AuditLog,
        refunds: Refunds,
        notes: NoteStore,
        page: Pages,
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._counters = counters
        self._events = events
        self._audit = audit
        self._refunds = refunds
        self._notes = notes
        self._page = page

    def find(self, text: str) -> tuple[str, str] | None:
        """Whose id this is, and what it is: the user's own, a customer's, subscription's, purchase's, payment's or
        event's. Raises `InvalidRequest`."""
        if not 1 <= len(text) <= 200:
            raise invalid_field("q", "1 to 200 characters", "search for an id")
        return self._owner_of(text)

    def show(self, user_id: str, now: int) -> Mapping[str, Any]:
        account, catalogue = self._accounts.existing(user_id, whole=True), self._plans.catalogue()
        counters = self._counters.read_all(user_id)
        open_now = evaluate(with_free(sources(account, catalogue), catalogue), now).values()
        return {
            "user_id": user_id,
            "status": subscription_status(account, catalogue, now),
            "facts": [facts(account, subscription, self._page) for subscription in account.subscriptions],
            "money": money(account),
            "undecided": list(undecided(account)),
            "notes": [note_view(note) for note in self._notes.of(user_id, now)],
            "entitlements": [entitlement(held(e, counters.get(e.feature, Counter()), now)) for e in open_now],
            "grants": [_grant(g) for g in sorted(account.grants, key=lambda g: g.granted_at, reverse=True)],
            "payments": [
                {**receipt_view(receipt), "url": self._page(receipt.provider, "payment", receipt.payment.payment_id)}
                for receipt in receipts_of(account, catalogue)
            ],
            "timeline": timeline(
                self._accounts.past(user_id, HISTORY, _TIMELINE), self._accounts.past(user_id, LEDGER, _TIMELINE)
            ),
        }

    def explain(self, user_id: str, feature: str, at: int, now: int) -> Mapping[str, Any]:
        """Why a user has, or had not, a feature at a time: the answer, and the records that it rests on."""
        self._accounts.existing(user_id)
        if not feature or not 0 <= at <= now:
            message = "name a feature, and a time in the past"
            raise invalid_field("feature", message, "a feature or time is missing or not valid")
        explained = explanation.explain(self._accounts, user_id, self._plans.catalogue(), feature, at)
        verdict = explained.decision
        return {
            "user_id": user_id,
            "feature": feature,
            "at": rfc3339(at),
            "allowed": explained.allowed,
            "scenario": None if isinstance(verdict, Entitlement) else verdict.scenario,
            "value": value(verdict) if isinstance(verdict, Entitlement) else None,
            "also": [allowance.shown() for allowance in verdict.beside] if isinstance(verdict, Entitlement) else [],
            "expires_at": rfc3339(verdict.expires_at) if isinstance(verdict, Entitlement) else None,
            "sources": [source_view(s) for s in explained.sources],
            "last": _last(explained.last) if explained.last else None,
            "offers": [{"plan_id": plan.plan_id, "name": plan.name} for plan in explained.offers],
        }

    def grant(self, user_id: str, admin: str, now: int, body: GrantFeatures) -> Mapping[str, Any]:
        """Gives features by hand, once per key; also to a user who has bought nothing yet."""
        if body.expires_at is not None and body.expires_at <= now:
            raise invalid_field("expires_at", "must be in the future", "the grant would have ended already")
        features = feature_values(body)
        faults = {key: fault for key, value in features.items() if (fault := feature_fault(key, value))}
        if faults:
            errors = [{"path": f"features/{key}", "message": fault} for key, fault in faults.items()]
            raise InvalidRequest("this cannot be granted", errors=errors)
        key = body.idempotency_key or uuid.uuid4().hex
        grant = Grant(
            grant_id="grant_" + hashlib.sha256(f"{user_id}|grant|{key}".encode()).hexdigest()[:16],
            features=features_to_json(features),
            granted_by=admin,
            reason=body.reason,
            granted_at=now,
            expires_at=body.expires_at,
        )

        def given(account: Account) -> Grant:
            existing = account.records.get(grant.record)
            if not isinstance(existing, Grant):
                return grant
            if any(getattr(existing, part) != getattr(grant, part) for part in ("features", "expires_at", "reason")):
                raise Conflict("this key was used for another grant", code="idempotency_key_reused")
            return existing

        return _grant(self._change(user_id, given, By(actor=admin, action="grant", reason=body.reason), now))

    def revoke(self, user_id: str, admin: str, now: int, grant_id: str) -> Mapping[str, Any]:
        """Takes a grant back; asking again changes nothing."""

        def revoked(account: Account) -> Grant:
            grant = account.records.get(f"grant#{grant_id}")
            if not isinstance(grant, Grant):
                raise NotFound(f"this user has no grant {grant_id}")
            return grant if grant.revoked_at is not None else replace(grant, revoked_at=now)

        return _grant(self._change(user_id, revoked, By(actor=admin, action="revoke_grant"), now))

    def refund(
        self, user_id: str, admin: str, now: int, body: RefundPayment, most_cents: int | None = None
    ) -> Mapping[str, Any]:
        """Gives money back, or says what that would do. `most_cents`: how much of one payment the caller may give back,
        all refunds of it together; None: no limit. Raises `NotAllowed` beyond it."""
        wanted = Wanted(
            user_id=user_id,
            provider=body.provider,
            payment=body.payment_id,
            amount_cents=body.amount_cents,
            reason=body.reason,
            undecided=body.undecided,
            most_cents=most_cents,
        )
        if body.dry_run:
            return self._refunds.preview(wanted, now)
        return self._refunds.refund(wanted, body.idempotency_key, admin, now)

    def _change(self, user_id: str, change: Callable[[Account], Grant], by: By, now: int) -> Grant:
        """Stores the grant that `change` makes of an account, if it differs."""
        grant: Grant | None = None

        def decide(before: Account) -> Consequences | None:
            nonlocal grant
            grant = change(before)
            after = before.put(grant)
            return None if after is before else consequences(before, after, self._plans.catalogue(), now, by)

        self._accounts.change(user_id, decide)
        assert grant is not None
        return grant

    def _owner_of(self, text: str) -> tuple[str, str] | None:
        if self._accounts.snapshot(text).version > 0:
            return text, "user"
        for provider in PROVIDERS:
            object_id = text.removeprefix(f"{provider}#")
            owner = self._accounts.owner(provider, [object_id])
            if owner is not None:
                return owner, _what(self._accounts.load(owner, whole=True), object_id)
            event = self._events.get(f"{provider}#{object_id}")
            if event is not None and event.user_id is not None:
                return event.user_id, "event"
        return None


def _what(account: Account, object_id: str) -> str:
    """Which kind of object a provider's id names in an account."""
    for record in account.records.values():
        if isinstance(record, Subscription) and record.subscription_id == object_id:
            return "subscription"
        if isinstance(record, Purchase) and record.purchase_id == object_id:
            return "purchase"
    payments = {i for _, payment in account.payments for i in (payment.payment_id, *payment.refs)}
    return "payment" if object_id in payments else "customer"


def _last(last: explanation.Last) -> View:
    return {
        "kind": last.source.kind,
        "plan_id": last.source.plan_id,
        "until": rfc3339(last.until),
        "then": last.then,
        "then_plan_id": last.then_plan_id,
    }


def _grant(grant: Grant) -> View:
    return {
        "grant_id": grant.grant_id,
        "features": dict(grant.features),
        "granted_by": grant.granted_by,
        "reason": grant.reason,
        "granted_at": rfc3339(grant.granted_at),
        "expires_at": rfc3339(grant.expires_at),
        "revoked_at": rfc3339(grant.revoked_at),
    }
