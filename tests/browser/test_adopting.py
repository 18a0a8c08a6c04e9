"""docs/adopt.md, done: a fresh host sells, and does not mistake a service that is away for a customer who is gone."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, expect

from demo.shop import ADMIN, Shop, open_shop
from fakes.base import Server
from tests.browser import adopted
from tests.browser.adopted import Line, serve
from tests.browser.conftest import Visitor, launch
from tests.browser.host import API, TOKEN_SECONDS, Model

pytestmark = [pytest.mark.browser, pytest.mark.sweep]
ANSWER = "You spent 0.0042 BTC."
LOCKED = "Enhanced tax report is not in your plan"
UNKNOWN = "This could not be checked"


@dataclass(frozen=True, slots=True)
class Adopted:
    folder: Path
    url: str
    shop: Shop
    line: Line
    model: Model
    added: tuple[int, int]

    def set_flag(self, percent: int) -> None:
        version = self.shop.call("GET", "/admin/flags", user=ADMIN, admin=True).json()["version"]
        body = {"percent": percent, "allow": [], "version": version}
        self.shop.call("PUT", "/admin/flags/billing", body, user=ADMIN, admin=True).raise_for_status()

    def post(self, visitor: Visitor) -> tuple[int, float]:
        """What the gated route answers this visitor, and how long it takes."""
        began = time.monotonic()
        return visitor.page.request.post("/api/report").status, time.monotonic() - began


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adopted]:
    folder = tmp_path_factory.mktemp("adopting")
    fresh = adopted.fresh(folder / "host", adopted.packages(folder / "packages"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    adopted.build(fresh)
    with serve(fresh, url, "http://127.0.0.1:9", "http://127.0.0.1:9"):
        before = adopted.weight(f"{url}/about")
    adopted.adopt(fresh)
    adopted.build(fresh, NEXT_PUBLIC_BILLING_API_URL=API)
    with serve(fresh, url, "http://127.0.0.1:9", "http://127.0.0.1:9"):
        scripts, styles = adopted.weight(f"{url}/about")
    parameters = {"EntitlementTokenSeconds": str(TOKEN_SECONDS), "PublicUrl": API, "PortalUrl": url}
    model = Model()
    with open_shop(enforce_policies=True, parameters=parameters) as shop, Server(model):
        line = Line(shop.url)
        try:
            yield Adopted(fresh, url, shop, line, model, (scripts - before[0], styles - before[1]))
        finally:
            line.close()


@pytest.fixture(scope="module")
def browser(chromium: Browser, host: Adopted) -> Iterator[Browser]:
    rules = f"MAP {API.removeprefix('http://')}:80 {host.line.url.removeprefix('http://')}"
    started = launch(chromium.browser_type, f"--host-resolver-rules={rules}")
    yield started
    started.close()


@pytest.fixture
def guest(host: Adopted, browser: Browser) -> Iterator[Visitor]:
    host.line.be("up")
    someone = Visitor(host.shop, browser, base_url=host.url)
    yield someone
    someone.close()


def test_the_page_adds_at_most_120_lines() -> None:
    assert adopted.added_lines() <= 120


def test_a_page_without_a_gate_grows_by_little(host: Adopted) -> None:
    scripts, styles = host.added
    assert 0 < scripts <= 10_000
    assert styles <= 2_000


def test_at_0_percent_the_host_is_as_it_was(guest: Visitor, host: Adopted) -> None:
    host.set_flag(0)
    asked: list[str] = []
    guest.page.on("request", lambda request: asked.append(request.url))
    with serve(host.folder, host.url, host.line.url, host.model.url):
        guest.open("/report")
        guest.button("Make the report").click()
        expect(guest.text(ANSWER)).to_be_visible()
        spent = host.model.calls
        guest.button("Insight").click()
        expect(guest.text(ANSWER)).to_be_visible()
        assert guest.page.get_by_role("link", name="Pricing").count() == 0
        assert host.post(guest)[0] == 200
        assert host.model.calls >= spent + 1
    assert {url for url in asked if url.startswith(API)} == {f"{API}/billing/config"}
    assert guest.context.cookies() == []


def test_at_100_percent_it_sells_and_unknown_is_never_no(guest: Visitor, host: Adopted) -> None:
    host.set_flag(100)
    with serve(host.folder, host.url, host.line.url, host.model.url):
        _sells(guest, host)
        _away(guest, host)
        _hanging(guest, host)
        _back(guest, host)


def _sells(guest: Visitor, host: Adopted) -> None:
    guest.open("/report")
    expect(guest.heading(LOCKED)).to_be_visible()
    spent = host.model.calls
    guest.button("Insight").click()
    expect(guest.dialog().get_by_role("button", name="Unlock with Plus")).to_be_focused()
    guest.button("Close").click()
    assert (requests.post(f"{host.url}/api/report", timeout=10).status_code, host.model.calls) == (402, spent)
    guest.page.get_by_role("link", name="Pricing").click()
    guest.buy("Pro", "Pay 19")
    guest.open("/account/billing")
    expect(guest.text("Renews for $19.00")).to_be_visible()
    guest.open("/report")
    guest.button("Make the report").click()
    expect(guest.text(ANSWER)).to_be_visible()
    guest.button("Insight").click()
    expect(guest.text(ANSWER)).to_be_visible()


def _away(guest: Visitor, host: Adopted) -> None:
    """A yes holds for the life of its token; then nobody can say, and nobody says no."""
    assert host.post(guest)[0] == 200
    host.line.be("away")
    assert host.post(guest)[0] == 200
    guest.page.reload()
    expect(guest.heading(UNKNOWN)).to_be_visible()
    assert guest.heading(LOCKED).count() == 0
    deadline = time.monotonic() + TOKEN_SECONDS + 2
    while host.post(guest)[0] != 503:
        assert time.monotonic() < deadline, "it stayed open beyond the lifetime of a token"
        time.sleep(0.2)
    guest.button("Insight").click()
    expect(guest.dialog().get_by_role("heading", name=UNKNOWN)).to_be_visible(timeout=30_000)
    guest.dialog().get_by_role("button", name="Close").first.click()
    guest.closed()


def _hanging(guest: Visitor, host: Adopted) -> None:
    host.line.be("up")
    host.line.be("hanging")
    guest.page.reload()
    expect(guest.heading(UNKNOWN)).to_be_visible(timeout=30_000)
    assert guest.heading(LOCKED).count() == 0
    answers = [host.post(guest) for _ in range(4)]
    assert {status for status, _ in answers} == {503}
    # One wait for all of them: whoever came next was answered at once.
    assert sum(seconds for _, seconds in answers) < 3 * 3


def _back(guest: Visitor, host: Adopted) -> None:
    host.line.be("up")
    expect(guest.button("Make the report")).to_be_visible(timeout=60_000)
    deadline = time.monotonic() + 20
    while host.post(guest)[0] != 200:
        assert time.monotonic() < deadline, "the host does not notice that the service is back"
        time.sleep(0.5)
