"""What a person does to somebody's subscription: shown first, done once, in the log; Stripe's stand-in behind it."""

from typing import Any

import pytest
from pydantic import ValidationError

from billing.admin.subscriptions import SubscriptionDesk
from billing.api.admin_requests import CancelForUser, GiveDays, ResumeForUser
from billing.api.answers.buying import ChangePreviewView
from billing.api.answers.users import DaysGiven, SubscriptionEffect
from billing.api.requests import ChangeSubscription
from billing.aws import Aws
from billing.errors import Conflict, InvalidRequest, NotFound, ProviderError, ProviderUnavailable
from billing.rules.records import Grant
from billing.rules.times import rfc3339
from billing.store.audit import AuditLog
from fakes.base import Fault
from tests.providers.stripe.stripe_shop import DAY
from tests.selling.test_subscriptions import USER, Desk, desk

__all__ = ["desk"]
ADMIN = "usr_admin"


class Acts:
    """An admin before Ann's subscriptions."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.audit = AuditLog(Aws("dynamodb"), "AccountsTable")
        self.office = SubscriptionDesk(desk.accounts, desk.plans, desk.subscriptions, desk.applier, self.audit)

    def cancel(self, sub: Any, **fields: Any) -> dict[str, Any]:
        answer = self.office.cancel(USER, sub["id"], ADMIN, self.desk.now, CancelForUser(**fields))
        return SubscriptionEffect.model_validate(answer).model_dump()

    def resume(self, sub: Any, *, dry_run: bool = False) -> dict[str, Any]:
        answer = self.office.resume(USER, sub["id"], ADMIN, self.desk.now, ResumeForUser(dry_run=dry_run))
        return SubscriptionEffect.model_validate(answer).model_dump()

    def give(self, days: int = 7, key: str = "key-00001", **fields: Any) -> dict[str, Any]:
        body = GiveDays(days=days, reason="an outage", idempotency_key=key, **fields)
        return DaysGiven.model_validate(self.office.give_days(USER, ADMIN, self.desk.now, body)).model_dump()

    def asked(self) -> list[tuple[str, str]]:
        """What was asked of Stripe to change anything."""
        return [request for request in self.desk.shop.app.requests if request[0] in ("POST", "DELETE")]

    def logged(self) -> list[tuple[str, str, str]]:
        return [(e["action"], e["actor"], e["subject"]) for e in self.audit.month(self.desk.now)]


@pytest.fixture
def acts(desk: Desk) -> Acts:
    return Acts(desk)


def test_a_preview_of_an_end_says_what_is_lost_and_when_and_asks_nobody(acts: Acts) -> None:
    sub = acts.desk.subscribe()
    end = acts.desk.record(sub).current_period_end
    before = acts.asked()
    later = acts.cancel(sub, dry_run=True)
    assert later["outcome"] == "preview"
    assert (later["if_canceled"]["access_until"], later["subscription"]["cancel_at"]) == (rfc3339(end), rfc3339(end))
    assert later["subscription"]["next"]["kind"] == "ends"
    at_once = acts.cancel(sub, dry_run=True, at_period_end=False)
    assert at_once["if_canceled"]["access_until"] == rfc3339(acts.desk.now)
    assert {change["feature"] for change in at_once["if_canceled"]["features"]}
    assert at_once["subscription"]["status"] == "canceled"
    assert (acts.asked(), acts.logged()) == (before, [])
    assert acts.desk.record(sub).ends_at is None


def test_an_end_that_is_scheduled_is_in_the_log_and_done_again_changes_nothing(acts: Acts) -> None:
    sub = acts.desk.subscribe()
    done = acts.cancel(sub, reason="too_expensive")
    assert (done["outcome"], done["subscription"]["next"]["kind"]) == ("done", "ends")
    assert acts.logged() == [("cancel_subscription", ADMIN, USER)]
    asked = acts.asked()
    assert acts.cancel(sub, reason="too_expensive")["outcome"] == "unchanged"
    assert (acts.asked(), len(acts.logged())) == (asked, 1)


def test_an_end_now_closes_at_once_and_done_again_says_so(acts: Acts) -> None:
    sub = acts.desk.subscribe()
    done = acts.cancel(sub, at_period_end=False)
    assert (done["outcome"], done["subscription"]["status"], done["subscription"]["open"]) == (
        "done",
        "canceled",
        False,
    )
    assert acts.cancel(sub, at_period_end=False)["outcome"] == "unchanged"
    assert acts.cancel(sub, dry_run=True)["outcome"] == "unchanged"
    assert len(acts.logged()) == 1


def test_a_scheduled_end_is_taken_back_after_it_was_shown_what_comes_then(acts: Acts) -> None:
    sub = acts.desk.subscribe()
    with pytest.raises(Conflict) as nothing:
        acts.resume(sub, dry_run=True)
    assert nothing.value.code == "nothing_to_resume"
    acts.cancel(sub)
    shown = acts.resume(sub, dry_run=True)
    assert (shown["outcome"], shown["subscription"]["next"]["kind"]) == ("preview", "renews")
    assert acts.desk.record(sub).ends_at is not None
    done = acts.resume(sub)
    assert (done["outcome"], done["subscription"]["next"]) == ("done", shown["subscription"]["next"])
    assert [action for action, *_ in acts.logged()] == ["resume_subscription", "cancel_subscription"]
    with pytest.raises(Conflict):
        acts.resume(sub)


def test_a_plan_is_changed_for_the_price_that_was_shown_and_once(acts: Acts) -> None:
    sub = acts.desk.subscribe()
    shown = acts.office.preview_change(USER, sub["id"], acts.desk.now, "pro_month")
    preview = ChangePreviewView.model_validate(shown)
    assert preview.amount_due_cents > 0
    body = ChangeSubscription(preview_id=preview.preview_id)
    done = acts.office.change(USER, sub["id"], ADMIN, acts.desk.now, body)
    assert (done["outcome"], done["subscription"]["plan_id"]) == ("done", "pro_month")
    again = acts.office.change(USER, sub["id"], ADMIN, acts.desk.now, body)
    assert again["outcome"] == "unchanged"
    assert acts.logged() == [("change_plan", ADMIN, USER)]


def test_what_was_changed_past_us_is_taken_over_by_reading_again(acts: Acts) -> None:
    sub = acts.desk.subscribe()
    acts.desk.shop.client.cancel_subscription(sub["id"], at_period_end=True, reason=None, key="elsewhere")
    read = SubscriptionEffect.model_validate(acts.office.reread(USER, sub["id"], acts.desk.now))
    assert (read.outcome, read.subscription.next.kind) == ("done", "ends")
    assert acts.office.reread(USER, sub["id"], acts.desk.now)["outcome"] == "unchanged"


def test_somebody_elses_subscription_is_not_found_and_nothing_is_asked(acts: Acts) -> None:
    sub = acts.desk.subscribe()
    before = acts.asked()
    for act in (
        lambda: acts.office.cancel("usr_2", sub["id"], ADMIN, acts.desk.now, CancelForUser()),
        lambda: acts.office.resume("usr_2", sub["id"], ADMIN, acts.desk.now, ResumeForUser()),
        lambda: acts.office.reread("usr_2", sub["id"], acts.desk.now),
        lambda: acts.office.preview_change("usr_2", sub["id"], acts.desk.now, "pro_month"),
    ):
        with pytest.raises(NotFound):
            act()
    assert acts.asked() == before


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("refuse", "POST", "/v1/subscriptions/", status=400), ProviderError),
        (Fault("refuse", "POST", "/v1/subscriptions/", times=9), ProviderUnavailable),
    ],
)
def test_an_act_that_the_provider_refuses_or_is_silent_about_is_in_the_log_and_can_be_tried_again(
    acts: Acts, fault: Fault, error: type[Exception]
) -> None:
    sub = acts.desk.subscribe()
    acts.desk.shop.app.faults = [fault]
    with pytest.raises(error):
        acts.cancel(sub)
    assert [action for action, *_ in acts.logged()] == ["cancel_subscription"]
    acts.desk.shop.app.faults = []
    assert acts.cancel(sub)["subscription"]["next"]["kind"] == "ends"


# --- days ------------------------------------------------------------------------------------------------------------


def test_days_are_given_beyond_the_paid_period_and_move_no_charge(acts: Acts) -> None:
    sub = acts.desk.subscribe()
    end = acts.desk.record(sub).current_period_end
    shown = acts.give(dry_run=True)
    assert (shown["outcome"], shown["until"]) == ("preview", rfc3339(end + 7 * DAY))
    assert list(acts.desk.accounts.load(USER).grants) == []
    before = acts.asked()
    assert acts.give()["outcome"] == "done"
    assert acts.give()["outcome"] == "unchanged"
    assert acts.asked() == before
    [grant] = acts.desk.accounts.load(USER).grants
    assert (grant.expires_at, grant.granted_by, grant.reason) == (end + 7 * DAY, ADMIN, "an outage")
    assert acts.logged() == [("give_days", ADMIN, USER)]
    assert acts.desk.record(sub).current_period_end == end


def test_another_key_is_another_gift_which_begins_where_the_first_ends(acts: Acts) -> None:
    sub = acts.desk.subscribe()
    end = acts.desk.record(sub).current_period_end
    acts.give()
    assert acts.give(days=14, key="key-00002", dry_run=True)["until"] == rfc3339(end + 21 * DAY)
    assert acts.give(days=14, key="key-00002")["until"] == rfc3339(end + 21 * DAY)
    assert len(list(acts.desk.accounts.load(USER).grants)) == 2


def test_days_that_two_admins_give_at_the_same_moment_add_up(acts: Acts, monkeypatch: pytest.MonkeyPatch) -> None:
    end = acts.desk.record(acts.desk.subscribe()).current_period_end
    change = acts.desk.accounts.change

    def after_the_other(*args: Any) -> Any:
        monkeypatch.undo()
        assert acts.give(days=7, key="key-00002")["until"] == rfc3339(end + 7 * DAY)
        return change(*args)

    monkeypatch.setattr(acts.desk.accounts, "change", after_the_other)
    assert acts.give(days=14)["until"] == rfc3339(end + 21 * DAY)


def test_somebody_without_a_plan_gets_days_of_the_one_that_is_named(acts: Acts) -> None:
    with pytest.raises(Conflict) as nothing:
        acts.give()
    assert nothing.value.code == "nothing_to_extend"
    with pytest.raises(InvalidRequest):
        acts.give(plan_id="no-such-plan")
    given = acts.give(days=3, plan_id="plus_month")
    assert given["until"] == rfc3339(acts.desk.now + 3 * DAY)
    assert [type(record) for record in acts.desk.accounts.load(USER).grants] == [Grant]


@pytest.mark.parametrize("days", [0, -1, 367])
def test_days_that_are_none_or_more_than_a_year_are_refused(days: int) -> None:
    with pytest.raises(ValidationError):
        GiveDays(days=days, reason="x", idempotency_key="key-00001")
