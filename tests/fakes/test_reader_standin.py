"""The stand-in for a buyer's reader of messages: what it shows was really written to its key, and by whom it says."""

import json
import os
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing.nostr import encryption, messages
from billing.nostr.events import digest_of, signed
from billing.nostr.gift_wrap import MESSAGE, SEAL, WRAP
from billing.nostr.keys import Key, plain
from billing.nostr.relay import Reach
from billing.nostr.relays import Relays
from fakes.base import Request
from fakes.nostr.reader import Reader
from fakes.nostr.relay import Relay

SHOP = Key.new()


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay


def write(relay: Relay, reader: Reader, text: str, seed: bytes | None = None, at: int | None = None) -> str:
    by = Relays(reach=Reach(local=True))
    to = plain(reader.npub, "npub")
    at = at or int(time.time())
    return messages.send(to, text, SHOP, by, indexes=[relay.url], at=at, seed=seed or os.urandom(32)).outcome


def post(reader: Reader, path: str, **form: str) -> None:
    answer = reader.handle(Request(method="POST", path=path, body=urllib.parse.urlencode(form).encode()))
    assert answer is not None
    assert answer.status == 303


def page(reader: Reader) -> str:
    answer = reader.handle(Request(method="GET", path="/"))
    assert answer is not None
    return answer.body.decode()


def test_it_shows_its_key_what_came_for_it_and_the_code_to_type(relay: Relay) -> None:
    reader = Reader(relay)
    assert reader.npub in page(reader)
    assert "None yet." in page(reader)
    assert write(relay, reader, "Your code: 123456.\n<b>Ask</b> us.", at=int(time.time()) - 60) == "sent"
    assert write(relay, reader, "A later message, without one.") == "sent"
    shown = page(reader)
    assert "Code to type: 123456" in shown
    assert "&lt;b&gt;Ask" in shown
    assert shown.index("A later message") < shown.index("Your code")
    assert "a stranger" in shown
    relay.publish(signed(SHOP, 0, json.dumps({"name": "The <shop>"}), [], int(time.time())))
    assert "The &lt;shop&gt;" in page(reader)


def test_the_same_message_is_shown_once(relay: Relay) -> None:
    reader, seed, at = Reader(relay), os.urandom(32), int(time.time())
    for _ in range(2):
        assert write(relay, reader, "Soon.", seed, at) == "sent"
    assert [message.text for message in reader.messages] == ["Soon."]


def test_without_an_inbox_nobody_can_write_to_it(relay: Relay) -> None:
    reader = Reader(relay)
    post(reader, "/inbox", listed="")
    assert "nowhere" in page(reader)
    assert write(relay, reader, "Lost.") == "no_inbox"
    post(reader, "/inbox", listed="yes")
    assert write(relay, reader, "Found.") == "sent"
    assert [message.text for message in reader.messages] == ["Found."]


def test_what_claims_to_be_of_somebody_else_is_not_shown(relay: Relay) -> None:
    reader, forger, now = Reader(relay), Key.new(), int(time.time())
    to = plain(reader.npub, "npub")
    id_ = digest_of(SHOP.public, now, MESSAGE, [["p", to]], "Pay me.").hex()
    named = {
        "id": id_,
        "pubkey": SHOP.public,
        "created_at": now,
        "kind": MESSAGE,
        "tags": [["p", to]],
        "content": "Pay me.",
    }
    seal = signed(forger, SEAL, encryption.encrypt(json.dumps(named), forger, to), [], now)
    once = Key.new()
    relay.publish(signed(once, WRAP, encryption.encrypt(json.dumps(seal.as_json()), once, to), [["p", to]], now))
    relay.publish(signed(once, WRAP, "not a message", [["p", to]], now))
    assert reader.messages == []


def test_it_is_the_same_reader_after_a_restart_and_another_when_told(relay: Relay, tmp_path: Path) -> None:
    kept = tmp_path / "reader.json"
    first = Reader(relay, memory=kept)
    assert write(relay, first, "Code 654321") == "sent"
    again = Reader(relay, memory=kept)
    assert (again.npub, again.code) == (first.npub, "654321")
    post(again, "/key")
    assert (again.npub == first.npub, again.messages) == (False, [])
