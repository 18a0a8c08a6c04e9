"""What is received, given back and kept of the money of a bitcoin invoice, at BTCPay and at BitPay."""

import json
from itertools import permutations
from typing import Any, cast

import pytest

from billing.errors import Conflict, ProviderError
from billing.rules.times import DAY
from fakes.base import Fault, Request
from tests.acceptance.bitcoin import FEATURE, PRICE, accept, books, confirm, flagged, give_back, opened, sats
from tests.acceptance.world import World
from tests.samples import PLUS, PRO, TAX_PASS


def overpaid(world: World, cents: int) -> str:
    invoice = opened(world)
    world.app.pay(invoice, sats(world, invoice, cents))
    confirm(world, invoice)
    world.settle()
    return invoice


# (paid, how it is given back at the server: variant, amount, currency) -> access, books
RETURNS = {
    "the surplus in bitcoin": (6400, ("OverpaidAmount", None, None), True, PRICE),
    "half of ten tens and one": (10_000, ("Custom", "51.00", "USD"), True, PRICE),
    "all of it in money": (6400, ("Fiat", None, None), False, 0),
    "all of it in bitcoin": (6400, ("RateThen", None, None), False, 0),
    "as much as the price, of twice as much": (9800, ("Custom", "49.00", "USD"), True, PRICE),
    "a part of the price too": (6400, ("Custom", "20.00", "USD"), True, PRICE - 500),
    "more than ever came": (6400, ("Custom", "640.00", "USD"), False, 0),
}


@pytest.mark.parametrize("case", RETURNS)
@pytest.mark.parametrize("noticed", ["by a webhook", "by nobody"])
def test_the_surplus_goes_first_and_the_price_last(btcpay: World, case: str, noticed: str) -> None:
    paid, (variant, amount, currency), access, booked = RETURNS[case]
    btcpay.app.tells_refunds = noticed == "by a webhook"
    invoice = overpaid(btcpay, paid)
    btcpay.app.advance(60)
    btcpay.app.refunds.by_the_server(invoice, variant, amount, currency)
    btcpay.settle()
    btcpay.poll(900)
    assert (btcpay.has(FEATURE), books(btcpay)) == (access, booked)
    assert btcpay.bought.status == ("refunded" if not access else "partially_refunded" if booked < PRICE else "paid")


def test_a_refund_that_is_claimed_late_does_not_move_what_was_bought_behind_it(btcpay: World) -> None:
    first = btcpay.buy(PLUS)
    btcpay.app.advance(60)
    btcpay.buy(PLUS)
    btcpay.app.advance(5 * DAY)
    btcpay.app.refunds.by_the_server(first, "Fiat", None, None)
    btcpay.settle()
    (renewal,) = btcpay.account.renewals
    btcpay.poll(9 * DAY)
    btcpay.app.refunds.claim(next(iter(btcpay.app.refunds.claims)))
    btcpay.settle()
    (refund,) = (r for p in btcpay.payments for r in p.refunds.values())
    assert (refund.status, btcpay.account.renewals) == ("succeeded", [renewal])


def test_a_surplus_that_the_server_gave_back_is_not_given_back_again(btcpay: World) -> None:
    invoice = overpaid(btcpay, 9800)
    btcpay.app.refunds.by_the_server(invoice, "Custom", "49.00", "USD")
    btcpay.settle()
    with pytest.raises(Conflict, match="at most 0"):
        give_back(btcpay, invoice, surplus=True)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_refunds_in_any_order_leave_the_same(btcpay: World, order: tuple[int, ...]) -> None:
    invoice = overpaid(btcpay, 6400)
    made = ["10.00", "8.00", "12.00"]
    for number in order:
        btcpay.app.advance(7)
        btcpay.app.refunds.by_the_server(invoice, "Custom", made[number], "USD")
        if number == 1:
            btcpay.settle()
    btcpay.settle()
    assert (books(btcpay), btcpay.has(FEATURE)) == (PRICE - 1500, True)


@pytest.mark.parametrize(("amount", "cents"), [("47.775", 4778), ("10.505", 1051), ("0.004", 0)])
def test_amounts_that_others_make_are_rounded_and_told(btcpay: World, amount: str, cents: int) -> None:
    invoice = btcpay.buy(TAX_PASS)
    btcpay.app.refunds.by_the_server(invoice, "Custom", amount, "USD")
    assert btcpay.settle() == 0
    (refund,) = btcpay.desk.reread("btcpay", invoice, btcpay.now)["refunds"]
    assert (refund["amount_cents"], refund["exact_amount"]) == (cents, f"{amount} USD")


def test_a_refund_that_the_server_made_in_satoshis_counts_at_the_invoices_rate(btcpay: World) -> None:
    invoice = btcpay.buy(TAX_PASS)
    paid = btcpay.app.invoices[invoice].satoshis
    btcpay.app.refunds.by_the_server(invoice, "Custom", str(paid // 2), "SATS")
    assert btcpay.settle() == 0
    assert (btcpay.bought.status, books(btcpay)) == ("partially_refunded", PRICE - PRICE // 2)


def test_a_refund_that_cannot_be_converted_hides_no_money(btcpay: World) -> None:
    """Our books have no rate for it: a person has to look, and everything else goes on."""
    btcpay.app.tells_refunds = False
    invoice = btcpay.buy(TAX_PASS)
    btcpay.app.refunds.by_the_server(invoice, "Custom", "10.00", "EUR")
    btcpay.app.webhooks.lose = True
    btcpay.app.advance(60)
    btcpay.app.pay(invoice, sats(btcpay, invoice, 1000))
    btcpay.poll(DAY)
    assert (flagged(btcpay), btcpay.bought.surplus_cents) == ([invoice], 1000)
    btcpay.app.pay(invoice, sats(btcpay, invoice, 500))
    with pytest.raises(ProviderError, match="is in EUR"):
        btcpay.desk.reread("btcpay", invoice, btcpay.now)
    assert btcpay.bought.surplus_cents == 1500


def test_half_paid_where_a_further_payment_costs_a_fee(btcpay: World) -> None:
    btcpay.app.network_fee = 3000
    invoice = opened(btcpay, PLUS)
    btcpay.app.pay(invoice, btcpay.app.invoices[invoice].satoshis // 2)
    btcpay.app.advance(3700)
    btcpay.settle()
    assert (btcpay.bought.received_cents, btcpay.bought.due_cents) == (449, 451)
    accept(btcpay, invoice)
    assert btcpay.books("payment") == [("payment", 449)]


def test_topped_up_with_its_fee_is_the_price_and_no_more(btcpay: World) -> None:
    btcpay.app.network_fee = 3000
    invoice = opened(btcpay)
    btcpay.app.pay(invoice, sats(btcpay, invoice, 2000))
    btcpay.app.pay(invoice)
    confirm(btcpay, invoice)
    btcpay.settle()
    assert (btcpay.bought.status, btcpay.bought.received_cents, books(btcpay)) == ("paid", PRICE, PRICE)
    assert flagged(btcpay) == []


def test_a_payment_smaller_than_its_fee_is_nothing_and_never_less(btcpay: World) -> None:
    btcpay.app.network_fee = 3000
    invoice = opened(btcpay, PLUS)
    btcpay.app.pay(invoice, 1)
    btcpay.app.pay(invoice, 600)
    btcpay.app.advance(3700)
    btcpay.settle()
    assert (btcpay.bought.received_cents, flagged(btcpay)) == (0, [])
    with pytest.raises(Conflict, match="only money that bought nothing"):
        accept(btcpay, invoice)


def test_a_withdrawn_claim_gives_access_and_books_back_without_anybody_asking(btcpay: World) -> None:
    invoice = btcpay.buy(TAX_PASS)
    made = give_back(btcpay, invoice)
    btcpay.settle()
    assert not btcpay.has(FEATURE)
    btcpay.app.refunds.archive(made["refund_id"])
    btcpay.poll(6 * 3600 + 60)
    assert (btcpay.bought.status, btcpay.has(FEATURE), books(btcpay)) == ("paid", True, PRICE)


def test_archiving_leaves_what_was_paid_out(btcpay: World) -> None:
    invoice = btcpay.buy(TAX_PASS)
    made = give_back(btcpay, invoice)
    btcpay.app.refunds.claim(made["refund_id"], "20.00")
    btcpay.app.refunds.claim(made["refund_id"], "9.00", "AwaitingApproval")
    btcpay.settle()
    assert btcpay.bought.status == "refunded", "one paid part of several is not the whole: the rest may be claimed"
    btcpay.app.advance(60)
    btcpay.app.refunds.archive(made["refund_id"])
    btcpay.settle()
    btcpay.poll(DAY)
    assert (btcpay.bought.status, books(btcpay), btcpay.has(FEATURE)) == ("partially_refunded", PRICE - 2000, True)


@pytest.mark.parametrize("seen", ["being paid", "paid"])
def test_a_claim_that_was_paid_out_stays_so_when_it_is_archived(btcpay: World, seen: str) -> None:
    """The server lists no payouts of an archived claim any more, not even those that were paid."""
    invoice = btcpay.buy(TAX_PASS)
    made = give_back(btcpay, invoice)
    btcpay.app.refunds.claim(made["refund_id"], state="InProgress" if seen == "being paid" else "Completed")
    btcpay.settle()
    btcpay.app.advance(60)
    btcpay.app.refunds.archive(made["refund_id"])
    late = {"payoutId": "p", "pullPaymentId": made["refund_id"], "payoutState": "Completed"}
    btcpay.app.send_event("PayoutUpdated", late)
    btcpay.settle()
    btcpay.poll(DAY)
    assert (btcpay.bought.status, books(btcpay), btcpay.has(FEATURE)) == ("refunded", 0, False)
    with pytest.raises(Conflict, match="at most 0"):
        give_back(btcpay, invoice, key="key-0002")


def test_a_claim_that_takes_weeks_moves_no_later_term(btcpay: World) -> None:
    first = btcpay.buy(PLUS)
    btcpay.app.advance(60)
    btcpay.buy(PLUS)
    btcpay.app.advance(60)
    made = give_back(btcpay, first)
    btcpay.settle()
    (before,) = btcpay.account.renewals
    payout = None
    for state in ("AwaitingApproval", "AwaitingPayment", "Completed"):
        btcpay.app.advance(5 * DAY)
        if payout is None:
            payout = btcpay.app.refunds.claim(made["refund_id"], state=state)
        btcpay.app.refunds.move(payout, state)
        btcpay.settle()
        assert btcpay.account.renewals == [before], state


def test_whose_turn_a_claim_is_is_said(btcpay: World) -> None:
    invoice = btcpay.buy(TAX_PASS)
    made = give_back(btcpay, invoice)
    turns = []
    payout = btcpay.app.refunds.claim(made["refund_id"], "49.00", "AwaitingApproval")
    for state in ("", "AwaitingPayment", "Completed"):
        if state:
            btcpay.app.advance(60)
            btcpay.app.refunds.move(payout, state)
        btcpay.settle()
        (refund,) = btcpay.bought.payment.refunds.values() if btcpay.bought.payment else ()
        turns.append((refund.status, refund.waits_for))
    assert turns == [("pending", "approval"), ("pending", "payment"), ("succeeded", None)]


@pytest.mark.parametrize(
    ("methods", "payout", "asked"),
    [
        (("BTC-LN",), ("BTC-LN",), "BTC-LN"),
        (("BTC-LNURL",), ("BTC-LN",), "BTC-LN"),
        (("BTC-CHAIN", "BTC-LN"), ("BTC-LN",), "BTC-LN"),
        (("BTC-CHAIN", "BTC-LN"), ("BTC-CHAIN", "BTC-LN"), "BTC-CHAIN"),
    ],
)
def test_a_refund_goes_by_a_way_that_the_store_has(
    btcpay: World, methods: tuple[str, ...], payout: tuple[str, ...], asked: str
) -> None:
    btcpay.app.methods, btcpay.app.payout_methods = methods, payout
    bodies: list[Any] = []
    handle = btcpay.app.handle
    btcpay.app.handle = lambda request: (_remember(bodies, request), handle(request))[1]
    invoice = opened(btcpay)
    btcpay.app.pay(invoice, lightning="BTC-CHAIN" not in methods)
    btcpay.app.settle(invoice)
    btcpay.settle()
    made = give_back(btcpay, invoice)
    assert made["refund_id"] in btcpay.app.claims
    assert bodies[-1]["payoutMethodId"] == asked


def _remember(bodies: list[Any], request: Request) -> None:
    if request.path.endswith("/refund"):
        bodies.append(json.loads(request.body))


# --- BitPay -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["preview", "canceled", "failure", "a new word"])
def test_a_refund_that_bitpay_has_not_promised_takes_nothing_and_undoes_what_it_took(
    bitpay: World, status: str
) -> None:
    invoice = bitpay.buy(TAX_PASS)
    refund = bitpay.app.refund(invoice, "49.00", status="created")
    bitpay.poll(600)
    assert not bitpay.has(FEATURE)
    refund["status"] = status
    bitpay.poll(6 * 3600)
    assert (bitpay.has(FEATURE), books(bitpay)) == (True, PRICE)
    again = bitpay.app.refund(invoice, "49.00", status=status)
    bitpay.poll(12 * 3600)
    assert (bitpay.has(FEATURE), bitpay.account.version > 0, bool(again)) == (True, True, True)


@pytest.mark.parametrize("kind", ["overpayment", "underpayment"])
def test_what_bitpay_returns_by_itself_never_touches_the_price(bitpay: World, kind: str) -> None:
    invoice = overpaid(bitpay, 6400 if kind == "overpayment" else PRICE)
    assert flagged(bitpay) == []
    bitpay.app.refund(invoice, "15.00", status="success", kind=kind)
    bitpay.poll(900)
    assert (bitpay.has(FEATURE), books(bitpay), bitpay.bought.status) == (True, PRICE, "paid")


def test_underpaid_at_bitpay_is_no_longer_to_decide_once_bitpay_returned_it(bitpay: World) -> None:
    invoice = opened(bitpay)
    bitpay.app.pay(invoice, sats(bitpay, invoice, 2000))
    bitpay.app.advance(1000)
    bitpay.poll(600)
    assert flagged(bitpay) == [invoice]
    bitpay.app.refund(invoice, "20.00", status="created", kind="underpayment")
    bitpay.poll(3600)
    assert flagged(bitpay) == []


def alone(world: World) -> None:
    """The smallest documented set-up: the pos facade, and nothing else."""
    client = cast(Any, world.applier._client("bitpay"))
    client._merchant_key = client._merchant_token = ""
    world.app.merchant_token = ""


@pytest.mark.parametrize("noticed", ["by its notification", "by nobody"])
def test_a_refund_in_the_dashboard_is_noticed_with_the_pos_facade_alone(bitpay: World, noticed: str) -> None:
    alone(bitpay)
    invoice = bitpay.buy(TAX_PASS)
    bitpay.app.webhooks.lose = noticed == "by nobody"
    refund = bitpay.app.refund(invoice, "49.00", status="pending")
    bitpay.app.finish_refund(refund["id"])
    bitpay.settle()
    if noticed == "by nobody":
        bitpay.poll(900)
    assert (bitpay.bought.status, bitpay.has(FEATURE), books(bitpay)) == ("refunded", False, 0)
    assert bitpay.desk.open(10, flagged=False, offered=["bitpay"])["cannot_see"] == {
        "bitpay": ["refunds_until_complete"]
    }


@pytest.mark.parametrize("code", ["040107", "040108", "040117"])
def test_an_invoice_that_bitpay_will_not_cancel_runs_out_by_itself(bitpay: World, code: str) -> None:
    opened(bitpay, PLUS)
    bitpay.app.no_cancel = code
    bitpay.buy(PRO)
    assert bitpay.has("tax.enhanced")


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500])
def test_no_such_invoice_is_no_such_invoice_under_whatever_status(bitpay: World, status: int) -> None:
    bitpay.app.error_status = status
    bitpay.app.faults = [Fault("lose", "POST", "/invoices")]
    invoice = bitpay.buy(TAX_PASS)
    assert bitpay.has(FEATURE)
    assert list(bitpay.app.invoices) == [invoice]


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_wrong_token_is_our_setting_and_no_outage(bitpay: World, status: int) -> None:
    bitpay.app.error_status, bitpay.app.token = status, "another-token"
    for _ in range(5):
        with pytest.raises(ProviderError, match="BITPAY_API_KEY") as refused:
            bitpay.checkout(TAX_PASS)
        assert refused.value.code == "provider_error"


@pytest.mark.parametrize("trouble", ["a bare list", "none", "refused", "down"])
def test_refunds_that_cannot_be_read_hide_no_purchase(bitpay: World, trouble: str) -> None:
    bitpay.app.bare_refunds = trouble == "a bare list"
    bitpay.app.error_status = 500 if trouble == "none" else None
    if trouble in ("refused", "down"):
        bitpay.app.faults = [Fault("refuse", "GET", "/refunds", times=99, status=403 if trouble == "refused" else 503)]
    bitpay.buy(TAX_PASS)
    assert bitpay.has(FEATURE)


def test_a_notification_sent_again_after_our_reading_lagged_is_no_repeat(bitpay: World) -> None:
    invoice = opened(bitpay)
    bitpay.app.notify_again(invoice)
    bitpay.settle()
    bitpay.app.webhooks.lose = True
    bitpay.app.pay(invoice)
    confirm(bitpay, invoice)
    bitpay.app.invoices[invoice].status = "new"
    bitpay.app.webhooks.lose = False
    bitpay.app.notify_again(invoice)
    bitpay.settle()
    bitpay.app.webhooks.lose = True
    confirm(bitpay, invoice)
    bitpay.app.advance(1)
    first = bitpay.app.webhooks.deliveries[-1]
    bitpay.app.webhooks.lose = False
    bitpay.app.webhooks.again(first)
    bitpay.settle()
    assert bitpay.has(FEATURE)


def test_a_delivery_of_the_server_sent_again_by_hand_is_read_again(btcpay: World) -> None:
    invoice = opened(btcpay)
    btcpay.app.webhooks.wait_idle()
    first = btcpay.app.webhooks.deliveries[-1]
    btcpay.settle()
    btcpay.app.webhooks.lose = True
    btcpay.app.pay(invoice)
    confirm(btcpay, invoice)
    btcpay.app.webhooks.lose = False
    btcpay.app.advance(1)
    btcpay.app.webhooks.again(first)
    btcpay.settle()
    assert btcpay.has(FEATURE)
