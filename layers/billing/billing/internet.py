"""Connections to addresses that somebody typed: to the public internet alone, never to what is near us.

A name is resolved once. When one of its addresses is not public none is used, and the connection goes to an address
that was looked at: a name that points elsewhere a moment later changes nothing.
"""

import ipaddress
import re
import socket
import time
from collections.abc import Callable
from typing import Any

# A name with a dot, whose last part is no number: so no address in whatever spelling, and nothing of our own network.
_NAME = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_IPV6_OF_THE_INTERNET = ipaddress.ip_network("2000::/3")

Resolve = Callable[..., list[Any]]


class NotPublic(OSError):
    """A name that stands for an address within somebody's own network."""


def host_name(text: str) -> str | None:
    """The name as DNS knows it, in lower case ASCII; None when it is none that we would connect to."""
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


def connect(host: str, port: int, seconds: float, *, resolve: Resolve = socket.getaddrinfo) -> socket.socket:
    """A connected TCP socket. Raises `OSError`; `NotPublic` without having connected to anything."""
    until = time.monotonic() + seconds
    found = resolve(host, port, type=socket.SOCK_STREAM)
    if not found or not all(is_public(str(sockaddr[0])) for *_, sockaddr in found):
        raise NotPublic(f"{host} is not an address of the public internet")
    failure: OSError = TimeoutError(f"{host} did not answer")
    for family, kind, protocol, _, sockaddr in found:
        left = until - time.monotonic()
        if left <= 0:
            break
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(left)
            connection.connect(sockaddr)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure
