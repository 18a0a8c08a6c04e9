"""A pytest plugin: which lines of the mutated modules each passing test reaches, and its seconds: JSON in $REACHED."""

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

_TOOL = sys.monitoring.COVERAGE_ID
_ROOT = Path.cwd()
_mutated = tuple(str(_ROOT / place) for place in os.environ["MUTATED"].split(":"))
# Path and line, and the tests that reach it: what runs on import is reached before any test, by "".
_reached: dict[tuple[str, int], set[str]] = defaultdict(set)
_seconds: dict[str, float] = {}
_failed: set[str] = set()
_test = ""


def _line(code: CodeType, line: int) -> Any:
    if code.co_filename.startswith(_mutated):
        _reached[code.co_filename, line].add(_test)
    return sys.monitoring.DISABLE  # once for each test is enough


def pytest_configure() -> None:
    sys.monitoring.use_tool_id(_TOOL, "reached")
    sys.monitoring.register_callback(_TOOL, sys.monitoring.events.LINE, _line)
    sys.monitoring.set_events(_TOOL, sys.monitoring.events.LINE)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    global _test
    _test, began = item.nodeid, time.monotonic()
    sys.monitoring.restart_events()
    result = yield
    _seconds[_test], _test = time.monotonic() - began, ""
    return result  # type: ignore[return-value] # a wrapper gives on what it got


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if not report.passed:
        _failed.add(report.nodeid)


def pytest_unconfigure() -> None:
    sys.monitoring.set_events(_TOOL, sys.monitoring.events.NO_EVENTS)
    lines: dict[str, dict[int, list[str]]] = defaultdict(dict)
    for (path, line), tests in _reached.items():
        lines[str(Path(path).relative_to(_ROOT))][line] = sorted(tests - _failed)
    Path(os.environ["REACHED"]).write_text(json.dumps({"seconds": _seconds, "lines": lines}))
