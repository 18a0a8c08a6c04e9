"""Admins say where hosts are told what happens; the secret is seen once, and every act is in the audit log."""

import json
import re
import socket
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from billing import internet
from billing.internet import is_public
from billing.rules.host_events import EVENT_TYPES
from billing.store.host_events import HostEventStore
from samples import NOW
from tests.functions.conftest import Answer, Cloud
from tests.hosts.conftest import change as changed

Call = Callable[..., Answer]
BODY: dict[str, Any] = {
    "url": "https://app.example.com/api/billing/events",
    "description": "the app",
    "event_types": ["EntitlementsChanged"],
}
PLACES = {
    "app.example.com": ("203.0.113.7",),
    "inside.example.com": ("203.0.113.7", "10.0.0.7"),
    "metadata.example.com": ("169.254.169.254",),
}


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that lead where a test says; 203.0.113.0/24 stands for the public internet."""

    real = socket.getaddrinfo

    def look_up(host: str | bytes, port: int, *how: Any, **named: Any) -> list[Any]:
        if isinstance(host, bytes) or not host.endswith("example.com"):
            return real(host, port, *how, **named)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in PLACES.get(host, ())]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(internet, "is_public", lambda a: a.startswith("203.0.113.") or is_public(a))


def create(call: Call, **changes: Any) -> Answer:
    return call("admin_endpoints.create", body={**BODY, **changes})


def at(call: Call, what: str, endpoint_id: str, **how: Any) -> Answer:
    return call(f"admin_endpoints.{what}", path={"endpoint_id": endpoint_id}, **how)


def store_of(cloud: Cloud) -> HostEventStore:
    return HostEventStore(cloud.aws, cloud.tables["HostEventsTable"])


def test_an_endpoint_is_made_and_its_secret_shown_once_and_stored_nowhere(call: Call, cloud: Cloud) -> None:
    made = create(call)
    assert made.status == 201
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made.json["secret"])
    listed = call("admin_endpoints.list").json
    assert [e["url"] for e in listed["endpoints"]] == [BODY["url"]]
    assert listed["event_types"] == [*EVENT_TYPES]
    stored = json.dumps([cloud.aws.call("dynamodb", "scan", TableName=t) for t in ("HostEventsTable", "AccountsTable")])
    secret = made.json["secret"].removeprefix("whsec_")
    assert secret not in stored
    assert secret not in json.dumps(listed)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://app.example.com/", "bad_url"),
        ("https://app.example.com:22/", "bad_url"),
        ("https://user:word@app.example.com/", "bad_url"),
        ("https://app.example.com/#here", "bad_url"),
        ("https://203.0.113.7/", "bad_url"),
        ("https://[::1]/", "bad_url"),
        ("https://2130706433/", "bad_url"),
        ("https://localhost/", "bad_url"),
        ("https://app.example.com/a b", "bad_url"),
        ("https://app.exämple.com/", "bad_url"),
        ("ftp://app.example.com/", "bad_url"),
        ("https://", "bad_url"),
        ("https://nobody.example.com/", "unknown_host"),
        ("https://inside.example.com/", "private_address"),
        ("https://metadata.example.com/", "private_address"),
    ],
)
def test_no_event_goes_anywhere_but_to_the_public_internet(call: Call, url: str, reason: str) -> None:
    answer = create(call, url=url)
    assert (answer.status, answer.problem, answer.json["reason"]) == (400, "invalid_request", reason)
    assert answer.json["errors"][0]["path"] == "url"
    endpoint_id = create(call).json["endpoint_id"]
    assert at(call, "change", endpoint_id, body={"url": url}).json["reason"] == reason


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"event_types": []}, "event_types"),
        ({"event_types": ["NoSuchEvent"]}, "event_types"),
        ({"description": "two\nlines"}, "description"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_what_is_no_endpoint_is_refused_with_the_place_of_the_fault(
    call: Call, changes: dict[str, Any], path: str
) -> None:
    answer = create(call, **changes)
    assert (answer.status, answer.problem) == (400, "invalid_request")
    assert path in [fault["path"] for fault in answer.json["errors"]]


def test_a_secret_is_replaced_in_two_steps(call: Call) -> None:
    made = create(call).json
    endpoint_id = made["endpoint_id"]
    assert at(call, "end_old_secret", endpoint_id).json["reason"] == "one_secret_only"
    rotated = at(call, "rotate", endpoint_id).json
    assert rotated["secrets"] == 2
    assert rotated["secret"] not in (made["secret"], "")
    assert at(call, "rotate", endpoint_id).json["reason"] == "two_secrets_already"
    ended = at(call, "end_old_secret", endpoint_id).json
    assert ended["secrets"] == 1
    assert "secret" not in ended


def test_an_endpoint_is_changed_paused_enabled_and_removed_and_all_is_on_record(call: Call) -> None:
    endpoint_id = create(call).json["endpoint_id"]
    changed = at(call, "change", endpoint_id, body={"event_types": ["GrantChanged"], "state": "paused"}).json
    assert (changed["state"], changed["paused_for"], changed["event_types"]) == ("paused", "admin", ["GrantChanged"])
    assert changed["description"] == "the app", "what is left out stays"
    assert at(call, "change", endpoint_id, body={"state": "enabled"}).json["paused_for"] is None
    assert at(call, "delete", endpoint_id).status == 204
    assert at(call, "change", endpoint_id, body={}).problem == "not_found"
    entries = call("admin_audit").json["entries"]
    assert [e["action"] for e in entries] == [
        "delete_endpoint",
        "change_endpoint",
        "change_endpoint",
        "create_endpoint",
    ]
    assert {e["subject"] for e in entries} == {endpoint_id}


def test_of_two_who_change_the_same_version_the_second_is_told_and_overwrites_nothing(call: Call) -> None:
    made = create(call).json
    endpoint_id, seen = made["endpoint_id"], made["version"]
    move = {"url": "https://app.example.com/new", "version": seen}
    moved, repeated = (at(call, "change", endpoint_id, body=move) for _ in range(2))
    assert (moved.status, moved.json["version"]) == (200, seen + 1)
    assert repeated.json == moved.json, "the answer of the first was lost"
    late = at(call, "change", endpoint_id, body={**BODY, "description": "ours", "version": seen})
    assert (late.status, late.problem) == (409, "version_conflict")
    assert [e["url"] for e in call("admin_endpoints.list").json["endpoints"]] == ["https://app.example.com/new"]
    assert at(call, "change", endpoint_id, body={"state": "paused"}).json["state"] == "paused"


def test_a_test_event_is_for_paused_endpoints_too(call: Call, cloud: Cloud) -> None:
    endpoint_id = create(call).json["endpoint_id"]
    at(call, "change", endpoint_id, body={"state": "paused"})
    sent = at(call, "test", endpoint_id)
    assert sent.status == 202
    waiting = at(call, "deliveries", endpoint_id).json["deliveries"]
    assert [(d["event_id"], d["type"], d["state"]) for d in waiting] == [
        (sent.json["event_id"], "TestEvent", "waiting")
    ]
    messages = cloud.aws.call("sqs", "receive_message", QueueUrl=cloud.host_events_url)["Messages"]
    assert [json.loads(m["Body"]) for m in messages] == [{"lane": f"{endpoint_id}#test"}]


def test_one_event_is_sent_again_under_its_own_id_and_nothing_behind_it(call: Call, cloud: Cloud) -> None:
    endpoint_id = create(call).json["endpoint_id"]
    store = store_of(cloud)
    store.add(endpoint_id, [changed(1), changed(2)], NOW)
    listed = at(call, "deliveries", endpoint_id).json["deliveries"]
    one = next(d for d in listed if d["event_id"] == changed(1).event_id)
    assert at(call, "resend", endpoint_id, body={"delivery_id": one["delivery_id"]}).json == {"lanes": 1}
    again = store.following(f"{endpoint_id}#again#{changed(1).event_id}", "event#", 10)
    assert [d.event_id for d in again] == [changed(1).event_id]
    unknown = f"{NOW:012d}.evt_{'0' * 32}"
    assert at(call, "resend", endpoint_id, body={"delivery_id": unknown}).problem == "not_found"


def test_all_since_a_moment_is_told_again_in_order(call: Call, cloud: Cloud) -> None:
    import time

    now = int(time.time())
    endpoint_id = create(call).json["endpoint_id"]
    store, lane = store_of(cloud), f"{endpoint_id}#usr_1"
    for number in range(1, 5):
        store.add(endpoint_id, [changed(number)], now - 1000 + number * 100)
    claim = store.claim(lane, "t", now, now + 60)
    assert claim is not None
    assert store.release(claim, "event#~")
    answer = at(call, "resend", endpoint_id, body={"since": now - 750})
    assert (answer.status, answer.json) == (202, {"lanes": 1})
    claim = store.claim(lane, "t", int(time.time()), now + 60)
    assert claim is not None
    queued = store.following(lane, claim.following, 10)
    assert [d.event_id for d in queued] == [changed(3).event_id, changed(4).event_id]
    assert at(call, "resend", endpoint_id, body={"since": now - 40 * 86_400}).problem == "invalid_request"
    assert at(call, "resend", endpoint_id, body={}).problem == "invalid_request"


def test_the_list_of_deliveries_is_read_page_by_page(
    call: Call, cloud: Cloud, load: Callable[[str], ModuleType]
) -> None:
    endpoint_id = create(call).json["endpoint_id"]
    store_of(cloud).add(endpoint_id, [changed(n) for n in range(1, 8)], NOW)
    store = store_of(cloud)
    first, cursor = store.newest(endpoint_id, "waiting", 4)
    rest, end = store.newest(endpoint_id, "waiting", 4, cursor)
    assert len({d.event_id for d in (*first, *rest)}) == 7
    assert end is None
    assert at(call, "deliveries", endpoint_id, query={"state": "delivered"}).json == {"deliveries": [], "cursor": None}
    assert at(call, "deliveries", endpoint_id, query={"state": "lost"}).problem == "invalid_request"
