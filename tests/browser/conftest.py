"""A visitor in the system's Chromium, on a whole shop with the mock provider; strict about what the pages do."""

import itertools
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Locator, Page, Response, expect, sync_playwright

from demo.shop import ADMIN, Shop
from tests.browser.host import Host, open_host

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
# The address bar's list of suggestions is two pages of its own in each window, which nobody sees: without them a window
# costs half. Naming features takes the place of Playwright's list, so what matters of that one stands here too.
FLAGS.append(
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,AimEnabled,AvoidCorsURLLoaderRestartOnRedirect,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsFirstBalancedModeAutoEnable,HttpsUpgrades,"
    "LensOverlay,MediaRouter,NetworkTimeServiceQuerying,OptimizationHints,PaintHolding,PreconnectToSearch,"
    "ThirdPartyStoragePartitioning"
)
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)
_numbers = itertools.count(int(time.time()))


class Visitor:
    """One person with a browser of their own. `problems` are what must not happen on any page."""

    def __init__(self, shop: Shop, browser: Browser, **options: Any) -> None:
        self.shop = shop
        options = {"base_url": shop.url, "locale": "en-US", "timezone_id": "UTC", "reduced_motion": "reduce", **options}
        self.base_url: str = options["base_url"]
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("console", self._judge)
        self.page.on("response", self._judge_response)

    def _judge(self, message: Any) -> None:
        if "Content Security Policy" in message.text or "Minified React error" in message.text:
            self.problems.append(message.text)

    def _judge_response(self, response: Response) -> None:
        # An endpoint that a page relies on and that nobody serves; 402 and 404 of ours are problem documents.
        ours = response.url.startswith((self.shop.url, self.base_url))
        documented = "problem+json" in response.headers.get("content-type", "")
        if ours and response.status >= 400 and not documented:
            self.problems.append(f"{response.status} {response.request.method} {response.url}")

    def open(self, path: str, *, user: str | None = None, admin: bool = False) -> "Visitor":
        """Opens a path; with `user`, signed in by the link that `make run` prints."""
        token = f"#token={self.shop.token(user, admin=admin)}" if user else ""
        if user:
            self.page.goto("about:blank")  # A new fragment alone would not load the page again.
        self.page.goto(path + token)
        return self

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name)

    def heading(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("heading", name=name)

    def text(self, text: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_text(text)

    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def settle(self) -> None:
        """Waits until nothing on the page is loading."""
        self.page.locator("h1, h2").first.wait_for()
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def escape(self) -> None:
        """Closes the dialog on top, and waits as `closed` does."""
        self.page.keyboard.press("Escape")
        self.closed()

    def closed(self) -> None:
        """Waits until the entry that a dialog had in the history is gone: to go elsewhere before that is aborted."""
        # Not by `wait_for_function`: the pages' policy forbids it to evaluate a text.
        for _ in range(PATIENCE_MS // 50):
            if not self.page.evaluate("history.state?.bsbDialog"):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError("the dialog's entry is still in the history")

    def order(self, plan: str) -> None:
        """From the price list to the provider's page."""
        self.page.get_by_role("article", name=plan).get_by_role("button").click()
        self.button("Continue to payment").click()

    def buy(self, plan: str = "Pro", pay: str = "Pay 19") -> None:
        """From the price list through the provider's page and back."""
        self.order(plan)
        self.button(pay).click()
        self.heading(f"{plan} is yours").wait_for()

    def extend(self, sign: Callable[[dict[str, Any]], Any]) -> None:
        """Installs a Nostr extension (NIP-07) that signs so; what it raises is its refusal."""
        self.context.expose_function("extensionSigns", sign)
        self.context.add_init_script("window.nostr = {signEvent: (event) => window.extensionSigns(event)}")

    def violations(self, *rules: str, within: str = "html") -> list[str]:
        """What axe finds on the page as it is now, by these rules or by all."""
        if not rules and within == "html":
            # The page's own heading, for which there is a rule: a notice that stands above it may be there before it.
            self.page.locator("h1").first.wait_for()
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found = self.page.evaluate("([within, options]) => axe.run(within, options)", [within, options])["violations"]
        return [f"{v['id']}: {node['html'][:160]}" for v in found for node in v["nodes"]]

    def close(self) -> None:
        self.context.close()
        assert self.problems == []


def forget_plans(shop: Shop) -> None:
    """Has buyers see the plans as they are now: each function that shows them keeps its catalogue for a minute."""
    for function in ("PlansFunction", "SubscriptionStatusFunction"):
        shop.engine.kill_workers(function)


def launch(kind: BrowserType, *more: str) -> Browser:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail("Chromium is needed (Debian: apt install chromium).", pytrace=False)
    return kind.launch(executable_path=executable, args=[*FLAGS, *more])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def host_engine() -> Iterator[Host]:
    """The example host, with a shop of its own whose buyers return to it."""
    with open_host() as host:
        yield host


@pytest.fixture(scope="session")
def host_chromium(chromium: Browser, host_engine: Host) -> Iterator[Browser]:
    browser = launch(chromium.browser_type, host_engine.resolver)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def places(shop_engine: Shop, chromium: Browser) -> dict[str, str]:
    """The admin's pages by name, each with something on it."""
    # Not at the top: it is written with what stands here.
    from tests.browser.everything import fill

    return fill(shop_engine, chromium)


@pytest.fixture
def visitor(shop_engine: Shop, chromium: Browser) -> Iterator[Visitor]:
    someone = Visitor(shop_engine, chromium)
    yield someone
    someone.close()


@pytest.fixture
def guest(host_engine: Host, host_chromium: Browser) -> Iterator[Visitor]:
    """A visitor of the example host."""
    someone = Visitor(host_engine.shop, host_chromium, base_url=host_engine.url)
    yield someone
    someone.close()


@pytest.fixture
def admin(shop_engine: Shop, chromium: Browser) -> Iterator[Visitor]:
    someone = Visitor(shop_engine, chromium)
    someone.open("/console/plans", user=ADMIN, admin=True)
    yield someone
    someone.close()


@pytest.fixture
def user() -> str:
    """A user id that nobody has used."""
    return f"usr_browser_{next(_numbers)}"
