"""What leaves our transport is what botocore would send: the same headers and members, each byte signed as it signs."""

import datetime
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
import pytest
from botocore.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.aws import transport
from billing.aws.connection import Answer
from billing.aws.transport import SERVICES, Transport
from examples import examples

SESSION = botocore.session.get_session()
# What botocore adds after signing, and what it adds to SQS for the sake of an older protocol.
UNSIGNED = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "content-length", "authorization"}
OLD_SQS = {"x-amzn-query-mode"}

text = st.text(st.characters(codec="utf-8"), max_size=40)
key_text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
number = st.one_of(st.integers(-(10**30), 10**30), st.decimals(allow_nan=False, allow_infinity=False, places=6)).map(
    str
)
value: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.one_of(
        st.builds(lambda found: {"S": found}, text),
        st.builds(lambda found: {"N": found}, number),
        st.builds(lambda found: {"BOOL": found}, st.booleans()),
        st.just({"NULL": True}),
        st.builds(lambda length: {"S": "é" * length}, st.integers(0, 20_000)),
    ),
    lambda inner: st.one_of(
        st.builds(lambda found: {"L": found}, st.lists(inner, max_size=4)),
        st.builds(lambda found: {"M": found}, st.dictionaries(key_text, inner, max_size=4)),
    ),
    max_leaves=6,
)
item = st.dictionaries(key_text, value, max_size=5)
of_table = {"TableName": st.from_regex(r"[a-zA-Z0-9_.-]{3,30}", fullmatch=True)}
conditions = {"ConditionExpression": text, "ExpressionAttributeValues": item}
put = st.fixed_dictionaries({**of_table, "Item": item}, optional=conditions)


def operation(service: str, name: str, members: Any, **optional: Any) -> st.SearchStrategy[tuple[str, str, Any]]:
    return st.tuples(st.just(service), st.just(name), st.fixed_dictionaries(members, optional=optional))


keyed = {**of_table, "Key": item}
queue = {"QueueUrl": st.just("http://127.0.0.1:4566/000000000000/queue")}
operations = st.one_of(
    operation("dynamodb", "GetItem", keyed, ConsistentRead=st.booleans()),
    operation("dynamodb", "Query", of_table, KeyConditionExpression=text, Limit=st.integers(1, 500)),
    operation("dynamodb", "Scan", of_table, Segment=st.integers(0, 9), ExclusiveStartKey=item),
    operation(
        "dynamodb",
        "BatchGetItem",
        {
            "RequestItems": st.fixed_dictionaries(
                {"Table": st.fixed_dictionaries({"Keys": st.lists(item, min_size=1, max_size=3)})}
            )
        },
    ),
    operation("dynamodb", "PutItem", {**of_table, "Item": item}, **conditions),
    operation("dynamodb", "UpdateItem", keyed, UpdateExpression=text, ReturnValues=st.just("ALL_NEW"), **conditions),
    operation("dynamodb", "DeleteItem", keyed, **conditions),
    operation(
        "dynamodb", "TransactWriteItems", {"TransactItems": st.lists(st.fixed_dictionaries({"Put": put}), max_size=4)}
    ),
    operation("sqs", "SendMessage", {**queue, "MessageBody": text}, DelaySeconds=st.integers(0, 900)),
    operation("sqs", "ReceiveMessage", queue, MaxNumberOfMessages=st.integers(1, 10)),
    operation("sqs", "DeleteMessage", {**queue, "ReceiptHandle": text}),
    operation(
        "sqs", "ChangeMessageVisibility", {**queue, "ReceiptHandle": text, "VisibilityTimeout": st.integers(0, 43_200)}
    ),
    operation("sqs", "GetQueueAttributes", queue, AttributeNames=st.just(["All"])),
    operation(
        "events",
        "PutEvents",
        {"Entries": st.lists(st.fixed_dictionaries({"Source": text, "Detail": text}), max_size=3)},
    ),
    operation("secretsmanager", "GetSecretValue", {"SecretId": text}),
    operation("secretsmanager", "PutSecretValue", {"SecretId": text, "SecretString": text}),
)
environments = st.fixed_dictionaries(
    {
        "AWS_ACCESS_KEY_ID": st.sampled_from(["AKIDEXAMPLE", "ASIA0123456789"]),
        "AWS_SECRET_ACCESS_KEY": st.text("abcXYZ0189/+=", min_size=1, max_size=40),
        "AWS_DEFAULT_REGION": st.sampled_from(
            ["us-east-1", "eu-central-1", "ap-southeast-2", "me-south-1", "mx-central-1"]
        ),
    },
    optional={
        "AWS_SESSION_TOKEN": st.text("abcXYZ0189/+=", min_size=1, max_size=900),
        "AWS_ENDPOINT_URL": st.sampled_from(
            [
                "http://127.0.0.1:4566",
                "http://localhost:80",
                "https://localhost:443",
                "https://localhost:8443",
                "http://[::1]:4566",
            ]
        ),
    },
)
moments = st.integers(1_000_000_000, 4_000_000_000)


class Recorder:
    """In the place of a connection: keeps the request, answers with nothing."""

    def __init__(self, *_: object) -> None:
        self.request = b""

    def ask(self, request: bytes, ends_at: float) -> tuple[Answer, bool]:
        self.request = request
        return Answer(200, {}, b"{}"), True


def ours(environ: Mapping[str, str], service: str, name: str, request: Any, now: float) -> tuple[dict[str, str], bytes]:
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "Connection", lambda *_: recorder)
        patch.setattr(transport.time, "time", lambda: now)
        Transport(service, environ).call(name, request)
    head, _, body = recorder.request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST / HTTP/1.1"
    return dict(line.split(": ", 1) for line in lines), body


def botocores(environ: Mapping[str, str], service: str, name: str, request: Any) -> tuple[str, dict[str, str], bytes]:
    """What botocore's own client would send: address, headers, body."""
    sent: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("AWS_ENDPOINT_URL", "AWS_ACCOUNT_ID"):
            patch.delenv(variable, raising=False)
        client = clients(
            service,
            environ["AWS_DEFAULT_REGION"],
            environ.get("AWS_ENDPOINT_URL"),
            environ["AWS_ACCESS_KEY_ID"],
            environ["AWS_SECRET_ACCESS_KEY"],
            environ.get("AWS_SESSION_TOKEN"),
        )

    def keep(request: Any, **_: Any) -> Any:
        sent.append(request)
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, SimpleNamespace(stream=lambda: [b"{}"]))

    client.meta.events.register_last("before-send", keep, "keep")
    try:
        client._make_api_call(name, request)
    finally:
        client.meta.events.unregister("before-send", keep, "keep")
    headers = {key.lower(): v.decode() if isinstance(v, bytes) else v for key, v in sent[0].headers.items()}
    return sent[0].url, headers, sent[0].body


_clients: dict[tuple[str, str, str | None], Any] = {}


def clients(service: str, region: str, url: str | None, key: str, secret: str, token: str | None) -> Any:
    """A client is dear to make, and its credentials are all that differs between many."""
    place = (service, region, url)
    if place not in _clients:
        _clients[place] = SESSION.create_client(
            service,
            region_name=region,
            endpoint_url=url,
            config=Config(parameter_validation=False),
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
    client = _clients[place]
    client._request_signer._credentials = botocore.credentials.Credentials(key, secret, token)
    return client


@settings(max_examples=examples(300, 1000))
@given(environments, operations, moments)
def test_a_request_is_what_botocore_makes_of_it(environ: dict[str, str], what: tuple[str, str, Any], now: int) -> None:
    service, name, request = what
    headers, body = ours(environ, service, name, request, now)
    url, theirs, their_body = botocores(environ, service, name, request)

    assert json.loads(body) == json.loads(their_body) | {
        token: json.loads(body)[token] for token in ("ClientRequestToken",) if token in json.loads(their_body)
    }
    assert headers.keys() - UNSIGNED == theirs.keys() - UNSIGNED - OLD_SQS
    assert all(headers[h] == theirs[h] for h in ("content-type", "x-amz-target"))

    # Our very bytes, signed by botocore at the same moment.
    signed = botocore.awsrequest.AWSRequest(
        "POST", url, {h: v for h, v in headers.items() if h in ("content-type", "x-amz-target")}, body
    )
    credentials = botocore.credentials.Credentials(
        environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], environ.get("AWS_SESSION_TOKEN")
    )
    with pytest.MonkeyPatch.context() as patch:
        at = datetime.datetime.fromtimestamp(now, datetime.UTC)
        patch.setattr(botocore.auth, "get_current_datetime", lambda: at)
        botocore.auth.SigV4Auth(credentials, service, environ["AWS_DEFAULT_REGION"]).add_auth(signed)
    assert headers["authorization"] == signed.headers["Authorization"]
    assert headers["x-amz-date"] == signed.headers["X-Amz-Date"]
    assert headers.get("x-amz-security-token") == signed.headers.get("X-Amz-Security-Token")
    assert headers["content-length"] == str(len(body))


def test_every_service_that_a_function_may_call_is_compared() -> None:
    assert set(SERVICES) == {"dynamodb", "sqs", "events", "secretsmanager", "kms"}
