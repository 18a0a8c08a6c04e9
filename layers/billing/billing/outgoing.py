"""One POST to an address that a user entered: over TLS, to the public internet only, within a time limit.

No redirect is followed, and only the head of the answer is read.
"""

import calendar
import re
import socket
import ssl
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from billing.internet import CONNECT_SECONDS, NotPublic, UnknownHost, connect, host_name, look_up

PORTS = (443, 8443)
LONGEST_URL = 500
_LONGEST_HEAD = 16 * 1024


class Unreachable(Exception):
    """`code`: bad_url, unknown_host, private_address, connect_failed, tls_failed, timed_out or broken_off."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Reply(NamedTuple):
    """`retry_after`: the seconds that were asked for, 0 for none."""

    status: int
    retry_after: int


class Place(NamedTuple):
    """A parsed URL. `host` goes into the Host header and the TLS handshake."""

    host: str
    port: int
    path: str
    tls: bool
    addresses: list[Any]
    """As `billing.internet.look_up` gives them."""


def place_of(url: str, *, at_home: bool = False) -> Place:
    """Parses a URL and resolves its host. Raises `Unreachable` for what is no public https address.

    `at_home`: a stack on a developer's machine, whose hosts run there too, without TLS.
    """
    if len(url) > LONGEST_URL or not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise Unreachable("bad_url")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Unreachable("bad_url") from error
    host, tls = parts.hostname or "", parts.scheme == "https"
    if parts.username is not None or parts.password is not None or parts.fragment or not host:
        raise Unreachable("bad_url")
    if port is None:
        port = 443 if tls else 80
    if not at_home and (not tls or port not in PORTS or host_name(host) != host):
        raise Unreachable("bad_url")
    if parts.scheme not in ("https", "http"):
        raise Unreachable("bad_url")
    try:
        addresses = look_up(host, port, inside=at_home)
    except UnknownHost as error:
        raise Unreachable("unknown_host") from error
    except NotPublic as error:
        raise Unreachable("private_address") from error
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(host, port, path, tls, addresses)


def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    seconds: float,
    *,
    at_home: bool = False,
    tls: ssl.SSLContext | None = None,
) -> Reply:
    """Sends `body` once. Raises `Unreachable`: with the code timed_out or broken_off it may have arrived all the same.
    `tls`: whom to trust, by default the public authorities."""
    ends_at = time.monotonic() + seconds
    place = place_of(url, at_home=at_home)
    connection = _connected(place, ends_at, tls)
    usual = place.port == (443 if place.tls else 80)
    shown = place.host if usual else f"{place.host}:{place.port}"
    lines = {"host": shown, "content-length": str(len(body)), "connection": "close", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with connection:
        try:
            connection.settimeout(_left(ends_at))
            connection.sendall(f"POST {place.path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
            return _reply(connection, ends_at)
        except TimeoutError as error:
            raise Unreachable("timed_out") from error
        except (OSError, ValueError) as error:
            raise Unreachable("broken_off") from error


def _connected(place: Place, ends_at: float, tls: ssl.SSLContext | None) -> socket.socket:
    try:
        plain = connect(place.addresses, ends_at)
    except OSError as error:
        raise Unreachable("connect_failed") from error
    if not place.tls:
        return plain
    try:
        plain.settimeout(min(CONNECT_SECONDS, _left(ends_at)))
        return (tls or _public_authorities()).wrap_socket(plain, server_hostname=place.host)
    except TimeoutError as error:
        plain.close()
        raise Unreachable("timed_out") from error
    except OSError as error:
        plain.close()
        raise Unreachable("tls_failed") from error


@cache
def _public_authorities() -> ssl.SSLContext:
    """Read once: it takes a while."""
    return ssl.create_default_context()


def _reply(connection: socket.socket, ends_at: float) -> Reply:
    """Raises `ValueError` for what is no answer of HTTP."""
    read = b""
    while True:
        while (end := read.find(b"\r\n\r\n")) < 0:
            if len(read) > _LONGEST_HEAD:
                raise ValueError("the head has no end")
            connection.settimeout(_left(ends_at))
            part = connection.recv(4096)
            if not part:
                raise ValueError("no whole answer")
            read += part
        first, *lines = read[:end].decode("latin-1").split("\r\n")
        if not re.fullmatch(r"HTTP/1\.[01] [1-5][0-9]{2}( .*)?", first):
            raise ValueError("no answer of HTTP/1")
        status = int(first[9:12])
        if status >= 200:
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            return Reply(status, _seconds(headers.get("retry-after", "")))
        read = read[end + 4 :]  # an interim answer: the real one follows


def _seconds(retry_after: str) -> int:
    """What a Retry-After asks for, as seconds or as a date; 0 for what is neither, and for a date that is past."""
    if re.fullmatch(r"[0-9]{1,20}", retry_after):
        return int(retry_after)
    try:
        until = calendar.timegm(time.strptime(retry_after, "%a, %d %b %Y %H:%M:%S GMT"))
    except ValueError:
        return 0
    return max(0, until - int(time.time()))


def _left(ends_at: float) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("no time left")
    return left
