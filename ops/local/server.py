"""HTTP on loopback for WSGI applications: the API's clean origin, with other applications and folders beside it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.utils import redirect, send_from_directory
from werkzeug.wrappers import Request, Response

from .host import LOOPBACK, EngineError, is_taken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logging.getLogger("werkzeug").setLevel(logging.WARNING)


class Server:
    """Serves an application from a background thread, each connection in a thread of its own."""

    def __init__(self, application: WSGIApplication, port: int = 0) -> None:
        if port and is_taken(port):
            raise EngineError(f"Port {port} is taken; choose another one (`make run PORT=8010`).")
        self._server = make_server(LOOPBACK, port, application, threaded=True, request_handler=_Handler)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True


class Front:
    """One origin: applications under their prefixes, `pages` where the API has no path, and `api` for all the rest."""

    # What CloudFront's behaviours send to the API; the pages are everything else.
    API_PATHS = ("/billing/", "/auth/", "/admin/", "/.well-known/")

    def __init__(self, api: WSGIApplication) -> None:
        self._mounts: dict[str, WSGIApplication] = {}
        self._api = api
        self.pages: WSGIApplication | None = None
        self.wsgi = DispatcherMiddleware(self._default, self._mounts)

    def mount(self, prefix: str, application: WSGIApplication) -> None:
        """Serves `application` under `prefix` (`/mock`); it sees the rest of the path, with SCRIPT_NAME set."""
        self._mounts[prefix] = application

    def _default(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        # The API owns /admin/; a person who types it wants the pages.
        if path.startswith("/admin") and self.pages and "text/html" in environ.get("HTTP_ACCEPT", ""):
            return redirect(path.replace("/admin", "/console", 1))(environ, start_response)
        of_api = path.startswith(self.API_PATHS)
        application = self._api if of_api or self.pages is None else self.pages
        return application(environ, start_response)


# As the template's response headers policy says it for CloudFront; a test holds the two together.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def folder(root: Path) -> WSGIApplication:
    """A built single-page application: its files, and index.html for every path without an extension."""

    @Request.application
    def serve(request: Request) -> Response:
        path = request.path.lstrip("/")
        page = path if Path(path).suffix else "index.html"
        try:
            response = send_from_directory(root, page, request.environ)
        except NotFound:
            return Response("Not found", 404)
        response.headers.update(PAGE_HEADERS)
        # Everything in assets/ carries a hash of its content in its name.
        lasting = path.startswith("assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response

    return serve
