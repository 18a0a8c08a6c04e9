"""The client's CPU time of a call to AWS: our transport next to boto3, with the same server behind TLS."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import boto3

from benchmarks.cloud import served
from benchmarks.environment import QUEUE
from billing.aws import Aws

CALLS = 60
_KEY = {"user_id": {"S": "usr_0123456789abcdef"}, "record": {"S": "entitlements"}}
_ITEM = {**_KEY, **{f"field_{n}": {"S": f"value {n}"} for n in range(11)}}
REQUESTS: dict[tuple[str, str], dict[str, Any]] = {
    ("dynamodb", "get_item"): {"TableName": "Accounts", "Key": _KEY},
    ("dynamodb", "query"): {
        "TableName": "Accounts",
        "KeyConditionExpression": "user_id = :user AND #record BETWEEN :first AND :last",
        "ExpressionAttributeNames": {"#record": "record"},
        "ExpressionAttributeValues": {":user": {"S": "usr_1"}, ":first": {"S": "a"}, ":last": {"S": "z"}},
    },
    ("dynamodb", "update_item"): {
        "TableName": "Accounts",
        "Key": _KEY,
        "UpdateExpression": "ADD used :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    },
    ("dynamodb", "transact_write_items"): {
        "TransactItems": [{"Put": {"TableName": "Accounts", "Item": _ITEM}} for _ in range(4)]
    },
    ("sqs", "send_message"): {"QueueUrl": QUEUE, "MessageBody": "x" * 3000},
}


def report(rounds: int) -> None:
    credentials = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    with served() as (url, certificate):
        environ = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
        aws = Aws(environ=environ | {"AWS_ENDPOINT_URL": url, "AWS_CA_BUNDLE": str(certificate)})
        clients = {
            name: boto3.client(name, endpoint_url=url, verify=str(certificate), **credentials)  # type: ignore[call-overload]  # by a name
            for name in ("dynamodb", "sqs")
        }
        print(f"A call to AWS: CPU of the client in µs, median of {rounds} rounds of {CALLS}")
        print(f"{'':24}{'ours':>8}{'boto3':>8}{'ratio':>8}")
        for (service, operation), request in REQUESTS.items():
            theirs = getattr(clients[service], operation)
            spent = [
                (_cpu(lambda: aws.call(service, operation, **request)), _cpu(lambda: theirs(**request)))  # noqa: B023
                for _ in range(rounds + 1)
            ][1:]
            ours, boto = (statistics.median(column) for column in zip(*spent, strict=True))
            ratio = statistics.median(b / o for o, b in spent)
            print(f"{operation:24}{ours:8.0f}{boto:8.0f}{ratio:7.1f}×")


def _cpu(call: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - began) / CALLS * 1e6
