"""What is left, what one call takes, and that no order of calls ever takes more than there is."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from billing.rules.allowances import MAX_RESERVATIONS, Counter, Pack, Quota, quota
from billing.rules.entitlements import Entitlement, Source, evaluate
from billing.rules.plans import Allowance, Credits, FeatureValue

DAY = 86_400
NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())
NOVEMBER = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
DECEMBER = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
FIVE = (Pack("purchase#p", 5),)
MONTHLY = Quota(limit=10, packs=(), period=NOVEMBER, resets_at=DECEMBER)


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
    assert december == Quota(10, (), DECEMBER, int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()))


def test_an_allowance_per_billing_period_runs_with_what_was_paid() -> None:
    paid = (NOW - 10 * DAY, NOW + 20 * DAY)
    assert quota(entitlement(Allowance(10, "billing_period"), paid), NOW) == Quota(10, (), *paid)


def test_an_unpaid_period_begins_no_allowance() -> None:
    granted = quota(entitlement(Allowance(10, "billing_period"), None), NOW)
    assert granted == Quota(10, (), 0, None)
    assert take(Counter(period=NOW - 40 * DAY, used=10), granted, 1) is None


def test_switches_and_plain_numbers_are_not_counted() -> None:
    assert quota(entitlement(True), NOW) is None
    assert quota(entitlement(5), NOW) is None


def test_a_new_period_begins_the_allowance_anew_and_keeps_spent_credits() -> None:
    later = Quota(10, FIVE, DECEMBER, None)
    assert Counter(NOVEMBER, 10, {"purchase#p": 3}).at(later, DECEMBER) == Counter(DECEMBER, 0, {"purchase#p": 3})


def test_a_lagging_clock_does_not_begin_the_old_period_again() -> None:
    assert take(Counter(DECEMBER, 10), MONTHLY, 1) is None


def test_an_upgrade_keeps_what_was_used_and_a_downgrade_never_goes_below_zero() -> None:
    counter = Counter(NOVEMBER, used=8)
    assert counter.left(Quota(100, (), NOVEMBER, None)) == (92, 0)
    assert counter.left(Quota(5, (), NOVEMBER, None)) == (0, 0)
    assert take(counter, Quota(5, (), NOVEMBER, None), 1) is None


def test_credits_are_spent_after_the_allowance_and_a_call_may_need_both() -> None:
    granted = Quota(10, FIVE, NOVEMBER, None)
    assert take(Counter(NOVEMBER, 8), granted, 4) == Counter(NOVEMBER, 10, {"purchase#p": 2})
    assert take(Counter(NOVEMBER, 8), granted, 8) is None


def test_refunded_credits_are_gone_even_when_they_were_spent() -> None:
    assert Counter(NOVEMBER, 10, {"purchase#p": 3}).left(Quota(10, (), NOVEMBER, None)) == (0, 0)


def test_a_reservation_is_settled_for_less_and_credits_come_back_first() -> None:
    granted = Quota(10, FIVE, NOVEMBER, None)
    held = Counter(NOVEMBER, 8).reserve(granted, 6, "r", NOW + 60)
    assert held is not None
    assert (held.used, held.spent) == (10, {"purchase#p": 4})
    assert held.give_back("r", 3) == Counter(NOVEMBER, 10, {"purchase#p": 1})
    assert held.give_back("r", 1) == Counter(NOVEMBER, 9)


def test_a_reservation_left_alone_gives_everything_back_when_it_expires() -> None:
    held = Counter(NOVEMBER).reserve(MONTHLY, 10, "r", NOW + 60)
    assert held is not None
    assert take(held, MONTHLY, 1) is None
    assert held.at(MONTHLY, NOW + 60) == Counter(NOVEMBER)


def test_a_reservation_of_the_last_period_gives_nothing_back_to_this_one() -> None:
    held = Counter(NOVEMBER).reserve(MONTHLY, 10, "r", DECEMBER + 60)
    assert held is not None
    december = Quota(10, (), DECEMBER, None)
    begun = held.at(december, DECEMBER)
    assert used(take(begun, december, 4)) == 4
    assert begun.give_back("r", 0).used == 0


def test_a_user_cannot_hold_endless_reservations() -> None:
    counter: Counter | None = Counter(NOVEMBER)
    granted = Quota(1000, (), NOVEMBER, None)
    for n in range(MAX_RESERVATIONS):
        assert counter is not None
        counter = counter.reserve(granted, 1, str(n), NOW + 60)
    assert counter is not None
    assert counter.reserve(granted, 1, "one more", NOW + 60) is None


def test_credits_are_drawn_from_what_ends_first_and_each_pack_remembers_its_own_use() -> None:
    """100 for thirty days, used up; 100 bought for good; on day 31 those are still there."""
    for_a_month, for_good = Pack("grant#g", 100, NOW + 30 * DAY), Pack("purchase#p", 100)
    found = quota(
        entitlement_of(source("purchase", "p", Credits(100)), source("grant", "g", Credits(100), NOW + 30 * DAY)), NOW
    )
    assert found is not None
    assert found.packs == (for_a_month, for_good)
    used_up = take(Counter(), Quota(0, (for_a_month,), 0, None), 100)
    assert used_up is not None
    assert used_up.left(Quota(0, (for_a_month, for_good), 0, None)) == (0, 100)
    assert used_up.left(Quota(0, (for_good,), 0, None)) == (0, 100)


def source(kind: Any, name: str, value: FeatureValue, until: int | None = None) -> Source:
    given: dict[str, FeatureValue] = {"ai.chat": value}
    return Source(kind=kind, id=name, plan_id="p", plan_version=1, start=0, until=until, reason="paid", features=given)


def entitlement_of(*sources: Source) -> Entitlement:
    return evaluate(sources, NOW)["ai.chat"]


STEPS = ["consume", "reserve", "settle", "release", "wait", "upgrade", "buy", "buy for a while", "refund", "restore"]
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 6)), max_size=40)


class Shelf:
    """The model: packs as they were sold, which of them are withdrawn, and the time."""

    def __init__(self) -> None:
        self.packs: list[Pack] = []
        self.withdrawn: set[str] = set()
        self.now = NOW

    def quota(self, limit: int) -> Quota:
        open_now = [p for p in self.packs if p.source not in self.withdrawn and (p.until is None or p.until > self.now)]
        by_end = sorted(open_now, key=lambda p: (p.until is None, p.until or 0, p.source))
        return Quota(limit, tuple(by_end), NOVEMBER, None)

    def sell(self, amount: int, seconds: int | None = None) -> None:
        self.packs.append(Pack(f"purchase#{len(self.packs)}", amount, self.now + seconds if seconds else None))


@given(steps)
def test_no_order_of_calls_oversells_or_lets_one_source_take_what_another_gives(calls: list[tuple[str, int]]) -> None:
    counter, shelf, limit = Counter(NOVEMBER), Shelf(), 5
    consumed, largest, names = 0, 5, 0
    for step, amount in calls:
        granted = shelf.quota(limit)
        counter = counter.at(granted, shelf.now)
        rest = {p.source: p.amount - counter.spent.get(p.source, 0) for p in shelf.packs}
        if step == "consume":
            taken = counter.take(granted, amount)
            assert (taken is not None) == (amount <= sum(counter.left(granted)))
            if taken:
                drawn = [source for source, _ in taken[1].packs]
                # A later pack is touched only when every earlier one was emptied by this very call.
                order = [p.source for p in granted.packs if rest[p.source]]
                assert drawn == order[: len(drawn)]
                counter, consumed = taken[0], consumed + amount
        elif step == "reserve":
            names += 1
            counter = counter.reserve(granted, amount, f"r{names}", shelf.now + 10) or counter
        elif step in ("settle", "release") and counter.reservations:
            name = sorted(counter.reservations)[0]
            keep = min(amount, counter.reservations[name].units) if step == "settle" else 0
            counter, consumed = counter.give_back(name, keep), consumed + keep
        elif step == "wait":
            shelf.now += amount * 3
        elif step == "upgrade":
            limit = amount * 3
            largest = max(largest, limit)
        elif step == "buy":
            shelf.sell(amount)
        elif step == "buy for a while":
            shelf.sell(amount, amount * 5)
        elif step == "refund" and shelf.packs:
            lost = shelf.packs[amount % len(shelf.packs)]
            before, after = counter.left(shelf.quota(limit))[1], None
            was_open = lost in shelf.quota(limit).packs
            shelf.withdrawn.add(lost.source)
            after = counter.left(shelf.quota(limit))[1]
            assert before - after == (rest[lost.source] if was_open else 0)
        elif step == "restore" and shelf.withdrawn:
            shelf.withdrawn.pop()
        held = sum(r.units for r in counter.reservations.values())
        assert counter.used + sum(counter.spent.values()) == consumed + held
        assert 0 <= counter.used <= largest
        assert all(0 <= counter.spent.get(p.source, 0) <= p.amount for p in shelf.packs)
        assert min(counter.left(shelf.quota(limit))) >= 0
