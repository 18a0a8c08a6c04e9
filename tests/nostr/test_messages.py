"""A reminder to somebody's own key arrives in their inbox, or it is said why it does not."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from billing.nostr import encryption, gift_wrap, messages
from billing.nostr.events import Event, read, signed
from billing.nostr.keys import Key
from billing.nostr.messages import Inbox, inbox_of, introduce
from billing.nostr.relay import Reach
from billing.nostr.relays import Relays
from fakes.nostr.relay import Relay
from tests.nostr.conftest import LOCAL

SERVICE = Key.new()
TEXT = "Your Pro plan ends on 31 December 2026."


@pytest.fixture
def index() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay


@pytest.fixture
def inbox() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay


@pytest.fixture
def buyer() -> Key:
    return Key.new()


def name(index: Relay, buyer: Key, *inboxes: str, when: int = 0) -> None:
    """The buyer says where their inbox is."""
    tags = [["relay", url] for url in inboxes]
    index.publish(signed(buyer, 10050, "", tags, when or int(time.time())))


def opened(wrap: Event, buyer: Key) -> tuple[Event, dict[str, Any]]:
    """The seal, checked, and the message in it."""
    seal = read(json.loads(encryption.decrypt(wrap.content, buyer, wrap.pubkey)))
    return seal, json.loads(encryption.decrypt(seal.content, buyer, seal.pubkey))


def send(buyer: Key, *indexes: Relay, expires_at: int | None = None) -> str:
    urls = [index.url for index in indexes]
    return send_by(buyer, urls, expires_at=expires_at).outcome


def send_by(buyer: Key, urls: list[str], **of_it: Any) -> messages.Sent:
    once = {"at": int(time.time()), "seed": os.urandom(32), **of_it}
    return messages.send(buyer.public, TEXT, SERVICE, LOCAL, indexes=urls, **once)


def test_it_arrives_and_nobody_else_learns_of_it(index: Relay, inbox: Relay, buyer: Key) -> None:
    name(index, buyer, inbox.url)
    soon = int(time.time()) + 86_400
    assert send(buyer, index, expires_at=soon) == "sent"
    (wrap,) = inbox.passed
    assert (wrap.kind, wrap.tags) == (1059, [["p", buyer.public], ["expiration", str(soon)]])
    assert wrap.pubkey != SERVICE.public
    assert SERVICE.public not in json.dumps(wrap.as_json())
    seal, message = opened(wrap, buyer)
    assert (seal.kind, seal.tags, seal.pubkey) == (13, [], SERVICE.public)
    assert (message["content"], message["pubkey"], message["kind"]) == (TEXT, SERVICE.public, 14)
    assert abs(message["created_at"] - time.time()) < 60
    assert "sig" not in message
    assert index.passed[1:] == []


def test_the_layers_are_dated_apart_and_only_in_the_past(buyer: Key) -> None:
    now, whens = 1_764_370_000, set()
    for _ in range(20):
        wrap, _ = gift_wrap.wrapped(TEXT, SERVICE, buyer.public, now, seed=os.urandom(32))
        seal, message = opened(wrap, buyer)
        assert message["created_at"] == now
        whens |= {wrap.created_at, seal.created_at}
    assert len(whens) > 30
    assert now - 2 * 86_400 <= min(whens) <= max(whens) <= now


def test_each_message_has_a_key_of_its_own(index: Relay, inbox: Relay, buyer: Key) -> None:
    name(index, buyer, inbox.url)
    send(buyer, index)
    send(buyer, index)
    assert len({wrap.pubkey for wrap in inbox.passed}) == 2


def test_sent_again_it_is_the_same_message(index: Relay, inbox: Relay, buyer: Key) -> None:
    """What may have arrived can be sent again: relays and readers know it by its id."""
    name(index, buyer, inbox.url)
    now, seed = int(time.time()), os.urandom(32)
    for _ in range(3):
        assert send_by(buyer, [index.url], at=now, seed=seed).outcome == "sent"
    send_by(buyer, [index.url], at=now, seed=os.urandom(32))
    first, *same, other = (wrap.id for wrap in inbox.passed)
    assert set(same) == {first}
    assert other != first


def test_another_text_under_the_same_seed_repeats_no_key_and_no_nonce(buyer: Key) -> None:
    now, seed = 1_764_370_000, os.urandom(32)
    one, once = gift_wrap.wrapped(TEXT, SERVICE, buyer.public, now, seed=seed)
    other, again = gift_wrap.wrapped(TEXT + ".", SERVICE, buyer.public, now, seed=seed)
    assert once != again
    assert one.content[:40] != other.content[:40]


def test_another_date_under_the_same_seed_repeats_no_key_and_no_nonce(buyer: Key) -> None:
    at, seed = 1_764_370_000, bytes(32)
    wraps = [gift_wrap.wrapped(TEXT, SERVICE, buyer.public, at, seed=seed, dated=at + n)[0] for n in (0, 1, 2)]
    wraps.append(gift_wrap.wrapped(TEXT, SERVICE, buyer.public, at, seed=seed)[0])
    assert len({wrap.pubkey for wrap in wraps}) == len({wrap.content[:40] for wrap in wraps}) == 4
    assert len({opened(wrap, buyer)[1]["id"] for wrap in wraps}) == 1


def test_who_knows_the_seed_alone_cannot_tell_which_message_it_is_of(buyer: Key) -> None:
    seed = os.urandom(32)
    ours, _ = gift_wrap.wrapped(TEXT, SERVICE, buyer.public, 1_764_370_000, seed=seed)
    others, _ = gift_wrap.wrapped(TEXT, Key.new(), buyer.public, 1_764_370_000, seed=seed)
    assert ours.pubkey != others.pubkey


def test_it_names_the_relays_that_took_it(index: Relay, inbox: Relay, buyer: Key) -> None:
    name(index, buyer, inbox.url)
    assert send_by(buyer, [index.url]) == messages.Sent(outcome="sent", relays=("127.0.0.1",))


def test_without_an_inbox_nothing_is_sent(index: Relay, buyer: Key) -> None:
    assert send(buyer, index) == "no_inbox"
    name(index, buyer)
    assert send(buyer, index) == "no_inbox"
    name(index, buyer, "ws://10.0.0.1", "https://example.com", "wss://127.0.0.1", when=int(time.time()) + 1)
    assert send(buyer, index) == "no_inbox"
    assert [event for event in index.passed if event.kind == 1059] == []


def test_not_found_out_is_not_not_there(index: Relay, buyer: Key) -> None:
    with Relay() as gone:
        url = gone.url
    assert inbox_of(buyer.public, LOCAL, [url]) == Inbox(certain=False)
    assert send_by(buyer, [url]).outcome == "not_looked"
    assert inbox_of(buyer.public, LOCAL, [url, index.url]) == Inbox(certain=True)


def test_an_inbox_that_somebody_else_named_is_none(index: Relay, inbox: Relay, buyer: Key) -> None:
    """A relay that answers with another's list cannot have messages sent there."""
    name(index, Key.new(), inbox.url)
    index.kept = [*index.kept]
    index._matches = lambda event, wanted: True  # type: ignore[method-assign]
    assert send(buyer, index) == "no_inbox"
    assert inbox.passed == []


def test_the_newest_list_counts(index: Relay, inbox: Relay, buyer: Key) -> None:
    with Relay() as second:
        name(index, buyer, "ws://127.0.0.1:1", when=int(time.time()) - 100)
        name(second, buyer, inbox.url)
        assert send(buyer, index, second) == "sent"
    assert len(inbox.passed) == 1


def test_one_inbox_of_several_is_enough(index: Relay, inbox: Relay, buyer: Key) -> None:
    with Relay() as gone:
        url = gone.url
    name(index, buyer, url, inbox.url)
    assert send(buyer, index) == "sent"


def test_a_relay_that_takes_nothing_of_days_ago_gets_it_dated_now(index: Relay, inbox: Relay, buyer: Key) -> None:
    inbox.oldest = 0
    inbox.clock.advance(-30)
    name(index, buyer, inbox.url)
    assert send(buyer, index) == "sent"
    assert len(inbox.passed) == 1


def test_a_relay_that_takes_what_is_recent_alone_gets_it_hours_later(index: Relay, inbox: Relay, buyer: Key) -> None:
    """A reminder that is tried again: the wrap is new, the message in it is the one of the first try."""
    inbox.oldest = 900
    name(index, buyer, inbox.url)
    at, seed = int(time.time()) - 6 * 3600, os.urandom(32)
    assert send_by(buyer, [index.url], at=at, seed=seed).outcome == "sent"
    (wrap,) = inbox.passed
    assert opened(wrap, buyer)[1]["created_at"] == at
    assert wrap.created_at > at + 6 * 3600 - 60


def test_a_relay_that_asks_who_we_are_is_told_no_more_than_the_key_of_this_message(
    index: Relay, inbox: Relay, buyer: Key
) -> None:
    inbox.asks_who = "refuses"
    name(index, buyer, inbox.url)
    assert send(buyer, index) == "sent"
    (wrap,) = inbox.passed
    assert inbox.authenticated == [wrap.pubkey]


def test_refused_and_unreachable_are_said_apart(index: Relay, inbox: Relay, buyer: Key) -> None:
    name(index, buyer, inbox.url)
    inbox.refuses = "restricted: members alone"
    assert send(buyer, index) == "refused"
    with Relay() as gone:
        url = gone.url
    name(index, buyer, url, when=int(time.time()) + 1)
    assert send(buyer, index) == "unreachable"


def test_what_is_no_key_is_not_written_to() -> None:
    with pytest.raises(ValueError, match="key"):
        messages.send("f" * 64, TEXT, SERVICE, Relays(reach=Reach()), at=0, seed=bytes(32))


def test_the_service_says_who_it_is(index: Relay) -> None:
    assert introduce(SERVICE, "BitSleuth", "Reminders of plans that end.", LOCAL, [index.url])
    (profile,) = index.kept
    assert (profile.kind, profile.pubkey, json.loads(profile.content)["name"]) == (0, SERVICE.public, "BitSleuth")
