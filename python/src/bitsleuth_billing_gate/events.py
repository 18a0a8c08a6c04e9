"""What the billing service tells by webhook: verified after the Standard Webhooks specification, each event once.

receiver = Receiver(["whsec_…"], handle)
status = receiver.receive(request.headers, request.body)  # the raw bytes
"""

import base64
import binascii
import hmac
import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# Seconds by which the time of a try may differ from this clock.
_TOLERANCE = 300
LONGEST_BODY = 64 * 1024
_KEPT = 20_000


class InvalidEvent(Exception):
    """A delivery that must not be believed; the message says why, never what it holds."""


@dataclass(frozen=True, slots=True)
class Event:
    """`event_id` is the same at every try; `timestamp` is RFC 3339."""

    event_id: str
    type: str
    timestamp: str
    data: Mapping[str, Any]


class HandledEvents(Protocol):
    """The ids that were handled: in this process by default, or where all processes see them."""

    def has(self, event_id: str) -> bool: ...

    def add(self, event_id: str) -> None: ...


Handle = Callable[[Event], None]


def verified(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> Event:
    """The event in a delivery, over its raw bytes. Raises `InvalidEvent`, and `ValueError` for what is no secret."""
    keys = [_key(secret) for secret in secrets]
    lowered = {name.lower(): value for name, value in headers.items()}
    event_id, at = lowered.get("webhook-id", ""), lowered.get("webhook-timestamp", "")
    if not event_id or not re.fullmatch(r"[0-9]{1,12}", at):
        raise InvalidEvent("this is no signed delivery")
    if abs(now - int(at)) > _TOLERANCE:
        raise InvalidEvent("the delivery is too old, or a clock is wrong")
    signatures = [_decoded(part[3:]) for part in lowered.get("webhook-signature", "").split() if part.startswith("v1,")]
    expected = [hmac.digest(key, f"{event_id}.{at}.".encode() + body, "sha256") for key in keys]
    if not any(hmac.compare_digest(signature, mac) for signature in signatures for mac in expected):
        raise InvalidEvent("no secret of ours signed this delivery")
    try:
        message = json.loads(body)
        event = Event(event_id, message["type"], message["timestamp"], message["data"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidEvent("this is no event") from error
    if not isinstance(event.type, str) or not isinstance(event.data, dict):
        raise InvalidEvent("this is no event")
    return event


def _key(secret: str) -> bytes:
    key = _decoded(secret.removeprefix("whsec_"))
    if len(key) < 24:
        raise ValueError("this is no secret of an endpoint: it begins with whsec_")
    return key


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


class _HandledHere:
    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def has(self, event_id: str) -> bool:
        return event_id in self._ids

    def add(self, event_id: str) -> None:
        self._ids[event_id] = None
        if len(self._ids) > _KEPT:
            self._ids.popitem(last=False)


class Receiver:
    """Safe for threads. What `handle` raises goes on to the caller, whose 5xx makes the event come again."""

    def __init__(
        self,
        secrets: Sequence[str],
        handle: Handle,
        *,
        handled: HandledEvents | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not secrets:
            raise ValueError("without a secret nothing could be verified")
        self._secrets = secrets
        self._handle = handle
        self._handled = handled or _HandledHere()
        self._now = now
        self._one_at_a_time = threading.Lock()

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """The status to answer: 200 when it was handled, now or before; 401 for what is not genuine; 413."""
        if len(body) > LONGEST_BODY:
            return 413
        try:
            event = verified(self._secrets, headers, body, self._now())
        except InvalidEvent:
            return 401
        with self._one_at_a_time:
            if not self._handled.has(event.event_id):
                self._handle(event)
                self._handled.add(event.event_id)
        return 200
