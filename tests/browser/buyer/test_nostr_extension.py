"""Signing in with a Nostr extension (NIP-07): a key that neither the pages nor the service ever see."""

from typing import Any

import pytest
from coincurve import PrivateKey
from playwright.sync_api import expect

from person import Person, signed
from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.sweep]


def test_the_key_of_an_extension_opens_its_account_and_buys(visitor: Visitor) -> None:
    key = PrivateKey()
    asked: list[dict[str, Any]] = []
    visitor.extend(lambda event: (asked.append(event), signed(event, key))[1])
    visitor.open("/account/billing").button("Use my Nostr extension").click()
    person = Person(visitor.shop, key)
    assert person.sign_in().ok
    expect(visitor.text(person.tokens["user_id"])).to_be_visible()
    expect(visitor.text("Back up your billing key")).to_have_count(0)
    assert [(event["kind"], sorted(tag[0] for tag in event["tags"])) for event in asked] == [
        (27235, ["method", "payload", "u"])
    ]
    visitor.open("/pricing")
    visitor.buy()
    held = person.call("GET", "/billing/entitlements").json()["entitlements"]
    assert "tax.enhanced" in {entitlement["feature"] for entitlement in held}
    assert visitor.page.evaluate("localStorage.getItem('bitsleuth-billing-key')") is None


def test_an_extension_that_refuses_is_told_and_can_be_asked_again(visitor: Visitor) -> None:
    key = PrivateKey()
    answers: list[Any] = [RuntimeError("User rejected"), None, key]

    def sign(event: dict[str, Any]) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer and signed(event, answer)

    visitor.extend(sign)
    visitor.open("/account/billing")
    for _ in ("declined", "closed without an answer"):
        visitor.button("Use my Nostr extension").click()
        expect(visitor.text("Your Nostr extension did not sign")).to_be_visible()
    expect(visitor.heading("Your key")).to_have_count(0)
    visitor.button("Use my Nostr extension").click()
    expect(visitor.heading("Your key")).to_be_visible()


def test_a_signature_over_something_else_is_refused_by_the_service(visitor: Visitor) -> None:
    key = PrivateKey()
    visitor.extend(lambda event: {**signed(event, key), "sig": signed({**event, "content": "other"}, key)["sig"]})
    visitor.open("/account/billing").button("Use my Nostr extension").click()
    expect(visitor.text("The signature was not accepted")).to_be_visible()
    expect(visitor.heading("Your key")).to_have_count(0)
