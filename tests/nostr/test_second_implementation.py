"""What we send and accept is not judged by our own code alone: `nostr-tools` reads and writes the same, and Alby's
wallet service plays the wallet."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.nostr import encryption
from billing.nostr.connection import Connection
from billing.nostr.events import read, signed
from billing.nostr.gift_wrap import wrapped
from billing.nostr.keys import Key, npub, plain
from billing.nostr.wallet import Wallets
from fakes.lightning import bolt11
from fakes.nostr.relay import Relay
from fakes.nostr.wallet import REQUEST

SECOND = Path(__file__).parent / "second"
# Control characters other than these are written in two ways by implementations; nobody sends them.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="".join(map(chr, range(32)))), min_size=1)

TAGS = st.lists(st.lists(TEXTS, min_size=1, max_size=3), max_size=3)


def judged(*asked: list[Any]) -> list[Any]:
    done = subprocess.run(
        ["node", SECOND / "judge.mjs"], input=json.dumps(asked), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def test_keys_are_the_same() -> None:
    keys = [Key.new() for _ in range(20)]
    publics = judged(*(["publicKey", key.secret] for key in keys))
    assert publics == [key.public for key in keys]
    assert judged(*(["npub", key.public] for key in keys)) == [npub(key.public) for key in keys]
    assert [plain(nsec, "nsec") for nsec in judged(*(["nsec", key.secret] for key in keys))] == [k.secret for k in keys]


@settings(max_examples=3, deadline=None)
@given(st.lists(st.tuples(TEXTS, TAGS), min_size=20, max_size=20))
def test_events_are_the_same(cases: list[tuple[str, list[list[str]]]]) -> None:
    key = Key.new()
    cases = [*cases, ('\n"\\\r\t\b\f', [["e", "\u2028\x7f"]])]
    ours = [signed(key, 1, text, tags, 1_700_000_000).as_json() for text, tags in cases]
    assert judged(*(["verify", event] for event in ours)) == [True] * len(ours)
    assert judged(*(["hash", event] for event in ours)) == [event["id"] for event in ours]
    templates = [{name: event[name] for name in ("kind", "content", "tags", "created_at")} for event in ours]
    for event, theirs in zip(ours, judged(*(["sign", one, key.secret] for one in templates)), strict=True):
        assert read({name: theirs[name] for name in event}).id == event["id"]


def test_forged_events_are_forged_for_both() -> None:
    event = signed(Key.new(), 1, "text", [], 1_700_000_000).as_json()
    assert judged(["verify", {**event, "content": "other"}], ["verify", {**event, "created_at": 1}]) == [False, False]


@settings(max_examples=3, deadline=None)
@given(st.lists(TEXTS, min_size=20, max_size=20))
def test_both_encryptions_are_read_on_both_sides(texts: list[str]) -> None:
    ours, theirs = Key.new(), Key.new()
    texts = [*texts, "x" * 60_000]
    for name, write, back in (
        ("", encryption.encrypt, encryption.decrypt),
        ("Nip04", encryption.encrypt_nip04, encryption.decrypt_nip04),
    ):
        sent = [write(text, ours, theirs.public) for text in texts]
        assert judged(*([f"decrypt{name}", one, theirs.secret, ours.public] for one in sent)) == texts
        received = judged(*([f"encrypt{name}", text, theirs.secret, ours.public] for text in texts))
        assert [back(one, ours, theirs.public) for one in received] == texts


def test_a_changed_text_is_refused_by_both() -> None:
    ours, theirs = Key.new(), Key.new()
    sent = encryption.encrypt("pay 5", ours, theirs.public)
    changed = sent[:60] + ("A" if sent[60] != "A" else "B") + sent[61:]
    (answer,) = judged(["decrypt", changed, theirs.secret, ours.public])
    assert "refused" in answer
    with pytest.raises(encryption.CannotRead):
        encryption.decrypt(changed, theirs, ours.public)


@pytest.mark.parametrize("later", [None, 0, 3_600])
def test_a_direct_message_is_read(later: int | None) -> None:
    service, buyer, now = Key.new(), Key.new(), 1_764_370_000
    dated = None if later is None else now + later
    text = "Dein Plan endet am 2026-12-31 – 49 €"
    event, once = wrapped(text, service, buyer.public, now, seed=os.urandom(32), expires_at=now + 86_400, dated=dated)
    found, genuine, stranger = judged(
        ["unwrap", event.as_json(), buyer.secret], ["verify", event.as_json()], ["unwrap", event.as_json(), once.secret]
    )
    assert genuine is True
    assert "refused" in stranger
    assert {name: found[name] for name in ("content", "kind", "pubkey", "created_at", "tags")} == {
        "content": text,
        "kind": 14,
        "pubkey": service.public,
        "created_at": now,
        "tags": [["p", buyer.public]],
    }
    assert "sig" not in found
    (named,) = judged(["hash", found])
    assert named == found["id"]


# --- the wallet ------------------------------------------------------------------------------------------------------

PREIMAGE = "17" * 32


@contextmanager
def alby(relay: Relay, wallet: Key, client: Key, *more: str) -> Iterator[list[str]]:
    """Alby's wallet service at the relay; the lines that it prints."""
    command = ["node", str(SECOND / "wallet.mjs"), relay.url, wallet.secret, client.public, PREIMAGE, *more]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            until = time.monotonic() + 10
            while not relay.listened_for(REQUEST):  # its subscription is on its way
                assert time.monotonic() < until
                time.sleep(0.01)
            yield lines
        finally:
            process.terminate()
            lines += process.stdout.read().splitlines()


def invoice() -> str:
    return bolt11(msat=5_000_000, preimage=PREIMAGE, created_at=int(time.time()), seconds=600)


@pytest.fixture
def connection(relay: Relay) -> tuple[Connection, Key]:
    wallet = Key.new()
    return Connection(wallet=wallet.public, relays=(relay.url,), key=Key.new()), wallet


def test_the_other_wallet_pays(relay: Relay, wallets: Wallets, connection: tuple[Connection, Key]) -> None:
    ours, key = connection
    text, until = invoice(), int(time.time()) + 300
    with alby(relay, key, ours.key) as lines:
        looked = wallets.info(ours)
        assert looked.info is not None
        assert looked.info.encryption == "nip44_v2"
        assert looked.info.methods == {"pay_invoice", "get_info"}
        found = wallets.pay(ours, text, until)
    assert (found.outcome, found.proven) == ("paid", True)
    assert [json.loads(line) for line in lines] == [{"invoice": text}]


def test_the_other_wallet_pays_as_wallets_did_before(
    relay: Relay, wallets: Wallets, connection: tuple[Connection, Key]
) -> None:
    """By NIP-04, because its info event names nothing else."""
    ours, key = connection
    with alby(relay, key, ours.key) as lines:
        relay.publish(signed(key, 13194, "pay_invoice", [["encryption", "nip04"]], int(time.time()) + 10))
        found = wallets.pay(ours, invoice(), int(time.time()) + 300)
    assert (found.outcome, found.proven) == ("paid", True)
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        ("QUOTA_EXCEEDED", "refused", "quota_exceeded"),
        ("EXPIRED", "refused", "expired"),
        ("PAYMENT_FAILED", "unknown", "failed"),
        ("WHO_KNOWS", "unknown", "other"),
    ],
)
def test_the_other_wallet_refuses(
    code: str, outcome: str, reason: str, relay: Relay, wallets: Wallets, connection: tuple[Connection, Key]
) -> None:
    ours, key = connection
    with alby(relay, key, ours.key, code):
        found = wallets.pay(ours, invoice(), int(time.time()) + 300)
    assert (found.outcome, found.reason, found.code) == (outcome, reason, code)
