"""A buyer's subscription in an admin's hands, at the functions: both meet the same provider."""

from collections.abc import Callable
from typing import Any

import pytest

from billing.api.answers.users import SubscriptionEffect, UserDetail
from samples import USER
from tests.functions.conftest import Answer, Cloud
from tests.functions.test_checkout_handlers import buy

Call = Callable[..., Answer]
ADMIN = "usr_events_admin"


@pytest.fixture(autouse=True)
def bought(cloud: Cloud, call: Call) -> None:
    cloud.seed_plans()
    buy(call)


def subscription_of(call: Call) -> dict[str, Any]:
    [found] = call("subscription_status").json["subscriptions"]
    return dict(found)


def act(call: Call, what: str, **body: Any) -> Answer:
    path = {"user_id": USER, "subscription_id": subscription_of(call)["subscription_id"]}
    return call(f"admin_subscriptions.{what}", path=path, body=body)


def test_an_admin_sees_the_effect_cancels_and_takes_it_back_and_the_buyer_sees_the_same(call: Call) -> None:
    shown = SubscriptionEffect.model_validate(act(call, "cancel", dry_run=True).json)
    assert (shown.outcome, shown.subscription.next.kind) == ("preview", "ends")
    assert subscription_of(call)["next"]["kind"] == "renews"
    done = SubscriptionEffect.model_validate(act(call, "cancel").json)
    assert (done.outcome, done.subscription.next.kind) == ("done", "ends")
    assert subscription_of(call)["next"]["kind"] == "ends"
    assert act(call, "cancel").json["outcome"] == "unchanged"
    assert act(call, "resume").json["subscription"]["next"]["kind"] == "renews"
    assert act(call, "resume").problem == "nothing_to_resume"
    assert act(call, "reread").json["outcome"] == "unchanged"
    log = call("admin_audit").json["entries"]
    assert {(e["action"], e["actor"], e["subject"]) for e in log} >= {
        ("cancel_subscription", ADMIN, USER),
        ("resume_subscription", ADMIN, USER),
    }


def test_what_a_buyer_says_as_they_leave_is_on_their_page(call: Call) -> None:
    call("cancel_subscription.cancel", body={"reason": "other", "comment": "Moving to a cave"})
    page = UserDetail.model_validate(call("admin_users.show", path={"user_id": USER}).json)
    assert [note.text for note in page.notes] == ["Moving to a cave"]
    assert page.facts[0].acts == ["cancel_now", "resume"]


def test_a_plan_is_changed_as_it_was_shown(call: Call) -> None:
    shown = act(call, "preview_change", plan_id="pro-month")
    done = act(call, "change", preview_id=shown.json["preview_id"])
    assert (done.json["outcome"], subscription_of(call)["plan_id"]) == ("done", "pro-month")
    assert act(call, "change", preview_id="prv_unknown").problem == "preview_expired"


def test_days_are_given_once_per_key(call: Call) -> None:
    body = {"days": 5, "reason": "an outage", "idempotency_key": "days-0001"}
    where = {"path": {"user_id": USER}}
    first = call("admin_subscriptions.give_days", body=body, **where)
    again = call("admin_subscriptions.give_days", body=body, **where)
    assert [first.json["outcome"], again.json["outcome"]] == ["done", "unchanged"]
    assert first.json["until"] == again.json["until"]
