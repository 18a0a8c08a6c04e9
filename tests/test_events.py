"""Every file of events/ runs through AWS's runtime client in the deployed stack, as `sam local invoke` would run it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.shop import Shop
from local.deliveries import SIGNATURES, delivery

EVENTS = Path(__file__).parents[1] / "events"
# Whole events, by what triggers the function: <function>.json or <function>.<case>.json.
WHOLE = sorted(path for kind in ("api", "queue", "schedule", "stream") for path in (EVENTS / kind).glob("*.json"))
# What the API's events are answered with, where it is not 200: they ask for things that a fresh stack does not have.
STATUSES = {
    "admin_endpoints.change": 404,
    "admin_endpoints.create": 201,
    "admin_endpoints.delete": 404,
    "admin_endpoints.deliveries": 404,
    "admin_endpoints.end_old_secret": 404,
    "admin_endpoints.resend": 404,
    "admin_endpoints.rotate": 404,
    "admin_endpoints.test": 404,
    "admin_flags.set": 409,
    "admin_invoices.accept": 404,
    "admin_invoices.refund": 404,
    "admin_invoices.reread": 404,
    "admin_moves.start": 409,
    "admin_moves.stop": 404,
    "admin_moves.undo": 404,
    "admin_plans.archive": 404,
    "admin_plans.create": 201,
    "admin_plans.update": 404,
    "admin_subscriptions.cancel": 404,
    "admin_subscriptions.change": 404,
    "admin_subscriptions.give_days": 409,
    "admin_subscriptions.preview_change": 404,
    "admin_subscriptions.reread": 404,
    "admin_subscriptions.resume": 404,
    "admin_users.show": 404,
    "admin_vouchers.codes": 404,
    "admin_vouchers.make": 201,
    "admin_vouchers.revoke": 404,
    "admin_vouchers.show": 404,
    "auth.refresh": 401,
    "auth.sign_in": 401,
    "auth.sign_out": 401,
    "calendars.feed": 404,
    "calendars.revoke": 204,
    "cancel_subscription.cancel": 404,
    "cancel_subscription.resume": 404,
    "change_subscription.change": 409,
    "change_subscription.preview": 404,
    "confirm_checkout": 404,
    "crypto_invoice.of_checkout": 404,
    "crypto_invoice.show": 404,
    "entitlements.check": 402,
    "portal_session": 404,
    "receipts.show": 404,
    "renewals.open": 404,
    "renewals.remind": 404,
    "track": 204,
    "messages.change": 404,
    "messages.confirm": 409,
    "messages.remove": 204,
    "messages.test": 404,
    "wallet.connect": 400,
    "wallet.remove": 204,
    "wallet.test": 404,
    "vouchers.preview": 404,
    "vouchers.redeem": 404,
    # Signed with another key, or long ago.
    "webhook_bitpay": 400,
    "webhook_btcpay": 400,
    "webhook_mock": 400,
    "webhook_stripe": 400,
}


def function_of(path: Path) -> str:
    """CreatePlanFunction for create_plan.json and create_plan.twice.json."""
    return path.name.split(".")[0].title().replace("_", "") + "Function"


def test_every_function_has_an_event(template: dict[str, Any]) -> None:
    functions = {name for name, it in template["Resources"].items() if it["Type"] == "AWS::Serverless::Function"}
    assert {function_of(path) for path in WHOLE} == functions


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_event(shop_engine: Shop, path: Path) -> None:
    answer = shop_engine.engine.invoke(function_of(path), json.loads(path.read_text()))
    if path.stem == "authorizer":
        assert answer == {"isAuthorized": False}
    elif path.parent.name == "api":
        assert answer["statusCode"] == STATUSES.get(path.stem, 200), answer["body"]
    else:
        assert not answer.get("batchItemFailures")


@pytest.fixture
def resting_queue(shop_engine: Shop) -> Iterator[str]:
    """The queue of payment events while nobody reads it: the recorded users and providers do not exist here."""
    mapping = shop_engine.engine.resource("ProcessPaymentEventsFunctionDeliveries")
    queue = shop_engine.engine.resource("PaymentEventsQueue")
    lambda_, sqs = shop_engine.engine.client("lambda"), shop_engine.engine.client("sqs")
    lambda_.update_event_source_mapping(UUID=mapping, Enabled=False)
    yield queue
    sqs.purge_queue(QueueUrl=queue)
    lambda_.update_event_source_mapping(UUID=mapping, Enabled=True)


@pytest.mark.parametrize("provider", ["bitpay", "btcpay", "stripe"])
def test_every_recorded_webhook_is_verified_and_queued(shop_engine: Shop, resting_queue: str, provider: str) -> None:
    function, variable = {
        "bitpay": ("WebhookBitpayFunction", "BitpayApiKey"),
        "btcpay": ("WebhookBtcpayFunction", "BtcpayWebhookSecret"),
        "stripe": ("WebhookStripeFunction", "StripeWebhookSecret"),
    }[provider]
    assert provider in SIGNATURES
    engine = shop_engine.engine
    vault = engine.client("secretsmanager")
    secret = vault.get_secret_value(SecretId=engine.resource(variable))["SecretString"]
    recorded = sorted((EVENTS / provider).glob("*.json"))
    refused = {}
    for path in recorded:
        answer = engine.invoke(function, delivery(provider, path.read_bytes(), secret, int(time.time())))
        if answer["statusCode"] != 200:
            refused[path.name] = answer["body"]
    assert refused == {}
    described = engine.client("sqs").get_queue_attributes(
        QueueUrl=resting_queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert int(described["Attributes"]["ApproximateNumberOfMessages"]) == len(recorded)
