"""What is left, what one call takes, and that no order of calls ever takes more than there is."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from billing.rules.allowances import MAX_RESERVATIONS, Counter, Pack, Quota, held, quota
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
    assert quota(entitlement(Allowance(10), None), NOW) == MONTHLY
    december = quota(entitlement(Allowance(10), None), DECEMBER)
    assert december == Quota(10, (), DECEMBER, int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()))


def test_an_allowance_per_billing_period_runs_with_what_was_paid() -> None:
    paid = (NOW - 10 * DAY, NOW + 20 * DAY)
    pack = Pack(f"subscription#sub_0@{paid[0]}", 10, paid[1], again=True)
    assert quota(entitlement(Allowance(10, "billing_period"), paid), NOW) == Quota(0, (pack,), NOVEMBER, paid[1])


def test_an_unpaid_period_begins_no_allowance() -> None:
    granted = quota(entitlement(Allowance(10, "billing_period"), None), NOW)
    assert granted == Quota(0, (Pack("subscription#sub_0", 10, None, again=True),), NOVEMBER, None)
    used_up = Counter(spent={"subscription#sub_0@1700": 10, "subscription#sub_0@900": 3})
    assert take(used_up, granted, 1) is None
    some_left = Counter(spent={"subscription#sub_0@1700": 9})
    assert take(some_left, granted, 1) == Counter(NOVEMBER, 0, {"subscription#sub_0@1700": 10})
    assert some_left.used_of(granted) == 9


def test_a_paid_period_forgets_those_before_it_and_a_lagging_clock_begins_none_again() -> None:
    before, paid = (NOW - 40 * DAY, NOW - 10 * DAY), (NOW - 10 * DAY, NOW + 20 * DAY)
    last = quota(entitlement(Allowance(10, "billing_period"), before), NOW)
    granted = quota(entitlement(Allowance(10, "billing_period"), paid), NOW)
    assert last is not None
    assert granted is not None
    old, new = f"subscription#sub_0@{before[0]}", f"subscription#sub_0@{paid[0]}"
    both = Counter(NOVEMBER, 0, {old: 4, new: 10, "purchase#p": 1})
    assert both.at(granted, NOW).spent == {new: 10, "purchase#p": 1}
    assert both.at(last, NOW).spent == both.spent
    held = Counter(NOVEMBER).reserve(last, 4, "r", NOW + DAY)
    assert held is not None
    for kept in range(5):
        assert held.at(granted, NOW).give_back("r", kept).spent == {}


def test_a_paid_period_that_is_over_resets_at_no_time_that_is_known() -> None:
    for ends, resets_at in [(NOW + 1, NOW + 1), (NOW, None), (NOW - 1, None)]:
        granted = quota(entitlement(Allowance(10, "billing_period"), (NOW - DAY, ends)), NOW)
        assert granted is not None
        assert granted.resets_at == resets_at


def test_an_annual_allowance_and_one_of_the_month_are_used_side_by_side() -> None:
    annual = replace(source("subscription", "y", Allowance(300, "billing_period")), period=(NOW, NOW + 365 * DAY))
    found = entitlement_of(annual, source("plan", "free", Allowance(5)), source("purchase", "m", Allowance(200)))
    granted = quota(found, NOW)
    assert granted is not None
    assert (granted.limit, granted.allowance, granted.credits, granted.resets_at) == (200, 500, 0, DECEMBER)
    assert (found.value, found.beside) == (Allowance(200), (Allowance(300, "billing_period"),))
    used_up = take(Counter(), granted, 500)
    assert used_up is not None
    assert (used_up.used, used_up.used_of(granted), used_up.left(granted)) == (200, 500, (0, 0))
    december = quota(evaluate(found.sources, DECEMBER)["ai.chat"], DECEMBER)
    assert december is not None
    assert used_up.at(december, DECEMBER).left(december) == (200, 0)


def test_switches_and_plain_numbers_are_not_counted() -> None:
    assert quota(entitlement(True), NOW) is None
    assert quota(entitlement(5), NOW) is None


def test_a_token_carries_the_value_or_of_what_is_counted_what_is_left() -> None:
    assert held(entitlement(True), Counter(), NOW).claim is True
    assert held(entitlement(5), Counter(), NOW).claim == 5
    three_used = Counter(period=NOVEMBER, used=3)
    counted = held(entitlement(Allowance(10), None), three_used, NOW).claim
    assert counted == {"limit": 10, "remaining": 7, "resets_at": DECEMBER}


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


@dataclass(frozen=True)
class Offer:
    """What somebody has for a while: an allowance of the month, one of paid periods of `days`, or credits."""

    value: FeatureValue
    days: int
    begins: int
    lasts: int
    paid_periods: int

    def source(self, name: str, now: int) -> Source:
        """As the account would tell it at `now`: the period that runs, and none where it is not paid."""
        if isinstance(self.value, Allowance) and self.value.per == "month":
            return source("plan", name, self.value)
        start, until = NOW + self.begins * DAY, NOW + (self.begins + self.lasts) * DAY
        number = max(0, (now - start) // (self.days * DAY))
        period = (start + number * self.days * DAY, start + (number + 1) * self.days * DAY)
        found = source("subscription", name, self.value, until)
        return replace(found, start=start, period=period if number < self.paid_periods else None)


offers = st.builds(
    Offer,
    st.one_of(
        st.builds(Allowance, st.integers(1, 6), st.sampled_from(["month", "billing_period"])),
        st.builds(Credits, st.integers(1, 6)),
    ),
    days=st.integers(5, 40),
    begins=st.integers(-5, 20),
    lasts=st.integers(1, 90),
    paid_periods=st.integers(0, 3),
)


def refused(sources: dict[str, Offer], days: list[int]) -> list[int]:
    """Which of the uses, each on its day, are refused."""
    counter, found = Counter(), []
    for number, day in enumerate(days):
        now = NOW + day * DAY
        union = evaluate([offer.source(name, now) for name, offer in sources.items()], now).get("ai.chat")
        granted = quota(union, now) if union else None
        taken = counter.at(granted, now).take(granted, 1) if granted else None
        if taken is None:
            found.append(number)
        else:
            counter = taken[0]
    return found


@given(st.lists(offers, min_size=1, max_size=5), st.integers(0, 4), st.lists(st.integers(0, 80), max_size=60))
def test_one_more_source_never_refuses_a_use_that_was_open_without_it(
    all_offers: list[Offer], which: int, days: list[int]
) -> None:
    more = {f"s{n}": offer for n, offer in enumerate(all_offers)}
    fewer = {name: offer for name, offer in more.items() if name != f"s{which}"}
    assert set(refused(more, sorted(days))) <= set(refused(fewer, sorted(days)))


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


def test_credits_are_never_over_with_a_period_whatever_their_source_is_called() -> None:
    credits_ = Quota(limit=0, packs=(Pack("purchase#inv@200", 5),), period=NOVEMBER, resets_at=DECEMBER)
    used_of = Counter(period=NOVEMBER, spent={"purchase#inv@100": 3})
    assert used_of.at(credits_, NOW).spent == {"purchase#inv@100": 3}
    periods = replace(credits_, packs=(Pack("purchase#inv@200", 5, again=True),))
    assert used_of.at(periods, NOW).spent == {}


def test_what_a_period_used_is_not_taken_from_credits_of_the_same_record() -> None:
    credits_ = Quota(limit=0, packs=(Pack("purchase#inv", 5),), period=NOVEMBER, resets_at=DECEMBER)
    counter = Counter(period=NOVEMBER, spent={"purchase#inv@100": 3})
    assert counter.left(credits_) == (0, 5)
    unpaid = replace(credits_, packs=(Pack("purchase#inv", 5, again=True),))
    assert counter.left(unpaid) == (2, 0)
