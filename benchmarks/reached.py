"""A pytest plugin that writes to $REACHED, as JSON, which lines of the mutated modules each passing test reaches, and
its seconds.

Lines that run while a test file is imported, such as for the rows of a table, count for all tests of the file.
"""

import inspect
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
# (path, line) → what reaches it: a test, a test file during its import, or "" during the import of a mutated module.
_reached: dict[tuple[str, int], set[str]] = defaultdict(set)
_seconds: dict[str, float] = {}
_failed: set[str] = set()
_running = ""


def _line(code: CodeType, line: int) -> Any:
    if code.co_filename.startswith(_mutated):
        _reached[code.co_filename, line].add(_running if code.co_flags & inspect.CO_OPTIMIZED else "")
    return sys.monitoring.DISABLE  # until the next test; one hit per test is enough


def pytest_configure() -> None:
    sys.monitoring.use_tool_id(_TOOL, "reached")
    sys.monitoring.register_callback(_TOOL, sys.monitoring.events.LINE, _line)
    sys.monitoring.set_events(_TOOL, sys.monitoring.events.LINE)


def _begin(what: str) -> None:
    global _running
    _running = what
    sys.monitoring.restart_events()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    if isinstance(collector, pytest.Module):
        _begin(collector.nodeid)
    return (yield)  # type: ignore[return-value] # a wrapper returns the hook's result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    began = time.monotonic()
    _begin(item.nodeid)
    result = yield
    _seconds[item.nodeid] = time.monotonic() - began
    return result  # type: ignore[return-value] # a wrapper returns the hook's result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if not report.passed:
        _failed.add(report.nodeid)


def pytest_unconfigure() -> None:
    sys.monitoring.set_events(_TOOL, sys.monitoring.events.NO_EVENTS)
    of_file: dict[str, set[str]] = defaultdict(set)
    for test in _seconds:
        of_file[test.partition("::")[0]].add(test)
    lines: dict[str, dict[int, list[str]]] = defaultdict(dict)
    for (path, line), names in _reached.items():
        tests = {test for name in names for test in of_file.get(name, {name})}
        lines[str(Path(path).relative_to(_ROOT))][line] = sorted(tests - _failed)
    Path(os.environ["REACHED"]).write_text(json.dumps({"seconds": _seconds, "lines": lines}))
