"""The stand-in for BitPay is held against the published API, and so are our requests to it."""

import json
from typing import Any

import pytest

from fakes.base import Request
from tests.fakes.bitpay_contract import CONTRACT, SCHEMAS, HeldBitPay

ORDER = {"token": "pos", "price": 9.99, "currency": "USD"}


def created(app: HeldBitPay, **more: Any) -> Any:
    app.url = "http://127.0.0.1:1"
    answer = app.handle(Request(method="POST", path="/invoices", body=json.dumps({**ORDER, **more}).encode()))
    assert answer is not None
    return json.loads(answer.body)["data"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_refuses_something(name: str) -> None:
    with pytest.raises(AssertionError, match="published API"):
        CONTRACT.hold(name, object)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "settled"},
        {"exceptionStatus": None},
        {"amountPaid": 0.1},
        {"invoiceTime": 1_790_000_000},
        {"paid": True},
    ],
)
def test_another_type_word_or_field_is_a_difference(change: dict[str, Any]) -> None:
    app = HeldBitPay("pos")
    invoice = created(app)
    assert app.broken == []
    with pytest.raises(AssertionError, match="published API"):
        CONTRACT.hold("invoice", {"facade": "pos/invoice", "data": {**invoice, **change}})


def test_what_we_send_beyond_the_api_and_calls_that_it_has_not_are_noticed() -> None:
    app = HeldBitPay("pos")
    created(app, amount_cents=999)
    app.handle(Request(method="GET", path="/invoices/1/unheard-of"))
    assert ["amount_cents" in app.broken[0], app.broken[1:]] == [
        True,
        ["GET /invoices/1/unheard-of is no call that we know of"],
    ]
