"""Stripe's webhooks: signature check and allow-list.

https://docs.stripe.com/webhooks#verify-manually
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from billing.errors import BadWebhook
from billing.providers.interface import Notification
from billing.providers.signatures import verify_timestamped


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: int) -> str:
    """The label ("1", "2", …) of the secret that signed exactly these bytes within the last five minutes.

    `secrets` are complete `whsec_…` strings. During a rotation Stripe sends one v1 signature per active secret.
    """
    header = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), "")
    return verify_timestamped(body, header, secrets, now)


def minimise(body: bytes) -> Notification:
    """The allow-listed fields: ids, states, amounts, times and our own metadata. No personal data."""
    try:
        event = json.loads(body.decode())
    except (ValueError, RecursionError) as malformed:
        raise BadWebhook("the body is not JSON in UTF-8", reason="malformed_body") from malformed
    if not isinstance(event, dict):
        raise BadWebhook("the body is not an object", reason="malformed_body")
    return minimise_event(event)


def minimise_event(event: Mapping[str, Any]) -> Notification:
    """As `minimise`, for a parsed event.

    Only an id, a type, a time and an object are required; other unexpected values are dropped. A refused event would be
    retried for three days, and Stripe disables an endpoint that keeps refusing.
    """
    if event.get("object") == "v2.core.event":
        raise BadWebhook("a thin event: set the event destination to snapshot payloads", reason="thin_event")
    fields = _pick(event, _EVENT)
    for name in ("id", "type", "created"):
        if name not in fields or event.get("object") != "event":
            raise BadWebhook(f"not a Stripe event: {name} is missing", reason="malformed_body")
    data = event.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("object"), dict):
        raise BadWebhook("the event carries no object", reason="malformed_body")
    return Notification(
        provider="stripe",
        event_id=fields["id"],
        type=fields["type"],
        created_at=fields["created"],
        livemode=fields.get("livemode"),
        payload={
            **{name: fields[name] for name in ("api_version", "account") if name in fields},
            "object": minimal(data["object"]),
        },
    )


def minimal(source: Mapping[str, Any]) -> dict[str, Any]:
    """The allow-listed part of a Stripe object from a webhook or the API; of an unknown kind only type and id."""
    kind = source.get("object")
    return _pick(source, _OBJECTS.get(kind, _COMMON) if isinstance(kind, str) else _COMMON)


# --- the allow-list -------------------------------------------------------------------------------------------------
# A rule takes a value and returns what to keep of it, or None to drop it. null counts as absent.

_Rule = Callable[[Any], Any]
_Allowed = Mapping[str, "_Rule | _Allowed | list[_Allowed]"]
_Pick = Callable[[Mapping[str, Any]], dict[str, Any]]
# Larger numbers are dropped.
_LARGEST = 2**53


def _pick(source: Mapping[str, Any], allowed: _Allowed) -> dict[str, Any]:
    return _picker(allowed)(source)


_pickers: dict[int, tuple[_Allowed, _Pick]] = {}


def _picker(allowed: _Allowed) -> _Pick:
    """An allow-list compiled to a function, on the first object of its kind.

    Interpreting the list for every object took three times as long and was most of the webhook's CPU time.
    """
    if id(allowed) not in _pickers:
        scope: dict[str, Any] = {}
        lines = ["def pick(source):", " get, picked = source.get, {}"]
        for number, (name, rule) in enumerate(allowed.items()):
            lines += [f" value = get({name!r})", " if value is not None:", *_lines(number, name, rule)]
            if callable(rule):
                scope[f"r{number}"], scope[f"o{number}"] = _FORMS.get(rule, (rule, None))
            else:
                scope[f"r{number}"] = _picker(rule[0] if isinstance(rule, list) else rule)
        exec("\n".join([*lines, " return picked"]), scope)  # noqa: S102 only names and rules from this file
        _pickers[id(allowed)] = (allowed, scope["pick"])  # a reference to the list, so that its id is not reused
    return _pickers[id(allowed)][1]


def _lines(number: int, name: str, rule: "_Rule | _Allowed | list[_Allowed]") -> list[str]:
    rule_name = f"r{number}"
    if rule is _integer:
        return [f"  if type(value) is int and {-_LARGEST} <= value <= {_LARGEST}: picked[{name!r}] = value"]
    if rule is _flag:
        return [f"  if value is True or value is False: picked[{name!r}] = value"]
    if callable(rule) and rule in _FORMS:
        matches = f"isinstance(value, str) and {rule_name}(value)"
        if _FORMS[rule][1] is None:
            return [f"  if {matches}: picked[{name!r}] = value"]
        return [f"  picked[{name!r}] = value if {matches} else o{number}"]
    if callable(rule):
        return [f"  value = {rule_name}(value)", f"  if value is not None: picked[{name!r}] = value"]
    if isinstance(rule, list):
        entries = f"[{rule_name}(entry) for entry in value if isinstance(entry, dict)]"
        return [f"  picked[{name!r}] = {entries} if isinstance(value, list) else []"]
    # An object that is not expanded is a bare id.
    return [
        "  if isinstance(value, str): value = {'id': value}",
        f"  if isinstance(value, dict): picked[{name!r}] = {rule_name}(value)",
    ]


def _integer(value: Any) -> int | None:
    return value if type(value) is int and abs(value) <= _LARGEST else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


# Rule → (match function, fallback) of the rules made by `_matching`, so that a picker can inline them.
_FORMS: dict[_Rule, tuple[Callable[[str], object], str | None]] = {}


def _matching(pattern: str, otherwise: str | None = None) -> _Rule:
    """Keeps a text that matches; any other, perhaps free text of a person, becomes `otherwise`."""
    matches = re.compile(pattern).fullmatch

    def rule(value: Any) -> str | None:
        return value if isinstance(value, str) and matches(value) else otherwise

    _FORMS[rule] = (matches, otherwise)
    return rule


# Any lower-case code, so that new ones of Stripe's are kept; anything else becomes "other".
_word = _matching(r"[a-z0-9][a-z0-9_.]{0,79}", "other")
_price_id = _matching(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,254}", "other")
_plain_id = _matching(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,254}")
_currency = _matching(r"[a-z]{3}")


def _id(value: Any) -> Any:
    return _plain_id(value.get("id") if isinstance(value, dict) else value)


def _whether_said(value: Any) -> bool | None:
    """Whether there is any text; the text itself, written by a person, is dropped."""
    return True if isinstance(value, str) and value.strip() else None


def _one_of(words: str) -> _Rule:
    """A reason code from a closed list; anything else, perhaps free text, becomes "other"."""
    allowed = frozenset(words.split())
    return lambda value: value if isinstance(value, str) and value in allowed else "other"


# Our metadata keys, each in the form we write. A user_id of another product, such as "42", does not match.
_OURS: _Allowed = {
    "user_id": _matching(r"usr_[A-Za-z0-9_-]{1,124}"),
    "plan_id": _matching(r"[a-z0-9][a-z0-9_-]{0,63}"),
    "plan_version": _matching(r"[0-9]{1,9}"),
    "checkout_id": _matching(r"[A-Za-z0-9_-]{1,128}"),
    "refund_request": _matching(r"[0-9a-f]{32}"),
}


def _our_metadata(value: Any) -> dict[str, Any]:
    """Drops metadata of others and values edited by hand, which may be personal data."""
    return _pick(value, _OURS) if isinstance(value, dict) else {}


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
    "type": _matching(r"[a-z0-9][a-z0-9_.]{0,99}", "other"),
    "created": _integer,
    "livemode": _flag,
    "api_version": _matching(r"[A-Za-z0-9.-]{1,64}"),
    "account": _plain_id,
}
_COMMON: _Allowed = {"object": _word, "id": _plain_id}


def _number(value: Any) -> int | float | None:
    """A percentage may have decimals."""
    return value if isinstance(value, float) else _integer(value)


def _by_currency(amount: str) -> _Rule:
    """{"eur": {"unit_amount": 830}}: the amounts of a price or coupon in other currencies."""

    allowed: _Allowed = {amount: _integer}

    def rule(value: Any) -> dict[str, Any]:
        options = value.items() if isinstance(value, dict) else ()
        return {n: _pick(option, allowed) for n, option in options if _currency(n) and isinstance(option, dict)}

    return rule


def _ids(value: Any) -> list[Any]:
    return [name for entry in (value if isinstance(value, list) else ()) if (name := _id(entry))]


_COUPON: _Allowed = {
    "id": _id,
    "duration": _word,
    "percent_off": _number,
    "amount_off": _integer,
    "currency": _currency,
    "currency_options": _by_currency("amount_off"),
    "applies_to": {"products": _ids},
}
_DISCOUNT: _Allowed = {"id": _id, "end": _integer, "coupon": _COUPON, "source": {"coupon": _COUPON}}


def _discounts(value: Any) -> list[Any]:
    """Discounts are ids in a webhook, and objects when they are expanded."""
    entries = [{"id": entry} if isinstance(entry, str) else entry for entry in value] if isinstance(value, list) else []
    return [_pick(entry, _DISCOUNT) if isinstance(entry, dict) else None for entry in entries if entry]


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


def _with_common(kinds: Mapping[str, _Allowed]) -> Mapping[str, _Allowed]:
    return {kind: {**_COMMON, **allowed} for kind, allowed in kinds.items()}


_OBJECTS: Mapping[str, _Allowed] = _with_common(
    {
        "checkout.session": {
            "mode": _word,
            "status": _word,
            "payment_status": _word,
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
            "total_details": {"amount_tax": _integer},
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
            "cancellation_details": {
                "reason": _one_of(_CANCEL_REASONS),
                "feedback": _one_of(_FEEDBACK),
                "comment": _whether_said,
            },
            "pause_collection": {"behavior": _word, "resumes_at": _integer},
            "pending_update": {"expires_at": _integer},
            "schedule": {"id": _plain_id, **_PHASES},
            "latest_invoice": _id,
            "currency": _currency,
            "discount": _DISCOUNT,
            "discounts": _discounts,
            "items": {
                "has_more": _flag,
                "data": [
                    {
                        "id": _plain_id,
                        "created": _integer,
                        "quantity": _integer,
                        "discounts": _discounts,
                        "price": {
                            "id": _price_id,
                            "metadata": _our_metadata,
                            "unit_amount": _integer,
                            "currency": _currency,
                            "currency_options": _by_currency("unit_amount"),
                            "product": _id,
                        },
                        "current_period_start": _integer,
                        "current_period_end": _integer,
                    }
                ],
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
            "collection_method": _word,
            "status_transitions": {"paid_at": _integer, "marked_uncollectible_at": _integer},
            "status_details": {"uncollectible": {"reason": _word}},
            "total_taxes": [{"amount": _integer, "tax_behavior": _word}],
            "total_tax_amounts": [{"amount": _integer, "inclusive": _flag}],
            "last_finalization_error": {"code": _word},
            **_PAYMENT_NAMES,
            "payments": {"data": [{"status": _word, "payment": _PAYMENT_NAMES}]},
            "lines": {
                "has_more": _flag,
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
                ],
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
            "metadata": _our_metadata,
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
        "discount": {"customer": _id, "subscription": _id},
        "customer": {"deleted": _flag, "metadata": _our_metadata, "created": _integer, "livemode": _flag},
    }
)
