"""Stripe's deliveries at the door: is the signature Stripe's, and which part of the body may come in.

https://docs.stripe.com/webhooks#verify-manually
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from billing.errors import BadWebhook
from billing.providers import Notification
from billing.providers.signatures import verify_timestamped


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: int) -> str:
    """The label ("1", "2", …) of the secret that signed exactly these bytes within the last five minutes.

    `secrets` are whole `whsec_…` strings; Stripe sends one v1 signature per active secret while one is rolled.
    """
    header = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), "")
    return verify_timestamped(body, header, secrets, now)


def minimise(body: bytes) -> Notification:
    """What facts are made from, by allow-list: ids, states, amounts, times and our own metadata. Nothing personal."""
    try:
        event = json.loads(body.decode())
    except (ValueError, RecursionError) as malformed:
        raise BadWebhook("the body is not JSON in UTF-8", reason="malformed_body") from malformed
    if not isinstance(event, dict):
        raise BadWebhook("the body is not an object", reason="malformed_body")
    return minimise_event(event)


def minimise_event(event: Mapping[str, Any]) -> Notification:
    """As `minimise`, for an event that is parsed already."""
    if event.get("object") == "v2.core.event":
        raise BadWebhook("a thin event: set the event destination to snapshot payloads", reason="thin_event")
    kept = _pick(event, _EVENT, "event")
    for name, kind in (("id", str), ("type", str), ("created", int)):
        if not isinstance(kept.get(name), kind) or event.get("object") != "event":
            raise BadWebhook(f"not a Stripe event: {name} is missing", reason="malformed_body")
    data = event.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("object"), dict):
        raise BadWebhook("the event carries no object", reason="malformed_body")
    return Notification(
        provider="stripe",
        event_id=kept["id"],
        type=kept["type"],
        created_at=kept["created"],
        livemode=kept.get("livemode"),
        payload={
            **{name: kept[name] for name in ("api_version", "account") if name in kept},
            "object": minimal(data["object"], required=not kept["type"].startswith("invoice.upcoming")),
        },
    )


def minimal(thing: Mapping[str, Any], *, required: bool = True) -> dict[str, Any]:
    """The allowed part of one Stripe object, from a webhook or from an answer. Of an unknown kind: type and id."""
    kind = thing.get("object")
    allowed = _OBJECTS.get(kind) if isinstance(kind, str) else None
    kept = _pick(thing, {**_COMMON, **(allowed or {})}, str(kind))
    if allowed and required and "id" not in kept:
        raise BadWebhook(f"{kind} without an id", reason="malformed_body")
    return kept


# --- the allow-list -------------------------------------------------------------------------------------------------
# A rule takes a value and its path and gives what may be kept, or None to drop it. null is always "absent".

_Rule = Callable[[Any, str], Any]
_Allowed = Mapping[str, "_Rule | _Allowed | list[_Allowed]"]


def _pick(thing: Mapping[str, Any], allowed: _Allowed, path: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, rule in allowed.items():
        value = thing.get(name)
        if value is None:
            continue
        here = f"{path}.{name}"
        if callable(rule):
            result = rule(value, here)
        elif isinstance(rule, list):
            result = [_pick(_expect(entry, dict, here), rule[0], here) for entry in _expect(value, list, here)]
        else:
            # Where an object may be expanded or not, the id alone stands for it.
            result = _pick({"id": value} if isinstance(value, str) else _expect(value, dict, here), rule, here)
        if result is not None:
            kept[name] = result
    return kept


def _expect(value: Any, kind: type, path: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadWebhook(f"{path} is not of type {kind.__name__}", reason="malformed_body")
    return value


def _integer(value: Any, path: str) -> int:
    number: int = _expect(value, int, path)
    return number


def _flag(value: Any, path: str) -> bool:
    flag: bool = _expect(value, bool, path)
    return flag


def _matching(pattern: str) -> _Rule:
    compiled = re.compile(pattern)

    def rule(value: Any, path: str) -> str:
        text: str = _expect(value, str, path)
        if not compiled.fullmatch(text):
            raise BadWebhook(f"{path} has an unexpected form", reason="malformed_body")
        return text

    return rule


def _matching_or_other(pattern: str) -> _Rule:
    """Stripe may say a new word tomorrow, but not free text: what does not look like one becomes "other"."""
    compiled = re.compile(pattern)
    return lambda value, path: value if compiled.fullmatch(_expect(value, str, path)) else "other"


_word = _matching_or_other(r"[a-z0-9][a-z0-9_.]{0,79}")
_price_id = _matching_or_other(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,254}")
_plain_id = _matching(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,254}")
_currency = _matching(r"[a-z]{3}")


def _id(value: Any, path: str) -> Any:
    return _plain_id(value["id"] if isinstance(value, dict) and "id" in value else value, path)


def _one_of(words: str) -> _Rule:
    """A reason code from a closed list; anything else, perhaps free text, becomes "other"."""
    known = frozenset(words.split())
    return lambda value, _: value if isinstance(value, str) and value in known else "other"


OUR_KEYS = ("user_id", "plan_id", "plan_version", "checkout_id")


def _our_metadata(value: Any, path: str) -> dict[str, str]:
    """Our own keys. People edit metadata by hand: a value that is no id of ours (an e-mail address) is dropped."""
    found = {name: _expect(value, dict, path).get(name) for name in OUR_KEYS}
    return {k: v for k, v in found.items() if isinstance(v, str) and re.fullmatch(r"[A-Za-z0-9_.:|/=+-]{1,128}", v)}


_CANCEL_REASONS = "cancellation_requested payment_disputed payment_failed canceled_by_retention_policy"
_FEEDBACK = "customer_service low_quality missing_features other switched_service too_complex too_expensive unused"
_DISPUTE_REASONS = (
    "bank_cannot_process check_returned credit_not_processed customer_initiated debit_not_authorized duplicate "
    "fraudulent general incorrect_account_details insufficient_funds noncompliant product_not_received "
    "product_unacceptable subscription_canceled unrecognized"
)
_REFUND_REASONS = "duplicate fraudulent requested_by_customer expired_uncaptured_charge"
_REFUND_FAILURES = (
    "charge_for_pending_refund_disputed declined expired_or_canceled_card insufficient_funds lost_or_stolen_card "
    "merchant_request unknown"
)

_EVENT: _Allowed = {
    "id": _plain_id,
    "type": _matching(r"[a-z0-9][a-z0-9_.]{0,99}"),
    "created": _integer,
    "livemode": _flag,
    "api_version": _matching(r"[A-Za-z0-9.-]{1,64}"),
    "account": _plain_id,
}
_COMMON: _Allowed = {"object": _word, "id": _plain_id}
_PAYMENT_NAMES: _Allowed = {"payment_intent": _id, "charge": _id}
_PHASES: _Allowed = {
    "phases": [
        {
            "start_date": _integer,
            "end_date": _integer,
            "items": [{"price": {"id": _price_id}}],
            "metadata": _our_metadata,
        }
    ],
    "status": _word,
}

_OBJECTS: dict[str, _Allowed] = {
    "checkout.session": {
        "mode": _word,
        "status": _word,
        "payment_status": _word,
        "client_reference_id": _id,
        "metadata": _our_metadata,
        "customer": _id,
        "subscription": _id,
        "invoice": _id,
        "payment_intent": _id,
        "amount_total": _integer,
        "currency": _currency,
        "created": _integer,
        "expires_at": _integer,
        "recovered_from": _id,
        "livemode": _flag,
    },
    "subscription": {
        "status": _word,
        "customer": _id,
        "created": _integer,
        "livemode": _flag,
        "metadata": _our_metadata,
        "current_period_start": _integer,
        "current_period_end": _integer,
        "trial_end": _integer,
        "cancel_at": _integer,
        "cancel_at_period_end": _flag,
        "canceled_at": _integer,
        "ended_at": _integer,
        "cancellation_details": {"reason": _one_of(_CANCEL_REASONS), "feedback": _one_of(_FEEDBACK)},
        "pause_collection": {"behavior": _word, "resumes_at": _integer},
        "pending_update": {"expires_at": _integer},
        "schedule": {"id": _plain_id, **_PHASES},
        "latest_invoice": _id,
        "items": {
            "data": [
                {
                    "id": _plain_id,
                    "created": _integer,
                    "quantity": _integer,
                    "price": {"id": _price_id, "metadata": _our_metadata},
                    "current_period_start": _integer,
                    "current_period_end": _integer,
                }
            ]
        },
    },
    "subscription_schedule": {"subscription": _id, "released_subscription": _id, **_PHASES},
    "invoice": {
        "status": _word,
        "billing_reason": _word,
        "customer": _id,
        "subscription": _id,
        "subscription_details": {"metadata": _our_metadata},
        "parent": {"type": _word, "subscription_details": {"subscription": _id, "metadata": _our_metadata}},
        "amount_paid": _integer,
        "amount_due": _integer,
        "total": _integer,
        "currency": _currency,
        "created": _integer,
        "livemode": _flag,
        "attempt_count": _integer,
        "next_payment_attempt": _integer,
        "status_transitions": {"paid_at": _integer},
        "last_finalization_error": {"code": _word},
        **_PAYMENT_NAMES,
        "payments": {"data": [{"status": _word, "payment": _PAYMENT_NAMES}]},
        "lines": {
            "data": [
                {
                    "amount": _integer,
                    "proration": _flag,
                    "subscription": _id,
                    "period": {"start": _integer, "end": _integer},
                    "pricing": {"price_details": {"price": {"id": _price_id}}},
                    "price": {"id": _price_id},
                    "parent": {
                        "subscription_item_details": {"proration": _flag, "subscription": _id},
                        "invoice_item_details": {"proration": _flag, "subscription": _id},
                    },
                }
            ]
        },
    },
    "invoice_payment": {
        "invoice": _id,
        "status": _word,
        "amount_paid": _integer,
        "currency": _currency,
        "created": _integer,
        "livemode": _flag,
        "payment": _PAYMENT_NAMES,
    },
    "payment_intent": {
        "status": _word,
        "amount": _integer,
        "amount_received": _integer,
        "currency": _currency,
        "customer": _id,
        "invoice": _id,
        "latest_charge": _id,
        "metadata": _our_metadata,
        "created": _integer,
        "livemode": _flag,
        "last_payment_error": {"code": _word, "decline_code": _word},
    },
    "charge": {
        "status": _word,
        "amount": _integer,
        "amount_refunded": _integer,
        "refunded": _flag,
        "disputed": _flag,
        "currency": _currency,
        "customer": _id,
        "invoice": _id,
        "payment_intent": _id,
        "metadata": _our_metadata,
        "created": _integer,
        "livemode": _flag,
        "failure_code": _word,
    },
    "refund": {
        "status": _word,
        "amount": _integer,
        "currency": _currency,
        **_PAYMENT_NAMES,
        "customer": _id,
        "reason": _one_of(_REFUND_REASONS),
        "failure_reason": _one_of(_REFUND_FAILURES),
        "created": _integer,
    },
    "dispute": {
        "status": _word,
        "amount": _integer,
        "currency": _currency,
        **_PAYMENT_NAMES,
        "reason": _one_of(_DISPUTE_REASONS),
        "is_charge_refundable": _flag,
        "created": _integer,
        "livemode": _flag,
        "payment_method_details": {"card": {"case_type": _word}},
    },
    "radar.early_fraud_warning": {
        **_PAYMENT_NAMES,
        "actionable": _flag,
        "fraud_type": _word,
        "created": _integer,
        "livemode": _flag,
    },
    "customer": {"deleted": _flag, "metadata": _our_metadata, "created": _integer, "livemode": _flag},
}
