"""A stand-in that is called without a network, for stories of thousands of calls: a tenth of the time of a socket.

What is promised of real connections (time limits, TLS, broken answers) is tested on servers.
"""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from fakes.base import Answer, App, Request

# A URL for each stand-in. Nobody listens on these ports.
_PORTS = itertools.count(1)


def ask(app: App, method: str, url: str, headers: Mapping[str, Any], body: str | bytes | None) -> Answer | None:
    """The stand-in's answer; None if a fault dropped it."""
    parts = urlsplit(url)
    return app.handle(
        Request(
            method=method.upper(),
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): v.decode() if isinstance(v, bytes) else str(v) for name, v in headers.items()},
            body=body.encode() if isinstance(body, str) else body or b"",
            target=f"{parts.path}?{parts.query}" if parts.query else parts.path,
        )
    )


class StandIn(HTTPAdapter):
    """For `session.mount`: hands what `requests` would send to a stand-in."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = ask(self._app, str(request.method), str(request.url), request.headers, request.body)
        if answer is None:
            raise requests.ConnectionError("the stand-in hung up", request=request)
        headers = {"Date": self._app.date(), "Content-Length": str(len(answer.body)), **answer.headers}
        raw = HTTPResponse(BytesIO(answer.body), headers, answer.status, preload_content=False)
        return self.build_response(request, raw)


@contextmanager
def in_process(app: App) -> Iterator[None]:
    """In place of `Server(app)`, for callers in this process."""
    app.url = f"http://127.0.0.1:{next(_PORTS)}"
    stand_in, elsewhere = StandIn(app), HTTPAdapter.send

    def send(self: HTTPAdapter, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> Any:
        if f"{request.url}/".startswith(f"{app.url}/"):
            return stand_in.send(request)
        return elsewhere(self, request, *arguments, **options)

    app.webhooks.start()
    try:
        with patch.object(HTTPAdapter, "send", send):
            yield
    finally:
        app.webhooks.stop()
