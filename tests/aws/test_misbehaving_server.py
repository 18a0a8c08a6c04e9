"""Our transport and botocore's client before the same server, which misbehaves. Where they differ it is said why."""

import contextlib
import email.utils
import json
import threading
import time
from dataclasses import dataclass
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from billing import deadline
from billing.aws import Aws, AwsError, NoAnswer
from tests.aws import bad_server
from tests.aws.bad_server import Act, BadServer, answer, fine, refuses

SESSION = botocore.session.get_session()
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
KEY = {"TableName": "t", "Key": {"k": {"S": "a"}}}
GET = ("get_item", KEY)
COUNT = ("update_item", {**KEY, "UpdateExpression": "ADD used :one"})
SET = ("update_item", {**KEY, "UpdateExpression": "SET used = :one"})
PUT = ("put_item", {"TableName": "t", "Item": {"k": {"S": "a"}}, "ConditionExpression": "attribute_not_exists(k)"})
TRANSACT = ("transact_write_items", {"TransactItems": [{"Put": {"TableName": "t", "Item": {"k": {"S": "a"}}}}]})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pauses, and nobody waits long for an answer."""
    waited, here = time.sleep, threading.get_ident()
    monkeypatch.setattr(time, "sleep", lambda seconds: None if threading.get_ident() == here else waited(seconds))
    monkeypatch.setattr("billing.aws.connection._ANSWER_SECONDS", 0.3)
    monkeypatch.delenv("AWS_NEW_RETRIES_2026", raising=False)  # the figures below are of the older rules


def ask_ours(url: str, operation: str, request: dict[str, Any]) -> str:
    try:
        found = Aws(environ=ENVIRONMENT | {"AWS_ENDPOINT_URL": url}).call("dynamodb", operation, **request)
    except NoAnswer as error:
        return "perhaps done" if error.code == "PerhapsDone" else "no answer"
    except AwsError as error:
        return error.code
    return "fine" if found else "empty"


def ask_botocore(url: str, operation: str, request: dict[str, Any]) -> str:
    client = SESSION.create_client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(read_timeout=0.3, retries={"mode": "standard", "total_max_attempts": 4}),
    )
    try:
        found = getattr(client, operation)(**request)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    except BotoCoreError:
        return "no answer"
    return "fine" if found.keys() - {"ResponseMetadata"} else "empty"


@dataclass(frozen=True)
class Case:
    """`ours` and `botocores`: outcome and tries. `why` is there for each that differs."""

    says: str
    script: tuple[Act, ...]
    ours: tuple[str, int]
    botocores: tuple[str, int]
    why: str = ""
    asked: tuple[str, dict[str, Any]] = GET
    before_reading: bool = False


HTML = b"<html>Service Unavailable</html>"
EXPIRED = "The security token included in the request is expired"
WRONG_SUM = answer(200, b'{"Item": {"k": {"S": "v"}}}', x_amz_crc32="1")
NOTHING = "no answer is not the same as “there is none”"
WHOLE = "an answer is taken when it is whole, and not as far as it came"
CASES = [
    Case("500", (refuses("InternalServerError", status=500),), ("InternalServerError", 4), ("InternalServerError", 4)),
    Case("500 twice", (refuses("InternalServerError", status=500),) * 2 + (fine(),), ("fine", 3), ("fine", 3)),
    Case("503 of a balancer", (answer(503, HTML, keep=False),), ("503", 4), ("503", 4)),
    Case("503, when to come back", (answer(503, HTML, retry_after="1"), fine()), ("fine", 2), ("fine", 2)),
    Case("throttled", (refuses("ThrottlingException"),), ("ThrottlingException", 4), ("ThrottlingException", 4)),
    Case(
        "throttled, the table's own word",
        (refuses("ProvisionedThroughputExceededException"), fine()),
        ("fine", 2),
        ("fine", 2),
    ),
    Case(
        "a transaction under way",
        (refuses("TransactionInProgressException"), fine(b"{}")),
        ("empty", 2),
        ("empty", 2),
        asked=TRANSACT,
    ),
    Case(
        "a transaction was cancelled",
        (refuses("TransactionCanceledException", CancellationReasons=[{"Code": "TransactionConflict"}]),),
        ("TransactionCanceledException", 1),
        ("TransactionCanceledException", 1),
        asked=TRANSACT,
    ),
    Case("refused", (refuses("ValidationException"),), ("ValidationException", 1), ("ValidationException", 1)),
    Case(
        "token expired",
        (refuses("ExpiredTokenException", EXPIRED),),
        ("ExpiredTokenException", 1),
        ("ExpiredTokenException", 1),
    ),
    Case("redirect", (answer(307, b"", location="http://127.0.0.1/"),), ("307", 1), ("307", 1)),
    Case("429 without a word", (answer(429, b""),), ("429", 1), ("429", 1)),
    Case(
        "reset before the request",
        (bad_server.resets,),
        ("no answer", 4),
        ("no answer", 4),
        before_reading=True,
    ),
    Case("reset after the request", (bad_server.resets, fine()), ("fine", 2), ("fine", 2)),
    Case("closed after the request", (bad_server.closes, fine()), ("fine", 2), ("fine", 2)),
    Case("silent", (bad_server.is_silent, fine()), ("fine", 2), ("fine", 2)),
    Case("in chunks", (bad_server.fine_in_chunks,), ("fine", 1), ("fine", 1)),
    Case(
        "a byte at a time",
        (bad_server.dribbles,),
        ("no answer", 4),
        ("fine", 1),
        "a limit holds for the whole answer: botocore's is one for each byte, so its calls have no end",
    ),
    Case("cut short", (bad_server.cut_short,), ("no answer", 4), ("fine", 1), WHOLE),
    Case("wrong checksum, always", (WRONG_SUM,), ("no answer", 4), ("fine", 4), "botocore gives in at last"),
    Case("wrong checksum, once", (WRONG_SUM, fine()), ("fine", 2), ("fine", 2)),
    Case(
        "200, but no JSON",
        (answer(200, HTML),),
        ("no answer", 4),
        ("empty", 1),
        NOTHING,
    ),
    Case("200, but empty", (answer(200, b""),), ("no answer", 4), ("empty", 1), NOTHING),
    Case(
        "an unconditional count, not answered",
        (bad_server.closes, fine(b"{}")),
        ("no answer", 1),
        ("empty", 2),
        "done twice it counts twice, and nobody would know",
        asked=COUNT,
    ),
    Case(
        "an unconditional count, failed",
        (refuses("InternalServerError", status=500), fine(b"{}")),
        ("InternalServerError", 1),
        ("empty", 2),
        "a 500 does not say that nothing was written",
        asked=COUNT,
    ),
    Case("a count, throttled", (refuses("ThrottlingException"), fine(b"{}")), ("empty", 2), ("empty", 2), asked=COUNT),
    Case("a plain update, not answered", (bad_server.closes, fine(b"{}")), ("empty", 2), ("empty", 2), asked=SET),
    Case("a transaction, not answered", (bad_server.closes, fine(b"{}")), ("empty", 2), ("empty", 2), asked=TRANSACT),
    Case(
        "a condition that fails after a try without an answer",
        (bad_server.closes, refuses("ConditionalCheckFailedException")),
        ("perhaps done", 2),
        ("ConditionalCheckFailedException", 2),
        "it may be our own first try that stands in the way; “somebody else was first” would be a lie",
        asked=PUT,
    ),
    Case(
        "a condition that fails",
        (refuses("ConditionalCheckFailedException"),),
        ("ConditionalCheckFailedException", 1),
        ("ConditionalCheckFailedException", 1),
        asked=PUT,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_ours_ends_as_botocore_does_or_it_is_said_why_not(case: Case) -> None:
    outcomes = []
    for ask in (ask_ours, ask_botocore):
        with BadServer(*case.script, before_reading=case.before_reading) as server:
            outcomes.append((ask(server.url, *case.asked), len(server.requests)))
    assert outcomes == [case.ours, case.botocores]
    assert bool(case.why) == (case.ours != case.botocores)


def test_a_transaction_is_repeated_with_the_same_bytes_and_another_one_has_another_token() -> None:
    tokens = []
    for _ in range(2):
        with BadServer(bad_server.closes, bad_server.resets, fine(b"{}")) as server:
            assert ask_ours(server.url, *TRANSACT) == "empty"
        assert len(set(server.requests)) == 1
        tokens.append(json.loads(server.requests[0])["ClientRequestToken"])
    assert len(set(tokens)) == 2


def test_a_connection_is_kept_and_one_that_the_other_side_has_closed_is_not_asked() -> None:
    with BadServer(fine(), fine(), bad_server.fine_then_closed, fine()) as server:
        aws = Aws(environ=ENVIRONMENT | {"AWS_ENDPOINT_URL": server.url})
        for _ in range(3):
            aws.call("dynamodb", "get_item", **KEY)
        assert server.connections == 1
        # A count is never repeated: that it is carried out shows that nothing was sent on the dead connection.
        aws.call("dynamodb", COUNT[0], **COUNT[1])
        assert (server.connections, len(server.requests)) == (2, 4)


def test_a_connection_that_was_idle_for_long_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    with BadServer(fine()) as server:
        aws = Aws(environ=ENVIRONMENT | {"AWS_ENDPOINT_URL": server.url})
        aws.call("dynamodb", "get_item", **KEY)
        later = time.time() + 60
        monkeypatch.setattr("billing.aws.connection.time.time", lambda: later)
        aws.call("dynamodb", "get_item", **KEY)
        assert server.connections == 2


class Left:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


@pytest.mark.parametrize("act", [bad_server.is_silent, bad_server.dribbles], ids=["silent", "dribbles"])
def test_no_call_outlives_the_invocation_with_all_its_tries(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.aws.connection._ANSWER_SECONDS", 60)
    with BadServer(act) as server:
        deadline.begin(Left(deadline.RESERVE + 0.4))
        assert ask_ours(server.url, *GET) == "no answer"
        assert deadline.left() == 0
        assert len(server.requests) == 1


def test_when_nothing_is_left_nothing_is_begun() -> None:
    with BadServer(fine()) as server:
        deadline.begin(Left(deadline.RESERVE))
        assert ask_ours(server.url, *GET) == "no answer"
        assert server.connections == 0


def test_a_pause_that_would_outlive_the_invocation_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    with BadServer(refuses("ThrottlingException")) as server:
        deadline.begin(Left(deadline.RESERVE + 0.5))
        assert ask_ours(server.url, *GET) == "ThrottlingException"
        assert len(server.requests) == 1


def test_aws_may_say_how_long_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("billing.aws.transport.time.sleep", waited.append)
    with BadServer(answer(503, b"", x_amz_retry_after="1500"), fine()) as server:
        assert ask_ours(server.url, *GET) == "fine"
    assert waited == [1.5]


def skewed(seconds: int, message: str = "Signature expired: 20260101T000000Z is now earlier than …") -> Act:
    date = email.utils.formatdate(time.time() + seconds, usegmt=True)
    return answer(400, {"__type": "x#InvalidSignatureException", "message": message}, date=date)


def test_a_clock_that_is_off_is_set_by_the_answer_once_and_stays_set() -> None:
    with BadServer(skewed(3600), fine()) as server:
        aws = Aws(environ=ENVIRONMENT | {"AWS_ENDPOINT_URL": server.url})
        aws.call("dynamodb", "get_item", **KEY)
        assert len(server.requests) == 2
        assert aws._transport("dynamodb")._ahead == pytest.approx(3600, abs=5)
        aws.call("dynamodb", "get_item", **KEY)
        assert len(server.requests) == 3
    with BadServer(skewed(3600)) as server:
        assert ask_ours(server.url, *GET) == "InvalidSignatureException"
        assert len(server.requests) == 2
        assert ask_botocore(server.url, *GET) == "InvalidSignatureException"
        assert len(server.requests) == 3  # it has no correction at all


def test_a_clock_that_was_off_for_a_moment_is_left_alone() -> None:
    with BadServer(skewed(1), fine()) as server:
        aws = Aws(environ=ENVIRONMENT | {"AWS_ENDPOINT_URL": server.url})
        aws.call("dynamodb", "get_item", **KEY)
        assert aws._transport("dynamodb")._ahead == 0


def test_a_signature_that_is_wrong_for_another_reason_is_not_tried_again() -> None:
    with BadServer(skewed(0, "The request signature we calculated does not match")) as server:
        assert ask_ours(server.url, *GET) == "InvalidSignatureException"
        assert len(server.requests) == 1


def test_a_server_that_is_not_there_is_named_in_the_error_and_tried_again() -> None:
    with BadServer(fine()) as server:
        pass
    with contextlib.suppress(AwsError):
        Aws("dynamodb", environ=ENVIRONMENT | {"AWS_ENDPOINT_URL": server.url})  # only the call says that it fails
    assert ask_ours(server.url, *GET) == "no answer"


def test_what_is_in_a_refusal_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": {"k": {"S": "a"}}}]
    with BadServer(refuses("TransactionCanceledException", "cancelled", CancellationReasons=reasons)) as server:
        aws = Aws(environ=ENVIRONMENT | {"AWS_ENDPOINT_URL": server.url})
        with pytest.raises(AwsError) as refused:
            aws.call("dynamodb", TRANSACT[0], **TRANSACT[1])
    assert (refused.value.operation, refused.value.code) == ("TransactWriteItems", "TransactionCanceledException")
    assert (refused.value.message, refused.value.reasons) == ("cancelled", reasons)
