"""Relays that mean harm, or do not mean anything: none holds us up, fills us up, or leads us elsewhere."""

import base64
import contextlib
import datetime
import hashlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from billing import internet
from billing.internet import is_public
from billing.nostr import relay as module
from billing.nostr import relays as several
from billing.nostr.events import Event, signed
from billing.nostr.keys import Key
from billing.nostr.relay import Conversation, Reach, RelayTrouble
from billing.nostr.relays import Relays
from fakes.nostr.relay import Relay

LOCAL = Reach(local=True)
WANTED = {"kinds": [1]}
RESET = "ConnectionResetError: [Errno 104] Connection reset by peer"
Serve = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_SECONDS", 0.6)


class Raw:
    """A server that does with each connection what it is told."""

    def __init__(self, serve: Serve, context: ssl.SSLContext | None = None) -> None:
        self._serve, self._context = serve, context
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self.connections = 0
        self._over = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._context is None:
                self._serve(connection)
            else:
                with self._context.wrap_socket(connection, server_side=True) as over_tls:
                    self._serve(over_tls)

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()


def shake_hands(connection: socket.socket) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(4096)
    key = next(line for line in request.decode().split("\r\n") if line.lower().startswith("sec-websocket-key"))
    digest = hashlib.sha1((key.partition(": ")[2] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()  # noqa: S324
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


def frame(data: bytes, first: int = 0x81, length: int | None = None) -> bytes:
    """A whole text frame, or one that claims another length."""
    length = len(data) if length is None else length
    if length < 126:
        size = bytes([length])
    elif length < 65_536:
        size = b"\x7e" + struct.pack("!H", length)
    else:
        size = b"\x7f" + struct.pack("!Q", length)
    return bytes([first]) + size + data


def message(*parts: Any) -> bytes:
    return frame(json.dumps(parts).encode())


def after_hands(*data: bytes, pause: float = 0.0, stay: bool = True) -> Serve:
    """Shakes hands, sends this, and stays on the line."""

    def serve(connection: socket.socket) -> None:
        shake_hands(connection)
        for part in data:
            connection.sendall(part)
            time.sleep(pause)
        while stay and connection.recv(4096):
            pass

    return serve


def dribble(data: bytes) -> Serve:
    def serve(connection: socket.socket) -> None:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    return serve


def silent(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def asked(url: str, seconds: float = 1.5, reach: Reach = LOCAL) -> tuple[list[Any], float]:
    """What the relay keeps, and how long it took. Raises `RelayTrouble`."""
    began = time.monotonic()
    with Conversation(url, began + seconds, reach) as relay:
        found = relay.stored(WANTED, seconds)
    return found, time.monotonic() - began


def fails(serve: Serve, seconds: float = 1.5) -> str:
    """The detail of the trouble, which comes within the time."""
    began = time.monotonic()
    with Raw(serve) as raw, pytest.raises(RelayTrouble) as trouble:
        asked(raw.url, seconds)
    assert time.monotonic() - began < seconds + 1
    assert trouble.value.why == "unreachable"
    return str(trouble.value)


# --- the beginning ---------------------------------------------------------------------------------------------------


def test_one_that_takes_the_call_and_says_nothing() -> None:
    assert "handshake" in fails(silent)


def test_one_that_answers_a_letter_at_a_time() -> None:
    assert "handshake" in fails(dribble(b"HTTP/1.1 101 Switching Protocols\r\n" + b"X-Slow: yes\r\n" * 100))


def test_one_that_sends_elsewhere_is_not_followed() -> None:
    with Raw(silent) as other:
        location = f"http://127.0.0.1:{other.port}/"

        def redirect(connection: socket.socket) -> None:
            connection.recv(4096)
            connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())

        assert "302" in fails(redirect)
        assert other.connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nok",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\x00" * 5000,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
        b"",
    ],
)
def test_what_is_no_websocket(answer: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer)

    fails(serve)


def test_no_time_is_left_to_begin() -> None:
    with Raw(silent) as raw, pytest.raises(RelayTrouble):
        Conversation(raw.url, time.monotonic() - 1, LOCAL)
    assert raw.connections == 0


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_a_message_that_arrives_a_byte_at_a_time_is_not_waited_for() -> None:
    def serve(connection: socket.socket) -> None:
        shake_hands(connection)
        dribble(message("NOTICE", "x" * 100))(connection)

    assert "no end" in fails(serve)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (frame(b"", length=1 << 40), "not the protocol"),
        (frame(b"x" * 200_000), "not the protocol"),
        (frame(b"[" * 100_000, 0x01) + frame(b"[" * 100_000, 0x80), "not the protocol"),  # too large in two parts
        (frame(b"x", 0xC1), "not the protocol"),  # compressed, which was not agreed
        (frame(b"\xff\xfe"), ""),
        (b"\xff" * 100, "not the protocol"),
    ],
    ids=["a terabyte", "too large", "too large in two", "compressed", "no text", "nonsense"],
)
def test_frames_that_are_none_or_too_large(data: bytes, why: str) -> None:
    assert why in fails(after_hands(data))


def test_a_flood_of_messages_ends() -> None:
    assert "too many" in fails(after_hands(*[message("NOTICE", "x")] * 3_000), 10)


def test_a_flood_of_bytes_ends() -> None:
    assert "too much" in fails(after_hands(*[message("NOTICE", "x" * 60_000)] * 60), 10)


def test_a_flood_of_pings_ends() -> None:
    assert "too many" in fails(after_hands(*[frame(b"x" * 120, 0x89)] * 3_000), 10)


def test_nonsense_is_passed_over() -> None:
    nonsense = [
        frame(b"{"),
        frame(b"[" * 50_000),
        frame(b"{}"),
        frame(b"[]"),
        frame(b"[1]"),
        frame(b'["EVENT"]'),
        frame(b'["EVENT","s1"]'),
        frame(b'["EVENT","s1",null]'),
        frame(b'["EOSE"]'),
        frame(b'["OK"]'),
        frame(b'["AUTH"]'),
        frame(b'["AUTH",1]'),
        frame(b'["CLOSED"]'),
        frame(b'["EOSE","another"]'),
        frame(b"\x00\x01", 0x82),
        message("EOSE", "s1"),
    ]
    with Raw(after_hands(*nonsense)) as raw:
        assert asked(raw.url)[0] == []


def test_forged_events_are_none() -> None:
    genuine = signed(Key.new(), 1, "text", [], 1_700_000_000)
    forged = {**genuine.as_json(), "content": "other"}
    stolen = {**genuine.as_json(), "pubkey": Key.new().public}
    data = [message("EVENT", "s1", event) for event in (forged, stolen, genuine.as_json())]
    with Raw(after_hands(*data, message("EOSE", "s1"))) as raw:
        assert asked(raw.url)[0] == [genuine]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["rate-limited: wait"], "rate_limited"),
        (["auth-required: who?"], "auth_required"),
        (["restricted: members"], "auth_required"),
        (["error: x"], "refused"),
        ([], "refused"),
        ([None], "refused"),
    ],
)
def test_refusals_have_their_reason(words: list[Any], why: str) -> None:
    with Raw(after_hands(message("CLOSED", "s1", *words))) as raw, pytest.raises(RelayTrouble) as trouble:
        asked(raw.url)
    assert trouble.value.why == why


def test_one_that_hangs_up() -> None:
    assert fails(after_hands(message("NOTICE", "bye"), stay=False), 5) in ("it hung up", RESET)


def test_one_that_says_good_bye() -> None:
    assert "hung up" in fails(after_hands(frame(struct.pack("!H", 1000), 0x88)))


GOOD_BYE = frame(struct.pack("!H", 1000), 0x88)


def once_asked(*data: bytes) -> Serve:
    """Waits for what we ask, answers it all at once, and hangs up."""

    def serve(connection: socket.socket) -> None:
        shake_hands(connection)
        connection.recv(4096)
        connection.sendall(b"".join(data))

    return serve


@pytest.mark.parametrize("end", [b"", GOOD_BYE, frame(b"{", 0x83)], ids=["gone", "good-bye", "nonsense"])
def test_what_it_said_before_it_hung_up_counts(end: bytes) -> None:
    event = signed(Key.new(), 1, "text", [], 1_700_000_000)
    with Raw(once_asked(message("EVENT", "s1", event.as_json()), message("EOSE", "s1"), end)) as raw:
        assert asked(raw.url)[0] == [event]
    for words, taken in (([True, ""], True), ([False, "duplicate: known"], True)):
        with Raw(once_asked(message("OK", event.id, *words), end)) as raw:
            assert published(raw.url, event) is taken
    with (
        Raw(once_asked(message("OK", event.id, False, "blocked: no"), end)) as raw,
        pytest.raises(RelayTrouble) as trouble,
    ):
        published(raw.url, event)
    assert trouble.value.why == "refused"


def published(url: str, event: Event) -> bool:
    with Conversation(url, time.monotonic() + 1.5, LOCAL) as relay:
        return relay.publish(event)


def test_what_was_not_asked_for_is_passed_over() -> None:
    """Another relay that is slower still tells."""
    key = Key.new()
    event, other, stranger = signed(key, 1, "", [], 1), signed(key, 7, "", [], 1), signed(Key.new(), 1, "", [], 1)

    def late(connection: socket.socket) -> None:
        shake_hands(connection)
        time.sleep(several._GRACE + 0.3)
        connection.sendall(message("EVENT", "s1", event.as_json()) + message("EOSE", "s1"))
        silent(connection)

    odd = [message("EVENT", "s1", one.as_json()) for one in (other, stranger)]
    with Raw(after_hands(*odd, message("EOSE", "s1"))) as hasty, Raw(late) as slow:
        found = Relays(reach=LOCAL).fetch([hasty.url, slow.url], {"kinds": [1], "authors": [key.public]}, 5)
    assert found.events == [event]


def test_one_that_confirms_what_we_closed_has_not_ended_what_we_listen_to() -> None:
    event = signed(Key.new(), 1, "text", [], 1_700_000_000)
    said = [
        message("EOSE", "s1"),
        message("CLOSED", "s1", ""),
        message("EOSE", "s2"),
        message("EVENT", "s2", event.as_json()),
        message("CLOSED", "s2", "error: shutting down"),
    ]
    with Raw(after_hands(*said)) as raw, Conversation(raw.url, time.monotonic() + 1.5, LOCAL) as relay:
        relay.stored(WANTED)
        relay.subscribe(WANTED)
        assert relay.publish(event, 0.1) is False
        heard = relay.events()
        assert next(heard) == event
        with pytest.raises(RelayTrouble) as trouble:
            next(heard)
    assert trouble.value.why == "refused"


def test_what_came_of_a_list_without_an_end_counts() -> None:
    event = signed(Key.new(), 1, "text", [], 1_700_000_000)
    with Raw(after_hands(message("EVENT", "s1", event.as_json()))) as raw:
        assert asked(raw.url, 0.5)[0] == [event]


def test_one_that_asks_who_we_are_and_takes_no_answer_is_not_waited_for() -> None:
    began = time.monotonic()
    with (
        Raw(after_hands(message("AUTH", "challenge"), message("EOSE", "s1"))) as raw,
        Conversation(raw.url, began + 10, LOCAL, key=Key.new()) as relay,
    ):
        assert relay.stored(WANTED) == []
    assert time.monotonic() - began < 3


def test_a_challenge_that_nobody_can_sign_holds_up_no_other_relay() -> None:
    """Half a surrogate pair is text in JSON, but none in UTF-8."""
    event = signed(Key.new(), 1, "text", [], 1_700_000_000)
    odd = after_hands(frame(b'["AUTH","\\ud800"]'), message("EOSE", "s1"))
    sound = after_hands(message("EVENT", "s1", event.as_json()), message("EOSE", "s1"))
    with Raw(odd) as hostile, Raw(sound) as raw:
        found = Relays(reach=LOCAL).fetch([hostile.url, raw.url], WANTED, 5, Key.new())
    assert found.events == [event]


def test_what_came_of_a_list_before_it_hung_up_counts() -> None:
    event = signed(Key.new(), 1, "text", [], 1_700_000_000)
    shown = message("EVENT", "s1", event.as_json())
    for end in ([GOOD_BYE], [b""], [message("CLOSED", "s1", "rate-limited: later")]):
        with Raw(after_hands(shown, *end, pause=0.1, stay=False)) as raw:
            assert asked(raw.url)[0] == [event]


def test_a_message_in_parts_with_a_ping_between_is_one() -> None:
    whole = json.dumps(["EOSE", "s1"]).encode()
    with Raw(after_hands(frame(whole[:4], 0x01), frame(b"", 0x89), frame(whole[4:], 0x80))) as raw:
        assert asked(raw.url)[0] == []


# --- TLS and names ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """Of relay.example.com, signed by itself: the file, and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("relay.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "relay.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return file, context


Lead = Callable[[int], None]


@pytest.fixture
def names_lead_to(monkeypatch: pytest.MonkeyPatch) -> Lead:
    """Every name leads to a port of this machine, whose address passes for a public one."""
    monkeypatch.setattr(internet, "is_public", lambda address: address == "127.0.0.1")

    def lead(port: int) -> None:
        answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)

    return lead


def test_over_tls_with_the_name_that_was_asked_for(
    certificate: tuple[Path, ssl.SSLContext], names_lead_to: Lead
) -> None:
    file, context = certificate
    with Raw(after_hands(message("EOSE", "s1")), context) as raw:
        names_lead_to(raw.port)
        reach = Reach(trust=str(file))
        assert asked("wss://relay.example.com", reach=reach)[0] == []
        with pytest.raises(RelayTrouble, match="CERTIFICATE"):
            asked("wss://other.example.com", reach=reach)
        with pytest.raises(RelayTrouble, match="CERTIFICATE"):
            asked("wss://relay.example.com", reach=Reach())


@pytest.mark.parametrize("serve", [silent, dribble(b"\x16\x03\x03\x00\x7a" + b"\x02" * 100)])
def test_a_tls_handshake_that_does_not_end(serve: Serve, names_lead_to: Lead) -> None:
    with Raw(serve) as raw:
        names_lead_to(raw.port)
        began = time.monotonic()
        with pytest.raises(RelayTrouble):
            asked("wss://relay.example.com", reach=Reach())
        assert time.monotonic() - began < 3


def test_part_of_a_tls_record_does_not_hold_us_up(
    certificate: tuple[Path, ssl.SSLContext], names_lead_to: Lead
) -> None:
    file, context = certificate

    def serve(connection: socket.socket) -> None:
        shake_hands(connection)
        raw = connection.detach()
        with socket.socket(fileno=raw) as plain:
            plain.sendall(b"\x17\x03\x03\x01\x00" + b"x" * 10)  # a record of 256 bytes that does not go on
            time.sleep(4)

    with Raw(serve, context) as raw:
        names_lead_to(raw.port)
        with pytest.raises(RelayTrouble, match="no end"):
            asked("wss://relay.example.com", reach=Reach(trust=str(file)))


def test_a_name_that_leads_into_our_network_is_not_called(names_lead_to: Lead, monkeypatch: pytest.MonkeyPatch) -> None:
    with Raw(silent) as raw:
        names_lead_to(raw.port)
        monkeypatch.setattr(internet, "is_public", is_public)
        with pytest.raises(RelayTrouble) as trouble:
            asked("wss://relay.example.com", reach=Reach())
        assert trouble.value.why == "unreachable"
        assert raw.connections == 0


def test_without_tls_only_where_it_is_allowed() -> None:
    with Raw(silent) as raw, pytest.raises(RelayTrouble):
        asked(raw.url, reach=Reach())
    assert raw.connections == 0


# --- several at once -------------------------------------------------------------------------------------------------


def test_a_name_server_that_hangs_holds_up_nobody(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for a name has no limit of its own: the thread is left behind, and says nothing later on."""
    event = signed(Key.new(), 1, "text", [], 1_700_000_000)
    woken, connected = threading.Event(), module._connected

    def hang(*arguments: Any) -> socket.socket:
        woken.wait(10)
        return connected(*arguments)

    monkeypatch.setattr(module, "_connected", hang)
    began = time.monotonic()
    delivered = Relays(reach=LOCAL).publish([relay.url], event, 0.4)
    assert time.monotonic() - began < 2
    assert (delivered.taken, delivered.unsure) == ([], [])
    before = threading.active_count()
    woken.set()
    until = time.monotonic() + 5
    while threading.active_count() >= before and time.monotonic() < until:
        time.sleep(0.02)
    assert relay.passed == []


def test_what_was_sent_without_a_receipt_may_have_arrived() -> None:
    event = signed(Key.new(), 1, "text", [], 1_700_000_000)
    with Raw(after_hands()) as raw:
        delivered = Relays(reach=LOCAL).publish([raw.url], event, 1.0)
    assert (delivered.taken, delivered.unsure) == ([], [raw.url])


def test_the_newest_of_several_relays_counts() -> None:
    key = Key.new()
    old, new = (signed(key, 10_002, "", [], when) for when in (1_700_000_000, 1_700_000_001))
    with Relay() as one, Relay() as two:
        one.publish(old)
        two.publish(new)
        found = Relays(reach=LOCAL).fetch([one.url, two.url], {"kinds": [10_002]}, 5)
    assert found.newest == new
    assert sorted(found.answered) == sorted([one.url, two.url])


def test_no_more_than_three_are_asked() -> None:
    with Raw(after_hands(message("EOSE", "s1"))) as raw:
        Relays(reach=LOCAL).fetch([f"{raw.url}/{i}" for i in range(9)], WANTED, 5)
        assert raw.connections == several.MOST


def test_a_fault_of_ours_is_raised_and_not_taken_for_the_relay_s(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a fault")

    monkeypatch.setattr(Conversation, "stored", broken)
    with pytest.raises(KeyError):
        Relays(reach=LOCAL).fetch([relay.url], WANTED, 5)


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay
