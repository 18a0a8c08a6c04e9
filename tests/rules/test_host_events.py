"""The tries of a webhook to a host, and its signature, judged by the specification's own library."""

import base64
import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from billing.rules.host_events import TRIES, WAITS, hold_after, wait_after
from billing.rules.host_signatures import headers_of, is_genuine, secret_of

KEY, ENDPOINT = "the-stacks-own-key", "ep_1"
NEW, OLD = secret_of(KEY, ENDPOINT, "b"), secret_of(KEY, ENDPOINT, "a")
BODY = '{"type":"EntitlementsChanged","data":{"user_id":"usr_ü"}}'.encode()


@pytest.fixture
def now() -> int:
    return int(time.time())


def test_the_specifications_library_verifies_what_we_sign(now: int) -> None:
    headers = headers_of([NEW], "evt_1", BODY, now)
    assert Webhook(NEW).verify(BODY, headers)["type"] == "EntitlementsChanged"
    theirs = Webhook(NEW).sign("evt_1", datetime.fromtimestamp(now, UTC), BODY.decode())
    assert headers["webhook-signature"] == theirs


def test_while_a_secret_is_replaced_both_verify_and_a_third_does_not(now: int) -> None:
    headers = headers_of([NEW, OLD], "evt_1", BODY, now)
    for secret in (NEW, OLD):
        Webhook(secret).verify(BODY, headers)
        assert is_genuine([secret], headers, BODY, now)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(KEY, "ep_2", "b")).verify(BODY, headers)
    assert headers["webhook-signature"].count("v1,") == 2


def test_a_secret_has_the_form_of_the_specification_and_is_nobody_elses() -> None:
    assert len(base64.b64decode(NEW.removeprefix("whsec_"), validate=True)) == 32
    assert len({NEW, OLD, secret_of(KEY, "ep_2", "b"), secret_of("another", ENDPOINT, "b")}) == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda headers: {**headers, "webhook-id": "evt_2"},
        lambda headers: {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)},
        lambda headers: {**headers, "webhook-timestamp": ""},
        lambda headers: {**headers, "webhook-timestamp": "1.5"},
        lambda headers: {**headers, "webhook-signature": ""},
        lambda headers: {**headers, "webhook-signature": "v1"},
        lambda headers: {**headers, "webhook-signature": "v1,!"},
        lambda headers: {**headers, "webhook-signature": headers["webhook-signature"].replace("v1,", "v2,")},
        lambda headers: {},
    ],
)
def test_what_was_changed_is_not_genuine_and_never_an_error(
    change: Callable[[dict[str, str]], dict[str, str]], now: int
) -> None:
    assert not is_genuine([NEW], change(headers_of([NEW], "evt_1", BODY, now)), BODY, now)


@pytest.mark.parametrize(("late", "genuine"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_a_try_is_believed_for_five_minutes_both_ways(late: int, genuine: bool, now: int) -> None:
    assert is_genuine([NEW], headers_of([NEW], "evt_1", BODY, now), BODY, now + late) is genuine


def test_tries_go_on_for_three_days_and_then_end() -> None:
    waits = [wait_after(n, 0, 0.0) for n in range(1, TRIES)]
    assert waits == list(WAITS)
    assert waits[0] == 5
    assert 72 * 3600 <= sum(WAITS) <= 80 * 3600
    assert wait_after(TRIES, 0, 0.0) is None


def test_a_receiver_may_ask_for_more_time_but_not_for_ever() -> None:
    assert wait_after(1, 120, 0.0) == 120
    assert wait_after(9, 1, 0.5) == round(86_400 * 1.05)
    assert wait_after(1, 10**6, 0.0) == 86_400


def test_an_endpoint_that_fails_in_a_row_is_left_alone_longer_each_time() -> None:
    holds = [hold_after(n) for n in range(1, 40)]
    assert holds[:4] == [0, 0, 0, 0]
    assert holds == sorted(holds)
    assert (holds[4], holds[-1]) == (30, 900)


def test_the_specifications_library_for_node_verifies_it_too(now: int) -> None:
    headers = headers_of([NEW, OLD], "evt_1", BODY, now)
    deliveries = [
        {"secret": secret, "headers": headers, "body": BODY.decode()}
        for secret in (NEW, OLD, secret_of(KEY, "ep_2", "b"))
    ]
    script = Path(__file__).parents[1] / "hosts" / "verify_elsewhere.mjs"
    judged = subprocess.run(
        ["node", script], input=json.dumps(deliveries), capture_output=True, text=True, check=True, timeout=60
    )
    first, second, strange = json.loads(judged.stdout)
    assert (first, second) == ("EntitlementsChanged", "EntitlementsChanged")
    assert strange != "EntitlementsChanged"
