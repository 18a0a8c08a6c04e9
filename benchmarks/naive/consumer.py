"""A naive consumer of the queue."""

import json
import os
from typing import Any

import boto3
import stripe
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from pydantic import BaseModel

logger, tracer, metrics = Logger(), Tracer(), Metrics(namespace="billing")
processor = BatchProcessor(event_type=EventType.SQS, model=SqsRecordModel)
accounts = boto3.resource("dynamodb").Table(os.environ["ACCOUNTS_TABLE"])
once = DynamoDBPersistenceLayer(table_name=os.environ["PAYMENT_EVENTS_TABLE"])
config = IdempotencyConfig(event_key_jmespath="id")
client = stripe.StripeClient("sk_test")


class Event(BaseModel):
    id: str
    type: str
    data: dict[str, Any]


@tracer.capture_method
def apply(record: SqsRecordModel) -> None:
    event = Event(**json.loads(str(record.body)))
    subscription = client.v1.subscriptions.retrieve(event.data["object"]["id"])
    accounts.put_item(Item={"user_id": subscription.metadata["user_id"], "record": "subscription"})


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return dict(process_partial_response(event, apply, processor, context))
