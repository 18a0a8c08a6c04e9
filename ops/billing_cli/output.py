"""How the commands speak: tables for people, one console for all."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

console = Console(highlight=False)
# The narrowest a column of prose may get, and wider than any row.
_LAST_COLUMN, _UNLIMITED = 24, 10_000


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Prints rows under their columns. Ids stay whole, to be copied; only the last column is broken to fit.

    Into a pipe each row is one line. A text is shown as it is: others may have written it.
    """
    cells = [tuple(Text(cell) if isinstance(cell, str) else cell for cell in row) for row in rows]
    if not cells:
        console.print(f"[bold]{title}[/]: none")
        return
    longest = max(row[-1].cell_len for row in cells)
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
    for row in cells:
        shown.add_row(*row)
    needed = Measurement.get(console, console.options.update(max_width=_UNLIMITED), shown)
    shown.width = max(needed.minimum, min(needed.maximum, console.width)) if console.is_terminal else needed.maximum
    console.print(shown, crop=False)


def refused(what: str, why: object) -> None:
    """Says in one line what did not happen, with the words of whoever refused."""
    console.print(f"[red]{what}[/] {escape(str(why))}")


def moment(seconds: int) -> str:
    """Unix seconds for people: 2026-11-22 21:00 UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
