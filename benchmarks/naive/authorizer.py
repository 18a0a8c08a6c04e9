"""A naive authorizer."""

import os
from typing import Any

import boto3
import jwt
import stripe
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.data_classes import event_source
from aws_lambda_powertools.utilities.data_classes.api_gateway_authorizer_event import (
    APIGatewayAuthorizerEventV2,
    APIGatewayAuthorizerResponseV2,
)
from pydantic import BaseModel

logger, tracer, metrics = Logger(), Tracer(), Metrics(namespace="billing")
accounts = boto3.resource("dynamodb").Table(os.environ["ACCOUNTS_TABLE"])
stripe.api_key = "sk_test"


class Claims(BaseModel):
    sub: str
    exp: int
    admin: bool = False


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@event_source(data_class=APIGatewayAuthorizerEventV2)
def handler(event: APIGatewayAuthorizerEventV2, context: Any) -> dict[str, Any]:
    token = event.headers["authorization"].removeprefix("Bearer ")
    claims = Claims(**jwt.decode(token, os.environ["TOKEN_PUBLIC_KEYS"], ["ES256"], audience="billing"))
    item = accounts.get_item(Key={"user_id": claims.sub, "record": "entitlements"}).get("Item", {})
    return APIGatewayAuthorizerResponseV2(authorize=True, context={"user_id": claims.sub, **item}).asdict()
