"""`billing bitcoin doctor`: what a set-up can do and cannot see, in words that say what to do."""

from collections.abc import Iterator

import pytest

from billing.settings import Settings
from billing_cli.bitcoin import checks
from fakes.base import Server
from fakes.bitpay import BitPay
from fakes.btcpay import BTCPay


@pytest.fixture
def btcpay() -> Iterator[BTCPay]:
    app = BTCPay("store", "api-key", "secret", send=lambda *_: 200)
    with Server(app):
        yield app


def of_btcpay(app: BTCPay, **more: str) -> dict[str, tuple[str, str]]:
    env = {
        "STAGE": "test",
        "BTCPAY_URL": app.url,
        "BTCPAY_STORE_ID": "store",
        "BTCPAY_API_KEY": "api-key",
        "BTCPAY_WEBHOOK_SECRET": "secret",
        **more,
    }
    return {check.subject: (check.level, check.finding) for check in checks("btcpay", Settings(env))}


def test_a_server_that_is_as_it_must_be(btcpay: BTCPay) -> None:
    found = of_btcpay(btcpay)
    assert {level for level, _ in found.values()} == {"ok"}
    assert found["server"][1] == "answers as version 2.4.1"


@pytest.mark.parametrize(
    ("version", "subject", "level"),
    [("2.0.8", "version", "fail"), ("2.3.8", "refunds", "warn"), ("", "version", "warn")],
)
def test_an_old_server_is_told_what_it_cannot_tell(btcpay: BTCPay, version: str, subject: str, level: str) -> None:
    btcpay.version = version
    assert of_btcpay(btcpay)[subject][0] == level


def test_a_key_that_may_too_little_is_told_what_does_not_work(btcpay: BTCPay) -> None:
    btcpay.permissions = {"canviewinvoices", "cancreateinvoice", "canmodifyinvoices"}
    assert of_btcpay(btcpay)["API key"] == ("warn", "refunds made at the server are not looked for")
    btcpay.permissions = {"canviewinvoices", "canmanagepullpayments"}
    assert of_btcpay(btcpay)["API key"][0] == "warn", "an invoice runs out by itself"


@pytest.mark.parametrize(
    "permissions",
    [
        {"canmodifyinvoices", "cancreatenonapprovedpullpayments"},
        {"canmodifyinvoices", "canmanagepullpayments"},
        {"canmodifystoresettings"},
    ],
)
def test_a_permission_includes_others(btcpay: BTCPay, permissions: set[str]) -> None:
    btcpay.permissions = permissions
    assert {level for level, _ in of_btcpay(btcpay).values()} == {"ok"}


def test_a_wrong_store_or_key_or_address_is_a_failure_that_names_it(btcpay: BTCPay) -> None:
    assert of_btcpay(btcpay, BTCPAY_STORE_ID="another")["store"][0] == "fail"
    assert of_btcpay(btcpay, BTCPAY_API_KEY="another")["connection"][0] == "fail"
    assert of_btcpay(btcpay, BTCPAY_WEBHOOK_SECRET="")["connection"] == ("fail", "BTCPAY_WEBHOOK_SECRET is not set")


def of_bitpay(**more: str) -> dict[str, tuple[str, str]]:
    app = BitPay("pos-token", send=lambda *_: 200)
    with Server(app):
        env = {
            "STAGE": "test",
            "LIVEMODE": "false",
            "PUBLIC_URL": "https://api.test",
            "BITPAY_URL": app.url,
            "BITPAY_API_KEY": "pos-token",
            **more,
        }
        return {check.subject: (check.level, check.finding) for check in checks("bitpay", Settings(env))}


def test_the_pos_facade_alone_is_told_what_it_cannot_see() -> None:
    found = of_bitpay()
    assert found["pos token"][0] == "ok"
    assert found["merchant facade"][0] == "warn"
    assert of_bitpay(BITPAY_API_KEY="another")["pos token"][0] == "fail"
    key = {"BITPAY_MERCHANT_TOKEN": "x", "BITPAY_MERCHANT_KEY": "07" * 32}
    assert of_bitpay(**key)["merchant facade"][0] == "fail"
