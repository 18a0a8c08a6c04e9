"""BTCPay Server: what is accepted at the door, and what an invoice means once it is read."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing.errors import BadWebhook, ProviderError, ProviderUnavailable
from billing.providers import btcpay
from billing.providers.btcpay import BTCPay
from billing.providers.interface import Order
from billing.rules.facts import CheckoutFact, PurchaseFact, Ref, RefundFact
from billing.rules.plans import Plan
from fakes.base import Clock, Fault, Server
from fakes.btcpay import BTCPay as FakeBTCPay

NOW = 1_790_000_000
STORE, API_KEY, SECRET = "store-1", "api-key", "webhook-secret"
EVENTS = Path(__file__).parents[2] / "events" / "btcpay"
ABOUT_THE_INVOICE = [p for p in sorted(EVENTS.glob("Invoice*.json")) if "test_delivery" not in p.stem]

YEN = Plan(plan_id="plus", version=1, name="Plus", price_cents=1500, currency="JPY", interval="month", features={})
PLUS = replace(YEN, price_cents=999, currency="USD")
ORDER = Order(
    checkout_id="chk_1",
    user_id="usr_1",
    plan=PLUS,
    amount_cents=999,
    currency="USD",
    success_url="https://portal.test/return",
    cancel_url="https://portal.test/pricing",
    expires_at=NOW + 3600,
    trial_days=3,
)


@pytest.fixture
def fake() -> Iterator[FakeBTCPay]:
    app = FakeBTCPay(STORE, API_KEY, SECRET, "http://127.0.0.1:9/hook", Clock(lambda: NOW), send=lambda *_: 200)
    with Server(app):
        yield app


def connected(fake: FakeBTCPay, api_key: str = API_KEY) -> BTCPay:
    client = BTCPay(url=fake.url, api_key=api_key, store_id=STORE, invoice_minutes=60, late_minutes=1440)
    client._rest._pause = lambda seconds: None
    return client


def purchase(facts: Any) -> PurchaseFact:
    found: PurchaseFact = next(f for f in facts if isinstance(f, PurchaseFact))
    return found


def read(fake: FakeBTCPay, invoice_id: str) -> PurchaseFact:
    return purchase(connected(fake).read(Ref("purchase", invoice_id), fake.clock.now()))


# --- at the door -----------------------------------------------------------------------------------------------------


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"btcpay-sig": f"sha256={hmac.digest(secret.encode(), body, hashlib.sha256).hex()}"}


def test_the_old_and_the_new_secret_are_both_accepted_while_rolling() -> None:
    assert btcpay.verify(b"{}", signed(b"{}", "old"), ["new", "old"], NOW) == "2"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"btcpay-sig": "sha256="},
        {"btcpay-sig": signed(b"{}")["btcpay-sig"].removeprefix("sha256=")},
        {"btcpay-sig": signed(b"{}")["btcpay-sig"].replace("sha256", "sha512")},
        {"btcpay-sig": "sha256=sch\xfctzen"},
        signed(b"{} "),
        signed(b"{}", "other"),
        signed(b"{}", ""),
    ],
)
def test_a_forged_delivery_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadWebhook):
        btcpay.verify(b"{}", headers, [SECRET, ""], NOW)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"\xff", b"{}", b'{"deliveryId": "d"}', b'{"deliveryId": "d", "timestamp": "x", "type": "T"}'],
)
def test_a_malformed_delivery_is_refused(body: bytes) -> None:
    with pytest.raises(BadWebhook):
        btcpay.minimise(body)


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_nothing_personal_passes_the_door(path: Path) -> None:
    kept = json.dumps(btcpay.minimise(path.read_bytes()).payload)
    for private in ("satoshi@example.com", "bcrt1q", "metadata", "payment", "usr_"):
        assert private not in kept


@pytest.mark.parametrize("path", ABOUT_THE_INVOICE, ids=lambda path: path.stem)
def test_every_event_of_an_invoice_only_asks_to_read_it(path: Path) -> None:
    translation = btcpay.translate(btcpay.minimise(path.read_bytes()))
    assert translation.facts == ()
    found = translation.rereads[0]
    assert (found.kind, found.id, bool(found.within)) == ("purchase", "BP2xNmQ7sGm3bPgJcE5z9k", True)


def test_a_payout_asks_to_read_the_refund_it_belongs_to() -> None:
    notification = btcpay.minimise((EVENTS / "PayoutUpdated.json").read_bytes())
    (found,) = btcpay.translate(notification).rereads
    assert (found.kind, found.id) == ("payment", f"/{notification.payload['pullPaymentId']}")


def test_a_test_delivery_is_nothing_and_says_so() -> None:
    translation = btcpay.translate(btcpay.minimise((EVENTS / "InvoiceSettled_test_delivery.json").read_bytes()))
    assert (translation.facts, translation.rereads) == ((), ())
    assert translation.reason


def test_a_redelivery_has_the_id_of_the_first_delivery_also_from_an_old_server() -> None:
    first = json.loads((EVENTS / "InvoiceSettled.json").read_bytes())
    again = {**first, "deliveryId": "another", "isRedelivery": True}
    assert btcpay.minimise(json.dumps(again).encode()).event_id == first["deliveryId"]
    old = (EVENTS / "InvoiceSettled_old_server_redelivery.json").read_bytes()
    assert btcpay.minimise(old).event_id == "OlDsErVeR0000000000000"


# --- opening an invoice ----------------------------------------------------------------------------------------------


def test_an_invoice_carries_the_order_and_its_amount_as_text(fake: FakeBTCPay) -> None:
    session = connected(fake).create_checkout(ORDER)
    invoice = fake.invoices[session.session_id]
    assert (str(invoice.amount), invoice.metadata["orderId"], session.expires_at) == ("9.99", "chk_1", NOW + 3600)
    pending = purchase(session.facts)
    assert (pending.state, pending.user_id, pending.checkout_id, pending.poll) == ("pending", "usr_1", "chk_1", True)


def test_a_currency_without_decimals_has_none(fake: FakeBTCPay) -> None:
    session = connected(fake).create_checkout(replace(ORDER, plan=YEN, amount_cents=1500, currency="JPY"))
    assert str(fake.invoices[session.session_id].amount) == "1500"
    assert purchase(session.facts).amount_cents == 1500


def test_a_lost_answer_does_not_make_a_second_invoice(fake: FakeBTCPay) -> None:
    fake.faults = [Fault("lose", "POST")]
    session = connected(fake).create_checkout(ORDER)
    assert connected(fake).create_checkout(replace(ORDER, repeated=True)).session_id == session.session_id
    assert list(fake.invoices) == [session.session_id]


def test_a_faulty_request_is_told_in_the_servers_own_words(fake: FakeBTCPay) -> None:
    with pytest.raises(ProviderError, match="currency: Invalid currency"):
        connected(fake).create_checkout(replace(ORDER, currency="XYZ"))
    with pytest.raises(ProviderError, match="Authentication is required"):
        connected(fake, "wrong").create_checkout(ORDER)


def test_a_server_that_is_down_is_said_to_be_down(fake: FakeBTCPay) -> None:
    fake.faults = [Fault("lose", "GET", times=3)]
    with pytest.raises(ProviderUnavailable, match="did not answer"):
        connected(fake).read(Ref("purchase", "x"), NOW)


# --- what an invoice means -------------------------------------------------------------------------------------------


def test_from_the_first_sight_to_settled(fake: FakeBTCPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    assert read(fake, invoice_id).state == "pending"
    fake.pay(invoice_id)
    assert read(fake, invoice_id).state == "processing"
    fake.advance(600)
    fake.settle(invoice_id)
    fact = read(fake, invoice_id)
    assert (fact.state, fact.paid_at, fact.observed_at) == ("paid", NOW, NOW + 600)
    assert (fact.due_cents, fact.received_cents, fact.amount_cents) == (0, 999, 999)


def test_lightning_settles_at_once(fake: FakeBTCPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id, lightning=True)
    assert read(fake, invoice_id).state == "paid"


def test_underpaid_says_what_is_due_and_topping_up_settles(fake: FakeBTCPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id, fake.invoices[invoice_id].satoshis * 3 // 4)
    assert (read(fake, invoice_id).state, read(fake, invoice_id).due_cents) == ("underpaid", 250)
    fake.pay(invoice_id)
    fake.settle(invoice_id)
    assert (read(fake, invoice_id).state, read(fake, invoice_id).due_cents) == ("paid", 0)


def test_overpaid_is_the_price_once_and_a_surplus(fake: FakeBTCPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id, fake.invoices[invoice_id].satoshis * 3 // 2)
    fake.settle(invoice_id)
    fact = read(fake, invoice_id)
    assert (fact.state, fact.amount_cents, fact.received_cents) == ("paid", 999, 1498)


def test_a_payment_that_falls_back_is_pending_again(fake: FakeBTCPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id)
    fake.advance(60)
    fake.fall_back(invoice_id)
    assert read(fake, invoice_id).state == "pending"


def test_expired_late_and_marked_by_hand(fake: FakeBTCPay) -> None:
    client = connected(fake)
    part = client.create_checkout(ORDER).session_id
    late = client.create_checkout(replace(ORDER, checkout_id="2")).session_id
    fake.pay(part, 100)
    fake.advance(3601)
    assert (read(fake, part).state, read(fake, late).state) == ("underpaid", "failed")
    fake.pay(late)
    facts = client.read(Ref("purchase", late), 0)
    assert purchase(facts).state == "paid_late"
    assert [f.status for f in facts if isinstance(f, CheckoutFact)] == ["expired"]
    fake.mark(late, "Settled")
    assert read(fake, late).state == "paid"
    fake.mark(late, "Invalid")
    assert read(fake, late).state == "failed"


def test_what_others_write_on_an_invoice_is_a_hint_at_most(fake: FakeBTCPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    for written in ({}, {"orderId": "66"}, {"user_id": 5, "checkout_id": [], "plan_id": "pro", "amount_cents": "1"}):
        fake.invoices[invoice_id].metadata = written
        fact = read(fake, invoice_id)
        assert (fact.user_id, fact.checkout_id, fact.plan_id, fact.amount_cents) == (None, None, "", 999)


def test_an_invoice_of_another_store_is_nothing_to_us(fake: FakeBTCPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    assert connected(fake).read(Ref("purchase", invoice_id, "store-2"), NOW) == ()
    fake.invoices[invoice_id].store = "store-2"
    assert connected(fake).read(Ref("purchase", invoice_id), NOW) == ()
    assert connected(fake).read(Ref("purchase", "unknown"), NOW) == ()


# --- refunds and the rest --------------------------------------------------------------------------------------------


def test_a_refund_is_one_claim_link_that_the_buyer_has_to_use(fake: FakeBTCPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id, lightning=True)
    fake.faults = [Fault("lose", "POST")]
    for _ in range(2):
        (fact,) = connected(fake).refund(invoice_id, 400, "USD", reason="duplicate", key="r1").facts
        assert isinstance(fact, RefundFact)
        assert (fact.status, fact.amount_cents, fact.payment_ref) == ("pending", 400, invoice_id)
    assert list(fake.claims) == [fact.refund_id]
    assert connected(fake).refund_url(fact.refund_id) == f"{fake.url}/pull-payments/{fact.refund_id}"
    fake.claim(fact.refund_id)
    (claimed,) = connected(fake).read(Ref("payment", f"{invoice_id}/{fact.refund_id}"), NOW)
    assert isinstance(claimed, RefundFact)
    assert claimed.status == "succeeded"


@pytest.mark.parametrize(("share", "cents"), [(Decimal(1), 999), (Decimal("0.5"), 500), (Decimal("1.4"), 1399)])
def test_a_refund_made_on_the_servers_own_page_in_bitcoin_counts_at_the_invoices_rate(
    fake: FakeBTCPay, share: Decimal, cents: int
) -> None:
    """At the rate of the day it may be more bitcoin than came; what that takes of the price is decided elsewhere."""
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id, lightning=True)
    (made,) = connected(fake).refund(invoice_id, None, "USD", reason="duplicate", key="r1").facts
    assert isinstance(made, RefundFact)
    bitcoin = share * fake.invoices[invoice_id].satoshis / 100_000_000
    fake.claims[made.refund_id] |= {"currency": "BTC", "amount": f"{bitcoin:.8f}", "description": None}
    (fact,) = connected(fake).read(Ref("payment", f"{invoice_id}/{made.refund_id}"), NOW)
    assert isinstance(fact, RefundFact)
    assert (fact.amount_cents, fact.currency, fact.reason) == (cents, "USD", None)


def test_a_withdrawn_claim_is_a_failed_refund(fake: FakeBTCPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.pay(invoice_id, lightning=True)
    (fact,) = connected(fake).refund(invoice_id, None, "USD", reason="duplicate", key="r1").facts
    assert isinstance(fact, RefundFact)
    assert fact.amount_cents == 999
    fake.claims[fact.refund_id]["archived"] = True
    (withdrawn,) = connected(fake).read(Ref("payment", f"{invoice_id}/{fact.refund_id}"), NOW)
    assert isinstance(withdrawn, RefundFact)
    assert withdrawn.status == "failed"


def test_cancelling_ends_an_unpaid_invoice_and_leaves_a_paid_one(fake: FakeBTCPay) -> None:
    client = connected(fake)
    unpaid = client.create_checkout(ORDER).session_id
    paid = client.create_checkout(replace(ORDER, checkout_id="2")).session_id
    fake.pay(paid, 100)
    client.expire_checkout(unpaid)
    client.expire_checkout(paid)
    assert (read(fake, unpaid).state, read(fake, paid).state) == ("failed", "underpaid")


def test_a_key_that_may_not_mark_leaves_the_invoice_to_run_out(fake: FakeBTCPay) -> None:
    invoice_id = connected(fake).create_checkout(ORDER).session_id
    fake.permissions.remove("canmodifyinvoices")
    connected(fake).expire_checkout(invoice_id)
    assert read(fake, invoice_id).state == "pending"


def test_the_page_shows_how_to_pay_whatever_the_store_waits_for(fake: FakeBTCPay) -> None:
    fake.lazy = True
    shown = connected(fake).invoice(connected(fake).create_checkout(ORDER).session_id, 0)
    assert (shown.address is None, shown.bip21 is None, shown.due_btc is None) == (False, False, False)


def test_the_invoice_page_data_follow_the_payment(fake: FakeBTCPay) -> None:
    client = connected(fake)
    invoice_id = client.create_checkout(ORDER).session_id
    invoice = fake.invoices[invoice_id]
    shown = client.invoice(invoice_id, 0)
    assert shown.bip21 == f"bitcoin:{invoice.address}?amount={shown.due_btc}&lightning={str(shown.lightning).upper()}"
    assert (shown.address, shown.server_time, shown.due_cents) == (invoice.address, NOW, 999)
    fake.pay(invoice_id, invoice.satoshis - 100)
    shown = client.invoice(invoice_id, 0)
    assert (shown.state, shown.due_btc, shown.lightning) == ("underpaid", "0.00000100", None)
    fake.advance(3601)
    shown = client.invoice(invoice_id, 0)
    assert (shown.address, shown.bip21, shown.due_btc) == (None, None, None)


@pytest.mark.parametrize(
    ("speed", "expected"), [("MediumSpeed", (1, 0)), ("LowSpeed", (6, None)), ("HighSpeed", (0, None))]
)
def test_how_many_confirmations_there_are_is_told_only_where_the_server_lets_one_know(
    fake: FakeBTCPay, speed: str, expected: tuple[int, int | None]
) -> None:
    client = connected(fake)
    invoice_id = client.create_checkout(ORDER).session_id
    fake.invoices[invoice_id].checkout["speedPolicy"] = speed
    assert client.invoice(invoice_id, 0).confirmed is None
    fake.pay(invoice_id)
    shown = client.invoice(invoice_id, 0)
    assert (shown.confirmations, shown.confirmed) == expected
    fake.settle(invoice_id)
    assert client.invoice(invoice_id, 0).confirmed is None
