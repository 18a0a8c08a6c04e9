"""A log line is one JSON object, whatever is in it."""

import json
from datetime import UTC, datetime

import pytest

from billing import log as destination
from billing.log import SILENT, Log


def test_a_line_has_time_level_message_and_what_the_caller_adds(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    log.info("answered", extra={"status": 200, "route": "GET /x"})
    log.warning("two\nlines\u2028")
    log.error("failed", extra={"error": ValueError("as text")})
    SILENT.error("nothing")
    info, warning, error = map(json.loads, capsys.readouterr().out.splitlines())
    assert abs(datetime.fromisoformat(info.pop("timestamp")) - datetime.now(UTC)).total_seconds() < 60
    assert info == {"level": "INFO", "message": "answered", "service": "billing", "status": 200, "route": "GET /x"}
    assert (warning["level"], warning["message"]) == ("WARNING", "two\nlines\u2028")
    assert (error["level"], error["error"]) == ("ERROR", "as text")


def test_nothing_that_is_added_hides_what_filters_and_alarms_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    Log().info("processed", extra={"message": "x", "level": "x", "timestamp": "x"})
    line = json.loads(capsys.readouterr().out)
    assert (line["message"], line["level"]) == ("processed", "INFO")
    assert line["timestamp"].endswith("Z")


def test_a_command_whose_answer_is_what_it_prints_has_its_log_beside_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destination, "stream", "stderr")
    Log().warning("provider away")
    printed = capsys.readouterr()
    assert (printed.out, json.loads(printed.err)["message"]) == ("", "provider away")
