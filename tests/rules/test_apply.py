"""Whatever the order, the repeats and the interleaving of what a provider tells us, one state comes of it.

The mock provider lives through a timeline; its events then reach the processor in many orders. Objects read again
come from the same provider, as it is at that moment.
"""

import contextlib
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.errors import Parked
from billing.rules.apply import apply
from billing.rules.facts import (
    CheckoutFact,
    CustomerDeletedFact,
    DisputeFact,
    DunningFact,
    Fact,
    FraudWarningFact,
    PaymentFact,
    PurchaseFact,
    Ref,
    RefundFact,
    SubscriptionFact,
)
from billing.rules.money import LARGEST
from billing.rules.records import Account, Checkout, Subscription
from memory import World
from samples import CATALOGUE, NOW, USER

DAY = 86_400
PERMUTATIONS = 250


def subscription_life(world: World) -> None:
    """Trial, first payment, failed renewal, recovery, plan change, refunds, dispute, cancellation."""
    subscription = world.buy("plus-trial")
    world.provider.advance(14 * DAY)
    world.provider.act(subscription, "decline-next")
    world.provider.advance(32 * DAY)
    world.provider.act(subscription, "settle")
    world.provider.advance(3600)
    world.change(subscription, "pro-month")
    world.provider.advance(DAY)
    first, *_, last = world.payments(subscription)
    world.refund(last, 300)
    world.provider.act(first, "dispute")
    world.provider.advance(DAY)
    world.provider.act(last, "fail-refund")
    world.provider.act(first, "win")
    world.provider.act(subscription, "cancel")


def purchases_life(world: World) -> None:
    """Two purchases in one second; one returned in parts, one disputed and lost."""
    first = world.buy("tax-2026")
    second = world.buy("day-pass")
    world.refund(first, 1000)
    world.provider.advance(60)
    world.refund(first, None)
    world.provider.act(second, "dispute")
    world.provider.advance(60)
    world.provider.act(second, "lose")


def returning_life(world: World) -> None:
    """Subscribes, ends it, and subscribes to another plan."""
    first = world.buy("plus-month")
    world.provider.advance(31 * DAY)
    world.cancel_at_period_end(first)
    world.provider.advance(31 * DAY)
    second = world.buy("pro-month")
    world.cancel_at_period_end(second)
    world.resume(second)
    world.provider.advance(DAY)


LIVES = [subscription_life, purchases_life, returning_life]


@pytest.mark.parametrize("life", LIVES)
def test_any_order_with_repeats_ends_in_one_state(life: Callable[[World], None]) -> None:
    world = World()
    life(world)
    in_order = world.again()
    in_order.deliver_all(world.messages)
    expected = in_order.meaning()
    assert expected["sources"]
    chance = random.Random(7)  # noqa: S311 repeatable
    for _ in range(PERMUTATIONS):
        messages = [*world.messages, *chance.choices(world.messages, k=chance.randint(0, 8))]
        chance.shuffle(messages)
        shuffled = world.again()
        shuffled.deliver_all(messages)
        assert shuffled.meaning() == expected, [m["type"] for m in messages]


@pytest.mark.parametrize("life", LIVES)
def test_what_is_known_in_the_end_is_what_the_provider_holds_true(life: Callable[[World], None]) -> None:
    world = World()
    life(world)
    world.deliver_all(reversed(world.messages))
    assert world.believed() == world.truth()


def test_every_order_of_one_purchase_ends_in_one_state() -> None:
    world = World()
    purchase = world.buy("tax-2026")
    world.refund(purchase, 100)
    world.provider.act(purchase, "dispute")
    world.provider.act(purchase, "win")
    world.provider.act(purchase, "fail-refund")
    assert len(world.messages) == 6
    states = []
    for messages in itertools.permutations(world.messages):
        one = world.again()
        one.deliver_all(messages)
        states.append(one.meaning())
    assert all(state == states[0] for state in states)
    assert world.truth()["money"] == states[0]["money"] == {(purchase, "USD"): 4900}


class Crash(Exception):
    """The process ends in the middle of its work."""


def _happens(world: World, draw: Callable[[st.SearchStrategy[str]], str]) -> None:
    """Something that can happen at the provider now."""
    subscriptions = [s for s in world.objects("subscription") if s["status"] != "canceled"]
    payments = [*world.objects("payment"), *world.objects("purchase")]
    doings: dict[str, Callable[[], None]] = {
        "hour": lambda: world.provider.advance(3600),
        "month": lambda: world.provider.advance(31 * DAY),
        "purchase": lambda: world.order("day-pass") and None,
    }
    if not subscriptions:
        doings |= {plan: lambda p=plan: world.order(p) and None for plan in ("plus-month", "plus-trial")}  # type: ignore[misc]
    for subscription in subscriptions:
        one = subscription["id"]
        doings |= {
            "cancel": lambda one=one: world.provider.act(one, "cancel"),  # type: ignore[misc]
            "cancel at end": lambda one=one: world.cancel_at_period_end(one),  # type: ignore[misc]
            "resume": lambda one=one: world.resume(one),  # type: ignore[misc]
            "decline": lambda one=one: world.provider.act(one, "decline-next"),  # type: ignore[misc]
            "settle": lambda one=one: world.provider.act(one, "settle"),  # type: ignore[misc]
            "downgrade": lambda one=one: world.change(one, "plus-month", at_period_end=True),  # type: ignore[misc]
        }
        if not subscription.get("declines"):
            doings["upgrade"] = lambda one=one: world.change(one, "pro-month")  # type: ignore[misc]
    if payments:
        paid = draw(st.sampled_from([p["id"] for p in payments]))
        doings |= {
            "refund": lambda: world.provider.act(paid, "refund"),
            "refund fails": lambda: world.provider.act(paid, "fail-refund"),
            "dispute": lambda: world.provider.act(paid, "dispute"),
            "win": lambda: world.provider.act(paid, "win"),
            "lose": lambda: world.provider.act(paid, "lose"),
        }
    doings[draw(st.sampled_from(sorted(doings)))]()


def _arrives(world: World, draw: Callable[..., int]) -> None:
    """One of the deliveries so far; another may come between its read and its write, or a crash."""

    def some() -> int:
        return draw(st.integers(0, len(world.messages) - 1))

    between = draw(st.sampled_from(["nothing", "another", "crash"]))
    message, other = world.messages[some()], world.messages[some()]
    if between == "another":
        world.accounts.before_commit = lambda: _try(world, other)
    elif between == "crash":
        world.accounts.before_commit = _crash
    _try(world, message)
    world.accounts.before_commit = None


def _try(world: World, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(Parked, Crash):
        world.deliver(message)


def _crash() -> None:
    raise Crash


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_deliveries_that_race_crash_and_repeat_while_things_happen_end_in_the_truth(data: st.DataObject) -> None:
    world = World()
    for _ in range(data.draw(st.integers(1, 12), "steps")):
        _happens(world, data.draw)
        while world.messages and data.draw(st.booleans(), "one arrives"):
            _arrives(world, data.draw)
    rest = data.draw(st.permutations(world.messages))
    world.deliver_all([*rest, *rest[:3]])
    assert world.believed() == world.truth()
    booked = world.mrr_booked()
    assert booked == world.meaning()["mrr"]
    in_order = World()
    in_order.provider, in_order.client = world.provider, world.client
    in_order._build()
    in_order.deliver_all(world.messages)
    assert in_order.meaning() == world.meaning()


# --- rules that the mock provider's timelines do not reach ------------------------------------------------------------


def fact(status: str = "active", at: int = NOW, **more: Any) -> SubscriptionFact:
    known: dict[str, Any] = {
        "provider": "stripe",
        "observed_at": at,
        "user_id": USER,
        "subscription_id": "sub_1",
        "status": status,
        "price_id": "price_plus",
        "current_period_start": NOW,
        "current_period_end": NOW + 30 * DAY,
        "created_at": NOW,
        "customer_id": "cus_1",
    }
    return SubscriptionFact(**{**known, **more})


def payment_fact(payment_id: str, at: int, **more: Any) -> PaymentFact:
    known: dict[str, Any] = {
        "provider": "stripe",
        "observed_at": at,
        "subscription_id": "sub_1",
        "payment_id": payment_id,
        "amount_cents": 900,
        "currency": "USD",
        "paid_at": at,
    }
    return PaymentFact(**{**known, **more})


def dispute_fact(status: str, at: int) -> DisputeFact:
    return DisputeFact(
        provider="stripe",
        observed_at=at,
        dispute_id="dp_1",
        payment_ref="ch_1",
        amount_cents=900,
        currency="USD",
        status=status,  # type: ignore[arg-type]
    )


OPEN = Checkout(
    checkout_id="chk_1",
    group="main",
    plan_id="plus-month",
    plan_version=1,
    provider="stripe",
    status="open",
    created_at=NOW,
    expires_at=NOW + 3600,
    amount_cents=900,
    currency="USD",
    session_id="cs_1",
    url="https://pay",
)
NOTHING = Account(USER)
ORDERED = Account(USER, records={OPEN.record: OPEN})


def after(*facts: Fact, account: Account = NOTHING) -> Account:
    for one in facts:
        result = apply(account, one, CATALOGUE)
        assert isinstance(result, Account), result
        account = result
    return account


def the_subscription(account: Account) -> Subscription:
    (found,) = account.subscriptions
    return found


def test_the_newest_time_wins_whichever_comes_last() -> None:
    new, old = fact("active", NOW + 60), fact("trialing", NOW)
    assert after(old, new) == after(new, old) == after(new)


@pytest.mark.parametrize("terminal", ["canceled", "incomplete_expired"])
def test_a_terminal_state_is_never_left(terminal: str) -> None:
    ended = after(fact(terminal, NOW))
    assert apply(ended, fact("active", NOW + 60), CATALOGUE) is ended
    assert the_subscription(after(fact("active", NOW + 60), fact(terminal, NOW))).status == terminal


def test_of_two_terminal_tellings_the_newer_one_stays() -> None:
    early, late = fact("canceled", NOW, ended_at=NOW), fact("canceled", NOW + 5, ended_at=NOW + 5)
    active = fact("active", NOW + 60)
    orders = itertools.permutations([early, late, active])
    assert {the_subscription(after(*order)).ended_at for order in orders} == {NOW + 5}


def test_two_states_of_one_second_are_read_again() -> None:
    account = after(fact("trialing", NOW))
    assert apply(account, fact("active", NOW), CATALOGUE) == Ref("subscription", "sub_1")
    assert the_subscription(after(fact("trialing", NOW), fact("active", NOW, reread=True))).status == "active"


def test_the_same_state_of_one_second_changes_nothing() -> None:
    account = after(fact("trialing", NOW))
    assert apply(account, fact("trialing", NOW), CATALOGUE) is account


def test_an_answer_read_too_early_does_not_undo_what_came_meanwhile() -> None:
    world = World()
    subscription = world.order("plus-month")
    world.deliver_all(world.messages)
    read_early = world.applier.read("mock", Ref("subscription", subscription), world.now, world.now)
    world.cancel_at_period_end(subscription)
    world.deliver_all(world.messages)
    world.applier.apply(USER, "mock", read_early, world.now)
    assert world.believed() == world.truth()


def test_the_plan_follows_the_price_and_not_the_metadata() -> None:
    account = after(fact("active", NOW, price_id="price_pro", plan_id="plus-month", plan_version=1))
    assert the_subscription(account).plan_id == "pro-month"


def test_a_price_of_no_plan_waits() -> None:
    with pytest.raises(Parked, match=r"price_unknown .* belongs to no plan"):
        after(fact("active", NOW, price_id="price_unknown"))


FAILED = DunningFact(
    provider="stripe",
    observed_at=NOW,
    subscription_id="sub_1",
    invoice_id="in_1",
    attempt_count=1,
    next_attempt_at=None,
)


@pytest.mark.parametrize("of_unknown", [payment_fact("in_1", NOW), FAILED])
def test_what_speaks_of_an_unknown_subscription_has_it_read(of_unknown: Fact) -> None:
    assert apply(Account(USER), of_unknown, CATALOGUE) == Ref("subscription", "sub_1")


def test_a_refund_of_an_unknown_payment_has_the_payment_read() -> None:
    assert apply(after(fact()), dispute_fact("open", NOW), CATALOGUE) == Ref("payment", "ch_1")


def test_invoice_paid_and_payment_succeeded_are_one_payment() -> None:
    first = payment_fact("in_1", NOW, refs=("pi_1",))
    second = payment_fact("in_1", NOW + 1, refs=("ch_1",), fee_cents=57, paid_at=NOW)
    one, other = after(fact(), first, second), after(fact(), second, first)
    assert one == other
    (payment,) = the_subscription(one).payments.values()
    assert (payment.refs, payment.fee_cents, payment.amount_cents) == (("ch_1", "pi_1"), 57, 900)


def test_money_back_and_news_of_a_payment_of_years_ago_count_once() -> None:
    world = World()
    subscription = world.buy("plus-month")
    world.provider.advance(4 * 365 * DAY)
    first, second, *_ = world.payments(subscription)
    world.refund(first, 300)
    world.provider.act(second, "dispute")
    in_order = world.again()
    in_order.deliver_all(world.messages)
    world.deliver_all([*reversed(world.messages), *world.messages])
    assert world.believed()["money"] == in_order.believed()["money"] == world.truth()["money"]
    assert (world.money()[first, "USD"], world.money().get((second, "USD"))) == (600, None)


def test_a_dispute_won_and_lost_in_one_second_ends_the_same_in_every_order() -> None:
    paid = [fact(), payment_fact("in_1", NOW, refs=("ch_1",))]
    tellings = [dispute_fact(status, NOW) for status in ("inquiry", "open", "won", "lost")]
    states = {
        the_subscription(after(*paid, *order)).payments["in_1"].dispute_status
        for order in itertools.permutations(tellings)
    }
    assert states == {"lost"}


def refund_fact(at: int, status: str = "succeeded", **more: Any) -> RefundFact:
    known: dict[str, Any] = {"refund_id": "re_1", "payment_ref": "ch_1", "amount_cents": 900, "currency": "USD"}
    return RefundFact(**{"provider": "stripe", "observed_at": at, "status": status, **known, **more})


@pytest.mark.parametrize(
    ("told", "closed"),
    [
        ([refund_fact(NOW + 1, "pending"), refund_fact(NOW + 5), refund_fact(NOW + 9)], NOW + 1),
        ([refund_fact(NOW + 5, made_at=NOW + 2), refund_fact(NOW + 3)], NOW + 2),
        ([refund_fact(NOW + 1), refund_fact(NOW + 5, "failed"), refund_fact(NOW + 9)], NOW + 1),
        ([refund_fact(NOW + 1), refund_fact(NOW + 1, "failed"), refund_fact(NOW + 9)], NOW + 1),
        ([refund_fact(NOW + 1), refund_fact(NOW + 5, "failed")], None),
        # Withdrawn after it was paid out.
        ([refund_fact(NOW + n, "failed", paid_cents=900) for n in (1, 5)], NOW + 1),
        # What goes back beyond the price moves nothing.
        ([refund_fact(NOW + 1), refund_fact(NOW + 5, refund_id="re_2", amount_cents=1)], NOW + 1),
        ([refund_fact(NOW + n, refund_id=f"re_{n}", amount_cents=450) for n in (1, 2)], NOW + 2),
        ([dispute_fact("inquiry", NOW + 1), dispute_fact("open", NOW + 2), dispute_fact("lost", NOW + 9)], NOW + 2),
        ([dispute_fact("open", NOW + 2), dispute_fact("won", NOW + 9)], None),
    ],
)
def test_news_of_what_went_back_does_not_move_when_it_went_in_any_order(told: list[Fact], closed: int | None) -> None:
    paid = [fact(), payment_fact("in_1", NOW, refs=("ch_1",))]
    for order in itertools.permutations([*told, told[0]]):
        assert the_subscription(after(*paid, *order)).payments["in_1"].closed_at == closed


def test_of_a_withdrawn_claim_what_was_paid_out_counts_and_its_request_and_reason_stay() -> None:
    named = {"request_id": "rq_1", "reason": "duplicate", "exact_amount": "0.001 BTC"}
    for paid, exact in ((900, "0.001 BTC"), (300, None)):
        for first, last in ((named, {}), ({}, named)):
            facts = refund_fact(NOW + 1, "pending", paid_cents=paid, **first), refund_fact(NOW + 5, "failed", **last)
            for order in itertools.permutations(facts):
                account = after(fact(), payment_fact("in_1", NOW, refs=("ch_1",)), *order)
                (back,) = the_subscription(account).payments["in_1"].refunds.values()
                assert (back.status, back.given_back_cents) == ("succeeded", paid)
                assert (back.request_id, back.reason) == ("rq_1", "duplicate")
                assert back.exact_amount == (exact if last else None)


def test_a_chargeback_in_another_currency_takes_the_whole_payment() -> None:
    abroad = replace(dispute_fact("open", NOW), amount_cents=1300, currency="JPY")
    account = after(fact(), payment_fact("in_1", NOW, refs=("ch_1",)), abroad)
    assert the_subscription(account).payments["in_1"].kept_cents == 0


def test_what_was_bought_again_counts_while_the_first_payment_is_charged_back_in_every_order() -> None:
    bought = {"plan_id": "tax-2026", "plan_version": 1, "state": "paid", "amount_cents": 4900, "currency": "USD"}
    card: Any = {**bought, "provider": "stripe", "purchase_id": "pi_1", "refs": ("ch_1",)}
    coins: Any = {**bought, "provider": "btcpay", "purchase_id": "inv_1", "checkout_id": "chk_1", "poll": True}
    order = replace(OPEN, plan_id="tax-2026", amount_cents=4900, provider="btcpay", session_id="inv_1")
    first = PurchaseFact(**card, observed_at=NOW, paid_at=NOW)
    second = PurchaseFact(**coins, observed_at=NOW + 1, paid_at=NOW + 1, received_cents=4900)
    charged_back, won = dispute_fact("open", NOW + 2), dispute_fact("won", NOW + 3)
    for facts in ([first, second, charged_back], [second, first, charged_back], [first, charged_back, second]):
        account = after(*facts, account=Account(USER, records={order.record: order}))
        assert {p.purchase_id: p.duplicate_of for p in account.purchases} == {"pi_1": None, "inv_1": None}
        account = after(won, account=account)
        assert {p.purchase_id: p.duplicate_of for p in account.purchases} == {"pi_1": None, "inv_1": "pi_1"}


def test_a_fraud_warning_is_noted_on_its_payment() -> None:
    warning = FraudWarningFact(provider="stripe", observed_at=NOW, payment_ref="ch_1")
    account = after(fact(), payment_fact("in_1", NOW, refs=("ch_1",)), warning, warning)
    assert the_subscription(account).payments["in_1"].fraud_warning


def test_a_deleted_customer_is_forgotten_and_stays_so() -> None:
    deleted = CustomerDeletedFact(provider="stripe", observed_at=NOW + 9, customer_id="cus_1")
    first, late = fact("active", NOW), fact("canceled", NOW + 9)
    accounts = [after(first, deleted, late), after(first, late, deleted)]
    assert accounts[0] == accounts[1]
    assert accounts[0].customers == []


def test_a_customer_who_was_deleted_before_anything_else_was_heard_is_nobodys_customer() -> None:
    deleted = CustomerDeletedFact(provider="stripe", observed_at=NOW + 9, customer_id="cus_1")
    bought = PurchaseFact(
        provider="stripe",
        observed_at=NOW,
        purchase_id="pi_1",
        plan_id="tax-2026",
        plan_version=1,
        state="paid",
        amount_cents=4900,
        currency="USD",
        customer_id="cus_1",
    )
    ordered = CheckoutFact(provider="stripe", observed_at=NOW, session_id="cs_1", status="completed")
    facts = [fact("active", NOW), fact("canceled", NOW + 9), bought, deleted, ordered]
    accounts = [after(*order, account=ORDERED) for order in itertools.permutations(facts)]
    assert all(account == accounts[0] for account in accounts)
    assert accounts[0].customers == []
    again = after(fact("active", NOW, subscription_id="sub_2", customer_id="cus_2"), account=accounts[0])
    assert again.customers == [("stripe", "cus_2")]


def test_a_deleted_customer_of_a_user_nobody_knows_leaves_no_trace() -> None:
    """Such as one who was erased here first, and then at the provider."""
    deleted = CustomerDeletedFact(provider="stripe", observed_at=NOW, customer_id="cus_1", user_id=USER)
    assert after(deleted) == Account(USER)


def test_a_completed_checkout_stays_completed_when_its_expiry_is_heard_late() -> None:
    tellings = [
        CheckoutFact(provider="stripe", observed_at=NOW, session_id="cs_1", status=status)
        for status in ("expired", "completed")
    ]
    for order in itertools.permutations(tellings):
        (checkout,) = after(*order, account=ORDERED).checkouts
        assert (checkout.status, checkout.url) == ("completed", None)


def test_an_invoice_that_failed_is_not_open_again_because_an_older_telling_was_read_late() -> None:
    tellings = [
        PurchaseFact(
            provider="btcpay",
            observed_at=NOW + later,
            purchase_id="inv_1",
            plan_id="tax-2026",
            plan_version=1,
            state=state,
            amount_cents=4900,
            currency="USD",
        )
        for later, state in enumerate(("failed", "pending"))
    ]
    assert [p.state for p in after(*tellings).purchases] == ["failed"]


def test_a_payment_completes_the_checkout_it_was_made_on_and_no_other() -> None:
    other = replace(OPEN, checkout_id="chk_2", group="tax-2026", plan_id="tax-2026", session_id="cs_2")
    bought = PurchaseFact(
        provider="stripe",
        observed_at=NOW,
        purchase_id="pi_1",
        plan_id="tax-2026",
        plan_version=1,
        checkout_id="chk_2",
        state="paid",
        amount_cents=4900,
        currency="USD",
    )
    unpaid = replace(bought, state="pending")
    expired = CheckoutFact(provider="stripe", observed_at=NOW, session_id="cs_1", status="expired")
    both = ORDERED.put(other)
    for facts, status in [((unpaid,), ("open", "open")), ((bought,), ("open", "completed"))]:
        found = {c.checkout_id: c.status for c in after(*facts, account=both).checkouts}
        assert (found["chk_1"], found["chk_2"]) == status
    found = {c.checkout_id: (c.status, c.url) for c in after(expired, account=both).checkouts}
    assert found == {"chk_1": ("expired", None), "chk_2": ("open", "https://pay")}


@pytest.mark.parametrize("name", ["amount_cents", "due_cents", "received_cents", "fee_cents"])
def test_an_amount_beyond_any_money_is_never_booked(name: str) -> None:
    amounts: dict[str, Any] = {"amount_cents": 100, name: LARGEST + 1}
    fact = PurchaseFact(
        provider="stripe",
        observed_at=NOW,
        purchase_id="pi_1",
        plan_id="tax-2026",
        plan_version=1,
        state="paid",
        currency="USD",
        **amounts,
    )
    with pytest.raises(Parked) as refused:
        apply(Account(USER), fact, CATALOGUE)
    assert refused.value.code == "amount_out_of_bounds"
    assert isinstance(apply(Account(USER), replace(fact, **{name: LARGEST}), CATALOGUE), Account)


def test_reading_an_invoice_does_not_forget_that_the_bank_asks() -> None:
    """Only an event tells it; what is read, a second or a day later, looks the same without."""
    asked = replace(FAILED, action_required=True)
    read = replace(FAILED, observed_at=NOW + DAY, period_start=NOW, period_end=NOW + 30 * DAY)
    begun = fact("past_due", NOW)
    for order in itertools.permutations([FAILED, asked, read]):
        (invoice,) = the_subscription(after(begun, *order)).unpaid.values()
        assert (invoice.action_required, invoice.observed_at, invoice.start) == (True, NOW + DAY, NOW)
    tried_again = replace(read, attempt_count=2, observed_at=NOW + 2 * DAY)
    for order in itertools.permutations([asked, read, tried_again]):
        (invoice,) = the_subscription(after(begun, *order)).unpaid.values()
        assert not invoice.action_required


def test_what_was_voided_or_given_up_is_not_open_again_and_what_was_paid_is_not_owed() -> None:
    begun, void = fact("active", NOW), replace(FAILED, state="void")
    late = replace(FAILED, observed_at=NOW + DAY)
    for order in itertools.permutations([FAILED, void, late, replace(FAILED, state="uncollectible")]):
        assert [d.state for d in the_subscription(after(begun, *order)).unpaid.values()] == ["void"]
    for order in itertools.permutations([FAILED, late, payment_fact("in_1", NOW + 2 * DAY)]):
        assert the_subscription(after(begun, *order)).unpaid == {}
