"""Another stack attaches our authorizer and guards its handler with our decorator."""

from pathlib import Path

import pytest
import requests

from demo.shop import Shop
from person import Person

PROJECT = Path(__file__).parent / "reports"


@pytest.fixture(scope="module")
def backend(shop_engine: Shop) -> str:
    """The other API's origin."""
    return shop_engine.engine.add(PROJECT, "reports", {"BillingApiUrl": shop_engine.url})


def report(backend: str, person: Person) -> requests.Response:
    headers = {"authorization": f"Bearer {person.tokens['session_token']}"}
    return requests.post(f"{backend}/report", headers=headers, timeout=30)


def test_our_authorizer_keeps_strangers_out_of_another_api(backend: str) -> None:
    assert requests.post(f"{backend}/report", timeout=30).status_code == 401
    forged = {"authorization": "Bearer forged"}
    assert requests.post(f"{backend}/report", headers=forged, timeout=30).status_code == 403


def test_another_backends_handler_is_locked_until_its_feature_is_bought(backend: str, shop_engine: Shop) -> None:
    person = Person(shop_engine)
    assert person.sign_in().ok
    locked = report(backend, person)
    assert (locked.status_code, locked.json()["code"]) == (402, "feature_locked")
    assert locked.json()["offers"]
    person.buy("tax-2026")
    opened = report(backend, person)
    assert (opened.status_code, opened.text) == (200, "the report")
