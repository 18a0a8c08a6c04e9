"""What of a payment can still be given back, whatever has been asked for and carried out."""

from typing import Any

import pytest

from billing.rules.records import Account, Payment, Refund, RefundRequest
from billing.rules.refunds import refundable_cents, request_id, settled
from samples import NOW, USER
from tests.rules.test_access import payment, purchase


def request(amount: int = 1000, **more: Any) -> RefundRequest:
    known: dict[str, Any] = {"provider": "btcpay", "payment_id": "pay_1", "status": "reserved", "request_id": "r1"}
    known |= {"requested_by": "usr_admin", "reason": "", "requested_at": NOW, "currency": "USD"}
    return RefundRequest(amount_cents=amount, **{**known, **more})


def made(*amounts: int, request_id: str = "r1") -> Payment:
    parts = {
        f"re_{n}": Refund(
            refund_id=f"re_{n}", amount_cents=amount, status="succeeded", observed_at=NOW, request_id=request_id
        )
        for n, amount in enumerate(amounts)
    }
    return payment(4900, refunds=parts)


@pytest.mark.parametrize(
    ("paid", "requests", "left"),
    [
        (payment(4900), [], 4900),
        (payment(4900), [request()], 3900),
        (payment(4900), [request(), request(500, request_id="r2")], 3400),
        (payment(4900), [request(5000)], 0),
        (payment(4900), [request(status="made")], 4900),
        (payment(4900), [request(status="failed")], 4900),
        (payment(4900), [request(payment_id="pay_2")], 4900),
        (payment(4900), [request(provider="bitpay")], 4900),
        (made(1000), [request()], 3900),
        (made(400), [request()], 3900),
        (made(400, 600), [request()], 3900),
        (made(1100), [request()], 3800),
        (made(1000, request_id="r2"), [request()], 2900),
    ],
)
def test_what_can_be_given_back(paid: Payment, requests: list[RefundRequest], left: int) -> None:
    record = purchase(payment=paid)
    assert refundable_cents(Account(USER).put(record, *requests), record, paid) == left


def test_what_bought_nothing_is_given_back_apart() -> None:
    record = purchase(payment=payment(4900), received_cents=5900)
    account = Account(USER).put(record)
    assert record.payment is not None
    assert refundable_cents(account, record, record.payment) == 5900
    assert refundable_cents(account, record, record.payment, surplus=True) == 1000


def test_a_request_is_closed_when_all_of_it_was_heard_of() -> None:
    def status(paid: Payment, name: str = "r1", **more: Any) -> str:
        account = Account(USER).put(purchase(payment=paid), request(error="later", settle_at=NOW, **more))
        after = settled(account, "btcpay", name).refund_requests[0]
        assert (after.settle_at, after.error) == ((None, None) if after.status == "made" else (NOW, "later"))
        return after.status

    assert status(made(1000)) == "made"
    assert status(made(400, 600)) == "made"
    assert status(made(400)) == "reserved"
    assert status(made(1000, request_id="r2")) == "reserved"
    assert status(made(1000), name="r2") == "reserved"
    assert status(made(1000), payment_id="pay_2") == "reserved"


def test_an_intent_has_one_name_of_its_own() -> None:
    names = [USER, "btcpay", "pay_1", "key"]
    first = request_id(*names)
    assert first == request_id(*names)
    assert len(first) == 32
    for place in range(4):
        other = [*names]
        other[place] += "x"
        assert request_id(*other) != first
    assert settled(Account(USER), "btcpay", None) == Account(USER)
