"""Connections to addresses that users enter: to the public internet only, never to our own network (SSRF).

A name is resolved once. If one of its addresses is not public, none is used. The connection goes to an address that
was checked, so a name that resolves to another one a moment later (DNS rebinding) changes nothing.
"""

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

# A name with a dot, whose last part is no number: so no address in whatever spelling, and nothing of our own network.
_NAME = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_IPV6_OF_THE_INTERNET = ipaddress.ip_network("2000::/3")

# An address or a name server that does not answer is given up after so long, whatever time is left.
CONNECT_SECONDS, LOOKUP_SECONDS = 5.0, 5.0


class UnknownHost(OSError):
    """A name that does not resolve, or whose name server does not answer."""


class NotPublic(OSError):
    """A name that resolves to an address that is not public."""


def host_name(text: str) -> str | None:
    """The name in DNS form (lower-case ASCII); None when we would not connect to it."""
    try:
        name = text.encode("idna").decode().lower()
    except UnicodeError:
        return None
    return name if _NAME.fullmatch(name) else None


def is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6 and ip not in _IPV6_OF_THE_INTERNET:  # with IPv4 in it, or translated to it: NAT64 and others
        return False
    return ip.is_global and not ip.is_multicast


def look_up(host: str, port: int, seconds: float = LOOKUP_SECONDS, *, inside: bool = False) -> list[Any]:
    """The addresses of a name, as `getaddrinfo` gives them. Raises `UnknownHost`, and `NotPublic` unless `inside`.

    In a thread of its own, because `getaddrinfo` takes no timeout.
    """
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(min(LOOKUP_SECONDS, seconds))
    addresses = list(answers)
    if not addresses:
        raise UnknownHost(f"{host} leads nowhere")
    if not inside and not all(is_public(str(sockaddr[0])) for *_, sockaddr in addresses):
        raise NotPublic(f"{host} is not an address of the public internet")
    return addresses


def connect(addresses: Iterable[Any], until: float) -> socket.socket:
    """A TCP socket connected to the first that answers; `until` is of `time.monotonic`. Raises `OSError`."""
    failure: OSError = TimeoutError("nobody answered in time")
    for family, kind, protocol, _, sockaddr in addresses:
        left = until - time.monotonic()
        if left <= 0:
            break
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(min(CONNECT_SECONDS, left))
            connection.connect(sockaddr)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure
