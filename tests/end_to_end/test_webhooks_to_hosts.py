"""What happens is told to a host by signed webhook, through the deployed stack, every function held to its policies."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from demo.shop import ADMIN, Shop
from fakes.base import Answer, App, Request, Server
from person import Person

ONE = "/admin/endpoints/{}"


class HostRoute(App):
    """A host's route: keeps what it is sent, and answers as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[tuple[Mapping[str, str], bytes]] = []
        self.statuses: list[int] = []

    def handle(self, request: Request) -> Answer:
        self.received.append((request.headers, request.body))
        return Answer(self.statuses.pop(0) if self.statuses else 200, b"", {})

    def events(self, user_id: str) -> list[dict[str, Any]]:
        bodies = [json.loads(body) for _, body in list(self.received)]
        return [event for event in bodies if event["data"].get("user_id") == user_id]


@pytest.fixture
def route() -> Iterator[HostRoute]:
    route = HostRoute()
    with Server(route):
        yield route


@pytest.fixture
def admin(shop_engine: Shop) -> Callable[..., Any]:
    def call(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = shop_engine.call(method, path, body, user=ADMIN, admin=True)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.text else None

    return call


@pytest.fixture
def endpoint(admin: Callable[..., Any], route: HostRoute) -> Iterator[dict[str, Any]]:
    types = ["EntitlementsChanged", "PurchaseChanged", "LedgerEntryWritten", "GrantChanged"]
    made = admin("POST", "/admin/endpoints", {"url": f"{route.url}/events", "event_types": types}, 201)
    yield made
    admin("DELETE", ONE.format(made["endpoint_id"]), status=204)


def wait_until(true: Callable[[], Any], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_purchase_and_its_refund_are_told_signed_in_order_and_once(
    shop_engine: Shop, route: HostRoute, endpoint: dict[str, Any]
) -> None:
    person = Person(shop_engine)
    person.sign_in()
    user_id = person.tokens["user_id"]
    person.buy("tax-2026")
    mock = shop_engine.mock
    purchase = next(n for n, o in mock.objects.items() if n.startswith("pur") and o.get("user_id") == user_id)
    mock.act(purchase, "refund")

    def refunded() -> bool:
        return any(e["data"].get("kind") == "refund" for e in route.events(user_id))

    wait_until(refunded, "the refund was not told")
    for headers, body in list(route.received):
        Webhook(endpoint["secret"]).verify(body, dict(headers))
    versions = [event["data"]["account_version"] for event in route.events(user_id)]
    assert versions == sorted(versions)
    assert {"EntitlementsChanged", "PurchaseChanged", "LedgerEntryWritten"} <= {
        e["type"] for e in route.events(user_id)
    }


def test_what_fails_is_tried_again_and_listed_and_sent_again(
    shop_engine: Shop, route: HostRoute, endpoint: dict[str, Any], admin: Callable[..., Any]
) -> None:
    endpoint_id = endpoint["endpoint_id"]
    route.statuses = [500]
    person = Person(shop_engine)
    person.sign_in()
    user_id = person.tokens["user_id"]
    grant = {"features": {"tax.enhanced": True}, "reason": "a gift"}
    answer = shop_engine.call("POST", f"/admin/users/{user_id}/grants", grant, user=ADMIN, admin=True)
    assert answer.ok, answer.text
    wait_until(lambda: len(route.events(user_id)) >= 3, "it was not tried again")
    ids = [headers["webhook-id"] for headers, body in route.received if user_id.encode() in body]
    assert ids[0] == ids[1], "a try has the id of the one before"

    def delivered() -> list[dict[str, Any]]:
        found = admin("GET", f"{ONE.format(endpoint_id)}/deliveries?state=delivered")["deliveries"]
        return [d for d in found if user_id in d["body"]]

    wait_until(lambda: len(delivered()) == 2, "not everything was delivered")
    assert sorted(d["tries"] for d in delivered()) == [1, 2]
    again = {"delivery_id": delivered()[0]["delivery_id"]}
    admin("POST", f"{ONE.format(endpoint_id)}/resend", again, 202)
    wait_until(lambda: len(route.events(user_id)) >= 4, "it was not sent again")
    assert route.received[-1][0]["webhook-id"] in ids


def test_a_test_event_arrives_at_a_paused_endpoint(
    route: HostRoute, endpoint: dict[str, Any], admin: Callable[..., Any]
) -> None:
    admin("PATCH", ONE.format(endpoint["endpoint_id"]), {"state": "paused"})
    sent = admin("POST", f"{ONE.format(endpoint['endpoint_id'])}/test", status=202)
    wait_until(lambda: route.received, "the test did not arrive")
    assert route.received[0][0]["webhook-id"] == sent["event_id"]
