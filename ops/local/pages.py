"""The built pages on the API's origin, with the headers that CloudFront adds to them."""

from __future__ import annotations

from pathlib import Path

from werkzeug.exceptions import NotFound
from werkzeug.utils import redirect, send_from_directory
from werkzeug.wrappers import Request, Response

# What CloudFront's behaviours send to the API; the pages are everything else.
API_PATHS = ("/billing/", "/auth/", "/admin/", "/.well-known/")

# As the template's response headers policy says it for CloudFront; a test holds the two together.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Pages:
    """A single-page application built into `root`: its files, and index.html for every path without an extension."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def answer(self, request: Request) -> Response | None:
        """The page; None when the path is the API's."""
        # The API owns /admin/; a person who types it wants the pages.
        if request.path.startswith("/admin") and "text/html" in request.headers.get("Accept", ""):
            return redirect(request.path.replace("/admin", "/console", 1))
        if request.path.startswith(API_PATHS):
            return None
        path = request.path.lstrip("/")
        try:
            response = send_from_directory(self._root, path if Path(path).suffix else "index.html", request.environ)
        except NotFound:
            return Response("Not found", 404)
        response.headers.update(PAGE_HEADERS)
        # Everything in assets/ carries a hash of its content in its name.
        lasting = path.startswith("assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response
