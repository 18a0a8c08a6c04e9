"""A naive endpoint of the API."""

import os
from typing import Any

import boto3
import stripe
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from boto3.dynamodb.conditions import Key
from pydantic import BaseModel

logger, tracer, metrics = Logger(), Tracer(), Metrics(namespace="billing")
app = APIGatewayHttpResolver(enable_validation=True)
accounts = boto3.resource("dynamodb").Table(os.environ["ACCOUNTS_TABLE"])
client = stripe.StripeClient("sk_test")


class Subscription(BaseModel):
    subscription_id: str
    status: str
    current_period_end: int


class Status(BaseModel):
    user_id: str
    subscriptions: list[Subscription]


@app.get("/billing/subscription-status")
def show() -> Status:
    user_id = app.current_event.request_context.authorizer.get_lambda["user_id"]
    items = accounts.query(KeyConditionExpression=Key("user_id").eq(user_id))["Items"]
    return Status(user_id=user_id, subscriptions=[Subscription(**item) for item in items])


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
