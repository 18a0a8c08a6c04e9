"""The bodies of the usage calls, validated by hand: pydantic would be most of the function's cold start.

`buyer_requests.UseFeature` and `UseFeatures` describe the same for the OpenAPI document; tests/api/test_usage_bodies.py
compares the two.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from billing.errors import InvalidRequest

_Check = Callable[[Any], bool]


def _text(pattern: str) -> _Check:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _number(least: int, most: int) -> _Check:
    return lambda value: type(value) is int and least <= value <= most


# Field → (default, check, the check in words). `_REQUIRED` as the default: it has none.
_REQUIRED = object()
_MEMBERS: Mapping[str, tuple[object, _Check, str]] = {
    "feature": (_REQUIRED, _text(r"[a-z0-9][a-z0-9_.:-]{0,63}"), "a feature's key, such as ai.chat"),
    "amount": (1, _number(1, 1_000_000), "a whole number from 1 to 1,000,000"),
    "action": ("consume", _text("consume|reserve|settle|release"), "one of consume, reserve, settle, release"),
    "idempotency_key": (None, _text(r"[A-Za-z0-9_-]{8,128}"), "8 to 128 letters, digits, _ and -"),
    "reservation_id": (None, _text(r"[A-Za-z0-9_.:@/-]{1,128}"), "a reservation's id"),
    "expires_in": (300, _number(10, 3600), "a whole number of seconds from 10 to 3,600"),
}
_MOST = 25


def use_feature(body: bytes) -> dict[str, Any]:
    """Raises `InvalidRequest` with all faults and their paths."""
    faults: list[dict[str, str]] = []
    call = _call(_parsed(body), "", faults)
    if faults:
        raise _refusal(faults)
    return call


def use_features(body: bytes) -> list[dict[str, Any]]:
    """Raises `InvalidRequest`."""
    parsed = _parsed(body)
    faults: list[dict[str, str]] = []
    if not isinstance(parsed, dict):
        raise _refusal([{"path": "", "message": "a JSON object"}])
    faults += [{"path": name, "message": "not a member of this body"} for name in parsed if name != "items"]
    items = parsed.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= _MOST:
        raise _refusal([*faults, {"path": "items", "message": f"a list of 1 to {_MOST} calls"}])
    calls = [_call(item, f"items/{number}/", faults) for number, item in enumerate(items)]
    if faults:
        raise _refusal(faults)
    return calls


def _call(item: Any, path: str, faults: list[dict[str, str]]) -> dict[str, Any]:
    if not isinstance(item, dict):
        faults.append({"path": path.rstrip("/"), "message": "a JSON object"})
        return {}
    faults += [{"path": path + name, "message": "not a member of this body"} for name in item if name not in _MEMBERS]
    call = {}
    for name, (default, is_valid, words) in _MEMBERS.items():
        value = item.get(name, default)
        absent = value is None and default is None
        if value is _REQUIRED or not (absent or is_valid(value)):
            faults.append({"path": path + name, "message": words})
        call[name] = value
    return call


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body.decode() or "{}")
    except (ValueError, RecursionError) as error:
        raise _refusal([{"path": "", "message": "JSON in UTF-8"}]) from error


def _refusal(faults: list[dict[str, str]]) -> InvalidRequest:
    return InvalidRequest("the body is not of the documented shape", errors=faults)
