"""The stand-in for BTCPay Server is held against the published API, and so are our requests to it."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from fakes.base import Request
from tests.fakes.btcpay_contract import CONTRACT, SCHEMAS, HeldBTCPay

EVENTS = Path(__file__).parents[2] / "events" / "btcpay"
PAYMENT = {"id": "t", "receivedDate": 1, "value": "0.1", "fee": "0.0", "status": "Settled", "destination": "bc1"}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_refuses_something(name: str) -> None:
    with pytest.raises(AssertionError, match="published API"):
        CONTRACT.hold(name, object)


@pytest.mark.parametrize(
    "change", [{"fee": 0.0}, {"status": "Confirmed"}, {"receivedDate": "1"}, {"txid": "x"}, {"value": None}]
)
def test_another_type_word_or_field_is_a_difference(change: dict[str, Any]) -> None:
    CONTRACT.hold("payment", PAYMENT)
    with pytest.raises(AssertionError, match="published API"):
        CONTRACT.hold("payment", copy.deepcopy(PAYMENT) | change)


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_the_recorded_events_are_those_of_the_published_api(path: Path) -> None:
    event = json.loads(path.read_bytes())
    event.setdefault("originalDeliveryId", event.get("orignalDeliveryId"))  # as servers before 1.8 misspell it
    CONTRACT.hold("webhook", event)


def test_what_is_not_of_the_api_is_noticed() -> None:
    app = HeldBTCPay("store", "key", "secret")
    render = type(app)._invoice_json
    app._invoice_json = lambda invoice: {**render(app, invoice), "paid": True}  # type: ignore[method-assign]
    body = json.dumps({"amount": "1.00", "currency": "USD"}).encode()
    app.handle(
        Request(method="POST", path="/api/v1/stores/store/invoices", headers={"authorization": "token key"}, body=body)
    )
    app.handle(Request(method="GET", path="/api/v1/unheard-of"))
    assert [words for words in app.broken if "'paid' was unexpected" in words]
    assert app.broken[-1] == "GET /api/v1/unheard-of is no call that we know of"
