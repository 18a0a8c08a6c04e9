"""For tests on the local engine: one engine per run, and the functions' logs in the report of a failure."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import pytest

from .engine import Engine

LOG_LINES = 20


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests that use a session's `…_engine`, and runs all users of one in one xdist process: it starts once.

    Files with module-scoped fixtures also stay in one process, so that the fixture is made once.
    """
    for item in items:
        file = item.nodeid.partition("::")[0]
        engine = next((name for name in _fixtures(item, "session") if name.endswith("_engine")), None)
        if engine:
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.xdist_group(engine))
        elif _fixtures(item, "module") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(file))


def _fixtures(item: pytest.Item, scope: str) -> list[str]:
    """The fixtures of this scope that a test uses, by name."""
    info = getattr(item, "_fixtureinfo", None)
    defined = info.name2fixturedefs if info else {}
    return [name for name in getattr(item, "fixturenames", ()) if name in defined and defined[name][-1].scope == scope]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for engine in _engines(getattr(item, "funcargs", {}).values()):
            for log in engine.log_folder.glob("*.log"):
                if log.stat().st_mtime >= call.start:
                    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
                    report.sections.append((f"end of {log.name}", "\n".join(lines)))
    return report


def _engines(arguments: Iterable[object]) -> list[Engine]:
    """The engines among a test's fixtures, directly or as `engine` of a shop."""
    candidates = [getattr(argument, "engine", argument) for argument in arguments]
    return [candidate for candidate in candidates if isinstance(candidate, Engine)]
