"""The page of the stand-in wallet: one can do there by hand whatever a wallet's owner does."""

import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing.nostr.connection import Connection
from fakes.base import Answer, Request
from fakes.nostr.relay import Relay
from fakes.nostr.wallet import INFO, Wallet
from fakes.nostr.wallet_kinds import KINDS, MODES


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay


def post(wallet: Wallet, path: str, **form: str) -> Answer:
    body = urllib.parse.urlencode(form).encode()
    answer = wallet.handle(Request(method="POST", path=path, body=body))
    assert answer is not None
    assert answer.status == 303
    return answer


def page(wallet: Wallet, path: str = "/") -> str:
    answer = wallet.handle(Request(method="GET", path=path))
    assert answer is not None
    assert answer.status == 200
    return answer.body.decode()


def test_a_connection_is_given_out_changed_and_removed(relay: Relay) -> None:
    wallet = Wallet(relay, lambda bolt11: None)
    at = post(wallet, "/connections", name="A <shop>", budget_sat="5000", renewal="yearly", days="30").headers[
        "Location"
    ]
    shown = page(wallet, at)
    string = re.search(r"nostr\+walletconnect://[^<]+", shown)
    assert string
    connection = Connection.parse(string[0].replace("&amp;", "&"), local=True)
    assert (connection.wallet, connection.relays) == (wallet.public, (relay.url,))
    assert "0 of 5,000 sat used, yearly" in shown
    assert "A &lt;shop&gt;" in shown
    post(wallet, at, act="budget", budget_sat="")
    assert "all that the wallet holds" in page(wallet, at)
    post(wallet, at, act="expire")
    assert "expired" in page(wallet)
    post(wallet, at, act="remove")
    assert "removed" in page(wallet)
    assert [event for event in relay.kept if event.kind == INFO] == []


@pytest.mark.parametrize("mode", MODES)
def test_each_way_of_the_wallet_can_be_chosen(mode: str, relay: Relay) -> None:
    wallet = Wallet(relay, lambda bolt11: None)
    post(wallet, "/wallet", mode=mode)
    assert f"The wallet {MODES[mode]}." in page(wallet)


@pytest.mark.parametrize("kind", KINDS)
def test_each_wallet_announces_itself(kind: str, relay: Relay) -> None:
    wallet = Wallet(relay, lambda bolt11: None)
    post(wallet, "/wallet", kind=kind)
    (info,) = [event for event in relay.kept if event.kind == INFO]
    assert info.content == KINDS[kind].methods
    assert info.values("encryption") == ([KINDS[kind].encryptions] if KINDS[kind].encryptions else [])


def test_it_outlives_the_process_for_this_user_alone(relay: Relay, tmp_path: Path) -> None:
    memory = tmp_path / "wallet.json"
    before = Wallet(relay, lambda bolt11: None, memory=memory)
    given = before.connect(budget_sat=7_000)
    after = Wallet(relay, lambda bolt11: None, memory=memory)
    assert after.public == before.public
    assert after.connections[given.id] == given
    assert memory.stat().st_mode & 0o077 == 0
