"""Every situation that Stripe can bring about, and who has access in it; whatever the order its events arrive in.

A story plays at the stand-in. Its events then reach the real processor promptly, late and in any order with every one
doubled, in both payload shapes; what has to be read again is read from the stand-in. The end is always the same.
"""

from typing import Any

import pytest

from billing.rules.records import Purchase, Subscription
from fakes.stripe.shapes import OLD_VERSION
from tests.providers.stripe.canaries import CANARY, PERSONAL
from tests.scenarios import (  # noqa: F401 they tell the stories
    stripe_invoice_stories,
    stripe_purchase_stories,
    stripe_subscription_stories,
)
from tests.scenarios.stripe_stories import STORIES, End
from tests.scenarios.stripe_world import FEWEST, World, notifications, shop_in_process, shuffled_with_repeats

SEEDS = range(4)


def holds(world: World, end: End) -> None:
    window, *others = [w for w in world.windows() if w.kind == end.kind]
    (record,) = [r for r in world.account.records.values() if isinstance(r, Subscription | Purchase)]
    assert (record.status, window.reason, window.until) == (end.status, end.reason, end.until)
    assert sorted((w.plan.plan_id, w.until) for w in others if w.plan) == sorted(end.besides)
    if isinstance(record, Subscription):
        assert len(record.paid_late) == end.late
        if end.owed:
            assert tuple(invoice.start for invoice in record.owed) == end.owed


@pytest.mark.parametrize("name", STORIES)
def test_in_any_order_with_every_event_doubled_the_end_is_the_same(name: str) -> None:
    shop = shop_in_process()
    end = STORIES[name](shop)
    events = notifications(shop)
    world = World(shop)
    world.deliver(events)
    holds(world, end)
    expected = world.essence()
    for seed in SEEDS:
        other = World(shop)
        other.deliver(shuffled_with_repeats(events, seed))
        assert other.essence() == expected, f"seed {seed}"


@pytest.mark.parametrize("name", STORIES)
def test_the_old_payload_shapes_end_the_same(name: str) -> None:
    shop = shop_in_process()
    end = STORIES[name](shop)
    new, old = World(shop), World(shop)
    new.deliver(notifications(shop))
    old.deliver(shuffled_with_repeats(notifications(shop, OLD_VERSION), 1))
    holds(old, end)
    assert old.essence() == new.essence()


@pytest.mark.parametrize("name", STORIES)
def test_four_events_are_enough_for_most_and_the_nightly_round_tells_the_rest(name: str) -> None:
    shop = shop_in_process()
    end = STORIES[name](shop)
    world = World(shop)
    world.deliver(shuffled_with_repeats(notifications(shop, kinds=FEWEST), 2))
    if end.fewest:
        holds(world, end)
    world.deliver(notifications(shop))  # reconciliation processes what Stripe has and nobody delivered
    holds(world, end)


@pytest.mark.parametrize("name", STORIES)
def test_told_promptly_as_it_happens_it_ends_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event is processed the moment it happens, so that what is read again is not yet the end of the story."""
    shop = shop_in_process()
    prompt = World(shop)

    def publish(event: Any) -> None:
        prompt.deliver(notifications(shop)[-1:])

    monkeypatch.setattr(shop.books, "_publish", publish)
    end = STORIES[name](shop)
    if name not in {"a_first_payment_that_never_comes_gives_nothing", "a_guest_without_a_customer"}:
        late = World(shop)
        late.deliver(notifications(shop))
        assert prompt.essence() == late.essence()
        holds(prompt, end)


@pytest.mark.parametrize("name", ["renewals_move_access_along", "a_full_refund_revokes"])
def test_an_event_of_the_other_mode_is_quarantined_and_changes_nothing(name: str) -> None:
    shop = shop_in_process()
    STORIES[name](shop)
    world = World(shop, livemode=True)
    world.deliver(notifications(shop))
    assert world.account.records == {}
    assert {e.status for e in world.stores.events.values()} == {"quarantined"}


def _with_canaries(thing: Any) -> Any:
    """The object with a person's data in every field that can hold some; what the story needs stays as it is."""
    planted = {k: v for k, v in PERSONAL.get(thing["object"], {}).items() if k not in ("lines", "payment")}
    return {**thing, **planted, "metadata": {**thing.get("metadata", {}), "email": CANARY}}


@pytest.mark.parametrize("name", ["paying_late_restores_access", "a_refund_that_fails_restores"])
def test_nothing_personal_is_kept_of_what_is_told_or_read(
    name: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every object at Stripe carries a person's data; none of it reaches a table, a domain event's source or a log."""
    shop = shop_in_process()
    STORIES[name](shop)
    for thing in shop.books.objects.values():
        thing.update(_with_canaries(thing))
    for event in shop.books.events:
        event["data"]["object"] = _with_canaries(event["data"]["object"])
        event["request"] = {"id": None, "idempotency_key": CANARY}
    world = World(shop)
    with caplog.at_level("DEBUG"):
        world.deliver(notifications(shop))
    (record,) = [r for r in world.account.records.values() if isinstance(r, Subscription | Purchase)]
    assert record.status in ("active", "paid")
    kept = (world.stores.accounts, world.stores.events, world.stores.ledger, world.stores.links)
    assert "canary" not in repr(kept)
    assert "canary" not in caplog.text + capsys.readouterr().out
