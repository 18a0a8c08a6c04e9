"""A wallet is asked to pay: what it says, what that is worth, and what may be concluded."""

import threading
import time

import pytest

from billing import deadline
from billing.nostr import wallet as module
from billing.nostr.bolt11 import BadInvoice, decode
from billing.nostr.connection import Connection
from billing.nostr.events import signed
from billing.nostr.keys import Key
from billing.nostr.relay import Reach
from billing.nostr.relays import Relays
from billing.nostr.wallet import Budget, Info, Looked, Payment, Wallets
from fakes.nostr.relay import Relay
from fakes.nostr.wallet import INFO, RESPONSE, Wallet
from fakes.nostr.wallet_kinds import KINDS
from tests.nostr.conftest import Till, connected


def soon(seconds: int = 600) -> int:
    return int(time.time()) + seconds


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is silence after two seconds."""
    monkeypatch.setattr(module, "PAY_SECONDS", 2.0)
    monkeypatch.setattr(module, "READ_SECONDS", 2.0)


def encryption_of(kind: str) -> str:
    return "nip44_v2" if "nip44_v2" in KINDS[kind].encryptions else "nip04"


@pytest.mark.parametrize("kind", KINDS)
def test_every_wallet_is_read_and_pays(kind: str, wallet: Wallet, wallets: Wallets, till: Till) -> None:
    wallet.become(kind)
    connection, invoice = connected(wallet), till.invoice()
    looked = wallets.info(connection)
    assert looked.state == "found"
    assert looked.info is not None
    assert looked.info.encryption == encryption_of(kind)
    assert Info.of_json(looked.info.as_json()) == looked.info
    found = wallets.pay(connection, invoice, soon())
    assert (found.outcome, found.proven, found.info) == ("paid", KINDS[kind].preimage, looked.info)
    assert till.state(invoice) == "Settled"
    assert wallet.paid == [decode(invoice).payment_hash]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("kind", KINDS)
def test_what_each_wallet_says_no_with(kind: str, wallet: Wallet, wallets: Wallets, till: Till) -> None:
    wallet.become(kind)
    small, over = connected(wallet, budget_sat=100), connected(wallet, seconds=0)
    used_up = wallets.pay(small, till.invoice(), soon())
    expired = wallets.pay(over, till.invoice(), soon())
    assert (used_up.outcome, used_up.reason) == (
        "refused",
        "insufficient_balance" if kind == "Zeus" else "quota_exceeded",
    )
    words = {"Zeus": "restricted", "Electrum": "unauthorized", "LNbits": "unauthorized"}
    assert (expired.outcome, expired.reason) == ("refused", words.get(kind, "expired"))
    assert wallet.paid == []


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("mode", "outcome", "reason", "proven", "paid"),
    [
        ("pay", "paid", "", True, True),
        ("no preimage", "paid", "", False, True),
        ("liar", "paid", "", False, False),
        ("false failure", "unknown", "internal", False, True),
        ("fail", "unknown", "internal", False, False),
        ("empty", "refused", "insufficient_balance", False, False),
        ("busy", "refused", "rate_limited", False, False),
        ("silent", "unknown", "silence", False, True),
        ("slow", "unknown", "silence", False, True),
        ("gone", "unknown", "silence", False, False),
        ("offline", "unknown", "silence", False, False),
    ],
)
def test_what_a_wallet_says_and_what_it_does(
    mode: str, outcome: str, reason: str, proven: bool, paid: bool, wallet: Wallet, wallets: Wallets, till: Till
) -> None:
    connection, invoice = connected(wallet), till.invoice()
    wallet.play(mode)
    found = wallets.pay(connection, invoice, soon())
    assert (found.outcome, found.reason, found.proven) == (outcome, reason, proven)
    assert (till.state(invoice) == "Settled") is paid


def test_words_that_nobody_knows_are_no_refusal(wallet: Wallet, wallets: Wallets, till: Till) -> None:
    wallet.become("Zeus")
    wallet.play("fail")
    found = wallets.pay(connected(wallet), till.invoice(), soon())
    assert (found.outcome, found.reason, found.code) == ("unknown", "other", "FAILED_TO_PAY_INVOICE")


@pytest.mark.usefixtures("hasty")
def test_a_wallet_that_was_away_pays_when_it_is_back(
    wallet: Wallet, wallets: Wallets, connection: Connection, till: Till
) -> None:
    """Nobody listens any more, and the provider alone hears of it."""
    invoice = till.invoice()
    wallet.play("offline")
    assert wallets.pay(connection, invoice, soon()).outcome == "unknown"
    assert till.state(invoice) == "New"
    wallet.play("pay")
    assert till.state(invoice) == "Settled"


def test_the_same_invoice_again_is_not_paid_again(
    wallet: Wallet, wallets: Wallets, connection: Connection, till: Till
) -> None:
    invoice = till.invoice()
    assert wallets.pay(connection, invoice, soon()).outcome == "paid"
    assert wallets.pay(connection, invoice, soon()).outcome == "unknown"
    assert len(wallet.paid) == 1


@pytest.mark.usefixtures("hasty")
def test_a_removed_connection_is_silent_and_its_info_is_gone(wallet: Wallet, wallets: Wallets, till: Till) -> None:
    given = wallet.connect()
    connection = Connection.parse(wallet.string_of(given), local=True)
    known = wallets.info(connection).info
    wallet.remove(given)
    assert wallets.info(connection) == Looked(state="absent")
    assert wallets.pay(connection, till.invoice(), soon()) == Payment(outcome="not_delivered", reason="no_info")
    asked_all_the_same = wallets.pay(connection, till.invoice(), soon(), known)
    assert asked_all_the_same == Payment(outcome="unknown", reason="silence")


# --- what a wallet tells of itself -----------------------------------------------------------------------------------


def test_a_budget_is_told_in_millisatoshis(wallet: Wallet, wallets: Wallets, till: Till) -> None:
    connection = connected(wallet, budget_sat=50_000, renewal="yearly")
    invoice = till.invoice()
    wallets.pay(connection, invoice, soon())
    found = wallets.budget(connection)
    assert isinstance(found, Budget)
    used = decode(invoice).amount_msat
    assert (found.used_msat, found.total_msat, found.renewal) == (used, 50_000_000, "yearly")
    assert found.renews_at is not None
    assert found.renews_at > time.time()


def test_no_budget_is_no_limit(wallet: Wallet, wallets: Wallets) -> None:
    assert wallets.budget(connected(wallet, budget_sat=None)) == Budget()


@pytest.mark.parametrize("kind", ["Zeus", "Electrum", "LNbits", "Coinos"])
def test_a_wallet_that_tells_no_budget_is_not_asked(kind: str, wallet: Wallet, wallets: Wallets) -> None:
    wallet.become(kind)
    given = wallet.connect()
    assert wallets.budget(Connection.parse(wallet.string_of(given), local=True)) is None
    assert given.asked == []


def test_an_expired_connection_says_so_when_its_budget_is_asked(wallet: Wallet, wallets: Wallets) -> None:
    assert wallets.budget(connected(wallet, seconds=0)) == "expired"


@pytest.mark.usefixtures("hasty")
def test_a_wallet_that_tells_its_budget_and_keeps_silent(
    wallet: Wallet, wallets: Wallets, connection: Connection, relay: Relay
) -> None:
    wallet.play("gone")
    assert wallets.budget(connection) == "silence"
    relay.refuses = "mute: no one was listening"
    assert wallets.budget(connection) == "silence"
    relay.refuses = "blocked: not you"
    assert wallets.budget(connection) == "unreachable"


@pytest.mark.parametrize(
    ("content", "tags", "encryption", "pays"),
    [
        ("pay_invoice get_info", [["encryption", "nip44_v2 nip04"]], "nip44_v2", True),
        ("pay_invoice,get_info", [["encryption", "nip04,nip44_v2"]], "nip44_v2", True),
        ("pay_invoice", [], "nip04", True),
        ("pay_invoice", [["encryption", ""]], "nip04", True),
        ("pay_invoice", [["encryption", "nip99"]], None, True),
        ("", [["notifications", ""]], "nip04", False),
    ],
)
def test_info_events_as_they_are_in_the_wild(
    content: str, tags: list[list[str]], encryption: str | None, pays: bool, relay: Relay, wallets: Wallets, till: Till
) -> None:
    key, ours = Key.new(), Key.new()
    relay.publish(signed(key, INFO, content, tags, soon(0)))
    connection = Connection(wallet=key.public, relays=(relay.url,), key=ours)
    info = wallets.info(connection).info
    assert info is not None
    assert (info.encryption, "pay_invoice" in info.methods) == (encryption, pays)
    if encryption is None or not pays:
        found = wallets.pay(connection, till.invoice(), soon())
        assert found.outcome == "not_delivered"
        assert found.reason == ("no_encryption" if encryption is None else "not_listed")
        assert relay.passed[1:] == []


def test_an_older_info_event_takes_no_encryption_away(
    wallet: Wallet, wallets: Wallets, connection: Connection, relay: Relay, till: Till
) -> None:
    """A relay that shows what the wallet said long ago cannot have us speak as one did then."""
    known = wallets.info(connection).info
    old = signed(wallet._key, INFO, "pay_invoice", [], 1_600_000_000)
    relay.forget(INFO, wallet.public)
    relay.publish(old)
    assert wallets.pay(connection, till.invoice(), soon(), known).outcome == "paid"
    (request,) = [event for event in relay.passed if event.kind == 23194]
    assert request.values("encryption") == ["nip44_v2"]


def test_what_is_sent_says_no_more_than_it_must(
    wallet: Wallet, wallets: Wallets, connection: Connection, relay: Relay, till: Till
) -> None:
    invoice, expires_at = till.invoice(), soon(300)
    wallets.pay(connection, invoice, expires_at)
    (request,) = [event for event in relay.passed if event.kind == 23194]
    assert request.pubkey == connection.key.public
    assert sorted(request.tags) == [
        ["encryption", "nip44_v2"],
        ["expiration", str(expires_at)],
        ["p", connection.wallet],
    ]
    assert abs(request.created_at - time.time()) < 60


def test_nothing_is_asked_beyond_the_end_of_an_invoice(
    wallet: Wallet, wallets: Wallets, connection: Connection, relay: Relay, till: Till
) -> None:
    invoice = till.invoice()
    wallets.pay(connection, invoice, soon(86_400))
    (request,) = [event for event in relay.passed if event.kind == 23194]
    assert request.values("expiration") == [str(decode(invoice).expires_at)]


@pytest.mark.parametrize("late", [{"expires_at": 1}, {"left": 10.0}])
def test_with_too_little_time_left_nothing_is_asked(
    late: dict[str, float],
    wallets: Wallets,
    connection: Connection,
    relay: Relay,
    till: Till,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadline, "_ends_at", time.monotonic() + late.get("left", 1e9))
    found = wallets.pay(connection, till.invoice(), int(late.get("expires_at", soon())))
    assert found == Payment(outcome="not_delivered", reason="no_time")
    assert [event for event in relay.passed if event.kind == 23194] == []


def test_what_is_no_invoice_is_not_sent(wallets: Wallets, connection: Connection, relay: Relay) -> None:
    with pytest.raises(BadInvoice):
        wallets.pay(connection, "lnbc1nothing", soon())
    assert [event for event in relay.passed if event.kind == 23194] == []


# --- relays ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
def test_answers_by_others_or_to_others_are_no_answers(
    wallet: Wallet, wallets: Wallets, connection: Connection, relay: Relay, till: Till
) -> None:
    """A relay that looks at no filter passes on whatever it has: of others, to other questions, and forged."""
    relay.ignores_tags = True
    wallet.play("gone")
    stranger = Key.new()

    def noise(asked: object) -> None:
        if getattr(asked, "kind", 0) != 23194:
            return
        relay.publish(signed(stranger, RESPONSE, "x", [["e", asked.id]], soon(0)))  # type: ignore[attr-defined]
        relay.publish(signed(wallet._key, RESPONSE, "x", [["e", "0" * 64]], soon(0)))
        relay.publish(signed(wallet._key, INFO, "x", [["e", asked.id]], soon(0)))  # type: ignore[attr-defined]

    relay.listeners.append(noise)
    found = wallets.pay(connection, till.invoice(), soon())
    assert (found.outcome, found.reason) == ("unknown", "silence")


@pytest.mark.usefixtures("hasty")
def test_an_answer_that_cannot_be_read_is_not_silence(
    wallet: Wallet, wallets: Wallets, connection: Connection, relay: Relay, till: Till
) -> None:
    wallet.play("gone")

    def garbage(asked: object) -> None:
        if getattr(asked, "kind", 0) == 23194:
            relay.publish(signed(wallet._key, RESPONSE, "x" * 200, [["e", asked.id]], soon(0)))  # type: ignore[attr-defined]

    relay.listeners.append(garbage)
    found = wallets.pay(connection, till.invoice(), soon())
    assert (found.outcome, found.reason) == ("unknown", "unreadable")


@pytest.mark.parametrize(
    "odd",
    [
        {"knows_tags": False},
        {"ignores_tags": True},
        {"asks_who": "refuses"},
        {"asks_who": "waits"},
        {"asks_who": "hides"},
        {"repeats": 3},
    ],
    ids=str,
)
def test_relays_with_ways_of_their_own(
    odd: dict[str, object], wallet: Wallet, wallets: Wallets, connection: Connection, relay: Relay, till: Till
) -> None:
    for name, value in odd.items():
        setattr(relay, name, value)
    invoice = till.invoice()
    found = wallets.pay(connection, invoice, soon())
    assert (found.outcome, found.proven) == ("paid", True)
    assert len(wallet.paid) == 1
    assert relay.authenticated == ([connection.key.public] if "asks_who" in odd else [])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("rate-limited: slow down", "rate_limited"),
        ("blocked: not you", "refused"),
        ("auth-required: who?", "auth_required"),
        ("mute: no one was listening", "unheard"),
        ("error: ", "refused"),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_a_relay_that_takes_nothing_delivered_nothing(
    words: str, reason: str, wallet: Wallet, wallets: Wallets, connection: Connection, relay: Relay, till: Till
) -> None:
    relay.refuses = words
    found = wallets.pay(connection, till.invoice(), soon())
    assert (found.outcome, found.reason) == ("not_delivered", reason)
    assert wallet.paid == []


def test_a_relay_that_is_not_there(wallet: Wallet, wallets: Wallets, till: Till) -> None:
    with Relay() as gone:
        url = gone.url
    connection = Connection(wallet=wallet.public, relays=(url,), key=Key.new())
    assert wallets.info(connection) == Looked(state="unreachable")
    assert wallets.budget(connection) == "unreachable"
    assert wallets.pay(connection, till.invoice(), soon()) == Payment(outcome="not_delivered", reason="unreachable")


def test_one_of_two_relays_is_enough_and_absence_needs_both(
    wallet: Wallet, wallets: Wallets, connection: Connection, relay: Relay, till: Till
) -> None:
    with Relay() as gone:
        url = gone.url
    both = Connection(wallet=wallet.public, relays=(url, relay.url), key=connection.key)
    invoice = till.invoice()
    assert wallets.pay(both, invoice, soon()).outcome == "paid"
    relay.forget(INFO, wallet.public)
    assert wallets.info(both).state == "unreachable"
    assert wallets.info(connection).state == "absent"


def test_all_relays_get_the_same_event_and_the_wallet_pays_once(
    wallet: Wallet, wallets: Wallets, connection: Connection, relay: Relay, till: Till
) -> None:
    with Relay() as second:
        wallet.join(second)
        both = Connection(wallet=wallet.public, relays=(relay.url, second.url), key=connection.key)
        assert wallets.pay(both, till.invoice(), soon()).outcome == "paid"
        asked = {event.id for one in (relay, second) for event in one.passed if event.kind == 23194}
    assert len(asked) == 1  # the answer may be here before one of the two was reached
    assert len(wallet.paid) == 1


def test_relays_on_this_machine_only_where_they_are_allowed(connection: Connection, relay: Relay, till: Till) -> None:
    found = Wallets(Relays(reach=Reach())).pay(connection, till.invoice(), soon())
    assert found == Payment(outcome="not_delivered", reason="unreachable")
    assert [event for event in relay.passed if event.kind == 23194] == []


def test_nothing_is_left_running(wallets: Wallets, connection: Connection, till: Till) -> None:
    before = threading.active_count()
    for _ in range(5):
        wallets.pay(connection, till.invoice(), soon())
    until = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.02)
    assert threading.active_count() <= before
