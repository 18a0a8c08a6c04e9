"""The one door to AWS: every call goes through `Aws.call`, so that the transport can be counted or replaced.

Low-level clients of one shared session: a handler that only touches DynamoDB never loads the model of SQS.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from billing.errors import NotConfigured

# A request path must answer, not hang: connect fast, read fast, two more tries with botocore's own back-off.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    parameter_validation=False,
    tcp_keepalive=True,
)


class AwsError(Exception):
    """What AWS refused. `code` is AWS's own and what a decision may rest on; `message` is for people.

    `reasons` are those of a cancelled transaction, in the order of its writes; `item` is what stood in the way of a
    condition, where the call asked for it.
    """

    def __init__(
        self,
        operation: str,
        code: str,
        message: str = "",
        reasons: Sequence[Mapping[str, Any]] = (),
        item: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"AWS refused {operation}: {code}" + (f": {message}" if message else ""))
        self.operation = operation
        self.code = code
        self.message = message
        self.reasons = reasons
        self.item = item


class NoAnswer(AwsError):
    """AWS was not reached, or did not answer in time: whether the call was carried out is not known."""


def trouble(error: Exception) -> str | None:
    """What an error of AWS says, in words that quote no request; None when it is another's."""
    if isinstance(error, NoAnswer):
        return f"AWS did not answer: {error.code}"
    return f"AWS refused {error.operation}: {error.code}" if isinstance(error, AwsError) else None


class Aws:
    """`aws.call("dynamodb", "query", TableName=…)`; `on_call(service, operation)` sees each call, to count it.

    `services` are made ready at once: what every invocation needs belongs into the initialisation, which runs at full
    CPU whatever the function's memory.
    """

    def __init__(self, *services: str, on_call: Callable[[str, str], None] | None = None) -> None:
        self._session: botocore.session.Session | None = None
        self._clients: dict[str, Any] = {}
        self._on_call = on_call
        for service in services:
            self.client(service)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._session = self._session or botocore.session.get_session()
            self._clients[service] = self._session.create_client(service, config=_CONFIG)
        return self._clients[service]

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        if self._on_call is not None:
            self._on_call(service, operation)
        try:
            answer: dict[str, Any] = getattr(self.client(service), operation)(**request)
        except ClientError as error:
            raise refusal(error) from error
        except BotoCoreError as error:
            raise NoAnswer(operation, type(error).__name__, str(error)) from error
        return answer

    def fetch_secret(self, secret_id: str) -> str:
        """The text of a Secrets Manager secret; `NotConfigured` when it was never given one."""
        try:
            text: str = self.call("secretsmanager", "get_secret_value", SecretId=secret_id)["SecretString"]
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                raise NotConfigured(f"the secret {secret_id} has no value yet") from error
            raise
        return text


def refusal(error: ClientError) -> AwsError:
    """botocore's error as ours."""
    answer: Any = error.response  # the stubs lack the reasons and the item
    told = answer.get("Error", {})
    return AwsError(
        error.operation_name,
        told.get("Code", ""),
        told.get("Message", ""),
        answer.get("CancellationReasons", ()),
        answer.get("Item"),
    )
