"""A shop in which each of the admin's pages has something to show, and somebody to act upon."""

import hashlib
import time
from typing import Any

import requests
from playwright.sync_api import Browser

from billing.intake.webhook import encode
from billing.providers.interface import Notification
from demo.shop import ADMIN, Shop
from tests.browser.conftest import Visitor, forget_plans


def fill(shop: Shop, chromium: Browser) -> dict[str, str]:
    """Makes it; where each page is, by its name."""

    def call(method: str, path: str, body: Any = None, *, by: str = ADMIN) -> Any:
        answer = shop.call(method, path, body, user=by, admin=by == ADMIN)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json() if answer.content else None

    def event(number: int, *, livemode: bool) -> str:
        now = int(time.time())
        notification = Notification(
            provider="mock",
            event_id=f"evt_{number}_{now}",
            type="other.kind",
            created_at=now,
            livemode=livemode,
            payload={},
        )
        resource = "PaymentEventsQueue" if livemode else "PaymentEventsDlq"
        body = encode(notification, now, "1", hashlib.sha256(b"").hexdigest())
        shop.engine.client("sqs").send_message(QueueUrl=shop.engine.resource(resource), MessageBody=body)
        return notification.key

    users = {name: f"usr_role_{name}" for name in ("customer", "leaving", "helped", "short")}
    for name in ("customer", "leaving", "helped"):
        buyer = Visitor(shop, chromium)
        buyer.open("/pricing", user=users[name])
        buyer.buy()
        buyer.close()
    call("POST", "/billing/subscription/cancel", {"at_period_end": True}, by=users["leaving"])
    for name in ("customer", "helped"):
        call("POST", f"/admin/users/{users[name]}/grants", {"features": {"tax.enhanced": True}, "reason": "a gift"})
        call("POST", f"/admin/users/{users[name]}/notes", {"text": "They called."})
    body = {"plan_id": "pro-month", "provider": "btcpay"}
    url = call("POST", "/billing/create-checkout-session", body, by=users["short"])["url"]
    for act in ("underpay", "expire"):
        requests.post(f"{shop.btcpay.url}/i/{url.rpartition('/')[2]}", data={"act": act}, timeout=10).raise_for_status()
    gift = {"plan_id": "plus-month", "count": 2, "note": "a fair", "idempotency_key": "roles-vouchers-1"}
    batch = call("POST", "/admin/vouchers", gift)["batch_id"]
    endpoint = {"url": "http://127.0.0.1:9/in", "event_types": ["EntitlementsChanged"], "description": "roles"}
    one = call("POST", "/admin/endpoints", endpoint)["endpoint_id"]
    two = call("POST", "/admin/endpoints", endpoint)["endpoint_id"]
    call("POST", f"/admin/endpoints/{two}/secret")
    call("PUT", "/admin/flags/roles", {"percent": 5, "allow": [], "version": call("GET", "/admin/flags")["version"]})
    plan = {"name": "Roles", "price_cents": 100, "currency": "USD", "interval": "month", "group": "roles"}
    plan |= {"features": {"ai.insights": True}}
    call("POST", "/admin/plans", {**plan, "plan_id": "roles-month"})
    call("PATCH", "/admin/plans/roles-month", {**plan, "version": 1, "price_cents": 200})
    event(1, livemode=False)
    odd, aside = event(2, livemode=True), event(3, livemode=True)
    for key in (odd, aside):
        while not call("GET", f"/admin/events?q={key.replace('#', '%23')}")["events"]:
            time.sleep(0.2)
    call("POST", "/admin/events/set-aside", {"event_ids": [aside], "reason": "another shop's"})
    forget_plans(shop)
    sections = ("plans", "revenue", "users", "invoices", "vouchers", "events", "endpoints", "rollout", "audit")
    return {
        **{section: f"/console/{section}" for section in sections},
        **{name: f"/console/users?user={user}" for name, user in users.items()},
        "editor": "/console/plans?edit=plus-month",
        "versions": "/console/plans?versions=roles-month",
        "batch": f"/console/vouchers?batch={batch}",
        "deliveries": f"/console/endpoints?endpoint={one}",
        "quarantined": "/console/events?status=quarantined",
        "aside": "/console/events?status=set_aside",
    }
