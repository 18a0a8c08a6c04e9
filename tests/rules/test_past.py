"""Payments that no longer decide access lie in records of their own, whatever the order in which things are told."""

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from billing.errors import PastNeeded
from billing.rules.access import windows
from billing.rules.apply import apply
from billing.rules.consequences import Consequences, consequences
from billing.rules.facts import DisputeFact, DunningFact, Fact, PaymentFact, RefundFact, SubscriptionFact
from billing.rules.ledger import LedgerEntry
from billing.rules.past import COVERING_KEPT, MOVED_AT_ONCE, check_past, filed, known_payment, whole
from billing.rules.records import Account, Bought, Dispute, Item, PastPayment, Payment, Subscription
from memory import MemoryAccounts
from samples import CATALOGUE, NOW, USER

MONTH = 30 * 86_400
SUBSCRIPTION = Subscription(
    provider="stripe",
    subscription_id="sub_1",
    plan_id="plus-month",
    plan_version=1,
    status="active",
    current_period_start=NOW,
    current_period_end=NOW + MONTH,
    observed_at=NOW,
    created_at=NOW,
)


def paid(month: int, name: str = "", **more: Any) -> Payment:
    """The payment of a month, counted from the running one."""
    start = NOW + month * MONTH
    known: dict[str, Any] = {
        "payment_id": name or f"in_{month}",
        "amount_cents": 900,
        "currency": "USD",
        "paid_at": start,
        "period_start": start,
        "period_end": start + MONTH,
        "refs": (f"ch_{name or month}",),
    }
    return Payment(**{**known, **more})


def stay(*payments: Payment, **more: Any) -> list[str]:
    """The payments that stay on the subscription."""
    account = filed(Account(USER), replace(SUBSCRIPTION, **more), *payments)
    (subscription,) = account.subscriptions
    every = {payment.payment_id for payment in payments}
    assert set(whole(account, subscription)) == every == {p.payment_id for _, p in account.payments}
    return list(subscription.payments)


def disputed(status: Any) -> dict[str, Dispute]:
    return {"dp_1": Dispute(dispute_id="dp_1", amount_cents=900, status=status, observed_at=NOW)}


def test_what_covers_the_running_period_stays_and_what_was_paid_before_does_not() -> None:
    assert stay(paid(-2), paid(-1), paid(0)) == ["in_0"]
    assert stay(paid(-1), paid(-1, "upgrade", period_end=NOW + 1), paid(0)) == ["upgrade", "in_0"]


def test_what_one_invoice_paid_for_besides_counts() -> None:
    year = Bought(plan_id="pro-year", plan_version=1, start=NOW - MONTH, end=NOW + MONTH)
    assert stay(paid(-2), paid(-1, also=(year,)), paid(0)) == ["in_-1", "in_0"]


def test_the_running_period_of_the_item_that_began_first_counts() -> None:
    other = Item(
        plan_id="pro-month",
        plan_version=1,
        item_id=None,
        price_id="price_pro",
        quantity=1,
        current_period_start=NOW - MONTH,
        current_period_end=NOW + MONTH,
    )
    assert stay(paid(-2), paid(-1), paid(0), others=(other,)) == ["in_-1", "in_0"]


@pytest.mark.parametrize(("status", "stays"), [("open", True), ("lost", True), ("won", False), ("inquiry", False)])
def test_what_is_charged_back_stays(status: str, stays: bool) -> None:
    assert ("in_-2" in stay(paid(-2, disputes=disputed(status)), paid(-1), paid(0))) is stays


def test_what_a_person_has_to_decide_about_or_has_decided_stays() -> None:
    assert stay(paid(-2, given_up_at=NOW), paid(-1), paid(0)) == ["in_-2", "in_0"]
    assert stay(paid(-2, given_up_at=NOW, accepted_by="boss"), paid(-1), paid(0)) == ["in_-2", "in_0"]
    assert stay(paid(-2), paid(-1), status="canceled", ended_at=NOW - 3 * MONTH) == ["in_-2", "in_-1"]


def test_the_newest_stays_and_the_newest_that_was_more_than_nothing() -> None:
    assert stay(paid(-3), paid(-2), paid(-1, amount_cents=0)) == ["in_-2", "in_-1"]


def test_the_one_that_reaches_furthest_stays_because_what_is_owed_begins_there() -> None:
    late = paid(-3, "late", paid_at=NOW - 1)
    kept = stay(paid(-2), late, current_period_start=NOW + MONTH)
    assert kept == ["in_-2", "late"]


def test_the_one_whose_time_began_last_stays_too() -> None:
    later = {"current_period_start": NOW + 9 * MONTH}
    long, short = paid(-5, "long", period_end=NOW + MONTH), paid(-4, "short", period_end=NOW - 3 * MONTH)
    assert stay(long, short, paid(-6, paid_at=NOW), **later) == ["long", "short", "in_-6"]


def test_of_payments_for_a_time_that_nobody_told_only_the_newest_stays() -> None:
    unknown = [paid(-n, period_start=None, period_end=None) for n in (3, 2, 1)]
    assert stay(*unknown) == ["in_-1"]
    assert stay(unknown[0], paid(-2), paid(-1)) == ["in_-1"]


def test_a_record_is_never_too_large_to_be_written() -> None:
    every = [paid(0, f"in_{n:04}", paid_at=NOW + n) for n in range(COVERING_KEPT + 2)]
    assert stay(*every) == [f"in_{n:04}" for n in range(2, COVERING_KEPT + 2)]


def test_what_has_gathered_on_a_record_goes_step_by_step() -> None:
    many = [paid(-n) for n in range(2 * MOVED_AT_ONCE + 5)]
    account = Account(USER).put(replace(SUBSCRIPTION, payments={p.payment_id: p for p in many}))
    moved = []
    for _ in range(4):
        before, (subscription,) = account.records, account.subscriptions
        account = filed(account, subscription)
        moved.append(len(account.records.keys() - before.keys()))
    assert moved == [MOVED_AT_ONCE, MOVED_AT_ONCE, 4, 0]
    assert len(account.payments) == len(many)


@pytest.mark.parametrize(
    ("whole", "past_until", "at", "needed"),
    [(True, NOW, NOW, False), (False, None, NOW, False), (False, NOW, NOW, True), (False, NOW, NOW + 1, False)],
)
def test_an_unknown_payment_is_looked_for_where_it_may_be(
    whole: bool, past_until: int | None, at: int, needed: bool
) -> None:
    account, known = replace(Account(USER), whole=whole), replace(SUBSCRIPTION, past_until=past_until)
    if needed:
        with pytest.raises(PastNeeded):
            known_payment(account, known, "in_unknown", at)
    else:
        assert known_payment(account, known, "in_unknown", at) is None
    at_hand = replace(known, payments={"in_0": paid(0)})
    assert known_payment(account, at_hand, "in_0", at) == paid(0)


def test_nothing_is_past_any_more_where_all_that_was_counts_again() -> None:
    account = filed(Account(USER), SUBSCRIPTION, paid(-1), paid(0))
    (subscription,) = account.subscriptions
    assert subscription.past_until == NOW - MONTH
    again = paid(-1, disputes=disputed("open"))
    (whole_again,) = filed(account, subscription, again).subscriptions
    assert (sorted(whole_again.payments), whole_again.past_until) == (["in_-1", "in_0"], None)
    # Where the past was not read, as much as before may lie there.
    (unread,) = filed(replace(account.put(subscription), whole=False), subscription, again).subscriptions
    assert unread.past_until == NOW - MONTH


def test_an_account_that_was_not_read_whole_says_so_instead_of_nothing() -> None:
    account = replace(Account(USER).put(replace(SUBSCRIPTION, past_until=NOW)), whole=False)
    with pytest.raises(PastNeeded):
        _ = account.payments
    with pytest.raises(PastNeeded):
        account.payment("stripe", "ch_1")


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, False),
        ({"current_period_start": NOW + MONTH}, False),
        # An earlier period is the running one again, or it ended before a payment that is past.
        ({"current_period_start": NOW - 1}, True),
        ({"ended_at": NOW}, False),
        ({"ended_at": NOW - 1}, True),
    ],
)
def test_past_payments_are_read_where_one_of_them_counts_again(changes: dict[str, Any], needed: bool) -> None:
    known = replace(SUBSCRIPTION, past_until=NOW)
    read = replace(Account(USER), whole=False)
    if needed:
        with pytest.raises(PastNeeded):
            check_past(read, known, replace(known, **changes))
    else:
        check_past(read, known, replace(known, **changes))
    check_past(Account(USER), known, replace(known, **changes))
    check_past(read, SUBSCRIPTION, replace(SUBSCRIPTION, **changes))


# --- any order, any repeat, with what is past read only when it is asked for ------------------------------------------


def state(month: int, **more: Any) -> SubscriptionFact:
    start = NOW + month * MONTH
    known: dict[str, Any] = {
        "provider": "stripe",
        "observed_at": start,
        "user_id": USER,
        "subscription_id": "sub_1",
        "status": "active",
        "price_id": "price_plus",
        "current_period_start": start,
        "current_period_end": start + MONTH,
        "created_at": NOW - 9 * MONTH,
    }
    return SubscriptionFact(**{**known, **more})


def payment(month: int, **more: Any) -> PaymentFact:
    payment = paid(month)
    known: dict[str, Any] = {
        "provider": "stripe",
        "observed_at": payment.paid_at,
        "subscription_id": "sub_1",
        **{name: getattr(payment, name) for name in ("payment_id", "amount_cents", "currency", "paid_at", "refs")},
        **{name: getattr(payment, name) for name in ("period_start", "period_end")},
    }
    return PaymentFact(**{**known, **more})


def dunning(month: int, **more: Any) -> DunningFact:
    return DunningFact(
        provider="stripe",
        observed_at=NOW + month * MONTH - 3600,
        subscription_id="sub_1",
        invoice_id=f"in_{month}",
        attempt_count=1,
        next_attempt_at=NOW,
        period_start=NOW + month * MONTH,
        period_end=NOW + (month + 1) * MONTH,
        **more,
    )


def refund(month: int, status: Any, at: int, cents: int = 300) -> RefundFact:
    return RefundFact(
        provider="stripe",
        observed_at=at,
        refund_id=f"re_{month}",
        payment_ref=f"ch_{month}",
        amount_cents=cents,
        currency="USD",
        status=status,
    )


def dispute(month: int, status: Any, at: int) -> DisputeFact:
    return DisputeFact(
        provider="stripe",
        observed_at=at,
        dispute_id=f"dp_{month}",
        payment_ref=f"ch_{month}",
        amount_cents=900,
        currency="USD",
        status=status,
    )


MONTHS = [state(month) for month in (-4, -3, -2, -1)] + [payment(month) for month in (-4, -3, -2, -1)]
LIVES: dict[str, list[Fact]] = {
    "money goes back": [
        *MONTHS,
        refund(-4, "pending", NOW),
        refund(-4, "succeeded", NOW + 1),
        refund(-3, "failed", NOW),
    ],
    "charged back": [*MONTHS, dispute(-4, "open", NOW), dispute(-3, "open", NOW), dispute(-3, "won", NOW + 1)],
    "tried before it was paid": [*MONTHS, dunning(-4), dunning(-2), payment(-3, fee_cents=56)],
    "ended before what was paid": [*MONTHS, state(-3, status="canceled", ended_at=NOW - 3 * MONTH + 5)],
    "ended in an earlier period": [*MONTHS, state(-1, status="canceled", ended_at=NOW - 3 * MONTH - 5)],
    "begins anew earlier": [*MONTHS, state(-1, observed_at=NOW, current_period_start=NOW - 3 * MONTH)],
    "late money": [*MONTHS, payment(-4, given_up_at=NOW - 4 * MONTH - 9), refund(-4, "pending", NOW, 900)],
}


def lived(facts: Sequence[Fact]) -> tuple[MemoryAccounts, Account]:
    """Each fact in a change of its own; what speaks of something unknown comes again behind the others."""
    store: Any = MemoryAccounts()
    waiting = list(facts)
    while waiting:
        again = []
        for fact in waiting:
            parked: list[Fact] = []

            def decide(before: Account, fact: Fact = fact, parked: list[Fact] = parked) -> Consequences | None:
                after = apply(before, fact, CATALOGUE)
                if isinstance(after, Account):
                    return consequences(before, after, CATALOGUE, NOW)
                parked.append(fact)
                return None

            store.change(USER, decide)
            again += parked
        assert len(again) < len(waiting)
        waiting = again
    return store, store.load(USER, whole=True)


def money(lines: Sequence[LedgerEntry]) -> Counter[tuple[str, str]]:
    sums: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if line.kind not in ("mrr", "fee"):
            sums[line.object_id, line.currency] += line.amount_cents
    return sums


def essence(account: Account) -> Any:
    records = {k: replace(r, observed_at=0) if isinstance(r, Subscription) else r for k, r in account.records.items()}
    records.pop(account.booked.record, None)
    return records, windows(account, CATALOGUE)


@pytest.mark.parametrize("life", LIVES)
def test_any_order_and_any_repeat_ends_the_same(life: str) -> None:
    facts = LIVES[life]
    store, expected = lived(facts)
    assert any(isinstance(record, PastPayment) for record in expected.records.values())
    dice = random.Random(life)  # noqa: S311 the same orders each time
    orders = [list(reversed(facts)), *(dice.sample(facts, len(facts)) for _ in range(150))]
    for order in orders:
        repeated = [*order, *dice.sample(facts, 4)]
        other, found = lived(repeated)
        assert essence(found) == essence(expected), repeated
        assert money(other.ledger) == money(store.ledger), repeated
        assert other.links == store.links


def test_an_order_in_which_money_of_long_ago_is_told_last_costs_the_books_nothing() -> None:
    for late in itertools.permutations([payment(-4), payment(-3, fee_cents=50), payment(-2)]):
        store, account = lived([*MONTHS, *late])
        assert sum(line.amount_cents for line in store.ledger if line.kind == "payment") == 4 * 900
        assert len(account.payments) == 4


def test_a_payment_told_again_with_another_time_is_still_the_same_one() -> None:
    """Where its time cannot tell that it is past, the link that it left does."""
    store, account = lived([*MONTHS, payment(-4, paid_at=NOW + 9)])
    assert sum(line.amount_cents for line in store.ledger if line.kind == "payment") == 4 * 900
    assert len(account.payments) == 4
