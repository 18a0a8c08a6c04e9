"""Checks of the Stripe account's set-up. Each says what is wrong and how to fix it."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, cast

import stripe

from billing.providers.interface import Check
from billing.providers.stripe.translate import EVENTS

if TYPE_CHECKING:
    from stripe.params import WebhookEndpointCreateParams, WebhookEndpointUpdateParams

# Without these events the service does not work; the others add detail.
REQUIRED = frozenset(
    {
        "checkout.session.completed",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
        "charge.refunded",
    }
)
# The version this service was written for; older shapes are also understood.
API_VERSION = stripe.api_version


# What the key has to read, as the dashboard calls the permissions of a restricted one. Writing is not tried.
_READ: Mapping[str, Callable[[stripe.StripeClient], object]] = {
    "Balance transaction sources": lambda api: api.v1.balance_transactions.list({"limit": 1}),
    "Charges": lambda api: api.v1.charges.list({"limit": 1}),
    "Coupons": lambda api: api.v1.coupons.list({"limit": 1}),
    "Disputes": lambda api: api.v1.disputes.list({"limit": 1}),
    "Events": lambda api: api.v1.events.list({"limit": 1}),
    "Invoices": lambda api: api.v1.invoices.list({"limit": 1}),
    "Payment Intents": lambda api: api.v1.payment_intents.list({"limit": 1}),
    "Prices": lambda api: api.v1.prices.list({"limit": 1}),
    "Radar": lambda api: api.v1.radar.early_fraud_warnings.list({"limit": 1}),
    "Refunds": lambda api: api.v1.refunds.list({"limit": 1}),
    "Subscriptions": lambda api: api.v1.subscriptions.list({"limit": 1}),
}


def check(api: stripe.StripeClient, webhook_url: str) -> Iterator[Check]:
    """Check the key, the webhook endpoint for `webhook_url` and the portal. Raises the SDK's errors."""
    refused = [name for name, read in _READ.items() if not _may(api, read)]
    if refused:
        remedy = "Stripe dashboard → Developers → API keys: give the restricted key what docs/stripe.md lists"
        yield Check("fail", "key", f"may not read {', '.join(refused)}", remedy)
    else:
        yield Check("ok", "key", "reads all that is needed")
    yield from _endpoint(api, webhook_url)
    configured = api.v1.billing_portal.configurations.list({"limit": 10, "active": True}).data
    if configured:
        yield Check("ok", "portal", f"{len(configured)} active configuration(s)")
    else:
        remedy = "Stripe dashboard → Settings → Billing → Customer portal: save it once in this mode"
        yield Check("fail", "portal", "not configured: portal sessions will be refused", remedy)


def _may(api: stripe.StripeClient, read: Callable[[stripe.StripeClient], object]) -> bool:
    try:
        read(api)
    except stripe.PermissionError:
        return False
    return True


def _endpoint(api: stripe.StripeClient, webhook_url: str) -> Iterator[Check]:
    endpoint = find_endpoint(api, webhook_url)
    if endpoint is None:
        yield Check("fail", "webhook", f"no endpoint for {webhook_url}", "billing stripe setup")
        return
    if endpoint.status != "enabled":
        yield Check(
            "fail", "webhook", f"endpoint {endpoint.id} is {endpoint.status}", "enable it in the Stripe dashboard"
        )
    enabled = set(endpoint.enabled_events)
    missing = [] if "*" in enabled else [name for name in EVENTS if name not in enabled]
    if lacking := sorted(REQUIRED & set(missing)):
        yield Check("fail", "webhook events", f"lacks {', '.join(lacking)}", "billing stripe setup")
    elif missing:
        note = (
            f"{len(missing)} of {len(EVENTS)} are not sent, such as {missing[0]}; reconciliation finds them a day later"
        )
        yield Check("warn", "webhook events", note, "billing stripe setup")
    else:
        yield Check("ok", "webhook events", f"all {len(EVENTS)} are sent")
    if endpoint.api_version == API_VERSION:
        yield Check("ok", "webhook version", API_VERSION)
    else:
        note = f"{endpoint.api_version or 'the account default'}; understood, but newer is simpler"
        yield Check("warn", "webhook version", note, f"make a new endpoint of {API_VERSION}, then remove this one")


def find_endpoint(api: stripe.StripeClient, webhook_url: str) -> stripe.WebhookEndpoint | None:
    endpoints = api.v1.webhook_endpoints.list({"limit": 100}).auto_paging_iter()
    return next((endpoint for endpoint in endpoints if endpoint.url == webhook_url), None)


def set_up(api: stripe.StripeClient, webhook_url: str) -> tuple[stripe.WebhookEndpoint, str | None]:
    """Create or update the endpoint with all our events. The signing secret is returned only for a new endpoint."""
    endpoint = find_endpoint(api, webhook_url)
    if endpoint is None:
        wanted = cast("WebhookEndpointCreateParams", {"url": webhook_url, "enabled_events": list(EVENTS)})
        wanted["api_version"] = cast(Literal["2026-10-28.endive"], API_VERSION)
        created = api.v1.webhook_endpoints.create(wanted, {"idempotency_key": f"endpoint:{webhook_url}"})
        return created, created.secret
    changed = cast("WebhookEndpointUpdateParams", {"enabled_events": list(EVENTS)})
    return api.v1.webhook_endpoints.update(endpoint.id, changed), None
