"""A stand-in that is called without a network, for stories of thousands of calls.

What is promised of real connections (time limits, TLS, broken answers) is tested on servers.
"""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from fakes.base import Answer, App, Request

# A URL for each stand-in. Nobody listens on these ports.
_PORTS = itertools.count(1)


def ask(app: App, method: str, url: str, headers: Mapping[str, Any], body: str | bytes | None) -> Answer | None:
    """The stand-in's answer; None if a fault dropped it."""
    target = urlsplit(url)._replace(scheme="", netloc="").geturl()
    text = {name: value.decode() if isinstance(value, bytes) else str(value) for name, value in headers.items()}
    sent = body.encode() if isinstance(body, str) else body or b""
    return app.handle(Request.received(method.upper(), target, text, sent))


@contextmanager
def in_process(app: App) -> Iterator[None]:
    """In place of `Server(app)`: whatever `requests` would send to the stand-in is handed to it."""
    app.url = f"http://127.0.0.1:{next(_PORTS)}"
    elsewhere = HTTPAdapter.send

    def send(self: HTTPAdapter, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> Any:
        if not f"{request.url}/".startswith(f"{app.url}/"):
            return elsewhere(self, request, *arguments, **options)
        answer = ask(app, str(request.method), str(request.url), request.headers, request.body)
        if answer is None:
            raise requests.ConnectionError("the stand-in hung up", request=request)
        headers = {"Date": app.date(), "Content-Length": str(len(answer.body)), **answer.headers}
        raw = HTTPResponse(BytesIO(answer.body), headers, answer.status, preload_content=False)
        return self.build_response(request, raw)

    app.webhooks.start()
    try:
        with patch.object(HTTPAdapter, "send", send):
            yield
    finally:
        app.webhooks.stop()
