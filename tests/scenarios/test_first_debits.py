"""A payment by bank debit is decided days later: what is told, and what a page reads again meanwhile."""

from typing import Any, cast

import pytest

from billing.intake.applier import Applier
from billing.log import SILENT
from billing.providers.interface import Client
from billing.rules.facts import Ref
from billing.selling.aftercare import Aftercare
from billing.store.accounts import AccountStore
from billing.store.plans import PlanStore
from fakes.base import Request
from tests.providers.stripe.stripe_shop import DAY, Shop
from tests.scenarios.stripe_world import World, notifications, shop_in_process, shuffled_with_repeats

SEEDS = range(4)


class Caring(World):
    """A world whose processor also looks after what failed to begin."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop)
        accounts = cast(AccountStore, self.stores)
        client = cast(Client, shop.client)
        self.applier = Applier(accounts, cast(PlanStore, self.stores), lambda _: client)
        care = Aftercare(accounts, cast(PlanStore, self.stores), self.applier, lambda _: client, "refund", SILENT)
        self.processor._aftercare = care.settle

    def read_again(self, session_id: str) -> None:
        """What the page does on which the buyer returns."""
        facts = self.applier.read("stripe", Ref("checkout", session_id), 0, self.now)
        self.applier.apply(self.account.user_id, "stripe", facts, self.now)


def debit(shop: Shop, plan_id: str) -> Any:
    opened = shop.client.create_checkout(shop.order(plan_id))
    session = shop.books.objects[opened.session_id]
    shop.books.complete(session, delayed=True)
    shop.app.advance(4 * DAY)
    return session


@pytest.mark.parametrize("seed", SEEDS)
def test_a_subscription_whose_first_debit_failed_is_ended_at_stripe(seed: int) -> None:
    shop = shop_in_process()
    session = debit(shop, "plus_month")
    shop.books.settle(session, paid=False)
    world = Caring(shop)
    world.deliver(shuffled_with_repeats(notifications(shop), seed))
    (subscription,) = world.account.subscriptions
    assert shop.books.objects[session["subscription"]]["status"] == subscription.status == "canceled"
    assert not any(w.open_at(world.now) for w in world.windows())
    assert not [line for line in world.stores.ledger if line.amount_cents]
    shop.app.advance(60 * DAY)
    assert [bill["amount_paid"] for bill in shop.books.all("invoice")] == [0]


@pytest.mark.parametrize("seed", SEEDS)
def test_one_on_its_way_is_left_alone_and_counts_once_it_arrives(seed: int) -> None:
    shop = shop_in_process()
    session = debit(shop, "plus_month")
    world = Caring(shop)
    world.deliver(shuffled_with_repeats(notifications(shop), seed))
    world.read_again(session["id"])
    assert shop.books.objects[session["subscription"]]["status"] == "active"
    assert (world.stores.ledger, [w.reason for w in world.windows()]) == ([], ["processing"])
    shop.books.settle(session, paid=True)
    world.deliver(shuffled_with_repeats(notifications(shop), seed))
    assert sorted(line.kind for line in world.stores.ledger if line.kind != "fee") == ["mrr", "payment"]


def test_a_failed_one_read_a_second_later_stays_failed() -> None:
    """The session is complete and unpaid in both cases: the payment itself tells them apart."""
    shop = shop_in_process()
    session = debit(shop, "tax_pass")
    world = Caring(shop)
    world.deliver(notifications(shop))
    world.read_again(session["id"])
    (purchase,) = world.account.purchases
    assert purchase.status == "pending"
    shop.books.settle(session, paid=False)
    failed = notifications(shop)
    shop.app.advance(1)
    world.read_again(session["id"])
    (purchase,) = world.account.purchases
    assert purchase.status == "failed"
    world.deliver(failed)
    shop.app.advance(1)
    world.read_again(session["id"])
    (purchase,) = world.account.purchases
    assert purchase.status == "failed"


@pytest.mark.parametrize(("answer", "status"), [("The debit succeeds", "paid"), ("The debit fails", "void")])
def test_the_stand_ins_pages_tell_the_same_story(answer: str, status: str) -> None:
    """A subscription is paid by debit at the checkout's page, and the bank decides at the desk."""
    shop = shop_in_process()
    opened = shop.client.create_checkout(shop.order("plus_month"))

    def ask(method: str, path: str, body: str = "") -> str:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        found = shop.app.handle(Request(method=method, path=path, headers=headers, body=body.encode()))
        assert found is not None
        return found.body.decode()

    assert "bank debit" in ask("GET", f"/c/pay/{opened.session_id}")
    ask("POST", f"/c/pay/{opened.session_id}", "with=debit")
    assert answer in ask("GET", "/")
    paid = "yes" if status == "paid" else ""
    ask("POST", "/desk", f"do=settle&paid={paid}&id={opened.session_id}")
    (bill,) = shop.books.all("invoice")
    assert bill["status"] == status
