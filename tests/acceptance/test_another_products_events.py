"""What a Stripe account tells us that sells other products too: taken at the door, recorded as not ours, nothing more.

Each goes through the real door, the queue and the processor, beside a buyer of ours.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from fakes.stripe import shapes
from fakes.stripe.payments import DAY, Object
from tests.acceptance.world import World, open_world


@pytest.fixture
def world() -> Iterator[World]:
    with open_world("stripe") as world:
        yield world


def outcomes(world: World, since: int) -> set[str]:
    """How the events that came since were settled."""
    sent = [f"stripe#{event['id']}" for event in world.app.books.events[since:]]
    return {event.outcome or event.status for key in sent if (event := world.memory.events.get(key))}


def refused_at_the_door(world: World) -> list[int]:
    return [s for d in world.app.webhooks.deliveries for s in d.statuses if s >= 300]


def session(world: World, **odd: Any) -> Object:
    """A completed session of another product."""
    params = {"mode": "payment", "metadata": {}}
    made = shapes.session("cs_test_other", world.now, params, "", 700, "usd")
    return {**made, "status": "complete", "payment_status": "paid", **odd}


ODD_SESSIONS = [
    *({"client_reference_id": name} for name in ("jenny@example.com", "order #12", "_x", "a/b", "é")),
    {"customer": "jenny@example.com"},
    {"customer": "Jenny Rosen"},
    {"metadata": {"user_id": "42"}},
    {"metadata": {"user_id": "usr_42"}},
    {"metadata": {"user_id": "42", "plan_id": "pro", "checkout_id": "x"}},
    {"metadata": {"user_id": 42}},
    {"metadata": "none"},
    {"amount_total": "7.00"},
    {"amount_total": 10**30},
    {"payment_intent": {"id": "pi é"}},
    {"id": "cs/other"},
    {"id": None},
    {"currency": "USDC"},
    {"expires_at": True},
]


@pytest.mark.parametrize("odd", ODD_SESSIONS, ids=str)
def test_an_odd_value_of_another_product_is_no_fault(world: World, odd: Object) -> None:
    world.buy()
    before, since = world.account, len(world.app.books.events)
    world.app.books.emit("checkout.session.completed", session(world, **odd))
    assert world.settle() == 0
    assert refused_at_the_door(world) == []
    assert outcomes(world, since) == {"ignored"}
    assert world.account.records == before.records
    assert "jenny" not in repr(world.memory.events).lower()


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        ("charge.succeeded", {"object": "charge", "id": "_00000000000000", "charge": "_00000000000000", "amount": 100}),
        ("radar.early_fraud_warning.created", {"object": "radar.early_fraud_warning", "charge": "_00000000000000"}),
        ("charge.dispute.created", {"object": "dispute", "id": "du_1", "charge": "_00000000000000"}),
        ("customer.deleted", {"object": "customer", "id": "jenny@example.com"}),
        ("customer.deleted", {"object": "customer", "id": "cus_other", "metadata": {"user_id": "42"}}),
        ("coupon.created", {"object": "coupon", "id": "25% off for Jenny"}),
        ("customer.discount.created", {"object": "discount", "coupon": {"id": "25% off"}}),
        ("customer.discount.created", {"object": "discount", "id": "di_other", "customer": "cus_other"}),
        ("invoice.paid", {"object": "invoice", "id": "in_other", "lines": {"data": ["odd", {"amount": "x"}]}}),
        ("customer.subscription.updated", {"object": "subscription", "id": None}),
        ("customer.subscription.updated", {"object": "subscription", "items": {"data": {}}}),
        ("customer.subscription.updated", {"object": "subscription", "id": "sub_gone", "items": []}),
        ("v9.Something New", {"object": "brand new"}),
        ("checkout.session.completed", {}),
    ],
)
def test_whatever_a_genuine_event_is_about_it_is_taken(world: World, kind: str, thing: Object) -> None:
    world.app.books.emit(kind, {"object": "x", **thing})
    assert world.settle() == 0
    assert refused_at_the_door(world) == []
    assert outcomes(world, 0) <= {"ignored", "unchanged"}
    assert world.memory.accounts == {}
    assert "jenny" not in repr(world.memory.events).lower()


@pytest.mark.parametrize("user_id", ["42", "usr_42", "user_1", ""])
def test_another_products_sale_that_names_a_user_too_leaves_no_dead_letter(world: World, user_id: str) -> None:
    """Everything that happens to a subscription and a single payment whose metadata looks a little like ours."""
    books, metadata = world.app.books, {"user_id": user_id, "plan_id": "plus-month"}
    buyer = world.app.call("POST", "/v1/customers", {f"metadata[{k}]": v for k, v in metadata.items()})["id"]
    ours = next(books.all("price"))
    price = books.add({**ours, "id": "price_other", "lookup_key": None, "metadata": {}, "recurring": None})
    price["recurring"] = {"interval": "month", "interval_count": 1}
    books.subscribe(buyer, price, 1, metadata, None)
    world.app.advance(32 * DAY)
    once = books.pay(700, "usd", buyer, metadata)["id"]
    books.refund(once, 100, None, {})
    books.open_dispute(once)
    books.warn_of_fraud(once)
    world.app.call("DELETE", f"/v1/customers/{buyer}")
    assert world.settle() == 0
    assert outcomes(world, 0) <= {"ignored", "unchanged"}
    assert world.memory.accounts == {}


def test_a_subscription_made_in_the_dashboard_for_a_user_of_ours_is_ours(world: World) -> None:
    books = world.app.books
    buyer = world.app.call("POST", "/v1/customers", {"metadata[user_id]": "usr_1"})["id"]
    price = next(
        p
        for p in books.all("price")
        if p["id"] == world.plans.catalogue().get("plus-month").provider_plan_ids["stripe"]
    )
    books.subscribe(buyer, price, 1, {}, None)
    world.settle()
    world.process()
    (subscription,) = world.account.subscriptions
    assert (subscription.status, len(subscription.payments)) == ("active", 1)


def forget(world: World, *kinds: str) -> None:
    """The objects are gone, as those of a deleted test clock."""
    for thing in [t for kind in kinds for t in world.app.books.all(kind)]:
        del world.app.books.objects[thing["id"]]


def test_events_about_objects_that_are_gone_and_were_never_ours_are_not_ours(world: World) -> None:
    books = world.app.books
    world.app.webhooks.hold = True
    buyer = world.app.call("POST", "/v1/customers", {})["id"]
    price = books.add({**next(books.all("price")), "id": "price_other", "lookup_key": None, "metadata": {}})
    price["recurring"] = {"interval": "month", "interval_count": 1}
    sub = books.subscribe(buyer, price, 1, {}, None)
    intent = books.pay(700, "usd", buyer, {})["id"]
    books.refund(intent, None, None, {})
    books.open_dispute(intent)
    world.app.call("POST", "/v1/subscription_schedules", {"from_subscription": sub["id"]})
    forget(world, "subscription", "invoice", "payment_intent", "charge", "subscription_schedule", "invoice_payment")
    world.app.webhooks.release()
    assert world.settle() == 0
    assert outcomes(world, 0) == {"ignored"}


def test_an_object_of_ours_that_is_gone_waits_for_a_person(world: World) -> None:
    world.buy()
    (sub,) = world.app.books.all("subscription")
    forget(world, "subscription")
    world.app.books.emit(
        "subscription_schedule.updated",
        {"object": "subscription_schedule", "id": "sub_sched_1", "subscription": sub["id"]},
    )
    assert world.settle() == 1


def test_nothing_at_all_is_asked_about_most_of_them(world: World) -> None:
    """A shared account costs ignored events: what the event says is enough to know it for another's."""
    since = len(world.app.requests)
    for odd in ODD_SESSIONS:
        world.app.books.emit("checkout.session.completed", session(world, **odd))
    assert world.settle() == 0
    assert [path for _, path in world.app.requests[since:]] == []
