"""A provider that hangs, dribbles, breaks off or cannot serve: the caller gets an answer, others are not held up."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from billing import deadline
from billing.errors import ProviderUnavailable
from billing.providers import breaker as breakers
from billing.providers.breaker import Breaker
from billing.providers.rest import Rest
from billing.providers.stripe.client import asking, sdk_client
from billing.settings import Settings

Manner = Callable[[socket.socket], None]


class BadServer:
    """Accepts, and then behaves as it was told; `calls` counts the connections."""

    def __init__(self) -> None:
        self.manner: Manner = silent
        self.calls = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            self.calls += 1
            threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):
            peer.settimeout(5)
            self.manner(peer)

    def stop(self) -> None:
        self._ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(timeout=5)


def silent(peer: socket.socket) -> None:
    while peer.recv(65_536):
        pass


def dribbling(peer: socket.socket) -> None:
    peer.recv(65_536)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while True:
        peer.sendall(b" ")
        time.sleep(0.02)


def dribbling_head(peer: socket.socket) -> None:
    peer.recv(65_536)
    peer.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        peer.sendall(b"x")
        time.sleep(0.02)


def breaking_off(peer: socket.socket) -> None:
    peer.recv(65_536)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def resetting(peer: socket.socket) -> None:
    peer.recv(65_536)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def answering(status: str, body: bytes = b"{}", headers: str = "") -> Manner:
    def answer(peer: socket.socket) -> None:
        peer.recv(65_536)
        head = f"HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        peer.sendall(head.encode() + body)

    return answer


@pytest.fixture
def server() -> Iterator[BadServer]:
    server = BadServer()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tenths of the real times; each call still has the same parts."""
    monkeypatch.setattr(breakers, "CONNECT", 0.3)
    monkeypatch.setattr(breakers, "ANSWER", 0.4)
    monkeypatch.setattr("billing.providers.rest.ANSWER", 0.4)
    monkeypatch.setattr("billing.providers.stripe.client.ANSWER", 0.4)
    monkeypatch.setattr(breakers, "_LEAST", 0.1)


def rest(server: BadServer) -> Callable[[], object]:
    provider = Rest("BTCPay Server", server.url, {}, lambda _: iter(()), pause=lambda _: None)
    return lambda: provider.read("/api/v1/stores/s/invoices/i")


def stripe(server: BadServer) -> Callable[[], object]:
    env = {"STAGE": "test", "LIVEMODE": "false", "STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_API_BASE": server.url}
    api = sdk_client(Settings(env))

    def read() -> object:
        with asking():
            return api.v1.subscriptions.retrieve("sub_1")

    return read


Client = Callable[[BadServer], Callable[[], object]]
CLIENTS = pytest.mark.parametrize("client", [rest, stripe])


class Context:
    def __init__(self, seconds: float) -> None:
        self._millis = int(seconds * 1000)

    def get_remaining_time_in_millis(self) -> int:
        return self._millis


@CLIENTS
@pytest.mark.parametrize("manner", [silent, dribbling, dribbling_head])
def test_one_that_hangs_is_asked_once_and_then_left_alone(server: BadServer, client: Client, manner: Manner) -> None:
    server.manner = manner
    read = client(server)
    with pytest.raises(ProviderUnavailable):
        read()
    asked = server.calls
    assert asked <= 2, "the SDK may try a second time before the way is closed"
    for _ in range(5):
        with pytest.raises(ProviderUnavailable) as left_alone:
            read()
        assert left_alone.value.extensions["reason"] == "left_alone"
        assert int(str(left_alone.value.extensions["retry_after"])) > 0
    assert server.calls == asked, "five innocent ones waited for nobody"


@CLIENTS
@pytest.mark.parametrize(
    "manner", [breaking_off, resetting, answering("503 Service Unavailable"), answering("429 Too Many")]
)
def test_one_that_cannot_serve_is_left_alone_after_some_tries(
    server: BadServer, client: Client, manner: Manner
) -> None:
    server.manner = manner
    read = client(server)
    for _ in range(4):
        with pytest.raises(ProviderUnavailable):
            read()
    asked = server.calls
    with pytest.raises(ProviderUnavailable):
        read()
    assert server.calls == asked


@CLIENTS
def test_an_answer_that_is_too_large_closes_no_way_for_others(
    server: BadServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakers, "_LARGEST", 1000)
    server.manner = answering("200 OK", b" " * 1001)
    read = client(server)
    for asked in range(1, 5):
        with pytest.raises(ProviderUnavailable) as unread:
            read()
        assert (unread.value.extensions["reason"], server.calls) == ("too_large", asked)
    server.manner = answering("200 OK", b'{"id": "sub_1", "object": "subscription"}')
    assert read()


@CLIENTS
def test_nothing_is_begun_that_could_not_end(server: BadServer, client: Client) -> None:
    read = client(server)
    deadline.begin(Context(deadline.RESERVE + 0.05))
    with pytest.raises(ProviderUnavailable) as out_of_time:
        read()
    assert out_of_time.value.extensions["reason"] == "out_of_time"
    assert server.calls == 0


@CLIENTS
@pytest.mark.parametrize("manner", [silent, dribbling, dribbling_head])
def test_one_that_was_given_no_time_is_not_taken_for_away(server: BadServer, client: Client, manner: Manner) -> None:
    """The end of our own invocation says nothing of the provider: the next one asks it."""
    server.manner = manner
    read = client(server)
    deadline.begin(Context(deadline.RESERVE + 0.15))
    with pytest.raises(ProviderUnavailable):
        read()
    deadline.begin(Context(60))
    server.manner = answering("200 OK", b'{"id": "sub_1", "object": "subscription"}')
    assert read()


@CLIENTS
def test_one_that_is_back_is_asked_as_before(
    server: BadServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakers, "_FIRST_PAUSE", 0.2)
    read = client(server)
    with pytest.raises(ProviderUnavailable):
        read()
    server.manner = answering("200 OK", b'{"id": "sub_1", "object": "subscription"}')
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            read()
            break
        except ProviderUnavailable:
            time.sleep(0.1)
    assert read()
    assert read()


def test_a_refusal_is_no_outage(server: BadServer) -> None:
    server.manner = answering("404 Not Found")
    provider = Rest("BTCPay Server", server.url, {}, lambda _: iter(()))
    for _ in range(6):
        assert provider.read("/missing", missing_ok=True) is None
    assert server.calls == 6


# --- the breaker by itself -------------------------------------------------------------------------------------------


def test_each_failed_probe_doubles_the_pause_up_to_two_minutes() -> None:
    now = [1000.0]
    breaker = Breaker("Stripe", lambda: now[0])
    pauses = []
    for _ in range(6):
        breaker.budget()
        breaker.failed(silent=True)
        pause = 0.0
        while True:
            try:
                breaker.budget()
                break
            except ProviderUnavailable:
                pause += 1
                now[0] += 1
        pauses.append(pause)
    assert pauses == [15, 30, 60, 120, 120, 120]


def test_a_provider_says_itself_how_long_it_wants_to_be_left_alone() -> None:
    now = [1000.0]
    breaker = Breaker("Stripe", lambda: now[0])
    breaker.failed(wait=breakers.seconds_of("40"))
    now[0] += 39
    with pytest.raises(ProviderUnavailable):
        breaker.budget()
    now[0] += 1
    assert breaker.budget()


@pytest.mark.parametrize(
    ("header", "seconds"), [("40", 40.0), (None, 0.0), ("", 0.0), ("Wed, 21 Oct 2026", 0.0), ("-1", 0.0)]
)
def test_what_is_no_number_of_seconds_asks_for_none(header: str | None, seconds: float) -> None:
    assert breakers.seconds_of(header) == seconds


def test_going_away_and_coming_back_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    now = [1000.0]
    breaker = Breaker("Stripe", lambda: now[0])
    for _ in range(3):
        breaker.failed(silent=True)
        now[0] += 500
    breaker.answered()
    breaker.answered()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["message"] for line in lines] == ["provider away", "provider back"]
