"""The mock provider: complete and local; the reference implementation of the provider interface.

Its objects already use our field names, so this file needs no mapping of foreign terms. The server side, with hosted
pages and a clock, is `ops/fakes/mock.py`. It cannot be enabled in prod.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from billing.data import replace
from billing.errors import BadWebhook, ProviderError
from billing.providers.interface import ChangePreview, Notification, ObjectKind, Order, RefundParts, Session
from billing.providers.rest import Rest, encode
from billing.providers.signatures import verify_timestamped
from billing.rules.facts import (
    CheckoutFact,
    DisputeFact,
    DunningFact,
    Fact,
    PaymentFact,
    PurchaseFact,
    Ref,
    RefundFact,
    SubscriptionFact,
    Translation,
)
from billing.rules.money import LARGEST
from billing.rules.plans import Plan, features_to_json
from billing.settings import Settings

NAME = "mock"

_OWN = {"id": str, "user_id": str, "plan_id": str, "plan_version": int, "checkout_id": str, "created": int}
_MONEY = {"amount_cents": int, "currency": str, "status": str, "reason": str, "payment": str}
_ALLOWED: Mapping[str, Mapping[str, type]] = {
    "subscription": {
        **_OWN,
        "status": str,
        "customer": str,
        "current_period_start": int,
        "current_period_end": int,
        "trial_end": int,
        "cancel_at": int,
        "cancel_at_period_end": bool,
        "canceled_at": int,
        "ended_at": int,
        "cancel_reason": str,
        "collection_paused": bool,
        "scheduled_plan_id": str,
        "scheduled_plan_version": int,
    },
    "payment": {**_OWN, **_MONEY, "subscription": str, "paid_at": int, "period_start": int, "period_end": int},
    "dunning": {**_OWN, "subscription": str, "attempt_count": int, "next_attempt_at": int, "action_required": bool},
    "purchase": {**_OWN, **_MONEY, "state": str, "paid_at": int, "customer": str},
    "refund": {**_OWN, **_MONEY, "key": str},
    "dispute": {**_OWN, **_MONEY},
    "checkout": {**_OWN, "status": str, "customer": str, "subscription": str},
}


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: int) -> str:
    return verify_timestamped(body, headers.get("mock-signature", ""), secrets, now)


def minimise(body: bytes) -> Notification:
    try:
        event = json.loads(body.decode())
        notification = Notification(
            provider=NAME,
            event_id=_text(event["id"]),
            type=_text(event["type"]),
            created_at=_seconds(event["created"]),
            livemode=bool(event["livemode"]),
            payload=_keep(event["data"]),
        )
        translate(notification)  # so that a delivery with missing fields is refused now, not later in the queue
        return notification
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as malformed:
        raise BadWebhook("not an event of the mock provider", reason="malformed_body") from malformed


def translate(notification: Notification) -> Translation:
    data = notification.payload
    build = _FACTS.get(str(data.get("object")))
    if build is None:
        return Translation(reason=f"{notification.type} means nothing here")
    return Translation(facts=(build(data, notification.created_at),))


def connect(settings: Settings) -> "MockClient":
    if settings.is_prod:
        raise ProviderError("the mock provider cannot be used in prod")
    return MockClient(settings.required("MOCK_URL"))


def page_of(settings: Settings, kind: ObjectKind, object_id: str) -> str | None:
    """The stand-in's page, where a developer plays customer, bank and clock."""
    return f"{settings.optional('MOCK_URL')}/" if kind == "subscription" else None


class MockClient:
    """Calls the stand-in. Its answers have the same shapes as the objects in its events."""

    def __init__(self, url: str) -> None:
        self._rest = Rest("the mock provider", url, {}, _words)

    def create_checkout(self, order: Order) -> Session:
        body = encode(
            {
                **order.metadata,
                "amount_cents": order.amount_cents,
                "currency": order.currency,
                "plan_name": order.plan.name,
                "interval": order.plan.interval if order.recurring else "once",
                "features": features_to_json(order.plan.features),
                "trial_days": order.trial_days,
                "success_url": order.success_url,
                "cancel_url": order.cancel_url,
                "expires_at": order.expires_at,
                "customer": order.customer_id,
            }
        )
        session = self._rest.change("POST", "/api/checkouts", body)
        return Session(session_id=session["id"], url=session["url"], expires_at=session["expires_at"])

    def expire_checkout(self, session_id: str) -> None:
        self._rest.change("POST", f"/api/checkouts/{session_id}/expire", b"")

    def read(self, ref: Ref, now: int) -> Sequence[Fact]:
        objects = self._rest.read(f"/api/{ref.kind}s/{ref.id}", missing_ok=True) or []
        return [_FACTS[o["object"]](_keep(o), o["observed_at"]) for o in objects]

    def subscriptions(self, after: str | None, customer_id: str | None, now: int) -> tuple[Sequence[Fact], str | None]:
        """One page of the live subscriptions, and the cursor of the next page."""
        page = self._rest.read(f"/api/subscriptions?after={after or ''}")
        return [_FACTS[o["object"]](_keep(o), o["observed_at"]) for o in page["data"]], page["next"]

    def cancel_subscription(
        self, subscription_id: str, *, at_period_end: bool, reason: str | None, key: str, comment: str | None = None
    ) -> None:
        self._change(subscription_id, "cancel", {"at_period_end": at_period_end, "reason": reason, "key": key})

    def resume_subscription(self, subscription_id: str, *, key: str) -> None:
        self._change(subscription_id, "resume", {"key": key})

    def preview_change(
        self, subscription_id: str, item_id: str, plan: Plan, proration_date: int, *, at_period_end: bool = False
    ) -> ChangePreview:
        answer = self._change(subscription_id, "preview", {**_plan(plan), "proration_date": proration_date})
        preview = ChangePreview(**answer)
        return replace(preview, amount_due_cents=0, credit_cents=0) if at_period_end else preview

    def change_subscription(
        self, subscription_id: str, item_id: str, plan: Plan, *, at_period_end: bool, proration_date: int, key: str
    ) -> None:
        change = {**_plan(plan), "at_period_end": at_period_end, "proration_date": proration_date, "key": key}
        self._change(subscription_id, "change", change)

    def stop_collecting(self, subscription_id: str) -> None:
        """Nothing to do: the mock never retries a failed payment by itself."""

    def confirm_url(self, subscription_id: str) -> str | None:
        """The mock has no bank confirmation."""
        return None

    def portal_url(self, customer_id: str, return_url: str) -> str:
        url: str = self._rest.read(f"/api/customers/{customer_id}/portal?return_url={return_url}")["url"]
        return url

    def refund(
        self, payment_ref: str, amount_cents: int | None, currency: str, *, reason: str, key: str
    ) -> RefundParts:
        body = encode({"payment": payment_ref, "amount_cents": amount_cents, "reason": reason, "key": key})
        refund = self._rest.change("POST", "/api/refunds", body)
        return RefundParts(facts=(_refund(_keep(refund), refund["observed_at"]),))

    def receipt_url(self, payment_id: str) -> str | None:
        return self._rest.url(f"/receipts/{payment_id}")

    def _change(self, subscription_id: str, what: str, body: Mapping[str, object]) -> dict[str, Any]:
        answer: dict[str, Any] = self._rest.change("POST", f"/api/subscriptions/{subscription_id}/{what}", encode(body))
        return answer


def _plan(plan: Plan) -> dict[str, object]:
    return {
        "plan_id": plan.plan_id,
        "plan_version": plan.version,
        "plan_name": plan.name,
        "amount_cents": plan.price_cents,
        "currency": plan.currency,
        "interval": plan.interval,
    }


def _words(answer: Any) -> Iterator[str]:
    if isinstance(answer, dict) and "error" in answer:
        yield str(answer["error"])


# --- from objects to facts ------------------------------------------------------------------------------------------


def _keep(data: Mapping[str, Any]) -> dict[str, Any]:
    """The allow-listed fields, type-checked; of an unknown kind only `object`. Raises `ValueError`."""
    kind = _text(data["object"])
    fields: dict[str, Any] = {"object": kind}
    for name, wanted in _ALLOWED.get(kind, {}).items():
        value = data.get(name)
        if value is None:
            continue
        if type(value) is int and abs(value) > LARGEST:
            raise ValueError(f"{name} is out of bounds")
        if type(value) is not wanted or len(str(value)) > 200:
            raise ValueError(f"{name} is not {wanted.__name__}")
        fields[name] = value
    if kind in _ALLOWED and "id" not in fields:
        raise ValueError("an object without an id")
    return fields


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 128:
        raise ValueError("not a short text")
    return value


def _seconds(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a time")
    return value


def _subscription(data: Mapping[str, Any], at: int) -> Fact:
    scheduled = (data.get("scheduled_plan_id"), data.get("scheduled_plan_version"))
    return SubscriptionFact(
        provider=NAME,
        observed_at=at,
        user_id=data.get("user_id"),
        subscription_id=data["id"],
        status=data["status"],
        price_id=f"{data['plan_id']}:{data['plan_version']}",
        current_period_start=data["current_period_start"],
        current_period_end=data["current_period_end"],
        created_at=data["created"],
        customer_id=data.get("customer"),
        item_id=data["id"],
        trial_end=data.get("trial_end"),
        cancel_at=data.get("cancel_at"),
        cancel_at_period_end=data.get("cancel_at_period_end", False),
        canceled_at=data.get("canceled_at"),
        ended_at=data.get("ended_at"),
        cancel_reason=data.get("cancel_reason"),
        collection_paused=data.get("collection_paused", False),
        scheduled_price_id="{}:{}".format(*scheduled) if all(scheduled) else None,
        scheduled_plan_id=scheduled[0],
        scheduled_plan_version=scheduled[1],
        plan_id=data["plan_id"],
        plan_version=data["plan_version"],
        checkout_id=data.get("checkout_id"),
    )


def _payment(data: Mapping[str, Any], at: int) -> Fact:
    return PaymentFact(
        provider=NAME,
        observed_at=at,
        user_id=data.get("user_id"),
        subscription_id=data["subscription"],
        payment_id=data["id"],
        amount_cents=data["amount_cents"],
        currency=data["currency"],
        paid_at=data["paid_at"],
        period_start=data.get("period_start"),
        period_end=data.get("period_end"),
        price_id=f"{data['plan_id']}:{data['plan_version']}" if "plan_id" in data else None,
        plan_id=data.get("plan_id"),
        plan_version=data.get("plan_version"),
    )


def _dunning(data: Mapping[str, Any], at: int) -> Fact:
    return DunningFact(
        provider=NAME,
        observed_at=at,
        user_id=data.get("user_id"),
        subscription_id=data["subscription"],
        invoice_id=data["id"],
        attempt_count=data["attempt_count"],
        next_attempt_at=data.get("next_attempt_at"),
        action_required=data.get("action_required", False),
    )


def _purchase(data: Mapping[str, Any], at: int) -> Fact:
    return PurchaseFact(
        provider=NAME,
        observed_at=at,
        user_id=data.get("user_id"),
        purchase_id=data["id"],
        plan_id=data["plan_id"],
        plan_version=data["plan_version"],
        state=data["state"],
        amount_cents=data["amount_cents"],
        currency=data["currency"],
        checkout_id=data.get("checkout_id"),
        customer_id=data.get("customer"),
        created_at=data["created"],
        paid_at=data.get("paid_at"),
    )


def _refund(data: Mapping[str, Any], at: int) -> RefundFact:
    return RefundFact(
        provider=NAME,
        observed_at=at,
        user_id=data.get("user_id"),
        refund_id=data["id"],
        payment_ref=data["payment"],
        amount_cents=data["amount_cents"],
        currency=data["currency"],
        status=data["status"],
        reason=data.get("reason"),
        request_id=data.get("key"),
    )


def _dispute(data: Mapping[str, Any], at: int) -> Fact:
    return DisputeFact(
        provider=NAME,
        observed_at=at,
        user_id=data.get("user_id"),
        dispute_id=data["id"],
        payment_ref=data["payment"],
        amount_cents=data["amount_cents"],
        currency=data["currency"],
        status=data["status"],
        reason=data.get("reason"),
    )


def _checkout(data: Mapping[str, Any], at: int) -> Fact:
    return CheckoutFact(
        provider=NAME,
        observed_at=at,
        user_id=data.get("user_id"),
        session_id=data["id"],
        status=data["status"],
        checkout_id=data.get("checkout_id"),
        customer_id=data.get("customer"),
        subscription_id=data.get("subscription"),
    )


_FACTS: Mapping[str, Callable[[Mapping[str, Any], int], Fact]] = {
    "subscription": _subscription,
    "payment": _payment,
    "dunning": _dunning,
    "purchase": _purchase,
    "refund": _refund,
    "dispute": _dispute,
    "checkout": _checkout,
}
