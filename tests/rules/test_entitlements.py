"""Entitlements are the union of all live sources, and a refusal says why."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.allowances import quota
from billing.rules.entitlements import (
    ENDED_KEPT,
    Entitlement,
    Refusal,
    Source,
    decide,
    evaluate,
    free_source,
    remembered,
    sources,
    sources_from_json,
    sources_to_json,
)
from billing.rules.plans import Allowance, Credits, FeatureValue
from billing.rules.records import Account, Grant
from samples import CATALOGUE, FREE, NOW, USER

# Of one feature all values are of one kind, as the catalogue has it; what is counted can also be bought in packs.
VALUES: dict[str, st.SearchStrategy[FeatureValue]] = {
    "ai.chat": st.builds(Allowance, st.integers(1, 999)) | st.builds(Credits, st.integers(1, 999)),
    "ai.insights": st.booleans(),
    "wallets.max": st.integers(0, 50),
}
FEATURES = list(VALUES)
times = st.integers(NOW - 100, NOW + 100)
some_sources = st.lists(
    st.builds(
        Source,
        kind=st.sampled_from(["subscription", "purchase", "term", "grant"]),
        id=st.uuids().map(str),
        plan_id=st.sampled_from([None, "plus-month"]),
        plan_version=st.sampled_from([None, 1]),
        start=times,
        until=st.none() | times,
        reason=st.sampled_from(["active", "past_due", "canceled", "paid", "granted"]),
        features=st.fixed_dictionaries({}, optional=VALUES),
    ),
    max_size=6,
)


def source(reason: str = "active", until: int | None = None, start: int = NOW - 10, **features: Any) -> Source:
    return Source(
        kind="subscription",
        id=f"sub_{reason}_{until}",
        plan_id="plus-month",
        plan_version=1,
        start=start,
        until=until,
        reason=reason,
        features={key.replace("_", "."): value for key, value in features.items()},
    )


def worth(entitlement: Entitlement | None) -> tuple[int, int]:
    """An order on what an entitlement gives: the value, then the credits."""
    if entitlement is None:
        return (0, 0)
    value = entitlement.value
    return (value.limit if isinstance(value, Allowance) else int(value)), entitlement.credits  # type: ignore[arg-type]


@given(some_sources, st.integers(0, 5))
def test_removing_one_source_never_removes_what_another_gives(known: list[Source], which: int) -> None:
    fewer = [s for n, s in enumerate(known) if n != which]
    before, after = evaluate(known, NOW), evaluate(fewer, NOW)
    for feature in FEATURES:
        others = [s for s in fewer if s.open_at(NOW) and s.features.get(feature)]
        assert (feature in after) == bool(others)
        if feature in after:
            assert {s.id for s in after[feature].sources} == {s.id for s in others}
            assert feature in before


@given(some_sources, some_sources)
def test_more_sources_never_give_less(known: list[Source], more: list[Source]) -> None:
    for feature, entitlement in evaluate(known, NOW).items():
        richer = evaluate([*known, *more], NOW)[feature]
        assert richer.credits >= entitlement.credits
        assert (entitlement.expires_at is None) <= (richer.expires_at is None or worth(richer) != worth(entitlement))


@given(some_sources, st.sampled_from(FEATURES))
def test_until_it_expires_nothing_of_it_is_lost_and_then_something_is(known: list[Source], feature: str) -> None:
    found = evaluate(known, NOW).get(feature)
    if found is None:
        return
    for moment in range(NOW, NOW + 101):
        later = evaluate(known, moment).get(feature)
        if found.expires_at is None or moment < found.expires_at:
            assert rank(later) >= rank(found) or later is None
            assert later is not None
            assert later.credits >= found.credits
        elif moment == found.expires_at:
            assert later is None or rank(later) < rank(found) or later.credits < found.credits


def rank(entitlement: Entitlement | None) -> tuple[bool, int]:
    """Allowances stand above plain values; only one kind occurs in a real feature."""
    if entitlement is None:
        return (False, -1)
    if entitlement.value is True:
        return (False, 1_000_000)
    return (isinstance(entitlement.value, Allowance) and entitlement.value.limit > 0, worth(entitlement)[0])


def test_a_value_that_falls_tomorrow_says_tomorrow_and_what_stays_has_no_end() -> None:
    tomorrow = NOW + 86_400
    known = [source(until=tomorrow, ai_chat=Allowance(200)), source("free", ai_chat=Allowance(5))]
    assert evaluate(known, NOW)["ai.chat"].expires_at == tomorrow
    assert evaluate(known, tomorrow)["ai.chat"].value == Allowance(5)
    assert evaluate(known, tomorrow)["ai.chat"].expires_at is None


def test_a_term_that_follows_at_once_is_no_end() -> None:
    ends, then = NOW + 100, NOW + 200
    known = [source(until=ends, ai_chat=Allowance(200)), source("next", until=then, start=ends, ai_chat=Allowance(200))]
    assert evaluate(known, NOW)["ai.chat"].expires_at == then


def test_of_allowances_with_different_periods_the_one_counts_that_gives_more_over_time() -> None:
    month, year = 30 * 86_400, 365 * 86_400
    annual = replace(source("annual", ai_chat=Allowance(300, "billing_period")), period=(NOW - 10, NOW - 10 + year))
    monthly = replace(source("monthly", ai_chat=Allowance(300, "billing_period")), period=(NOW - 10, NOW - 10 + month))
    card = source("pass", ai_chat=Allowance(200))
    assert evaluate([annual, card], NOW)["ai.chat"].value == Allowance(200)
    assert evaluate([monthly, card], NOW)["ai.chat"].value == Allowance(300, "billing_period")
    both = evaluate([annual, monthly], NOW)["ai.chat"]
    assert (both.value, both.beside) == (Allowance(300, "billing_period"), (Allowance(300, "billing_period"),))
    granted = quota(both, NOW)
    assert granted is not None
    assert [(p.source, p.amount) for p in granted.packs] == [
        (f"subscription#sub_monthly_None@{NOW - 10}", 300),
        (f"subscription#sub_annual_None@{NOW - 10}", 300),
    ]


@given(some_sources, st.randoms())
def test_the_order_of_the_sources_does_not_matter(known: list[Source], chance: Any) -> None:
    shuffled = chance.sample(known, len(known))
    one, other = evaluate(known, NOW), evaluate(shuffled, NOW)
    assert one.keys() == other.keys()
    assert [worth(one[f]) for f in one] == [worth(other[f]) for f in one]


@given(some_sources, st.sampled_from(FEATURES))
def test_the_decision_agrees_with_the_list(known: list[Source], feature: str) -> None:
    decision = decide(known, feature, NOW)
    assert isinstance(decision, Entitlement) == (feature in evaluate(known, NOW))


@given(some_sources)
def test_sources_survive_the_snapshot(known: list[Source]) -> None:
    assert sources_from_json(json.loads(json.dumps(sources_to_json(known)))) == tuple(known)


@pytest.mark.parametrize(
    ("given_values", "value", "credits"),
    [
        ([False, True], True, 0),
        ([1, 5], 5, 0),
        ([Allowance(200), Allowance(1000)], Allowance(1000), 0),
        ([Allowance(5), Credits(500)], Allowance(5), 500),
        ([Credits(500), Credits(20)], Allowance(0), 520),
    ],
)
def test_the_most_generous_value_wins_and_credits_add_up(
    given_values: list[FeatureValue], value: FeatureValue, credits: int
) -> None:
    found = evaluate([source(f"s{n}", ai_chat=v) for n, v in enumerate(given_values)], NOW)["ai.chat"]
    assert (found.value, found.credits) == (value, credits)


def test_an_entitlement_ends_with_its_last_source() -> None:
    ending = [source("a", NOW + 5, ai_insights=True), source("b", NOW + 9, ai_insights=True)]
    assert evaluate(ending, NOW)["ai.insights"].expires_at == NOW + 9
    assert evaluate([*ending, source("c", None, ai_insights=True)], NOW)["ai.insights"].expires_at is None


def test_expiry_is_compared_when_asked() -> None:
    known = [source(until=NOW + 5, ai_insights=True)]
    assert "ai.insights" in evaluate(known, NOW + 4)
    assert "ai.insights" not in evaluate(known, NOW + 5)


@pytest.mark.parametrize(
    ("known", "scenario"),
    [
        ([], "not_in_plan"),
        ([source(wallets_max=5)], "not_in_plan"),
        ([source(ai_insights=False)], "not_in_plan"),
        ([source("canceled", NOW - 1, ai_insights=True)], "expired"),
        ([source("past_due", NOW - 1, ai_insights=True)], "payment_failed"),
        ([source("underpaid", NOW - 10, ai_insights=True)], "payment_failed"),
        ([source("incomplete", NOW - 10, ai_insights=True)], "payment_failed"),
        ([source("refunded", NOW - 10, ai_insights=True)], "not_in_plan"),
        ([source("paid", NOW + 90, start=NOW + 60, ai_insights=True)], "not_in_plan"),
    ],
)
def test_a_refusal_says_why(known: list[Source], scenario: str) -> None:
    refusal = decide(known, "ai.insights", NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.scenario == scenario


def test_everybody_has_the_free_plan() -> None:
    found = evaluate([free_source(FREE)], NOW)
    assert found["wallets.max"].value == 1
    assert found["wallets.max"].sources[0].reason == "free"


def test_a_grant_gives_its_own_features() -> None:
    grant = Grant(
        grant_id="g", features={"ai.chat": {"limit": 9, "per": "month"}}, granted_by="a", reason="r", granted_at=NOW
    )
    known = sources(Account(USER, records={grant.record: grant}), CATALOGUE)
    assert evaluate(known, NOW)["ai.chat"].value == Allowance(9)


# --- what a snapshot keeps -------------------------------------------------------------------------------------------


def test_a_snapshot_keeps_the_newest_of_what_is_over_and_all_that_is_to_come() -> None:
    over = [source(until=NOW - n, start=NOW - 99, ai_chat=True) for n in range(ENDED_KEPT + 5)]
    ahead = [source(until=NOW + n, ai_chat=True) for n in range(1, ENDED_KEPT + 5)]
    never = [source("refunded", until=NOW - 10, start=NOW - 10, ai_chat=True)]
    kept = remembered([*reversed(over), *never, *ahead], NOW)
    assert list(kept) == [*reversed(over[:ENDED_KEPT]), *never, *ahead]


@given(st.lists(st.sampled_from(["active", "refunded"]), max_size=40), times)
def test_what_a_snapshot_forgets_decides_nothing(reasons: list[str], now: int) -> None:
    known = [
        source(reason, until=NOW - 50 + 3 * n, start=NOW - 60 + 3 * n * (reason == "refunded"), ai_chat=True)
        for n, reason in enumerate(reasons)
    ]
    kept = remembered(known, now)
    for later in range(now, NOW + 150, 7):
        assert evaluate(kept, later) == evaluate(known, later)
        one, other = decide(kept, "ai.chat", later), decide(known, "ai.chat", later)
        assert isinstance(one, Refusal) == isinstance(other, Refusal)
        assert getattr(one, "scenario", "") == getattr(other, "scenario", "")


def test_what_is_free_was_always_there() -> None:
    free = free_source(FREE)
    assert (free.start, free.until, free.reason, free.kind, free.plan_id) == (0, None, "free", "plan", FREE.plan_id)
    assert evaluate([free], 0).keys() == {name for name, value in FREE.features.items() if value}
