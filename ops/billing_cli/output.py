"""How the commands speak: tables for people, one console for all."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

console = Console(highlight=False)
# The narrowest a column of prose may get, and wider than any row.
_LAST_COLUMN, _UNLIMITED = 24, 10_000


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints rows under their columns. Ids stay whole, to be copied; only the last column is broken to fit.

    Into a pipe each row is one line.
    """
    found = [tuple(row) for row in rows]
    if not found:
        console.print(f"[bold]{title}[/]: none")
        return
    longest = max(cell_len(row[-1]) for row in found)
    shown = Table(
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
    for row in found:
        shown.add_row(*row)
    needed = Measurement.get(console, console.options.update(max_width=_UNLIMITED), shown)
    shown.width = max(needed.minimum, min(needed.maximum, console.width)) if console.is_terminal else needed.maximum
    console.print(shown, crop=False)


def moment(seconds: int) -> str:
    """Unix seconds for people: 2026-11-22 21:00 UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
