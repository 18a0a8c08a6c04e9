"""Why somebody has a feature, now and at other times: by what was stored then."""

from dataclasses import replace

import pytest

from billing.aws import Aws
from billing.gate.explanation import Explanation, explain
from billing.rules.consequences import consequences
from billing.rules.entitlements import Refusal
from billing.rules.records import Grant, Payment, Purchase, Record, Refund, Subscription
from billing.store.accounts import AccountStore
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
PAID = Payment(payment_id="pay_1", amount_cents=4900, currency="USD", paid_at=NOW)
BOUGHT = Purchase(
    provider="stripe",
    purchase_id="pay_1",
    plan_id="tax-2026",
    plan_version=1,
    state="paid",
    amount_cents=4900,
    currency="USD",
    observed_at=NOW,
    created_at=NOW,
    payment=PAID,
)


class Story:
    """One account, told record by record."""

    def __init__(self, accounts: AccountStore) -> None:
        self.accounts = accounts

    def become(self, *records: Record, at: int) -> None:
        before = self.accounts.load(USER)
        self.accounts.commit(consequences(before, before.put(*records), CATALOGUE, at))

    def explain(self, feature: str, at: int) -> Explanation:
        return explain(self.accounts, USER, CATALOGUE, feature, at)


@pytest.fixture
def story(tables: dict[str, str]) -> Story:
    return Story(AccountStore(Aws(), tables["AccountsTable"]))


def test_what_was_taken_back_on_day_three_was_there_on_day_two(story: Story) -> None:
    story.become(BOUGHT, at=NOW)
    back = Refund(refund_id="re_1", amount_cents=4900, status="succeeded", observed_at=NOW + 3 * DAY)
    story.become(replace(BOUGHT, payment=replace(PAID, refunds={"re_1": back})), at=NOW + 3 * DAY)
    then, later = story.explain("tax.enhanced", NOW + 2 * DAY), story.explain("tax.enhanced", NOW + 4 * DAY)
    assert (then.allowed, [s.reason for s in then.sources]) == (True, ["paid"])
    assert (later.allowed, [s.reason for s in later.sources]) == (False, ["refunded"])


def test_before_the_history_begins_the_records_say_when_they_gave_access(story: Story) -> None:
    story.become(ENDED, at=NOW)
    found = story.explain("tax.enhanced", NOW - 2 * DAY)
    assert found.allowed
    assert not found.offers


def test_a_feature_that_ended_says_when_and_what_would_open_it(story: Story) -> None:
    story.become(ENDED, at=NOW)
    found = story.explain("tax.enhanced", NOW)
    assert isinstance(found.decision, Refusal)
    assert found.decision.scenario == "expired"
    assert [(s.id, s.until, s.reason) for s in found.sources] == [("sub_1", NOW - DAY, "canceled")]
    assert "tax-2026" in [p.plan_id for p in found.offers]


def test_every_source_is_named_and_the_open_ones_come_first(story: Story) -> None:
    grant = Grant(grant_id="g", features={"tax.enhanced": True}, granted_by="a", reason="b", granted_at=NOW - DAY)
    story.become(ENDED, grant, at=NOW)
    found = story.explain("tax.enhanced", NOW)
    assert [(s.kind, s.open_at(NOW)) for s in found.sources] == [("grant", True), ("subscription", False)]


def test_the_free_plan_is_a_source_too(story: Story) -> None:
    assert [s.kind for s in story.explain("ai.chat", NOW).sources] == ["plan"]
