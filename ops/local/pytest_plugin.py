"""The `engine` fixture: one running engine for all the tests of a run that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .engine import Engine
from .host import EngineError


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Our template, deployed. Tests share its tables: they use user ids of their own."""
    yield from start_engine()


@pytest.fixture(scope="session")
def enforcing_engine() -> Iterator[Engine]:
    """The same, with every function held to its IAM policies."""
    yield from start_engine(enforce_policies=True)


def start_engine(**options: object) -> Iterator[Engine]:
    """An engine for a fixture; when it cannot start, its tests fail with the reason instead of a traceback."""
    try:
        engine = Engine.start(**options)  # type: ignore[arg-type]  # forwards start's own options
    except EngineError as error:
        pytest.fail(f"The local engine did not start. {error}", pytrace=False)
    with engine:
        yield engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what uses an engine, and keeps the users of each on one of xdist's processes, so that it starts once."""
    for item in items:
        for name in getattr(item, "fixturenames", ()):
            if name == "engine" or name.endswith("_engine"):
                item.add_marker(pytest.mark.engine)
                item.add_marker(pytest.mark.xdist_group(name))
                break
