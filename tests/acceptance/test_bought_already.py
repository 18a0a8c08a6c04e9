"""What is bought, or being bought, is not sold again unawares; a page that was paid is confirmed, never replaced."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from billing.errors import Conflict
from billing.rules.plans import Catalogue, Plan
from fakes.base import Fault
from fakes.stripe.payments import DAY
from fakes.stripe.subscriptions import item_of
from tests.acceptance.world import Shelf, World, open_world
from tests.samples import PLUS, PRO, TAX_PASS

LIFETIME = replace(TAX_PASS, plan_id="plus-forever", name="Plus for good", group=PLUS.group, duration_days=None)
YEAR_PASS = replace(TAX_PASS, plan_id="tax-year", duration_days=365)


@pytest.fixture
def world() -> Iterator[World]:
    with open_world("stripe") as world:
        shelf = cast(Shelf, world.plans)
        for plan in (LIFETIME, YEAR_PASS):
            bare = replace(plan, provider_plan_ids={})
            price = cast(Any, world.player.client()).sync_plan(bare, dry_run=False).price_id
            shelf.plans = Catalogue((*shelf.plans.plans, replace(bare, provider_plan_ids={"stripe": price})))
        yield world


def refused(world: World, plan: Plan, **more: Any) -> Conflict:
    with pytest.raises(Conflict) as found:
        world.checkout(plan, **more)
    return found.value


def debit(world: World, plan: Plan) -> Any:
    """Paid by a debit that is decided days later."""
    session = world.app.books.objects[world.session(world.checkout(plan))]
    world.app.books.complete(session, delayed=True)
    return session


# --- a page that was paid, and its webhook late --------------------------------------------------------------------


@pytest.mark.parametrize("other", [PRO, PLUS], ids=lambda plan: plan.plan_id)
def test_a_paid_page_is_confirmed_and_no_second_one_opens(world: World, other: Plan) -> None:
    world.app.webhooks.hold = True
    world.player.pay(world.session(world.checkout(PLUS)))
    assert refused(world, other).code == "already_subscribed"
    assert world.player.checkouts() == 1
    assert world.has("ai.insights")
    world.app.webhooks.release()
    assert world.settle() == 0
    assert world.books("payment") == [("payment", 900)]


def test_a_page_that_ran_out_just_after_it_was_paid_is_confirmed(world: World) -> None:
    world.app.webhooks.hold = True
    world.player.pay(world.session(world.checkout(PLUS)))
    world.app.advance(2 * 3600)
    assert refused(world, PRO).code == "already_subscribed"


def test_an_open_page_is_closed_before_another_opens(world: World) -> None:
    first = world.session(world.checkout(PLUS))
    second = world.session(world.checkout(PRO))
    books = world.app.books
    assert (books.objects[first]["status"], books.objects[second]["status"]) == ("expired", "open")


def test_while_nobody_can_say_no_other_page_opens_but_the_same_is_shown(world: World) -> None:
    first = world.checkout(PLUS)
    world.app.faults = [Fault("refuse", "GET", "/v1/checkout/sessions", times=9)]
    assert world.checkout(PLUS)["url"] == first["url"]
    with pytest.raises(Exception, match="Stripe"):
        world.checkout(PRO)
    assert world.player.checkouts() == 1


# --- a debit on its way --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", [YEAR_PASS, LIFETIME], ids=lambda plan: plan.plan_id)
def test_what_a_debit_is_paying_for_is_not_sold_again(world: World, plan: Plan) -> None:
    session = debit(world, plan)
    world.settle()
    world.app.advance(DAY)
    assert refused(world, plan).code == "payment_on_its_way"
    world.app.books.settle(session, paid=False)
    world.settle()
    assert world.checkout(plan)["url"]


def test_also_when_nothing_told_of_the_debit_yet(world: World) -> None:
    world.app.webhooks.lose = True
    debit(world, TAX_PASS)
    assert refused(world, TAX_PASS).code == "payment_on_its_way"


# --- beside each other ---------------------------------------------------------------------------------------------


def test_for_good_beside_a_subscription_names_both_charges(world: World) -> None:
    world.buy(PLUS)
    refusal = refused(world, LIFETIME)
    assert refusal.code == "overlap"
    assert refusal.extensions["charges"] == [
        {"plan_id": "plus-month", "amount_cents": 900, "currency": "USD", "interval": "month", "to_come": True},
        {
            "plan_id": "plus-forever",
            "amount_cents": LIFETIME.price_cents,
            "currency": "USD",
            "interval": "once",
            "to_come": True,
        },
    ]
    assert world.checkout(LIFETIME, accept_overlap=True)["url"]


def test_a_subscription_beside_what_is_owned_for_good_names_it(world: World) -> None:
    world.buy(LIFETIME)
    refusal = refused(world, PLUS)
    charges: Any = refusal.extensions["charges"]
    assert (refusal.code, refusal.extensions["ends_at"], charges[0]["to_come"]) == ("overlap", None, False)
    world.buy(PLUS, accept_overlap=True)
    assert [s.status for s in world.account.subscriptions] == ["active"]


def test_a_pass_that_still_runs_is_not_sold_again_unawares(world: World) -> None:
    world.buy(YEAR_PASS)
    refusal = refused(world, YEAR_PASS)
    assert (refusal.code, refusal.extensions["plan_id"]) == ("overlap", YEAR_PASS.plan_id)
    world.app.advance(366 * DAY)
    assert world.checkout(YEAR_PASS)["url"]


def test_what_was_given_back_stands_in_nobodys_way(world: World) -> None:
    world.buy(LIFETIME)
    world.app.books.refund(world.bought.purchase_id, None, None, {})
    world.settle()
    assert world.checkout(PLUS)["url"]


@pytest.mark.parametrize("how", ["flag", "date"])
def test_who_left_can_come_back_before_anybody_said_that_it_ended(world: World, how: str) -> None:
    world.buy()
    (sub,) = world.app.books.all("subscription")
    end = item_of(sub)["current_period_end"]
    # In flexible mode the portal writes the date alone.
    world.app.books.modify(sub, {"cancel_at_period_end": True} if how == "flag" else {"cancel_at": end})
    world.settle()
    world.app.advance(end - world.now - 1)
    assert refused(world, PLUS).code == "already_subscribed"
    world.app.advance(1)
    assert (sub["status"], world.account.subscriptions[0].status) == ("canceled", "active")
    assert world.checkout()["url"]


@pytest.mark.parametrize(("heard", "status"), [(DAY, "active"), (33 * DAY, "past_due")])
def test_whose_debt_was_given_up_can_come_back_before_anybody_said_so(world: World, heard: int, status: str) -> None:
    world.buy()
    (sub,) = world.app.books.all("subscription")
    world.app.books.works[sub["customer"]] = False
    world.app.advance(heard)
    world.settle()
    assert refused(world, PLUS).code == "already_subscribed"
    world.app.advance(70 * DAY)
    assert (sub["status"], world.account.subscriptions[0].status) == ("canceled", status)
    assert world.checkout()["url"]


def test_an_end_that_was_taken_back_unheard_still_stands_in_the_way(world: World) -> None:
    world.buy()
    (sub,) = world.app.books.all("subscription")
    world.app.books.modify(sub, {"cancel_at_period_end": True})
    world.settle()
    world.app.books.modify(sub, {"cancel_at_period_end": False})
    world.app.advance(32 * DAY)
    assert refused(world, PLUS).code == "already_subscribed"
