"""`requests` sessions with a total time limit for the status line and headers of an answer.

A socket timeout limits each read, so a server that sends its headers byte by byte could block a call forever. A timer
closes the connection instead. (The body has its own limit: `breaker.whole`.)
"""

import socket
import threading
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class _Punctual(HTTPConnection):
    def getresponse(self) -> Any:
        late = threading.Event()
        connection = self.sock

        def close() -> None:
            late.set()
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self.timeout, close) if self.timeout and connection else None
        if timer:
            timer.start()
        try:
            return super().getresponse()
        finally:
            if timer:
                timer.cancel()
            if late.is_set():  # the part read before the close may look complete
                raise TimeoutError("the head of the answer came too slowly")


class _PunctualTls(_Punctual, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Punctual


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _PunctualTls


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def punctual_session() -> requests.Session:
    """Ignores proxy variables and .netrc."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session
