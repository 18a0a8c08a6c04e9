"""Answers about the webhook endpoints of hosts and their deliveries, for admins."""

from typing import Literal

from billing.api.answers.base import Response, Time


class EndpointView(Response):
    """A webhook endpoint of a host. `secrets`: the number of active signing secrets; two during a rotation."""

    endpoint_id: str
    url: str
    description: str
    event_types: list[str]
    state: Literal["enabled", "paused"]
    paused_for: Literal["admin", "failing", "gone"] | None
    """By an admin; because no delivery succeeded for three days; or because it answered 410."""
    paused_at: Time | None
    created_at: Time
    secrets: int
    version: int
    failing_since: Time | None
    failures: int
    """In a row, over all accounts."""
    last_status: int | None
    last_error: str | None
    succeeded_at: Time | None


class EndpointList(Response):
    endpoints: list[EndpointView]
    event_types: list[str]
    """All existing types."""


class EndpointWithSecret(EndpointView):
    secret: str
    """`whsec_…`, shown only once."""


class TestSent(Response):
    event_id: str


class DeliveryView(Response):
    """One event for one endpoint, with the result of its latest attempt."""

    delivery_id: str
    event_id: str
    type: str
    state: Literal["waiting", "delivered", "failed"]
    tries: int
    status: int | None
    """HTTP status of the answer; null if there was none."""
    error: str | None
    """refused, redirected, timed_out, broken_off, connect_failed, tls_failed, unknown_host, private_address, bad_url"""
    accepted_at: Time
    tried_at: Time | None
    took_ms: int | None
    body: str
    """As signed and sent. The body of the answer is not stored."""


class DeliveryList(Response):
    deliveries: list[DeliveryView]
    cursor: str | None


class Resent(Response):
    lanes: int
    """The number of accounts whose events are sent again."""
