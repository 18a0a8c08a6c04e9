"""`billing endpoints`, as an operator types it."""

import json
import re
import time

import boto3
import pytest

from billing.aws import Aws
from billing.data import replace
from billing.store.audit import AuditLog
from billing.store.host_events import HostEventStore
from tests.ops.conftest import OpenStack, billing

URL = "http://127.0.0.1:9/events"


@pytest.fixture(autouse=True)
def queue(open_stack: OpenStack) -> str:
    url: str = boto3.client("sqs").create_queue(QueueName="host-events")["QueueUrl"]
    # On a machine of one's own: hosts are there too, and no name has to be looked up.
    open_stack(
        STAGE="local", HOST_EVENTS_TABLE="HostEventsTable", HOST_EVENTS_QUEUE_URL=url, ENDPOINT_SECRETS_KEY="0" * 64
    )
    return url


def add(*more: str) -> str:
    answer = billing("endpoints", "add", URL, *more)
    assert answer.exit_code == 0, answer.output
    assert re.search(r"^whsec_\S+$", answer.stdout, re.M)
    return answer.stdout.split()[0]


def test_an_endpoint_is_added_with_its_secret_tested_and_removed(queue: str) -> None:
    endpoint = add("--event", "EntitlementsChanged", "--event", "RenewalDue", "--description", "the shop")
    listed = billing("endpoints", "list").output
    assert all(text in listed for text in (endpoint, "enabled", "EntitlementsChanged, RenewalDue", URL))
    assert "whsec_" not in listed
    event = billing("endpoints", "test", endpoint).output.split()[0]
    [message] = boto3.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert endpoint in json.dumps(message["Body"])
    shown = billing("endpoints", "deliveries", endpoint).output
    assert re.search(rf"{event} +TestEvent +waiting +0", shown)
    assert event not in billing("endpoints", "deliveries", endpoint, "--state", "failed").output
    assert billing("endpoints", "remove", endpoint, typed="n\n").exit_code == 1
    assert endpoint in billing("endpoints", "list").output
    assert billing("endpoints", "remove", endpoint, "--yes").exit_code == 0
    assert endpoint not in billing("endpoints", "list").output
    actions = {entry["action"] for entry in AuditLog(Aws(), "AccountsTable").month(int(time.time()))}
    assert actions == {"create_endpoint", "delete_endpoint"}


def test_one_that_was_paused_for_its_failures_goes_on_when_told() -> None:
    endpoint = add()
    store = HostEventStore(Aws(), "HostEventsTable")
    found = store.endpoint(endpoint)
    assert found is not None
    failing = replace(found[0], paused_for="failures", paused_at=int(time.time()), version=2)
    store.put_endpoint(failing, expected=found[0].version)
    assert "paused (failures)" in billing("endpoints", "list").output
    assert "enabled" in billing("endpoints", "resume", endpoint).output
    assert "paused (admin)" in billing("endpoints", "pause", endpoint).output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("add", "ftp://shop.example"), "url"),
        (("add", URL, "--event", "NoSuchEvent"), "event_types"),
        (("test", "ep_none"), "no such endpoint"),
        (("resume", "ep_none"), "no such endpoint"),
    ],
)
def test_what_is_refused_is_said(arguments: tuple[str, ...], named: str) -> None:
    answer = billing("endpoints", *arguments)
    assert answer.exit_code == 1
    assert named in answer.output
