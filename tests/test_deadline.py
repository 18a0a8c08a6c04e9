"""What is left of an invocation limits whatever it calls."""

import math
import re
from pathlib import Path

import pytest

from billing import deadline

FUNCTIONS = Path(__file__).parents[1] / "functions"


class Context:
    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("billing.deadline.time.monotonic", lambda: now[0])
    return now


def test_a_call_gets_its_own_limit_or_what_is_left_but_for_the_reserve(clock: list[float]) -> None:
    deadline.begin(Context(10_000))
    assert deadline.left(5) == 5
    clock[0] += 6
    assert deadline.left(5) == pytest.approx(4 - deadline.RESERVE)
    clock[0] += 6
    assert deadline.left(5) == 0


def test_each_invocation_has_a_time_of_its_own(clock: list[float]) -> None:
    deadline.begin(Context(1_000))
    clock[0] += 600  # frozen between two invocations
    deadline.begin(Context(3_000))
    assert deadline.left() == pytest.approx(3 - deadline.RESERVE)


def test_without_a_context_nothing_is_limited() -> None:
    deadline.begin(None)
    assert (deadline.left(), deadline.left(5)) == (math.inf, 5)


def test_what_does_not_fit_any_more_is_left_to_the_next_round(clock: list[float]) -> None:
    deadline.begin(Context(10_000))
    assert not deadline.over()
    clock[0] += 7
    assert deadline.over()


@pytest.mark.parametrize("function", sorted(path.name for path in FUNCTIONS.glob("*.py")))
def test_every_function_begins_with_its_deadline(function: str) -> None:
    """Through `endpoint` or `webhook`, or by itself: without one it is killed where others would answer."""
    begun = r"^handler = (endpoint|webhook)\(|^    (global \w+\n    )?deadline\.begin\(context\)$"
    assert re.search(begun, (FUNCTIONS / function).read_text(), re.MULTILINE)
