"""A server that answers as it is told, and otherwise than anybody would wish."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

Act = Callable[[socket.socket], bool]  # whether the connection may be used again
_REASONS = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request"}


def answer(status: int, body: bytes | Mapping[str, Any], keep: bool = True, **headers: str) -> Act:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"content-length": str(len(text)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    if not keep:
        lines["connection"] = "close"
    head = f"HTTP/1.1 {status} {_REASONS.get(status, 'X')}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items())

    def act(sock: socket.socket) -> bool:
        sock.sendall(f"{head}\r\n".encode() + text)
        return keep

    return act


def refuses(code: str, message: str = "no", status: int = 400, **members: Any) -> Act:
    return answer(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message, **members})


def fine(body: bytes = b'{"Item": {"k": {"S": "v"}}}') -> Act:
    return answer(200, body, x_amz_crc32=str(zlib.crc32(body)))


def fine_in_chunks(sock: socket.socket) -> bool:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    sock.sendall(head + b'8\r\n{"Item":\r\n')
    sock.sendall(b'13;x=y\r\n {"k": {"S": "v"}}}\r\n0\r\n\r\n')
    return True


def fine_then_closed(sock: socket.socket) -> bool:
    """Looks as if it were kept, and is not."""
    fine()(sock)
    return False


def resets(sock: socket.socket) -> bool:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def closes(sock: socket.socket) -> bool:
    return False


def is_silent(sock: socket.socket) -> bool:
    with contextlib.suppress(OSError):
        sock.settimeout(5)
        sock.recv(1)  # until the other side has enough
    return False


def dribbles(sock: socket.socket) -> bool:
    """A whole answer, a byte at a time: never silent for as long as a read may take."""
    body = b'{"Item": {"k": {"S": "v"}}}'
    for byte in f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body:
        sock.sendall(bytes([byte]))
        time.sleep(0.02)
    return True


def cut_short(sock: socket.socket) -> bool:
    """What came is whole JSON, and less than was promised."""
    sock.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"Item": {"k": {"S": "v"}}}')
    return False


class BadServer:
    """Acts out `script`, a request at a time; the last act is repeated. `requests` holds what was asked."""

    def __init__(self, *script: Act, before_reading: bool = False) -> None:
        self._script = list(script)
        self._before_reading = before_reading
        self.requests: list[bytes] = []
        self.connections = 0
        self.accepted = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._accepted: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in (self._listening, *self._accepted):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, run: Callable[..., None], *arguments: Any) -> None:
        self._threads.append(threading.Thread(target=run, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except (ssl.SSLError, ConnectionError):
                continue  # the other side does not trust us, or has gone
            except OSError:
                return
            self.connections += 1
            self._accepted.append(sock)
            self.accepted.set()
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            while True:
                request = b"" if self._before_reading else _read(sock)
                if request is None:
                    return
                self.requests.append(request)
                act = self._script.pop(0) if len(self._script) > 1 else self._script[0]
                if not act(sock):
                    return


def _read(sock: socket.socket) -> bytes | None:
    """A request's body; None when the other side has gone."""
    read = b""
    while b"\r\n\r\n" not in read:
        more = sock.recv(65536)
        if not more:
            return None
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += sock.recv(65536)
    return body
