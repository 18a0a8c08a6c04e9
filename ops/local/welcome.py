"""What a person finds after `make run`: the addresses to open and the commands to try."""

from __future__ import annotations

from rich.console import Console

from .engine import Engine


def welcome(engine: Engine, console: Console) -> None:
    """Prints where everything is."""
    console.print(f"\n  API            [bold]{engine.api_url}[/]")
    console.print(f"  AWS services   {engine.endpoint_url}  (any credentials; region us-east-1)")
    console.print(f"  Function logs  {engine.log_folder}\n")
