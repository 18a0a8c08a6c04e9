"""Stripe's stand-in behaves as Stripe in what our code depends on: keys, parameters, versions, deliveries, objects."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import pytest
import stripe

from billing.providers.stripe import minimise, verify
from billing.providers.stripe.checkup import check, set_up
from fakes.base import Clock, Request
from fakes.stripe.app import StripeApp
from fakes.stripe.corpus import files, story
from fakes.stripe.params import BadParam, decode, typed
from fakes.stripe.shapes import OLD_VERSION
from tests.providers.stripe.stripe_shop import START
from tests.scenarios.stripe_world import EVENTS_FOLDER, InProcess

HOOK = "https://billing.example/billing/webhook/stripe"


class Inbox:
    """What would arrive at our webhook; `answers` are the statuses it gives, 200 when they have run out."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, Mapping[str, str]]] = []
        self.answers: list[int] = []

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.taken.append((body, headers))
        return self.answers.pop(0) if self.answers else 200

    @property
    def ids(self) -> list[str]:
        return [json.loads(body)["id"] for body, _ in self.taken]


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def app(inbox: Inbox) -> StripeApp:
    app = StripeApp(Clock(lambda: float(START)))
    app.webhooks.send = inbox.post
    return app


def customer(app: StripeApp, user_id: str, key: str) -> Any:
    headers = {"authorization": "Bearer sk_test_x", "idempotency-key": key}
    body = f"metadata[user_id]={user_id}".encode()
    return app.handle(Request(method="POST", path="/v1/customers", headers=headers, body=body))


def test_a_repeated_key_gives_the_first_answer_and_makes_nothing_new(app: StripeApp) -> None:
    first, again = customer(app, "usr_1", "k1"), customer(app, "usr_1", "k1")
    assert (first.body, again.headers["Idempotent-Replayed"]) == (again.body, "true")
    assert len(list(app.books.all("customer"))) == 1


def test_a_key_used_for_something_else_is_refused(app: StripeApp) -> None:
    customer(app, "usr_1", "k1")
    refused = customer(app, "usr_2", "k1")
    assert (refused.status, json.loads(refused.body)["error"]["type"]) == (400, "idempotency_error")


def test_what_was_begun_is_kept_for_a_day_even_when_it_broke_off(app: StripeApp) -> None:
    app.breaks.append(("POST", "/v1/customers"))
    first, again = customer(app, "usr_1", "k1"), customer(app, "usr_1", "k1")
    assert (first.status, again.status, again.headers["Idempotent-Replayed"]) == (500, 500, "true")
    app.advance(86_400)
    assert customer(app, "usr_1", "k1").status == 200


def test_what_failed_validation_or_met_its_twin_is_not_kept(app: StripeApp) -> None:
    headers = {"authorization": "Bearer sk_test_x", "idempotency-key": "k1"}
    odd = app.handle(Request(method="POST", path="/v1/customers", headers=headers, body=b"colour=red"))
    app.running.add("k1")
    twin = customer(app, "usr_1", "k1")
    app.running.clear()
    assert odd is not None
    assert (odd.status, twin.status, customer(app, "usr_1", "k1").status) == (400, 409, 200)


def found(app: StripeApp) -> list[str]:
    query = {"query": "metadata['user_id']:'usr_1'"}
    return [c["id"] for c in app.calls._search_customers(query)["data"]]


def test_a_search_lags_behind_both_ways(app: StripeApp) -> None:
    made = json.loads(customer(app, "usr_1", "k1").body)["id"]
    assert found(app) == []
    app.advance(60)
    assert found(app) == [made]
    app.call("DELETE", f"/v1/customers/{made}")
    assert found(app) == [made]
    assert app.call("GET", f"/v1/customers/{made}") == {"id": made, "object": "customer", "deleted": True}
    app.advance(60)
    assert found(app) == []


def test_a_wrong_key_opens_nothing(app: StripeApp) -> None:
    answer = app.handle(Request(method="GET", path="/v1/events", headers={"authorization": "Bearer guess"}))
    assert answer is not None
    assert answer.status == 401


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("payment_method_types[0]=card&mode=payment", "unknown parameter: payment_method_types"),
        ("mode=subscrption", "must be one of"),
        ("mode=payment&expires_at=soon", "Invalid int"),
        ("mode=payment&line_items=price_1", "Invalid array"),
        ("mode=payment&allow_promotion_codes=yes", "Invalid bool"),
    ],
)
def test_what_the_sdks_types_do_not_know_is_refused(query: str, why: str) -> None:
    with pytest.raises(BadParam, match=why):
        typed(decode(dict(parse_qsl(query, keep_blank_values=True))), stripe.params.checkout.SessionCreateParams)


def test_deliveries_are_signed_for_each_endpoint_in_its_version(app: StripeApp, inbox: Inbox) -> None:
    secrets = [app.add_endpoint(HOOK), app.add_endpoint(f"{HOOK}/old", version=OLD_VERSION)]
    customer(app, "usr_1", "k1")
    app.webhooks.pump()
    versions = {json.loads(body)["api_version"] for body, _ in inbox.taken}
    assert versions == {"2026-10-28.endive", OLD_VERSION}
    labels = [verify(body, headers, secrets, _signed_at(headers)) for body, headers in inbox.taken]
    assert sorted(labels) == ["1", "2"]


def _signed_at(headers: Mapping[str, str]) -> int:
    return int(headers["Stripe-Signature"].split(",")[0].removeprefix("t="))


def test_a_refused_delivery_comes_again_with_the_same_event_id(app: StripeApp, inbox: Inbox) -> None:
    app.add_endpoint(HOOK)
    inbox.answers = [500, 503]
    customer(app, "usr_1", "k1")
    for _ in range(3):
        app.webhooks.pump()
        app.advance(3600)
    assert len(inbox.ids) == 3
    assert len(set(inbox.ids)) == 1


def test_an_event_nobody_took_is_told_apart_in_the_list(app: StripeApp, inbox: Inbox) -> None:
    app.add_endpoint(HOOK)
    customer(app, "usr_1", "k1")
    app.webhooks.pump()
    app.webhooks.lose = True
    customer(app, "usr_2", "k2")
    api = stripe.StripeClient("sk_test_x", http_client=InProcess(app))
    lost = api.v1.events.list({"delivery_success": False}).data
    assert [e.data.object["metadata"]["user_id"] for e in lost] == ["usr_2"]


@pytest.mark.parametrize("switch", [{"copies": 2}, {"hold": True, "release": "backwards"}])
def test_deliveries_can_be_doubled_and_reordered(app: StripeApp, inbox: Inbox, switch: dict[str, Any]) -> None:
    app.add_endpoint(HOOK)
    app.webhooks.copies, app.webhooks.hold = switch.get("copies", 1), bool(switch.get("hold"))
    customer(app, "usr_1", "k1")
    customer(app, "usr_2", "k2")
    app.webhooks.release(backwards=True)
    app.webhooks.pump()
    buyers = [json.loads(body)["data"]["object"]["metadata"]["user_id"] for body, _ in inbox.taken]
    assert buyers == (["usr_1", "usr_1", "usr_2", "usr_2"] if "copies" in switch else ["usr_2", "usr_1"])


_CLASSES: dict[str, type] = {
    "checkout.session": stripe.checkout.Session,
    "subscription": stripe.Subscription,
    "invoice": stripe.Invoice,
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "dispute": stripe.Dispute,
    "customer": stripe.Customer,
    "invoice_payment": stripe.InvoicePayment,
    "radar.early_fraud_warning": stripe.radar.EarlyFraudWarning,
    "subscription_schedule": stripe.SubscriptionSchedule,
}


@pytest.mark.parametrize("kind", _CLASSES)
def test_its_objects_have_no_field_that_the_sdk_does_not_know(kind: str) -> None:
    found = [e["data"]["object"] for e in story() if e["data"]["object"]["object"] == kind]
    named = {name for thing in found for name in thing if not name.startswith("_")}
    assert found
    assert named <= _annotations(_CLASSES[kind])


def _annotations(cls: type) -> set[str]:
    return {name for base in cls.__mro__ for name in getattr(base, "__annotations__", {})}


def test_the_recorded_events_are_what_it_sends() -> None:
    assert {p.name: p.read_text() for p in EVENTS_FOLDER.glob("*.json")} == files()


def test_every_event_it_sends_is_understood() -> None:
    assert all(minimise(json.dumps(event).encode()).event_id for event in story())


# --- setting an account up -----------------------------------------------------------------------------------------


def levels(api: stripe.StripeClient) -> dict[str, str]:
    return {found.subject: found.level for found in check(api, HOOK)}


def test_the_doctor_says_what_a_fresh_account_lacks_and_setup_mends_it(app: StripeApp) -> None:
    api = stripe.StripeClient("sk_test_x", http_client=InProcess(app))
    assert levels(api) == {"key": "ok", "webhook": "fail", "portal": "fail"}
    endpoint, secret = set_up(api, HOOK)
    assert (endpoint.api_version, str(secret)[:6]) == ("2026-10-28.endive", "whsec_")
    again, secret = set_up(api, HOOK)
    assert (again.id, secret) == (endpoint.id, None)
    app.call("POST", "/v1/billing_portal/configurations", {"features[invoice_history][enabled]": "true"})
    assert set(levels(api).values()) == {"ok"}


@pytest.mark.parametrize(
    ("events", "version", "level"),
    [
        (("charge.refunded",), "2026-10-28.endive", {"webhook events": "fail", "webhook version": "ok"}),
        (
            (
                "checkout.session.completed",
                "invoice.payment_succeeded",
                "customer.subscription.updated",
                "charge.refunded",
            ),
            OLD_VERSION,
            {"webhook events": "warn", "webhook version": "warn"},
        ),
    ],
)
def test_the_doctor_reads_an_endpoint_made_by_hand(
    app: StripeApp, events: tuple[str, ...], version: str, level: dict[str, str]
) -> None:
    app.add_endpoint(HOOK, events=events, version=version)
    api = stripe.StripeClient("sk_test_x", http_client=InProcess(app))
    found = levels(api)
    assert {subject: found[subject] for subject in level} == level
