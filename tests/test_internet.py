"""Addresses that somebody typed lead to the public internet or nowhere."""

import socket
import threading
from typing import Any

import pytest

from billing import internet
from billing.internet import NotPublic, connect, host_name, is_public


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


def answers(*addresses: str, asked: list[str] | None = None) -> internet.Resolve:
    """A name server that answers with these."""

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        if asked is not None:
            asked.append(host)
        families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in addresses]
        return [
            (family, socket.SOCK_STREAM, 6, "", (one, port, 0, 0) if ":" in one else (one, port))
            for family, one in zip(families, addresses, strict=True)
        ]

    return resolve


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("1.1.1.1", "10.0.0.1"), ("2606:4700::1", "::1"), ("169.254.169.254",), ()]
)
def test_one_address_within_is_enough_to_use_none(addresses: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    def contacted(*_: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(internet.socket, "socket", contacted)
    with pytest.raises(NotPublic):
        connect("relay.example.com", 443, 1, resolve=answers(*addresses))


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A socket of this machine, whose address passes for a public one."""
    monkeypatch.setattr(internet, "is_public", lambda address: address.startswith("127.0.0."))
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_name_is_asked_for_once_and_what_was_looked_at_is_used(listener: socket.socket) -> None:
    asked: list[str] = []
    port = listener.getsockname()[1]
    with connect("relay.example.com", port, 2, resolve=answers("127.0.0.1", asked=asked)) as connection:
        assert connection.getpeername() == ("127.0.0.1", port)
    assert asked == ["relay.example.com"]


def test_the_next_address_is_tried(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with connect("relay.example.com", port, 2, resolve=answers("127.0.0.9", "127.0.0.1")) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"


def test_nobody_there(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(OSError, match="refused"):
        connect("relay.example.com", port, 2, resolve=answers("127.0.0.1"))


def test_no_time_left(listener: socket.socket) -> None:
    with pytest.raises(TimeoutError):
        connect("relay.example.com", listener.getsockname()[1], 0, resolve=answers("127.0.0.1"))
    assert threading.active_count() >= 1
