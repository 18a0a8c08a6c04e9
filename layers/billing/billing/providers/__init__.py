"""Payment providers: one module (or package) each, chosen by name, and the one table of what each of them can do.

Whoever wants to know how providers differ asks `PROVIDERS`; nobody compares names. What every module has to have is in
`interface.py`; how to add one is in docs/adding-a-provider.md. This file loads none of them.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Literal, cast

from billing.data import dataclass

if TYPE_CHECKING:
    from billing.providers.interface import Client, ObjectKind, PrepaidProviderClient, Provider, RecurringProviderClient
    from billing.rules.plans import Plan
    from billing.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """How one provider differs from the others.

    - `title`: its name for people; `rail`: what its buyers pay with.
    - `renews`: it charges again by itself, so it has subscriptions and a portal (`RecurringProviderClient`). One that
      does not sells a recurring plan as prepaid terms, each an invoice to be shown (`PrepaidProviderClient`).
    - `prices`: it sells by a price of its own per plan version; the others are told the amount with each order.
    - `events`: it can be asked for its events again, so that what never arrived is found.
    - `claims`: a refund is claimed by the buyer through a link that we hand over.
    - `lightning`: it can open an invoice over Lightning alone and hands out its BOLT 11 text, for a wallet to pay.
    - `returns_surplus`: it gives back by itself what came in beyond the price.
    """

    title: str
    rail: Literal["card", "bitcoin"]
    renews: bool = False
    prices: bool = False
    events: bool = False
    claims: bool = False
    lightning: bool = False
    returns_surplus: bool = False


PROVIDERS: Mapping[str, Abilities] = {
    "stripe": Abilities(title="Stripe", rail="card", renews=True, prices=True, events=True),
    "bitpay": Abilities(title="BitPay", rail="bitcoin", returns_surplus=True),
    "btcpay": Abilities(title="BTCPay Server", rail="bitcoin", claims=True, lightning=True),
    "mock": Abilities(title="Test mode", rail="card", renews=True),
}
# These cannot charge again by themselves: a recurring plan is sold as prepaid terms.
PREPAID: frozenset[str] = frozenset(name for name, abilities in PROVIDERS.items() if not abilities.renews)


def sellers(plan: "Plan", offered: Sequence[str]) -> list[str]:
    """Those of the offered providers that can sell a plan: who sells by a price of its own needs one."""
    return [name for name in offered if not PROVIDERS[name].prices or name in plan.provider_plan_ids]


def load(name: str) -> "Provider":
    """The module of a provider; imported only when it is needed. Raises `ValueError` for an unknown name."""
    if name not in PROVIDERS:
        raise ValueError(f"unknown provider {name!r}: one of {', '.join(PROVIDERS)}")
    return cast("Provider", import_module(f"billing.providers.{name}"))


def pages(settings: "Settings") -> "Callable[[str, ObjectKind, str], str | None]":
    """(provider, kind, id) → the provider's own page about it, for those who run the shop."""
    return lambda provider, kind, object_id: load(provider).page_of(settings, kind, object_id)


class Clients:
    """The calls toward each provider by name, connected when first asked for: `Clients(settings)("stripe")`.

    A client holds a copy of its secrets, so it is made anew when one of them was changed.
    """

    def __init__(self, settings: "Settings") -> None:
        self._settings = settings
        self._connected: dict[str, tuple[int, Client]] = {}

    def __call__(self, name: str) -> "Client":
        revision, (connected_at, client) = self._settings.revision(), self._connected.get(name, (-1, None))
        if client is None or connected_at != revision:
            client = load(name).connect(self._settings)
            # The revision from before connecting, so that a secret that changed meanwhile makes the client anew at the
            # next call.
            self._connected[name] = (revision, client)
        return client


def renewing_client(client: "Callable[[str], Client]", name: str) -> "RecurringProviderClient":
    """The calls toward a provider that charges again by itself. `ValueError` for one that does not."""
    if not PROVIDERS[name].renews:
        raise ValueError(f"{name} does not charge again by itself")
    return cast("RecurringProviderClient", client(name))


def prepaid_client(client: "Callable[[str], Client]", name: str) -> "PrepaidProviderClient":
    """The calls toward a provider that sells prepaid terms. `ValueError` for one that does not."""
    if PROVIDERS[name].renews:
        raise ValueError(f"{name} does not sell prepaid terms")
    return cast("PrepaidProviderClient", client(name))
