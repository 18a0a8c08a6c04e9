"""AWS for operators: the interface that functions use, on botocore, with profiles, single sign-on and every service."""

from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from billing.aws import Aws, AwsError, NoAnswer

CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})


class OperatorAws(Aws):
    """AWS with the credentials of the calling shell."""

    def __init__(self) -> None:
        super().__init__()
        self._session = botocore.session.get_session()
        self._clients: dict[str, Any] = {}

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        try:
            if service not in self._clients:
                self._clients[service] = self._session.create_client(service, config=CONFIG)
            answer: dict[str, Any] = getattr(self._clients[service], operation)(**request)
        except ClientError as error:
            raise _refusal(error) from error
        except BotoCoreError as error:
            raise NoAnswer(operation, type(error).__name__, str(error)) from error
        return answer


def _refusal(error: ClientError) -> AwsError:
    answer: Any = error.response  # the stubs lack the reasons and the item
    details = answer.get("Error", {})
    # For SQS, `Code` is the code of an older protocol and `QueryErrorCode` the current one.
    code = details.get("QueryErrorCode") or details.get("Code", "")
    reasons = answer.get("CancellationReasons", ())
    return AwsError(error.operation_name, code, details.get("Message", ""), reasons, answer.get("Item"))
