"""What is read by hand accepts, refuses and fills in what the documented models do."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from billing.api.buyer_requests import UseFeature, UseFeatures
from billing.api.usage_bodies import use_feature, use_features
from billing.errors import InvalidRequest

texts = st.sampled_from(
    ["ai.chat", "A", "", "a\n", "é", "x" * 64, "x" * 65, "event-0001", "short", "res_1:@/", "\u0661"]
)
numbers = st.sampled_from([0, 1, 10, 300, 3600, 3601, 1_000_000, 1_000_001, -1, 10**30, True, 1.0, 1.5])
odd = st.none() | st.booleans() | texts | numbers | st.just([]) | st.just({})
call = st.fixed_dictionaries(
    {},
    optional={
        "feature": st.just("ai.chat") | odd,
        "amount": st.just(1) | odd,
        "action": st.sampled_from(["consume", "reserve", "settle", "release"]) | odd,
        "idempotency_key": texts | odd,
        "reservation_id": texts | odd,
        "expires_in": numbers | odd,
        "more": odd,
    },
)
raw = st.sampled_from(
    [b"", b"{", b"[]", b"null", b"\xff", b'{"feature": "a", "feature": "b"}', b"[" * 5000, b"\xef\xbb\xbf{}"]
)


def by_model(body: bytes, model: Any) -> Any:
    try:
        return model.model_validate_json(body or b"{}").model_dump()
    except ValidationError as error:
        return {str(fault["loc"][0]) if fault["loc"] else "" for fault in error.errors()}


def by_hand(body: bytes, read: Any) -> Any:
    try:
        return read(body)
    except InvalidRequest as error:
        return {fault["path"].partition("/")[0] for fault in error.extensions["errors"]}  # type: ignore[attr-defined]


@settings(max_examples=400)
@given(call.map(lambda body: json.dumps(body).encode()) | raw)
def test_one_call(body: bytes) -> None:
    assert by_hand(body, use_feature) == by_model(body, UseFeature)


@settings(max_examples=300)
@given(
    st.lists(call, max_size=4).map(lambda items: json.dumps({"items": items}).encode())
    | odd.map(lambda items: json.dumps({"items": items}).encode())
    | odd.map(lambda more: json.dumps({"items": [{"feature": "a"}], "more": more}).encode())
    | raw
)
def test_several_calls(body: bytes) -> None:
    found = by_model(body, UseFeatures)
    assert by_hand(body, use_features) == (found["items"] if isinstance(found, dict) else found)


@pytest.mark.parametrize("count", [25, 26])
def test_no_more_calls_than_documented(count: int) -> None:
    body = json.dumps({"items": [{"feature": "a"}] * count}).encode()
    assert (by_hand(body, use_features) == {"items"}) == (count > 25)


def test_a_fault_is_named_by_its_place() -> None:
    with pytest.raises(InvalidRequest) as refused:
        use_features(b'{"items": [{"feature": "a"}, {"feature": "a", "amount": 0}]}')
    (fault,) = refused.value.extensions["errors"]  # type: ignore[misc]
    assert fault["path"] == "items/1/amount"  # type: ignore[index]
