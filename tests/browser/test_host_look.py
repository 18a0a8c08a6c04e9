"""Our components inside a page of somebody else: its look stays its own, and ours takes after it."""

from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visitor
from tests.browser.host import SOURCE, Host, packed

pytestmark = [pytest.mark.browser, pytest.mark.sweep]
PAGES = ["/", "/pricing", "/account/billing", "/checkout/return"]
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
Scheme = Literal["light", "dark"]

# Every computed property of every element that is the host's.
HOSTS_OWN = """() => {
    document.querySelectorAll(".bsb").forEach((element) => element.remove());
    return [document.documentElement, ...document.querySelectorAll("body, body *")].map((element) => {
        const style = getComputedStyle(element);
        return [element.outerHTML.slice(0, 80), Object.fromEntries([...style].map((name) => [name, style[name]]))];
    });
}"""
STYLE = "(element, names) => names.map((name) => getComputedStyle(element)[name])"


@SCHEMES
def test_the_look_of_the_host_is_the_same_with_our_stylesheet_and_without(
    host_engine: Host, host_chromium: Browser, scheme: Scheme
) -> None:
    def looks(*, ours: bool) -> list[tuple[str, dict[str, str]]]:
        visitor = Visitor(host_engine.shop, host_chromium, base_url=host_engine.url, color_scheme=scheme)
        if not ours:
            own = (SOURCE / "app" / "globals.css").read_text()
            visitor.context.route("**/*.css", lambda route: route.fulfill(body=own, content_type="text/css"))
        seen = []
        for path in PAGES:
            visitor.open(path).settle()
            seen += visitor.page.evaluate(HOSTS_OWN)
        visitor.close()
        return seen

    with_ours, without = looks(ours=True), looks(ours=False)
    assert [element for element, _ in with_ours] == [element for element, _ in without]
    differences = [
        (element, name, mine.get(name), value)
        for (element, mine), (_, plain) in zip(with_ours, without, strict=True)
        for name, value in plain.items()
        if mine.get(name) != value
    ]
    assert differences == []


@SCHEMES
def test_the_components_take_after_the_host(guest: Visitor, scheme: Scheme) -> None:
    guest.page.emulate_media(color_scheme=scheme)
    guest.open("/").settle()
    pairs = {
        ".bsb-button-primary": ("main button:not(.quiet)", ["backgroundColor", "color", "fontFamily"]),
        ".bsb-card": (".panel", ["backgroundColor", "color", "fontFamily"]),
        ".bsb-locked h2": ("#report", ["color", "fontFamily"]),
    }
    for ours, (hosts, names) in pairs.items():
        of = [guest.page.locator(selector).first.evaluate(STYLE, names) for selector in (ours, hosts)]
        assert of[0] == of[1], ours
    card = guest.page.locator(".bsb-card")
    (colour,) = card.evaluate(STYLE, ["backgroundColor"])
    guest.button("Theme").click()
    expect(card).not_to_have_css("background-color", colour)


def test_rules_of_the_host_for_bare_elements_do_not_reach_into_the_components(guest: Visitor) -> None:
    guest.open("/").settle()
    button, heading = guest.page.locator(".bsb-button").first, guest.page.locator(".bsb h2")
    assert button.evaluate(STYLE, ["textTransform", "letterSpacing"]) == ["none", "normal"]
    assert heading.evaluate(STYLE, ["marginTop", "marginBottom"]) == ["0px", "0px"]
    button.click()
    about = guest.dialog().locator("label .bsb-small").first
    assert about.evaluate(STYLE, ["fontWeight"]) == ["400"]


# The themes differ in nothing but colour.
@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
def test_the_components_are_accessible_in_the_hosts_colours(
    host_engine: Host, host_chromium: Browser, scheme: Scheme, rules: tuple[str, ...]
) -> None:
    visitor = Visitor(host_engine.shop, host_chromium, base_url=host_engine.url, color_scheme=scheme)
    found = {}
    for path in PAGES:
        visitor.open(path).settle()
        found[path] = visitor.violations(*rules, within=".bsb")
    visitor.open("/").settle()
    visitor.page.get_by_role("button", name="Today's insight (Plus)", exact=True).click()
    visitor.dialog().get_by_role("button", name="Unlock with Plus").click()
    visitor.button("Continue to payment").wait_for()
    found["dialogs"] = visitor.violations(*rules, within=".bsb")
    visitor.button("Continue to payment").click()
    visitor.button("Pay 9").click()
    visitor.heading("Plus is yours").wait_for()
    visitor.open("/account/billing").settle()
    found["billing, with a plan"] = visitor.violations(*rules, within=".bsb")
    visitor.close()
    assert {what: violations for what, violations in found.items() if violations} == {}


@pytest.mark.parametrize(
    ("package", "files"),
    [
        ("api-client", {"dist/index.js", "dist/index.d.ts", "dist/schema.d.ts"}),
        (
            "billing-react",
            {f"dist/{m}.{kind}" for m in ("index", "gate", "signers/index", "messages/de") for kind in ("js", "d.ts")}
            | {"dist/styles.css"},
        ),
        ("entitlements", {f"dist/{module}.{kind}" for module in ("index", "next", "node") for kind in ("js", "d.ts")}),
    ],
)
def test_a_package_holds_what_it_exports_its_licence_and_no_tests(
    host_engine: Host, package: str, files: set[str]
) -> None:
    listed = packed(package)
    assert files | {"LICENSE", "README.md", "package.json"} <= listed
    assert not {path for path in listed if "test" in path or path.startswith("src/")}
