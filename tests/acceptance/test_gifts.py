"""A voucher bought as a gift, by each provider: who paid has no access, who redeems has, and the money decides."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

from billing.api.status import subscription_status
from billing.errors import Conflict, NotFound
from billing.rules.facts import DisputeFact
from billing.rules.records import Gift
from billing.selling.refunds import Wanted
from tests.acceptance.test_bitcoin_exceptions import satoshis
from tests.acceptance.world import USER, World
from tests.samples import PLUS, TAX_PASS

FRIEND = "usr_friend"


def give(world: World, plan: Any = PLUS) -> tuple[str, Gift]:
    """Buys a gift; its code, and what is on record of it."""
    world.buy(plan, gift=True)
    (gift,) = world.account.gifts
    return code_of(world), gift


def code_of(world: World) -> str:
    (shown,) = world.vouchers.gifts(USER, world.now)["gifts"]
    return str(shown["code"])


def follow(world: World) -> None:
    """What the stream does after each change of a voucher."""
    for voucher_id in list(world.memory.vouchers):
        world.following.follow(voucher_id, world.now)


def refund(world: World, gift: Gift, amount: int | None = None) -> None:
    assert gift.payment is not None
    wanted = Wanted(user_id=USER, provider=gift.provider, payment=gift.payment.payment_id, amount_cents=amount)
    world.refunds.refund(wanted, "a-key-of-its-own", "usr_admin", world.now)
    world.settle()
    follow(world)


def dispute(world: World, gift: Gift, status: Any, at: int) -> None:
    assert gift.payment is not None
    opened = DisputeFact(
        provider=gift.provider,
        observed_at=at,
        user_id=USER,
        dispute_id="dp_1",
        payment_ref=gift.payment.payment_id,
        amount_cents=gift.payment.amount_cents,
        currency=gift.currency,
        status=status,
    )
    world.applier.apply(USER, gift.provider, [opened], world.now)
    follow(world)


def test_a_gift_opens_nothing_for_who_paid_and_all_of_it_for_who_redeems(world: World) -> None:
    code, gift = give(world)
    assert (gift.status, gift.plan_id) == ("paid", "plus-month")
    assert not world.has("ai.insights")
    given = world.vouchers.redeem(FRIEND, code.lower().replace("-", " "), world.now)
    assert (given["plan_name"], given["open"], given["already"]) == ("Plus", True, False)
    assert world.has("ai.insights", FRIEND)
    assert not world.has("ai.insights")
    assert world.books("payment") == [("payment", 900)]
    assert not any(line.kind == "mrr" for line in world.memory.ledger), "nobody has agreed to pay again"


def test_an_account_with_nothing_but_gifts_for_others_holds_something(world: World) -> None:
    def holds(user_id: str) -> bool:
        status = subscription_status(world.accounts.load(user_id), world.plans.catalogue(), world.now)
        return bool(status["holds"])

    assert not holds(USER)
    world.checkouts.create(USER, "plus-month", None, world.now, gift=True)
    assert holds(USER), "who pays the page that waits finds the code with this account alone"
    code, _ = give(world)
    assert holds(USER)
    assert not holds(FRIEND)
    world.vouchers.redeem(FRIEND, code, world.now)
    assert holds(FRIEND)


def test_what_was_bought_renews_nothing(world: World) -> None:
    give(world)
    assert list(world.account.subscriptions) == list(world.account.terms) == list(world.account.renewals) == []


def test_its_code_is_found_until_it_is_redeemed_and_never_who_did(world: World) -> None:
    code, _ = give(world)
    world.vouchers.redeem(FRIEND, code, world.now)
    (shown,) = world.vouchers.gifts(USER, world.now)["gifts"]
    assert (shown["voucher"], shown["code"], shown["redeem_url"]) == ("redeemed", None, None)
    assert FRIEND not in json.dumps(shown)


def test_nothing_at_rest_ties_who_paid_to_who_uses_it(world: World) -> None:
    """Not an id of the one is in the records of the other, nor in the voucher, and no code anywhere."""
    code, gift = give(world)
    world.vouchers.redeem(FRIEND, code, world.now)
    payer, friend = (json.dumps(asdict(world.accounts.load(user)), default=str) for user in (USER, FRIEND))
    voucher = json.dumps(asdict(world.memory.vouchers[gift.voucher_id]), default=str)
    assert FRIEND not in payer + voucher
    assert USER not in friend + voucher
    (redemption,) = world.accounts.load(FRIEND).redemptions
    assert redemption.redemption_id not in payer + voucher
    for named in (gift.voucher_id, gift.checkout_id, gift.purchase_id):
        assert str(named) not in friend
    assert code.replace("-", "") not in payer + friend + voucher


def test_a_gift_that_is_given_back_before_it_is_redeemed_is_void(world: World) -> None:
    code, gift = give(world)
    refund(world, gift)
    with pytest.raises(Conflict) as refused:
        world.vouchers.redeem(FRIEND, code, world.now)
    assert refused.value.code == "voucher_void"
    assert not world.has("ai.insights", FRIEND)
    assert sum(amount for _, amount in world.books("payment", "refund")) == 0


def test_a_gift_that_is_given_back_after_it_was_redeemed_ends_what_it_gave(world: World) -> None:
    """What that payment gave is taken back, whoever uses it, and nothing that another payment gave."""
    code, gift = give(world)
    world.vouchers.redeem(FRIEND, code, world.now)
    refund(world, gift)
    assert not world.has("ai.insights", FRIEND)
    (redemption,) = world.accounts.load(FRIEND).redemptions
    assert redemption.closed == "refunded"
    assert sum(amount for _, amount in world.books("payment", "refund")) == 0
    with pytest.raises(Conflict):
        world.vouchers.redeem("usr_another", code, world.now)


def test_a_part_of_it_that_is_given_back_changes_no_access(world: World) -> None:
    code, gift = give(world)
    world.vouchers.redeem(FRIEND, code, world.now)
    refund(world, gift, 100)
    assert world.has("ai.insights", FRIEND)


def test_a_dispute_suspends_the_gift_and_a_dispute_won_opens_it_again(world: World) -> None:
    code, gift = give(world)
    world.vouchers.redeem(FRIEND, code, world.now)
    dispute(world, gift, "open", world.now + 1)
    assert not world.has("ai.insights", FRIEND)
    dispute(world, gift, "won", world.now + 2)
    assert world.has("ai.insights", FRIEND)
    dispute(world, gift, "lost", world.now + 3)
    assert not world.has("ai.insights", FRIEND)


def test_a_disputed_gift_waits_and_can_be_redeemed_when_the_dispute_is_won(world: World) -> None:
    code, gift = give(world)
    dispute(world, gift, "open", world.now + 1)
    with pytest.raises(Conflict):
        world.vouchers.redeem(FRIEND, code, world.now)
    dispute(world, gift, "won", world.now + 2)
    world.vouchers.redeem(FRIEND, code, world.now)
    assert world.has("ai.insights", FRIEND)


def test_who_has_the_plan_may_give_it_all_the_same_and_for_themselves_it_follows(world: World) -> None:
    world.buy(PLUS)
    code, _ = give(world)
    given = world.vouchers.preview(USER, code, world.now)
    assert given["starts_at"] > given["redeemed_at"] or given["overlap"], "after a term, or beside a subscription"


def test_a_second_gift_has_a_code_of_its_own(world: World) -> None:
    world.buy(PLUS, gift=True)
    world.buy(TAX_PASS, gift=True)
    codes = {gift["code"] for gift in world.vouchers.gifts(USER, world.now)["gifts"]}
    assert len(codes) == 2


def test_coming_back_from_the_payment_page_needs_no_webhook(world: World) -> None:
    checkout = world.checkout(PLUS, gift=True)
    world.player.pay(world.session(checkout))
    confirmed = world.returns(checkout)
    assert (confirmed["status"], confirmed["gift"]) == ("completed", True)
    assert code_of(world) != "None"


def test_until_it_is_paid_there_is_no_code(world: World) -> None:
    world.checkout(PLUS, gift=True)
    shown: list[Mapping[str, Any]] = list(world.vouchers.gifts(USER, world.now)["gifts"])
    assert [gift["code"] for gift in shown] in ([], [None])
    assert world.memory.vouchers == {}


def test_an_underpaid_gift_waits_for_a_person_like_every_invoice(btcpay: World) -> None:
    session = btcpay.session(btcpay.checkout(PLUS, gift=True))
    btcpay.app.pay(session, btcpay.app.invoices[session].satoshis // 2)
    btcpay.poll(7200)
    assert btcpay.memory.vouchers == {}
    btcpay.desk.accept("btcpay", session, "usr_admin", btcpay.now)
    btcpay.vouchers.redeem(FRIEND, code_of(btcpay), btcpay.now)
    assert btcpay.has("ai.insights", FRIEND)
    ((_, booked),) = btcpay.books("payment")
    assert 440 < booked < 460, "what came is booked, and no more"


def test_a_code_that_nobody_made_is_unknown(world: World) -> None:
    code, _ = give(world)
    unknown = "00000-00000-00000-00000"
    with pytest.raises(NotFound) as refused:
        world.vouchers.redeem(FRIEND, unknown, world.now)
    assert refused.value.code == "voucher_unknown"
    assert code != unknown


def test_a_gift_that_was_begun_in_bitcoin_says_how_its_invoice_stands(bitcoin: World) -> None:
    invoice = bitcoin.session(bitcoin.checkout(PLUS, gift=True))
    bitcoin.app.pay(invoice, satoshis(bitcoin, invoice) * 3 // 4)
    bitcoin.settle()
    bitcoin.poll(120)
    (shown,) = bitcoin.vouchers.gifts(USER, bitcoin.now)["gifts"]
    assert (shown["voucher"], shown["invoice"]["state"], shown["invoice"]["payable"]) == (None, "missing", True)
    assert 0 < shown["invoice"]["received_cents"] < 900
