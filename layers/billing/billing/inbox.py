"""The webhook's door: verify, minimise, enqueue. No table, no provider call; what is refused leaves no trace."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from billing.aws import Aws
from billing.errors import BillingError
from billing.http import Handler, Response, problem, request_from, to_gateway
from billing.providers import Notification, Provider

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

# Stripe's largest events are below 100 KB, BTCPay's and BitPay's far below; an SQS message holds 256 KB.
MAX_WEBHOOK_BYTES = 192 * 1024


def webhook(
    provider: Provider, secrets: Callable[[], Sequence[str]], queue_url: str, aws: Aws, logger: "Logger"
) -> Handler:
    """A Lambda handler for one provider's webhook URL.

    200 once the queue has the minimal payload, 4xx for what is not a genuine delivery. When the queue refuses, the
    invocation fails and the provider delivers again.
    """

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            request = request_from(event, max_body=MAX_WEBHOOK_BYTES)
            label = provider.verify(request.body, request.headers, secrets(), request.now)
            notification = provider.minimise(request.body)
        except BillingError as error:
            logger.warning("refused", extra={"provider": provider.NAME, "code": error.code, "why": error.detail})
            return to_gateway(problem(error))
        message = encode(notification, request.now, label, hashlib.sha256(request.body).hexdigest())
        aws.call("sqs", "send_message", QueueUrl=queue_url, MessageBody=message)
        logger.info("accepted", extra={"event_id": notification.key, "type": notification.type, "secret": label})
        return to_gateway(Response(None))

    return handler


def encode(notification: Notification, received_at: int, secret_label: str, body_sha256: str) -> str:
    """A queue message: the notification and what the door saw."""
    return json.dumps(
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
        },
        separators=(",", ":"),
    )


def decode(message: str) -> tuple[Notification, Mapping[str, Any]]:
    """The notification of a queue message, and the rest (received_at, secret_label, body_sha256)."""
    found = json.loads(message)
    notification = Notification(
        provider=found.pop("provider"),
        event_id=found.pop("event_id"),
        type=found.pop("type"),
        created_at=found.pop("created_at"),
        livemode=found.pop("livemode"),
        payload=found.pop("payload"),
    )
    return notification, found
