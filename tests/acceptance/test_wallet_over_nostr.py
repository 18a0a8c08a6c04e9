"""Renewal through a real relay's protocol: our side in the whole, a wallet's stand-in on the other end of a socket."""

from collections.abc import Iterator

import pytest

from billing.errors import Conflict
from billing.nostr import wallet as nostr_wallet
from billing.nostr.relay import Reach
from billing.nostr.relays import Relays
from billing.nostr.wallet import Wallets
from billing.rules.renewal import MARGIN
from billing.selling.wallet_over_nostr import NostrWallet
from fakes.nostr.relay import Relay
from fakes.nostr.wallet import Wallet
from fakes.nostr.wallet_kinds import Connected
from tests.acceptance.wallets import Renewing
from tests.acceptance.world import USER, World
from tests.samples import PLUS


class Nostr(Renewing):
    """The same shop, with the wallet at a relay."""

    def __init__(self, world: World, relay: Relay) -> None:
        self.there = Wallet(relay, world.app.pay_bolt11, world.app.clock)
        now = lambda: float(world.now)  # noqa: E731
        super().__init__(world, NostrWallet(Wallets(Relays(reach=Reach(local=True), clock=now), now), local=True))

    def join(self, **of_it: object) -> Connected:
        made = self.there.connect(**of_it)  # type: ignore[arg-type]
        text = self.there.string_of(made)
        self.wallets.connect(USER, text, PLUS.plan_id, 20_000, self.world.now, accept_unlimited=False)
        self.world.buy(PLUS)
        return made

    def come_to_it(self) -> None:
        at = self.mandate.act_at
        assert at is not None
        self.live(at - self.world.now + 120)


@pytest.fixture
def relay(btcpay: World) -> Iterator[Relay]:
    with Relay(clock=btcpay.app.clock) as relay:
        yield relay


@pytest.fixture
def shop(btcpay: World, relay: Relay) -> Nostr:
    return Nostr(btcpay, relay)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nostr_wallet, "READ_SECONDS", 1.0)


@pytest.mark.parametrize("kind", ["Alby Hub", "Zeus", "Electrum", "LNbits", "Coinos"])
def test_each_wallet_renews(shop: Nostr, kind: str) -> None:
    shop.there.become(kind)
    made = shop.join()
    shop.come_to_it()
    assert len(shop.terms) == 2
    assert [outcome for _, method, outcome in made.asked if method == "pay_invoice"] == ["paid"]


@pytest.mark.parametrize(
    ("mode", "trouble"),
    [("fail", "payment_failed"), ("empty", "balance_too_low"), ("liar", "not_arrived")],
)
def test_what_a_wallet_says_becomes_our_word_for_it(shop: Nostr, mode: str, trouble: str) -> None:
    shop.join()
    shop.there.play(mode)
    shop.come_to_it()
    assert shop.shown["state"] == "under_way"
    shop.live(20 * 60 + MARGIN)
    assert (shop.shown["state"], shop.shown["trouble"]) == ("trouble", trouble)
    assert len(shop.terms) == 1
    shop.there.play("pay")
    shop.live(2 * 3600)
    assert len(shop.terms) == 2


def test_a_used_up_budget_is_waited_for_until_the_wallet_said_it_is_new(shop: Nostr) -> None:
    made = shop.join(budget_sat=5, renewal="daily")
    shop.come_to_it()
    shop.live(20 * 60 + MARGIN + 60)
    assert shop.shown["trouble"] == "budget_used_up"
    new = shop.there._period(made)[1]
    assert new is not None
    assert (shop.mandate.retry_at or 0) >= new


def test_a_removed_connection_and_an_expired_one_are_told(shop: Nostr) -> None:
    made = shop.join(seconds=3 * 86_400)
    shop.come_to_it()
    shop.live(20 * 60 + MARGIN + 60)
    assert shop.shown["trouble"] == "connection_ended"
    shop.there.remove(made)
    shop.live(2 * 3600)
    assert shop.shown["trouble"] == "wallet_gone"


def test_a_false_failure_is_a_term_all_the_same(shop: Nostr) -> None:
    shop.join()
    shop.there.play("false failure")
    shop.come_to_it()
    assert len(shop.terms) == 2
    assert shop.mandate.renews


def test_a_wallet_that_no_relay_knows_is_not_connected(shop: Nostr) -> None:
    text = shop.there.string_of(shop.there.connect())
    shop.there.withdraw()
    with pytest.raises(Conflict) as refused:
        shop.wallets.connect(USER, text, PLUS.plan_id, 20_000, shop.world.now, accept_unlimited=False)
    assert refused.value.extensions["trouble"] == "wallet_gone"
    assert shop.kept.kept == {}


@pytest.mark.usefixtures("hasty")
def test_a_silent_wallet_passes_no_test_and_what_it_told_before_stays(shop: Nostr) -> None:
    shop.join(budget_sat=50_000)
    before = shop.kept.find(USER, "main")
    shop.world.app.advance(60)
    shop.there.play("gone")
    with pytest.raises(Conflict) as refused:
        shop.wallets.test(USER, "main", shop.world.now)
    assert refused.value.extensions["trouble"] == "wallet_silent"
    assert shop.kept.find(USER, "main") == before
    shop.there.play("pay")
    shop.wallets.test(USER, "main", shop.world.now)
    after = shop.kept.find(USER, "main")
    assert after is not None
    assert before is not None
    assert (after.budget, after.seen_at) == (before.budget, shop.world.now)


@pytest.mark.usefixtures("hasty")
def test_a_wallet_that_is_silent_as_it_is_connected_is_connected(shop: Nostr) -> None:
    """Some list what they never answer; a phone may have put its wallet to sleep."""
    shop.there.play("gone")
    shop.join()
    kept = shop.kept.find(USER, "main")
    assert kept is not None
    assert kept.budget is None


def test_a_wallet_to_whom_its_relay_finds_nobody_listening_is_silent(shop: Nostr, relay: Relay) -> None:
    shop.join()
    relay.refuses = "mute: no one was listening"
    shop.come_to_it()
    shop.live(900)
    assert (shop.shown["state"], shop.shown["trouble"]) == ("trouble", "wallet_silent")
    relay.refuses = ""
    shop.live(2 * 3600)
    assert len(shop.terms) == 2


def test_a_wallet_that_listens_again_is_asked_for_the_same_invoice(shop: Nostr, relay: Relay) -> None:
    shop.join()
    relay.refuses = "mute: no one was listening"
    shop.come_to_it()
    relay.refuses = ""
    shop.live(600)
    assert len(shop.terms) == 2
    assert shop.mandate.opened == 1
