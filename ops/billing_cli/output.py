"""How the commands speak: tables for people, one console for all."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

console = Console(highlight=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints rows under their columns."""
    shown = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


def moment(seconds: int) -> str:
    """Unix seconds for people: 2026-11-22 21:00 UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
