"""What the store relies on in the emulator's DynamoDB. Moto fails the races, so they are held here."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

THREADS = 16
ROUNDS = 8


@pytest.fixture
def table(probe_engine):
    return probe_engine.resource("Table")


@pytest.fixture
def dynamodb(probe_engine):
    return probe_engine.client("dynamodb")


@pytest.fixture
def key():
    return {"pk": {"S": uuid.uuid4().hex}}


def put_once(table, key, **attributes):
    return {
        "Put": {
            "TableName": table,
            "Item": key | {name: {"S": value} for name, value in attributes.items()},
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def increment(table, key):
    return {
        "Update": {
            "TableName": table,
            "Key": key,
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }


def test_sixteen_transactions_at_once_have_one_winner_and_leave_no_half(dynamodb, table):
    def attempt(marker, counter):
        try:
            dynamodb.transact_write_items(TransactItems=[put_once(table, marker), increment(table, counter)])
        except dynamodb.exceptions.TransactionCanceledException:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(ROUNDS):
            marker, counter = ({"pk": {"S": uuid.uuid4().hex}} for _ in range(2))
            won = list(pool.map(lambda _, m=marker, c=counter: attempt(m, c), range(THREADS)))
            assert won.count(True) == 1
            assert dynamodb.get_item(TableName=table, Key=counter, ConsistentRead=True)["Item"]["n"] == {"N": "1"}


def test_the_reasons_of_a_cancelled_transaction_stand_in_the_order_of_its_items(dynamodb, table, key):
    taken = {"pk": {"S": uuid.uuid4().hex}}
    dynamodb.put_item(TableName=table, Item=taken | {"owner": {"S": "ada"}})
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as refused:
        dynamodb.transact_write_items(TransactItems=[put_once(table, key), put_once(table, taken)])
    reasons = refused.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert reasons[1]["Item"] == taken | {"owner": {"S": "ada"}}
    assert "Item" not in dynamodb.get_item(TableName=table, Key=key)


def test_a_refused_write_returns_the_item_that_was_in_the_way(dynamodb, table, key):
    request = put_once(table, key, owner="ada")["Put"]
    dynamodb.put_item(**request)
    with pytest.raises(ClientError) as refused:
        dynamodb.put_item(**request)
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert refused.value.response["Item"] == key | {"owner": {"S": "ada"}}


def test_a_transaction_repeated_under_its_token_counts_once(dynamodb, table, key):
    token = uuid.uuid4().hex
    for _ in range(2):
        dynamodb.transact_write_items(TransactItems=[increment(table, key)], ClientRequestToken=token)
    assert dynamodb.get_item(TableName=table, Key=key)["Item"]["n"] == {"N": "1"}
    with pytest.raises(dynamodb.exceptions.IdempotentParameterMismatchException):
        dynamodb.transact_write_items(TransactItems=[put_once(table, key)], ClientRequestToken=token)


def test_an_optimistic_lock_lets_no_update_overwrite_another(dynamodb, table, key):
    dynamodb.put_item(TableName=table, Item=key | {"version": {"N": "0"}})

    def add_one(_):
        while True:
            version = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]["version"]
            try:
                return dynamodb.update_item(
                    TableName=table,
                    Key=key,
                    UpdateExpression="SET version = version + :one",
                    ConditionExpression="version = :seen",
                    ExpressionAttributeValues={":one": {"N": "1"}, ":seen": version},
                )
            except dynamodb.exceptions.ConditionalCheckFailedException:
                continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_one, range(12)))
    assert dynamodb.get_item(TableName=table, Key=key)["Item"]["version"] == {"N": "12"}


def test_time_to_live_is_on_although_the_emulator_ignores_the_template(dynamodb, table):
    described = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
