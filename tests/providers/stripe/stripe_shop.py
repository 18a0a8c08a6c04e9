"""A running stand-in for Stripe, the client toward it, and helpers that play the buyer and time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from billing.providers import load
from billing.providers.interface import Notification, Order
from billing.providers.stripe.client import StripeClient, connect
from billing.rules.plans import Catalogue, Plan
from billing.settings import Settings
from fakes.base import Clock
from fakes.stripe.app import StripeApp
from fakes.stripe.shapes import in_version
from in_process import in_process

START = 1_793_000_000
DAY = 86_400


@dataclass
class Shop:
    """Plans on sale at a stand-in, and one buyer."""

    app: StripeApp
    client: StripeClient
    plans: dict[str, Plan]

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue(tuple(self.plans.values()))

    @property
    def books(self) -> Any:
        return self.app.books

    def order(self, plan_id: str, checkout_id: str = "chk_1", **given: Any) -> Order:
        plan = self.plans[plan_id]
        wanted: dict[str, Any] = {
            "checkout_id": checkout_id,
            "user_id": "usr_1",
            "plan": plan,
            "amount_cents": plan.price_cents,
            "currency": plan.currency,
            "success_url": "http://127.0.0.1/return?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://127.0.0.1/pricing",
            "expires_at": self.app.clock.now() + 3600,
        }
        return Order(**{**wanted, **given})

    def buy(self, plan_id: str, checkout_id: str = "chk_1", **given: Any) -> dict[str, Any]:
        """A checkout that is paid; the session."""
        opened = self.client.create_checkout(self.order(plan_id, checkout_id, **given))
        session: dict[str, Any] = self.books.objects[opened.session_id]
        self.books.complete(session)
        return session

    def subscribe(self, plan_id: str = "plus_month", **given: Any) -> dict[str, Any]:
        """A subscription, as Stripe holds it."""
        found: dict[str, Any] = self.books.objects[self.buy(plan_id, **given)["subscription"]]
        return found

    def notifications(self, version: str | None = None) -> list[Notification]:
        """Every event so far, minimised, as an endpoint of `version` gets them."""
        stripe = load("stripe")
        return [stripe.minimise(json.dumps(in_version(e, version)).encode()) for e in self.books.events]


def plan(plan_id: str, price_cents: int, interval: Any = "month", **given: Any) -> Plan:
    base = Plan(
        plan_id=plan_id,
        version=1,
        name=plan_id.replace("_", " ").title(),
        price_cents=price_cents,
        currency="USD",
        interval=interval,
        features={"ai.chat": True},
    )
    return replace(base, **given)


PLANS = (
    plan("plus_month", 900),
    plan("plus_year", 9000, "year"),
    plan("pro_month", 1900, features={"ai.chat": True, "wallets.max": 20}),
    plan("tax_pass", 4900, "once", group="tax", duration_days=365),
)


@contextmanager
def open_shop(now: float = START) -> Iterator[Shop]:
    """A stand-in whose clock stands at `now`, with the plans synced to it."""
    app = StripeApp(Clock(lambda: now))
    with in_process(app):
        env = {
            "STAGE": "test",
            "LIVEMODE": "false",
            "STRIPE_SECRET_KEY": "sk_test_standin",
            "STRIPE_API_BASE": app.url,
        }
        client = connect(Settings(env))
        plans = {}
        for each in PLANS:
            price = client.sync_plan(each, dry_run=False).price_id
            plans[each.plan_id] = replace(each, provider_plan_ids={"stripe": price or ""})
        yield Shop(app, client, plans)
