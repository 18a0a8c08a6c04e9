"""No dead button: whatever can be pressed on an admin page does something, and an act that fails says that it failed.

Acts are refused before they leave the page, as by a service that has a fault: what was pressed is seen by the refusal
and by the words that follow it, and everything stays to be pressed. What only looks, or shows an effect first, is
answered. The refusal is the page's own `fetch`, because requests that a test intercepts are never cached, and pages
that load anew for every press would cost twice as much.
"""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, TimeoutError, expect

from demo.shop import ADMIN, Shop
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]
PAGES = (
    "plans editor versions revenue users customer leaving short invoices vouchers batch events quarantined aside "
    "deliveries rollout audit"
).split()
# Nobody has a plan of which there are two versions.
WAITING = {"plans": ["BUTTON  Start"]}
# The links to the sections are the same on every page. The one to the present section leads nowhere, so these two.
ALL_SECTIONS = ("plans", "audit")
FAULT = {"type": "about:blank", "title": "Fault", "status": 500, "code": "unexpected"}
PATIENCE_MS = 5_000
# Answers acts with the fault, and keeps what they were.
REFUSE = f"""(() => {{
  const ask = window.fetch;
  window.refused = [];
  window.fetch = async (input, init) => {{
    const request = new Request(input, init);
    const path = new URL(request.url).pathname;
    const body = request.method === "GET" ? null : await request.clone().json().catch(() => null);
    const looks = request.method === "GET" || body?.dry_run || path.includes("preview");
    if (looks || !path.startsWith("/admin/")) return ask(request);
    window.refused.push(`${{request.method}} ${{path}}`);
    const headers = {{"content-type": "application/problem+json"}};
    return new Response({json.dumps(json.dumps(FAULT))}, {{status: 500, headers}});
  }};
}})()"""
# Names what can be pressed inside a part of the page: each kind once, whatever ids, names and amounts it bears.
NAMED = """(part, within) => {
  const seen = new Set(), waiting = new Set();
  const pressed = "a[href], button, summary, select, input[type=checkbox], input[type=radio]";
  for (const one of part.querySelectorAll(pressed)) {
    const at = one.matches("input") && one.closest("label") ? one.closest("label") : one;
    const text = at.cloneNode(true);
    text.querySelectorAll(".bsb-hidden, select option").forEach((hidden) => hidden.remove());
    const said = one.matches(".figure-cell, .definition-button, .admin-id") ? "" : one.ariaLabel || text.textContent;
    const kind = one.matches(".bsb-button") ? "" : one.className;
    const name = [one.closest(".admin-nav") ? "NAV" : one.tagName, kind, said.replace(/[\\d.,$–-]+/g, "#")].join(" ");
    const off = one.ariaDisabled === "true" || one.ariaCurrent || one.checked && one.type === "radio";
    if (off || !at.checkVisibility() || Boolean(one.closest("dialog")) !== within || seen.has(name)) continue;
    seen.add(name);
    if (one.disabled) waiting.add(name);
    at.dataset.named = name;
  }
  // First what waits for a change: the page is as it was loaded.
  return [...seen].sort((one, other) => waiting.has(other) - waiting.has(one));
}"""
# All that can be seen to change. Where the focus is does not count.
LOOKS = """() => location.href + document.body.innerHTML
  + [...document.querySelectorAll("input, select, details")].map((one) => [one.checked, one.value, one.open])"""


class Hand:
    """Presses, and knows what came of it."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.page = visitor, visitor.page
        self.happened: list[str] = []
        # What waits for something that cannot be had here.
        self.waiting: list[str] = []
        self.page.context.add_init_script(REFUSE)
        self.page.on("request", self._asked)
        self.page.on("download", lambda download: self.happened.append(f"download {download.suggested_filename}"))
        self.page.context.on("page", self._opened)

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).path.startswith(("/admin/", "/billing/")):
            self.happened.append(f"{request.method} {request.url}")

    def _opened(self, page: Page) -> None:
        self.happened.append(f"page {page.url}")
        page.close()

    @property
    def refused(self) -> list[str]:
        """The acts that were refused since the page was loaded."""
        return list(self.page.evaluate("window.refused"))

    def named(self, within: str = "main") -> list[str]:
        """What can be pressed there now."""
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)
        part = self.page.locator(within).last
        return list(part.evaluate(NAMED, within == "dialog"))

    def press(self, name: str, within: str = "main") -> bool:
        """Whether anything came of it."""
        part = self.page.locator(within).last
        control = part.locator(f"[data-named={json.dumps(name, ensure_ascii=False)}]")
        # What was drawn anew meanwhile bears its name no more.
        if control.count() == 0 and name not in self.named(within):
            return True
        self._fill_in(control)
        if control.is_disabled() and not self._make_it_wait_no_longer(control):
            self.waiting.append(name)
            return True
        before, refused = self.page.evaluate(LOOKS), self.refused
        self.happened.clear()
        if control.evaluate("(one) => one.matches('select')"):
            others = control.evaluate("(one) => [...one.options].filter((o) => !o.selected).map((o) => o.value)")
            if not others:
                return True
            control.select_option(others[0])
        else:
            try:
                control.click(timeout=PATIENCE_MS)
            except TimeoutError:
                # What was pressed before took it away just now.
                if control.count() == 0:
                    return True
                raise
        for _ in range(PATIENCE_MS // 50):
            if self.happened or self.page.evaluate(LOOKS) != before or self.refused != refused:
                return True
            self.page.wait_for_timeout(50)
        return False

    def says_that_it_failed(self) -> None:
        alert = self.page.get_by_role("alert").filter(has_text="Something went wrong on our side.").first
        expect(alert).to_be_visible()

    def _fill_in(self, control: Locator) -> None:
        """What a form that is sent by it still lacks, and then what those choices ask for."""
        form = control.locator("xpath=ancestor::*[self::form or self::dialog][1]")
        if form.count() == 0:
            return
        self._fill_fields(form)
        self._fill_fields(form)

    def _make_it_wait_no_longer(self, control: Locator) -> bool:
        """Waits for an effect that it waits for, or makes a change: any, or the very word that a label asks for."""
        for _ in range(PATIENCE_MS // 50):
            if control.is_enabled():
                return True
            self.page.wait_for_timeout(50)
        form = control.locator("xpath=ancestor::*[self::form or self::dialog][1]")
        if form.count() == 0:
            return False
        asked = re.findall(r"[\w-]+", " ".join(form.locator("label").all_text_contents()))
        named = form.page.locator("dialog .bsb-mono").all_text_contents()
        for field in form.locator("input.bsb-input:not([readonly], [type=number])").all():
            for word in (*named, *asked):
                field.fill(word)
                if control.is_enabled():
                    return True
        return False

    def _fill_fields(self, form: Locator) -> None:
        # By handle: what one choice takes away is no longer there to be asked for.
        for field in form.element_handle().query_selector_all("input, textarea, select"):
            kind, value = field.evaluate("(one) => [one.type, one.value]")
            # What stands aside (`details`) may be left out.
            aside = field.evaluate("(one) => Boolean(one.closest('details'))")
            if value or aside or not field.is_visible() or not field.is_enabled():
                continue
            if field.get_attribute("inputmode") == "decimal":
                field.fill("1")
            elif kind in ("text", "search", "textarea", "url"):
                field.fill("https://host.example/in" if kind == "url" else "something")
            elif kind == "number":
                field.fill("1")
            elif kind == "select-one":
                field.select_option(index=1)


@pytest.fixture
def hand(shop_engine: Shop, chromium: Browser, places: dict[str, str]) -> Iterator[Hand]:
    visitor = Visitor(shop_engine, chromium)
    visitor.open("/console/rollout", user=ADMIN, admin=True).settle()
    yield Hand(visitor)
    # What was refused here was refused by this test.
    visitor.close()


@pytest.mark.parametrize("place", PAGES)
def test_whatever_can_be_pressed_does_something(hand: Hand, places: dict[str, str], place: str) -> None:
    dialogs = hand.page.locator("dialog")

    def fresh() -> list[str]:
        if dialogs.count() == 0:
            hand.visitor.closed()
        hand.page.goto(places[place])
        hand.visitor.settle()
        return hand.named()

    dead: list[str] = []

    def press(name: str, within: str = "main") -> None:
        if not hand.press(name, within):
            dead.append(f"{within}: {name}")
        if hand.refused:
            hand.says_that_it_failed()

    there = [name for name in fresh() if place in ALL_SECTIONS or not name.startswith("NAV")]
    address = hand.page.url
    for name in there:
        # What was refused stays said: the next refusal has to be seen by itself.
        now = fresh() if hand.refused or dialogs.count() or hand.page.url != address else hand.named()
        if name not in now:
            continue
        press(name)
        for inner in hand.named("dialog") if dialogs.count() else []:
            if hand.refused or dialogs.count() == 0:
                fresh()
                hand.press(name)
            if inner in hand.named("dialog"):
                press(inner, "dialog")
    assert dead == []
    assert hand.waiting == WAITING.get(place, [])
