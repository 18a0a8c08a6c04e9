"""A term that renews itself on the deployed stack: through KMS, a relay, a wallet's stand-in and BTCPay Server's."""

import time
import uuid
from typing import Any

import pytest

from billing.rules.renewal import INVOICE_MINUTES, MARGIN
from billing.rules.times import DAY
from demo.passing import pass_time
from demo.shop import Shop
from fakes.nostr.wallet import Wallet
from fakes.nostr.wallet_kinds import Connected
from tests.end_to_end.test_bitcoin import PLAN, Buyer


@pytest.fixture
def buyer(shop_engine: Shop) -> Buyer:
    return Buyer(shop_engine, "btcpay")


@pytest.fixture
def wallet(shop_engine: Shop) -> Wallet:
    shop_engine.wallet.become("Alby Hub")
    shop_engine.wallet.play("pay")
    return shop_engine.wallet


def connect(buyer: Buyer, wallet: Wallet, **of_it: Any) -> Connected:
    made = wallet.connect(f"billing {uuid.uuid4().hex[:6]}", **of_it)
    body = {"connection": wallet.string_of(made), "plan_id": PLAN, "most_sat": 40_000}
    assert buyer.call("POST", "/billing/wallet", body)["connection"]["key_end"] == wallet.public[-4:]
    return made


def buy(buyer: Buyer) -> None:
    buyer.pay(buyer.open_invoice()["purchase_id"])
    buyer.until(buyer.has_it)


def terms(buyer: Buyer) -> int:
    found = buyer.call("GET", "/billing/subscription-status")["terms"]
    return sum(term["status"] == "paid" for term in found)


def shown(buyer: Buyer) -> dict[str, Any]:
    (found,) = buyer.call("GET", "/billing/wallet")["wallets"]
    return dict(found)


def to_the_renewal(buyer: Buyer) -> None:
    """Until a day after the wallet is first asked, and the round after that."""
    end = buyer.call("GET", "/billing/subscription-status")["renewals"][0]["ends_at"]
    left = int(time.mktime(time.strptime(end, "%Y-%m-%dT%H:%M:%SZ"))) - time.timezone - int(time.time())
    pass_time(buyer.shop, buyer.user, max(0, left - 2 * DAY))
    buyer.shop.engine.invoke("RenewByWalletFunction", {})


def test_a_term_renews_itself_twice(buyer: Buyer, wallet: Wallet) -> None:
    made = connect(buyer, wallet)
    buy(buyer)
    for number in (2, 3):
        to_the_renewal(buyer)
        buyer.until(lambda number=number: terms(buyer) == number)  # type: ignore[misc]
        assert shown(buyer)["state"] == "waiting"
    assert [outcome for _, method, outcome in made.asked if method == "pay_invoice"] == ["paid", "paid"]


def test_a_wallet_of_the_old_encryption_is_asked_as_well(buyer: Buyer, wallet: Wallet) -> None:
    wallet.become("Electrum")
    made = connect(buyer, wallet)
    buy(buyer)
    to_the_renewal(buyer)
    buyer.until(lambda: terms(buyer) == 2)
    assert made.asked[-1][1:] == ("pay_invoice", "paid")


def test_a_budget_used_up_is_told_paid_by_hand_and_the_connection_goes_on(buyer: Buyer, wallet: Wallet) -> None:
    made = connect(buyer, wallet, budget_sat=5)
    buy(buyer)
    to_the_renewal(buyer)
    assert shown(buyer)["state"] == "under_way"
    refused = buyer.shop.call("POST", "/billing/renewals/main/invoice", {}, user=buyer.user)
    assert (refused.status_code, refused.json()["code"]) == (409, "renewal_under_way")
    pass_time(buyer.shop, buyer.user, INVOICE_MINUTES * 60 + MARGIN + 60)
    buyer.shop.btcpay.tick()
    buyer.shop.engine.invoke("RenewByWalletFunction", {})
    assert (shown(buyer)["state"], shown(buyer)["trouble"]) == ("trouble", "budget_used_up")
    buy(buyer)
    buyer.until(lambda: terms(buyer) == 2)
    assert shown(buyer)["state"] == "waiting"
    made.budget_sat = 100_000
    to_the_renewal(buyer)
    buyer.until(lambda: terms(buyer) == 3)


def test_removed_it_is_never_asked_again_and_nothing_that_could_pay_is_left(buyer: Buyer, wallet: Wallet) -> None:
    made = connect(buyer, wallet)
    buy(buyer)
    answer = buyer.shop.call("DELETE", "/billing/wallet/main", user=buyer.user)
    assert answer.status_code == 204
    to_the_renewal(buyer)
    assert [method for _, method, _ in made.asked if method == "pay_invoice"] == []
    kept = buyer.shop.engine.client("dynamodb").get_item(
        TableName=buyer.shop.engine.resource("AccountsTable"),
        Key={"user_id": {"S": buyer.user}, "record": {"S": "~wallet#main"}},
    )
    assert "Item" not in kept


def test_what_is_stored_and_exported_shows_nothing_that_could_pay(buyer: Buyer, wallet: Wallet) -> None:
    made = connect(buyer, wallet)
    table = buyer.shop.engine.client("dynamodb").query(
        TableName=buyer.shop.engine.resource("AccountsTable"),
        KeyConditionExpression="user_id = :user",
        ExpressionAttributeValues={":user": {"S": buyer.user}},
    )
    assert "~wallet#main" in str(table)
    assert made.secret not in str(table)
    exported = str(buyer.admin("GET", f"/admin/users/{buyer.user}/export"))
    assert "~wallet#main" in exported
    assert "sealed" not in exported
    assert "data_key" not in exported
