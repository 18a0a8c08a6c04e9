"""Sessions of `requests` that give up when the head of an answer has not come whole in the time given for it.

A timeout of a socket holds for each piece that arrives: a server that sends a byte of a header now and then is waited
for without end. So a timer closes the connection under it. (The body is read piece by piece: `breaker.whole`.)
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
            if late.is_set():  # what was read till then may look like a whole head
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
    """Takes no proxies and no .netrc from the surroundings."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session
