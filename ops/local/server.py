"""HTTP on loopback for a WSGI application."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

from .host import LOOPBACK, EngineError, is_taken

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logging.getLogger("werkzeug").setLevel(logging.WARNING)


class Server:
    """Serves an application from a background thread, with one thread per connection."""

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
