"""A plan paid twice in two tabs, or once more in the dashboard: the second is undone whole, whatever breaks between."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from billing.errors import ProviderError
from billing.intake.reconcile import Finding, Reconciler
from billing.log import SILENT
from billing.providers.breaker import Breaker
from billing.providers.interface import Notification, Order
from billing.providers.stripe import reads
from billing.store.progress import Progress
from fakes.base import Fault
from fakes.stripe import shapes
from fakes.stripe.payments import DAY, Object, Refused
from fakes.stripe.subscriptions import item_of
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


def two_tabs(world: World) -> list[str]:
    """Two pages of one plan, open before either is paid."""
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
    return sessions


def pay_in_two_tabs(world: World) -> None:
    for session in two_tabs(world):
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


# --- a debit that is on its way ---------------------------------------------------------------------------------------


def pay_by(world: World, *, debit: str, card: str) -> Object:
    """One page by bank debit, then the other by card; the debit's session."""
    books = world.app.books
    session: Object = books.objects[debit]
    books.complete(session, delayed=True)
    world.app.advance(60)
    books.complete(books.objects[card])
    return session


@pytest.mark.parametrize("arrives", [True, False])
def test_what_is_paid_is_kept_although_a_debit_on_its_way_is_older(world: World, arrives: bool) -> None:
    first, second = two_tabs(world)
    session = pay_by(world, debit=first, card=second)
    world.settle()
    assert (live(world), kept(world), world.has("ai.insights")) == (1, 900, True)
    world.app.advance(4 * DAY)
    world.app.books.settle(session, paid=arrives)
    world.settle()
    assert (live(world), kept(world), world.has("ai.insights"), failed(world)) == (1, 900, True, [])


@pytest.mark.parametrize("winner", [0, 1])
def test_of_two_debits_on_their_way_the_one_that_arrives_is_kept(world: World, winner: int) -> None:
    sessions = [world.app.books.objects[session] for session in two_tabs(world)]
    for session in sessions:
        world.app.books.complete(session, delayed=True)
        world.app.advance(60)
    world.settle()
    assert (live(world), world.has("ai.insights")) == (2, False)
    world.app.advance(3 * DAY)
    world.app.books.settle(sessions[winner], paid=True)
    world.settle()
    assert (live(world), kept(world), world.has("ai.insights")) == (1, 900, True)
    world.app.advance(DAY)
    world.app.books.settle(sessions[1 - winner], paid=True)
    world.settle()
    assert (live(world), kept(world), world.has("ai.insights"), failed(world)) == (1, 900, True, [])


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
    return Reconciler("stripe", client, *stores, world.aftercare.settle)


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


@pytest.mark.parametrize("of", ["made in the dashboard", "paid on an old page"])
def test_what_follows_one_that_ended_unheard_is_no_second_one(world: World, reconciler: Reconciler, of: str) -> None:
    """The fewest events that an endpoint can send do not tell of an end."""
    world.buy()
    (first,) = world.app.books.all("subscription")
    world.app.books.modify(first, {"cancel_at_period_end": True})
    world.settle()
    world.app.webhooks.lose = True
    world.app.advance(32 * DAY)
    if of == "made in the dashboard":
        made_in_the_dashboard(world)
    else:
        world.player.pay(two_tabs(world)[0])
    assert [s.status for s in world.account.subscriptions] == ["active"]
    reconcile(world, reconciler)
    assert sorted(s.status for s in world.account.subscriptions) == ["active", "canceled"]
    assert (live(world), kept(world)) == (1, 1800)


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


def test_a_coupon_that_was_deleted_holds_up_neither_events_nor_the_round(world: World, reconciler: Reconciler) -> None:
    """Stripe goes on taking it off, and says no more what it takes."""
    world.buy()
    (sub,) = world.app.books.all("subscription")
    world.app.advance(60)
    applied = world.app.books.discount(sub, "forever", percent_off=50)
    del world.app.books.objects[applied["source"]["coupon"]]
    assert (world.settle(), failed(world)) == (0, [])
    world.app.books.modify(sub, {"cancel_at_period_end": True})
    world.app.webhooks.lose = True
    assert {f.kind for f in reconcile(world, reconciler)} == {"differs", "event_missing"}
    assert reconcile(world, reconciler) == []


def test_what_is_refused_for_one_user_holds_up_no_other(
    world: World, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first debit of one failed, and Stripe refuses to end that subscription; the other was never told of."""
    world.app.webhooks.lose = True
    session = world.app.books.objects[world.session(world.checkout())]
    world.app.books.complete(session, delayed=True)
    world.app.advance(4 * DAY)
    world.app.books.settle(session, paid=False)
    other = world.app.books.subscribe(world.app.books.new_id("cus"), item_of(by(world, session))["price"], 1, {}, None)
    customer = shapes.customer(other["customer"], world.now, {"user_id": "usr_2"})
    world.app.books.add(customer)

    def refuse(*_: Any) -> None:
        raise Refused("This subscription cannot be canceled.")

    monkeypatch.setattr(world.app.books, "end", refuse)
    findings = reconcile(world, reconciler)
    assert "cannot be canceled" in " ".join(f.detail for f in findings if not f.repaired)
    assert world.memory.accounts["usr_2"].subscriptions
    monkeypatch.undo()
    reconcile(world, reconciler)
    assert by(world, session)["status"] == "canceled"


def by(world: World, session: Object) -> Object:
    """The subscription that a session made."""
    found: Object = world.app.books.objects[session["subscription"]]
    return found


def test_a_page_that_can_never_be_read_does_not_make_a_round_go_in_circles(
    world: World, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = 0

    def subscriptions(_reader: Any, after: str | None, *_: Any) -> Any:
        nonlocal pages
        pages += 1
        if after is not None:
            raise stripe.InvalidRequestError("gone", "id", code="resource_missing", http_status=404)
        return [], "sub_1"

    monkeypatch.setattr(reads.Reader, "subscriptions", subscriptions)
    with pytest.raises(ProviderError):
        reconcile(world, reconciler)
    assert pages == 4
