"""One conversation with one relay (NIP-01, NIP-42), bounded in time and size.

Relays are not trusted: of what one sends, the signature is checked here, and that it was asked for; its meaning by the
caller.

`websockets` without its sockets: it knows the protocol, and no redirects, proxies, compression or threads.
"""

import contextlib
import json
import logging
import re
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from billing import internet
from billing.data import dataclass
from billing.nostr.events import BadEvent, Event, read, signed
from billing.nostr.keys import Key

# The largest message, the most that one conversation may bring, and in how many frames.
MESSAGE_BYTES = 131_072
_MOST_BYTES = 2_000_000
_MOST_MESSAGES = 1_000
# Seconds for the connection with its handshakes, and for a relay's stored events.
OPEN_SECONDS = 5.0
READ_SECONDS = 5.0
# Relays send their challenge when one connects, or with the refusal.
_CHALLENGE_SECONDS = 1.0
_LONGEST_URL = 300
_AUTH = 22242

_LOCAL = re.compile(r"ws://(localhost|127\.0\.0\.1):\d{1,5}(/[!-~]*)?")
_quiet = logging.getLogger("billing.nostr.websocket")
_quiet.setLevel(logging.ERROR)

# Why a relay was of no use. The cause of "unreachable" is not told: callers choose the address, and must not learn what
# is there. "unheard": nobody listens for the event, and the relay does not store it.
Trouble = Literal["unreachable", "refused", "auth_required", "rate_limited", "unheard"]
Filter = Mapping[str, Any]


class RelayTrouble(Exception):
    """`why` is what callers learn; the text is for our log, and says what was found at the address."""

    def __init__(self, why: Trouble, detail: str) -> None:
        super().__init__(detail)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How relays are reached. `local`: on this machine without TLS too, for development. `trust`: certificates in place
    of the public ones, as a file."""

    local: bool = False
    trust: str = ""


def relay_url(text: str, *, local: bool = False) -> str | None:
    """A relay's address in its one spelling; None for an address that we would not connect to."""
    if not text.isprintable() or len(text) > _LONGEST_URL:
        return None
    if local and _LOCAL.fullmatch(text):
        return text.rstrip("/")
    try:
        parts = urlsplit(text)
        port, host = parts.port, internet.host_name(parts.hostname or "")
    except ValueError:
        return None
    if parts.scheme != "wss" or host is None or port not in (None, 443) or "@" in parts.netloc or parts.fragment:
        return None
    if not (parts.path + parts.query).isascii():
        return None
    return f"wss://{host}{parts.path.rstrip('/')}{'?' + parts.query if parts.query else ''}"


class Conversation:
    """An open connection. Every wait ends at `until` (of `time.monotonic`), or when `stop` becomes readable. `key`
    signs where a relay asks who we are; without it such a relay is of no use."""

    def __init__(
        self,
        url: str,
        until: float,
        reach: Reach,
        *,
        key: Key | None = None,
        stop: socket.socket | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Connects. Raises `RelayTrouble`."""
        self._url, self._until, self._key, self._stop, self._clock = url, until, key, stop, clock
        self._bytes = self._messages = self._names = 0
        self._inbox: deque[list[Any]] = deque()
        self._parts: list[bytes] = []
        self._text = False
        self._challenge = self._proof = self._subscription = ""
        self._known: bool | None = None
        self._asked_again = False
        self._gone: RelayTrouble | None = None
        address = parse_uri(url)
        opened_by = min(until, time.monotonic() + OPEN_SECONDS)
        self._protocol = ClientProtocol(address, max_size=MESSAGE_BYTES, logger=_quiet)
        try:
            self._socket = _connected(address.host, address.port, address.secure, opened_by, reach)
        except (OSError, ValueError) as error:  # ssl.SSLError is one; a name that cannot be encoded is the other
            raise RelayTrouble("unreachable", f"{type(error).__name__}: {error}") from None
        try:
            self._shake_hands(opened_by)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *_: object) -> None:
        """Says good-bye, and does not wait for the answer."""
        try:
            self._protocol.send_close(1000)
            self._flush(time.monotonic() + 0.5)
        except (RelayTrouble, WebSocketException):
            pass
        finally:
            self._socket.close()

    # --- what can be asked of a relay --------------------------------------------------------------------------------

    def stored(self, wanted: Filter, seconds: float = READ_SECONDS) -> list[Event]:
        """The stored events that match. Of a list that the relay does not end, what came counts."""
        name, events = self._name(), []
        until = min(self._until, time.monotonic() + seconds)
        try:
            self._send("REQ", name, wanted)
            while (message := self._next(until)) is not None:
                match message:
                    case ["EVENT", str(to), event] if to == name:
                        events += [one for one in self._genuine(event) if _asked_for(one, wanted)]
                    case ["EOSE", str(to)] if to == name:
                        soon = min(until, time.monotonic() + _CHALLENGE_SECONDS)
                        if not events and self._challenged and self._admitted(soon):  # it may show us more
                            self._send("REQ", name, wanted)
                            continue
                        with contextlib.suppress(RelayTrouble):  # it may have hung up since
                            self._send("CLOSE", name)
                        return events
                    case ["CLOSED", str(to), *words] if to == name:
                        if not _asks_who(words) or not self._admitted(until):
                            raise _refusal(words)
                        self._send("REQ", name, wanted)
            raise RelayTrouble("unreachable", "no end of stored events")
        except RelayTrouble:
            if not events:
                raise
            return events

    def subscribe(self, wanted: Filter, fallback: Filter | None = None) -> None:
        """From now on `events` brings what matches. A relay that refuses the filter gets the other one."""
        name = self._subscription = self._name()
        until = min(self._until, time.monotonic() + READ_SECONDS)
        self._send("REQ", name, wanted)
        early: list[list[Any]] = []
        while (message := self._next(until)) is not None:
            match message:
                case ["EOSE", str(to)] if to == name:
                    break
                case ["CLOSED", str(to), *words] if to == name:
                    if _asks_who(words) and self._admitted(until):
                        self._send("REQ", name, wanted)
                    elif fallback is not None:
                        wanted, fallback = fallback, None
                        self._send("REQ", name, wanted)
                    else:
                        raise _refusal(words)
                case _:
                    early.append(message)
        # A relay that stores nothing may send no end of its list: then the wait was long enough.
        self._inbox.extendleft(reversed(early))

    def publish(self, event: Event, seconds: float = READ_SECONDS) -> bool:
        """True when the relay says that it took the event, False when it does not say. Raises `RelayTrouble` for a
        refusal."""
        until = min(self._until, time.monotonic() + seconds)
        self._send("EVENT", event.as_json())
        early: list[list[Any]] = []
        try:
            while (message := self._next(until)) is not None:
                match message:
                    case ["OK", event.id, True, *_]:
                        return True
                    case ["OK", event.id, False, *words]:
                        if _said(words).startswith("duplicate:"):
                            return True
                        if not _asks_who(words) or not self._admitted(until):
                            raise _refusal(words)
                        self._send("EVENT", event.as_json())
                    case _:  # an answer may be here before the receipt
                        early.append(message)
            return False
        finally:
            self._inbox.extendleft(reversed(early))

    def events(self) -> Iterator[Event]:
        """What the subscription brings, genuine events alone, until the time is over or the relay hangs up. Some relays
        say of a list that we closed that it is closed."""
        while (message := self._next(self._until)) is not None:
            match message:
                case ["EVENT", str(), event]:
                    yield from self._genuine(event)
                case ["CLOSED", self._subscription, *_]:
                    raise RelayTrouble("refused", "it ended the subscription")

    # --- NIP-42 ------------------------------------------------------------------------------------------------------

    @property
    def _challenged(self) -> bool:
        return bool(self._challenge or self._proof)

    def _prove(self) -> None:
        """Answers the relay's newest challenge, at once: some keep silent until then."""
        if self._key is None or not self._challenge:
            return
        tags = [["relay", self._url], ["challenge", self._challenge]]
        try:
            proof = signed(self._key, _AUTH, "", tags, int(self._clock()))
        except BadEvent as error:
            raise RelayTrouble("unreachable", f"its challenge: {error}") from None
        self._challenge, self._proof, self._known = "", proof.id, None
        self._send("AUTH", proof.as_json())

    def _admitted(self, until: float) -> bool:
        """Whether the relay knows us by now, so that it can be asked again; once in a conversation."""
        if self._key is None or self._asked_again:
            return False
        early: list[list[Any]] = []
        soon = min(until, time.monotonic() + _CHALLENGE_SECONDS)
        while self._known is None and (message := self._next(until if self._challenged else soon)) is not None:
            early.append(message)
        self._inbox.extendleft(reversed(early))
        self._asked_again = self._known is True
        return self._asked_again

    # --- messages ----------------------------------------------------------------------------------------------------

    def _name(self) -> str:
        self._names += 1
        return f"s{self._names}"

    def _genuine(self, event: Any) -> list[Event]:
        try:
            return [read(event)]
        except BadEvent:
            return []

    def _send(self, *message: Any) -> None:
        try:
            self._protocol.send_text(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode())
        except InvalidState:
            raise self._lost() from None
        self._flush(min(self._until, time.monotonic() + READ_SECONDS))

    def _next(self, until: float) -> list[Any] | None:
        """The next message; None when the time is over. Raises `RelayTrouble` when the relay is gone, after its last
        one."""
        while not self._inbox:
            if self._gone is not None:
                raise self._gone
            if not self._receive(until):
                return None
        return self._inbox.popleft()

    def _receive(self, until: float) -> bool:
        """Reads what is there, waiting for something; False when the time is over."""
        self._prove()
        data = self._read(until)
        if data is None:
            return False
        self._bytes += len(data)
        if self._bytes > _MOST_BYTES:
            raise RelayTrouble("unreachable", "it sends too much")
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
        if not data or self._protocol.parser_exc is not None or self._protocol.close_expected():
            self._gone = self._lost()
        else:
            self._flush(until)  # pongs
        return True

    def _lost(self) -> RelayTrouble:
        why = self._protocol.parser_exc
        hung_up = why is None or isinstance(why, EOFError)
        return RelayTrouble("unreachable", "it hung up" if hung_up else f"not the protocol: {why}")

    def _take(self, frame: Frame) -> None:
        self._messages += 1
        if self._messages > _MOST_MESSAGES:
            raise RelayTrouble("unreachable", "it sends too many messages")
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._parts, self._text = [], frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        try:
            message = json.loads(b"".join(self._parts)) if self._text else None
        except (ValueError, RecursionError):
            message = None
        match message:
            case ["AUTH", str(challenge), *_]:
                self._challenge = challenge[:500]
            case ["OK", self._proof, bool(taken), *_]:
                self._known = taken
        if isinstance(message, list) and message and isinstance(message[0], str):
            self._inbox.append(message)

    # --- bytes -------------------------------------------------------------------------------------------------------

    def _shake_hands(self, until: float) -> None:
        request = self._protocol.connect()
        self._protocol.send_request(request)
        self._flush(until)
        while True:
            data = self._read(until)
            if not data:
                raise RelayTrouble("unreachable", "no answer to the handshake")
            self._protocol.receive_data(data)
            events = self._protocol.events_received()
            if self._protocol.handshake_exc is not None:  # whatever is not 101, a redirect as well
                raise RelayTrouble("unreachable", f"no websocket: {self._protocol.handshake_exc}")
            if events:
                assert isinstance(events[0], Response)
                for event in events[1:]:
                    if isinstance(event, Frame):
                        self._take(event)
                return

    def _read(self, until: float) -> bytes | None:
        """Some bytes, none at the end; None when the time is over. Raises `RelayTrouble`."""
        watched = [self._socket, *([self._stop] if self._stop is not None else [])]
        while (left := until - time.monotonic()) > 0:
            if not _pending(self._socket):
                ready, _, _ = select.select(watched, [], [], left)
                if not ready or (self._stop is not None and self._stop in ready):
                    return None
            try:
                self._socket.setblocking(False)
                return self._socket.recv(65_536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue  # part of a TLS record, or of its housekeeping
            except OSError as error:
                raise RelayTrouble("unreachable", f"{type(error).__name__}: {error}") from None
        return None

    def _flush(self, until: float) -> None:
        data = b"".join(self._protocol.data_to_send())
        if not data:
            return
        try:
            self._socket.settimeout(max(0.001, until - time.monotonic()))
            self._socket.sendall(data)
        except OSError as error:
            raise RelayTrouble("unreachable", f"{type(error).__name__}: {error}") from None


def _connected(host: str, port: int, secure: bool, until: float, reach: Reach) -> socket.socket:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("no time left")
    if not secure:
        if not reach.local:
            raise internet.NotPublic("without TLS")
        return socket.create_connection((host, port), left)
    plain = internet.connect(internet.look_up(host, port, left), until)
    try:
        plain.settimeout(max(0.001, until - time.monotonic()))
        return _context(reach.trust).wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


@cache
def _context(trust: str) -> ssl.SSLContext:
    if not trust:
        import certifi

        trust = certifi.where()
    context = ssl.create_default_context(cafile=trust)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _pending(connection: socket.socket) -> bool:
    """Whether TLS holds bytes that the system no longer shows."""
    return isinstance(connection, ssl.SSLSocket) and connection.pending() > 0


def _asked_for(event: Event, wanted: Filter) -> bool:
    """Whether it is of the kind and by the author of the filter."""
    return event.kind in wanted["kinds"] and event.pubkey in wanted.get("authors", [event.pubkey])


def _said(words: list[Any]) -> str:
    return words[0] if words and isinstance(words[0], str) else ""


def _asks_who(words: list[Any]) -> bool:
    return _said(words).startswith("auth-required:")


def _refusal(words: list[Any]) -> RelayTrouble:
    said = _said(words)
    reasons: dict[str, Trouble] = {
        "rate-limited": "rate_limited",
        "auth-required": "auth_required",
        "restricted": "auth_required",
        "mute": "unheard",
    }
    return RelayTrouble(reasons.get(said.partition(":")[0], "refused"), said[:100])
