"""The OpenAPI document is generated; clients are generated from it in turn."""

from billing.api.routes import ROUTES
from ops import openapi


def test_document_is_up_to_date() -> None:
    assert openapi.DOCUMENT.read_text() == openapi.text(), "run `python -m ops.openapi` and commit docs/openapi.json"


def test_every_call_is_in_it_once() -> None:
    operations = [call for path in openapi.document()["paths"].values() for call in path.values()]
    ids = [call["operationId"] for call in operations]
    assert len(ids) == len(set(ids)) == len(ROUTES)


def test_calls_of_users_and_admins_ask_for_a_token_and_public_ones_do_not() -> None:
    paths = openapi.document()["paths"]
    for route in ROUTES:
        security = paths[route.path][route.method.lower()].get("security")
        assert security == (None if route.auth == "none" else [{route.auth: []}]), route.path


def test_a_locked_feature_is_answered_with_offers() -> None:
    answers = openapi.document()["paths"]["/billing/entitlements/{feature}"]["get"]["responses"]
    schema = answers["402"]["content"]["application/problem+json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/FeatureLockedProblem"}
