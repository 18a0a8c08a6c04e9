"""The example host in headless Chromium: what is not bought stays shut, and nobody pays for its model meanwhile."""

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from demo.shop import Shop
from person import Person

pytestmark = pytest.mark.browser
FRONTEND = Path(__file__).parents[2] / "frontend"
HOST = FRONTEND / "examples" / "next-host"
TOKEN_SECONDS = 6  # of the shop the tests run against


class Model:
    """The expensive function behind the host, and how often it was called."""

    def __init__(self) -> None:
        self.calls = 0
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                model.calls += 1
                self.rfile.read(int(self.headers.get("content-length") or 0))
                body = b"You spent 0.0042 BTC."
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    served = Model()
    thread = threading.Thread(target=served.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def host(shop_engine: Shop, model: Model) -> Iterator[str]:
    """The host's production server, which knows the billing API's address and nothing else of it."""
    _build()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "BILLING_API_URL": shop_engine.url,
        "AI_URL": model.url,
        "INSECURE_COOKIES": "1",
        "NEXT_TELEMETRY_DISABLED": "1",
    }
    command = ["node", FRONTEND / "node_modules/next/dist/bin/next", "start", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, cwd=HOST, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/billing/session")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def _build() -> None:
    """Builds the package and the host, unless they are newer than their sources."""
    built = HOST / ".next" / "BUILD_ID"
    folders = [FRONTEND / "packages" / "entitlements" / "src", HOST / "app", HOST / "lib"]
    sources = [HOST / "next.config.ts", *(path for folder in folders for path in folder.rglob("*.ts*"))]
    if built.exists() and built.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return
    environment = {**os.environ, "NEXT_TELEMETRY_DISABLED": "1"}
    for command in ("build -w @bitsleuth/entitlements", "build:host -w @bitsleuth/example-next-host"):
        done = subprocess.run(
            ["npm", "run", *command.split()], cwd=FRONTEND, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    pytest.fail("the example host did not start")


@pytest.fixture
def page(chromium: Browser, host: str) -> Iterator[Page]:
    context = chromium.new_context(base_url=host)
    shown = context.new_page()
    shown.goto("/")
    yield shown
    context.close()


@pytest.fixture
def person(shop_engine: Shop) -> Person:
    somebody = Person(shop_engine)
    assert somebody.sign_in().ok
    return somebody


def sign_in(page: Page, person: Person) -> None:
    page.get_by_label("Session token").fill(person.tokens["session_token"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_test_id("session")).to_have_text(re.compile("Plan: "))


@pytest.mark.parametrize("button", ["Ask", "Report", "Insight"])
def test_without_a_token_everything_is_locked_and_nothing_is_spent(page: Page, model: Model, button: str) -> None:
    before = model.calls
    page.get_by_role("button", name=button).click()
    expect(page.get_by_test_id("locked")).to_contain_text("is locked")
    assert model.calls == before


def test_a_route_answers_402_to_a_bare_call_before_it_reads_the_body(host: str, model: Model) -> None:
    before = model.calls
    answer = requests.post(f"{host}/api/chat", data="x" * 100_000, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (402, "feature_locked")
    assert model.calls == before


def test_the_shell_is_cached_for_everybody_and_sets_no_cookie(host: str) -> None:
    shell = requests.get(host, timeout=10)
    assert "s-maxage=300" in shell.headers["cache-control"]
    assert "set-cookie" not in shell.headers


def test_the_free_allowance_works_and_what_is_not_in_it_offers_plans(page: Page, person: Person, model: Model) -> None:
    sign_in(page, person)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("status")).to_contain_text("0.0042 BTC")
    spent = model.calls
    page.get_by_role("button", name="Report").click()
    expect(page.get_by_test_id("locked")).to_contain_text("Pro")
    assert model.calls == spent


def test_metered_use_is_reported_after_the_response(page: Page, person: Person) -> None:
    sign_in(page, person)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("status")).to_contain_text("0.0042 BTC")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        held = person.call("GET", "/billing/entitlements").json()["entitlements"]
        if next(e["remaining"] for e in held if e["feature"] == "ai.chat") == 4:
            return
        time.sleep(0.1)
    pytest.fail("the use was not reported")


def test_a_purchase_opens_within_a_second_of_the_return_and_a_refund_closes_within_the_stated_bound(
    page: Page, person: Person, shop_engine: Shop, model: Model
) -> None:
    sign_in(page, person)
    report = page.get_by_role("button", name="Report")
    report.click()
    expect(page.get_by_test_id("locked")).to_be_visible()

    person.buy("tax-2026")
    returned = time.monotonic()
    report.click()
    expect(page.get_by_role("status")).to_contain_text("0.0042 BTC", timeout=5000)
    opened = time.monotonic() - returned
    assert opened < 1, f"it took {opened:.2f} s"

    purchase = next(
        name
        for name, thing in shop_engine.mock.objects.items()
        if thing.get("user_id") == person.tokens["user_id"] and name.startswith("pur")
    )
    shop_engine.mock.act(purchase, "refund")
    shop_engine.mock.webhooks.wait_idle()
    _until_refunded(person)
    refunded = time.monotonic()
    while page.request.post("/api/report").status != 402:
        assert time.monotonic() - refunded < TOKEN_SECONDS + 1, "it stayed open beyond the lifetime of a token"
        time.sleep(0.1)
    spent = model.calls
    report.click()
    expect(page.get_by_test_id("locked")).to_be_visible()
    assert model.calls == spent


def _until_refunded(person: Person) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        held = person.call("GET", "/billing/entitlements").json()["entitlements"]
        if "tax.enhanced" not in {e["feature"] for e in held}:
            return
        time.sleep(0.05)
    pytest.fail("the refund did not arrive")
