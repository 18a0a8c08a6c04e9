"""Our own calls to moto without a network: its server takes most of the time of a call, on both ends of a socket.

What is signed and sent, and what is read of an answer, is the same; connections are tested in tests/aws/.
"""

import functools
from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError
from moto.core.request import Request, environ_key_for_header
from werkzeug.exceptions import HTTPException

from billing.aws.connection import Answer, Connection

Handler = Callable[[Request, str, dict[str, str]], tuple[int, dict[str, Any], str | bytes]]


class InProcess(Connection):
    """A connection to moto: each request is handed to moto's code for that service."""

    def __init__(self) -> None:  # It opens no socket.
        pass

    def is_usable(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def ask(self, request: bytes, ends_at: float) -> tuple[Answer, bool]:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        fields = [line.partition(":") for line in lines]
        environ: dict[str, Any] = {environ_key_for_header(name): value.strip() for name, _, value in fields}
        environ |= {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
        }
        asked = Request(environ)
        try:
            # "Credential=key/day/region/service/aws4_request, …"
            service = environ["HTTP_AUTHORIZATION"].split("/")[3]
            status, headers, content = _handler(service)(asked, asked.raw_url, dict(asked.headers))
        except HTTPException as refused:
            status, headers, content = refused.code or 500, dict(refused.get_headers()), refused.get_body()
        except ClientError as refused:
            status, headers, content = 400, {}, refused.response["Error"]["Message"]
        answered = {name.lower(): str(value) for name, value in headers.items()}
        return Answer(status, answered, content if isinstance(content, bytes) else content.encode()), True


@functools.cache
def _handler(service: str) -> Handler:
    handler: Handler = next(iter(import_module(f"moto.{service}.urls").url_paths.values()))
    return handler
