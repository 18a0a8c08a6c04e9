"""Whose order a bitcoin invoice is, whoever made it and whatever it calls itself; bought twice; clocks."""

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from billing.errors import Conflict
from billing.rules.plans import Plan
from billing.rules.terms import add_interval
from billing.rules.times import DAY
from fakes.base import Request
from tests.acceptance.bitcoin import FEATURE, PRICE, books, confirm, flagged, give_back, opened
from tests.acceptance.world import USER, Shelf, World
from tests.samples import PLUS, PRO, TAX_PASS


def stranger(world: World, metadata: dict[str, Any], amount: str | None = "0.01") -> str:
    """An invoice that somebody else opens in the same store."""
    body = {"amount": amount, "currency": "USD", "metadata": metadata}
    request = Request(
        method="POST",
        path="/api/v1/stores/store/invoices",
        headers={"authorization": "token api-key"},
        body=json.dumps(body).encode(),
    )
    answer = world.app.handle(request)
    assert answer is not None
    return str(json.loads(answer.body)["id"])


FORGED = {
    "user_id": USER,
    "plan_id": "pro-year",
    "plan_version": "1",
    "checkout_id": "chk_forged",
    "orderId": "chk_forged",
    "amount_cents": "1",
    "currency": "USD",
    "trial_days": "700",
}


def test_an_invoice_for_a_cent_that_calls_itself_a_year_of_pro_waits_for_a_person(btcpay: World) -> None:
    btcpay.checkout(TAX_PASS)
    invoice = stranger(btcpay, FORGED)
    btcpay.app.pay(invoice, 100)
    btcpay.app.settle(invoice)
    assert btcpay.settle() == 0
    assert not btcpay.has("tax.enhanced")
    waiting = [event for event in btcpay.memory.events.values() if event.status == "quarantined"]
    assert waiting
    assert all(event.code == "not_ordered_here" and invoice in event.reason for event in waiting)
    assert books(btcpay) == 0


def test_our_own_order_opened_again_elsewhere_is_not_ours(btcpay: World) -> None:
    ours = opened(btcpay, PRO)
    copy = stranger(btcpay, dict(btcpay.app.invoices[ours].metadata), "19.00")
    btcpay.app.pay(copy)
    btcpay.app.settle(copy)
    assert btcpay.settle() == 0
    assert not btcpay.has("tax.enhanced")


@pytest.mark.parametrize("metadata", [{**FORGED, "user_id": "usr_of_a_test_stack"}, {"orderId": "66"}, {}])
def test_another_shop_or_stack_in_the_same_store_is_nothing_to_us(btcpay: World, metadata: dict[str, Any]) -> None:
    invoice = stranger(btcpay, metadata)
    btcpay.app.pay(invoice, 100)
    btcpay.app.settle(invoice)
    assert btcpay.settle() == 0
    assert {event.status for event in btcpay.memory.events.values()} == {"ignored"}
    assert btcpay.memory.accounts == {}
    assert books(btcpay) == 0


def test_another_store_on_the_server_is_nothing_to_us(btcpay: World) -> None:
    invoice = stranger(btcpay, FORGED)
    btcpay.app.invoices[invoice].store = "another"
    btcpay.app.pay(invoice)
    assert btcpay.settle() == 0
    assert btcpay.has("tax.enhanced") is False


def test_money_without_any_order_is_listed_and_not_swallowed(btcpay: World) -> None:
    invoice = stranger(btcpay, {}, None)
    btcpay.app.pay(invoice, 5000)
    assert btcpay.settle() == 0
    assert any(event.status == "quarantined" for event in btcpay.memory.events.values())


def test_the_trial_comes_from_our_order(btcpay: World) -> None:
    shelf = cast(Shelf, btcpay.plans)
    shelf.plans = replace(shelf.plans, plans=tuple(replace(p, trial_days=14) for p in shelf.plans.plans))
    invoice = opened(btcpay, PLUS)
    btcpay.app.invoices[invoice].metadata["trial_days"] = "700"
    btcpay.player.pay(invoice)
    btcpay.settle()
    assert btcpay.term.bonus_seconds == 14 * DAY


# --- buying twice -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noticed", ["by a webhook", "by nobody"])
def test_a_pass_whose_payment_is_on_its_way_is_not_sold_again(bitcoin: World, noticed: str) -> None:
    bitcoin.app.webhooks.lose = noticed == "by nobody"
    invoice = opened(bitcoin)
    bitcoin.app.pay(invoice)
    bitcoin.app.advance(3700)
    bitcoin.settle()
    with pytest.raises(Conflict, match="is on its way") as refused:
        bitcoin.checkout(TAX_PASS)
    assert refused.value.code == "payment_on_its_way"
    confirm(bitcoin, invoice)
    bitcoin.app.webhooks.lose = False
    bitcoin.app.advance(60)
    bitcoin.poll(900)
    assert bitcoin.has(FEATURE)


def test_a_pass_paid_twice_all_the_same_is_flagged(btcpay: World) -> None:
    first = opened(btcpay)
    btcpay.app.advance(3700)
    btcpay.settle()
    second = opened(btcpay)
    btcpay.player.pay(second)
    btcpay.settle()
    assert flagged(btcpay) == []
    btcpay.app.advance(60)
    btcpay.app.pay(first)
    btcpay.app.mark(first, "Settled")
    btcpay.settle()
    (found,) = btcpay.desk.open(25, flagged=True)["invoices"]
    assert (found["purchase_id"], found["duplicate_of"], found["undecided_cents"]) == (first, second, PRICE)
    give_back(btcpay, first)
    assert flagged(btcpay) == []
    assert btcpay.has(FEATURE)


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noticed", ["by a webhook", "by nobody"])
def test_a_server_whose_clock_was_an_hour_ahead_delays_nothing(btcpay: World, noticed: str) -> None:
    btcpay.app.skew = 3600
    btcpay.app.webhooks.lose = noticed == "by nobody"
    invoice = opened(btcpay)
    btcpay.app.pay(invoice)
    btcpay.settle()
    btcpay.app.skew = 0
    btcpay.app.advance(60)
    confirm(btcpay, invoice)
    btcpay.settle()
    btcpay.poll(120)
    assert btcpay.has(FEATURE)
    made = give_back(btcpay, invoice)
    btcpay.app.advance(60)
    btcpay.app.refunds.archive(made["refund_id"])
    btcpay.desk.reread("btcpay", invoice, btcpay.now)
    assert btcpay.has(FEATURE)


@pytest.mark.parametrize("plan", [TAX_PASS, PLUS], ids=["pass", "term"])
def test_a_payment_by_a_clock_that_is_ahead_counts_from_when_it_was_read(btcpay: World, plan: Plan) -> None:
    btcpay.app.skew = 400 * DAY
    invoice = opened(btcpay, plan)
    btcpay.app.pay(invoice)
    confirm(btcpay, invoice)
    btcpay.settle()
    assert btcpay.has(FEATURE if plan is TAX_PASS else "ai.insights")
    assert btcpay.bought.payment is not None
    assert btcpay.bought.payment.paid_at == btcpay.now
    assert [renewal.ends_at for renewal in btcpay.account.renewals] == (
        [] if plan is TAX_PASS else [add_interval(btcpay.now, "month")]
    )
