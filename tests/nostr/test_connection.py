"""Connection strings as wallets write them, and as people paste them."""

import pytest

from billing.errors import InvalidRequest
from billing.nostr import bech32
from billing.nostr.connection import Connection
from billing.nostr.keys import Key, npub
from billing.nostr.relay import relay_url

# The same in every process: the names of the tests are made of them.
WALLET, OURS = Key(b"\x11" * 32), Key(b"\x22" * 32)
RELAY = "wss%3A%2F%2Frelay.example.com%2Fv1"
NSEC = bech32.encode("nsec", bech32.regroup(bytes.fromhex(OURS.secret), 8, 5, pad=True))


@pytest.mark.parametrize(
    "text",
    [
        f"nostr+walletconnect://{WALLET.public}?relay={RELAY}&secret={OURS.secret}",
        f"  nostr+walletconnect://{WALLET.public}?relay={RELAY}&secret={OURS.secret}\n",
        f"\ufeffnostr+walletconnect://{WALLET.public}?relay={RELAY}\r\n&secret={OURS.secret[:9]} {OURS.secret[9:]}",
        f"\u2066nostr+walletconnect://{WALLET.public}?relay={RELAY}&\u00adsecret={OURS.secret}\u2069\u00a0\u200b",
        f"nostr+walletconnect:{WALLET.public}?relay={RELAY}&secret={OURS.secret}",
        f"nostrwalletconnect://{WALLET.public}?relay=wss://relay.example.com/v1&secret={OURS.secret}",
        f"NOSTR+WALLETCONNECT://{WALLET.public.upper()}?relay={RELAY}&secret={OURS.secret.upper()}",
        f"nostr+walletconnect://{npub(WALLET.public)}?relay={RELAY}&secret={NSEC}",
        f"nostr+walletconnect://?pubkey={WALLET.public}&relay={RELAY}&secret={OURS.secret}",
        f"nostr+walletconnect://{WALLET.public}?pubkey={WALLET.public}&secret={OURS.secret}&relay={RELAY}&lud16=me%40my.name",
        f"nostr+walletconnect://{WALLET.public}/?relay={RELAY}&relay={RELAY}&secret={OURS.secret}",
        f"nostr+walletconnect://{WALLET.public}?relay=ws://127.0.0.1:7777&relay={RELAY}&secret={OURS.secret}",
    ],
)
def test_every_spelling_is_the_same_connection(text: str) -> None:
    found = Connection.parse(text)
    assert found == Connection(wallet=WALLET.public, relays=("wss://relay.example.com/v1",), key=OURS)
    assert found.text() == f"nostr+walletconnect://{WALLET.public}?relay={RELAY}&secret={OURS.secret}"
    assert Connection.parse(found.text()) == found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "wallet_connection_unreadable"),
        ("lnbc1", "wallet_connection_unreadable"),
        (f"https://example.com/{WALLET.public}?relay={RELAY}", "wallet_connection_unreadable"),
        ("nostr+walletconnect://", "wallet_connection_incomplete"),
        (f"nostr+walletconnect://{WALLET.public}", "wallet_connection_incomplete"),
        (f"nostr+walletconnect://{WALLET.public}?relay={RELAY}", "wallet_connection_incomplete"),
        (f"nostr+walletconnect://{WALLET.public}?secret={OURS.secret}", "wallet_connection_incomplete"),
        (
            f"nostr+walletconnect://{WALLET.public}?relay={RELAY}&secret={OURS.secret[:60]}",
            "wallet_connection_unreadable",
        ),
        (f"nostr+walletconnect://{WALLET.public}?relay={RELAY}&secret={'0' * 64}", "wallet_connection_unreadable"),
        (f"nostr+walletconnect://{'f' * 64}?relay={RELAY}&secret={OURS.secret}", "wallet_connection_unreadable"),
        (
            f"nostr+walletconnect://{WALLET.public}?relay={RELAY}&secret={OURS.secret}" + "&x=" * 3000,
            "wallet_connection_unreadable",
        ),
        (f"nostr+walletconnect://{WALLET.public}?relay=ws://127.0.0.1:1&secret={OURS.secret}", "wallet_relay_refused"),
    ],
)
def test_what_is_wrong_is_said_by_a_code_and_never_repeated(text: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Connection.parse(text)
    assert refused.value.code == code
    assert OURS.secret[:20] not in f"{refused.value!r} {refused.value.detail} {refused.value.extensions}"


def test_a_connection_prints_no_secret() -> None:
    connection = Connection(wallet=WALLET.public, relays=(), key=OURS)
    assert OURS.secret not in repr(connection)


def test_three_relays_are_enough() -> None:
    relays = "".join(f"&relay=wss://relay{i}.example.com" for i in range(9))
    assert len(Connection.parse(f"nostr+walletconnect://{WALLET.public}?secret={OURS.secret}{relays}").relays) == 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("wss://relay.example.com", "wss://relay.example.com"),
        ("wss://relay.example.com/", "wss://relay.example.com"),
        ("WSS://Relay.Example.COM:443/Path/?a=1", "wss://relay.example.com/Path?a=1"),
        ("wss://bücher.example", "wss://xn--bcher-kva.example"),
        ("ws://relay.example.com", None),
        ("https://relay.example.com", None),
        ("wss://relay.example.com:7777", None),
        ("wss://relay.example.com:99999", None),
        ("wss://user:pass@relay.example.com", None),
        ("wss://relay.example.com/#x", None),
        ("wss://localhost", None),
        ("wss://127.0.0.1", None),
        ("wss://127.1", None),
        ("wss://2130706433", None),
        ("wss://0x7f000001", None),
        ("wss://0177.0.0.1", None),
        ("wss://[::1]", None),
        ("wss://[::ffff:127.0.0.1]", None),
        ("wss://relay", None),
        ("wss://relay.example.com.", None),
        ("wss://re lay.example.com", None),
        ("wss://relay.example.com/\r\nHost: other", None),
        ("wss://relay.example.com/é", None),
        ("wss://" + "a" * 400 + ".com", None),
        ("wss://" + "a" * 70 + ".com", None),
        ("wss://-a.com", None),
        ("wss://[", None),
        ("", None),
    ],
)
def test_relays_that_may_be_reached(text: str, found: str | None) -> None:
    assert relay_url(text) == found


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("ws://127.0.0.1:7777", True),
        ("ws://localhost:7777/path", True),
        ("wss://relay.example.com", True),
        ("ws://127.0.0.2:7777", False),
        ("ws://localhost.example.com:7777", False),
        ("ws://127.0.0.1:80@example.com", False),
        ("ws://relay.example.com", False),
    ],
)
def test_on_this_machine_only_where_it_is_allowed(text: str, allowed: bool) -> None:
    assert (relay_url(text, local=True) is not None) is allowed
