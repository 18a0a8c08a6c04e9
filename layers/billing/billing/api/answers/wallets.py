"""Answers about wallets that renew prepaid terms."""

from typing import Literal

from billing.api.answers.base import PlanNamed, Response, Time
from billing.rules.renewal import Trouble


class WalletBudget(Response):
    """The budget that the wallet last reported. `total_sat` null: no limit."""

    total_sat: int | None
    used_sat: int
    period: str
    renews_at: Time | None


class WalletConnection(Response):
    """The public part of a connection, without its secret. `key_end`: the end of the wallet's public key."""

    key_end: str
    relays: list[str]
    encryption: str
    connected_at: Time
    seen_at: Time
    budget: WalletBudget | None
    """Null if the wallet does not report it."""


class SaidOfConnection(Response):
    """What the buyer said about the connection, for a wallet that does not report it."""

    budget_sat: int | None
    period: str
    ends_at: Time | None


class WalletView(PlanNamed):
    """A wallet that renews prepaid time in a group of plans.

    `state`: waiting until `asks_at`, under_way, trouble (next attempt at `asks_at`), paused, given_up, or
    nothing_prepaid. `price_cents`: the price that the buyer agreed to; `price_now_cents`: the current price.
    """

    group: str
    state: Literal["waiting", "under_way", "trouble", "paused", "given_up", "nothing_prepaid"]
    trouble: Trouble | None
    trouble_at: Time | None
    price_cents: int
    currency: str
    price_now_cents: int | None
    currency_now: str | None
    most_sat: int
    asked_sat: int | None
    """Of the invoice under way."""
    days_before: int
    agreed_at: Time
    ends_at: Time | None
    asks_at: Time | None
    by_hand_from: Time | None
    """From when it can be paid by hand: no second invoice is made while the wallet may still pay. Null: now."""
    renewed_at: Time | None
    said: SaidOfConnection
    foreseen: Literal["connection_ends", "budget_too_small"] | None
    """A problem expected with the next term, from what the buyer said. The wallet is asked to pay nevertheless."""
    connection: WalletConnection | None
    """Null: it cannot be decrypted any more; the buyer has to connect the wallet again."""


class WalletList(Response):
    """`available`: whether this shop supports wallets. `days_before`: how many days before the end a wallet is asked.
    `last_sat`: the price of the newest term in satoshis, to suggest a limit."""

    available: bool
    days_before: int
    last_sat: int | None
    wallets: list[WalletView]
