"""A naive webhook: the SDK verifies, the whole event goes to the queue."""

import json
import os
from typing import Any

import boto3
import stripe
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from pydantic import BaseModel

logger, tracer, metrics = Logger(), Tracer(), Metrics(namespace="billing")
app = APIGatewayHttpResolver(enable_validation=True)
queue = boto3.resource("sqs").Queue(os.environ["PAYMENT_EVENTS_QUEUE_URL"])
events = boto3.resource("dynamodb").Table(os.environ["PAYMENT_EVENTS_TABLE"])
secrets = SecretsProvider()


class Received(BaseModel):
    received: bool


@app.post("/billing/webhook/stripe")
def receive() -> Received:
    signature = app.current_event.headers["stripe-signature"]
    secret = secrets.get("STRIPE_WEBHOOK_SECRET")
    event = stripe.Webhook.construct_event(app.current_event.decoded_body, signature, secret)  # type: ignore[no-untyped-call]  # the SDK's
    queue.send_message(MessageBody=json.dumps(event.to_dict()))
    return Received(received=True)


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
