"""A stand-in for a Nostr relay on loopback: NIP-01, NIP-42 on demand, and quirks of real relays as switches.

    python -m fakes.nostr.relay --port 8724

Events of kinds 20000 to 29999 are passed on but not stored; of replaceable events only the newest is stored.
"""

import contextlib
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

import typer
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from billing.nostr.events import BadEvent, Event, read
from fakes.base import Clock

Filter = Mapping[str, Any]
_AUTH = 22242


class Relay:
    """`with Relay() as relay: relay.url`. The switches:

    `refuses`: refuses every event with this message (`rate-limited: …`). `asks_who`: serves only authenticated clients
    (NIP-42); it `refuses` others, `waits` until they answer, or `hides` what it stores from them. `knows_tags` False:
    refuses filters by tag; `ignores_tags`: accepts them but does not apply them. `deaf`: accepts events but passes none
    on. `silent_end`: sends no EOSE. `repeats`: how often it passes each event on. `oldest`: maximum age of an event in
    seconds.
    """

    def __init__(self, port: int = 0, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.refuses = ""
        self.ignores_tags = self.deaf = self.silent_end = False
        self.asks_who: Literal["", "refuses", "waits", "hides"] = ""
        self.knows_tags = True
        self.repeats = 1
        self.oldest: int | None = None
        self.kept: list[Event] = []
        self.passed: list[Event] = []
        """All accepted events, in order."""
        self.authenticated: list[str] = []
        self.listeners: list[Callable[[Event], None]] = []
        self._lock = threading.RLock()
        self._subscriptions: dict[tuple[ServerConnection, str], list[Filter]] = {}
        self._server = serve(self._serve, "127.0.0.1", port, max_size=131_072, compression=None)
        self.port: int = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        with self._lock:
            open_ones = {connection for connection, _ in self._subscriptions}
        for connection in open_ones:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(2)
        self._thread.join(timeout=5)

    def publish(self, event: Event) -> None:
        """Accepts an event as if a client had sent it."""
        with self._lock:
            self.passed.append(event)
            self._keep(event)
            receivers = (
                []
                if self.deaf
                else [
                    (connection, name)
                    for (connection, name), filters in self._subscriptions.items()
                    if any(self._matches(event, wanted) for wanted in filters)
                ]
            )
            listeners = [] if self.deaf else list(self.listeners)
        for connection, name in receivers * self.repeats:
            _send(connection, "EVENT", name, event.as_json())
        for listener in listeners * self.repeats:
            listener(event)

    def forget(self, kind: int, author: str) -> None:
        """Deletes the author's events of a kind, as if the author had deleted them or the relay had lost them."""
        with self._lock:
            self.kept = [event for event in self.kept if (event.kind, event.pubkey) != (kind, author)]

    def listened_for(self, kind: int) -> bool:
        """Whether a client subscribes to events of this kind."""
        with self._lock:
            return any(
                kind in wanted.get("kinds", []) for filters in self._subscriptions.values() for wanted in filters
            )

    # --- one client --------------------------------------------------------------------------------------------------

    def _serve(self, connection: ServerConnection) -> None:
        challenge, let_in = secrets.token_hex(16), not self.asks_who
        kept_waiting: list[tuple[str, list[Filter]]] = []
        if not let_in:
            _send(connection, "AUTH", challenge)
        try:
            for message in connection:
                match _decoded(message):
                    case ["AUTH", event] if self._answers(challenge, event):
                        let_in = True
                        _send(connection, "OK", event["id"], True, "")
                        for name, filters in kept_waiting:
                            self._subscribe(connection, name, filters)
                    case ["AUTH", {"id": str(named)}]:
                        _send(connection, "OK", named, False, "restricted: not the answer")
                    case ["REQ", str(name), *filters] if not let_in and self.asks_who == "waits":
                        kept_waiting.append((name, filters))
                    case ["REQ", str(name), *_] if not let_in and self.asks_who == "hides":
                        _send(connection, "EOSE", name)
                    case ["REQ", str(name), *_] if not let_in:
                        _send(connection, "CLOSED", name, "auth-required: who are you?")
                    case ["REQ", str(name), *filters]:
                        self._subscribe(connection, name, filters)
                    case ["CLOSE", str(name)]:
                        with self._lock:
                            self._subscriptions.pop((connection, name), None)
                    case ["EVENT", {"id": str(named)}] if not let_in:
                        _send(connection, "OK", named, False, "auth-required: who are you?")
                    case ["EVENT", event]:
                        self._take(connection, event)
                    case _:
                        _send(connection, "NOTICE", "not understood")
        except ConnectionClosed:
            pass
        finally:
            with self._lock:
                for key in [key for key in self._subscriptions if key[0] is connection]:
                    del self._subscriptions[key]

    def _answers(self, challenge: str, sent: Any) -> bool:
        try:
            event = read(sent)
        except BadEvent:
            return False
        right = event.kind == _AUTH and event.values("challenge") == [challenge] and event.values("relay") == [self.url]
        if right:
            self.authenticated.append(event.pubkey)
        return right

    def _subscribe(self, connection: ServerConnection, name: str, filters: list[Filter]) -> None:
        if not self.knows_tags and any(key.startswith("#") for wanted in filters for key in wanted):
            _send(connection, "CLOSED", name, "unsupported: filters by tag")
            return
        with self._lock:
            self._subscriptions[connection, name] = filters
            by_id = {
                event.id: event
                for wanted in filters
                for event in sorted(
                    (event for event in self.kept if self._matches(event, wanted)), key=lambda e: -e.created_at
                )[: wanted.get("limit", 500)]
            }
        for event in by_id.values():
            _send(connection, "EVENT", name, event.as_json())
        if not self.silent_end:
            _send(connection, "EOSE", name)

    def _take(self, connection: ServerConnection, sent: Any) -> None:
        try:
            event = read(sent)
        except BadEvent:
            named = sent.get("id") if isinstance(sent, dict) else None
            _send(connection, "OK", named, False, "invalid: not a genuine event")
            return
        too_old = self.oldest is not None and event.created_at < self.clock.now() - self.oldest
        if self.refuses or too_old:
            _send(connection, "OK", event.id, False, self.refuses or "invalid: timestamp too far off")
            return
        self.publish(event)
        _send(connection, "OK", event.id, True, "")

    def _keep(self, event: Event) -> None:
        if 20_000 <= event.kind < 30_000:
            return
        if event.kind in (0, 3) or 10_000 <= event.kind < 20_000:
            older = [e for e in self.kept if (e.kind, e.pubkey) == (event.kind, event.pubkey)]
            if any(e.created_at > event.created_at for e in older):
                return
            self.kept = [e for e in self.kept if e not in older]
        self.kept.append(event)

    def _matches(self, event: Event, wanted: Filter) -> bool:
        tags = {} if self.ignores_tags else {key[1:]: values for key, values in wanted.items() if key.startswith("#")}
        return (
            event.id in wanted.get("ids", [event.id])
            and event.kind in wanted.get("kinds", [event.kind])
            and event.pubkey in wanted.get("authors", [event.pubkey])
            and wanted.get("since", 0) <= event.created_at <= wanted.get("until", event.created_at)
            and all(set(event.values(name)) & set(values) for name, values in tags.items())
        )


def _decoded(message: str | bytes) -> Any:
    try:
        return json.loads(message)
    except ValueError:
        return None


def _send(connection: ServerConnection, *message: Any) -> None:
    with contextlib.suppress(ConnectionClosed):
        connection.send(json.dumps(message))


def main(port: int = 8724) -> None:
    """Serves the stand-in on loopback until interrupted."""
    with Relay(port) as relay:
        print(f"relay on {relay.url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    typer.run(main)
