"""The built pages on the API's origin, with the headers that CloudFront adds to them."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable
from pathlib import Path

from werkzeug.exceptions import NotFound
from werkzeug.utils import redirect, send_from_directory
from werkzeug.wrappers import Request, Response

from .host import LOOPBACK

# What CloudFront's behaviours send to the API; the pages are everything else.
API_PATHS = ("/billing/", "/auth/", "/admin/", "/.well-known/")

# As the template's response headers policy says it for CloudFront, with the token address of the identity provider; a
# test holds the two together.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self' ${OidcTokenUrl}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


# Where a developer signs in as somebody: /as/usr_demo.
SIGN_IN = "/as/"


class Pages:
    """A single-page application built into `root`: its files, and index.html for every path without an extension.

    `sign_in(name)`: the page and the fragment that sign in as somebody; None when there is nobody of that name.
    `token_url`: where the pages change a code of the identity provider's for a token.
    """

    def __init__(
        self, root: Path, sign_in: Callable[[str], str | None] = lambda name: None, token_url: str = ""
    ) -> None:
        self._root = root
        self._sign_in = sign_in
        self._headers = {name: value.replace("${OidcTokenUrl}", token_url) for name, value in PAGE_HEADERS.items()}

    def answer(self, request: Request) -> Response | None:
        """The page; None when the path is the API's."""
        # The API owns /admin/; a person who types it wants the pages.
        if request.path.startswith("/admin") and "text/html" in request.headers.get("Accept", ""):
            return redirect(request.path.replace("/admin", "/console", 1))
        if request.path.startswith(API_PATHS):
            return None
        if request.path.startswith(SIGN_IN):
            return self._signed_in(request)
        path = request.path.lstrip("/")
        try:
            response = send_from_directory(self._root, path if Path(path).suffix else "index.html", request.environ)
        except NotFound:
            return Response("Not found", 404)
        # Read here: the development server leaves a file open when the browser hangs up at the wrong moment.
        response.direct_passthrough = False
        response.set_data(response.get_data())
        response.close()
        response.headers.update(self._headers)
        _compress(response, request)
        # Everything in assets/ carries a hash of its content in its name.
        lasting = path.startswith("assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response

    def _signed_in(self, request: Request) -> Response:
        """Only under the names of this machine: a page of elsewhere whose name was bent to it gets no token."""
        here = request.host.partition(":")[0] in (LOOPBACK, "localhost")
        location = self._sign_in(request.path.removeprefix(SIGN_IN)) if here else None
        if location is None:
            return Response("Not found", 404)
        return Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


def _compress(response: Response, request: Request) -> None:
    """As CloudFront does: text for whoever takes it so, whole answers only."""
    kind = response.mimetype or ""
    is_text = kind.startswith("text/") or kind in ("application/json", "image/svg+xml")
    if not is_text or response.status_code != 200:
        return
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"]:
        response.set_data(_compressed(response.get_data()))
        response.content_encoding = "gzip"


@functools.lru_cache(maxsize=100)
def _compressed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)
