"""What must be so whoever takes the money: mock, Stripe, BitPay and BTCPay Server."""

from typing import cast

import pytest

from billing.errors import ProviderUnavailable
from billing.rules.plans import Catalogue, Plan
from fakes.base import Fault
from tests.acceptance.world import USER, Shelf, World
from tests.samples import NOW, PLUS, PRO, TAX_PASS

BOTH = pytest.mark.parametrize(
    ("plan", "feature"), [(PLUS, "ai.insights"), (TAX_PASS, "tax.export")], ids=["recurring", "once"]
)


@BOTH
def test_buying_opens_the_feature_and_books_the_price_once(world: World, plan: Plan, feature: str) -> None:
    checkout = world.checkout(plan)
    assert not world.has(feature)
    world.player.pay(world.session(checkout))
    world.settle()
    assert world.has(feature)
    assert world.books("payment") == [("payment", plan.price_cents)]
    assert world.returns(checkout)["status"] == "completed"


@BOTH
def test_deliveries_doubled_and_repeated_change_nothing(world: World, plan: Plan, feature: str) -> None:
    world.app.webhooks.copies = 2
    world.buy(plan)
    before = world.account
    world.app.webhooks.copies = 1
    for delivery in list(world.app.webhooks.deliveries):
        world.app.webhooks.again(delivery)
    world.settle()
    assert world.account.records == before.records
    assert world.has(feature)
    assert world.books("payment") == [("payment", plan.price_cents)]


@BOTH
def test_deliveries_backwards_end_the_same(world: World, plan: Plan, feature: str) -> None:
    world.app.webhooks.hold = True
    world.buy(plan)
    assert not world.has(feature)
    world.app.webhooks.release(backwards=True)
    world.settle()
    world.process()
    assert world.has(feature)
    assert world.books("payment") == [("payment", plan.price_cents)]


@BOTH
def test_with_every_webhook_lost_the_return_from_the_page_is_enough(world: World, plan: Plan, feature: str) -> None:
    world.app.webhooks.lose = True
    checkout = world.checkout(plan)
    world.player.pay(world.session(checkout))
    assert world.returns(checkout)["status"] == "completed"
    assert world.has(feature)


def test_a_webhook_behind_the_return_changes_nothing(world: World) -> None:
    world.app.webhooks.hold = True
    checkout = world.checkout(TAX_PASS)
    world.player.pay(world.session(checkout))
    world.returns(checkout)
    world.app.webhooks.release()
    world.settle()
    assert world.books("payment") == [("payment", TAX_PASS.price_cents)]


def test_asking_again_returns_the_same_checkout_and_another_plan_another_one(world: World) -> None:
    first, again = world.checkout(PLUS), world.checkout(PLUS)
    assert (again["url"], again["reused"]) == (first["url"], True)
    other = world.checkout(PRO)
    assert other["url"] != first["url"]
    assert world.player.checkouts() == 2


def test_a_lost_answer_opens_no_second_checkout(world: World) -> None:
    world.app.faults = [Fault("lose", "POST")]
    try:
        checkout = world.checkout(PLUS)
    except ProviderUnavailable:
        checkout = world.checkout(PLUS)
    assert world.player.checkouts() == 1
    world.player.pay(world.session(checkout))
    world.settle()
    assert world.has("ai.insights")


def test_a_provider_that_is_down_leaves_no_half_open_checkout(world: World) -> None:
    world.app.faults = [Fault("refuse", times=20)]
    with pytest.raises(ProviderUnavailable):
        world.checkout(PLUS)
    world.app.faults = []
    world.app.advance(150)  # while it was down it was left alone
    world.buy(PLUS)
    assert world.has("ai.insights")
    assert world.player.checkouts() == 1


def test_a_provider_that_was_down_for_a_while_sells_again_as_soon_as_it_is_up(world: World) -> None:
    """Stripe wants a page to stay open for half an hour at least: an order noted before that is too old."""
    world.app.faults = [Fault("refuse", times=20)]
    with pytest.raises(ProviderUnavailable):
        world.checkout(PLUS)
    world.app.faults = []
    world.app.clock._now = lambda: NOW + 40 * 60  # time passes for both; `advance` moves the stand-in's clock alone
    world.buy(PLUS)
    assert world.has("ai.insights")


def test_a_refund_of_all_closes_and_of_a_part_does_not(world: World) -> None:
    world.buy(TAX_PASS)
    (payment,) = world.payments
    client = world.player.client()

    def refund(amount: int | None, key: str) -> None:
        facts = client.refund(payment.payment_id, amount, "USD", reason="requested_by_customer", key=key).facts
        world.applier.apply(USER, world.player.name, facts, world.now)
        world.settle()

    refund(100, "first")
    refund(100, "first")
    assert world.bought.status == "partially_refunded"
    assert world.has("tax.export")
    refund(TAX_PASS.price_cents - 100, "second")
    assert world.bought.status == "refunded"
    assert not world.has("tax.export")
    assert sorted(world.books("refund")) == sorted([("refund", -100), ("refund", 100 - TAX_PASS.price_cents)])


def test_a_forged_delivery_leaves_no_trace(world: World) -> None:
    world.app.webhooks.hold = True
    world.buy(TAX_PASS)
    real = world.app.webhooks.render
    world.app.webhooks.render = lambda *message: (real(*message)[0] + b" ", real(*message)[1])
    world.app.webhooks.release()
    world.app.webhooks.wait_idle()
    assert {status for d in world.app.webhooks.deliveries for status in d.statuses} == {400}
    assert world.queue == []
    assert not world.has("tax.export")


def test_an_event_of_nobody_waits_and_is_not_lost(world: World) -> None:
    """The plan it speaks of is not on record yet: the event fails, and has its effect once the plan is there."""
    world.app.webhooks.hold = True
    world.buy(PLUS)
    shelf = cast(Shelf, world.plans)
    kept, shelf.plans = shelf.plans, Catalogue(())
    world.app.webhooks.release()
    assert world.settle() > 0
    shelf.plans = kept
    assert world.process() == 0
    assert world.has("ai.insights")
