"""A request to an address that somebody typed in: where it may go, whom it trusts, and that it ends."""

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from billing import internet, outgoing
from billing.outgoing import Reply, Unreachable, place_of, post

NAME = "hooks.example.com"


Leads = Callable[..., None]


@pytest.fixture
def leads(monkeypatch: pytest.MonkeyPatch) -> Leads:
    """Says to which addresses names lead, each time that one is asked for."""

    def leads(*answers: tuple[str, ...]) -> None:
        left = list(answers)

        def look_up(host: str, port: int, **_: object) -> list[Any]:
            assert left, f"{host} was looked up"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in left.pop(0)]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return leads


def test_one_private_address_among_several_refuses_the_name(leads: Leads) -> None:
    leads(("93.184.216.34", "10.0.0.1"))
    with pytest.raises(Unreachable) as refused:
        place_of(f"https://{NAME}/")
    assert refused.value.code == "private_address"


@pytest.mark.parametrize("inside", ["10.0.0.1", "::ffff:127.0.0.1", "fe80::1%1", "64:ff9b::7f00:1"])
def test_a_name_that_was_public_when_it_was_set_is_refused_when_it_is_not_any_more(
    monkeypatch: pytest.MonkeyPatch, leads: Leads, inside: str
) -> None:
    leads(("93.184.216.34",), (inside,))
    monkeypatch.setattr(outgoing, "connect", lambda *_: pytest.fail("it was connected to"))
    assert place_of(f"https://{NAME}/").addresses
    with pytest.raises(Unreachable) as refused:
        post(f"https://{NAME}/", {}, b"{}", 2)
    assert refused.value.code == "private_address"


@pytest.mark.parametrize(
    "url",
    [
        f"https://user@{NAME}/",
        f"https://@{NAME}/",
        f"https://{NAME}@10.0.0.1/",
        f"https://{NAME}:22/",
        f"https://{NAME}:0/",
        f"https://{NAME}:80/",
        f"https://{NAME}:99999/",
        f"https://{NAME}:443:443/",
        f"https://{NAME}./",
        f"https://{NAME}\\@10.0.0.1/",
        f"https://{NAME}/\r\nhost: elsewhere",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://0x7f.1/",
        "https://127.1/",
    ],
)
def test_what_is_no_name_of_the_internet_on_a_usual_port_is_not_even_looked_up(leads: Leads, url: str) -> None:
    leads()
    with pytest.raises(Unreachable) as refused:
        place_of(url)
    assert refused.value.code == "bad_url"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://localhost/", "https://127.0.0.1/"])
def test_a_host_of_this_machine_is_for_a_stack_of_this_machine_alone(url: str) -> None:
    assert place_of(url, at_home=True).addresses
    with pytest.raises(Unreachable):
        place_of(url)


def test_a_name_that_leads_nowhere(leads: Leads) -> None:
    leads(())
    with pytest.raises(Unreachable) as refused:
        place_of(f"https://{NAME}/")
    assert refused.value.code == "unknown_host"


# --- a server that does what a test says -----------------------------------------------------------------------------


class Server:
    """Accepts one connection after the other, and hands each to `serve`; keeps what it was sent."""

    def __init__(self, serve: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.asked: list[bytes] = []
        self._serve, self._tls = serve, tls
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            try:
                with self._tls.wrap_socket(plain, server_side=True) if self._tls else plain as connection:
                    self.asked.append(connection.recv(65536))
                    self._serve(connection)
            except OSError:
                plain.close()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


Start = Callable[..., Server]


@pytest.fixture
def start() -> Iterator[Start]:
    servers = []

    def start(serve: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(serve, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def says(text: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(text)


def send(server: Server, seconds: float = 2.0) -> Reply:
    return post(f"http://127.0.0.1:{server.port}/a?b=c", {"webhook-id": "evt_1"}, b"{}", seconds, at_home=True)


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", Reply(204, 0)),
        (b"HTTP/1.0 500\r\nRetry-After: 120\r\n\r\nand more", Reply(500, 120)),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Reply(200, 0)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\nendless", Reply(200, 0)),
    ],
)
def test_the_head_of_an_answer_is_all_that_is_read(start: Start, text: bytes, reply: Reply) -> None:
    server = start(says(text))
    assert send(server) == reply
    assert server.asked[0].startswith(f"POST /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n".encode())
    assert server.asked[0].endswith(b"webhook-id: evt_1\r\n\r\n{}")


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        (lambda: formatdate(time.time() + 600, usegmt=True), range(595, 601)),
        (lambda: formatdate(time.time() - 600, usegmt=True), range(1)),
        (lambda: "in a while", range(1)),
        (lambda: "Wed, 99 Oct 99999 07:28:00 GMT", range(1)),
        (lambda: "31536000", range(31_536_000, 31_536_001)),
        (lambda: "-5", range(1)),
        (lambda: "1e9", range(1)),
    ],
)
def test_a_time_to_come_back_may_be_a_date(start: Start, after: Callable[[], str], seconds: range) -> None:
    assert send(start(says(f"HTTP/1.1 503 Away\r\nretry-after: {after()}\r\n\r\n".encode()))).retry_after in seconds


def test_a_redirect_is_an_answer_and_nobody_else_is_asked(start: Start) -> None:
    elsewhere = start(says(b"HTTP/1.1 200 OK\r\n\r\n"))
    server = start(says(f"HTTP/1.1 307 Gone\r\nlocation: http://127.0.0.1:{elsewhere.port}/\r\n\r\n".encode()))
    assert send(server).status == 307
    assert not elsewhere.asked


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "broken_off"),
        (b"HTTP/1.1 20", "broken_off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "broken_off"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 5_000, "broken_off"),
    ],
)
def test_what_is_no_answer_is_none(start: Start, text: bytes, code: str) -> None:
    with pytest.raises(Unreachable) as failed:
        send(start(says(text)))
    assert failed.value.code == code


def test_nobody_listens(start: Start) -> None:
    server = start(says(b""))
    server.close()
    with pytest.raises(Unreachable) as failed:
        send(server)
    assert failed.value.code == "connect_failed"
    server.close = lambda: None  # type: ignore[method-assign]


def _drips(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(100):
        time.sleep(0.05)
        connection.sendall(b"x")


def _goes_on(connection: socket.socket) -> None:
    ends_at = time.monotonic() + 3
    while time.monotonic() < ends_at:
        connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")


@pytest.mark.parametrize(
    "serve",
    [lambda connection: time.sleep(3), _drips, _goes_on],
    ids=["silent", "drop by drop", "not yet, not yet"],
)
def test_an_answer_that_does_not_end_is_not_waited_for(start: Start, serve: Callable[[socket.socket], None]) -> None:
    server = start(serve)
    with pytest.raises(Unreachable) as failed:
        send(server, seconds=0.4)
    assert failed.value.code == "timed_out", "whoever waits is told something else when it ends"


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for NAME and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "identity.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure(start: Start, identity: Path, leads: Leads, monkeypatch: pytest.MonkeyPatch) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity)
    server = start(says(b"HTTP/1.1 200 OK\r\n\r\n"), context)
    leads(("127.0.0.1",))  # once: a second look might lead elsewhere
    monkeypatch.setattr(internet, "is_public", lambda address: True)
    monkeypatch.setattr(outgoing, "PORTS", (server.port,))
    return server


def test_the_connection_goes_to_the_address_that_was_checked_and_asks_for_the_name(
    secure: Server, identity: Path
) -> None:
    trust = ssl.create_default_context(cafile=str(identity))
    assert post(f"https://{NAME}:{secure.port}/", {}, b"{}", 3, tls=trust) == Reply(200, 0)
    assert f"host: {NAME}:{secure.port}\r\n".encode() in secure.asked[0]


@pytest.mark.parametrize("name", [NAME, "other.example.com"])
def test_whoever_cannot_prove_the_name_is_told_nothing(secure: Server, identity: Path, name: str) -> None:
    trust = ssl.create_default_context(cafile=str(identity)) if name != NAME else None
    with pytest.raises(Unreachable) as failed:
        post(f"https://{name}:{secure.port}/", {}, b"secret", 3, tls=trust)
    assert failed.value.code == "tls_failed"
    assert not any(b"secret" in asked for asked in secure.asked)
