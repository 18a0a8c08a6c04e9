"""Bitcoin money that bought nothing is never out of sight, in whatever order it is told."""

import pytest

from billing.errors import Conflict
from billing.rules.access import term_runs
from billing.rules.terms import add_interval
from billing.rules.times import DAY
from tests.acceptance.bitcoin import FEATURE, PRICE, accept, books, confirm, flagged, give_back, opened, sats
from tests.acceptance.world import World
from tests.samples import PLUS, PRO, TAX_PASS


@pytest.mark.parametrize("noticed", ["by a webhook", "by nobody"])
def test_paid_to_a_page_that_the_choice_of_another_plan_had_ended(btcpay: World, noticed: str) -> None:
    """His wallet still has the old code: the server books it on the Invalid invoice, and never leaves that state."""
    old = opened(btcpay, PLUS)
    btcpay.checkout(PRO)
    assert btcpay.app.invoices[old].status == "Invalid"
    btcpay.settle()
    btcpay.app.webhooks.lose = noticed == "by nobody"
    btcpay.app.advance(5 * DAY)
    btcpay.app.pay(old)
    btcpay.settle()
    if noticed == "by nobody":
        btcpay.poll(5 * DAY)
    assert flagged(btcpay) == [old]
    assert not btcpay.has("ai.insights")
    assert accept(btcpay, old)["received_cents"] == PLUS.price_cents
    assert btcpay.has("ai.insights")
    assert btcpay.books("payment") == [("payment", PLUS.price_cents)]
    assert flagged(btcpay) == []


def test_a_payment_in_flight_is_not_marked_invalid(btcpay: World) -> None:
    old = opened(btcpay, PLUS)
    btcpay.app.pay(old)
    btcpay.checkout(PRO)
    assert btcpay.app.invoices[old].status == "Processing"


def test_a_payment_that_races_with_the_marking_is_seen_with_the_next_checkout(btcpay: World) -> None:
    old = opened(btcpay, PLUS)
    btcpay.app.webhooks.lose = True
    mark = btcpay.app.mark

    def just_then(invoice_id: str, status: str) -> None:
        mark(invoice_id, status)
        btcpay.app.pay(invoice_id)

    btcpay.app.mark = just_then
    btcpay.checkout(PRO)
    assert flagged(btcpay) == [old]


def test_unconfirmed_for_too_long_waits_for_a_person_with_its_money(btcpay: World) -> None:
    invoice = opened(btcpay)
    btcpay.app.pay(invoice)
    btcpay.poll(26 * 3600)
    btcpay.settle()
    assert (btcpay.app.invoices[invoice].status, btcpay.bought.status) == ("Invalid", "failed")
    assert flagged(btcpay) == [invoice]
    accept(btcpay, invoice)
    assert btcpay.has(FEATURE)
    assert books(btcpay) == PRICE


def test_money_on_an_invoice_that_failed_can_go_back_and_no_more_of_it(bitcoin: World) -> None:
    invoice = opened(bitcoin)
    bitcoin.app.pay(invoice)
    bitcoin.app.invalidate(invoice)
    bitcoin.settle()
    assert flagged(bitcoin) == [invoice]
    if bitcoin.player.name == "btcpay":
        with pytest.raises(Conflict, match=f"at most {PRICE}"):
            give_back(bitcoin, invoice, PRICE + 1)
        give_back(bitcoin, invoice)
        assert flagged(bitcoin) == []
        assert books(bitcoin) == 0


@pytest.mark.parametrize("end", ["marked invalid", "expired"])
def test_a_hundred_satoshis_are_all_that_can_go_back_of_them(btcpay: World, end: str) -> None:
    invoice = opened(btcpay, PLUS)
    btcpay.app.pay(invoice, 100)
    if end == "expired":
        btcpay.app.advance(3700)
    else:
        btcpay.app.mark(invoice, "Invalid")
    btcpay.settle()
    found = btcpay.desk.open(25, flagged=True)["invoices"][0]
    assert (found["received_cents"], found["received_sat"], found["refundable_cents"]) == (9, 100, 9)
    with pytest.raises(Conflict, match="at most 9 "):
        give_back(btcpay, invoice, 900)
    made = give_back(btcpay, invoice)
    assert btcpay.app.claims[made["refund_id"]]["amount"] == "0.09"


def test_what_comes_after_an_admin_accepted_a_part_is_shown_again(bitcoin: World) -> None:
    invoice = opened(bitcoin, PLUS)
    whole = bitcoin.app.invoices[invoice].satoshis
    bitcoin.app.pay(invoice, whole * 3 // 4)
    bitcoin.app.advance(3700)
    bitcoin.settle()
    bitcoin.poll(600)
    accept(bitcoin, invoice)
    assert flagged(bitcoin) == []
    bitcoin.app.pay(invoice, whole - whole * 3 // 4)
    bitcoin.settle()
    bitcoin.poll(1200)
    (found,) = bitcoin.desk.open(25, flagged=True)["invoices"]
    assert (found["purchase_id"], found["undecided_cents"]) == (invoice, 226)
    assert bitcoin.books("payment") == [("payment", 674)]
    accept(bitcoin, invoice)
    assert books(bitcoin) == PLUS.price_cents
    assert flagged(bitcoin) == []


@pytest.mark.parametrize("noticed", ["by a webhook", "by nobody"])
def test_paid_again_two_days_after_it_settled_is_a_surplus_to_decide_about(btcpay: World, noticed: str) -> None:
    invoice = btcpay.buy(TAX_PASS)
    btcpay.poll(2 * DAY)
    btcpay.app.webhooks.lose = noticed == "by nobody"
    btcpay.app.pay(invoice, btcpay.app.invoices[invoice].satoshis)
    btcpay.settle()
    btcpay.poll(2 * DAY)
    (found,) = btcpay.desk.open(25, flagged=True)["invoices"]
    assert (found["status"], found["undecided_cents"], found["surplus_cents"]) == ("paid", PRICE, PRICE)
    assert (btcpay.has(FEATURE), books(btcpay)) == (True, PRICE)
    give_back(btcpay, invoice, surplus=True)
    assert flagged(btcpay) == []
    assert (btcpay.has(FEATURE), books(btcpay)) == (True, PRICE)


def test_a_surplus_may_be_kept_by_a_persons_decision(btcpay: World) -> None:
    invoice = opened(btcpay)
    btcpay.app.pay(invoice, sats(btcpay, invoice, 6400))
    confirm(btcpay, invoice)
    btcpay.settle()
    accept(btcpay, invoice)
    assert flagged(btcpay) == []
    assert (btcpay.bought.accepted_by, books(btcpay)) == (None, PRICE)


def test_more_money_after_all_was_given_back_opens_nothing_by_itself(btcpay: World) -> None:
    invoice = btcpay.buy(TAX_PASS)
    btcpay.app.advance(60)
    give_back(btcpay, invoice)
    btcpay.settle()
    btcpay.app.advance(60)
    btcpay.app.pay(invoice, btcpay.app.invoices[invoice].satoshis)
    btcpay.settle()
    assert (btcpay.bought.status, btcpay.has(FEATURE), books(btcpay)) == ("refunded", False, 0)
    assert flagged(btcpay) == [invoice]
    accept(btcpay, invoice)
    assert (btcpay.has(FEATURE), books(btcpay), flagged(btcpay)) == (True, PRICE, [])


def accepted_and_gone(world: World, cents: int = PRICE, kept: int = 0) -> str:
    """Unconfirmed for too long, accepted by a person, and then replaced by the buyer: only `kept` is still there."""
    invoice = opened(world)
    for part in (kept, cents - kept):
        if part:
            world.app.pay(invoice, sats(world, invoice, part))
    world.app.invalidate(invoice)
    world.settle()
    accept(world, invoice)
    assert (world.has(FEATURE), books(world), flagged(world)) == (True, min(cents, PRICE), [])
    world.app.advance(60)
    world.app.invoices[invoice].payments[-1]["status"] = "Invalid"
    world.poll(8 * DAY)
    return invoice


def test_what_was_accepted_and_then_vanished_is_taken_back_and_shown(btcpay: World) -> None:
    """Nobody tells of it: it is found by looking. A person believed in it, so a person hears that it is gone."""
    invoice = accepted_and_gone(btcpay)
    assert (btcpay.bought.status, btcpay.has(FEATURE), books(btcpay)) == ("failed", False, 0)
    (found,) = btcpay.desk.open(25, flagged=True)["invoices"]
    assert (found["purchase_id"], found["needs_decision"]) == (invoice, True)
    assert (found["vanished_cents"], found["undecided_cents"], found["refundable_cents"]) == (PRICE, 0, 0)
    btcpay.poll(9 * DAY)
    assert (books(btcpay), flagged(btcpay)) == (0, [invoice]), "looked at again, it is booked back once"
    accept(btcpay, invoice)
    assert (btcpay.has(FEATURE), btcpay.bought.accepted_by, flagged(btcpay)) == (False, None, [])


def test_what_is_left_of_what_was_accepted_is_decided_about_again(btcpay: World) -> None:
    invoice = accepted_and_gone(btcpay, kept=2000)
    (found,) = btcpay.desk.open(25, flagged=True)["invoices"]
    assert (found["vanished_cents"], found["undecided_cents"], found["accepted_by"]) == (PRICE - 2000, 2000, None)
    assert (btcpay.has(FEATURE), books(btcpay)) == (False, 0)
    accept(btcpay, invoice)
    assert (btcpay.has(FEATURE), books(btcpay), flagged(btcpay)) == (True, 2000, [])


def test_what_vanished_and_came_again_opens_nothing_by_itself(btcpay: World) -> None:
    invoice = accepted_and_gone(btcpay)
    btcpay.app.pay(invoice)
    btcpay.settle()
    (found,) = btcpay.desk.open(25, flagged=True)["invoices"]
    assert (found["vanished_cents"], found["undecided_cents"]) == (0, PRICE)
    assert (btcpay.has(FEATURE), books(btcpay)) == (False, 0)


def test_the_time_a_term_waited_is_given_once_however_often_its_money_came(btcpay: World) -> None:
    invoice = opened(btcpay, PLUS)
    btcpay.app.pay(invoice)
    btcpay.app.invalidate(invoice)
    btcpay.app.advance(3 * DAY)
    btcpay.settle()
    accept(btcpay, invoice)
    assert btcpay.term.waited_seconds == pytest.approx(3 * DAY, abs=60)
    [first] = btcpay.app.invoices[invoice].payments
    first["status"] = "Invalid"
    btcpay.poll(8 * DAY)
    assert (btcpay.term.waited_seconds, btcpay.has("ai.insights")) == (0, False)
    first["status"] = "Settled"
    btcpay.app.advance(2 * DAY)
    btcpay.poll(8 * DAY)
    accept(btcpay, invoice)
    waited = btcpay.now - btcpay.term.payment.paid_at  # type: ignore[union-attr]
    assert btcpay.term.waited_seconds == waited
    [run] = term_runs(btcpay.account, btcpay.plans.catalogue())
    assert run.end == add_interval(run.start, "month") + waited


@pytest.mark.parametrize("left", [0, 2000])
def test_what_the_server_had_settled_and_is_replaced_on_the_chain_is_taken_back_and_shown(
    btcpay: World, left: int
) -> None:
    """A server that asks for no confirmation settles at once, never leaves that state, and tells nobody."""
    invoice = opened(btcpay)
    for part in (left, PRICE - left):
        if part:
            btcpay.app.pay(invoice, sats(btcpay, invoice, part))
    confirm(btcpay, invoice)
    btcpay.settle()
    assert (btcpay.has(FEATURE), books(btcpay), flagged(btcpay)) == (True, PRICE, [])
    btcpay.app.invoices[invoice].payments[-1]["status"] = "Invalid"
    btcpay.poll(8 * DAY)
    assert btcpay.app.invoices[invoice].status == "Settled"
    (found,) = btcpay.desk.open(25, flagged=True)["invoices"]
    assert (found["vanished_cents"], found["undecided_cents"]) == (PRICE - left, left)
    assert (btcpay.has(FEATURE), books(btcpay)) == (False, 0)
    accept(btcpay, invoice)
    assert (btcpay.has(FEATURE), books(btcpay), flagged(btcpay)) == (left > 0, left, [])


def test_what_the_server_had_settled_and_is_there_again_counts_again(btcpay: World) -> None:
    invoice = opened(btcpay)
    btcpay.app.pay(invoice)
    confirm(btcpay, invoice)
    btcpay.settle()
    [payment] = btcpay.app.invoices[invoice].payments
    payment["status"] = "Invalid"
    btcpay.poll(8 * DAY)
    assert (btcpay.has(FEATURE), books(btcpay)) == (False, 0)
    payment["status"] = "Settled"
    btcpay.poll(8 * DAY)
    assert (btcpay.has(FEATURE), books(btcpay), flagged(btcpay)) == (True, PRICE, [])


def test_what_the_store_forgives_is_settled_as_the_server_says(btcpay: World) -> None:
    invoice = opened(btcpay)
    btcpay.app.invoices[invoice].checkout["paymentTolerance"] = 10.0
    btcpay.app.pay(invoice, sats(btcpay, invoice, PRICE - 480))
    btcpay.app.invoices[invoice].status, btcpay.app.invoices[invoice].additional = "Processing", "None"
    btcpay.app.settle(invoice)
    btcpay.settle()
    assert (btcpay.has(FEATURE), books(btcpay), flagged(btcpay)) == (True, PRICE - 480, [])


def test_a_surplus_that_vanished_is_shown_and_takes_nothing_away(btcpay: World) -> None:
    invoice = accepted_and_gone(btcpay, PRICE + 1500, kept=PRICE)
    (found,) = btcpay.desk.open(25, flagged=True)["invoices"]
    assert (found["vanished_cents"], found["accepted_by"]) == (1500, "usr_admin")
    assert (btcpay.has(FEATURE), books(btcpay)) == (True, PRICE)
    accept(btcpay, invoice)
    assert (btcpay.has(FEATURE), books(btcpay), flagged(btcpay)) == (True, PRICE, [])


def test_a_surplus_kept_by_decision_is_in_sight_again_when_its_invoice_turns_invalid(btcpay: World) -> None:
    invoice = opened(btcpay)
    btcpay.app.pay(invoice, sats(btcpay, invoice, 6400))
    confirm(btcpay, invoice)
    btcpay.settle()
    accept(btcpay, invoice)
    btcpay.app.advance(60)
    btcpay.app.invalidate(invoice)
    btcpay.settle()
    assert (btcpay.has(FEATURE), books(btcpay), flagged(btcpay)) == (False, 0, [invoice])


def test_metadata_wiped_while_the_payment_confirms_changes_nothing(bitcoin: World) -> None:
    invoice = opened(bitcoin)
    bitcoin.app.pay(invoice)
    found = bitcoin.app.invoices[invoice]
    if bitcoin.player.name == "btcpay":
        found.metadata = {}
    else:
        found.request["posData"] = "wiped"
    confirm(bitcoin, invoice)
    assert bitcoin.settle() == 0
    assert bitcoin.has(FEATURE)


def test_an_answer_that_makes_no_sense_holds_up_no_other_invoice(btcpay: World) -> None:
    btcpay.app.webhooks.lose = True
    poisoned, other = opened(btcpay, PLUS), opened(btcpay)
    for invoice in (poisoned, other):
        btcpay.app.pay(invoice)
        confirm(btcpay, invoice)
    render = btcpay.app.methods_json
    btcpay.app.methods_json = lambda invoice: render(invoice) if invoice.id == other else [{"payments": [{}]}]
    btcpay.app.advance(120)
    with pytest.raises(KeyError):
        btcpay.poller.poll(btcpay.now, 25)
    assert btcpay.has(FEATURE)
    btcpay.app.broken.clear()  # the answer is not as the published API says


def test_what_waits_for_a_person_is_found_behind_any_number_of_open_invoices(btcpay: World) -> None:
    late = opened(btcpay)
    btcpay.app.advance(3700)
    btcpay.app.pay(late)
    btcpay.settle()
    order = btcpay.account.checkouts[0]
    for number in range(120):
        user = f"usr_crowd_{number}"
        btcpay.checkouts.create(user, PLUS.plan_id, "btcpay", btcpay.now)
    assert order.provider == "btcpay"
    assert [found["purchase_id"] for found in btcpay.desk.open(1, flagged=True)["invoices"]] == [late]
