"""Payment providers: one module (or package) each, chosen by name, and the one table of what each of them can do.

Code that depends on how providers differ reads `PROVIDERS` and never compares names. `interface.py` lists what a module
must contain; docs/adding-a-provider.md says how to add one. Importing this file imports no provider.
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

    - `title`: its display name; `rail`: how buyers pay.
    - `renews`: it charges automatically, so it has subscriptions and a portal (`RecurringProviderClient`). Without it,
      a recurring plan is sold as prepaid terms, one invoice each (`PrepaidProviderClient`).
    - `prices`: it needs a price object per plan version; the others get the amount with each order.
    - `events`: it can list its past events, so that a lost webhook is found later.
    - `claims`: the buyer claims a refund through a link that we pass on.
    - `lightning`: it can open a Lightning-only invoice and returns its BOLT 11 text for a wallet to pay.
    - `returns_surplus`: it refunds an overpayment by itself.
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
# Providers without automatic renewal: they sell recurring plans as prepaid terms.
PREPAID: frozenset[str] = frozenset(name for name, abilities in PROVIDERS.items() if not abilities.renews)


def sellers(plan: "Plan", offered: Sequence[str]) -> list[str]:
    """The offered providers that can sell the plan: one with `prices` needs a price id in it."""
    return [name for name in offered if not PROVIDERS[name].prices or name in plan.provider_plan_ids]


def load(name: str) -> "Provider":
    """Import a provider's module. Raises `ValueError` for an unknown name."""
    if name not in PROVIDERS:
        raise ValueError(f"unknown provider {name!r}: one of {', '.join(PROVIDERS)}")
    return cast("Provider", import_module(f"billing.providers.{name}"))


def pages(settings: "Settings") -> "Callable[[str, ObjectKind, str], str | None]":
    """(provider, kind, id) → the URL of the object in the provider's dashboard, for admins."""
    return lambda provider, kind, object_id: load(provider).page_of(settings, kind, object_id)


class Clients:
    """Provider clients by name, connected on first use: `Clients(settings)("stripe")`.

    A client holds a copy of its secrets, so a new one is made when the secrets change.
    """

    def __init__(self, settings: "Settings") -> None:
        self._settings = settings
        self._connected: dict[str, tuple[int, Client]] = {}

    def __call__(self, name: str) -> "Client":
        revision, (connected_at, client) = self._settings.revision(), self._connected.get(name, (-1, None))
        if client is None or connected_at != revision:
            client = load(name).connect(self._settings)
            # `revision` was read before connecting: if a secret changed meanwhile, the next call reconnects.
            self._connected[name] = (revision, client)
        return client


def renewing_client(client: "Callable[[str], Client]", name: str) -> "RecurringProviderClient":
    """The client of a provider that renews automatically. Raises `ValueError` for any other."""
    if not PROVIDERS[name].renews:
        raise ValueError(f"{name} does not charge again by itself")
    return cast("RecurringProviderClient", client(name))


def prepaid_client(client: "Callable[[str], Client]", name: str) -> "PrepaidProviderClient":
    """The client of a provider that sells prepaid terms. Raises `ValueError` for any other."""
    if PROVIDERS[name].renews:
        raise ValueError(f"{name} does not sell prepaid terms")
    return cast("PrepaidProviderClient", client(name))
