"""A plan paid twice in two tabs, or once more in the dashboard: the second is undone whole, whatever breaks between."""

from collections.abc import Iterator
from typing import Any

import pytest

from billing.intake.reconcile import Finding, Reconciler
from billing.log import SILENT
from billing.providers.breaker import Breaker
from billing.providers.interface import Notification, Order
from billing.providers.stripe import reads
from billing.store.progress import Progress
from fakes.base import Fault
from fakes.stripe.books import DAY, Object, Refused
from tests.acceptance.world import USER, World, open_world


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A client that leaves Stripe alone for a while does so by Stripe's clock."""
    opened: list[World] = []
    clock = lambda: float(opened[0].now if opened else 0)  # noqa: E731
    monkeypatch.setattr("billing.providers.stripe.client.Breaker", lambda name: Breaker(name, clock))
    with open_world("stripe") as world:
        opened.append(world)
        yield world


def pay_in_two_tabs(world: World) -> None:
    """Both pages were open before either was paid."""
    plan = world.plans.catalogue().get("plus-month")
    assert plan is not None
    sessions = []
    for number in range(2):
        order = Order(
            checkout_id=f"chk_{number}",
            user_id=USER,
            plan=plan,
            amount_cents=plan.price_cents,
            currency=plan.currency,
            success_url="https://shop/",
            cancel_url="https://shop/",
            expires_at=world.now + 3600,
        )
        sessions.append(world.player.client().create_checkout(order).session_id)
    for session in sessions:
        world.player.pay(session)


def kept(world: World) -> int:
    """What Stripe has of the buyer's money."""
    charges: list[Object] = list(world.app.books.all("charge"))
    return sum(c["amount"] - c["amount_refunded"] for c in charges)


def live(world: World) -> int:
    return sum(sub["status"] == "active" for sub in world.app.books.all("subscription"))


def failed(world: World) -> list[str]:
    return [event.reason for event in world.memory.events.values() if event.status == "failed"]


def ask_again(world: World) -> None:
    """The schedule that asks for refunds nobody knows the end of."""
    world.refunds.settle(world.due, world.now, 25, SILENT)


def test_the_second_is_canceled_and_its_money_goes_back(world: World) -> None:
    pay_in_two_tabs(world)
    assert world.settle() == 0
    assert (live(world), kept(world)) == (1, 900)
    assert failed(world) == []


@pytest.mark.parametrize("status", [500, 503])
def test_a_refund_that_gets_no_answer_is_owed_until_it_is_made(world: World, status: int) -> None:
    pay_in_two_tabs(world)
    world.app.faults = [Fault("refuse", "POST", "/v1/refunds", times=3, status=status)]
    assert world.settle() == 1
    assert (live(world), kept(world)) == (1, 1800)
    (why,) = failed(world)
    assert "is canceled" not in why or "not paid back" in why
    for _ in range(3):
        world.app.advance(300)
        world.process()
        ask_again(world)
    assert (live(world), kept(world)) == (1, 900)
    assert failed(world) == []
    assert len(list(world.app.books.all("refund"))) == 1


def test_a_refund_that_broke_off_is_made_when_stripe_forgets_that(world: World) -> None:
    """Stripe gives the 500 again under the same key, for a day."""
    pay_in_two_tabs(world)
    world.app.breaks.append(("POST", "/v1/refunds"))
    assert world.settle() == 1
    for _ in range(8):
        world.app.advance(6 * 3600)
        world.process()
        ask_again(world)
    assert (live(world), kept(world), failed(world)) == (1, 900, [])


def test_a_refund_that_is_refused_ends_as_a_dead_letter_that_says_so_and_is_made_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Object:
        raise Refused("Insufficient funds in your Stripe balance.", code="balance_insufficient")

    monkeypatch.setattr(world.app.books, "refund", refuse)
    pay_in_two_tabs(world)
    world.settle()
    while not world.dead_letters:
        assert world.process() <= 1
    assert not world.queue
    (why,) = failed(world)
    assert "not paid back" in why
    assert "Insufficient funds" in why
    assert live(world) == 1
    monkeypatch.undo()
    world.app.advance(3600)
    world.queue += world.dead_letters  # sent back
    assert world.process() == 0
    assert (kept(world), failed(world)) == (900, [])


@pytest.mark.parametrize("path", ["/v1/subscriptions/", "/v1/refunds"])
def test_a_crash_between_two_steps_leaves_nothing_undone(world: World, path: str) -> None:
    """The call is carried out, and its answer never heard."""
    pay_in_two_tabs(world)
    world.app.faults = [Fault("lose", method, path, times=3) for method in ("DELETE", "POST")]
    world.settle()
    for _ in range(6):
        world.app.advance(300)
        world.process()
        ask_again(world)
    assert (live(world), kept(world), failed(world)) == (1, 900, [])
    assert len(list(world.app.books.all("refund"))) == 1


# --- reconciliation ------------------------------------------------------------------------------------------------


class MemoryProgress:
    """`ProgressStore`, for one round after another."""

    def __init__(self) -> None:
        self.at: Progress | None = None

    def load(self, _: str) -> Progress | None:
        return self.at

    def save(self, _: str, progress: Progress | None, now: int) -> None:
        self.at = progress


@pytest.fixture
def reconciler(world: World) -> Reconciler:
    client, events, progress = world.applier._client, world.memory, MemoryProgress()
    stores: Any = (world.accounts, world.plans, events, world.applier, world.processor, progress)
    return Reconciler("stripe", client, *stores, world.doubles.settle)


def reconcile(world: World, reconciler: Reconciler, *, dry_run: bool = False) -> list[Finding]:
    return reconciler.run(world.now, since=world.now - 4 * DAY, dry_run=dry_run).findings


def made_in_the_dashboard(world: World) -> Object:
    (sub,) = world.app.books.all("subscription")
    price = sub["items"]["data"][0]["price"]
    made: Object = world.app.books.subscribe(sub["customer"], price, 1, {}, None)
    return made


def test_a_second_one_made_in_the_dashboard_is_found_shown_and_undone(world: World, reconciler: Reconciler) -> None:
    world.buy()
    world.app.advance(DAY)
    made_in_the_dashboard(world)
    world.settle()
    world.process()
    assert (live(world), kept(world)) == (2, 1800)
    (shown,) = reconcile(world, reconciler, dry_run=True)
    assert (shown.kind, shown.repaired, live(world)) == ("double_subscription", False, 2)
    (mended,) = [f for f in reconcile(world, reconciler) if f.kind == "double_subscription"]
    assert (mended.kind, mended.repaired) == ("double_subscription", True)
    world.settle()
    assert (live(world), kept(world)) == (1, 900)
    assert reconcile(world, reconciler) == []


def test_what_is_left_of_undoing_it_is_found_although_nothing_is_live_twice(
    world: World, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Object:
        raise Refused("Insufficient funds in your Stripe balance.", code="balance_insufficient")

    monkeypatch.setattr(world.app.books, "refund", refuse)
    pay_in_two_tabs(world)
    world.settle()
    world.queue.clear()  # nobody looks at the dead letter
    world.app.advance(DAY)
    (shown, *_) = [f for f in reconcile(world, reconciler) if f.kind == "double_subscription"]
    assert not shown.repaired
    assert "Insufficient funds" in shown.detail
    monkeypatch.undo()
    world.app.advance(3600)
    reconcile(world, reconciler)
    assert (live(world), kept(world)) == (1, 900)


def test_an_odd_entry_of_a_list_is_reported_and_the_others_are_looked_at(world: World, reconciler: Reconciler) -> None:
    world.app.webhooks.lose = True
    odd = {"object": "radar.early_fraud_warning", "id": "issfr_x", "charge": "_00000000000000", "payment_intent": "_0"}
    world.app.books.emit("radar.early_fraud_warning.created", odd)
    world.app.books.emit("charge.refunded", odd)
    world.app.books.emit("charge.refunded", {"object": "charge", "id": "a b"})
    world.buy()
    findings = reconcile(world, reconciler)
    assert world.has("ai.insights")
    assert {f.kind for f in findings} == {"missing", "event_missing"}
    assert reconcile(world, reconciler) == []


def test_an_event_that_cannot_be_read_or_applied_ends_no_round(
    world: World, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.app.webhooks.lose = True
    world.buy()
    unreadable, poisoned = world.app.books.events[-1], world.app.books.events[-2]
    monkeypatch.setitem(unreadable, "object", "odd")
    real = world.processor.process

    def process(notification: Notification, *rest: Any) -> Any:
        if notification.event_id == poisoned["id"]:
            raise KeyError("odd")
        return real(notification, *rest)

    monkeypatch.setattr(world.processor, "process", process)
    findings = {f.kind: f for f in reconcile(world, reconciler)}
    assert findings["unreadable"].object_id == unreadable["id"]
    assert findings["event_failed"].object_id == poisoned["id"]
    assert "event_missing" in findings
    assert world.has("ai.insights")


def test_a_subscription_that_cannot_be_read_holds_up_no_other(
    world: World, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.app.webhooks.lose = True
    world.buy()
    other = made_in_the_dashboard(world)
    real = reads.Reader._of_subscription

    def odd(reader: Any, found: Object, seen: int) -> Any:
        if found["id"] == other["id"]:
            raise KeyError("id")
        return real(reader, found, seen)

    monkeypatch.setattr(reads.Reader, "_of_subscription", odd)
    findings = reconcile(world, reconciler)
    assert ("unreadable", other["id"]) in {(f.kind, f.object_id) for f in findings}
    assert world.has("ai.insights")


def test_a_round_whose_mark_is_gone_or_that_never_ends_is_begun_anew(world: World, reconciler: Reconciler) -> None:
    world.app.webhooks.lose = True
    world.buy()
    progress: Any = reconciler._progress
    progress.at = Progress("events", "evt_gone", world.now - DAY, world.now)
    assert {f.kind for f in reconcile(world, reconciler)} >= {"begun_anew", "event_missing"}
    assert world.has("ai.insights")
    progress.at = Progress("events", "evt_gone", world.now - DAY, world.now - DAY)
    (sub,) = world.app.books.all("subscription")
    world.app.books.modify(sub, {"cancel_at_period_end": True})
    assert "differs" in {f.kind for f in reconcile(world, reconciler)}
    assert progress.at is None
