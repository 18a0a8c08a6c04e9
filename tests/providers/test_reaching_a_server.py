"""How a bitcoin provider is reached: where real money is at stake, by a proxy, with a certificate of its own."""

from pathlib import Path
from typing import Any

import pytest

from billing.errors import NotConfigured, ProviderError
from billing.providers import bitpay, btcpay
from billing.providers.rest import Rest, Way
from billing.settings import Settings
from fakes.base import Answer, App, Request, Server

BTCPAY = {"STAGE": "prod", "BTCPAY_STORE_ID": "s", "BTCPAY_API_KEY": "k"}
BITPAY = {"BITPAY_API_KEY": "k", "PUBLIC_URL": "https://api.test"}


@pytest.mark.parametrize("url", ["https://btcpay.example.com", "http://abcdefghijklmnop.onion"])
def test_prod_reaches_a_server_by_an_encrypted_way(url: str) -> None:
    assert btcpay.connect(Settings({**BTCPAY, "BTCPAY_URL": url}))


@pytest.mark.parametrize("url", ["http://btcpay.example.com", "btcpay.example.com", "http://x.onion.example.com"])
def test_prod_reaches_no_server_in_the_clear(url: str) -> None:
    with pytest.raises(NotConfigured, match="https://"):
        btcpay.connect(Settings({**BTCPAY, "BTCPAY_URL": url}))
    assert btcpay.connect(Settings({**BTCPAY, "STAGE": "dev", "BTCPAY_URL": url}))


@pytest.mark.parametrize(
    ("stage", "livemode", "url", "refused"),
    [
        ("prod", "true", "", False),
        ("prod", "true", "https://bitpay.com/", False),
        ("prod", "true", "https://test.bitpay.com", True),
        ("prod", "false", "http://127.0.0.1:8722", True),
        ("dev", "true", "https://test.bitpay.com", True),
        ("dev", "false", "https://bitpay.com", False),
        ("local", "false", "http://127.0.0.1:8722", False),
    ],
)
def test_test_coins_open_no_live_plan(stage: str, livemode: str, url: str, refused: bool) -> None:
    settings = Settings({**BITPAY, "STAGE": stage, "LIVEMODE": livemode, "BITPAY_URL": url})
    if refused:
        with pytest.raises(NotConfigured, match="BITPAY_URL"):
            bitpay.connect(settings)
    else:
        assert bitpay.connect(settings)


def test_an_invoice_of_the_other_mode_is_refused_wherever_it_is_read() -> None:
    client = bitpay.BitPay(
        url="https://bitpay.com",
        token="t",
        merchant_token="",
        merchant_key="",
        notification_url="https://api.test/hook",
        livemode=True,
    )
    test_invoice = {"id": "inv", "url": "https://test.bitpay.com/invoice?id=inv"}
    client._rest.read = lambda *_, **__: {"data": test_invoice}  # type: ignore[method-assign]
    with pytest.raises(ProviderError, match="is of test mode"):
        client._read("inv")


def test_a_proxy_of_another_kind_is_refused() -> None:
    env = {**BTCPAY, "BTCPAY_URL": "http://abc.onion", "BTCPAY_PROXY": "socks5h://127.0.0.1:9050"}
    with pytest.raises(NotConfigured, match="HTTP proxy"):
        btcpay.connect(Settings(env))


class Remembering(App):
    """Answers everything, and remembers for whom it was meant."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer, self.asked = answer, list[str]()

    def handle(self, request: Request) -> Answer:
        self.asked.append(request.target)
        return self.answer


def words(_: Any) -> Any:
    return iter(())


def test_a_proxy_is_asked_for_the_server() -> None:
    app = Remembering(Answer(200, b"{}", {}))
    with _serving(app) as url:
        rest = Rest("BTCPay Server", "http://abc.onion", {}, words, way=Way(proxy=url))
        assert rest.read("/api/v1/server/info") == {}
    assert app.asked == ["http://abc.onion/api/v1/server/info"]


def test_a_redirect_says_where_it_points() -> None:
    app = Remembering(Answer(301, b"", {"Location": "https://btcpay.example.com/api"}))
    with _serving(app) as url, pytest.raises(ProviderError, match=r"points to https://btcpay\.example\.com/api"):
        Rest("BTCPay Server", url, {}, words).read("/api")


def test_certificates_of_its_own_are_trusted_in_place_of_the_public_ones() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    app = Remembering(Answer(200, b"{}", {}))
    with _serving(app) as url:
        rest = Rest("BTCPay Server", url, {}, words, way=Way(ca=pem))
        rest.read("/")
        assert Path(rest._session.verify).read_text() == pem
        named = Rest("BTCPay Server", url, {}, words, way=Way(ca="/etc/ssl/own.pem"))
        named.read("/")
        assert named._session.verify == "/etc/ssl/own.pem"


class _serving:  # noqa: N801
    """Serves an app that has no webhooks."""

    def __init__(self, app: App) -> None:
        from fakes.base import Webhooks

        app.webhooks = Webhooks(app.clock, lambda *_: (b"", {}), retry_after=())
        self._server = Server(app)

    def __enter__(self) -> str:
        return self._server.__enter__().url

    def __exit__(self, *error: Any) -> None:
        self._server.__exit__(*error)
