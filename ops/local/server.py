"""HTTP on loopback for WSGI applications: the API's clean origin, with other applications and folders beside it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.utils import send_from_directory
from werkzeug.wrappers import Request, Response

from .host import LOOPBACK, EngineError, is_taken

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

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
    """One origin: applications under their prefixes, and `default` for all the rest."""

    def __init__(self, default: WSGIApplication) -> None:
        self._mounts: dict[str, WSGIApplication] = {}
        self.wsgi = DispatcherMiddleware(default, self._mounts)

    def mount(self, prefix: str, application: WSGIApplication) -> None:
        """Serves `application` under `prefix` (`/mock`); it sees the rest of the path, with SCRIPT_NAME set."""
        self._mounts[prefix] = application


def folder(root: Path) -> WSGIApplication:
    """A built single-page application: its files, and index.html for every path without an extension."""

    @Request.application
    def serve(request: Request) -> Response:
        path = request.path.lstrip("/")
        page = path if Path(path).suffix else "index.html"
        try:
            return send_from_directory(root, page, request.environ)
        except NotFound:
            return Response("Not found", 404)

    return serve
