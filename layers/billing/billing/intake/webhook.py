"""Receiving webhooks: verify, minimise, enqueue. No table, no provider call; what is refused is only logged."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from billing import deadline
from billing.api.http import Handler, Response, problem, request_from, to_gateway
from billing.aws import Aws
from billing.errors import BadWebhook, BillingError, NotConfigured, NotFound
from billing.log import Log
from billing.providers.interface import Notification, Provider
from billing.settings import Settings

# Stripe's largest events are below 100 KB, BTCPay's and BitPay's far below; an SQS message holds 256 KB.
MAX_WEBHOOK_BYTES = 192 * 1024
_LAST_SECOND = 4_102_444_800  # of the year 2099
_LONGEST_KEY = 1000  # bytes; with a time before it, it is the sort key of an index, which holds 1,024
# One encoder for all, because making one takes as long as encoding a short text.
_text = json.JSONEncoder(separators=(",", ":")).encode
# The largest number in a payload: beyond it browsers and some JSON readers are not exact.
_LARGEST_NUMBER = 2**53


def webhook(
    provider: Provider, secrets: Callable[[], Sequence[str]], settings: Settings, aws: Aws, logger: Log
) -> Handler:
    """A Lambda handler for one provider's webhook URL.

    200 once the queue has the minimal payload, 4xx for what is not a genuine delivery. When the queue refuses, or the
    secret of a provider on offer is missing, the invocation fails and the provider delivers again. A provider that is
    not on offer may lack its secret: then every delivery is answered 404, so that nobody can set off an alarm by
    calling.
    """
    queue_url = settings.queue_url

    def accepted_secrets() -> Sequence[str]:
        try:
            return secrets()
        except NotConfigured as missing:
            if provider.NAME in settings.providers:
                raise
            raise NotFound(f"this stack takes no payments by {provider.NAME}") from missing

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        deadline.begin(context)
        try:
            request = request_from(event, max_body=MAX_WEBHOOK_BYTES)
            label = provider.verify(request.body, request.headers, accepted_secrets(), request.now)
            notification = provider.minimise(request.body)
            message = encode(notification, request.now, label, hashlib.sha256(request.body).hexdigest())
            if not _is_storable(notification, request.now, message):
                raise BadWebhook("the body holds text or a number that cannot be stored", reason="malformed_body")
        except BillingError as error:
            logger.warning("refused", extra={"provider": provider.NAME, "code": error.code, "why": error.detail})
            return to_gateway(problem(error))
        aws.call("sqs", "send_message", QueueUrl=queue_url, MessageBody=message)
        logger.info("accepted", extra={"event_id": notification.key, "type": notification.type, "secret": label})
        return to_gateway(Response(None))

    return handler


def _is_storable(notification: Notification, received_at: object, message: str) -> bool:
    """Whether DynamoDB can store it: texts without lone surrogates, an id that fits a key, plausible times. `message`:
    its JSON in ASCII, where a surrogate can only be an escape."""
    texts = (notification.provider, notification.event_id, notification.type)
    times = (notification.created_at, received_at)
    if not all(isinstance(text, str) and text for text in texts):
        return False
    if not all(type(moment) is int and 0 <= moment <= _LAST_SECOND for moment in times):
        return False
    if not message.isascii() or "\\u" in message:
        try:
            json.dumps([*texts, notification.payload], ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return False
    return _counts_exactly(notification.payload) and len(notification.key.encode()) <= _LONGEST_KEY


def _counts_exactly(value: Mapping[str, Any] | list[Any]) -> bool:
    """Whether each number in it is exact in every JSON reader."""
    for inner in value if isinstance(value, list) else value.values():
        kind = type(inner)
        if kind is str:
            continue
        if kind is dict or kind is list:
            if not _counts_exactly(inner):
                return False
        elif (kind is int or kind is float) and not -_LARGEST_NUMBER <= inner <= _LARGEST_NUMBER:
            return False
    return True


def encode(notification: Notification, received_at: int, secret_label: str, body_sha256: str) -> str:
    """A queue message: the notification, and how it was received."""
    return _text(
        {
            "provider": notification.provider,
            "event_id": notification.event_id,
            "type": notification.type,
            "created_at": notification.created_at,
            "livemode": notification.livemode,
            "payload": notification.payload,
            "received_at": received_at,
            "secret_label": secret_label,
            "body_sha256": body_sha256,
        }
    )


def decode(message: str) -> tuple[Notification, Mapping[str, Any]]:
    """The notification of a queue message, and the rest (received_at, secret_label, body_sha256).

    Raises `ValueError`, `KeyError` or `TypeError` for a message that is none of ours.
    """
    body = json.loads(message)
    notification = Notification(
        provider=body.pop("provider"),
        event_id=body.pop("event_id"),
        type=body.pop("type"),
        created_at=body.pop("created_at"),
        livemode=body.pop("livemode"),
        payload=body.pop("payload"),
    )
    if not _is_storable(notification, body["received_at"], message):
        raise ValueError("the message holds text or a number that cannot be stored")
    return notification, body
