"""The business side of the deployed stack: what was bought shows in the figures, on the user's page and in the log."""

import hashlib
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
import requests

from billing.aws import Aws
from billing.intake.webhook import encode
from billing.providers.interface import Notification
from billing.rules.rollups import counters
from billing.store.metrics import MetricsStore
from demo.shop import ADMIN, Shop

Found = TypeVar("Found")


def eventually(question: Callable[[], Found], seconds: float = 60) -> Found:
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.3)
    return answer


def admin(shop: Shop, method: str, path: str, body: Any = None) -> Any:
    answer = shop.call(method, path, body, user=ADMIN, admin=True)
    assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json()


@pytest.fixture
def buyer(shop_engine: Shop) -> str:
    """A user of this test alone, who has just bought a month of Plus with the mock provider."""
    user = f"usr_{uuid.uuid4().hex}"
    checkout = shop_engine.call("POST", "/billing/create-checkout-session", {"plan_id": "plus-month"}, user=user).json()
    requests.post(f"{checkout['url']}/pay", timeout=10, allow_redirects=False)
    confirm = f"/billing/checkout-sessions/{checkout['checkout_id']}/confirm"
    assert shop_engine.call("POST", confirm, user=user).json()["status"] == "completed"
    return user


def test_a_purchase_is_in_the_figures_and_they_are_what_the_ledger_says(shop_engine: Shop, buyer: str) -> None:
    def booked() -> Any:
        report = admin(shop_engine, "GET", "/admin/revenue")
        return report["totals"]["active"] >= 1 and report["totals"]["payments"] >= 1 and report

    report = eventually(booked)
    assert report["currency"] == "USD"
    assert report["totals"]["mrr_cents"] > 0
    assert sum(s["mrr_cents"] for s in report["by_provider"]) == report["totals"]["mrr_cents"]
    assert {s["step"] for s in admin(shop_engine, "GET", "/admin/metrics/funnel")["steps"]} >= {"paid", "active"}
    assert admin(shop_engine, "GET", "/admin/metrics/cohorts")["cohorts"][-1]["size"] >= 1
    sheet = shop_engine.call("GET", "/admin/revenue?format=csv&table=by_provider", user=ADMIN, admin=True)
    assert sheet.headers["content-type"].startswith("text/csv")
    assert sheet.text.startswith("key,name,gross_cents")


def test_a_figure_is_followed_to_its_lines_as_page_and_as_sheet(shop_engine: Shop, buyer: str) -> None:
    day = datetime.now(UTC).date().isoformat()

    def mine() -> Any:
        page = admin(shop_engine, "GET", f"/admin/revenue/lines?currency=USD&day={day}&kind=payment&provider=mock")
        return [line for line in page["lines"] if line["user_id"] == buyer]

    [paid] = eventually(mine)
    assert (paid["kind"], paid["plan_id"], paid["amount_cents"] > 0) == ("payment", "plus-month", True)
    sheet = shop_engine.call("GET", f"/admin/revenue/lines?day={day}&format=csv", user=ADMIN, admin=True)
    assert sheet.headers["content-type"].startswith("text/csv")
    assert sheet.text.startswith("at,user_id,kind")
    assert shop_engine.call("GET", f"/admin/revenue/lines?day={day}", user=buyer).status_code == 403


def test_the_rollups_settle_on_what_the_ledger_adds_up_to(
    shop_engine: Shop, buyer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": shop_engine.engine.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    engine = shop_engine.engine
    metrics = MetricsStore(Aws("dynamodb"), engine.resource("MetricsTable"), engine.resource("AccountsTable"))

    def agree() -> bool:
        lines = [line for page in metrics.ledger() for _, line in page]
        return bool(lines) and counters(lines) == metrics.everything(metrics.generations().reading)

    assert eventually(agree)


def test_page_views_are_counted_for_anybody(shop_engine: Shop) -> None:
    before = {s["step"]: s["count"] for s in admin(shop_engine, "GET", "/admin/metrics/funnel")["steps"]}
    view = {"event": "paywall_seen", "feature": "ai.chat"}
    for _ in range(3):
        assert requests.post(f"{shop_engine.url}/billing/track", json=view, timeout=10).status_code == 204
    refused = requests.post(f"{shop_engine.url}/billing/track", json={**view, "user_id": "usr_1"}, timeout=10)
    assert refused.status_code == 400
    after = {s["step"]: s["count"] for s in admin(shop_engine, "GET", "/admin/metrics/funnel")["steps"]}
    assert after["paywall_seen"] == before["paywall_seen"] + 3


def test_a_buyer_appears_in_the_list_and_is_found_by_the_last_digits_of_an_id(shop_engine: Shop, buyer: str) -> None:
    def listed() -> bool:
        page = admin(shop_engine, "GET", "/admin/users?rail=mock&plan=plus-month&status=active")
        return buyer in [user["user_id"] for user in page["users"]]

    eventually(listed)
    [subscription] = admin(shop_engine, "GET", f"/admin/users/{buyer}")["status"]["subscriptions"]
    found = admin(shop_engine, "GET", f"/admin/users?q={subscription['subscription_id'][-10:]}")
    assert [user["user_id"] for user in found["users"]] == [buyer]
    assert found["index"]["lag_seconds"] is not None
    sheet = shop_engine.call("GET", "/admin/users?status=active&format=csv", user=ADMIN, admin=True)
    assert sheet.text.startswith("user_id,status,plans")


def test_support_finds_explains_grants_exports_and_finally_erases(shop_engine: Shop, buyer: str) -> None:
    detail = admin(shop_engine, "GET", f"/admin/users/{buyer}")
    [subscription] = detail["status"]["subscriptions"]
    [found] = admin(shop_engine, "GET", f"/admin/users?q={subscription['subscription_id']}")["users"]
    assert (found["user_id"], found["matched"]) == (buyer, "subscription")
    why = admin(shop_engine, "GET", f"/admin/users/{buyer}/explain?feature=ai.chat")
    assert why["allowed"]
    assert why["last"] is None
    assert "began" in [entry["code"] for entry in detail["timeline"]]
    grant = {"features": {"tax.enhanced": True}, "reason": "an apology"}
    given = admin(shop_engine, "POST", f"/admin/users/{buyer}/grants", grant)
    assert shop_engine.call("GET", "/billing/entitlements/tax.enhanced", user=buyer).status_code == 200
    admin(shop_engine, "POST", f"/admin/users/{buyer}/grants/{given['grant_id']}/revoke")
    assert {
        r["record"].split("#")[0] for r in admin(shop_engine, "GET", f"/admin/users/{buyer}/export")["records"]
    } >= {
        "subscription",
        "grant",
    }
    live = shop_engine.call("DELETE", f"/admin/users/{buyer}", user=ADMIN, admin=True)
    assert (live.status_code, live.json()["code"]) == (409, "subscription_live")
    shop_engine.call("POST", "/billing/subscription/cancel", {"at_period_end": False}, user=buyer)
    eventually(lambda: shop_engine.call("DELETE", f"/admin/users/{buyer}", user=ADMIN, admin=True).status_code == 200)
    assert shop_engine.call("GET", f"/admin/users/{buyer}", user=ADMIN, admin=True).status_code == 404
    actions = [entry["action"] for entry in admin(shop_engine, "GET", "/admin/audit")["entries"]]
    assert {"grant", "revoke_grant", "export", "erase"} <= set(actions)


def test_a_poisoned_event_is_explained_mended_and_sent_back_by_an_admin(shop_engine: Shop) -> None:
    """A subscription of a price that no plan has: dead, until the plan gets the price."""
    event_id = f"evt_{uuid.uuid4().hex}"
    poison = Notification(
        provider="mock",
        event_id=event_id,
        type="subscription.updated",
        created_at=int(time.time()),
        livemode=False,
        payload={"nonsense": True},
    )
    sqs, dlq = shop_engine.engine.client("sqs"), shop_engine.engine.resource("PaymentEventsDlq")
    body = encode(poison, int(time.time()), "1", hashlib.sha256(b"x").hexdigest())
    sqs.send_message(QueueUrl=dlq, MessageBody=body)
    dead = admin(shop_engine, "GET", "/admin/events?status=dead")
    [event] = [e for e in dead["events"] if e["event_id"] == f"mock#{event_id}"]
    assert event["cause"]
    assert event["remedy"]
    dry = admin(shop_engine, "POST", "/admin/events/redrive", {"event_ids": [event["event_id"]], "dry_run": True})
    assert [i["outcome"] for i in dry["items"]] == ["would_redrive"]
    sent = admin(shop_engine, "POST", "/admin/events/redrive", {"event_ids": [event["event_id"]], "dry_run": False})
    assert [i["outcome"] for i in sent["items"]] == ["redriven"]

    def tried() -> Any:
        failed = admin(shop_engine, "GET", "/admin/events?status=failed")["events"]
        settled = admin(shop_engine, "GET", "/admin/events?status=processed")["events"]
        return [e for e in (*failed, *settled) if e["event_id"] == event["event_id"]]

    [again] = eventually(tried)
    assert again["attempts"] >= 1
    newest = admin(shop_engine, "GET", "/admin/audit")["entries"][0]
    assert (newest["actor"], newest["action"], newest["after"]) == (ADMIN, "redrive", [event["event_id"]])
