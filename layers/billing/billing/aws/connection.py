"""HTTP/1.1 over one kept connection, as far as AWS's JSON services speak it; everything ends at a given moment."""

import socket
import ssl
import time
from collections.abc import Mapping
from typing import NamedTuple

# Of one address, and of an answer that has begun to be waited for.
_CONNECT_SECONDS, _ANSWER_SECONDS = 2.0, 5.0
# AWS closes what was idle for a minute or so, and a frozen process does not notice.
_IDLE_SECONDS = 50
_LONGEST_HEAD = 64 * 1024
# To tell the socket a new time limit costs a call of the system: one that is this much too long will do.
_INEXACT = 0.05


class NotSent(OSError):
    """The request did not leave us whole, so it cannot have been carried out."""


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """Every `ends_at` is in seconds of `time.monotonic`; beyond it `TimeoutError` is raised."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, ends_at: float) -> None:
        try:
            plain = _connected(host, port, ends_at)
            plain.settimeout(_left(ends_at, _CONNECT_SECONDS))
            self._socket = tls.wrap_socket(plain, server_hostname=host.encode()) if tls else plain
        except OSError as error:
            raise NotSent(f"no connection to {host}: {error or type(error).__name__}") from error
        self._used_at = time.time()
        self._limit = 0.0

    def is_usable(self) -> bool:
        """Whether it is still open, as far as one can tell; by the clock that goes on while we are frozen."""
        if not 0 <= time.time() - self._used_at < _IDLE_SECONDS:
            return False
        self._socket.settimeout(0)
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True  # nothing to read; a new TLS session's tickets have been taken
        except OSError:
            return False
        return False  # closed by the other side, or bytes that nobody asked for

    def ask(self, request: bytes, ends_at: float) -> tuple[Answer, bool]:
        """The whole answer, and whether the connection can be kept. Raises `ValueError` for what is no answer."""
        try:
            self._wait_at_most(_left(ends_at, _ANSWER_SECONDS))
            self._socket.sendall(request)
        except OSError as error:
            raise NotSent(f"not sent: {error or type(error).__name__}") from error
        ends_at = min(ends_at, time.monotonic() + _ANSWER_SECONDS)
        read = b""
        while (end := read.find(b"\r\n\r\n")) < 0:
            if len(read) > _LONGEST_HEAD:
                raise ValueError("the head of the answer has no end")
            read += self._more(ends_at)
        first, *lines = read[:end].decode("latin-1").split("\r\n")
        version, status = first[:8], first[9:12]
        if not version.startswith("HTTP/1."):
            raise ValueError("no answer of HTTP/1")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body, rest = self._chunks(read[end + 4 :], ends_at)
        else:
            body, rest = self._exactly(int(headers.get("content-length", "-1")), read[end + 4 :], ends_at)
        reusable = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close" and not rest
        self._used_at = time.time()
        return Answer(int(status), headers, body), reusable

    def _exactly(self, length: int, read: bytes, ends_at: float) -> tuple[bytes, bytes]:
        """So many bytes, and those read beyond them. An answer that does not say how long it is could be cut short."""
        if length < 0:
            raise ValueError("the answer does not say where it ends")
        parts, length_read = [read], len(read)
        while length_read < length:
            parts.append(self._more(ends_at))
            length_read += len(parts[-1])
        read = b"".join(parts)
        return read[:length], read[length:]

    def _chunks(self, read: bytes, ends_at: float) -> tuple[bytes, bytes]:
        body = b""
        while True:
            while (end := read.find(b"\r\n")) < 0:
                read += self._more(ends_at)
            length = int(read[:end].partition(b";")[0], 16)
            chunk, read = self._exactly(length + 2, read[end + 2 :], ends_at)
            if length == 0:
                return body, read
            body += chunk[:-2]

    def _more(self, ends_at: float) -> bytes:
        left = _left(ends_at)
        if not left <= self._limit <= left + _INEXACT:
            self._wait_at_most(left)
        received = self._socket.recv(64 * 1024)
        if not received:
            raise ConnectionResetError("closed before the answer was whole")
        return received

    def _wait_at_most(self, seconds: float) -> None:
        self._socket.settimeout(seconds)
        self._limit = seconds

    def close(self) -> None:
        self._socket.close()

    def __del__(self) -> None:
        if hasattr(self, "_socket"):  # it is not there when no connection came about
            self.close()


def _connected(host: str, port: int, ends_at: float) -> socket.socket:
    """By the first address that answers. Looking up a name has no time limit: it is done at initialisation.

    As bytes: of a text Python asks first what it is in the alphabet of names, for which it loads all of Unicode.
    """
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM):
        candidate = socket.socket(family, kind, protocol)
        try:
            candidate.settimeout(_left(ends_at, _CONNECT_SECONDS))
            candidate.connect(address)
            candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            candidate.close()
            failure = error
        else:
            return candidate
    raise failure


def _left(ends_at: float, at_most: float = float("inf")) -> float:
    left = min(ends_at - time.monotonic(), at_most)
    if left <= 0:
        raise TimeoutError("out of time")
    return left
