"""What stands in for DynamoDB undoes a refused transaction whole, although it copies no table for it."""

import pytest

from billing.aws import Aws, AwsError


def put(record: str, **conditions: str) -> dict[str, object]:
    item = {"user_id": {"S": "usr_1"}, "record": {"S": record}, "by": {"S": "the second"}}
    return {"Put": {"TableName": "AccountsTable", "Item": item, **conditions}}


def test_nothing_of_a_refused_transaction_stays(tables: dict[str, str]) -> None:
    aws = Aws()
    first = {"user_id": {"S": "usr_1"}, "record": {"S": "a"}, "by": {"S": "the first"}}
    aws.call("dynamodb", "put_item", TableName="AccountsTable", Item=first)
    update = {
        "TableName": "AccountsTable",
        "Key": {"user_id": {"S": "usr_2"}, "record": {"S": "c"}},
        "UpdateExpression": "SET #n = :n",
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":n": {"N": "1"}},
    }
    refused = put("d", ConditionExpression="attribute_exists(user_id)")
    with pytest.raises(AwsError):
        aws.call("dynamodb", "transact_write_items", TransactItems=[put("a"), put("b"), {"Update": update}, refused])
    assert aws.call("dynamodb", "scan", TableName="AccountsTable")["Items"] == [first]
