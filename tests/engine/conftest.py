"""A small stack of its own for the tests of the engine."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from local.engine import Engine

PROJECT = Path(__file__).parent / "project"
Found = TypeVar("Found")


@pytest.fixture(scope="session")
def probe_engine() -> Iterator[Engine]:
    """Every function is held to its IAM policies, as in the cloud."""
    with Engine.start(project=PROJECT, enforce_policies=True) as engine:
        yield engine


@pytest.fixture
def eventually() -> Callable[..., object]:
    """Calls a question until its answer is true, and returns that; fails after `seconds`."""

    def wait(question: Callable[[], Found], seconds: float = 15) -> Found:
        deadline = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.05)
        return answer

    return wait
