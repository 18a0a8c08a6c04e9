"""A keep-alive HTTP/1.1 connection with deadlines, limited to what AWS's JSON services use."""

import socket
import ssl
import time
from collections.abc import Mapping
from typing import NamedTuple

# Limits to connect to one address, and for one answer.
_CONNECT_SECONDS, _ANSWER_SECONDS = 2.0, 5.0
# AWS closes connections after about a minute of idling, which a frozen process does not notice.
_IDLE_SECONDS = 50
_LONGEST_HEAD = 64 * 1024
# Setting a socket timeout costs a system call, so a timeout that is at most this much too long is left as it is.
_INEXACT = 0.05


class NotSent(OSError):
    """The request was not sent completely, so it cannot have had an effect."""


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """`ends_at` is a deadline in seconds of `time.monotonic`; after it `TimeoutError` is raised."""

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
        """Whether it seems open. Idle time is measured with the wall clock, which includes time while frozen."""
        if not 0 <= time.time() - self._used_at < _IDLE_SECONDS:
            return False
        self._socket.settimeout(0)
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True  # nothing to read, except perhaps TLS session tickets, which recv has consumed
        except OSError:
            return False
        return False  # closed by the server, or unexpected bytes

    def ask(self, request: bytes, ends_at: float) -> tuple[Answer, bool]:
        """The complete answer, and whether the connection is reusable. Raises `ValueError` for a malformed answer."""
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
            read += self._receive(ends_at)
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
        """The first `length` bytes, and those read beyond them. Without a length, truncation would go unnoticed."""
        if length < 0:
            raise ValueError("the answer does not say where it ends")
        parts, length_read = [read], len(read)
        while length_read < length:
            parts.append(self._receive(ends_at))
            length_read += len(parts[-1])
        read = b"".join(parts)
        return read[:length], read[length:]

    def _chunks(self, read: bytes, ends_at: float) -> tuple[bytes, bytes]:
        body = b""
        while True:
            while (end := read.find(b"\r\n")) < 0:
                read += self._receive(ends_at)
            length = int(read[:end].partition(b";")[0], 16)
            chunk, read = self._exactly(length + 2, read[end + 2 :], ends_at)
            if length == 0:
                return body, read
            body += chunk[:-2]

    def _receive(self, ends_at: float) -> bytes:
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
        if hasattr(self, "_socket"):  # missing if connecting failed
            self.close()


def _connected(host: str, port: int, ends_at: float) -> socket.socket:
    """A socket to the first address that answers. The name lookup has no time limit; it happens at initialisation.

    The host is passed as bytes, because for a `str` Python loads the IDNA codec with its Unicode tables.
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
