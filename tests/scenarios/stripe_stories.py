"""A story plays at Stripe's stand-in, and says what must be true at its end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fakes.stripe.subscriptions import item_of
from tests.providers.stripe.stripe_shop import Shop


@dataclass(frozen=True)
class End:
    """What must be true at the end: the status of the record, why, and until when it gives access."""

    status: str
    reason: str
    until: int | None
    kind: str = "subscription"
    fewest: bool = True
    """Whether the four events of the smallest endpoint suffice."""
    besides: tuple[tuple[str, int], ...] = ()
    """What else the same record gives: a plan, and until when."""
    owed: tuple[int, ...] = ()
    """Where each unpaid invoice begins that is owed."""
    late: int = 0
    """How many payments wait for a person's judgement."""


Story = Callable[[Shop], End]
STORIES: dict[str, Story] = {}


def story(play: Story) -> Story:
    STORIES[play.__name__.removeprefix("_")] = play
    return play


def period_end(sub: Any) -> int:
    end: int = item_of(sub)["current_period_end"]
    return end


def intent_of(shop: Shop, sub: Any) -> str:
    name: str = shop.books.objects[sub["latest_invoice"]]["_names"]["payment_intent"]
    return name
