"""Every page, in both themes and at both ends of width: no violation, no overflow, nothing that a policy blocks."""

from typing import Literal

import pytest
from playwright.sync_api import Browser

from demo.shop import ADMIN, Shop
from tests.browser.buyers import on_sale
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]

BUYER = ["/pricing", "/pricing?interval=year", "/demo", "/account/billing", "/redeem", "/checkout/return", "/nowhere"]
SECTIONS = ("plans", "revenue", "users", "invoices", "vouchers", "events", "endpoints", "rollout", "audit")
OWNER = [f"/console/{section}" for section in SECTIONS]
# What scrolls sideways by itself. Two tables may, since no column of theirs can be left out: plans and months compared.
SIDEWAYS = """[...document.querySelectorAll(".bsb-scroll")]
    .filter((area) => area.scrollWidth > area.clientWidth && !area.querySelector(".bsb-compare, .chart-cohorts"))
    .map((area) => area.getAttribute("aria-label"))"""

LINES = "(all) => all.map((one) => Math.round(one.offsetHeight / parseFloat(getComputedStyle(one).fontSize)))"
# Sizes that follow from a container's are those of the last frame.
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


# The themes differ in nothing but colour.
@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
def test_pages_and_their_dialogs_are_accessible(
    shop_engine: Shop, chromium: Browser, user: str, scheme: Literal["light", "dark"], rules: tuple[str, ...]
) -> None:
    visitor = Visitor(shop_engine, chromium, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    found = {}

    def look(what: str, path: str | None = None) -> None:
        if path:
            visitor.open(path).settle()
        found[what] = visitor.violations(*rules)

    for path in BUYER:
        look(path, path)
    visitor.open("/pricing")
    visitor.button("Get Pro").click()
    look("purchase dialog")
    visitor.button("Use a key I have").click()
    look("sign-in dialog")
    visitor.open("/pricing", user=user)
    visitor.buy()
    look("after buying")
    look("billing, with a plan", "/account/billing")
    for name in ("Cancel plan", "Change plan"):
        visitor.button(name).click()
        visitor.dialog().wait_for()
        look(name)
        visitor.escape()
    visitor.open("/console/plans", user=ADMIN, admin=True)
    for path in OWNER:
        look(path, path)
    visitor.open("/console/revenue").button("What MRR means").focus()
    look("a definition")
    visitor.open("/console/plans").button("New plan").click()
    look("plan editor")
    visitor.close()
    assert {what: violations for what, violations in found.items() if violations} == {}


def test_nothing_is_wider_than_the_smallest_phone_in_any_language(shop_engine: Shop, chromium: Browser) -> None:
    visitor = Visitor(shop_engine, chromium, viewport={"width": 320, "height": 640})
    visitor.open("/pricing", user=ADMIN, admin=True)
    widths, sideways = {}, {}
    for path in BUYER + OWNER:
        visitor.open(path).settle()
        for language in ("en", "de", "es"):
            visitor.page.locator(".portal-tools select").select_option(language)
            visitor.page.locator(f"html[lang={language}]").wait_for()
            visitor.settle()
            widths[f"{path} {language}"] = visitor.page.evaluate("document.documentElement.scrollWidth")
            sideways[f"{path} {language}"] = visitor.page.evaluate(SIDEWAYS)
    visitor.close()
    assert {what: width for what, width in widths.items() if width > 320} == {}
    assert {what: found for what, found in sideways.items() if found} == {}


def test_plans_stand_in_line_whatever_they_are_called_and_cost(shop_engine: Shop, chromium: Browser) -> None:
    name = "Dampfschifffahrtsgesellschaft"
    much = {"features": {"ai.chat": {"limit": 1_250_000, "per": "month"}}, "description": "For all who like it. " * 12}
    visitor = Visitor(shop_engine, chromium, viewport={"width": 1280, "height": 900})
    with (
        on_sale(shop_engine, name, price_cents=98_765_432, currency="JPY", trial_days=30, rank=0, **much),
        on_sale(shop_engine, "Dinar", price_cents=12_340, currency="KWD", features={"wallets.max": 3}, rank=0),
        on_sale(shop_engine, "Peso", price_cents=99_999_999, currency="COP", features={"wallets.max": 3}, rank=0),
    ):
        visitor.open("/pricing").settle()
        cards = visitor.page.locator(".bsb-offers").first.get_by_role("article").all()
        boxes = [[part.bounding_box() for part in card.locator(":scope > *").all()] for card in cards]
        rows: dict[float, set[tuple[float, ...]]] = {}
        for head, *rest in boxes:
            rows.setdefault(head["y"], set()).add(tuple(round(box["y"]) for box in rest))  # type: ignore[index]
        prices = visitor.page.locator(".bsb-price").evaluate_all(LINES)
        # The column of a host can be narrower than any page.
        visitor.page.locator(".bsb-offers").first.evaluate("(one) => { one.style.inlineSize = '12rem' }")
        visitor.page.evaluate(DRAWN)
        prices += visitor.page.locator(".bsb-price").evaluate_all(LINES)
        visitor.page.locator(".bsb-offers").first.evaluate("(one) => { one.style.inlineSize = '' }")
        widths = []
        for width in (1280, 320):
            visitor.page.set_viewport_size({"width": width, "height": 640})
            widths.append(visitor.page.evaluate("document.documentElement.scrollWidth") <= width)
    visitor.close()
    assert [len(lines) for lines in rows.values()] == [1] * len(rows)
    # A price is one line high.
    assert (set(prices), widths) == ({1}, [True, True])


def test_what_is_chosen_is_seen_where_the_system_has_colours_of_its_own(shop_engine: Shop, chromium: Browser) -> None:
    visitor = Visitor(shop_engine, chromium, forced_colors="active")
    visitor.open("/pricing").settle()
    for chosen in (".bsb-segments label:has(:checked)", ".portal-nav a[aria-current]"):
        outline = "(one) => [getComputedStyle(one).outlineStyle, getComputedStyle(one).outlineColor]"
        style, colour = visitor.page.locator(chosen).evaluate(outline)
        assert style == "solid", chosen
        assert colour != "rgba(0, 0, 0, 0)", chosen
    visitor.close()


def test_a_navigation_to_the_api_of_the_admin_finds_the_pages(shop_engine: Shop, chromium: Browser) -> None:
    visitor = Visitor(shop_engine, chromium)
    visitor.open("/admin/plans")
    assert visitor.page.url.endswith("/console/plans")
    visitor.close()
