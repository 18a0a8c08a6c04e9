"""Nothing moves while a page loads, be the network and the machine ever so slow, and what is side by side fits."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from demo.shop import Shop
from tests.browser.buyers import on_sale
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]

MOST = 0.05
# Layout shifts that nobody's click caused, summed by the browser itself, with what moved.
WATCH = """
window.shifted = 0;
window.movers = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) {
    window.shifted += entry.value;
    for (const {node} of entry.sources) window.movers.push(node?.className || node?.nodeName);
  }
}).observe({type: "layout-shift", buffered: true});
"""
# A phone in a train: 400 kbit/s, 400 ms to the first byte of anything, and half the speed of this machine.
TRAIN = {"latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000, "offline": False}


class Slow(Visitor):
    """A visitor on a slow network and machine, without a cache, who sees what moves."""

    def __init__(self, shop: Shop, browser: Browser, width: int) -> None:
        super().__init__(shop, browser, viewport={"width": width, "height": 900}, reduced_motion="no-preference")
        self.context.add_init_script(WATCH)
        self._tools = self.context.new_cdp_session(self.page)

    def slow_down(self) -> None:
        self._tools.send("Network.enable")
        self._tools.send("Network.emulateNetworkConditions", TRAIN)
        self._tools.send("Emulation.setCPUThrottlingRate", {"rate": 2})

    def fresh(self, path: str) -> None:
        self._tools.send("Network.clearBrowserCache")
        self.open(path).settle()

    def moved(self) -> tuple[float, list[str]]:
        # What comes late comes within this; a wait for nothing has no state to wait for.
        self.page.wait_for_timeout(1000)
        shifted, movers = self.page.evaluate("[window.shifted, window.movers]")
        return round(shifted, 3), movers


@pytest.fixture(params=[390, 1280])
def slow(request: pytest.FixtureRequest, shop_engine: Shop, chromium: Browser) -> Iterator[Slow]:
    someone = Slow(shop_engine, chromium, request.param)
    yield someone
    someone.close()


def test_pages_stand_still_from_their_first_text_on(slow: Slow, user: str) -> None:
    slow.open("/pricing", user=user)
    slow.buy()
    slow.slow_down()
    found = {}
    for path in ("/pricing", "/account/billing", "/demo", "/redeem", "/checkout/return"):
        slow.fresh(path)
        found[path] = slow.moved()
    assert {path: moved for path, moved in found.items() if moved[0] > MOST} == {}


def test_coming_back_from_the_checkout_and_an_invoice_stand_still(slow: Slow, user: str) -> None:
    slow.open("/pricing", user=user)
    slow.order("Plus")
    slow.button("Pay 9").wait_for()
    slow.slow_down()
    slow.button("Pay 9").click()
    slow.heading("Plus is yours").wait_for()
    returned = slow.moved()
    slow.fresh("/pricing")
    slow.page.get_by_role("article", name="Tax year 2026").get_by_role("button").click()
    slow.page.get_by_role("radio", name="Bitcoin").check()
    slow.button("Continue to payment").click()
    slow.page.get_by_role("timer").wait_for()
    invoice = slow.moved()
    assert {what: moved for what, moved in (("return", returned), ("invoice", invoice)) if moved[0] > MOST} == {}


def test_four_plans_stand_in_one_row_at_1280_and_fit(slow: Slow) -> None:
    assert slow.page.viewport_size is not None
    width = slow.page.viewport_size["width"]
    team = {"price_cents": 4900, "rank": 30, "description": "For a few people together."}
    with on_sale(slow.shop, "Team", **team, features={"wallets.max": 100}):
        slow.slow_down()
        slow.fresh("/pricing")
        cards = slow.page.locator(".bsb-offer")
        expect(cards.get_by_role("heading", name="Team")).to_be_visible()
        boxes = [card.bounding_box() for card in cards.all()[:4]]
        tops = [box["y"] for box in boxes if box]
        ends = [box["x"] + box["width"] for box in boxes if box]
        shifted, movers = slow.moved()
        assert (shifted <= MOST, slow.violations()) == (True, []), movers
    assert len(tops) == 4
    assert max(ends) <= width
    assert width < 1280 or len(set(tops)) == 1
