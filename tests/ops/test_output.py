"""Tables of the commands: to be read in a terminal, copied from, and piped into other tools."""

import io

import pytest
from rich.console import Console

from billing_cli import output

EVENT = "mock#evt_" + "0123456789" * 3
CAUSE = "no user is known for " + "sub_0123456789ab, " * 6


def printed(monkeypatch: pytest.MonkeyPatch, rows: list[tuple[str, ...]], *, terminal: bool) -> list[str]:
    text = io.StringIO()
    monkeypatch.setattr(output, "console", Console(file=text, width=70, force_terminal=terminal, no_color=True))
    output.table("Dead letters", ["event", "cause"], rows)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_in_a_pipe_each_row_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, [(EVENT, CAUSE)] * 2, terminal=False)
    assert lines[2:] == [f"{EVENT}  {CAUSE}".rstrip()] * 2


def test_in_a_terminal_ids_stay_whole_and_the_last_column_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, [(EVENT, CAUSE)], terminal=True)
    assert sum(EVENT in line for line in lines) == 1
    assert len(lines) > 4


def test_nothing_to_show_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, [], terminal=False) == ["Dead letters: none"]
