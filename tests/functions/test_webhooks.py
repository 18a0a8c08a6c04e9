"""The webhooks' door: what is genuine is queued and answered 200; what is not leaves no trace."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from billing.aws import Aws, AwsError
from billing.aws.errors import NoAnswer
from billing.intake.webhook import MAX_WEBHOOK_BYTES
from local.deliveries import delivery
from tests.functions.conftest import SECRET, Answer, Cloud, logged

EVENTS = Path(__file__).parents[2] / "events"
BODY = (EVENTS / "mock" / "subscription.created.json").read_bytes()
SECRETS = {
    "mock": SECRET,
    "stripe": "secret-of-StripeWebhookSecret",
    "btcpay": "secret-of-BtcpayWebhookSecret",
    "bitpay": "secret-of-BitpayApiKey",
}

# A small body of each provider, of the bare form.
BODIES = {
    "stripe": '{"object": "event", "id": "evt_1", "type": "x", "created": 1, "data": {"object": {}}}',
    "btcpay": '{"deliveryId": "d1", "type": "InvoiceSettled", "timestamp": 1, "invoiceId": "i1"}',
    "bitpay": '{"id": "i1", "status": "complete", "currentTime": 1000}',
}

Send = Callable[..., Answer]


@pytest.fixture
def send(load: Callable[[str], ModuleType]) -> Send:
    """Delivers a body to a provider's webhook function, signed now unless a test says otherwise."""
    modules: dict[str, ModuleType] = {}

    def send(
        body: bytes = BODY, provider: str = "mock", secret: str = "", age: int = 0, event: dict[str, Any] | None = None
    ) -> Answer:
        if provider not in modules:
            modules[provider] = load(f"webhook_{provider}")
        event = event or delivery(provider, body, secret or SECRETS[provider], int(time.time()) - age)
        return Answer(modules[provider].handler(event, None))

    return send


def without_header(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "headers": {"content-type": "application/json"}}


def test_a_genuine_delivery_is_queued_with_no_more_than_is_needed(send: Send, cloud: Cloud) -> None:
    answer = send()
    assert (answer.status, answer.text) == (200, "")
    (message,) = cloud.messages()
    assert message["event_id"] == json.loads(BODY)["id"]
    assert message["secret_label"] == "2"
    assert set(message["payload"]) <= set(json.loads(BODY)["data"])
    assert "plan_name" not in message["payload"]


@pytest.mark.parametrize("encoded", [True, False])
def test_a_body_as_text_and_as_base64_is_the_same_delivery(send: Send, cloud: Cloud, encoded: bool) -> None:
    event = delivery("mock", BODY, SECRET, int(time.time()))
    if not encoded:
        event |= {"body": BODY.decode(), "isBase64Encoded": False}
    assert send(event=event).status == 200
    assert len(cloud.messages()) == 1


@pytest.mark.parametrize("file", sorted(EVENTS.glob("mock/*.json")), ids=lambda file: file.stem)
def test_every_recorded_delivery_of_the_mock_provider_is_accepted(send: Send, cloud: Cloud, file: Path) -> None:
    assert send(file.read_bytes()).status == 200
    assert len(cloud.messages()) == 1


@pytest.mark.parametrize("provider", ["stripe", "btcpay", "bitpay"])
def test_a_recorded_delivery_of_each_provider_is_accepted(send: Send, cloud: Cloud, provider: str) -> None:
    files = sorted(EVENTS.glob(f"{provider}/*.json"))
    assert {send(file.read_bytes(), provider).status for file in files} == {200}
    assert len(cloud.messages()) == len(files)


def test_an_unknown_type_is_accepted(send: Send, cloud: Cloud) -> None:
    assert send((EVENTS / "mock" / "something.unknown.json").read_bytes()).status == 200
    (message,) = cloud.messages()
    assert message["payload"] == {"object": "something"}


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(BODY), **fields}).encode()


def without(field: str) -> bytes:
    return json.dumps({key: value for key, value in json.loads(BODY).items() if key != field}).encode()


MALFORMED = {
    "truncated": BODY[: len(BODY) // 2],
    "empty": b"",
    "not UTF-8": b"\xff\xfe" + BODY,
    "a number": b"42",
    "a list": b"[]",
    "null": b"null",
    "nested too deep": b"[" * 100_000,
    "without an id": without("id"),
    "without its object": without("data"),
    "an id that is a number": changed(id=5),
    "an id that is empty": changed(id=""),
    "an id that is too long": changed(id="e" * 200),
    "an id with half of a character": changed(id="evt_\ud800"),
    "a time after all times": changed(created=10**60),
    "a type that is a list": changed(type=["subscription.created"]),
    "a time that is a text": changed(created="1790000000"),
    "a time that is true": changed(created=True),
    "a time before all times": changed(created=-1),
    "an object that is a text": changed(data="subscription"),
    "an object without what a fact needs": changed(data={"object": "subscription", "id": "sub_1"}),
    "a status that is a number": changed(data={**json.loads(BODY)["data"], "status": 5}),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_delivery_is_refused_and_leaves_no_trace(send: Send, cloud: Cloud, body: bytes) -> None:
    answer = send(body)
    assert (answer.status, answer.problem) == (400, "bad_webhook")
    assert cloud.messages() == []


@pytest.mark.parametrize("provider", ["stripe", "btcpay", "bitpay"])
@pytest.mark.parametrize("made", ['"\\ud800"', "9" * 60], ids=["half of a character", "a time after all times"])
def test_what_no_table_can_hold_is_refused_whoever_signed_it(
    send: Send, cloud: Cloud, provider: str, made: str
) -> None:
    fields = {"stripe": ("id", "created"), "btcpay": ("deliveryId", "timestamp"), "bitpay": ("id", "currentTime")}
    document = json.loads(BODIES[provider])
    name = fields[provider][made.isdigit()]
    body = json.dumps({**document, name: "made"}).replace('"made"', made).encode()
    assert (send(body, provider).status, cloud.messages()) == (400, [])


@pytest.mark.parametrize("provider", SECRETS)
def test_a_forged_delivery_is_refused_and_leaves_no_trace(send: Send, cloud: Cloud, provider: str) -> None:
    body = next(EVENTS.glob(f"{provider}/*.json")).read_bytes()
    genuine = delivery(provider, body, SECRETS[provider], int(time.time()))
    tampered = {**genuine, "body": base64.b64encode(body.replace(b"1", b"2", 1)).decode()}
    for event in (delivery(provider, body, "guessed", int(time.time())), tampered, without_header(genuine)):
        answer = send(provider=provider, event=event)
        assert (answer.status, answer.problem) == (400, "bad_webhook")
    assert cloud.messages() == []


@pytest.mark.parametrize("provider", ["mock", "stripe"])
@pytest.mark.parametrize("age", [310, 86_400, -310])
def test_a_stale_or_future_delivery_is_refused(send: Send, cloud: Cloud, provider: str, age: int) -> None:
    body = next(EVENTS.glob(f"{provider}/*.json")).read_bytes()
    assert send(body, provider, age=age).problem == "bad_webhook"
    assert cloud.messages() == []


@pytest.mark.parametrize("encoded", [True, False])
def test_an_oversize_delivery_is_refused_before_anything_is_computed(send: Send, cloud: Cloud, encoded: bool) -> None:
    event = delivery("mock", b" " * (MAX_WEBHOOK_BYTES + 1), SECRET, int(time.time()))
    if not encoded:
        event |= {"body": " " * (MAX_WEBHOOK_BYTES + 1), "isBase64Encoded": False}
    answer = send(event=event)
    assert (answer.status, answer.problem) == (413, "request_too_large")
    assert cloud.messages() == []


def test_a_body_that_is_not_the_base64_it_claims_to_be_is_refused(send: Send, cloud: Cloud) -> None:
    event = {**delivery("mock", BODY, SECRET, int(time.time())), "body": "%%%"}
    assert send(event=event).status == 400
    assert cloud.messages() == []


def test_a_refusal_tells_neither_the_caller_nor_the_log_what_was_sent(
    send: Send, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = send(changed(type="a-telling-type"), secret="guessed")
    (line,) = logged(capsys)
    assert (line["message"], line["code"]) == ("refused", "bad_webhook")
    for text in ("a-telling-type", "usr_0123456789abcdef", "v1="):
        assert text not in answer.text
        assert text not in str(line)


def test_an_accepted_delivery_is_logged_with_ids_alone(send: Send, capsys: pytest.CaptureFixture[str]) -> None:
    send()
    (line,) = logged(capsys)
    assert line["event_id"] == f"mock#{json.loads(BODY)['id']}"
    assert "usr_0123456789abcdef" not in str(line)


def test_when_the_queue_refuses_the_invocation_fails_so_that_the_provider_delivers_again(
    send: Send, cloud: Cloud
) -> None:
    cloud.aws.call("sqs", "delete_queue", QueueUrl=cloud.queue_url)
    with pytest.raises(AwsError):
        send()


def test_an_empty_secret_fails_the_invocation_instead_of_skipping_verification(send: Send, cloud: Cloud) -> None:
    cloud.environment("WebhookMockFunction")
    cloud.aws.call("secretsmanager", "put_secret_value", SecretId="BillingWebhookSecret", SecretString=" , ")
    with pytest.raises(Exception, match="secret behind BILLING_WEBHOOK_SECRET is empty"):
        send(secret="anything")
    assert cloud.messages() == []


def test_secrets_that_cannot_be_fetched_fail_a_new_process_and_no_warm_one(
    send: Send, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider delivers again to the one; the other goes on with what it knows, though it asked anew."""

    fetch, away, asked = Aws.fetch_secret, [True], []

    def perhaps(self: Aws, secret_id: str) -> str:
        asked.append(secret_id)
        if away[0]:
            raise NoAnswer("GetSecretValue", "Timeout")
        return fetch(self, secret_id)

    monkeypatch.setattr(Aws, "fetch_secret", perhaps)
    monkeypatch.setattr("billing.settings.SECRET_CACHE_SECONDS", 0)
    with pytest.raises(NoAnswer):
        send()
    assert cloud.messages() == []
    away[0] = False
    assert send().status == 200
    away[0] = True
    assert send().status == 200
    assert len(asked) == 3, "it asked, was not answered, and went on"


@pytest.mark.parametrize(("provider", "secret"), [("btcpay", "BtcpayWebhookSecret"), ("bitpay", "BitpayApiKey")])
def test_a_provider_that_is_not_on_offer_and_has_no_secret_is_not_found(
    send: Send, cloud: Cloud, provider: str, secret: str
) -> None:
    cloud.environment(f"Webhook{provider.capitalize()}Function")
    cloud.aws.call("secretsmanager", "put_secret_value", SecretId=secret, SecretString=" ")
    answer = send(BODIES[provider].encode(), provider)
    assert (answer.status, answer.problem) == (404, "not_found")
    assert cloud.messages() == []


def test_a_provider_that_is_no_longer_on_offer_still_tells_of_what_it_sold(send: Send, cloud: Cloud) -> None:
    assert send(BODIES["btcpay"].encode(), "btcpay").status == 200
    assert len(cloud.messages()) == 1


# --- odd values in genuine deliveries ---------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://[::1", "http://[", "//[x]:99999999", "\\u0000", 7, None, {"a": 1}])
def test_an_address_that_is_none_does_not_break_the_door(send: Send, cloud: Cloud, url: Any) -> None:
    body = json.dumps({"id": "i1", "status": "complete", "currentTime": 1000, "url": url}).encode()
    assert send(body, "bitpay").status == 200
    assert cloud.messages()[0]["livemode"] is None


@pytest.mark.parametrize(
    ("name", "value"), [("amount_cents", 10**60), ("amount_cents", -(10**13)), ("created", 10**60)]
)
def test_an_amount_that_no_sum_can_hold_is_refused_at_the_door(send: Send, cloud: Cloud, name: str, value: int) -> None:
    event = json.loads((EVENTS / "mock" / "purchase.updated.json").read_bytes())
    event["data"][name] = value
    assert send(json.dumps(event).encode()).status == 400
    assert cloud.messages() == []


@pytest.mark.parametrize("amount", [10**60, 10**15])
def test_an_amount_beyond_belief_never_reaches_the_books(send: Send, cloud: Cloud, amount: int) -> None:
    """Stripe's door drops what it cannot need and lets the rest in: behind it the bound holds for every provider."""
    intent = {"object": "payment_intent", "id": "pi_1", "status": "succeeded", "amount": amount}
    event = {"object": "event", "id": "evt_1", "type": "payment_intent.succeeded", "created": 1}
    body = json.dumps({**event, "data": {"object": {**intent, "amount_received": amount}}}).encode()
    assert send(body, "stripe").status == 200
    (message,) = cloud.messages()
    assert message["payload"]["object"].get("amount", 0) <= 2**53


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00", "x", 10**60, True, None])
def test_a_time_that_is_none_does_not_break_bitpays_door(send: Send, stamp: Any) -> None:
    body = json.dumps({"event": {"name": "invoice_completed", "timestamp": stamp}, "data": {"id": "i", "status": "x"}})
    assert send(body.encode(), "bitpay").status in (200, 400)
