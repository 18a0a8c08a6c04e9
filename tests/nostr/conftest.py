"""A relay and a wallet on this machine, and BTCPay Server's stand-in, whose Lightning invoices the wallet pays."""

import itertools
import json
from collections.abc import Iterator

import pytest

from billing.nostr.connection import Connection
from billing.nostr.relay import Reach
from billing.nostr.relays import Relays
from billing.nostr.wallet import Wallets
from fakes.base import Request
from fakes.btcpay import BTCPay
from fakes.nostr.relay import Relay
from fakes.nostr.wallet import Wallet

LOCAL = Relays(reach=Reach(local=True))


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay


class Till:
    """The provider: opens invoices, and knows which are paid."""

    def __init__(self) -> None:
        self.btcpay = BTCPay("store", "key", "secret")

    def invoice(self, amount: str = "5.00") -> str:
        """A Lightning invoice."""
        body = json.dumps({"amount": amount, "currency": "USD", "checkout": {"paymentMethods": ["BTC-LN"]}}).encode()
        headers = {"authorization": "token key"}
        made = self.btcpay.handle(
            Request(method="POST", path="/api/v1/stores/store/invoices", headers=headers, body=body)
        )
        assert made is not None
        return self.btcpay.invoices[json.loads(made.body)["id"]].bolt11

    def state(self, bolt11: str) -> str:
        return next(one.status for one in self.btcpay.invoices.values() if one.bolt11 == bolt11)


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
def wallet(relay: Relay, till: Till) -> Wallet:
    return Wallet(relay, till.btcpay.pay_bolt11)


@pytest.fixture
def wallets() -> Wallets:
    return Wallets(LOCAL)


def connected(wallet: Wallet, **of_it: object) -> Connection:
    """A new connection of the wallet, as we have it from its string."""
    return Connection.parse(wallet.string_of(wallet.connect(**of_it)), local=True)  # type: ignore[arg-type]


@pytest.fixture
def connection(wallet: Wallet) -> Connection:
    return connected(wallet)


NAMES = itertools.count()
