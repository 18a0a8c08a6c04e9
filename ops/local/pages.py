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

# The paths that CloudFront sends to the API; all others are pages.
API_PATHS = ("/billing/", "/auth/", "/admin/", "/.well-known/")

# The same headers as the template's response headers policy for CloudFront; a test compares them.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self' ${OidcTokenUrl}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


# Where a developer signs in as a user: /as/usr_demo.
SIGN_IN = "/as/"


class Pages:
    """A single-page application built into `root`: its files, and index.html for every path without an extension.

    `sign_in(name)`: the page, with a token in its fragment, that signs in as that user; None for an unknown name.
    `token_url`: where the pages exchange the identity provider's code for a token.
    """

    def __init__(
        self, root: Path, sign_in: Callable[[str], str | None] = lambda name: None, token_url: str = ""
    ) -> None:
        self._root = root
        self._sign_in = sign_in
        self._headers = {name: value.replace("${OidcTokenUrl}", token_url) for name, value in PAGE_HEADERS.items()}

    def answer(self, request: Request) -> Response | None:
        """The page; None if the path belongs to the API."""
        # /admin/ belongs to the API, but a browser that opens it wants the console.
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
        # Read the file now: the development server leaves it open if the browser disconnects while it is sent.
        response.direct_passthrough = False
        response.set_data(response.get_data())
        response.close()
        response.headers.update(self._headers)
        _compress(response, request)
        # File names in assets/ contain a hash of the content.
        lasting = path.startswith("assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response

    def _signed_in(self, request: Request) -> Response:
        """Redirects with a token, only for requests to this machine's names: this stops DNS rebinding by a website."""
        here = request.host.partition(":")[0] in (LOOPBACK, "localhost")
        location = self._sign_in(request.path.removeprefix(SIGN_IN)) if here else None
        if location is None:
            return Response("Not found", 404)
        return Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


def _compress(response: Response, request: Request) -> None:
    """Compresses complete text answers for clients that accept gzip, as CloudFront does."""
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
