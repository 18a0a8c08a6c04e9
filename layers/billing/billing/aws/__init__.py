"""The AWS client: every call goes through `Aws.call`, so that calls can be counted or replaced."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from billing.aws.errors import OUR_FAULT, AwsError, NoAnswer, trouble
from billing.aws.transport import Transport
from billing.errors import NotConfigured

__all__ = ["OUR_FAULT", "Aws", "AwsError", "NoAnswer", "trouble"]


class Aws:
    """`aws.call("dynamodb", "query", TableName=…)`; `on_call(service, operation)` is called before each.

    Connections to `services` are opened at once, because Lambda's initialisation runs at full CPU whatever the
    function's memory. `environ` holds region and credentials.
    """

    def __init__(
        self,
        *services: str,
        on_call: Callable[[str, str], None] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._environ = environ
        self._transports: dict[str, Transport] = {}
        self._on_call = on_call
        for service in services:
            self.connect(service)

    def connect(self, service: str) -> None:
        self._transport(service).connect()

    def _transport(self, service: str) -> Transport:
        if service not in self._transports:
            self._transports[service] = Transport(service, self._environ)
        return self._transports[service]

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        """Call an operation such as `get_item`; request and answer have AWS's names. Raises `AwsError`."""
        if self._on_call is not None:
            self._on_call(service, operation)
        return self._transport(service).call(_wire_name(operation), request)

    def fetch_secret(self, secret_id: str) -> str:
        """The text of a Secrets Manager secret. Raises `NotConfigured` if it has no value."""
        try:
            text: str = self.call("secretsmanager", "get_secret_value", SecretId=secret_id)["SecretString"]
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                raise NotConfigured(f"the secret {secret_id} has no value yet") from error
            raise
        return text


@cache
def _wire_name(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))
