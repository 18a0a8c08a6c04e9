"""Answers about wallets that renew."""

from typing import Literal

from billing.api.answers.base import PlanNamed, Response, Time
from billing.rules.renewal import Trouble


class WalletBudget(Response):
    """What the wallet lets us spend, as it said last. `total_sat` null: it sets no limit."""

    total_sat: int | None
    used_sat: int
    period: str
    renews_at: Time | None


class WalletConnection(Response):
    """What may be seen of a connection: nothing of it can pay. `key_end`: how the wallet's public key ends."""

    key_end: str
    relays: list[str]
    encryption: str
    connected_at: Time
    seen_at: Time
    budget: WalletBudget | None
    """Null where the wallet does not tell."""


class SaidOfConnection(Response):
    """What the buyer said of the connection, because the wallet does not tell."""

    budget_sat: int | None
    period: str
    ends_at: Time | None


class WalletView(PlanNamed):
    """A wallet that is asked to renew what is prepaid in a group of plans.

    `state`: waiting for its day (`asks_at`), under_way, trouble (tried again at `asks_at`), paused, given_up, or
    nothing_prepaid. `price_cents` is what was agreed to, `price_now_cents` what the plan costs now.
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
    """Of the invoice that is under way."""
    days_before: int
    agreed_at: Time
    ends_at: Time | None
    asks_at: Time | None
    by_hand_from: Time | None
    """While the wallet may still pay, nobody is given a second invoice; null: it can be paid by hand now."""
    renewed_at: Time | None
    said: SaidOfConnection
    foreseen: Literal["connection_ends", "budget_too_small"] | None
    """What will keep it from paying the next term, if what the buyer said is so; it is asked all the same."""
    connection: WalletConnection | None
    """Null: it cannot be opened any more, and has to be connected anew."""


class WalletList(Response):
    """`available`: whether this shop can ask a wallet. `days_before`: when it is asked. `last_sat`: what the newest
    term came to in satoshis, for a first idea of the ceiling."""

    available: bool
    days_before: int
    last_sat: int | None
    wallets: list[WalletView]
