"""Everything that can go differently with a bitcoin invoice, in every order, and with webhooks lost."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from billing import deadline
from billing.errors import Conflict, NotFound
from billing.rules.plans import Catalogue
from billing.rules.records import Account
from billing.rules.times import DAY
from billing.selling.invoices import show
from fakes.base import Fault
from tests.acceptance.world import USER, Shelf, World
from tests.samples import PLUS

FEATURE = "ai.insights"


def opened(world: World) -> str:
    return world.session(world.checkout(PLUS))


def satoshis(world: World, invoice: str) -> int:
    found: int = world.app.invoices[invoice].satoshis
    return found


def settle_at_provider(world: World, invoice: str) -> None:
    """Money that was seen becomes final."""
    (world.app.settle if world.player.name == "btcpay" else world.app.confirm)(invoice)


def make_optimistic(world: World) -> None:
    shelf = cast(Shelf, world.plans)
    shelf.plans = Catalogue(tuple(replace(p, optimistic=True) for p in shelf.plans.plans))


# --- nothing told --------------------------------------------------------------------------------------------------


def test_with_every_webhook_lost_the_poller_opens_it(bitcoin: World) -> None:
    bitcoin.app.webhooks.lose = True
    invoice = opened(bitcoin)
    bitcoin.player.pay(invoice)
    assert bitcoin.poll(600) == 1
    assert bitcoin.has(FEATURE)
    assert bitcoin.books("payment") == [("payment", PLUS.price_cents)]
    assert bitcoin.poll(7 * DAY) == 0


def test_an_invoice_is_no_longer_looked_at_once_nothing_more_can_happen(bitcoin: World) -> None:
    opened(bitcoin)
    bitcoin.poll(89 * DAY)
    assert len(bitcoin.due.due("poll", None, 10)) == 1, "money may still come to an invoice that ran out"
    bitcoin.poll(10 * DAY)
    assert bitcoin.bought.status == "failed"
    assert bitcoin.due.due("poll", None, 10) == []


def test_a_provider_that_is_down_while_polling_is_asked_again_later(bitcoin: World) -> None:
    bitcoin.app.webhooks.lose = True
    bitcoin.player.pay(opened(bitcoin))
    bitcoin.app.advance(120)
    bitcoin.app.faults = [Fault("refuse", "GET", times=3)]
    assert bitcoin.poller.poll(bitcoin.now, 25).failed == 1
    assert not bitcoin.has(FEATURE)
    assert bitcoin.poll(600) == 1
    assert bitcoin.has(FEATURE)


def test_a_round_that_runs_out_of_time_leaves_the_rest_due(bitcoin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bitcoin.app.webhooks.lose = True
    bitcoin.player.pay(opened(bitcoin))
    bitcoin.app.advance(120)
    monkeypatch.setattr(deadline, "over", lambda: True)
    asked = len(bitcoin.app.requests)
    assert bitcoin.poller.poll(bitcoin.now, 25).read == 0
    assert len(bitcoin.app.requests) == asked
    monkeypatch.undo()
    assert bitcoin.poller.poll(bitcoin.now, 25).changed == 1, "it was not put off"


def test_two_pollers_at_once_read_an_invoice_once(bitcoin: World) -> None:
    opened(bitcoin)
    bitcoin.app.advance(120)
    first = bitcoin.due.due("poll", bitcoin.now, 25)
    assert bitcoin.poller.poll(bitcoin.now, 25).read == 1
    assert [bitcoin.poller._claimed(due, bitcoin.now) for due in first] == [None]


def test_a_door_that_was_closed_gets_everything_later(btcpay: World) -> None:
    btcpay.app.webhooks.send, door = (lambda *_: 503), btcpay.app.webhooks.send
    invoice = opened(btcpay)
    btcpay.player.pay(invoice)
    btcpay.app.webhooks.wait_idle()
    assert btcpay.queue == []
    btcpay.app.webhooks.send = door
    btcpay.app.advance(60)
    btcpay.settle()
    assert btcpay.has(FEATURE)


# --- not the right amount, not the right time ----------------------------------------------------------------------


def test_underpaid_says_what_is_due_and_topping_up_opens_it(bitcoin: World) -> None:
    invoice = opened(bitcoin)
    bitcoin.app.pay(invoice, satoshis(bitcoin, invoice) * 3 // 4)
    bitcoin.settle()
    bitcoin.poll(120)
    assert (bitcoin.bought.status, bitcoin.bought.due_cents) == ("underpaid", 226)
    assert not bitcoin.has(FEATURE)
    bitcoin.player.pay(invoice)
    bitcoin.settle()
    assert bitcoin.has(FEATURE)
    assert bitcoin.books("payment") == [("payment", PLUS.price_cents)]


def test_overpaid_opens_once_and_records_the_surplus(bitcoin: World) -> None:
    invoice = opened(bitcoin)
    bitcoin.app.pay(invoice, satoshis(bitcoin, invoice) * 2)
    settle_at_provider(bitcoin, invoice)
    bitcoin.settle()
    assert bitcoin.has(FEATURE)
    assert (bitcoin.bought.amount_cents, bitcoin.bought.surplus_cents) == (PLUS.price_cents, PLUS.price_cents)
    assert bitcoin.books("payment") == [("payment", PLUS.price_cents)]


def test_the_surplus_goes_back_by_a_link_and_access_and_books_stay(btcpay: World) -> None:
    invoice = opened(btcpay)
    btcpay.app.pay(invoice, satoshis(btcpay, invoice) * 2)
    settle_at_provider(btcpay, invoice)
    btcpay.settle()
    answer = btcpay.desk.refund("btcpay", invoice, None, "key-0001", "usr_admin", btcpay.now, surplus=True)
    assert answer["claim_url"].startswith(f"{btcpay.app.url}/pull-payments/")
    [(by, account)] = btcpay.audit
    (request,) = account.refund_requests
    assert (by.actor, by.action, by.reason, request.payment_id) == ("usr_admin", "refund", "surplus", invoice)
    btcpay.settle()
    assert btcpay.has(FEATURE)
    assert btcpay.bought.status == "paid"
    assert btcpay.books("refund") == []
    with pytest.raises(Conflict, match="at most 0"):
        btcpay.desk.refund("btcpay", invoice, None, "key-0002", "usr_admin", btcpay.now, surplus=True)


def test_bitpay_returns_a_surplus_by_itself(bitpay: World) -> None:
    with pytest.raises(Conflict, match="by itself"):
        bitpay.desk.refund("bitpay", bitpay.buy(), None, "key-0001", "usr_admin", bitpay.now, surplus=True)


def late(world: World) -> str:
    invoice = opened(world)
    world.app.advance(3700)
    world.app.pay(invoice)
    world.settle()
    return invoice


def test_paid_too_late_is_flagged_and_opens_when_a_person_accepts_it(bitcoin: World) -> None:
    invoice = late(bitcoin)
    assert bitcoin.bought.status == "paid_late"
    assert not bitcoin.has(FEATURE)
    assert bitcoin.books("payment") == []
    (flagged,) = bitcoin.desk.open(10, flagged=True)["invoices"]
    assert (flagged["purchase_id"], flagged["received_cents"]) == (invoice, PLUS.price_cents)
    bitcoin.app.advance(2 * DAY)
    for _ in range(2):
        assert bitcoin.desk.accept(bitcoin.player.name, invoice, "usr_admin", bitcoin.now)["accepted_by"] == "usr_admin"
    assert bitcoin.has(FEATURE)
    assert bitcoin.books("payment") == [("payment", PLUS.price_cents)]
    assert bitcoin.desk.open(10, flagged=True)["invoices"] == []
    bitcoin.app.advance(27 * DAY)
    assert bitcoin.has(FEATURE), "the days until it was accepted are not lost"


def test_what_a_person_accepted_stays_accepted_when_it_is_read_again(bitcoin: World) -> None:
    invoice = late(bitcoin)
    bitcoin.desk.accept(bitcoin.player.name, invoice, "usr_admin", bitcoin.now)
    bitcoin.app.advance(60)
    bitcoin.desk.reread(bitcoin.player.name, invoice, bitcoin.now)
    assert bitcoin.has(FEATURE)


def test_underpaid_and_expired_can_be_accepted_for_what_came(bitcoin: World) -> None:
    invoice = opened(bitcoin)
    bitcoin.app.pay(invoice, satoshis(bitcoin, invoice) * 3 // 4)
    bitcoin.app.advance(3700)
    bitcoin.settle()
    bitcoin.poll(600)
    assert bitcoin.bought.status == "underpaid"
    bitcoin.desk.accept(bitcoin.player.name, invoice, "usr_admin", bitcoin.now)
    assert bitcoin.has(FEATURE)
    assert bitcoin.books("payment") == [("payment", 674)]


def test_what_nobody_decided_is_found_for_as_long_as_it_takes_and_then_no_more(bitcoin: World) -> None:
    invoice = late(bitcoin)
    for _ in range(3):
        bitcoin.poll(40 * DAY)
    assert [found["purchase_id"] for found in bitcoin.desk.open(25, flagged=True)["invoices"]] == [invoice]
    bitcoin.desk.accept(bitcoin.player.name, invoice, "usr_admin", bitcoin.now)
    assert bitcoin.desk.open(25, flagged=True)["invoices"] == []
    bitcoin.poll(8 * DAY)
    assert bitcoin.desk.open(25, flagged=False)["invoices"] == []


def test_what_is_heard_while_a_person_accepts_is_not_undone(btcpay: World, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = opened(btcpay)
    btcpay.app.pay(invoice, satoshis(btcpay, invoice) * 3 // 4)
    btcpay.app.advance(3700)
    btcpay.settle()
    btcpay.poll(600)
    loads = []
    load = btcpay.memory.load

    def another_comes_between(user_id: str, *, whole: bool = False) -> Account:
        loads.append(user_id)
        if len(loads) == 2:
            btcpay.app.pay(invoice, satoshis(btcpay, invoice) - satoshis(btcpay, invoice) * 3 // 4)
            btcpay.settle()
            assert btcpay.bought.state == "paid_late"
        return load(user_id, whole=whole)

    monkeypatch.setattr(btcpay.memory, "load", another_comes_between)
    btcpay.desk.accept("btcpay", invoice, "usr_admin", btcpay.now)
    assert (btcpay.bought.state, btcpay.bought.due_cents) == ("paid_late", 0)
    assert btcpay.books("payment") == [("payment", PLUS.price_cents)]


def test_a_late_payment_can_be_given_back(btcpay: World) -> None:
    invoice = late(btcpay)
    answer = btcpay.desk.refund("btcpay", invoice, None, "key-0001", "usr_admin", btcpay.now, surplus=False)
    assert (answer["status"], answer["needs_decision"]) == ("refunded", False)
    with pytest.raises(Conflict, match="only money that bought nothing"):
        btcpay.desk.accept("btcpay", invoice, "usr_admin", btcpay.now)


def test_the_claim_link_can_be_had_again_while_nobody_used_it(btcpay: World) -> None:
    invoice = btcpay.buy()
    made = btcpay.desk.refund("btcpay", invoice, 100, "key-0001", "usr_admin", btcpay.now, surplus=False)
    assert btcpay.desk.reread("btcpay", invoice, btcpay.now)["claim_urls"] == [made["claim_url"]]


def test_a_claim_that_was_withdrawn_is_noticed_when_the_invoice_is_read_again(btcpay: World) -> None:
    invoice = btcpay.buy()
    made = btcpay.desk.refund("btcpay", invoice, None, "key-0001", "usr_admin", btcpay.now, surplus=False)
    assert not btcpay.has(FEATURE)
    btcpay.app.claims[made["refund_id"]]["archived"] = True
    btcpay.app.advance(60)
    answer = btcpay.desk.reread("btcpay", invoice, btcpay.now)
    assert (answer["status"], answer["refunded_cents"], answer["claim_urls"]) == ("paid", 0, [])
    assert btcpay.has(FEATURE)


def test_what_is_in_order_needs_no_acceptance(bitcoin: World) -> None:
    invoice = opened(bitcoin)
    with pytest.raises(Conflict, match="this invoice is pending"):
        bitcoin.desk.accept(bitcoin.player.name, invoice, "usr_admin", bitcoin.now)
    with pytest.raises(NotFound):
        bitcoin.desk.accept(bitcoin.player.name, "unknown", "usr_admin", bitcoin.now)


# --- taken back ------------------------------------------------------------------------------------------------------


def test_optimistic_access_is_taken_back_when_the_invoice_dies(bitcoin: World) -> None:
    make_optimistic(bitcoin)
    invoice = opened(bitcoin)
    bitcoin.app.pay(invoice)
    bitcoin.settle()
    assert bitcoin.has(FEATURE)
    bitcoin.app.advance(60)
    bitcoin.app.invalidate(invoice)
    bitcoin.settle()
    assert not bitcoin.has(FEATURE)
    assert bitcoin.books("payment", "refund") == []


def test_a_payment_that_falls_back_without_a_webhook_is_found_by_the_poller(btcpay: World) -> None:
    make_optimistic(btcpay)
    invoice = opened(btcpay)
    btcpay.app.pay(invoice)
    btcpay.settle()
    btcpay.app.advance(60)
    btcpay.app.fall_back(invoice)
    assert btcpay.has(FEATURE)
    assert btcpay.poll(300) == 1
    assert not btcpay.has(FEATURE)


def test_an_invalid_invoice_can_still_complete(bitpay: World) -> None:
    invoice = opened(bitpay)
    bitpay.app.pay(invoice)
    bitpay.app.invalidate(invoice)
    bitpay.settle()
    assert bitpay.bought.status == "failed"
    bitpay.app.advance(3600)
    bitpay.app.complete(invoice)
    bitpay.settle()
    assert bitpay.has(FEATURE)


def test_marked_by_hand_either_way(btcpay: World) -> None:
    invoice = opened(btcpay)
    btcpay.app.advance(3700)
    btcpay.app.mark(invoice, "Settled")
    btcpay.settle()
    assert btcpay.has(FEATURE)
    btcpay.app.advance(60)
    btcpay.app.mark(invoice, "Invalid")
    btcpay.settle()
    assert not btcpay.has(FEATURE)
    assert sum(amount for _, amount in btcpay.books("payment", "refund")) == 0


def test_a_refund_before_completion_declines_the_whole_invoice(bitpay: World) -> None:
    invoice = opened(bitpay)
    bitpay.app.pay(invoice)
    bitpay.app.confirm(invoice)
    bitpay.settle()
    assert bitpay.has(FEATURE)
    bitpay.app.advance(60)
    bitpay.desk.refund("bitpay", invoice, None, "key-0001", "usr_admin", bitpay.now, surplus=False)
    bitpay.settle()
    assert bitpay.bought.status == "refunded"
    assert not bitpay.has(FEATURE)
    assert sum(amount for _, amount in bitpay.books("payment", "refund")) == 0


def test_an_invoice_whose_price_is_not_ours_fails_with_the_difference(bitcoin: World) -> None:
    invoice = opened(bitcoin)
    found = bitcoin.app.invoices[invoice]
    if bitcoin.player.name == "btcpay":
        found.amount = type(found.amount)("1.00")
    else:
        found.request["price"] = 1
    bitcoin.player.pay(invoice)
    assert bitcoin.settle() > 0
    assert not bitcoin.has(FEATURE)
    keys = [m.split('"event_id":"')[1].split('"')[0] for m in bitcoin.queue]
    event = bitcoin.memory.events[f"{bitcoin.player.name}#{keys[0]}"]
    assert "is not the one we opened: its price is 1" in event.reason


def test_an_invoice_is_shown_to_its_buyer_only(bitcoin: World) -> None:
    invoice = opened(bitcoin)
    client = lambda _: bitcoin.player.client()  # noqa: E731
    shown = show(bitcoin.accounts, client, USER, bitcoin.player.name, invoice, bitcoin.now)
    assert (shown["status"], shown["due_cents"]) == ("pending", PLUS.price_cents)
    assert shown["bip21"].startswith("bitcoin:")
    with pytest.raises(NotFound):
        show(bitcoin.accounts, client, "usr_2", bitcoin.player.name, invoice, bitcoin.now)


# --- every order -----------------------------------------------------------------------------------------------------

Step = Callable[[World, str], object]


def pay_part(world: World, invoice: str) -> None:
    world.app.pay(invoice, satoshis(world, invoice) // 2)


def pay_rest(world: World, invoice: str) -> None:
    world.app.pay(invoice)


def pay_double(world: World, invoice: str) -> None:
    world.app.pay(invoice, satoshis(world, invoice) * 2)


def die(world: World, invoice: str) -> None:
    world.app.invalidate(invoice)


def run_out(world: World, _invoice: str) -> None:
    world.app.advance(3700)


# What happens at the provider, and what must be true in the end.
STORIES: dict[str, tuple[list[Step], str, bool]] = {
    "paid": ([pay_rest, settle_at_provider], "paid", True),
    "topped up": ([pay_part, pay_rest, settle_at_provider], "paid", True),
    "overpaid": ([pay_double, settle_at_provider], "paid", True),
    "underpaid and expired": ([pay_part, run_out], "underpaid", False),
    "expired": ([run_out], "failed", False),
    "paid late": ([run_out, pay_rest], "paid_late", False),
    "invalid after it was seen": ([pay_rest, die], "failed", False),
    "invalid after it was settled": ([pay_rest, settle_at_provider, die], "failed", False),
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_arrives_whenever_the_end_is_the_same(bitcoin: World, story: str, seed: int) -> None:
    """Webhooks are held, doubled, dropped and shuffled between the steps; the poller finds the rest."""
    chance = random.Random(f"{story}{seed}")  # noqa: S311  an order, not a secret
    steps, status, open_now = STORIES[story]
    invoice = opened(bitcoin)
    webhooks: Any = bitcoin.app.webhooks
    for step in steps:
        webhooks.hold, webhooks.lose, webhooks.copies = True, chance.random() < 0.4, chance.choice([1, 2])
        bitcoin.app.advance(chance.randint(1, 30))
        step(bitcoin, invoice)
        if chance.random() < 0.5:
            chance.shuffle(webhooks._held)
            webhooks.release()
            webhooks.wait_idle()
            chance.shuffle(bitcoin.queue)
            bitcoin.process()
    webhooks.release()
    bitcoin.settle()
    bitcoin.poll(900)
    assert (bitcoin.bought.status, bitcoin.has(FEATURE)) == (status, open_now)
    assert sum(amount for _, amount in bitcoin.books("payment", "refund")) == (PLUS.price_cents if open_now else 0)
    assert bitcoin.queue == []
