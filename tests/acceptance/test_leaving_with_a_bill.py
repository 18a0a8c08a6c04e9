"""Who cancels in Stripe's own portal while a payment is open is not collected from any more, as on our pages."""

import random
from collections.abc import Iterator

import pytest

from billing.errors import ProviderUnavailable
from fakes.base import Fault
from fakes.stripe.payments import DAY, Object
from fakes.stripe.subscriptions import item_of
from tests.acceptance.world import World, open_world


@pytest.fixture
def world() -> Iterator[World]:
    with open_world("stripe") as world:
        yield world


def past_due(world: World) -> Object:
    world.buy()
    (sub,) = world.app.books.all("subscription")
    world.app.books.works[sub["customer"]] = False
    world.app.advance(32 * DAY)
    assert sub["status"] == "past_due"
    found: Object = sub
    return found


def leave(world: World, sub: Object, how: object) -> None:
    """In flexible mode the portal writes the date alone."""
    date = {"cancel_at": item_of(sub)["current_period_end"]}
    world.app.books.modify(sub, {"cancel_at_period_end": True} if how == "flag" else date)


def card_works_again(world: World, sub: Object) -> int:
    """What Stripe takes when every retry would go through."""
    before = sum(bill["amount_paid"] for bill in world.app.books.all("invoice"))
    world.app.books.works[sub["customer"]] = True
    world.app.advance(35 * DAY)
    paid: int = sum(bill["amount_paid"] for bill in world.app.books.all("invoice")) - before
    return paid


@pytest.mark.parametrize("how", ["flag", "date"])
def test_nothing_more_is_collected(world: World, how: str) -> None:
    sub = past_due(world)
    world.settle()
    leave(world, sub, how)
    assert world.settle() == 0
    (record,) = world.account.subscriptions
    assert (record.left_owing, [d.next_attempt_at for d in record.owed]) == (False, [None])
    assert card_works_again(world, sub) == 0
    assert sub["status"] == "canceled"


def test_who_ends_it_in_a_year_goes_on_paying(world: World) -> None:
    sub = past_due(world)
    world.app.books.modify(sub, {"cancel_at": world.now + 300 * DAY})
    world.settle()
    assert card_works_again(world, sub) == 1800


@pytest.mark.parametrize("seed", range(4))
def test_in_any_order_doubled_and_all_at_the_end(world: World, seed: int) -> None:
    sub = past_due(world)
    leave(world, sub, "flag")
    world.app.webhooks.wait_idle()
    world.queue += world.queue
    random.Random(seed).shuffle(world.queue)  # noqa: S311 an order, not a secret
    for _ in range(4):
        world.process()
    assert not world.queue
    assert card_works_again(world, sub) == 0


@pytest.mark.parametrize("kind", ["lose", "refuse"])
def test_an_answer_that_is_lost_or_refused_is_made_up_for(world: World, kind: str) -> None:
    sub = past_due(world)
    world.settle()
    leave(world, sub, "flag")
    world.app.faults = [Fault(kind, "POST", "/v1/invoices/", times=3, status=503)]
    assert world.settle() == 1
    for _ in range(3):
        world.app.advance(300)
        world.process()
    assert not world.queue
    assert card_works_again(world, sub) == 0


def cancel(world: World, sub: Object) -> None:
    world.player.client().cancel_subscription(sub["id"], at_period_end=True, reason=None, key="k")


def test_who_could_not_cancel_after_all_is_still_collected_from(world: World) -> None:
    sub = past_due(world)
    world.app.faults = [Fault("refuse", "POST", "/v1/subscriptions/", times=3, status=503)]
    with pytest.raises(ProviderUnavailable):
        cancel(world, sub)
    world.settle()
    assert card_works_again(world, sub) == 1800


def test_cancelled_here_the_second_step_is_made_up_for(world: World) -> None:
    sub = past_due(world)
    world.settle()
    world.app.faults = [Fault("refuse", "POST", "/v1/invoices/", times=3, status=503)]
    with pytest.raises(ProviderUnavailable):
        cancel(world, sub)
    world.app.advance(300)
    assert world.settle() == 0
    assert card_works_again(world, sub) == 0
