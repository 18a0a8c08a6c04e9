"""A user's customer at Stripe that somebody deleted, cannot be searched for, or whose making broke off: sales go on."""

from collections.abc import Iterator

import pytest

from billing.errors import NotFound
from billing.selling.portal import portal_link
from fakes.stripe.payments import Object
from tests.acceptance.world import USER, World, open_world
from tests.samples import PLUS, PRO, TAX_PASS


@pytest.fixture
def world() -> Iterator[World]:
    with open_world("stripe") as world:
        yield world


def customers(world: World) -> list[Object]:
    return list(world.app.books.all("customer"))


def delete(world: World, *, notified: bool = False) -> None:
    """In the dashboard; `told`: its event is among those that we asked for."""
    world.app.webhooks.lose = not notified
    for customer in customers(world):
        if not customer.get("deleted"):
            world.app.call("DELETE", f"/v1/customers/{customer['id']}")
    world.app.webhooks.lose = False


@pytest.mark.parametrize("notified", [False, True])
@pytest.mark.parametrize("later", [0, 3600, 40 * 86_400])
def test_a_deleted_customer_is_made_anew(world: World, later: int, notified: bool) -> None:
    world.buy(TAX_PASS)
    delete(world, notified=notified)
    world.settle()
    world.app.advance(later)
    world.buy(PLUS)
    assert world.has("ai.insights")
    living = [c for c in customers(world) if not c.get("deleted")]
    assert len(living) == 1
    (bought,) = world.account.subscriptions
    assert bought.customer_id == living[0]["id"]


def test_deleted_and_bought_again_the_same_day_more_than_once(world: World) -> None:
    for plan in (TAX_PASS, PRO):
        checkout = world.checkout(plan)
        delete(world)
        world.app.books.expire_session(world.app.books.objects[world.session(checkout)])
        world.settle()
        world.app.advance(60)
    world.buy(PLUS)
    assert world.has("ai.insights")


def test_what_is_forgotten_is_not_asked_for_again(world: World) -> None:
    world.buy(TAX_PASS)
    delete(world)
    gone = world.bought.customer_id
    world.checkout(PLUS)
    assert gone not in {name for _, name in world.account.customers}
    assert f"customer#stripe#{gone}" in world.account.records


def test_an_account_without_search_sells(world: World) -> None:
    world.app.books.search_lag = None
    world.buy(TAX_PASS)
    world.buy(PLUS)
    assert world.has("ai.insights")
    assert len(customers(world)) == 1


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/checkout/sessions"])
def test_what_broke_off_does_not_stop_sales_for_a_day(world: World, path: str) -> None:
    world.app.breaks.append(("POST", path))
    world.buy(PLUS)
    assert world.has("ai.insights")


def test_a_price_that_is_gone_is_a_fault_and_no_lost_customer(world: World) -> None:
    world.buy(TAX_PASS)
    world.app.books.objects = {k: v for k, v in world.app.books.objects.items() if v["object"] != "price"}
    with pytest.raises(Exception, match="No such price"):
        world.checkout(PLUS)
    assert len(customers(world)) == 1


def test_a_deleted_customer_has_no_portal(world: World) -> None:
    world.buy(TAX_PASS)

    def portal() -> str:
        return portal_link(world.accounts, world.applier._client, "https://shop/account", USER)

    assert portal()
    delete(world)
    with pytest.raises(NotFound):
        portal()
