"""The commands' output: one console, tables, checks, and refusals."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from billing.providers.interface import Check

console = Console(highlight=False)
_errors = Console(highlight=False, stderr=True)
# The least width of the last column when rows are wrapped, and a width larger than any row.
_LAST_COLUMN, _UNLIMITED = 24, 10_000


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Prints rows under their columns. Ids are not wrapped, so that they can be copied; only the last column is.

    In a pipe each row is one line. Text cells are printed without markup: their content may come from outside.
    """
    cells = [tuple(Text(cell) if isinstance(cell, str) else cell for cell in row) for row in rows]
    if not cells:
        console.print(f"[bold]{title}[/]: none")
        return
    longest = max(row[-1].cell_len for row in cells)
    grid = Table(
        *(Column(name, no_wrap=True) for name in columns[:-1]),
        Column(columns[-1], overflow="fold", min_width=min(longest, _LAST_COLUMN)),
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
    )
    for row in cells:
        grid.add_row(*row)
    needed = Measurement.get(console, console.options.update(max_width=_UNLIMITED), grid)
    grid.width = max(needed.minimum, min(needed.maximum, console.width)) if console.is_terminal else needed.maximum
    console.print(grid, crop=False)


_MARKS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}


def print_checks(checks: Iterable[Check]) -> bool:
    """Prints a line for each check, and its remedy if there is one; returns False if any failed."""
    passed = True
    for check in checks:
        passed &= check.level != "fail"
        console.print(f"{_MARKS[check.level]} {check.subject}: {escape(check.finding)}")
        if check.remedy:
            console.print(f"  → {check.remedy}", style="dim", markup=False)
    return passed


def refused(what: str, why: object) -> None:
    """Prints in one line what was refused and the reason, past a file that the output goes to."""
    _errors.print(f"[red]{what}[/] {escape(str(why))}")


def moment(seconds: int) -> str:
    """Unix seconds as 2026-11-22 21:00 UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
