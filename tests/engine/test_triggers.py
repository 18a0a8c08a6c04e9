"""Queue, stream and rule reach the functions as they do on AWS."""

import json
import uuid

import pytest


@pytest.fixture(autouse=True)
def _warm(probe_engine):
    """A cold start must not outlive the queue's short visibility timeout."""
    probe_engine.invoke("WorkerFunction", {})


def events_in(log, text):
    """The events of the log that hold `text`."""
    return [json.loads(line) for line in log.splitlines() if line.startswith("{") and text in line]


def test_only_the_refused_message_of_a_batch_returns_and_ends_in_the_dead_letter_queue(probe_engine, eventually):
    sqs = probe_engine.client("sqs")
    queue, dead_letters = probe_engine.resource("Queue"), probe_engine.resource("DeadLetters")
    good = uuid.uuid4().hex
    entries = [{"Id": "a", "MessageBody": good}, {"Id": "b", "MessageBody": "refuse"}]
    sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    received = eventually(lambda: sqs.receive_message(QueueUrl=dead_letters, WaitTimeSeconds=1).get("Messages"))
    assert [message["Body"] for message in received] == ["refuse"]
    log = probe_engine.logs("WorkerFunction")
    assert len(events_in(log, good)) == 1
    refusals = [record for event in events_in(log, '"refuse"') for record in event["Records"] if record["body"] != good]
    assert [record["attributes"]["ApproximateReceiveCount"] for record in refusals] == ["1", "2"]


def test_a_new_item_reaches_the_stream_function_and_a_filtered_change_does_not(probe_engine, eventually):
    dynamodb, table = probe_engine.client("dynamodb"), probe_engine.resource("Table")
    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    dynamodb.put_item(TableName=table, Item={"pk": {"S": first}})
    dynamodb.put_item(TableName=table, Item={"pk": {"S": first}, "changed": {"BOOL": True}})
    dynamodb.put_item(TableName=table, Item={"pk": {"S": second}})
    eventually(lambda: events_in(probe_engine.logs("WorkerFunction"), second))
    events = events_in(probe_engine.logs("WorkerFunction"), first)
    records = [r for event in events for r in event["Records"] if r["dynamodb"]["Keys"] == {"pk": {"S": first}}]
    assert [(record["eventName"], record["dynamodb"]["NewImage"]) for record in records] == [
        ("INSERT", {"pk": {"S": first}})
    ]


def test_an_event_of_the_bus_reaches_the_function_of_its_rule(probe_engine, eventually):
    detail = {"id": uuid.uuid4().hex}
    entry = {"EventBusName": probe_engine.resource("Bus"), "DetailType": "probed", "Detail": json.dumps(detail)}
    answer = probe_engine.client("events").put_events(
        Entries=[entry | {"Source": "elsewhere"}, entry | {"Source": "probe"}]
    )
    assert answer["FailedEntryCount"] == 0
    [event] = eventually(lambda: events_in(probe_engine.logs("WorkerFunction"), detail["id"]))
    assert (event["source"], event["detail-type"], event["detail"]) == ("probe", "probed", detail)
