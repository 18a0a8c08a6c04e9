"""Addresses that somebody typed lead to the public internet or nowhere."""

import socket
import threading
import time
from typing import Any

import pytest

from billing import internet
from billing.internet import NotPublic, UnknownHost, connect, host_name, is_public, look_up


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001::200e"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "169.254.100.1",
        "100.64.0.1",
        "192.0.0.8",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:1.1.1.1",
        "64:ff9b::7f00:1",
        "64:ff9b::101:101",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:7f00:1::1",
        "2001:db8::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_addresses_that_are_near_us_or_lead_there(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Relay.Example.COM", "relay.example.com"),
        ("a-b.example", "a-b.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("localhost", None),
        ("relay", None),
        ("127.0.0.1", None),
        ("127.1", None),
        ("0x7f.1", None),
        ("2130706433", None),
        ("1.2.3.4.", None),
        ("example.123", None),
        ("[::1]", None),
        ("::1", None),
        ("example.com.", None),
        (".example.com", None),
        ("exa mple.com", None),
        ("example.com\n", None),
        ("ex_ample.com", None),
        ("-example.com", None),
        ("a" * 64 + ".com", None),
        ("a." * 130 + "com", None),
        ("", None),
    ],
)
def test_names(text: str, name: str | None) -> None:
    assert host_name(text) == name


class Names:
    """A name server that leads every name to `addresses`; `asked`: what it was asked for."""

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] = ("127.0.0.1",)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in self.addresses]
        return [
            (family, socket.SOCK_STREAM, 6, "", (one, port, 0, 0) if ":" in one else (one, port))
            for family, one in zip(families, self.addresses, strict=True)
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    return names


def connected(port: int, seconds: float = 2.0) -> socket.socket:
    return connect(look_up("relay.example.com", port), time.monotonic() + seconds)


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("1.1.1.1", "10.0.0.1"), ("2606:4700::1", "::1"), ("169.254.169.254",)]
)
def test_one_address_within_is_enough_to_use_none(addresses: tuple[str, ...], names: Names) -> None:
    names.addresses = addresses
    with pytest.raises(NotPublic):
        look_up("relay.example.com", 443)
    assert len(look_up("relay.example.com", 443, inside=True)) == len(addresses)


def test_a_name_without_an_address(names: Names) -> None:
    names.addresses = ()
    with pytest.raises(UnknownHost):
        look_up("relay.example.com", 443)


def test_a_resolver_that_keeps_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [released.wait(5)][1:])
    with pytest.raises(UnknownHost):
        look_up("relay.example.com", 443, 0.05)
    assert not released.is_set()
    released.set()


@pytest.fixture
def listener(names: Names, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A socket of this machine, whose address passes for a public one."""
    monkeypatch.setattr(internet, "is_public", lambda address: address.startswith("127.0.0."))
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_name_is_asked_for_once_and_what_was_looked_at_is_used(listener: socket.socket, names: Names) -> None:
    port = listener.getsockname()[1]
    with connected(port) as connection:
        assert connection.getpeername() == ("127.0.0.1", port)
    assert names.asked == ["relay.example.com"]


def test_the_next_address_is_tried(listener: socket.socket, names: Names) -> None:
    names.addresses = ("127.0.0.9", "127.0.0.1")
    with connected(listener.getsockname()[1]) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"


def test_nobody_there(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(OSError, match="refused"):
        connected(port)


def test_no_time_left(listener: socket.socket) -> None:
    with pytest.raises(TimeoutError):
        connected(listener.getsockname()[1], 0)
