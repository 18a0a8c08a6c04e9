"""Why somebody has a feature, now and at other times."""

from billing.gate.explanation import explain
from billing.rules.entitlements import Refusal
from billing.rules.records import Account, Grant, Subscription
from samples import CATALOGUE, NOW, USER

DAY = 86_400
ENDED = Subscription(
    provider="stripe",
    subscription_id="sub_1",
    plan_id="pro-month",
    plan_version=1,
    status="canceled",
    current_period_start=NOW - 10 * DAY,
    current_period_end=NOW + 20 * DAY,
    observed_at=NOW - DAY,
    created_at=NOW - 10 * DAY,
    ended_at=NOW - DAY,
)
ACCOUNT = Account(USER, 2, {ENDED.record: ENDED})


def test_a_feature_that_ended_says_when_and_what_would_open_it() -> None:
    found = explain(ACCOUNT, CATALOGUE, "tax.enhanced", NOW)
    assert isinstance(found.decision, Refusal)
    assert found.decision.scenario == "expired"
    assert [(s.id, s.until, s.reason) for s in found.sources] == [("sub_1", NOW - DAY, "canceled")]
    assert "tax-2026" in [p.plan_id for p in found.offers]


def test_the_same_question_about_the_day_before_is_answered_yes() -> None:
    found = explain(ACCOUNT, CATALOGUE, "tax.enhanced", NOW - 2 * DAY)
    assert found.allowed
    assert not found.offers


def test_every_source_is_named_and_the_open_ones_come_first() -> None:
    grant = Grant(grant_id="g", features={"tax.enhanced": True}, granted_by="a", reason="b", granted_at=NOW - DAY)
    found = explain(Account(USER, 3, {**ACCOUNT.records, grant.record: grant}), CATALOGUE, "tax.enhanced", NOW)
    assert [(s.kind, s.open_at(NOW)) for s in found.sources] == [("grant", True), ("subscription", False)]


def test_the_free_plan_is_a_source_too() -> None:
    assert [s.kind for s in explain(Account(USER), CATALOGUE, "ai.chat", NOW).sources] == ["plan"]
