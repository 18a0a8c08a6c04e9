"""BitPay: what is accepted at the door, and what an invoice means once it is read."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey

from billing.errors import BadWebhook, Conflict, ProviderError, ProviderUnavailable
from billing.providers import bitpay
from billing.providers.bitpay import BitPay
from billing.providers.bitpay.invoices import confirmed_in
from billing.providers.interface import Order
from billing.rules.facts import CheckoutFact, Fact, PurchaseFact, Ref, RefundFact
from billing.rules.plans import Plan
from fakes.base import Clock, Fault, Server
from fakes.bitpay import BitPay as FakeBitPay

NOW = 1_790_000_000
TOKEN, MERCHANT_TOKEN = "pos-token", "merchant-token"
KEY = PrivateKey(b"\x07" * 32)
EVENTS = Path(__file__).parents[2] / "events" / "bitpay"

PLUS = Plan(
    plan_id="plus_monthly", version=1, name="Plus", price_cents=999, currency="USD", interval="month", features={}
)
ORDER = Order(
    checkout_id="chk_1",
    user_id="usr_1",
    plan=PLUS,
    amount_cents=999,
    currency="USD",
    success_url="https://portal.test/return",
    cancel_url="https://portal.test/pricing",
    expires_at=NOW + 3600,
)


@pytest.fixture
def fake() -> Iterator[FakeBitPay]:
    identity = KEY.public_key.format(compressed=True).hex()
    app = FakeBitPay(TOKEN, MERCHANT_TOKEN, identity, Clock(lambda: NOW), send=lambda *_: 200)
    with Server(app):
        yield app


def connected(fake: FakeBitPay, *, merchant: bool = True) -> BitPay:
    client = BitPay(
        url=fake.url,
        token=TOKEN,
        merchant_token=MERCHANT_TOKEN if merchant else "",
        merchant_key=KEY.to_hex() if merchant else "",
        notification_url="http://127.0.0.1:9/hook",
    )
    client._rest._pause = lambda seconds: None
    return client


def purchase(facts: Any) -> PurchaseFact:
    found: PurchaseFact = next(f for f in facts if isinstance(f, PurchaseFact))
    return found


def read(fake: FakeBitPay, invoice_id: str) -> PurchaseFact:
    return purchase(connected(fake).read(Ref("purchase", invoice_id), fake.clock.now()))


# --- at the door -----------------------------------------------------------------------------------------------------


def signed(body: bytes, key: str = TOKEN) -> dict[str, str]:
    return {"x-signature": base64.b64encode(hmac.digest(key.encode(), body, hashlib.sha256)).decode()}


def test_a_signature_made_with_any_of_the_tokens_is_accepted_and_named() -> None:
    assert bitpay.verify(b"{}", signed(b"{}", "new"), ["old", "new"], NOW) == "2"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-signature": ""},
        {"x-signature": "AAAA"},
        {"x-signature": "sch\xfctzen"},
        signed(b"{} "),
        signed(b"{}", "x"),
    ],
    ids=["absent", "empty", "short", "not ascii", "of another body", "of another key"],
)
def test_a_forged_notification_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadWebhook):
        bitpay.verify(b"{}", headers, [TOKEN, MERCHANT_TOKEN], NOW)


def test_an_empty_secret_verifies_nothing() -> None:
    with pytest.raises(BadWebhook):
        bitpay.verify(b"{}", signed(b"{}", ""), [""], NOW)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"\xff", b'{"data": 1}', b'{"data": {"id": 5}}', b"[" * 9000]
)
def test_a_malformed_notification_is_refused(body: bytes) -> None:
    with pytest.raises(BadWebhook):
        bitpay.minimise(body)


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_nothing_personal_passes_the_door(path: Path) -> None:
    kept = json.dumps(bitpay.minimise(path.read_bytes()).payload)
    for private in ("satoshi@example.com", "Satoshi", "txid", "url"):
        assert private not in kept


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_every_notification_only_asks_to_read_its_invoice(path: Path) -> None:
    translation = bitpay.translate(bitpay.minimise(path.read_bytes()))
    assert translation.facts == ()
    assert translation.rereads[0] == Ref("purchase", "4enjVLZH9fUADcAeYRKip3")
    about_a_refund = path.stem.startswith("refund") or path.stem == "invoice_refundComplete"
    assert [ref.kind for ref in translation.rereads[1:]] == (["payment"] if about_a_refund else [])


def test_a_repeat_has_the_same_id_and_the_next_state_another() -> None:
    ids = [bitpay.minimise(path.read_bytes()).event_id for path in sorted(EVENTS.glob("*.json"))]
    assert len(set(ids)) == len(ids) >= 10


def test_both_formats_name_the_invoice() -> None:
    bare = json.dumps({"id": "inv", "status": "confirmed", "exceptionStatus": False, "currentTime": NOW * 1000})
    notification = bitpay.minimise(bare.encode())
    assert (notification.event_id, notification.created_at) == ("inv:confirmed:invoice", NOW)


def test_test_and_live_are_told_apart_by_the_invoices_address() -> None:
    event = json.loads((EVENTS / "invoice_confirmed.json").read_bytes())
    assert bitpay.minimise(json.dumps(event).encode()).livemode is False
    event["data"]["url"] = "https://bitpay.com/invoice?id=x"
    assert bitpay.minimise(json.dumps(event).encode()).livemode is True


def test_the_door_imports_nothing_heavy() -> None:
    heavy = "{'requests', 'coincurve', 'cryptography', 'pydantic', 'botocore', 'stripe'} & set(sys.modules)"
    code = f"import sys, billing.providers.bitpay, billing.providers.btcpay; print({heavy} or 'none')"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert ran.stdout.strip() == "none", ran.stderr


# --- opening an invoice ----------------------------------------------------------------------------------------------


def test_an_invoice_carries_the_order_and_the_exact_price(fake: FakeBitPay) -> None:
    session = connected(fake).create_checkout(ORDER)
    request = fake.invoices[session.session_id].request
    assert str(request["price"]) == "9.99"
    assert (request["orderId"], session.expires_at) == ("chk_1", NOW + 900)
    pending = purchase(session.facts)
    assert (pending.state, pending.user_id, pending.amount_cents, pending.poll) == ("pending", "usr_1", 999, True)


def test_a_lost_answer_does_not_make_a_second_invoice(fake: FakeBitPay) -> None:
    fake.faults = [Fault("lose", "POST", "/invoices")]
    session = connected(fake).create_checkout(ORDER)
    assert list(fake.invoices) == [session.session_id]


def test_asking_again_after_every_answer_was_lost_finds_the_first_invoice(fake: FakeBitPay) -> None:
    # The answer to the POST is lost, and then every look-up fails.
    fake.faults = [
        Fault("lose", "POST", "/invoices"),
        Fault("refuse", "GET", "/invoices/guid", times=3),
    ]
    with pytest.raises(ProviderUnavailable):
        connected(fake).create_checkout(ORDER)
    assert len(fake.invoices) == 1
    session = connected(fake).create_checkout(replace(ORDER, repeated=True))
    assert list(fake.invoices) == [session.session_id]


def test_an_unknown_answer_is_told_in_bitpays_own_words(fake: FakeBitPay) -> None:
    with pytest.raises(ProviderError, match="currency Currency is not supported"):
        connected(fake).create_checkout(replace(ORDER, currency="XYZ"))


def test_an_error_in_a_body_of_success_is_an_error(fake: FakeBitPay) -> None:
    session = connected(fake).create_checkout(ORDER)
    with pytest.raises(ProviderError, match="Invoice cannot be refunded"):
        connected(fake).refund(session.session_id, None, "USD", reason="duplicate", key="r1")


def test_a_provider_that_is_down_is_asked_again_and_then_said_to_be_down(fake: FakeBitPay) -> None:
    session = connected(fake).create_checkout(ORDER)
    fake.faults = [Fault("refuse", "GET", status=503, times=2)]
    assert read(fake, session.session_id).state == "pending"
    fake.faults = [Fault("refuse", "GET", status=429, times=3)]
    with pytest.raises(ProviderUnavailable):
        read(fake, session.session_id)


# --- what an invoice means -------------------------------------------------------------------------------------------


def test_from_the_first_sight_to_the_credit(fake: FakeBitPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id)
    assert read(fake, invoice_id).state == "processing"
    fake.confirm(invoice_id)
    fake.advance(5)
    fact = read(fake, invoice_id)
    assert (fact.state, fact.paid_at, fact.observed_at) == ("paid", NOW, NOW + 5)
    assert (fact.due_cents, fact.received_cents) == (0, 999)
    fake.complete(invoice_id)
    assert read(fake, invoice_id).state == "paid"


def test_underpaid_says_what_is_due_and_topping_up_settles(fake: FakeBitPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id, fake.invoices[invoice_id].satoshis * 3 // 4)
    fact = read(fake, invoice_id)
    assert (fact.state, fact.due_cents) == ("underpaid", 250)
    fake.pay(invoice_id)
    fake.complete(invoice_id)
    assert (read(fake, invoice_id).state, read(fake, invoice_id).due_cents) == ("paid", 0)


def test_overpaid_is_the_price_once_and_a_surplus(fake: FakeBitPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id, fake.invoices[invoice_id].satoshis * 2)
    fake.confirm(invoice_id)
    fact = read(fake, invoice_id)
    assert (fact.state, fact.amount_cents, fact.received_cents) == ("paid", 999, 1998)


def test_expired_in_part_stays_underpaid_and_late_is_flagged(fake: FakeBitPay) -> None:
    client = connected(fake)
    part, late = (
        client.create_checkout(ORDER).session_id,
        client.create_checkout(replace(ORDER, checkout_id="2")).session_id,
    )
    fake.pay(part, 100)
    fake.advance(901)
    assert read(fake, part).state == "underpaid"
    assert read(fake, late).state == "failed"
    fake.pay(late)
    facts: list[Fact] = list(client.read(Ref("purchase", late), 0))
    assert purchase(facts).state == "paid_late"
    assert any(isinstance(f, CheckoutFact) and f.status == "expired" for f in facts)


def test_invalid_fails_and_can_still_complete(fake: FakeBitPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id)
    fake.invalidate(invoice_id)
    assert read(fake, invoice_id).state == "failed"
    fake.complete(invoice_id)
    assert read(fake, invoice_id).state == "paid"


def test_what_others_write_on_an_invoice_is_a_hint_at_most(fake: FakeBitPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    for written in ("order 66", "{}", '{"user_id": 5, "checkout_id": []}', "[" * 9000):
        fake.invoices[invoice_id].request["posData"] = written
        assert (read(fake, invoice_id).user_id, read(fake, invoice_id).checkout_id) == (None, None)


# --- refunds and the rest --------------------------------------------------------------------------------------------


def test_refunds_without_the_merchant_facade_say_what_to_do(fake: FakeBitPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    with pytest.raises(ProviderError, match="BITPAY_MERCHANT_TOKEN and BITPAY_MERCHANT_KEY"):
        connected(fake, merchant=False).refund(invoice_id, None, "USD", reason="duplicate", key="r1")


def test_a_refund_is_signed_made_once_and_read_back(fake: FakeBitPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id)
    fake.complete(invoice_id)
    fake.faults = [Fault("lose", "POST", "/refunds")]
    for _ in range(2):
        (fact,) = connected(fake).refund(invoice_id, 400, "USD", reason="duplicate", key="r1").facts
        assert isinstance(fact, RefundFact)
        assert (fact.status, fact.amount_cents, fact.payment_ref) == ("pending", 400, invoice_id)
    assert len(fake.refunds) == 1
    fake.finish_refund(fact.refund_id)
    found = [f for f in connected(fake).read(Ref("purchase", invoice_id), 0) if isinstance(f, RefundFact)]
    assert [(f.status, f.amount_cents) for f in found] == [("succeeded", 400)]


def test_a_wrong_merchant_key_is_refused_in_bitpays_words(fake: FakeBitPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    client = connected(fake)
    client._merchant_key = PrivateKey(b"\x08" * 32).to_hex()
    with pytest.raises(ProviderError, match="Invalid signature"):
        client.refund(invoice_id, None, "USD", reason="duplicate", key="r1")


def test_cancelling_ends_an_unpaid_invoice_and_leaves_a_paid_one(fake: FakeBitPay) -> None:
    client = connected(fake)
    unpaid, paid = (
        client.create_checkout(ORDER).session_id,
        client.create_checkout(replace(ORDER, checkout_id="2")).session_id,
    )
    fake.pay(paid)
    client.expire_checkout(unpaid)
    client.expire_checkout(paid)
    assert (read(fake, unpaid).state, read(fake, paid).state) == ("failed", "processing")


def test_the_invoice_page_data_follow_the_payment(fake: FakeBitPay) -> None:
    client = connected(fake)
    invoice_id = client.create_checkout(ORDER).session_id
    satoshis = fake.invoices[invoice_id].satoshis
    shown = client.invoice(invoice_id, 0)
    assert shown.due_btc == f"{satoshis / 1e8:.8f}"
    assert shown.bip21 == f"bitcoin:?r={fake.url}/i/{invoice_id}"
    fake.pay(invoice_id, satoshis - 100)
    assert client.invoice(invoice_id, 0).due_btc == "0.00000100"
    fake.pay(invoice_id)
    shown = client.invoice(invoice_id, 0)
    assert (shown.state, shown.bip21) == ("processing", None)
    assert (shown.confirmations, shown.confirmed) == (1, 0)
    fake.confirm(invoice_id)
    assert client.invoice(invoice_id, 0).confirmed == 1


@pytest.mark.parametrize(
    ("transactions", "confirmed"),
    [([], None), ([{"confirmations": 2}, {"confirmations": 0}], 0), ([{"confirmations": 1}, {}], None)],
)
def test_confirmations_are_those_that_all_payments_have_and_none_is_made_up(
    transactions: list[Any], confirmed: Any
) -> None:
    assert confirmed_in({"transactions": transactions}) == confirmed


def test_there_is_no_subscription_to_change(fake: FakeBitPay) -> None:
    with pytest.raises(Conflict, match="prepaid terms"):
        connected(fake).resume_subscription("sub", key="k")
