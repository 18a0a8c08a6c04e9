"""Calls to one of AWS's JSON services, retried where that is safe, within the invocation's deadline.

tests/aws/test_misbehaving_server.py shows how it differs from botocore, and why.
"""

import contextlib
import itertools
import json
import os
import re
import time
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from billing import deadline
from billing.aws.connection import Answer, Connection, NotSent
from billing.aws.endpoint import endpoint
from billing.aws.errors import AwsError, NoAnswer
from billing.aws.signing import Credentials, Signer
from billing.errors import NotConfigured

_text = json.JSONEncoder(separators=(",", ":")).encode
# For all attempts of a call together; the invocation's deadline may be sooner.
CALL_SECONDS = 15.0
# For a connection that is opened in advance.
_EARLY_SECONDS = 1.0
_LONGEST_PAUSE, _THROTTLED_PAUSE = 20.0, 1.0
# Clock difference in seconds that AWS accepts in a signature, less a margin.
_TOLERATED = 240


class Service(NamedTuple):
    """A service's target prefix, JSON protocol version, number of attempts, and base of the pauses in seconds."""

    prefix: str
    version: str
    tries: int = 3
    pause: float = 0.05


SERVICES = {
    "dynamodb": Service("DynamoDB_20120810", "1.0", 4, 0.025),
    "sqs": Service("AmazonSQS", "1.0"),
    "events": Service("AWSEvents", "1.1"),
    "secretsmanager": Service("secretsmanager", "1.1"),
    "kms": Service("TrentService", "1.1"),
}

# Not executed; retry after a pause.
_THROTTLED = frozenset(
    "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException "
    "TooManyRequestsException ProvisionedThroughputExceededException TransactionInProgressException "
    "RequestLimitExceeded BandwidthLimitExceeded LimitExceededException SlowDown".split()
)
# Possibly executed; retry soon.
_TRANSIENT = frozenset(("RequestTimeout", "RequestTimeoutException", "ReplicatedWriteConflictException"))
_TRANSIENT_STATUS = frozenset((500, 502, 503, 504))
_SKEWED = frozenset(("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"))
_MISSIGNED = frozenset(("InvalidSignatureException", "SignatureDoesNotMatch"))

# Idempotent: they read, carry a token, or have the same result when repeated. Any other operation is retried only if it
# cannot have been executed.
_REPEATABLE = frozenset(
    "GetItem Query Scan BatchGetItem TransactGetItems GetSecretValue ReceiveMessage GetQueueAttributes GetQueueUrl "
    "PutItem DeleteItem TransactWriteItems PutSecretValue SendMessage DeleteMessage ChangeMessageVisibility "
    "PutEvents GenerateDataKey Decrypt".split()
)
_WITH_TOKEN = frozenset(("TransactWriteItems", "PutSecretValue", "CreateSecret", "UpdateSecret"))
# An update that counts is not idempotent.
_COUNTING = re.compile(r"\bADD\b|[+-]|list_append", re.IGNORECASE)


def is_repeatable(operation: str, request: Mapping[str, Any]) -> bool:
    """Whether a call can be retried although it may have been executed."""
    if operation == "UpdateItem":
        return not _COUNTING.search(request.get("UpdateExpression", ""))
    return operation in _REPEATABLE


class Failure(NamedTuple):
    """A failed attempt. `again`: a retry may help, after a random pause of up to `pause` seconds (doubled each time)
    and at least `wait`; `perhaps_done`: it may have been executed; `ahead`: AWS refused our time, by so many seconds.
    """

    error: AwsError
    again: bool = False
    perhaps_done: bool = False
    pause: float = 0.0
    wait: float = 0.0
    ahead: float | None = None


class Transport:
    """Calls one service with the credentials, region and endpoint of `environ`."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self._name, self._service, self._environ = name, SERVICES[name], environ
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        if not region or not environ.get("AWS_ACCESS_KEY_ID") or not environ.get("AWS_SECRET_ACCESS_KEY"):
            # Lambda sets all three, except with SnapStart.
            raise NotConfigured("AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY say where and as whom to call")
        self._endpoint = endpoint(name, region, environ)
        credentials = Credentials(
            environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], environ.get("AWS_SESSION_TOKEN", "")
        )
        self._signer = Signer(credentials, region, name)
        # Idle connections. A call removes the one it uses, so threads need no lock.
        self._connections: list[Connection] = []
        # Seconds that AWS's clock is ahead of ours; set when AWS has refused our time.
        self._ahead = 0.0

    def connect(self) -> None:
        """Open a connection in advance. Errors are ignored, because the first call tries again and reports them."""
        with contextlib.suppress(OSError):
            self._connections.append(self._connect(time.monotonic() + _EARLY_SECONDS))

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer. Raises `AwsError` if AWS refuses, and `NoAnswer` if the outcome is unknown."""
        ends_at = time.monotonic() + deadline.left(CALL_SECONDS)
        if operation in _WITH_TOKEN and "ClientRequestToken" not in request:
            request = {**request, "ClientRequestToken": os.urandom(16).hex()}
        body = _text(request).encode()
        perhaps_done, clock_was_set = False, False
        for attempt in itertools.count(1):
            result = self._try(operation, body, ends_at)
            if isinstance(result, dict):
                return result
            if perhaps_done and result.error.code == "ConditionalCheckFailedException":
                # Another write, or our own unanswered attempt: the caller has to look at the item to know.
                raise NoAnswer(operation, "PerhapsDone", "a condition failed after a try that was not answered")
            perhaps_done = perhaps_done or result.perhaps_done
            if result.ahead is not None and not clock_was_set:
                clock_was_set = True
                if abs(result.ahead) > _TOLERATED:  # else our clock was wrong only briefly, after a freeze
                    self._ahead = result.ahead
                continue
            import random  # rarely needed

            pause = max(result.wait, random.random() * min(result.pause * 2 ** (attempt - 1), _LONGEST_PAUSE))  # noqa: S311
            last = attempt >= self._service.tries or time.monotonic() + pause >= ends_at
            if last or not result.again or (perhaps_done and not is_repeatable(operation, request)):
                raise result.error
            time.sleep(pause)
        raise AssertionError

    def _try(self, operation: str, body: bytes, ends_at: float) -> dict[str, Any] | Failure:
        try:
            answer = self._exchange(operation, body, ends_at)
            return self._result_of(operation, answer)
        except NotSent as error:
            return Failure(NoAnswer(operation, "NotSent", str(error)), again=True, pause=self._service.pause)
        except TimeoutError as error:
            failure = NoAnswer(operation, "Timeout", str(error))
        except OSError as error:
            failure = NoAnswer(operation, "Disconnected", str(error))
        except ValueError as error:
            failure = NoAnswer(operation, "BadAnswer", str(error))
        return Failure(failure, again=True, perhaps_done=True, pause=self._service.pause)

    def _exchange(self, operation: str, body: bytes, ends_at: float) -> Answer:
        headers = {
            "content-type": f"application/x-amz-json-{self._service.version}",
            "host": self._endpoint.shown,
            "x-amz-target": f"{self._service.prefix}.{operation}",
        }
        signed = self._signer.signed(headers, body, time.time() + self._ahead)
        signed["content-length"] = str(len(body))
        if trace := self._environ.get("_X_AMZN_TRACE_ID"):
            signed["x-amzn-trace-id"] = trace
        head = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        connection = self._idle_or_new(ends_at)
        try:
            answer, reusable = connection.ask(f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body, ends_at)
        except BaseException:
            connection.close()
            raise
        if reusable and answer.status < 500:
            self._connections.append(connection)
        else:
            connection.close()
        return answer

    def _idle_or_new(self, ends_at: float) -> Connection:
        while self._connections:
            connection = self._connections.pop()
            if connection.is_usable():
                return connection
            connection.close()
        return self._connect(ends_at)

    def _connect(self, ends_at: float) -> Connection:
        return Connection(self._endpoint.host, self._endpoint.port, self._endpoint.tls, ends_at)

    def _result_of(self, operation: str, answer: Answer) -> dict[str, Any] | Failure:
        """The decoded answer or the failure. Raises `ValueError` for a damaged answer."""
        if (checksum := answer.headers.get("x-amz-crc32")) is not None and int(checksum) != zlib.crc32(answer.body):
            raise ValueError("the answer is not what its checksum says")
        if answer.status == 200:
            # Only SQS has operations with an empty answer.
            parsed = json.loads(answer.body) if answer.body or self._name != "sqs" else {}
            if not isinstance(parsed, dict):
                raise ValueError("the answer is no JSON object")
            return parsed
        error = refused(operation, answer)
        wait = answer.headers.get("x-amz-retry-after", "")
        failure = Failure(error, wait=int(wait) / 1000 if wait.isdigit() else 0.0)
        if error.code in _THROTTLED:
            return failure._replace(again=True, pause=_THROTTLED_PAUSE)
        if answer.status in _TRANSIENT_STATUS or error.code in _TRANSIENT:
            return failure._replace(again=True, perhaps_done=True, pause=self._service.pause)
        return failure._replace(ahead=self._clock(error, answer))

    def _clock(self, error: AwsError, answer: Answer) -> float | None:
        """How far AWS's clock is ahead, if it refused a request's time. Only a trusted endpoint may set our clock."""
        of_time = error.code in _SKEWED
        if not (of_time or error.code in _MISSIGNED) or "date" not in answer.headers or not self._endpoint.trusted:
            return None
        from email.utils import parsedate_to_datetime  # rarely needed

        ahead = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
        words = error.message.lower()
        of_time = of_time or "signature expired" in words or "not yet current" in words
        return ahead if of_time or abs(ahead - self._ahead) > _TOLERATED else None


def refused(operation: str, answer: Answer) -> AwsError:
    """The error of an answer other than 200. Without a code in it, the code is the HTTP status."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    kind = str(body.get("__type") or answer.headers.get("x-amzn-errortype") or answer.status)
    code = kind.partition(":")[0].rpartition("#")[2]
    message = body.get("message") or body.get("Message") or ""
    return AwsError(operation, code, str(message), body.get("CancellationReasons") or (), body.get("Item"))
