"""What is left, what one call takes, and that no order of calls ever takes more than there is."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from billing.rules.allowances import MAX_RESERVATIONS, Counter, Quota, quota
from billing.rules.entitlements import Entitlement, Source
from billing.rules.plans import Allowance, FeatureValue

DAY = 86_400
NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())
NOVEMBER = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
DECEMBER = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
MONTHLY = Quota(limit=10, credits=0, period=NOVEMBER, resets_at=DECEMBER)


def used(counter: Counter | None) -> int:
    assert counter is not None
    return counter.used


def take(counter: Counter, granted: Quota, amount: int) -> Counter | None:
    taken = counter.at(granted, NOW).take(granted, amount)
    return taken[0] if taken else None


def entitlement(value: FeatureValue, *periods: tuple[int, int] | None, credits_: int = 0) -> Entitlement:
    sources = tuple(
        Source(
            kind="subscription",
            id=f"sub_{n}",
            plan_id="plus",
            plan_version=1,
            start=0,
            until=None,
            reason="active",
            features={"ai.chat": value},
            period=period,
        )
        for n, period in enumerate(periods)
    )
    return Entitlement("ai.chat", value, credits_, None, sources)


def test_a_monthly_allowance_runs_with_the_calendar_month_in_utc() -> None:
    assert quota(entitlement(Allowance(10)), NOW) == MONTHLY
    december = quota(entitlement(Allowance(10)), DECEMBER)
    assert december == Quota(10, 0, DECEMBER, int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()))


def test_an_allowance_per_billing_period_runs_with_what_was_paid() -> None:
    paid = (NOW - 10 * DAY, NOW + 20 * DAY)
    assert quota(entitlement(Allowance(10, "billing_period"), paid), NOW) == Quota(10, 0, *paid)


def test_an_unpaid_period_begins_no_allowance() -> None:
    granted = quota(entitlement(Allowance(10, "billing_period"), None), NOW)
    assert granted == Quota(10, 0, 0, None)
    assert take(Counter(period=NOW - 40 * DAY, used=10), granted, 1) is None


def test_switches_and_plain_numbers_are_not_counted() -> None:
    assert quota(entitlement(True), NOW) is None
    assert quota(entitlement(5), NOW) is None


def test_a_new_period_begins_the_allowance_anew_and_keeps_spent_credits() -> None:
    later = Quota(10, 5, DECEMBER, None)
    assert Counter(NOVEMBER, 10, 3).at(later, DECEMBER) == Counter(DECEMBER, 0, 3)


def test_a_lagging_clock_does_not_begin_the_old_period_again() -> None:
    assert take(Counter(DECEMBER, 10), MONTHLY, 1) is None


def test_an_upgrade_keeps_what_was_used_and_a_downgrade_never_goes_below_zero() -> None:
    counter = Counter(NOVEMBER, used=8)
    assert counter.left(Quota(100, 0, NOVEMBER, None)) == (92, 0)
    assert counter.left(Quota(5, 0, NOVEMBER, None)) == (0, 0)
    assert take(counter, Quota(5, 0, NOVEMBER, None), 1) is None


def test_credits_are_spent_after_the_allowance_and_a_call_may_need_both() -> None:
    granted = Quota(10, 5, NOVEMBER, None)
    assert take(Counter(NOVEMBER, 8), granted, 4) == Counter(NOVEMBER, 10, 2)
    assert take(Counter(NOVEMBER, 8), granted, 8) is None


def test_refunded_credits_are_gone_even_when_they_were_spent() -> None:
    assert Counter(NOVEMBER, 10, 3).left(Quota(10, 0, NOVEMBER, None)) == (0, 0)


def test_a_reservation_is_settled_for_less_and_credits_come_back_first() -> None:
    granted = Quota(10, 5, NOVEMBER, None)
    held = Counter(NOVEMBER, 8).reserve(granted, 6, "r", NOW + 60)
    assert held is not None
    assert (held.used, held.credits_used) == (10, 4)
    assert held.give_back("r", 3) == Counter(NOVEMBER, 10, 1)
    assert held.give_back("r", 1) == Counter(NOVEMBER, 9, 0)


def test_a_reservation_left_alone_gives_everything_back_when_it_expires() -> None:
    held = Counter(NOVEMBER).reserve(MONTHLY, 10, "r", NOW + 60)
    assert held is not None
    assert take(held, MONTHLY, 1) is None
    assert held.at(MONTHLY, NOW + 60) == Counter(NOVEMBER)


def test_a_reservation_of_the_last_period_gives_nothing_back_to_this_one() -> None:
    held = Counter(NOVEMBER).reserve(MONTHLY, 10, "r", DECEMBER + 60)
    assert held is not None
    december = Quota(10, 0, DECEMBER, None)
    begun = held.at(december, DECEMBER)
    assert used(take(begun, december, 4)) == 4
    assert begun.give_back("r", 0).used == 0


def test_a_user_cannot_hold_endless_reservations() -> None:
    counter: Counter | None = Counter(NOVEMBER)
    granted = Quota(1000, 0, NOVEMBER, None)
    for n in range(MAX_RESERVATIONS):
        assert counter is not None
        counter = counter.reserve(granted, 1, str(n), NOW + 60)
    assert counter is not None
    assert counter.reserve(granted, 1, "one more", NOW + 60) is None


steps = st.lists(
    st.tuples(
        st.sampled_from(["consume", "reserve", "settle", "release", "wait", "upgrade", "downgrade", "buy credits"]),
        st.integers(1, 6),
    ),
    max_size=40,
)


@given(steps)
def test_no_order_of_calls_oversells_or_falls_below_zero(calls: list[tuple[str, int]]) -> None:
    """The model: everything ever granted as spent must fit into the largest limit so far and the bought credits."""
    counter, granted, now = Counter(NOVEMBER), Quota(5, 0, NOVEMBER, None), NOW
    spent, largest, names = 0, 5, 0
    for step, amount in calls:
        counter = counter.at(granted, now)
        if step == "consume":
            taken = counter.take(granted, amount)
            fits = amount <= sum(counter.left(granted))
            assert (taken is not None) == fits
            if taken:
                counter, spent = taken[0], spent + amount
        elif step == "reserve":
            names += 1
            counter = counter.reserve(granted, amount, f"r{names}", now + 10) or counter
        elif step in ("settle", "release") and counter.reservations:
            name = sorted(counter.reservations)[0]
            held = counter.reservations[name]
            keep = min(amount, held.allowance + held.credits) if step == "settle" else 0
            counter, spent = counter.give_back(name, keep), spent + keep
        elif step == "wait":
            now += amount * 3
        elif step in ("upgrade", "downgrade"):
            granted = Quota(amount * (3 if step == "upgrade" else 1), granted.credits, NOVEMBER, None)
            largest = max(largest, granted.limit)
        elif step == "buy credits":
            granted = Quota(granted.limit, granted.credits + amount, NOVEMBER, None)
        held_units = sum(r.allowance + r.credits for r in counter.reservations.values())
        assert counter.used + counter.credits_used == spent + held_units
        assert 0 <= counter.used <= largest
        assert 0 <= counter.credits_used <= granted.credits
        assert min(counter.left(granted)) >= 0
