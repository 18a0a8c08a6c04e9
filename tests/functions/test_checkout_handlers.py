"""Checkout, its confirmation, and what the buyer then sees: the functions of the buyer's pages."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import requests

from billing.api.http import MAX_BODY_BYTES
from billing.rules.entitlements import Source, sources_to_json
from billing.store.identities import IdentityStore
from samples import USER
from tests.functions.conftest import Answer, Cloud, recorded

Call = Callable[..., Answer]


@pytest.fixture(autouse=True)
def plans(cloud: Cloud) -> None:
    cloud.seed_plans()


def open_checkout(call: Call) -> Answer:
    return call("create_checkout_session", body={"plan_id": "plus-month"})


def buy(call: Call, plan_id: str = "plus-month") -> dict[str, Any]:
    """Opens a checkout, pays on its page and confirms."""
    checkout: dict[str, Any] = call("create_checkout_session", body={"plan_id": plan_id}).json
    requests.post(f"{checkout['url']}/pay", timeout=10, allow_redirects=False)
    confirmed = call("confirm_checkout", path={"checkout_id": checkout["checkout_id"]})
    assert confirmed.json["status"] == "completed"
    return checkout


def test_the_catalogue_is_public_and_shows_what_is_for_sale(call: Call) -> None:
    answer = call("plans")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["x-content-type-options"] == "nosniff"
    shown = {plan["plan_id"]: plan for plan in answer.json["plans"]}
    assert {"free", "plus-month", "tax-2026"} <= set(shown)
    assert "plus-trial" not in shown, "hidden"
    assert shown["plus-month"]["providers"] == ["mock"]


def test_a_checkout_is_opened_once_and_paid(call: Call) -> None:
    first = open_checkout(call).json
    again = open_checkout(call).json
    assert again["url"] == first["url"]
    assert (first["reused"], again["reused"]) == (False, True)
    buy(call)
    status = call("subscription_status").json
    assert status["plan_id"] == "plus-month"
    (subscription,) = status["subscriptions"]
    assert (subscription["status"], subscription["next"]["kind"]) == ("active", "renews")
    assert subscription["next"]["at"] == subscription["next_billing_at"]
    assert subscription["next_billing_at"] == subscription["current_period_end"]


def rail_of(answer: Answer, plan_id: str) -> Any:
    (rail,) = next(quote for quote in answer.json["quotes"] if quote["plan_id"] == plan_id)["rails"]
    return rail


def test_what_was_quoted_is_what_is_asked_for(call: Call) -> None:
    """A stranger's quote holds for the account that is made by buying; not for one that has a past."""
    as_stranger = rail_of(call("plans"), "plus-month")
    mine = rail_of(call("subscription_status.quotes"), "plus-month")
    assert as_stranger["quote_id"] == mine["quote_id"]
    body = {"plan_id": "plus-month", "quote_id": mine["quote_id"]}
    assert call("create_checkout_session", body=body).status == 200
    refused = call("create_checkout_session", body={**body, "quote_id": "quo_of_other_terms"})
    assert (refused.status, refused.problem) == (409, "quote_outdated")


def test_nobody_reads_somebody_elses_quotes(call: Call) -> None:
    assert call("subscription_status.quotes", query={"user_id": "usr_somebody_else"}).status == 403


def test_a_checkout_that_was_not_paid_stays_open(call: Call) -> None:
    checkout = open_checkout(call).json
    answer = call("confirm_checkout", path={"checkout_id": checkout["checkout_id"]})
    assert (answer.status, answer.json["status"]) == (200, "open")
    assert call("subscription_status").json["checkout"]["url"] == checkout["url"]


def test_another_plan_of_the_group_ends_the_open_checkout(call: Call, cloud: Cloud) -> None:
    first = open_checkout(call).json
    second = call("create_checkout_session", body={"plan_id": "pro-month"}).json
    assert second["url"] != first["url"]
    statuses = [o["status"] for o in cloud.provider.objects.values() if o["object"] == "checkout"]
    assert statuses == ["expired", "open"]


def test_a_second_subscription_in_the_group_is_refused_with_the_way_to_change(call: Call) -> None:
    buy(call)
    answer = call("create_checkout_session", body={"plan_id": "pro-month"})
    assert (answer.status, answer.problem) == (409, "already_subscribed")
    assert answer.json["change"] == "/billing/subscription/preview-change"


def test_what_is_owned_for_good_is_not_sold_twice(call: Call) -> None:
    buy(call, "tax-2026")
    answer = call("create_checkout_session", body={"plan_id": "tax-2026"})
    assert (answer.status, answer.problem) == (409, "already_purchased")
    (purchase,) = call("subscription_status").json["purchases"]
    assert purchase["status"] == "paid"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"plan_id": "nothing"}, 404, "not_found"),
        ({"plan_id": "free"}, 409, "plan_not_for_sale"),
        ({"plan_id": "plus-month", "provider": "bitpay"}, 400, "invalid_request"),
        ({"plan_id": "plus-month", "user_id": "usr_somebody_else"}, 403, "not_allowed"),
        ({"plan_id": "plus-month", "coupon": "FREE"}, 400, "invalid_request"),
        ({"plan_id": ["plus-month"]}, 400, "invalid_request"),
        ({"plan_id": 5}, 400, "invalid_request"),
        ({"plan_id": "PLUS MONTH"}, 400, "invalid_request"),
        ({"plan_id": "p" * 65}, 400, "invalid_request"),
        ({"plan_id": None}, 400, "invalid_request"),
        ({}, 400, "invalid_request"),
        ([], 400, "invalid_request"),
    ],
)
def test_a_wish_that_cannot_be_met_is_a_problem(call: Call, body: Any, status: int, code: str) -> None:
    answer = call("create_checkout_session", body=body)
    assert (answer.status, answer.problem) == (status, code)


@pytest.mark.parametrize("raw", ["", "{", "plan", "\ud800", '{"plan_id": "plus-month"} and more'])
def test_a_body_that_is_not_json_is_a_problem(call: Call, raw: str) -> None:
    assert call("create_checkout_session", raw=raw).problem == "invalid_request"


def test_every_fault_of_a_body_is_named_with_its_path(call: Call) -> None:
    faults = call("create_checkout_session", body={"plan_id": 5, "coupon": 1}).json["errors"]
    assert sorted(fault["path"] for fault in faults) == ["coupon", "plan_id"]
    assert "5" not in str(faults), "what was sent is not sent back"


def test_a_body_beyond_the_limit_is_refused(call: Call) -> None:
    answer = call("create_checkout_session", body={"plan_id": "p" * MAX_BODY_BYTES})
    assert (answer.status, answer.problem) == (413, "request_too_large")


@pytest.mark.parametrize("event", ["subscription_status", "entitlements.list"])
def test_nobody_reads_somebody_elses_account(call: Call, event: str) -> None:
    answer = call(event, query={"user_id": "usr_somebody_else"})
    assert (answer.status, answer.problem) == (403, "not_allowed")


def test_somebody_elses_checkout_is_not_found(call: Call) -> None:
    checkout = open_checkout(call).json
    answer = call("confirm_checkout", path={"checkout_id": checkout["checkout_id"]}, user="usr_somebody_else")
    assert (answer.status, answer.problem) == (404, "not_found")


def test_a_provider_that_does_not_answer_is_a_503_and_the_next_try_opens_the_same_checkout(
    call: Call, cloud: Cloud
) -> None:
    requests.post(f"{cloud.provider.url}/_fake/faults", json=[{"kind": "lose", "path": "/api/checkouts"}], timeout=5)
    answer = open_checkout(call)
    assert (answer.status, answer.problem) == (503, "provider_unavailable")
    assert open_checkout(call).status == 200
    assert len([o for o in cloud.provider.objects.values() if o["object"] == "checkout"]) == 1


def test_a_new_user_has_the_free_plan_and_nothing_else(call: Call) -> None:
    status = call("subscription_status").json
    assert (status["plan_id"], status["subscriptions"], status["purchases"]) == ("free", [], [])
    listed = {e["feature"]: e for e in call("entitlements.list").json["entitlements"]}
    assert listed["wallets.max"]["value"] == 1
    assert listed["wallets.max"]["sources"][0]["reason"] == "free"


def test_a_locked_feature_is_a_402_with_the_reason_and_offers(call: Call) -> None:
    answer = call("entitlements.check", path={"feature": "tax.enhanced"})
    assert (answer.status, answer.problem) == (402, "feature_locked")
    assert answer.json["scenario"] == "not_in_plan"
    assert [offer["plan_id"] for offer in answer.json["offers"]] == ["tax-2026", "pro-month", "pro-year"]
    assert answer.json["upgrade_url"] == "https://portal.example/pricing"


@pytest.mark.parametrize(("query", "status"), [({}, 200), ({"fresh": "true"}, 402), ({"fresh": "1"}, 400)])
def test_whoever_heard_of_a_change_is_not_answered_with_what_the_authorizer_kept(
    load: Callable[[str], ModuleType], query: dict[str, str], status: int
) -> None:
    event = recorded("api/entitlements.check")
    event |= {"pathParameters": {"feature": "tax.enhanced"}, "queryStringParameters": query}
    kept = Source(
        kind="subscription",
        id="sub_1",
        plan_id="pro-month",
        plan_version=1,
        start=0,
        until=None,
        reason="active",
        features={"tax.enhanced": True},
    )
    authorizer = {"user_id": "usr_refunded", "role": "", "sources": json.dumps(sources_to_json([kept]))}
    event["requestContext"]["authorizer"] = {"lambda": authorizer}
    assert load("entitlements").handler(event, None)["statusCode"] == status


def test_a_bought_feature_is_open_and_says_since_what(call: Call) -> None:
    checkout = buy(call, "pro-month")
    answer = call("entitlements.check", path={"feature": "tax.enhanced"})
    assert (answer.status, answer.json["allowed"]) == (200, True)
    (source,) = answer.json["sources"]
    assert (source["kind"], source["plan_id"], source["reason"]) == ("subscription", "pro-month", "active")
    assert checkout["provider"] == "mock"


def test_an_account_whose_only_key_has_moved_cannot_buy(call: Call, cloud: Cloud) -> None:
    IdentityStore(cloud.aws, cloud.tables["AccountsTable"]).link(USER, "usr_other", 1)
    answer = open_checkout(call)
    assert (answer.status, answer.problem) == (409, "account_moved")
    assert not any(o["object"] == "checkout" for o in cloud.provider.objects.values())


def test_a_key_that_moves_while_its_account_buys_leaves_nothing_behind(
    call: Call, cloud: Cloud, key_moves: Callable[[], None]
) -> None:
    key_moves()
    answer = open_checkout(call)
    assert (answer.status, answer.problem) == (409, "account_moved")
    assert cloud.accounts.load(USER).version == 0
    assert not any(o["object"] == "checkout" for o in cloud.provider.objects.values())


def test_an_account_whose_own_key_moved_buys_with_another_one(call: Call, cloud: Cloud) -> None:
    identities = IdentityStore(cloud.aws, cloud.tables["AccountsTable"])
    identities.link("usr_spare", USER, 1)
    identities.link(USER, "usr_other", 2)
    assert open_checkout(call).status == 200
