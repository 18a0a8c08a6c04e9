"""Prepaid terms on the calendar: chains, grace, trials kept, upgrades and downgrades with their unused value."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import PastNeeded
from billing.rules.plans import Plan
from billing.rules.records import Ended, Payment, Refund, Term
from billing.rules.terms import Run, add_interval, chain
from billing.rules.times import DAY

PLUS = Plan(
    plan_id="plus", version=1, name="Plus", price_cents=1000, currency="USD", interval="month", features={}, rank=1
)
PRO = Plan(
    plan_id="pro", version=1, name="Pro", price_cents=3000, currency="USD", interval="month", features={}, rank=2
)
PLANS = {"plus": PLUS, "pro": PRO}


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def paid(purchase_id: str, paid_at: int, plan: Plan = PLUS, *, bonus: int = 0, currency: str = "USD") -> Term:
    return Term(
        provider="btcpay",
        purchase_id=purchase_id,
        plan_id=plan.plan_id,
        plan_version=1,
        state="paid",
        amount_cents=plan.price_cents,
        currency=currency,
        observed_at=paid_at,
        created_at=paid_at,
        payment=Payment(payment_id=purchase_id, amount_cents=plan.price_cents, currency=currency, paid_at=paid_at),
        bonus_seconds=bonus,
    )


def laid(*terms: Term) -> dict[str, Run]:
    return {run.term.purchase_id: run for run in chain((term, PLANS[term.plan_id]) for term in terms)}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-01-31T10:00:00", "2026-02-28T10:00:00"),
        ("2028-01-31T10:00:00", "2028-02-29T10:00:00"),
        ("2026-12-15T00:00:00", "2027-01-15T00:00:00"),
    ],
)
def test_a_month_ends_on_the_same_day_or_the_last(start: str, end: str) -> None:
    assert add_interval(at(start), "month") == at(end)


def test_a_leap_day_and_a_year_end_on_the_last_of_february() -> None:
    assert add_interval(at("2028-02-29T12:00:00"), "year") == at("2029-02-28T12:00:00")


def test_terms_of_one_plan_run_end_to_end() -> None:
    runs = laid(paid("a", at("2026-03-01T00:00:00")), paid("b", at("2026-03-20T00:00:00")))
    assert runs["a"].end == runs["b"].start == at("2026-04-01T00:00:00")
    assert runs["b"].end == at("2026-05-01T00:00:00")


@pytest.mark.parametrize(("amount", "replaces"), [(0, False), (1, True)])
def test_a_bigger_term_that_cost_anything_takes_over_at_once(amount: int, replaces: bool) -> None:
    begun, bigger = at("2026-03-01T00:00:00"), at("2026-03-16T00:00:00")
    given_away = replace(paid("b", bigger, PRO), amount_cents=amount)
    runs = {run.term.purchase_id: run for run in chain([(paid("a", begun), PLUS), (given_away, PRO)])}
    assert runs["b"].start == (bigger if replaces else at("2026-04-01T00:00:00"))


def test_a_renewal_in_grace_starts_at_the_old_end() -> None:
    runs = laid(paid("a", at("2026-03-01T00:00:00")), paid("b", at("2026-04-07T23:59:59")))
    assert runs["b"].start == at("2026-04-01T00:00:00")


def test_a_renewal_after_the_grace_starts_when_it_was_paid() -> None:
    runs = laid(paid("a", at("2026-03-01T00:00:00")), paid("b", at("2026-04-08T00:00:01")))
    assert runs["b"].start == at("2026-04-08T00:00:01")


def test_the_trial_days_still_left_are_kept() -> None:
    runs = laid(paid("a", at("2026-03-01T00:00:00"), bonus=5 * DAY))
    assert runs["a"].end == at("2026-04-06T00:00:00")


def test_an_upgrade_begins_at_once_and_takes_over_the_unused_value() -> None:
    # Half of April's thirty days are left of ten dollars: five dollars, a sixth of the price of Pro's next month.
    runs = laid(paid("a", at("2026-04-01T00:00:00")), paid("b", at("2026-04-16T00:00:00"), PRO))
    assert (runs["a"].end, runs["a"].replaced) == (at("2026-04-16T00:00:00"), True)
    assert runs["b"].start == at("2026-04-16T00:00:00")
    assert runs["b"].end == at("2026-05-16T00:00:00") + 30 * DAY // 6
    assert (runs["a"].value_cents, runs["b"].value_cents) == (500, 3500)


def test_an_upgrade_takes_over_what_is_queued_too() -> None:
    runs = laid(
        paid("a", at("2026-04-01T00:00:00")),
        paid("b", at("2026-04-02T00:00:00")),
        paid("c", at("2026-04-16T00:00:00"), PRO),
    )
    assert runs["b"].start == runs["b"].end
    assert runs["c"].value_cents == 3000 + 500 + 1000
    assert runs["c"].end == at("2026-05-16T00:00:00") + 15 * DAY


def test_a_downgrade_waits_for_the_end_of_what_is_paid() -> None:
    runs = laid(paid("a", at("2026-04-01T00:00:00"), PRO), paid("b", at("2026-04-10T00:00:00")))
    assert runs["b"].start == runs["a"].end == at("2026-05-01T00:00:00")


def test_renewing_the_higher_plan_goes_before_a_queued_downgrade() -> None:
    runs = laid(
        paid("a", at("2026-04-01T00:00:00"), PRO),
        paid("b", at("2026-04-10T00:00:00")),
        paid("c", at("2026-04-20T00:00:00"), PRO),
    )
    assert runs["c"].start == runs["a"].end
    assert runs["c"].end == at("2026-06-01T00:00:00") + 31 * DAY // 3
    assert runs["b"].start == runs["b"].end


def test_another_currency_waits_because_its_value_cannot_be_set_off() -> None:
    runs = laid(paid("a", at("2026-04-01T00:00:00")), paid("b", at("2026-04-16T00:00:00"), PRO, currency="EUR"))
    assert runs["b"].start == runs["a"].end == at("2026-05-01T00:00:00")
    assert runs["b"].end == at("2026-06-01T00:00:00")
    assert (runs["a"].value_cents, runs["b"].value_cents) == (1000, 3000)


def test_a_term_that_cost_nothing_waits_because_nothing_can_be_set_off_against_it() -> None:
    runs = laid(
        paid("a", at("2026-04-01T00:00:00")), replace(paid("b", at("2026-04-16T00:00:00"), PRO), amount_cents=0)
    )
    assert runs["b"].start == runs["a"].end == at("2026-05-01T00:00:00")


def refunded(term: Term, at: int) -> Term:
    assert term.payment is not None
    back = Refund(refund_id="re_1", amount_cents=term.amount_cents, status="succeeded", observed_at=at)
    return replace(term, payment=replace(term.payment, refunds={"re_1": back}))


def test_what_another_payment_bought_does_not_move_into_time_that_was_used_before_a_refund() -> None:
    first, second = paid("inv_1", at("2026-01-01")), paid("inv_2", at("2026-01-05"))
    assert laid(refunded(first, at("2026-02-20")), second)["inv_2"] == laid(first, second)["inv_2"]
    early = laid(refunded(first, at("2026-01-10")), second)
    assert (early["inv_1"].end, early["inv_1"].closed) == (at("2026-01-10"), True)
    assert (early["inv_2"].start, early["inv_2"].end) == (at("2026-01-10"), at("2026-02-10"))
    unused = laid(first, refunded(second, at("2026-01-10")), paid("inv_3", at("2026-01-20")))
    assert "inv_2" not in unused
    assert unused["inv_3"].start == unused["inv_1"].end


def test_a_refunded_upgrade_leaves_what_it_had_taken_over() -> None:
    first, bigger = paid("inv_1", at("2026-01-01")), paid("inv_2", at("2026-01-05"), PRO)
    assert laid(first, refunded(bigger, at("2026-01-10"))) == laid(first)


def test_what_was_closed_before_its_time_began_stands_among_runs_that_are_stored() -> None:
    start = at("2026-01-10T00:00:00")
    first, queued, second = paid("a", start), paid("b", start + 60), paid("c", start + 120)
    closed = refunded(queued, start + 90)
    later = [paid(f"d{month}", at(f"2026-0{month}-01T00:00:00")) for month in (6, 7, 8)]
    whole = [(term, PLUS) for term in (first, closed, second, *later)]
    runs = chain(whole)
    assert [run.term for run in runs] == [first, second, *later]
    stored = {run.term.record: (run.start, run.end, run.value_cents, run.replaced) for run in runs[:2]}
    assert chain(whole, Ended(laid=stored)) == runs
    with pytest.raises(PastNeeded):
        chain([(term, PLUS) for term in (first, queued, second)], Ended(laid=stored))


def test_what_was_paid_before_those_that_left_were_over_is_laid_among_them() -> None:
    over = at("2026-03-01T00:00:00")
    after, among = paid("a", over), paid("a", over - 1)
    assert chain([(after, PLUS)], Ended(until={PLUS.group: over})) == chain([(after, PLUS)])
    with pytest.raises(PastNeeded):
        chain([(among, PLUS)], Ended(until={PLUS.group: over}))
    assert chain([(refunded(among, over - 1), PLUS)], Ended(until={PLUS.group: over})) == []


def test_groups_do_not_wait_for_each_other() -> None:
    other = replace(PLUS, plan_id="x", group="tax")
    runs = chain([(paid("a", 0), PLUS), (paid("b", 10), other)])
    assert {run.start for run in runs} == {0, 10}


purchases = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from([PLUS, PRO]), st.integers(0, 20)), min_size=1, max_size=5
)


@given(purchases)
def test_the_calendar_does_not_depend_on_the_order_of_arrival(bought: list[tuple[int, Plan, int]]) -> None:
    terms = [paid(f"p{i}", day * DAY, plan, bonus=b * DAY) for i, (day, plan, b) in enumerate(bought)]
    calendars = {tuple(sorted((k, r.start, r.end) for k, r in laid(*order).items())) for order in permutations(terms)}
    assert len(calendars) == 1


@given(purchases)
def test_runs_never_overlap_and_no_value_appears_or_is_lost(bought: list[tuple[int, Plan, int]]) -> None:
    terms = [paid(f"p{i}", day * DAY, plan, bonus=b * DAY) for i, (day, plan, b) in enumerate(bought)]
    runs = sorted((r for r in laid(*terms).values() if r.end > r.start), key=lambda r: r.start)
    assert all(before.end <= after.start for before, after in pairwise(runs))
    assert sum(r.value_cents for r in laid(*terms).values()) == sum(t.amount_cents for t in terms)


def laid_step_by_step(terms: list[tuple[Term, Plan]]) -> list[tuple[str, int, int, int, bool]]:
    """The rules word by word, for one group: each term looks at every run before it."""
    runs: list[Run] = []
    for term, plan in terms:
        assert term.payment is not None
        at, credit, kept = term.payment.paid_at, 0, []
        for run in runs:
            same_money = term.currency == run.term.currency
            if run.end > at and plan.rank > run.plan.rank and same_money:
                unused = run.value_cents * (run.end - max(run.start, at)) // (run.end - run.start)
                credit += unused
                cut = {"start": min(run.start, at), "end": at, "value_cents": run.value_cents - unused}
                kept.append(replace(run, **cut, replaced=True))
            else:
                kept.append(run)
        begins = max([at, *(run.end for run in kept)])
        ended = max((run.end for run in kept), default=None)
        nothing_ran = all(run.end <= at for run in runs)
        if nothing_ran and ended is not None and at <= ended + plan.grace_days * DAY:
            begins = ended
        length = add_interval(begins, plan.interval) - begins
        bonus = term.bonus_seconds + credit * length // term.amount_cents
        runs = [*kept, Run(term, plan, begins, begins + length + bonus, term.amount_cents + credit)]
    return [(r.term.purchase_id, r.start, r.end, r.value_cents, r.replaced) for r in runs]


MAX_YEAR = replace(PRO, plan_id="max", rank=3, price_cents=9000, interval="year", grace_days=0)
long_histories = st.lists(
    st.tuples(
        st.integers(0, 500),
        st.sampled_from([PLUS, PLUS, PLUS, PRO, MAX_YEAR]),
        st.integers(0, 3),
        st.sampled_from(["USD", "USD", "EUR"]),
    ),
    max_size=25,
)


@given(long_histories)
def test_a_long_history_is_laid_as_if_each_term_looked_at_all_before_it(
    bought: list[tuple[int, Plan, int, str]],
) -> None:
    ordered = sorted(bought, key=lambda one: one[0])
    terms = [
        (paid(f"p{i:02}", day * DAY, plan, bonus=b * DAY, currency=currency), plan)
        for i, (day, plan, b, currency) in enumerate(ordered)
    ]
    found = [(r.term.purchase_id, r.start, r.end, r.value_cents, r.replaced) for r in chain(terms)]
    assert found == laid_step_by_step(terms)
