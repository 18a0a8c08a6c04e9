"""A stand-in for a buyer's Nostr client (NIP-17), with a page that shows its messages.

It has a key, publishes the stand-in relay as its inbox, and decrypts the messages sent to it. Like any client it drops
messages whose author is not the one who sealed them.
"""

import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from billing.nostr import encryption
from billing.nostr.events import BadEvent, Event, digest_of, read, signed
from billing.nostr.gift_wrap import MESSAGE, SEAL, WRAP
from billing.nostr.keys import Key, npub
from fakes.base import Answer, App, Clock, Request, redirect
from fakes.nostr.relay import Relay
from fakes.pages import actions, button, clock_time, facts_list, page

PROFILE, INBOX = 0, 10050


@dataclass(frozen=True, slots=True)
class Message:
    """One direct message. `sender`: a public key in hex; `at`: the time that the message states."""

    id: str
    sender: str
    at: int
    text: str


class Reader(App):
    """`memory`: a file that keeps the state."""

    def __init__(self, relay: Relay, clock: Clock | None = None, memory: Path | None = None) -> None:
        super().__init__(clock)
        self._relay, self._memory = relay, memory
        self._key, self.listed = Key.new(), True
        self._wraps: list[Event] = []
        if memory is not None and memory.exists():
            stored = json.loads(memory.read_text())
            self._key, self.listed = Key(bytes.fromhex(stored["key"])), stored["listed"]
            self._wraps = [read(wrap) for wrap in stored["wraps"]]
        relay.listeners.append(self._received)
        self.list_inbox(self.listed)
        self.route("GET", "/", self._home)
        self.route("POST", "/inbox", self._set_inbox)
        self.route("POST", "/key", self._set_key)

    # --- actions of its owner ----------------------------------------------------------------------------------------

    @property
    def npub(self) -> str:
        return npub(self._key.public)

    def become_another(self) -> None:
        """Switches to a new key without messages."""
        self._key, self._wraps = Key.new(), []
        self.list_inbox(True)

    def list_inbox(self, listed: bool) -> None:
        """Publishes the relay as its inbox, or an empty list of inboxes."""
        self.listed = listed
        older = [e.created_at for e in self._relay.kept if (e.kind, e.pubkey) == (INBOX, self._key.public)]
        at = max(self.clock.now(), *(when + 1 for when in older), 0)
        tags = [["relay", self._relay.url]] if listed else []
        self._relay.publish(signed(self._key, INBOX, "", tags, at))
        self._remember()

    @property
    def messages(self) -> list[Message]:
        """The genuine messages to this key, newest first and without duplicates."""
        opened = {message.id: message for wrap in self._wraps if (message := self._open(wrap)) is not None}
        return sorted(opened.values(), key=lambda message: message.at)[::-1]

    @property
    def code(self) -> str | None:
        """The six-digit code of the newest message that contains one."""
        matches = (re.search(r"\b\d{6}\b", message.text) for message in self.messages)
        return next((match[0] for match in matches if match), None)

    def _open(self, wrap: Event) -> Message | None:
        try:
            seal = read(json.loads(encryption.decrypt(wrap.content, self._key, wrap.pubkey)))
            inner: dict[str, Any] = json.loads(encryption.decrypt(seal.content, self._key, seal.pubkey))
        except (BadEvent, ValueError):
            return None
        digest = digest_of(inner["pubkey"], inner["created_at"], inner["kind"], inner["tags"], inner["content"])
        genuine = (seal.kind, inner["kind"]) == (SEAL, MESSAGE) and inner["pubkey"] == seal.pubkey
        if not genuine or inner["id"] != digest.hex():
            return None
        return Message(inner["id"], seal.pubkey, inner["created_at"], inner["content"])

    def _received(self, event: Event) -> None:
        if event.kind == WRAP and self._key.public in event.values("p"):
            with self._lock:
                self._wraps.append(event)
                self._remember()

    def _name_of(self, sender: str) -> str:
        """The name in the sender's profile or, without one, its key."""
        profile = next((e.content for e in self._relay.kept if (e.kind, e.pubkey) == (PROFILE, sender)), "{}")
        try:
            name = json.loads(profile).get("name")
        except (ValueError, AttributeError):
            name = None
        return name if isinstance(name, str) else f"a stranger, {npub(sender)[:16]}…"

    def _remember(self) -> None:
        if self._memory is not None:
            wraps = [wrap.as_json() for wrap in self._wraps]
            self._memory.touch(mode=0o600)
            self._memory.write_text(json.dumps({"key": self._key.secret, "listed": self.listed, "wraps": wraps}))

    # --- its page ----------------------------------------------------------------------------------------------------

    def _home(self, _: Request) -> Answer:
        messages = self.messages
        listed = "at the stand-in relay" if self.listed else "nowhere: nobody can write to it"
        rows = "".join(
            f"<tr><td>{clock_time(one.at)}<br>{escape(self._name_of(one.sender))}</td>"
            f'<td style="white-space: pre-line">{escape(one.text)}</td></tr>'
            for one in messages
        )
        table = f"<table><tr><th>When, from whom</th><th>What</th></tr>{rows}</table>"
        code = f'<p class="status" role="status">Code to type: {self.code}</p>' if self.code else ""
        body = (
            '<label for="npub">Public key: copy it into the shop</label>'
            f'<textarea id="npub" readonly rows="2">{self.npub}</textarea>'
            + facts_list({"Inbox": listed})
            + code
            + f"<h2>Messages</h2>{table if messages else '<p>None yet.</p>'}"
            + '<p><a class="button" href="/">Look again</a></p>'
            + "<h2>Its owner</h2>"
            + actions(
                [
                    button("/inbox", "Name no inbox", fields={"listed": ""})
                    if self.listed
                    else button("/inbox", "Name an inbox", primary=True, fields={"listed": "yes"}),
                    button("/key", "Be somebody else, with a new key"),
                ]
            )
        )
        return page("Messages", body, provider="a Nostr reader")

    def _set_inbox(self, request: Request) -> Answer:
        self.list_inbox(bool(request.form.get("listed")))
        return redirect("/")

    def _set_key(self, _: Request) -> Answer:
        self.become_another()
        return redirect("/")
