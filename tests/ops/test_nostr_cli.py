"""`billing nostr`, as an operator types it."""

import re
from collections.abc import Iterator

import pytest

from billing.nostr.keys import Key, npub, plain
from fakes.nostr.relay import Relay
from tests.ops.conftest import OpenStack, billing

KEY = Key(bytes.fromhex("1f" * 32))


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay


def local(open_stack: OpenStack, relays: str, key: str = KEY.secret) -> None:
    open_stack(STAGE="local", NOSTR_LOCAL_RELAYS="true", NOSTR_INDEXES=relays, NOSTR_SERVICE_KEY=key)


def test_a_generated_key_is_one_and_its_public_half_is_shown() -> None:
    output = billing("nostr", "generate").output
    secret, public = re.findall(r"^(?:[0-9a-f]{64}|npub1\w+)$", output, re.M)
    assert npub(Key(bytes.fromhex(secret)).public) == public
    assert secret not in billing("nostr", "generate").output


def test_the_doctor_names_the_key_and_which_relays_answer(open_stack: OpenStack, relay: Relay) -> None:
    local(open_stack, f"{relay.url},ws://127.0.0.1:9")
    answer = billing("nostr", "doctor")
    assert answer.exit_code == 0
    assert f"✓ the service writes as {npub(KEY.public)}" in answer.output
    assert f"✓ {relay.url} answers" in answer.output
    assert "! ws://127.0.0.1:9 does not answer" in answer.output
    assert KEY.secret not in answer.output


def test_the_doctor_fails_where_nobody_can_be_written_to(open_stack: OpenStack, relay: Relay) -> None:
    local(open_stack, relay.url, key="")
    empty = billing("nostr", "doctor")
    assert (empty.exit_code, "billing nostr generate" in empty.output) == (1, True)
    local(open_stack, relay.url, key="no key at all")
    wrong = billing("nostr", "doctor")
    assert (wrong.exit_code, "holds no key" in wrong.output) == (1, True)
    assert "no key at all" not in wrong.output
    local(open_stack, "ws://127.0.0.1:9")
    assert billing("nostr", "doctor").exit_code == 1


def test_an_introduction_is_what_readers_show_of_the_sender(open_stack: OpenStack, relay: Relay) -> None:
    local(open_stack, relay.url)
    assert "The [shop] is published" in billing("nostr", "introduce", "--name", "The [shop]").output
    [profile] = relay.kept
    assert (profile.kind, profile.pubkey) == (0, plain(KEY.public, "npub"))
    assert '"name": "The [shop]"' in profile.content
    relay.refuses = "blocked: not you"
    refused = billing("nostr", "introduce")
    assert (refused.exit_code, "no relay accepted it" in refused.output) == (1, True)
