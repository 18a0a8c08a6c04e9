"""Receipts of what was bought, by either rail: what each was for, and all that belongs on paper."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from billing.api.answers.payments import ReceiptDocument, ReceiptList
from billing.errors import NotFound, ProviderUnavailable
from billing.rules.times import DAY, rfc3339
from billing.selling.invoices import show as show_invoice
from billing.selling.receipts import Receipts
from fakes.base import Fault
from tests.acceptance.world import USER, World
from tests.samples import PLUS, PRO, TAX_PASS


def receipts(world: World) -> Receipts:
    seller = ["Shop Example Ltd", "Tax number EX 1"]
    return Receipts(world.accounts, world.plans, world.applier._client, seller)


def listed(world: World) -> list[dict[str, Any]]:
    found: Any = receipts(world).list(USER)
    TypeAdapter(ReceiptList).validate_python(found)
    return list(found["receipts"])


def document(world: World, receipt: dict[str, Any]) -> Any:
    found = receipts(world).show(USER, receipt["provider"], receipt["payment_id"])
    TypeAdapter(ReceiptDocument).validate_python(found)
    return found


def test_bitcoin_has_its_amount_rate_and_transaction_on_paper(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    (receipt,) = listed(bitcoin)
    assert (receipt["reason"], receipt["plan_name"], receipt["interval"]) == ("term", "Plus", "month")
    assert receipt["period_start"] < receipt["period_end"]
    paper = document(bitcoin, receipt)
    assert paper["number"] == receipt["number"]
    assert (paper["net_cents"], paper["tax_cents"], paper["amount_cents"]) == (900, 0, 900)
    assert paper["seller"] == ["Shop Example Ltd", "Tax number EX 1"]
    paid = paper["bitcoin"]
    assert float(paid["amount_btc"]) * paid["rate_cents"] == pytest.approx(900, abs=1)
    assert len(paid["transactions"]) == 1


def test_a_pass_says_that_it_was_bought_once_and_how_long_it_lasts(stripe: World) -> None:
    stripe.buy(TAX_PASS)
    (receipt,) = listed(stripe)
    assert (receipt["reason"], receipt["plan_name"]) == ("once", TAX_PASS.name)
    days = TAX_PASS.duration_days
    assert receipt["period_end"] == (days and rfc3339(stripe.payments[0].paid_at + days * DAY))
    assert document(stripe, receipt)["bitcoin"] is None


def test_a_gift_is_called_one_and_its_time_is_not_its_buyers(stripe: World, bitcoin: World) -> None:
    for world, plan in ((stripe, TAX_PASS), (bitcoin, PLUS)):
        world.buy(plan, gift=True)
        (receipt,) = listed(world)
        assert (receipt["reason"], receipt["plan_name"], receipt["period_end"]) == ("gift", plan.name, None)
        assert document(world, receipt)["amount_cents"] == plan.price_cents


def test_the_first_payment_a_later_period_and_an_upgrade_are_told_apart(stripe: World) -> None:
    stripe.buy(PLUS)
    books = stripe.app.books
    stripe.app.advance(32 * DAY)
    stripe.settle()
    (subscription,) = books.all("subscription")
    price = next(p.provider_plan_ids["stripe"] for p in stripe.plans.catalogue().newest() if p.plan_id == PRO.plan_id)
    item = subscription["items"]["data"][0]["id"]
    changed = {"items[0][id]": item, "items[0][price]": price, "proration_behavior": "always_invoice"}
    stripe.app.call("POST", f"/v1/subscriptions/{subscription['id']}", changed)
    stripe.settle()
    assert [r["reason"] for r in listed(stripe)] == ["change", "renewal", "start"]
    numbers = [r["number"] for r in listed(stripe)]
    assert len(set(numbers)) == 3
    assert numbers == [r["number"] for r in listed(stripe)]


def test_a_receipt_is_shown_to_its_buyer_alone(bitcoin: World) -> None:
    bitcoin.buy(PLUS)
    (receipt,) = listed(bitcoin)
    with pytest.raises(NotFound):
        receipts(bitcoin).show("usr_2", receipt["provider"], receipt["payment_id"])


def test_a_provider_that_is_away_is_no_reason_for_half_a_document(btcpay: World) -> None:
    btcpay.buy(PLUS)
    (receipt,) = listed(btcpay)
    btcpay.app.faults = [Fault("refuse", "GET", "/api", times=99)]
    with pytest.raises(ProviderUnavailable):
        document(btcpay, receipt)


def test_its_buyer_learns_where_to_fetch_what_goes_back(btcpay: World) -> None:
    invoice = btcpay.buy(TAX_PASS)

    def shown() -> Any:
        return show_invoice(btcpay.accounts, btcpay.applier._client, USER, "btcpay", invoice, btcpay.now)

    assert shown()["claim_url"] is None
    btcpay.desk.refund("btcpay", invoice, None, "k1", "usr_admin", btcpay.now, surplus=False)
    assert shown()["claim_url"].startswith(btcpay.app.url)


def test_how_often_the_network_confirms_is_told_as_the_provider_counts(bitcoin: World) -> None:
    session = bitcoin.session(bitcoin.checkout(PLUS))
    found = show_invoice(bitcoin.accounts, bitcoin.applier._client, USER, bitcoin.player.name, session, bitcoin.now)
    assert found["confirmations"] == 1
