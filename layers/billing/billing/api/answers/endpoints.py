"""Answers about the endpoints of hosts and what was sent there, for admins."""

from typing import Literal

from billing.api.answers.base import Response, Time


class EndpointView(Response):
    """Where a host is told what happens. `secrets`: how many sign; two while one is being replaced."""

    endpoint_id: str
    url: str
    description: str
    event_types: list[str]
    state: Literal["enabled", "paused"]
    paused_for: Literal["admin", "failing", "gone"] | None
    """By an admin; because it took nothing in for three days; or because it answered 410."""
    paused_at: Time | None
    created_at: Time
    secrets: int
    failing_since: Time | None
    failures: int
    """In a row, over all its accounts."""
    last_status: int | None
    last_error: str | None
    succeeded_at: Time | None


class EndpointList(Response):
    endpoints: list[EndpointView]
    event_types: list[str]
    """All there are."""


class EndpointWithSecret(EndpointView):
    secret: str
    """`whsec_…`, shown this once."""


class TestSent(Response):
    event_id: str


class DeliveryView(Response):
    """One event for one endpoint, and how its newest try went."""

    delivery_id: str
    event_id: str
    type: str
    state: Literal["waiting", "delivered", "failed"]
    tries: int
    status: int | None
    """Of the answer; null where there was none."""
    error: str | None
    """refused, redirected, timed_out, broken_off, connect_failed, tls_failed, unknown_host, private_address, bad_url"""
    accepted_at: Time
    tried_at: Time | None
    took_ms: int | None
    body: str
    """As it was signed and sent. What was answered is not kept."""


class DeliveryList(Response):
    deliveries: list[DeliveryView]
    cursor: str | None


class Resent(Response):
    lanes: int
    """How many accounts are told again."""
