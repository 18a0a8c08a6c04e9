"""Money back, however many ask for it at once, and whatever becomes of the provider's answer."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import pytest

from billing.errors import BillingError, Conflict, NotAllowed, NotFound, ProviderError, ProviderUnavailable
from billing.providers.interface import Client, RefundParts
from billing.rules.records import RefundRequest
from billing.selling.refunds import ASKING, Refunds, Wanted
from fakes.base import Fault
from fakes.stripe.payments import Refused
from tests.acceptance.world import USER, World, open_world
from tests.samples import PLUS, TAX_PASS

LOGGER = cast(Any, logging.getLogger("test"))


@pytest.fixture(params=["btcpay", "mock", "stripe"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with open_world(request.param) as opened:
        yield opened


@pytest.fixture
def btcpay() -> Iterator[World]:
    with open_world("btcpay") as opened:
        yield opened


class Gate:
    """A provider's client that waits, before it gives money back, until so many have come, or nobody else does."""

    def __init__(self, client: Client, parties: int) -> None:
        self._client, self._barrier = client, threading.Barrier(parties)

    def refund(self, *args: Any, **named: Any) -> RefundParts:
        with suppress(threading.BrokenBarrierError):
            self._barrier.wait(0.5)
        return self._client.refund(*args, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def wanted(world: World, payment: str, amount: int | None = None, **more: Any) -> Wanted:
    return Wanted(user_id=USER, provider=world.player.name, payment=payment, amount_cents=amount, **more)


def bought(world: World) -> str:
    world.buy(TAX_PASS)
    name: str = world.payments[0].payment_id
    return name


def given_back(world: World) -> int:
    """What the provider gives back, by its own books."""
    app = world.app
    if world.player.name == "btcpay":
        return sum(round(float(claim["amount"]) * 100) for claim in app.claims.values() if not claim["archived"])
    if world.player.name == "stripe":
        return sum(refund["amount"] for refund in app.books.all("refund"))
    return sum(thing["amount_cents"] for thing in app.objects.values() if thing["object"] == "refund")


def at_once(*calls: Callable[[], object]) -> list[object]:
    """What each gives, or the error that it raises."""
    begin = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        begin.wait()
        try:
            return call()
        except BillingError as refused:
            return refused

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def codes(answers: list[object]) -> list[str]:
    return sorted(getattr(answer, "code", "done") for answer in answers)


def refunds_through(world: World, client: Any) -> Refunds:
    return Refunds(world.accounts, world.plans, world.applier, lambda _: client)


def requests(world: World) -> list[RefundRequest]:
    return list(world.account.refund_requests)


# --- at once ---------------------------------------------------------------------------------------------------------


def test_of_six_refunds_at_once_one_goes_through(world: World) -> None:
    payment = bought(world)
    desk = refunds_through(world, Gate(world.player.client(), 6))
    answers = at_once(
        *(lambda n=n: desk.refund(wanted(world, payment), f"key-{n}", f"usr_admin{n}", world.now) for n in range(6))
    )
    assert codes(answers) == ["done", *["not_refundable"] * 5]
    assert given_back(world) == TAX_PASS.price_cents
    world.settle()
    assert world.books("refund") == [("refund", -TAX_PASS.price_cents)]


def test_six_parts_at_once_never_add_up_to_more_than_was_paid(world: World) -> None:
    payment, part = bought(world), TAX_PASS.price_cents // 4
    desk = refunds_through(world, Gate(world.player.client(), 6))
    answers = at_once(
        *(lambda n=n: desk.refund(wanted(world, payment, part), f"key-{n}", "usr_admin", world.now) for n in range(6))
    )
    assert codes(answers) == [*["done"] * 4, *["not_refundable"] * 2]
    world.settle()
    assert given_back(world) == -sum(amount for _, amount in world.books("refund")) == 4 * part


def test_all_refunds_of_a_payment_at_once_keep_to_what_a_role_may_give_back(world: World) -> None:
    desk = refunds_through(world, Gate(world.player.client(), 6))
    asked = wanted(world, bought(world), 300, most_cents=700)
    answers = at_once(*(lambda n=n: desk.refund(asked, f"key-{n}", "usr_support", world.now) for n in range(6)))
    assert codes(answers) == [*["beyond_role"] * 4, "done", "done"]
    assert given_back(world) == 600


def test_one_key_six_times_at_once_is_one_refund(world: World) -> None:
    payment = bought(world)
    desk = refunds_through(world, Gate(world.player.client(), 6))
    answers = at_once(*[lambda: desk.refund(wanted(world, payment), "key-1", "usr_admin", world.now)] * 6)
    assert set(codes(answers)) <= {"done", "refund_in_progress"}
    assert given_back(world) == TAX_PASS.price_cents


@pytest.mark.parametrize("seed", range(4))
def test_two_accepts_beside_two_refunds_come_to_one_decision(btcpay: World, seed: int) -> None:
    invoice = btcpay.session(btcpay.checkout(PLUS))
    btcpay.app.advance(3700)
    btcpay.app.pay(invoice)
    btcpay.settle()
    calls = [
        *(lambda n=n: btcpay.desk.accept("btcpay", invoice, f"usr_{n}", btcpay.now) for n in range(2)),
        *(
            lambda n=n: btcpay.desk.refund("btcpay", invoice, None, f"key-{n}", "usr_3", btcpay.now, surplus=False)
            for n in range(2)
        ),
    ]
    answers = at_once(*calls[seed:], *calls[:seed])
    accepted = btcpay.bought.accepted_by is not None
    assert given_back(btcpay) == (0 if accepted else PLUS.price_cents)
    assert btcpay.has("ai.insights") == accepted
    assert len([answer for answer in answers if not isinstance(answer, BillingError)]) == (2 if accepted else 1)


def test_what_was_accepted_is_given_back_only_when_that_is_said(btcpay: World) -> None:
    invoice = btcpay.session(btcpay.checkout(PLUS))
    btcpay.app.advance(3700)
    btcpay.app.pay(invoice)
    btcpay.settle()
    btcpay.desk.accept("btcpay", invoice, "usr_admin", btcpay.now)
    with pytest.raises(Conflict) as refused:
        btcpay.desk.refund("btcpay", invoice, None, "key-1", "usr_admin", btcpay.now, surplus=False)
    assert refused.value.code == "already_accepted"
    done = btcpay.desk.refund("btcpay", invoice, None, "key-1", "usr_admin", btcpay.now, surplus=False, accepted=True)
    assert (done["outcome"], btcpay.has("ai.insights")) == ("made", False)


# --- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_repeats_its_refund_and_refuses_to_stand_for_another(world: World) -> None:
    payment = bought(world)
    first = world.refunds.refund(wanted(world, payment, 300), "key-1", "usr_admin", world.now)
    again = world.refunds.refund(wanted(world, payment, 300), "key-1", "usr_admin", world.now)
    assert (first["refund_id"], first["amount_cents"]) == (again["refund_id"], again["amount_cents"])
    assert given_back(world) == 300
    for other in (wanted(world, payment, 301), wanted(world, payment), wanted(world, payment, 300, reason="duplicate")):
        with pytest.raises(Conflict) as refused:
            world.refunds.refund(other, "key-1", "usr_admin", world.now)
        assert refused.value.code == "idempotency_key_reused"
    assert given_back(world) == 300


def test_one_key_for_two_users_is_two_refunds(btcpay: World) -> None:
    btcpay.buy(TAX_PASS)
    made = btcpay.checkouts.create("usr_2", TAX_PASS.plan_id, "btcpay", btcpay.now)
    (theirs,) = (c.session_id for c in btcpay.accounts.load("usr_2").checkouts)
    assert made["url"]
    btcpay.player.pay(str(theirs))
    btcpay.settle()
    ours = btcpay.payments[0].payment_id
    one = btcpay.refunds.refund(wanted(btcpay, ours), "key-1", "usr_admin", btcpay.now)
    with pytest.raises(NotFound):
        btcpay.refunds.refund(Wanted(user_id="usr_2", provider="btcpay", payment=ours), "key-1", "usr_a", btcpay.now)
    other = Wanted(user_id="usr_2", provider="btcpay", payment=str(theirs))
    two = btcpay.refunds.refund(other, "key-1", "usr_admin", btcpay.now)
    assert one["claim_url"] != two["claim_url"]
    assert len(btcpay.app.claims) == 2


# --- refused, silent, died -------------------------------------------------------------------------------------------


class Broken:
    """A provider's client whose next refund goes wrong: before the provider hears of it, or after."""

    def __init__(self, client: Client, error: BaseException, *, heard: bool) -> None:
        self._client, self._error, self._heard = client, error, heard

    def refund(self, *args: Any, **named: Any) -> RefundParts:
        if self._heard:
            self._client.refund(*args, **named)
        raise self._error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Killed(BaseException):
    """The process is gone: nothing catches it."""


SILENT = ProviderUnavailable("it did not answer")


def test_a_refusal_gives_the_reservation_back(world: World) -> None:
    payment = bought(world)
    broken = Broken(world.player.client(), ProviderError("not today"), heard=False)
    for _ in range(2):
        with pytest.raises(ProviderError, match="not today"):
            refunds_through(world, broken).refund(wanted(world, payment), "key-1", "usr_admin", world.now)
    assert [request.status for request in requests(world)] == ["refused"]
    assert world.refunds.refund(wanted(world, payment), "key-2", "usr_admin", world.now)["outcome"] == "made"


@pytest.mark.parametrize("error", [SILENT, Killed()], ids=["silent", "died"])
@pytest.mark.parametrize("heard", [False, True], ids=["never heard", "carried out"])
def test_what_nobody_knows_the_end_of_stays_reserved_and_settles_once(
    world: World, error: BaseException, heard: bool
) -> None:
    payment = bought(world)
    world.app.webhooks.lose = True
    broken = Broken(world.player.client(), error, heard=heard)
    with pytest.raises(type(error)):
        refunds_through(world, broken).refund(wanted(world, payment), "key-1", "usr_admin", world.now)
    with pytest.raises(Conflict) as other_key:
        world.refunds.refund(wanted(world, payment), "key-2", "usr_admin", world.now)
    assert other_key.value.code == "not_refundable"
    with pytest.raises(Conflict) as same_key:
        world.refunds.refund(wanted(world, payment), "key-1", "usr_admin", world.now)
    assert same_key.value.code == "refund_in_progress"
    assert world.refunds.settle(world.due, world.now, 10, LOGGER) == 0
    world.app.advance(ASKING + 60)
    assert world.refunds.settle(world.due, world.now, 10, LOGGER) == 1
    assert world.refunds.settle(world.due, world.now, 10, LOGGER) == 0
    assert given_back(world) == TAX_PASS.price_cents
    assert world.books("refund") == [("refund", -TAX_PASS.price_cents)]
    assert [(request.status, request.settle_at) for request in requests(world)] == [("made", None)]


@pytest.mark.parametrize("heard", [False, True], ids=["never heard", "carried out"])
def test_what_nobody_knows_the_end_of_counts_toward_what_a_role_may_give_back(world: World, heard: bool) -> None:
    asked = wanted(world, bought(world), 300, most_cents=300)
    world.app.webhooks.lose = True
    broken = refunds_through(world, Broken(world.player.client(), SILENT, heard=heard))
    with pytest.raises(ProviderUnavailable):
        broken.refund(asked, "key-1", "usr_support", world.now)
    with pytest.raises(NotAllowed):
        world.refunds.refund(asked, "key-2", "usr_support", world.now)
    world.app.advance(ASKING)
    for _ in range(2):
        assert world.refunds.refund(asked, "key-1", "usr_support", world.now)["amount_cents"] == 300
    assert given_back(world) == 300


def test_a_webhook_settles_what_the_answer_could_not(world: World) -> None:
    payment = bought(world)
    broken = Broken(world.player.client(), SILENT, heard=True)
    with pytest.raises(ProviderUnavailable):
        refunds_through(world, broken).refund(wanted(world, payment), "key-1", "usr_admin", world.now)
    world.settle()
    assert [(request.status, request.settle_at) for request in requests(world)] == [("made", None)]
    assert world.refunds.refund(wanted(world, payment), "key-1", "usr_admin", world.now)["outcome"] == "made"
    assert given_back(world) == TAX_PASS.price_cents


def test_a_provider_that_stays_silent_is_asked_ever_more_rarely_and_nothing_is_lost(btcpay: World) -> None:
    payment = bought(btcpay)
    broken = Broken(btcpay.player.client(), SILENT, heard=False)
    desk = refunds_through(btcpay, broken)
    with pytest.raises(ProviderUnavailable):
        desk.refund(wanted(btcpay, payment), "key-1", "usr_admin", btcpay.now)
    began = btcpay.now
    while btcpay.now < began + 2 * 86_400:
        btcpay.app.advance(600)
        assert desk.settle(btcpay.due, btcpay.now, 10, LOGGER) == 0
    (request,) = requests(btcpay)
    assert request.tries < 20
    btcpay.app.advance(6 * 3600)
    assert btcpay.refunds.settle(btcpay.due, btcpay.now, 10, LOGGER) == 1
    assert given_back(btcpay) == TAX_PASS.price_cents


def test_a_server_that_refuses_to_show_earlier_claims_is_not_taken_for_a_no(btcpay: World) -> None:
    payment = bought(btcpay)
    broken = Broken(btcpay.player.client(), SILENT, heard=True)
    btcpay.app.webhooks.lose = True
    with pytest.raises(ProviderUnavailable):
        refunds_through(btcpay, broken).refund(wanted(btcpay, payment), "key-1", "usr_admin", btcpay.now)
    btcpay.app.advance(ASKING + 60)
    btcpay.app.faults = [Fault("refuse", "GET", "/api/v1/stores/store/pull-payments", status=403)]
    assert btcpay.refunds.settle(btcpay.due, btcpay.now, 10, LOGGER) == 0
    assert [request.status for request in requests(btcpay)] == ["reserved"]
    btcpay.app.advance(6 * 3600)
    assert btcpay.refunds.settle(btcpay.due, btcpay.now, 10, LOGGER) == 1
    assert len(btcpay.app.claims) == 1


# --- a payment that was made in several parts ------------------------------------------------------------------------


def paid_in_parts(world: World, *amounts: int, outside: int = 0) -> tuple[str, list[str]]:
    """A subscription whose first invoice was paid by several intents, and perhaps past Stripe; all their names."""
    world.buy(PLUS)
    books = world.app.books
    (bill,) = [b for b in books.all("invoice") if b["status"] == "paid"]
    (first,) = [p for p in books.all("invoice_payment") if p["invoice"] == bill["id"]]
    names = [first["payment"]["payment_intent"]]
    intent = books.objects[names[0]]
    for thing in (intent, books.objects[intent["latest_charge"]]):
        thing["amount"] = amounts[0]
    first["amount_paid"] = amounts[0]
    for amount in amounts[1:]:
        more = books.pay(amount, bill["currency"], bill["customer"], {}, bill["id"])
        payment = {**first, "id": books.new_id("inpay"), "amount_paid": amount, "is_default": False}
        books.add({**payment, "payment": {"payment_intent": more["id"], "type": "payment_intent"}})
        names.append(more["id"])
    if outside:
        payment = {**first, "id": books.new_id("inpay"), "amount_paid": outside, "is_default": False}
        books.add({**payment, "payment": {"payment_record": "pr_1", "type": "payment_record"}})
    world.settle()
    return bill["id"], names


@pytest.fixture
def stripe() -> Iterator[World]:
    with open_world("stripe") as opened:
        yield opened


def back(world: World) -> list[tuple[str, int]]:
    """By intent, in the order in which it was asked for."""
    return [(refund["payment_intent"], refund["amount"]) for refund in world.app.books.all("refund")]


def test_every_part_of_a_payment_goes_back_each_once(stripe: World) -> None:
    invoice, (first, second) = paid_in_parts(stripe, 500, 400)
    for _ in range(2):
        done = stripe.refunds.refund(wanted(stripe, invoice), "key-1", "usr_admin", stripe.now)
        assert (done["outcome"], done["amount_cents"], done["asked_cents"]) == ("made", 900, 900)
        assert sorted(part["amount_cents"] for part in done["parts"]) == [400, 500]
    assert sorted(back(stripe)) == sorted([(first, 500), (second, 400)])
    stripe.settle()
    assert sorted(stripe.books("refund")) == [("refund", -500), ("refund", -400)]
    assert [request.status for request in requests(stripe)] == ["made"]


def test_a_part_of_the_amount_is_taken_from_one_part_after_the_other(stripe: World) -> None:
    invoice, names = paid_in_parts(stripe, 500, 400)
    stripe.refunds.refund(wanted(stripe, invoice, 600), "key-1", "usr_admin", stripe.now)
    assert sum(amount for _, amount in back(stripe)) == 600
    rest = stripe.refunds.refund(wanted(stripe, invoice), "key-2", "usr_admin", stripe.now)
    assert rest["amount_cents"] == 300
    for name, paid in zip(names, (500, 400), strict=True):
        assert sum(amount for intent, amount in back(stripe) if intent == name) == paid


def test_when_one_part_fails_the_answer_says_what_went_back_and_the_rest_is_free(stripe: World) -> None:
    invoice, (first, _) = paid_in_parts(stripe, 500, 400)
    books = stripe.app.books
    charge = books.objects[books.objects[first]["latest_charge"]]
    real = books.refund

    def refuses(intent: str, *more: Any) -> Any:
        if intent == first:
            raise Refused("This payment is disputed.", code="charge_disputed")
        return real(intent, *more)

    books.refund = refuses
    done = stripe.refunds.refund(wanted(stripe, invoice), "key-1", "usr_admin", stripe.now)
    assert (done["outcome"], done["amount_cents"], done["asked_cents"]) == ("partly_made", 400, 900)
    assert "disputed" in done["error"]
    books.refund = real
    rest = stripe.refunds.refund(wanted(stripe, invoice), "key-2", "usr_admin", stripe.now)
    assert (rest["outcome"], rest["amount_cents"], charge["amount_refunded"]) == ("made", 500, 500)


def test_what_was_paid_past_the_provider_is_said(stripe: World) -> None:
    invoice, _ = paid_in_parts(stripe, 500, outside=400)
    done = stripe.refunds.refund(wanted(stripe, invoice), "key-1", "usr_admin", stripe.now)
    assert (done["amount_cents"], done["asked_cents"], done["outside_cents"]) == (500, 900, 400)
    assert done["outcome"] == "partly_made"
    with pytest.raises(ProviderError):
        stripe.refunds.refund(wanted(stripe, invoice, 400), "key-2", "usr_admin", stripe.now)


def test_an_answer_lost_between_two_parts_sends_back_what_is_left(stripe: World) -> None:
    invoice, _ = paid_in_parts(stripe, 500, 400)
    stripe.app.webhooks.lose = True
    real, calls = stripe.app.books.refund, []

    def dies_at_the_second(intent: str, *more: Any) -> Any:
        calls.append(intent)
        if len(calls) == 2:
            stripe.app.faults = [Fault("refuse", "POST", "/v1/refunds", times=9)]
            raise Refused("away", status=500)
        return real(intent, *more)

    stripe.app.books.refund = dies_at_the_second
    with pytest.raises(ProviderUnavailable):
        stripe.refunds.refund(wanted(stripe, invoice), "key-1", "usr_admin", stripe.now)
    stripe.app.books.refund, stripe.app.faults = real, []
    stripe.app.advance(25 * 3600)
    assert stripe.refunds.settle(stripe.due, stripe.now, 10, LOGGER) == 1
    assert sorted(amount for _, amount in back(stripe)) == [400, 500]


# --- money that came too late for a subscription ---------------------------------------------------------------------


def paid_too_late(world: World) -> str:
    """A subscription's payment that was made after it had been given up: a person accepts it, or gives it back."""
    world.buy(PLUS)
    (subscription,) = world.account.subscriptions
    ((name, payment),) = subscription.payments.items()
    late = replace(subscription, payments={name: replace(payment, given_up_at=world.now)})
    world.memory.accounts[USER] = world.account.put(late)
    return name


def test_a_late_payment_is_not_accepted_while_it_is_being_given_back(stripe: World) -> None:
    payment = paid_too_late(stripe)
    broken = Broken(stripe.player.client(), SILENT, heard=False)
    with pytest.raises(ProviderUnavailable):
        refunds_through(stripe, broken).refund(wanted(stripe, payment), "key-1", "usr_admin", stripe.now)
    with pytest.raises(Conflict) as refused:
        stripe.desk.accept("stripe", payment, "usr_admin", stripe.now)
    assert refused.value.code == "refund_in_progress"


def test_a_late_payment_that_was_accepted_is_not_given_back_unawares(stripe: World) -> None:
    payment = paid_too_late(stripe)
    stripe.desk.accept("stripe", payment, "usr_admin", stripe.now)
    with pytest.raises(Conflict) as refused:
        stripe.refunds.refund(wanted(stripe, payment, undecided=True), "key-1", "usr_admin", stripe.now)
    assert refused.value.code == "already_accepted"
    assert stripe.refunds.refund(wanted(stripe, payment), "key-1", "usr_admin", stripe.now)["outcome"] == "made"
