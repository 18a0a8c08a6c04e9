"""Admins set flags, at the version they saw; every client sees the change."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.functions.conftest import Answer, recorded

Call = Callable[..., Answer]
BODY: dict[str, Any] = {"percent": 5, "allow": ["usr_1"], "version": 0}


def set_flag(call: Call, name: str = "billing", **changes: Any) -> Answer:
    return call("admin_flags.set", path={"name": name}, body={**BODY, **changes})


def test_a_flag_is_added_changed_and_seen_by_every_client(call: Call) -> None:
    assert call("admin_flags.list").json == {"version": 0, "salt": "", "flags": {}}
    assert set_flag(call).status == 200
    answer = set_flag(call, percent=50, allow=["usr_2", "usr_1", "usr_2"], version=1)
    assert answer.json["flags"] == {"billing": {"percent": 50, "allow": ["usr_2", "usr_1"]}}
    assert call("admin_flags.list").json == answer.json
    assert call("config").json["flags"] == answer.json["flags"]


def test_of_two_admins_the_second_is_told_and_gets_the_newest(call: Call) -> None:
    set_flag(call)
    answer = set_flag(call, percent=90)
    assert (answer.status, answer.problem) == (409, "version_conflict")
    assert answer.json["newest"]["flags"]["billing"]["percent"] == 5


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"percent": 101}, "percent"),
        ({"percent": -1}, "percent"),
        ({"percent": 2.5}, "percent"),
        ({"percent": "5"}, "percent"),
        ({"allow": ["a user"]}, "allow/0"),
        ({"allow": [f"usr_{n}" for n in range(201)]}, "allow"),
        ({"version": None}, "version"),
        ({"salt": "mine"}, "salt"),
    ],
)
def test_what_is_no_flag_is_refused_with_the_place_of_the_fault(call: Call, changes: dict[str, Any], path: str) -> None:
    answer = set_flag(call, **changes)
    assert (answer.status, answer.problem) == (400, "invalid_request")
    assert path in [fault["path"] for fault in answer.json["errors"]]


def test_a_flag_needs_a_proper_name(call: Call) -> None:
    answer = set_flag(call, name="No Such")
    assert (answer.status, answer.json["errors"][0]["path"]) == (400, "name")


@pytest.mark.parametrize("event", ["admin_flags.list", "admin_flags.set"])
def test_flags_are_for_admins(load: Callable[[str], ModuleType], event: str) -> None:
    of_a_buyer = recorded(f"api/{event}")
    of_a_buyer["requestContext"]["authorizer"]["lambda"]["role"] = ""
    answer = Answer(load("admin_flags").handler(of_a_buyer, None))
    assert (answer.status, answer.problem) == (403, "role_needed")
